"""Feeds and gateways: CAP messages sent and taken, subscriptions and what was delivered to them, GA/T 1400 devices and their nonces.

Revision ID: 0031
Revises: 0030
"""

from alembic import op

revision = "0031"
down_revision = "0030"

UP = """
CREATE TABLE cap_issued (
    alert_id bigint NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    version integer NOT NULL,
    identifier text NOT NULL,
    sent timestamptz NOT NULL,
    PRIMARY KEY (alert_id, version)
);
COMMENT ON TABLE cap_issued IS 'CAP messages of our alerts that went out: later ones refer to them';

CREATE TABLE cap_messages (
    sender text NOT NULL CHECK (length(sender) <= 200),
    identifier text NOT NULL CHECK (length(identifier) <= 200),
    sent timestamptz NOT NULL,
    status text NOT NULL,
    msg_type text NOT NULL,
    state text NOT NULL DEFAULT 'standing' CHECK (state IN ('standing', 'updated', 'cancelled')),
    body text NOT NULL,
    observations bigint[] NOT NULL DEFAULT '{}',
    region_code text NOT NULL,
    received_by bigint REFERENCES staff (id),
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (sender, identifier, sent)
);
COMMENT ON TABLE cap_messages IS 'CAP messages of others, each once; state says whether a later one updated or cancelled it';

CREATE TABLE subscriptions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    format text NOT NULL CHECK (format IN ('cloudevents', 'cap', 'cot')),
    address text NOT NULL CHECK (length(address) <= 500),
    secret_name text,
    events text[] NOT NULL,
    kinds text[] NOT NULL DEFAULT '{}',
    severity smallint NOT NULL DEFAULT 4 CHECK (severity BETWEEN 1 AND 4),
    area geometry(Polygon, 4326) CHECK (area IS NULL OR ST_IsValid(area)),
    region_code text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    created_by bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE subscriptions IS 'Who is told of what: kinds of events and alerts, least severity, an area; the address is on the operator''s list, the secret only named';

CREATE TABLE deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id bigint NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    event_id bigint NOT NULL,
    kind text NOT NULL,
    entity_id text NOT NULL,
    payload jsonb NOT NULL,
    happened_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    UNIQUE (subscription_id, event_id)
);
CREATE INDEX ON deliveries (next_at) WHERE state = 'waiting';
COMMENT ON TABLE deliveries IS 'One event for one subscription: tried with growing pauses, then delivered, or dead with its reason until somebody sends it again';

CREATE TABLE feed_position (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    last_id bigint NOT NULL
);
INSERT INTO feed_position (last_id) SELECT coalesce(max(last_id), 0) FROM event_clock;
COMMENT ON TABLE feed_position IS 'The newest event that subscriptions were matched with';

CREATE TABLE viid_devices (
    device_id text PRIMARY KEY CHECK (device_id ~ '^[0-9]{20}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    username text NOT NULL UNIQUE CHECK (length(username) BETWEEN 1 AND 64),
    ha1_md5 text NOT NULL,
    ha1_sha256 text NOT NULL,
    apes text[] NOT NULL DEFAULT '{}',
    region_code text NOT NULL,
    registered_at timestamptz,
    seen_at timestamptz,
    created_by bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE viid_devices IS 'GA/T 1400 devices and platforms that may hand in: HA1 of RFC 7616 in place of a password, the cameras they speak for';

CREATE TABLE viid_nonces (
    nonce text PRIMARY KEY,
    last_count bigint NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE viid_nonces IS 'Digest nonces that were given out, with the highest count seen: a count is used once';
"""

DOWN = """
DROP TABLE viid_nonces;
DROP TABLE viid_devices;
DROP TABLE feed_position;
DROP TABLE deliveries;
DROP TABLE subscriptions;
DROP TABLE cap_messages;
DROP TABLE cap_issued;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
