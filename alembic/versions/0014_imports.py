"""Imports as work in progress: read into a table of their own, looked at, then switched in; large datasets keep such a table.

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"

UP = """
ALTER TABLE datasets ADD COLUMN rejected_count bigint NOT NULL DEFAULT 0;
UPDATE datasets SET rejected_count = jsonb_array_length(rejected);
ALTER TABLE datasets ADD COLUMN key_name text;
ALTER TABLE datasets ADD COLUMN version integer NOT NULL DEFAULT 1;
ALTER TABLE datasets ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE datasets ADD COLUMN store text CHECK (store ~ '^dataset_rows_[0-9a-f]{16}$');
COMMENT ON COLUMN datasets.store IS 'Table of its own (a child of dataset_features) that holds the features of a large dataset; NULL: dataset_features itself';
COMMENT ON COLUMN datasets.rejected IS 'The first rows that were left out [{row, reason}]; rejected_count counts all';
DROP INDEX dataset_features_label_idx;

CREATE TABLE imports (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'reading', 'staged', 'storing', 'done', 'failed', 'cancelled')),
    mode text NOT NULL CHECK (mode IN ('create', 'append', 'replace', 'upsert')),
    preview boolean NOT NULL DEFAULT false,
    dataset_id text,
    source_name text NOT NULL,
    source_sha256 text NOT NULL,
    source_bytes bigint NOT NULL,
    about jsonb NOT NULL,
    options jsonb NOT NULL,
    scope_prefix text NOT NULL,
    done real NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    staged text CHECK (staged ~ '^dataset_rows_[0-9a-f]{16}$'),
    summary jsonb,
    changes jsonb,
    problem jsonb,
    created_by bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE imports IS 'Files on their way to a dataset: staged names the table that holds the rows nobody sees yet, changes what storing would do, problem why it was refused';
CREATE INDEX ON imports (created_at DESC);
CREATE INDEX ON imports (dataset_id);
CREATE INDEX ON imports (source_sha256);
"""

DOWN = """
DROP TABLE imports;
DO $$
DECLARE child regclass;
BEGIN
    FOR child IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'dataset_features'::regclass LOOP
        EXECUTE format('ALTER TABLE %s NO INHERIT dataset_features', child);
        EXECUTE format('INSERT INTO dataset_features SELECT * FROM %s', child);
    END LOOP;
    FOR child IN SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relname ~ '^dataset_rows_[0-9a-f]{16}$' LOOP
        EXECUTE format('DROP TABLE %s', child);
    END LOOP;
END $$;
CREATE INDEX dataset_features_label_idx ON dataset_features USING gin (label gin_trgm_ops);
ALTER TABLE datasets DROP COLUMN rejected_count, DROP COLUMN key_name, DROP COLUMN version, DROP COLUMN updated_at, DROP COLUMN store;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
