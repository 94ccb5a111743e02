"""Zones and counting lines that cameras watch, drawn in a picture or on the map; who was in them and what crossed them; control points of a camera.

Revision ID: 0042
Revises: 0041
"""

from alembic import op

revision = "0042"
down_revision = "0041"

UP = """
CREATE TABLE camera_zones (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    purpose text NOT NULL CHECK (purpose IN ('forbidden', 'crowd', 'count')),
    kind text NOT NULL DEFAULT '',
    detector text NOT NULL,
    classes text[] NOT NULL DEFAULT '{}',
    camera_id bigint REFERENCES cameras (id) ON DELETE CASCADE,
    picture geometry(Geometry, 0) CHECK (ST_GeometryType(picture) IN ('ST_Polygon', 'ST_LineString')),
    geom geometry(Geometry, 4326) CHECK (ST_GeometryType(geom) IN ('ST_Polygon', 'ST_LineString')),
    least integer NOT NULL DEFAULT 1 CHECK (least BETWEEN 1 AND 1000),
    min_dwell_s real NOT NULL DEFAULT 0 CHECK (min_dwell_s BETWEEN 0 AND 86400),
    days smallint[] NOT NULL DEFAULT '{1,2,3,4,5,6,7}' CHECK (days <@ '{1,2,3,4,5,6,7}'::smallint[] AND cardinality(days) > 0),
    from_time time,
    until_time time,
    enabled boolean NOT NULL DEFAULT true,
    version integer NOT NULL DEFAULT 1,
    region_code text NOT NULL,
    simulated boolean NOT NULL DEFAULT false,
    changed_by bigint REFERENCES staff (id) ON DELETE SET NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at timestamptz,
    CHECK ((camera_id IS NOT NULL AND picture IS NOT NULL AND geom IS NULL) OR (camera_id IS NULL AND picture IS NULL AND geom IS NOT NULL)),
    CHECK ((purpose = 'count') = (ST_GeometryType(coalesce(picture, geom)) = 'ST_LineString')),
    CHECK ((from_time IS NULL) = (until_time IS NULL))
);
COMMENT ON TABLE camera_zones IS 'Areas and counting lines that cameras watch: picture in fractions of one camera''s frame (x right, y down), or geom on the map for every camera that sees it; times of day in Asia/Shanghai';
CREATE INDEX ON camera_zones (camera_id) WHERE removed_at IS NULL;
CREATE INDEX ON camera_zones USING gist (geom) WHERE removed_at IS NULL;
CREATE INDEX ON camera_zones (region_code text_pattern_ops);

CREATE TABLE zone_visits (
    zone_id bigint NOT NULL REFERENCES camera_zones (id) ON DELETE CASCADE,
    camera_id bigint NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
    track_id bigint NOT NULL,
    entered_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    reported_at timestamptz,
    forward boolean,
    PRIMARY KEY (zone_id, camera_id, track_id, entered_at)
);
COMMENT ON TABLE zone_visits IS 'A track that was in a zone from entered_at to seen_at (track 0: the crowd in it), or crossed a line at entered_at, forward from its left to its right side';
CREATE INDEX ON zone_visits (camera_id, seen_at);

CREATE TABLE camera_controls (
    camera_id bigint PRIMARY KEY REFERENCES cameras (id) ON DELETE CASCADE,
    pixels double precision[] NOT NULL CHECK (cardinality(pixels) >= 8),
    places double precision[] NOT NULL CHECK (cardinality(places) = cardinality(pixels)),
    rms_m real NOT NULL,
    changed_by bigint REFERENCES staff (id) ON DELETE SET NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE camera_controls IS 'Ground control points of a camera: x, y as fractions of the frame and lon, lat, one after the other; rms_m: how far the fitted camera misses them';

INSERT INTO categories (code, major, name, name_en, icon, clock, limit_value, department, provenance, event_kind) VALUES
    ('03082', '施工管理', '施工机械进入禁区', 'Machinery in a forbidden zone', 'truck', 'work_hours', 4, '综合行政执法局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'machinery_forbidden'),
    ('05081', '街面秩序', '人员进入危险区', 'Person in a danger zone', 'crowd', 'urgent_hours', 1, '应急管理局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'person_danger'),
    ('05082', '街面秩序', '船只进入禁航区', 'Boat in a no-go zone', 'coast', 'urgent_hours', 2, '海洋发展局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'boat_no_go'),
    ('05083', '街面秩序', '闯入管控区域', 'Intrusion into a zone', 'parking', 'work_hours', 2, '综合行政执法局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'zone_intrusion')
ON CONFLICT (code) DO NOTHING;
"""

DOWN = """
UPDATE cases SET category_code = '99001' WHERE category_code IN ('03082', '05081', '05082', '05083');
UPDATE reports SET category_code = '99001' WHERE category_code IN ('03082', '05081', '05082', '05083');
DELETE FROM categories WHERE code IN ('03082', '05081', '05082', '05083');
DROP TABLE camera_controls, zone_visits, camera_zones;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
