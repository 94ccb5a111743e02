"""Findings: evidence, frames, observations, alerts, scenes, surveys, patches, suppressions, calibration.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"

UP = """
CREATE TABLE evidence (
    sha256 text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    kind text NOT NULL CHECK (kind IN ('photo', 'frame', 'chip', 'original')),
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    width integer,
    height integer,
    taken_at timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    region_code text NOT NULL,
    accuracy_m real,
    azimuth_deg real,
    shown_sha256 text,
    simulated boolean NOT NULL DEFAULT false,
    properties jsonb NOT NULL DEFAULT '{}',
    geom geometry(Point, 4326) CHECK (hdq_sound(geom))
);
COMMENT ON TABLE evidence IS 'Photos and frames by content hash; shown_sha256 is the blurred derivative that people see, NULL until it exists';

CREATE TABLE frames (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    camera_id bigint NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
    sha256 text NOT NULL REFERENCES evidence (sha256),
    recorded_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'dropped', 'failed')),
    detected_at timestamptz,
    error text,
    UNIQUE (camera_id, sha256, recorded_at)
);
COMMENT ON TABLE frames IS 'Frames accepted from cameras, each examined exactly once by a detect job';
CREATE INDEX ON frames (camera_id, recorded_at);
CREATE INDEX ON frames (id) WHERE state = 'queued';

CREATE TABLE detections (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    frame_id bigint NOT NULL REFERENCES frames (id) ON DELETE CASCADE,
    camera_id bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    detector text NOT NULL,
    model_version text NOT NULL,
    model_hash text NOT NULL,
    class text NOT NULL,
    kind text NOT NULL,
    score real NOT NULL CHECK (score BETWEEN 0 AND 1),
    box real[] NOT NULL CHECK (array_length(box, 1) = 4),
    track_id bigint,
    confirmed boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE detections IS 'Raw boxes (x0, y0, x1, y1 as fractions of the frame); only confirmed sequences become observations';
CREATE INDEX ON detections (camera_id, detector, recorded_at);

CREATE TABLE alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    title text NOT NULL,
    title_en text NOT NULL,
    severity smallint NOT NULL CHECK (severity BETWEEN 1 AND 4),
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'confirmed', 'dismissed', 'closed')),
    agreement text NOT NULL DEFAULT 'nominal' CHECK (agreement IN ('nominal', 'high', 'highest')),
    sensor_kinds text[] NOT NULL DEFAULT '{}',
    probability real NOT NULL CHECK (probability BETWEEN 0 AND 1),
    rule_id text NOT NULL,
    rule_version text NOT NULL,
    reasons jsonb NOT NULL DEFAULT '[]',
    legality jsonb NOT NULL DEFAULT '[]',
    place_name text NOT NULL DEFAULT '',
    region_code text NOT NULL,
    cell_code text,
    accuracy_m real NOT NULL CHECK (accuracy_m > 0),
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    acknowledged_at timestamptz,
    acknowledged_by bigint REFERENCES staff (id),
    dispatched_at timestamptz,
    closed_at timestamptz,
    observation_count integer NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    simulated boolean NOT NULL DEFAULT false,
    geom geometry(Point, 4326) NOT NULL CHECK (hdq_sound(geom)),
    region50 geometry(MultiPolygon, 4326) CHECK (hdq_sound(region50)),
    region90 geometry(MultiPolygon, 4326) CHECK (hdq_sound(region90))
);
COMMENT ON TABLE alerts IS 'What people review: observations grouped in space, time and kind; severity 1 特急 2 紧急 3 一般 4 提示';
CREATE INDEX ON alerts USING gist (geom);
CREATE INDEX ON alerts (kind, last_seen_at);
CREATE INDEX ON alerts (region_code text_pattern_ops);
CREATE INDEX ON alerts (state, opened_at);

CREATE TABLE observations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    source_event_id text NOT NULL,
    sensor_kind text NOT NULL CHECK (sensor_kind IN ('satellite', 'camera', 'drone', 'person', 'device')),
    kind text NOT NULL,
    class text NOT NULL DEFAULT '',
    score real NOT NULL CHECK (score BETWEEN 0 AND 1),
    recorded_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    algorithm text NOT NULL DEFAULT '',
    model_version text NOT NULL DEFAULT '',
    model_hash text NOT NULL DEFAULT '',
    accuracy_m real NOT NULL CHECK (accuracy_m > 0 AND accuracy_m <= 100000),
    camera_id bigint REFERENCES cameras (id) ON DELETE SET NULL,
    bearing_deg real,
    bearing_sigma_deg real,
    evidence text[] NOT NULL DEFAULT '{}',
    boxes jsonb NOT NULL DEFAULT '[]',
    properties jsonb NOT NULL DEFAULT '{}',
    region_code text NOT NULL,
    cell_code text,
    alert_id bigint REFERENCES alerts (id),
    fused_at timestamptz,
    simulated boolean NOT NULL DEFAULT false,
    geom geometry(Point, 4326) NOT NULL CHECK (hdq_sound(geom)),
    footprint geometry(Geometry, 4326) CHECK (hdq_sound(footprint)),
    UNIQUE (source, source_event_id)
);
COMMENT ON TABLE observations IS 'One finding by one sensor; geom is the best point, footprint where it may be (pixel, wedge, polygon); boxes are fractions of the evidence frame';
CREATE INDEX ON observations (id) WHERE fused_at IS NULL;
CREATE INDEX ON observations (alert_id);
CREATE INDEX ON observations USING brin (recorded_at);
CREATE INDEX ON observations USING gist (geom);

CREATE TABLE suppressions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    reason text NOT NULL,
    created_by bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    region_code text NOT NULL,
    geom geometry(Polygon, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE suppressions IS 'Known burns, chimneys and the like: findings inside are kept but open no alert until expiry; visible and reversible';
CREATE INDEX ON suppressions USING gist (geom);

CREATE TABLE calibration (
    sensor text NOT NULL,
    algorithm text NOT NULL,
    hits integer NOT NULL DEFAULT 0,
    misses integer NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sensor, algorithm)
);
COMMENT ON TABLE calibration IS 'Verdicts per sensor (camera:ID, satellite:…, person:…) and algorithm: the counts behind "8 of the last 10 here were true"';

CREATE TABLE scenes (
    id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$'),
    collection text NOT NULL,
    title text NOT NULL DEFAULT '',
    taken_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    file text NOT NULL,
    sha256 text NOT NULL,
    bands jsonb NOT NULL,
    epsg integer,
    gsd_m real,
    nodata double precision,
    properties jsonb NOT NULL DEFAULT '{}',
    region_code text NOT NULL,
    simulated boolean NOT NULL DEFAULT false,
    geom geometry(Polygon, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE scenes IS 'Rasters from above as STAC items; file is relative to data_dir/scenes; bands: [{name, common_name, index}]';
CREATE INDEX ON scenes USING gist (geom);

CREATE TABLE surveys (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    analysis text NOT NULL,
    analysis_version text NOT NULL,
    before_scene text NOT NULL REFERENCES scenes (id),
    after_scene text NOT NULL REFERENCES scenes (id),
    parameters jsonb NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    progress real NOT NULL DEFAULT 0,
    error text,
    result jsonb NOT NULL DEFAULT '{}',
    region_code text NOT NULL,
    created_by bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (analysis, analysis_version, before_scene, after_scene, parameters)
);
COMMENT ON TABLE surveys IS 'Runs of an analysis over a pair of scenes; result holds counts, shift and AUC-like figures';

CREATE TABLE patches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    survey_id bigint NOT NULL REFERENCES surveys (id) ON DELETE CASCADE,
    number integer NOT NULL,
    kind text NOT NULL,
    score real NOT NULL,
    area_m2 double precision NOT NULL,
    observation_id bigint REFERENCES observations (id),
    region_code text NOT NULL,
    simulated boolean NOT NULL DEFAULT false,
    geom geometry(MultiPolygon, 4326) NOT NULL CHECK (hdq_sound(geom)),
    UNIQUE (survey_id, number)
);
COMMENT ON TABLE patches IS 'Changed polygons 图斑 between two vintages; area geodesic';
CREATE INDEX ON patches USING gist (geom);
"""

DOWN = """
DROP TABLE patches, surveys, scenes, calibration, suppressions, observations, alerts, detections, frames, evidence;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
