"""Names by all their sounds, and addresses as street and number: what is searched grows with the streets, not with the doors.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"

UP = """
TRUNCATE search_names;
DROP INDEX IF EXISTS search_names_initials_idx, search_names_initials_idx1;
ALTER TABLE search_names DROP COLUMN initials,
    ADD COLUMN code text NOT NULL DEFAULT '', ADD COLUMN sounds text NOT NULL DEFAULT '', ADD COLUMN whole text NOT NULL DEFAULT '', ALTER COLUMN geom DROP NOT NULL;
COMMENT ON TABLE search_names IS 'Names that search finds; filled by layers.search_index';
COMMENT ON COLUMN search_names.grams IS 'Characters and pairs of folded; beginnings of its sounds (^ from the start, ~ from inside), see layers.names';
COMMENT ON COLUMN search_names.sounds IS 'Pinyin, syllables apart by a space, several readings by |; whole is the first without spaces';
CREATE INDEX search_names_code ON search_names (code text_pattern_ops) WHERE code <> '';
CREATE INDEX search_names_whole ON search_names USING gin (whole gin_trgm_ops);
CREATE INDEX search_names_kind ON search_names (kind, ref text_pattern_ops);

CREATE TABLE search_streets (
    street text PRIMARY KEY,
    grams text[] NOT NULL,
    sounds text NOT NULL,
    whole text NOT NULL
);
COMMENT ON TABLE search_streets IS 'What addresses begin with, up to the house number; filled by layers.search_index';
CREATE INDEX search_streets_begins ON search_streets (street text_pattern_ops);
CREATE INDEX search_streets_grams ON search_streets USING gin (grams);
CREATE INDEX search_streets_whole ON search_streets USING gin (whole gin_trgm_ops);

CREATE TABLE search_addresses (
    street text NOT NULL,
    number text NOT NULL,
    ref bigint NOT NULL,
    name text NOT NULL DEFAULT '',
    region_code text NOT NULL,
    geom geometry(Point, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE search_addresses IS 'Addresses of buildings as street and house number; ref is the building; filled by layers.search_index';
CREATE INDEX search_addresses_street ON search_addresses (street text_pattern_ops, number text_pattern_ops);
CREATE INDEX search_addresses_number ON search_addresses (number text_pattern_ops);

CREATE TABLE register_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    register text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE register_changes IS 'When each register was last written, whoever wrote it: a row a statement, all but the newest of each register deleted by a job';
CREATE INDEX register_changes_newest ON register_changes (register, at DESC);

CREATE FUNCTION hdq_register_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO register_changes (register) VALUES (TG_TABLE_NAME);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION hdq_register_changed IS 'Notes that a register was written; a plain insert, so that writers never wait for one another';
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON regions FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON cells FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON buildings FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON coastline FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON setbacks FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON forest_zones FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON parcels FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON permits FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON roads FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();
CREATE TRIGGER noted AFTER INSERT OR DELETE OR TRUNCATE ON cameras FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();
"""

DOWN = """
DROP TRIGGER noted ON cameras;
DROP TRIGGER noted ON roads;
DROP TRIGGER noted ON permits;
DROP TRIGGER noted ON parcels;
DROP TRIGGER noted ON forest_zones;
DROP TRIGGER noted ON setbacks;
DROP TRIGGER noted ON coastline;
DROP TRIGGER noted ON buildings;
DROP TRIGGER noted ON cells;
DROP TRIGGER noted ON regions;
DROP FUNCTION hdq_register_changed;
DROP TABLE register_changes, search_addresses, search_streets;
TRUNCATE search_names;
ALTER TABLE search_names DROP COLUMN code, DROP COLUMN sounds, DROP COLUMN whole, ADD COLUMN initials text NOT NULL DEFAULT '', ALTER COLUMN geom SET NOT NULL;
DROP INDEX IF EXISTS search_names_kind;
CREATE INDEX search_names_initials_idx ON search_names USING gin (initials gin_trgm_ops);
CREATE INDEX search_names_initials_idx1 ON search_names (initials text_pattern_ops);
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
