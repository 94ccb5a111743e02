"""The world: regions, governance cells, buildings, coast, forest, parcels, roads, cameras, units, staff.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None

UP = """
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE FUNCTION hdq_sound(geom geometry) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT geom IS NULL OR (ST_SRID(geom) = 4326 AND NOT ST_IsEmpty(geom)
        AND ST_XMin(geom) BETWEEN -180 AND 180 AND ST_XMax(geom) BETWEEN -180 AND 180
        AND ST_YMin(geom) BETWEEN -90 AND 90 AND ST_YMax(geom) BETWEEN -90 AND 90)
$$;
COMMENT ON FUNCTION hdq_sound IS 'Degrees inside the world, not empty, not NaN (NaN fails BETWEEN): the last line of defence behind the doors';

CREATE TABLE regions (
    code text PRIMARY KEY CHECK (code ~ '^[0-9]{4,12}$'),
    level smallint NOT NULL CHECK (level BETWEEN 1 AND 4),
    name text NOT NULL,
    name_en text NOT NULL DEFAULT '',
    parent_code text REFERENCES regions (code),
    simulated boolean NOT NULL DEFAULT true,
    source text NOT NULL DEFAULT '',
    geom geometry(MultiPolygon, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE regions IS 'Administrative divisions (GB/T 2260): 1 city (4 digits) > 2 district (6) > 3 street or town (9) > 4 community (12)';
CREATE INDEX ON regions USING gist (geom);
CREATE INDEX ON regions (code text_pattern_ops);

CREATE TABLE cells (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CHECK (code ~ '^[0-9]{14,20}$'),
    name text NOT NULL,
    region_code text NOT NULL REFERENCES regions (code),
    valid daterange NOT NULL DEFAULT daterange('2020-01-01', NULL),
    simulated boolean NOT NULL DEFAULT true,
    geom geometry(MultiPolygon, 4326) NOT NULL CHECK (hdq_sound(geom)),
    EXCLUDE USING gist (code WITH =, valid WITH &&)
);
COMMENT ON TABLE cells IS 'Management grids 管理网格 with effective dates; region_code is the community';
CREATE INDEX ON cells USING gist (geom);
CREATE INDEX ON cells (region_code text_pattern_ops);

CREATE TABLE buildings (
    id bigint PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    use text NOT NULL,
    height_m real NOT NULL CHECK (height_m > 0 AND height_m < 1000),
    floors smallint NOT NULL,
    households integer NOT NULL DEFAULT 0,
    region_code text NOT NULL,
    cell_code text,
    simulated boolean NOT NULL DEFAULT true,
    geom geometry(Polygon, 4326) NOT NULL CHECK (hdq_sound(geom)),
    geom_3857 geometry(Polygon, 3857) GENERATED ALWAYS AS (ST_Transform(geom, 3857)) STORED
);
COMMENT ON TABLE buildings IS 'Building footprints; use: residential, commercial, office, industrial, public, education, medical, warehouse; rows lie in Hilbert order';

CREATE TABLE coastline (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    chainage_from_m double precision NOT NULL,
    chainage_to_m double precision NOT NULL,
    kind text NOT NULL DEFAULT 'natural',
    region_code text NOT NULL,
    simulated boolean NOT NULL DEFAULT true,
    geom geometry(LineString, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE coastline IS 'Coastline pieces with chainage 桩号 in metres; kind natural or artificial';
CREATE INDEX ON coastline USING gist (geom);

CREATE TABLE setbacks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    distance_m real NOT NULL,
    clause text NOT NULL,
    region_code text NOT NULL,
    valid daterange NOT NULL DEFAULT daterange('2020-01-01', NULL),
    simulated boolean NOT NULL DEFAULT true,
    geom geometry(MultiPolygon, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE setbacks IS 'Coast building setback zones 海岸建筑退缩线 on the landward side';
CREATE INDEX ON setbacks USING gist (geom);

CREATE TABLE forest_zones (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,
    name text NOT NULL,
    class text NOT NULL,
    species text NOT NULL DEFAULT '',
    fire_risk smallint NOT NULL DEFAULT 2 CHECK (fire_risk BETWEEN 1 AND 5),
    area_ha real NOT NULL,
    region_code text NOT NULL,
    valid daterange NOT NULL DEFAULT daterange('2020-01-01', NULL),
    simulated boolean NOT NULL DEFAULT true,
    geom geometry(MultiPolygon, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE forest_zones IS 'Forest compartments 林班; class: public_welfare 公益林, commercial 商品林, scenic 风景林';
CREATE INDEX ON forest_zones USING gist (geom);

CREATE TABLE parcels (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,
    category text NOT NULL,
    basic_farmland boolean NOT NULL DEFAULT false,
    owner text NOT NULL DEFAULT '',
    area_m2 double precision NOT NULL,
    region_code text NOT NULL,
    valid daterange NOT NULL DEFAULT daterange('2020-01-01', NULL),
    simulated boolean NOT NULL DEFAULT true,
    geom geometry(MultiPolygon, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE parcels IS 'Land parcels 地块; category: farmland, orchard, forest, residential, commercial, industrial, public, transport, water, green, bare';
CREATE INDEX ON parcels USING gist (geom);

CREATE TABLE permits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text NOT NULL UNIQUE,
    kind text NOT NULL,
    parcel_id bigint NOT NULL REFERENCES parcels (id) ON DELETE CASCADE,
    valid daterange NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    simulated boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE permits IS 'Permits on a parcel; kind: construction 建设工程规划许可, land_use 用地许可, felling 采伐许可, sea_use 用海许可';
CREATE INDEX ON permits (parcel_id);

CREATE TABLE roads (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    class text NOT NULL,
    speed_kmh real NOT NULL,
    source_node bigint,
    target_node bigint,
    length_m double precision NOT NULL,
    region_code text NOT NULL,
    simulated boolean NOT NULL DEFAULT true,
    geom geometry(LineString, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE roads IS 'Road edges between nodes; class: motorway, trunk, primary, secondary, residential, track';
CREATE INDEX ON roads USING gist (geom);
CREATE INDEX ON roads (source_node);
CREATE INDEX ON roads (target_node);

CREATE TABLE cameras (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[0-9]{20}$'),
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('tower', 'street')),
    ground_m real NOT NULL DEFAULT 0,
    height_m real NOT NULL DEFAULT 6,
    azimuth_deg real NOT NULL CHECK (azimuth_deg >= 0 AND azimuth_deg < 360),
    pitch_deg real NOT NULL CHECK (pitch_deg BETWEEN -90 AND 90),
    hfov_deg real NOT NULL CHECK (hfov_deg > 0 AND hfov_deg < 180),
    range_m real NOT NULL CHECK (range_m > 0),
    pose_sigma_deg real NOT NULL DEFAULT 0.5 CHECK (pose_sigma_deg >= 0),
    image_width integer NOT NULL DEFAULT 1920,
    image_height integer NOT NULL DEFAULT 1080,
    stream text,
    detectors text[] NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'online' CHECK (state IN ('online', 'offline', 'frozen', 'blurred', 'dark', 'moved')),
    last_frame_at timestamptz,
    region_code text NOT NULL,
    cell_code text,
    simulated boolean NOT NULL DEFAULT true,
    geom geometry(Point, 4326) NOT NULL CHECK (hdq_sound(geom)),
    view geometry(Polygon, 4326) CHECK (hdq_sound(view))
);
COMMENT ON TABLE cameras IS 'Cameras with pose; ground_m is terrain height under the mast, height_m the lens above ground; stream: folder:…, file:…, rtsp://…';
CREATE INDEX ON cameras USING gist (geom);
CREATE INDEX ON cameras USING gist (view);
CREATE INDEX ON cameras (region_code text_pattern_ops);

CREATE TABLE staff (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username text NOT NULL UNIQUE,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('grid_worker', 'inspector', 'commander', 'data_admin', 'algorithm_operator', 'system_admin', 'auditor')),
    department text NOT NULL DEFAULT '',
    region_code text NOT NULL,
    cell_codes text[] NOT NULL DEFAULT '{}',
    phone text NOT NULL DEFAULT '',
    password_hash text NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    simulated boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE staff IS 'People who sign in; region_code is the prefix of all they may see (3702 city, 6 district, 9 street, 12 community)';

CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,
    staff_id bigint NOT NULL REFERENCES staff (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE sessions IS 'Server-side sessions; the cookie holds the token, the row its SHA-256';

CREATE TABLE units (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('vehicle', 'drone', 'team')),
    speed_kmh real NOT NULL CHECK (speed_kmh > 0),
    state text NOT NULL DEFAULT 'idle' CHECK (state IN ('idle', 'ordered', 'moving', 'on_site', 'returning', 'offline')),
    staff_id bigint REFERENCES staff (id),
    region_code text NOT NULL,
    home geometry(Point, 4326) NOT NULL CHECK (hdq_sound(home)),
    geom geometry(Point, 4326) NOT NULL CHECK (hdq_sound(geom)),
    heading_deg real NOT NULL DEFAULT 0,
    accuracy_m real NOT NULL DEFAULT 10,
    reported_at timestamptz NOT NULL DEFAULT now(),
    simulated boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE units IS 'Vehicles, drones and teams with their last position; stale when reported_at is older than 2 minutes';
CREATE INDEX ON units USING gist (geom);

CREATE TABLE unit_positions (
    unit_id bigint NOT NULL REFERENCES units (id) ON DELETE CASCADE,
    recorded_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    heading_deg real NOT NULL DEFAULT 0,
    accuracy_m real NOT NULL DEFAULT 10,
    geom geometry(Point, 4326) NOT NULL CHECK (hdq_sound(geom)),
    PRIMARY KEY (unit_id, recorded_at)
);
COMMENT ON TABLE unit_positions IS 'Trails; kept 24 h';
"""

DOWN = """
DROP TABLE unit_positions, units, sessions, staff, cameras, roads, permits, parcels, forest_zones, setbacks, coastline, buildings, cells, regions;
DROP FUNCTION hdq_sound;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
