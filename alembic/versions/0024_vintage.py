"""The time that an imported dataset stands for, as its sender declares it: a year, a month or a day; empty where nobody said.

Revision ID: 0024
Revises: 0023
"""

from alembic import op

revision = "0024"
down_revision = "0023"

UP = r"""
ALTER TABLE datasets ADD COLUMN vintage text NOT NULL DEFAULT '' CHECK (vintage ~ '^(\d{4}(-\d{2}(-\d{2})?)?)?$');
COMMENT ON COLUMN datasets.vintage IS 'The time the data stand for (YYYY, YYYY-MM or YYYY-MM-DD) as declared at import; empty: not stated. created_at is when they came';
"""

DOWN = """
ALTER TABLE datasets DROP COLUMN vintage;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
