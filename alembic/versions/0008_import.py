"""What an import says about itself, and indexes to read a dataset inside a scope and names by two characters.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"

UP = """
ALTER TABLE datasets ADD COLUMN format text NOT NULL DEFAULT '';
ALTER TABLE datasets ADD COLUMN crs_origin text NOT NULL DEFAULT 'declared' CHECK (crs_origin IN ('declared', 'file', 'format', 'detected'));
ALTER TABLE datasets ADD COLUMN mended integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN datasets.declared_crs IS 'Frame the coordinates of the file were in; crs_origin says who said so; mended counts repaired shapes';
CREATE INDEX ON dataset_features (dataset_id, region_code text_pattern_ops);
CREATE INDEX ON datasets (source_sha256);
"""

DOWN = """
DROP INDEX datasets_source_sha256_idx, dataset_features_dataset_id_region_code_idx;
ALTER TABLE datasets DROP COLUMN format, DROP COLUMN crs_origin, DROP COLUMN mended;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
