"""Findings that wait are found by their kind: what is urgent is judged ahead of a flood. Those that opened nothing by themselves too: they may help another.

Revision ID: 0034
Revises: 0033
"""

from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.execute("CREATE INDEX observations_pending_by_kind ON observations (kind, id) WHERE fused_at IS NULL")
    op.execute("CREATE INDEX observations_held_by_kind ON observations (kind, recorded_at) WHERE alert_id IS NULL AND fused_at IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX observations_held_by_kind")
    op.execute("DROP INDEX observations_pending_by_kind")
