"""Map sheets among the exports, and the small pictures of layers.

Revision ID: 0021
Revises: 0020
"""

from alembic import op

revision = "0021"
down_revision = "0020"

UP = """
ALTER TABLE exports DROP CONSTRAINT exports_format_check;
ALTER TABLE exports ADD CONSTRAINT exports_format_check CHECK (format IN ('geoparquet', 'gpkg', 'shapefile', 'geojson', 'csv', 'xlsx', 'pdf'));
ALTER TABLE exports ADD COLUMN paper text NOT NULL DEFAULT 'A4' CHECK (paper IN ('A4', 'A3'));
ALTER TABLE exports ADD COLUMN title text NOT NULL DEFAULT '' CHECK (length(title) <= 80);

CREATE TABLE layer_thumbnails (
    layer_id text NOT NULL,
    prefix text NOT NULL,
    sha256 text NOT NULL,
    svg text NOT NULL,
    drawn_from text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (layer_id, prefix)
);
COMMENT ON TABLE layer_thumbnails IS 'Small pictures of layers for the catalogue, one for each region that people look from: it shows only what they may see';
"""

DOWN = """
DROP TABLE layer_thumbnails;
DELETE FROM exports WHERE format = 'pdf';
ALTER TABLE exports DROP COLUMN title, DROP COLUMN paper;
ALTER TABLE exports DROP CONSTRAINT exports_format_check;
ALTER TABLE exports ADD CONSTRAINT exports_format_check CHECK (format IN ('geoparquet', 'gpkg', 'shapefile', 'geojson', 'csv', 'xlsx'));
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
