"""Doors: MQTT devices and the messages that could not be taken, the key of nonces in a table of its own, signing secrets that we made, since when a
camera is in its state, and calibrations with their fit.

Revision ID: 0039
Revises: 0034
"""

from alembic import op

revision = "0039"
down_revision = "0034"

UP = """
CREATE TABLE mqtt_devices (
    username text PRIMARY KEY CHECK (username ~ '^[A-Za-z0-9._-]{1,64}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    sources text[] NOT NULL DEFAULT '{}',
    cameras text[] NOT NULL DEFAULT '{}',
    region_code text NOT NULL,
    seen_at timestamptz,
    taken bigint NOT NULL DEFAULT 0,
    created_by bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE mqtt_devices IS 'Devices whose MQTT messages are taken: the user name the broker lets publish on its own topic only, the sources and cameras it speaks for';

CREATE TABLE mqtt_dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    username text NOT NULL,
    body bytea NOT NULL CHECK (length(body) <= 65536),
    body_hash bytea NOT NULL,
    bytes bigint NOT NULL,
    reason text NOT NULL CHECK (length(reason) <= 500),
    remedy text NOT NULL DEFAULT '' CHECK (length(remedy) <= 500),
    times bigint NOT NULL DEFAULT 1,
    region_code text NOT NULL,
    first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (topic, body_hash)
);
CREATE INDEX ON mqtt_dead_letters (last_at);
COMMENT ON TABLE mqtt_dead_letters IS 'MQTT messages that could not be taken, each once with how often it came and why; the first 64 KiB of it';

CREATE TABLE viid_keys (
    name text PRIMARY KEY,
    bits bigint NOT NULL
);
COMMENT ON TABLE viid_keys IS 'Parts of the key that proves the Digest nonces of GA/T 1400: secret, the same for every process of this database';
INSERT INTO viid_keys (name, bits) SELECT nonce, last_count FROM viid_nonces WHERE nonce LIKE 'key-_';
DELETE FROM viid_nonces WHERE nonce LIKE 'key-_';
COMMENT ON TABLE viid_nonces IS 'Digest nonces that a device used, with the highest count seen: a count is used once';

ALTER TABLE subscriptions ADD COLUMN own_secret text CHECK (length(own_secret) BETWEEN 16 AND 200);
COMMENT ON COLUMN subscriptions.own_secret IS 'Signing secret that we made and showed once; null: it is named by secret_name and stands in the environment';

ALTER TABLE cameras ADD COLUMN state_since timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE FUNCTION hdq_camera_state_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.state_since := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER since BEFORE UPDATE OF state ON cameras FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION hdq_camera_state_since();
UPDATE cameras SET state_since = told.at FROM (
    SELECT entity_id, max(created_at) AS at FROM events WHERE kind = 'camera.changed' AND entity_id ~ '^[0-9]+$' AND payload ? 'was' GROUP BY entity_id
) AS told WHERE cameras.id::text = told.entity_id;
CREATE INDEX cameras_unwell ON cameras (state, state_since) WHERE state <> 'online';

CREATE TABLE camera_calibrations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    camera_id bigint NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
    method text NOT NULL CHECK (method IN ('control_points', 'horizon')),
    given jsonb NOT NULL,
    pose jsonb NOT NULL,
    was jsonb NOT NULL,
    fit jsonb NOT NULL,
    applied_at timestamptz,
    made_by bigint REFERENCES staff (id),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON camera_calibrations (camera_id, id DESC);
COMMENT ON TABLE camera_calibrations IS 'Poses of cameras worked out from control points or the horizon, with the error of the fit, and the pose before; applied_at: when it became the camera''s';
"""

DOWN = """
DROP TABLE camera_calibrations;
DROP INDEX cameras_unwell;
DROP TRIGGER since ON cameras;
DROP FUNCTION hdq_camera_state_since();
ALTER TABLE cameras DROP COLUMN state_since;
UPDATE subscriptions SET active = false WHERE own_secret IS NOT NULL;  -- the code before would send them unsigned
ALTER TABLE subscriptions DROP COLUMN own_secret;
INSERT INTO viid_nonces (nonce, last_count, expires_at) SELECT name, bits, 'infinity' FROM viid_keys;
DROP TABLE viid_keys;
DROP TABLE mqtt_dead_letters;
DROP TABLE mqtt_devices;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
