"""One turn of the sequence gives 64 ids: a batch of ten thousand findings takes 157 turns.

Revision ID: 0045
Revises: 0044
"""

from alembic import op

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    op.execute("ALTER SEQUENCE observations_id_seq INCREMENT BY 64")


def downgrade() -> None:
    op.execute("LOCK TABLE observations IN SHARE ROW EXCLUSIVE MODE")
    op.execute("SELECT setval('observations_id_seq', (SELECT max(id) FROM observations)) WHERE EXISTS (SELECT FROM observations)")
    op.execute("ALTER SEQUENCE observations_id_seq INCREMENT BY 1")
