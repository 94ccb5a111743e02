"""Imported datasets, and the generalised levels that low zooms draw.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"

UP = """
CREATE TABLE datasets (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_]{0,62}$'),
    title text NOT NULL,
    title_en text NOT NULL DEFAULT '',
    group_name text NOT NULL DEFAULT 'imported',
    geometry_type text NOT NULL,
    declared_crs text NOT NULL,
    source_name text NOT NULL,
    source_sha256 text NOT NULL,
    attributes jsonb NOT NULL DEFAULT '[]',
    feature_count bigint NOT NULL,
    rejected jsonb NOT NULL DEFAULT '[]',
    licence text NOT NULL DEFAULT '',
    owner text NOT NULL DEFAULT '',
    region_code text NOT NULL,
    simulated boolean NOT NULL DEFAULT false,
    created_by bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    extent geometry(Polygon, 4326) CHECK (hdq_sound(extent))
);
COMMENT ON TABLE datasets IS 'Files that people imported, each a layer; attributes: [{name, type}]; rejected: [{row, reason}]';

CREATE TABLE dataset_features (
    dataset_id text NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    id bigint NOT NULL,
    properties jsonb NOT NULL DEFAULT '{}',
    label text NOT NULL DEFAULT '',
    region_code text NOT NULL,
    geom geometry(Geometry, 4326) NOT NULL CHECK (hdq_sound(geom)),
    PRIMARY KEY (dataset_id, id)
);
COMMENT ON TABLE dataset_features IS 'Features of imported datasets; id is the 1-based row of the file';
CREATE INDEX ON dataset_features USING gist (geom);
CREATE INDEX ON dataset_features USING gin (label gin_trgm_ops);

CREATE TABLE building_levels (
    level smallint NOT NULL,
    id bigint NOT NULL,
    count integer NOT NULL,
    height_m real NOT NULL,
    use text NOT NULL,
    region_code text NOT NULL,
    geom_3857 geometry(Geometry, 3857) NOT NULL,
    PRIMARY KEY (level, id)
);
COMMENT ON TABLE building_levels IS 'Generalised buildings for low zooms; level is the highest zoom that draws it; made by layers.pyramid';
CREATE INDEX building_levels_geom ON building_levels USING gist (geom_3857);

CREATE TABLE search_names (
    kind text NOT NULL,
    ref text NOT NULL,
    name text NOT NULL,
    initials text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    weight real NOT NULL DEFAULT 1,
    region_code text NOT NULL,
    geom geometry(Point, 4326) NOT NULL CHECK (hdq_sound(geom)),
    PRIMARY KEY (kind, ref)
);
COMMENT ON TABLE search_names IS 'Names that search finds, with pinyin initials; rebuilt by layers.search';
CREATE INDEX ON search_names USING gin (name gin_trgm_ops);
CREATE INDEX ON search_names USING gin (initials gin_trgm_ops);
CREATE INDEX ON search_names (initials text_pattern_ops);

CREATE INDEX buildings_geom_3857 ON buildings USING gist (geom_3857);
CREATE INDEX buildings_geom ON buildings USING gist (geom);
CREATE INDEX buildings_region ON buildings (region_code text_pattern_ops);
"""

DOWN = """
DROP INDEX buildings_geom_3857, buildings_geom, buildings_region;
DROP TABLE search_names, building_levels, dataset_features, datasets;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
