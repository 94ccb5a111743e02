"""Cameras are calibrated by a vehicle of known position too.

Revision ID: 0044
Revises: 0043
"""

from alembic import op

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    op.execute("ALTER TABLE camera_calibrations DROP CONSTRAINT camera_calibrations_method_check")
    op.execute("ALTER TABLE camera_calibrations ADD CONSTRAINT camera_calibrations_method_check CHECK (method IN ('control_points', 'horizon', 'vehicle'))")


def downgrade() -> None:
    op.execute("DELETE FROM camera_calibrations WHERE method = 'vehicle'")
    op.execute("ALTER TABLE camera_calibrations DROP CONSTRAINT camera_calibrations_method_check")
    op.execute("ALTER TABLE camera_calibrations ADD CONSTRAINT camera_calibrations_method_check CHECK (method IN ('control_points', 'horizon'))")
