"""What people take out: each export with its reason, its filter and what became of it.

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"

UP = """
CREATE TABLE exports (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    staff_id bigint NOT NULL REFERENCES staff (id),
    layer text NOT NULL,
    format text NOT NULL CHECK (format IN ('geoparquet', 'gpkg', 'shapefile', 'geojson', 'csv', 'xlsx')),
    crs text NOT NULL,
    filter text,
    filter_lang text NOT NULL DEFAULT 'cql2-text',
    bbox double precision[] CHECK (bbox IS NULL OR array_length(bbox, 1) = 4),
    reason text NOT NULL CHECK (length(reason) >= 2),
    region_code text NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'expired')),
    row_count bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    sha256 text NOT NULL DEFAULT '',
    error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
COMMENT ON TABLE exports IS 'Files made of layers for people, with the reason they gave; the row stays when the file has gone';
CREATE INDEX exports_staff ON exports (staff_id, created_at DESC);
CREATE INDEX exports_done ON exports (finished_at) WHERE state = 'done';
"""

DOWN = """
DROP TABLE exports;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
