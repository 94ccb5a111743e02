"""Sources in other systems that datasets follow on a schedule.

Revision ID: 0020
Revises: 0019
"""

from alembic import op

revision = "0020"
down_revision = "0019"

UP = """
CREATE TABLE connections (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 120),
    kind text NOT NULL,
    address text NOT NULL CHECK (length(address) <= 500 AND address !~ '//[^/]*@'),
    collection text NOT NULL CHECK (length(collection) BETWEEN 1 AND 200),
    mode text NOT NULL CHECK (mode IN ('replace', 'upsert')),
    key_name text CHECK (mode <> 'upsert' OR key_name IS NOT NULL),
    frame text,
    page_size integer NOT NULL DEFAULT 1000 CHECK (page_size BETWEEN 1 AND 10000),
    secret_name text CHECK (secret_name ~ '^[A-Z][A-Z0-9_]{0,39}$'),
    every_minutes integer NOT NULL DEFAULT 1440 CHECK (every_minutes BETWEEN 5 AND 525600),
    active boolean NOT NULL DEFAULT true,
    dataset_id text NOT NULL UNIQUE,
    region_code text NOT NULL,
    created_by bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    last_run_at timestamptz,
    last_good_at timestamptz,
    last_state text NOT NULL DEFAULT 'never' CHECK (last_state IN ('never', 'fetching', 'importing', 'ok', 'held', 'failed')),
    last_error jsonb,
    last_features bigint,
    last_import uuid
);
COMMENT ON TABLE connections IS 'Collections of other systems (kind: a file of layers/connectors) that a dataset follows every so many minutes, through the import door. dataset_id: its dataset, made by the first run that succeeds; frame: declared by a person, NULL: as the source says; secret_name: of the environment variable HDQ_CONNECTOR_SECRET_NAME, never the secret; last_good_at: when the dataset was last known to be what the source says; last_error: title, detail, remedy; region_code: prefix inside which rows are taken; written by layers.connections';
CREATE INDEX ON connections (created_by);
CREATE INDEX ON connections (region_code);
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql("DROP TABLE connections")
