"""Files that the coordinate firewall holds back until a person decides.

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"

UP = """
CREATE TABLE quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id text NOT NULL,
    title text NOT NULL,
    state text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'fixed', 'overridden', 'discarded')),
    source_name text NOT NULL,
    source_sha256 text NOT NULL,
    declared_crs text NOT NULL,
    crs_origin text NOT NULL,
    about jsonb NOT NULL,
    options jsonb NOT NULL,
    row_count bigint NOT NULL,
    findings jsonb NOT NULL,
    spoke text,
    likelihood double precision NOT NULL DEFAULT 0,
    readings text[] NOT NULL,
    choice bytea NOT NULL,
    vectors jsonb NOT NULL DEFAULT '[]',
    bbox double precision[],
    region_code text NOT NULL,
    created_by bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    decided_by bigint REFERENCES staff (id),
    decided_at timestamptz,
    reason text NOT NULL DEFAULT ''
);
COMMENT ON TABLE quarantine IS 'Imports whose coordinates contradict what is known; no row of them is on the map. choice: zlib of one byte a row, the index of its reading in readings (0: as declared); vectors: [{row, reading, from: [lon, lat] or null, to: [lon, lat]}], sampled; written by layers.quarantine';
CREATE UNIQUE INDEX quarantine_held ON quarantine (dataset_id) WHERE state = 'held';
CREATE INDEX quarantine_sha256 ON quarantine (source_sha256);
ALTER TABLE datasets ADD COLUMN quarantine_id bigint REFERENCES quarantine (id);
COMMENT ON COLUMN datasets.quarantine_id IS 'The verdict this dataset was released from, fixed or overridden';
"""

DOWN = """
ALTER TABLE datasets DROP COLUMN quarantine_id;
DROP TABLE quarantine;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
