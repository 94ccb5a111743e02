"""Names by their single characters and pairs: trigrams cannot find the two-character words that most Chinese words are.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"

UP = """
TRUNCATE search_names;
DROP INDEX search_names_name_idx;
ALTER TABLE search_names ADD COLUMN folded text NOT NULL, ADD COLUMN grams text[] NOT NULL;
COMMENT ON COLUMN search_names.folded IS 'The name as it is compared; grams are its characters and pairs; both written by layers.search';
CREATE INDEX search_names_grams ON search_names USING gin (grams);
CREATE INDEX search_names_folded ON search_names (folded text_pattern_ops);
CREATE INDEX search_names_likely ON search_names (region_code text_pattern_ops) WHERE weight >= 3;
"""

DOWN = """
TRUNCATE search_names;
DROP INDEX search_names_grams, search_names_folded, search_names_likely;
ALTER TABLE search_names DROP COLUMN folded, DROP COLUMN grams;
CREATE INDEX search_names_name_idx ON search_names USING gin (name gin_trgm_ops);
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
