"""Observations by month of recording, Shanghai time: the indexes of the month at hand stay small however many years are kept.

A time in the past goes into its month, or into `observations_earlier` before the first; months ahead are made by `hdq_observation_month`, which the
worker calls. There is no default partition, for attaching a month would have to read it. A finding is known by its two ids and its month: PostgreSQL can
hold them unique within a partition only. What refers to an observation names its time as well, which a trigger fills in.

The way back is refused while two months hold findings of the same ids.

Revision ID: 0047
Revises: 0046
"""

from alembic import op

revision = "0047"
down_revision = "0046"

COLUMNS = """
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
    footprint geometry(Geometry, 4326) CHECK (hdq_sound(footprint))
"""
INDEXES = """
COMMENT ON TABLE observations IS 'One finding by one sensor; geom is the best point, footprint where it may be (pixel, wedge, polygon); boxes are fractions of the evidence frame';
CREATE INDEX ON observations (id) WHERE fused_at IS NULL;
CREATE INDEX ON observations (alert_id);
CREATE INDEX ON observations USING brin (recorded_at);
CREATE INDEX ON observations USING gist (geom);
CREATE INDEX observations_pending_by_kind ON observations (kind, id) WHERE fused_at IS NULL;
CREATE INDEX observations_held_by_kind ON observations (kind, recorded_at) WHERE alert_id IS NULL AND fused_at IS NOT NULL;
"""
KEEP = """
LOCK TABLE observations IN ACCESS EXCLUSIVE MODE;
DROP VIEW alert_patches;
CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE observations;
CREATE TEMP TABLE kept_turn ON COMMIT DROP AS SELECT last_value, is_called FROM observations_id_seq;
DROP TABLE observations CASCADE;
"""
FILL = """
INSERT INTO observations (id, source, source_event_id, sensor_kind, kind, class, score, recorded_at, received_at, algorithm, model_version, model_hash, accuracy_m,
    camera_id, bearing_deg, bearing_sigma_deg, evidence, boxes, properties, region_code, cell_code, alert_id, fused_at, simulated, geom, footprint)
OVERRIDING SYSTEM VALUE
SELECT id, source, source_event_id, sensor_kind, kind, class, score, recorded_at, received_at, algorithm, model_version, model_hash, accuracy_m,
    camera_id, bearing_deg, bearing_sigma_deg, evidence, boxes, properties, region_code, cell_code, alert_id, fused_at, simulated, geom, footprint
FROM kept ORDER BY id;
SELECT setval('observations_id_seq', last_value, is_called) FROM kept_turn;
"""
VIEW = """
CREATE VIEW alert_patches AS
SELECT o.alert_id, p.id AS patch_id FROM observations AS o JOIN patches AS p ON p.observation_id = o.id WHERE o.alert_id IS NOT NULL
UNION ALL
SELECT o.alert_id, s.patch_id FROM observations AS o JOIN patch_observations AS s ON s.observation_id = o.id WHERE o.alert_id IS NOT NULL;
COMMENT ON VIEW alert_patches IS 'The patches of an alert, by any finding that saw them (a patch may stand twice)';
"""
MONTHS = """
CREATE FUNCTION hdq_observation_month(ahead integer) RETURNS text LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
DECLARE
    this date := date_trunc('month', hdq_today());
    month date;
    name text;
BEGIN
    FOR month IN SELECT generate_series(this, this + make_interval(months => ahead), interval '1 month')::date LOOP
        name := 'observations_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE observations INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', name);
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (source, source_event_id)', name || '_key', name);
        EXECUTE format('COMMENT ON TABLE %I IS %L', name, 'Observations recorded in ' || to_char(month, 'YYYY-MM') || ', Asia/Shanghai');
        EXECUTE format('ALTER TABLE observations ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
            month::timestamp AT TIME ZONE 'Asia/Shanghai', (month + interval '1 month') AT TIME ZONE 'Asia/Shanghai');
        RETURN name;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION hdq_observation_month IS 'Makes the first missing partition of this month and of so many after it; returns its name, null where none is missing. Its foreign keys lock the tables they name against writers until the transaction ends, so it is called once in each, and gives up after half a second of waiting, sooner than a deadlock is looked for';
DO $$ BEGIN
    EXECUTE format('CREATE TABLE observations_earlier PARTITION OF observations FOR VALUES FROM (MINVALUE) TO (%L)', date_trunc('month', hdq_today())::timestamp AT TIME ZONE 'Asia/Shanghai');
END $$;
COMMENT ON TABLE observations_earlier IS 'Observations recorded before the first month that has a partition of its own';
CREATE UNIQUE INDEX observations_earlier_key ON observations_earlier (source, source_event_id, date_trunc('month', recorded_at AT TIME ZONE 'Asia/Shanghai'));
SELECT hdq_observation_month(3) FROM generate_series(1, 4);
"""
REFERRING = {"patches": "", "reports": "", "patch_observations": " ON DELETE CASCADE", "study_features": " ON DELETE SET NULL"}
TIMED = """
CREATE FUNCTION hdq_observed_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.observed_at := NULL;
    IF NEW.observation_id IS NOT NULL THEN
        SELECT recorded_at INTO NEW.observed_at FROM observations WHERE id = NEW.observation_id;
        IF NOT FOUND THEN
            RAISE foreign_key_violation USING MESSAGE = format('there is no observation %s', NEW.observation_id);
        END IF;
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    run = op.get_bind().execution_options(no_parameters=True).exec_driver_sql
    run(KEEP)
    run(
        f"CREATE TABLE observations (id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY 64), {COLUMNS}, PRIMARY KEY (id, recorded_at)) PARTITION BY RANGE (recorded_at)"
    )
    run(INDEXES)
    run(MONTHS)
    run(FILL)
    run(TIMED)
    for table, rule in REFERRING.items():
        run(f"ALTER TABLE {table} ADD COLUMN observed_at timestamptz")
        run(f"UPDATE {table} SET observed_at = o.recorded_at FROM observations o WHERE o.id = {table}.observation_id")
        run(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_observation_fkey FOREIGN KEY (observation_id, observed_at) REFERENCES observations (id, recorded_at) MATCH FULL{rule}"
        )
        run(f"CREATE TRIGGER observed BEFORE INSERT OR UPDATE OF observation_id ON {table} FOR EACH ROW EXECUTE FUNCTION hdq_observed_at()")
    run(VIEW)


def downgrade() -> None:
    run = op.get_bind().execution_options(no_parameters=True).exec_driver_sql
    for table in REFERRING:
        run(f"DROP TRIGGER observed ON {table}")
        run(f"ALTER TABLE {table} DROP CONSTRAINT {table}_observation_fkey, DROP COLUMN observed_at")
    run("DROP FUNCTION hdq_observed_at")
    run(KEEP)
    run("DROP FUNCTION hdq_observation_month")
    run(f"CREATE TABLE observations (id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY 64) PRIMARY KEY, {COLUMNS}, UNIQUE (source, source_event_id))")
    run(INDEXES)
    run(FILL)
    for table, rule in REFERRING.items():
        run(f"ALTER TABLE {table} ADD FOREIGN KEY (observation_id) REFERENCES observations (id){rule}")
    run(VIEW)
