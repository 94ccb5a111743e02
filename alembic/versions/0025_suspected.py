"""Verdicts of legality stored in older words: a register alone suspects (疑似违法), it is a person who finds unlawful.

Revision ID: 0025
Revises: 0024
"""

from alembic import op

revision = "0025"
down_revision = "0024"

UP = """
UPDATE alerts SET legality = (
    SELECT jsonb_agg(CASE WHEN line ->> 'verdict' = 'unlawful' THEN jsonb_set(line, '{verdict}', '"suspect"') ELSE line END ORDER BY place)
    FROM jsonb_array_elements(legality) WITH ORDINALITY AS lines (line, place)
)
WHERE legality @> '[{"verdict": "unlawful"}]';
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    """Nothing: `suspect` was a word before as well."""
