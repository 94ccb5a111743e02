"""Ecological red lines and planning zones, what was known of every register at each time, its versions, and stored verdicts that are judged again.

Revision ID: 0022
Revises: 0021
"""

from alembic import op

revision = "0022"
down_revision = "0021"

REGISTERS = ("parcels", "permits", "forest_zones", "setbacks", "redlines", "planning_zones")

UP = """
CREATE TABLE redlines (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL,
    name text NOT NULL,
    class text NOT NULL CHECK (class IN ('water_conservation', 'biodiversity', 'soil_conservation', 'coastal', 'reserve_core', 'other')),
    clause text NOT NULL DEFAULT '',
    region_code text NOT NULL,
    valid daterange NOT NULL DEFAULT daterange('2020-01-01', NULL),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    simulated boolean NOT NULL DEFAULT true,
    geom geometry(MultiPolygon, 4326) NOT NULL CHECK (hdq_sound(geom)),
    CONSTRAINT redlines_once EXCLUDE USING gist (code WITH =, valid WITH &&)
);
COMMENT ON TABLE redlines IS 'Ecological red line zones 生态保护红线; class: what they protect; clause: what drew them, where it differs from the rule';
CREATE INDEX ON redlines USING gist (geom);
CREATE INDEX ON redlines (region_code text_pattern_ops);

CREATE TABLE planning_zones (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL,
    name text NOT NULL,
    use text NOT NULL CHECK (use IN ('residential', 'commercial', 'industrial', 'public', 'transport', 'green', 'agricultural', 'ecological', 'water', 'reserve')),
    plan text NOT NULL DEFAULT '',
    region_code text NOT NULL,
    valid daterange NOT NULL DEFAULT daterange('2020-01-01', NULL),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    simulated boolean NOT NULL DEFAULT true,
    geom geometry(MultiPolygon, 4326) NOT NULL CHECK (hdq_sound(geom)),
    CONSTRAINT planning_zones_once EXCLUDE USING gist (code WITH =, valid WITH &&)
);
COMMENT ON TABLE planning_zones IS 'Zones of the territorial plan 国土空间规划分区: the use a place is planned for; plan: the approved plan that says so';
CREATE INDEX ON planning_zones USING gist (geom);
CREATE INDEX ON planning_zones (region_code text_pattern_ops);

ALTER TABLE forest_zones ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE forest_zones DROP CONSTRAINT forest_zones_code_key;
ALTER TABLE forest_zones ADD CONSTRAINT forest_zones_once EXCLUDE USING gist (code WITH =, valid WITH &&);
ALTER TABLE setbacks ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT now();

CREATE TABLE forest_zones_past (LIKE forest_zones, recorded tstzrange NOT NULL);
COMMENT ON TABLE forest_zones_past IS 'What was held true of forest_zones before it was corrected; recorded: from when to when we held it';
CREATE INDEX ON forest_zones_past USING gist (geom, recorded);
CREATE TABLE setbacks_past (LIKE setbacks, recorded tstzrange NOT NULL);
COMMENT ON TABLE setbacks_past IS 'What was held true of setbacks before it was corrected; recorded: from when to when we held it';
CREATE INDEX ON setbacks_past USING gist (geom, recorded);
CREATE TABLE redlines_past (LIKE redlines, recorded tstzrange NOT NULL);
COMMENT ON TABLE redlines_past IS 'What was held true of redlines before it was corrected; recorded: from when to when we held it';
CREATE INDEX ON redlines_past USING gist (geom, recorded);
CREATE TABLE planning_zones_past (LIKE planning_zones, recorded tstzrange NOT NULL);
COMMENT ON TABLE planning_zones_past IS 'What was held true of planning_zones before it was corrected; recorded: from when to when we held it';
CREATE INDEX ON planning_zones_past USING gist (geom, recorded);
CREATE TRIGGER forest_zones_keep BEFORE UPDATE OR DELETE ON forest_zones FOR EACH ROW EXECUTE FUNCTION hdq_keep_past();
CREATE TRIGGER setbacks_keep BEFORE UPDATE OR DELETE ON setbacks FOR EACH ROW EXECUTE FUNCTION hdq_keep_past();
CREATE TRIGGER redlines_keep BEFORE UPDATE OR DELETE ON redlines FOR EACH ROW EXECUTE FUNCTION hdq_keep_past();
CREATE TRIGGER planning_zones_keep BEFORE UPDATE OR DELETE ON planning_zones FOR EACH ROW EXECUTE FUNCTION hdq_keep_past();

CREATE TABLE register_versions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    register text NOT NULL,
    edited_at timestamptz NOT NULL DEFAULT now(),
    changed bigint,
    area geometry(Geometry, 4326),
    judged_at timestamptz
);
COMMENT ON TABLE register_versions IS 'Each edit of a register makes a version of it; area: boxes of what changed (null: anywhere); judged_at: when verdicts there were asked for again';
CREATE INDEX ON register_versions (register, edited_at);
CREATE INDEX ON register_versions (id) WHERE judged_at IS NULL;

CREATE FUNCTION hdq_register_edited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    shapes geometry[];
    counted bigint;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO register_versions (register) VALUES (TG_TABLE_NAME);
        RETURN NULL;
    END IF;
    IF TG_TABLE_NAME = 'permits' THEN
        IF TG_OP = 'INSERT' THEN
            SELECT array_agg(p.geom), count(*) INTO shapes, counted FROM register_new n JOIN parcels p ON p.id = n.parcel_id;
        ELSIF TG_OP = 'DELETE' THEN
            SELECT array_agg(p.geom), count(*) INTO shapes, counted FROM register_old o JOIN parcels p ON p.id = o.parcel_id;
        ELSE
            SELECT array_agg(p.geom), count(*) INTO shapes, counted
            FROM (SELECT parcel_id FROM register_new UNION ALL SELECT parcel_id FROM register_old) AS e JOIN parcels p ON p.id = e.parcel_id;
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT array_agg(geom), count(*) INTO shapes, counted FROM register_new;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(geom), count(*) INTO shapes, counted FROM register_old;
    ELSE
        SELECT array_agg(geom), count(*) INTO shapes, counted FROM (SELECT geom FROM register_new UNION ALL SELECT geom FROM register_old) AS e;
    END IF;
    IF counted > 0 THEN
        INSERT INTO register_versions (register, changed, area)
        SELECT TG_TABLE_NAME, counted,
            CASE WHEN counted <= 200 THEN ST_Union(ST_Envelope(shape)) ELSE ST_SetSRID(ST_Extent(shape)::geometry, 4326) END
        FROM unnest(shapes) AS shape;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION hdq_register_edited IS 'An edit of a register becomes a version of it, in the transaction of the edit';

CREATE TABLE legality_judgements (
    alert_id bigint PRIMARY KEY REFERENCES alerts (id) ON DELETE CASCADE,
    kind text NOT NULL,
    on_day date NOT NULL,
    measured boolean NOT NULL,
    judged_at timestamptz NOT NULL DEFAULT now(),
    geom geometry(Geometry, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE legality_judgements IS 'What was judged of an alert last: its shape, the day asked for; measured: a changed polygon, not a region of where it may be';
CREATE INDEX ON legality_judgements USING gist (geom);

CREATE TABLE legality_verdicts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id bigint NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    rule_id text NOT NULL,
    rule_version text NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('lawful', 'suspect', 'verify', 'context')),
    reason text NOT NULL,
    clause text NOT NULL DEFAULT '',
    area_m2 double precision,
    open_m2 double precision,
    categories jsonb NOT NULL DEFAULT '[]',
    names text[] NOT NULL DEFAULT '{}',
    permits text[] NOT NULL DEFAULT '{}',
    versions jsonb NOT NULL DEFAULT '{}',
    decided_by text NOT NULL,
    on_day date NOT NULL,
    judged_at timestamptz NOT NULL DEFAULT now(),
    superseded_at timestamptz,
    flipped_from text
);
COMMENT ON TABLE legality_verdicts IS 'Verdicts of rules on alerts, with history: lawful 合法, suspect 疑似违法, verify 需核实, context; areas geodesic; versions: register -> register_versions.id';
CREATE UNIQUE INDEX legality_verdicts_now ON legality_verdicts (alert_id, rule_id) WHERE superseded_at IS NULL;
CREATE INDEX legality_verdicts_flipped ON legality_verdicts (judged_at) WHERE flipped_from IS NOT NULL;
"""

TRIGGERS = """
INSERT INTO register_versions (register, changed, judged_at) SELECT '{table}', count(*), now() FROM {table} HAVING count(*) > 0;
CREATE TRIGGER register_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS register_new FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_edited();
CREATE TRIGGER register_update AFTER UPDATE ON {table} REFERENCING OLD TABLE AS register_old NEW TABLE AS register_new FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_edited();
CREATE TRIGGER register_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS register_old FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_edited();
CREATE TRIGGER register_truncate AFTER TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_edited();
"""

DOWN = """
DROP TABLE legality_verdicts, legality_judgements;
DROP TRIGGER planning_zones_keep ON planning_zones;
DROP TRIGGER redlines_keep ON redlines;
DROP TRIGGER setbacks_keep ON setbacks;
DROP TRIGGER forest_zones_keep ON forest_zones;
DROP TABLE planning_zones_past, redlines_past, setbacks_past, forest_zones_past, planning_zones, redlines;
ALTER TABLE setbacks DROP COLUMN recorded_at;
ALTER TABLE forest_zones DROP CONSTRAINT forest_zones_once;
ALTER TABLE forest_zones ADD CONSTRAINT forest_zones_code_key UNIQUE (code);
ALTER TABLE forest_zones DROP COLUMN recorded_at;
DROP FUNCTION hdq_register_edited CASCADE;
DROP TABLE register_versions;
"""


def upgrade() -> None:
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(UP)
    for table in REGISTERS:
        connection.exec_driver_sql(TRIGGERS.format(table=table))


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
