"""The job queue (procrastinate's own schema) and the stream of events.

Revision ID: 0002
Revises: 0001
"""

import re

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"

UP = """
CREATE TABLE event_clock (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    last_id bigint NOT NULL
);
COMMENT ON TABLE event_clock IS 'One row: its lock makes event ids appear in commit order, without a hole';
INSERT INTO event_clock (last_id) VALUES (0);

CREATE TABLE events (
    id bigint PRIMARY KEY,
    kind text NOT NULL,
    entity_id text NOT NULL,
    region_code text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE events IS 'Things that happened, for streams and feeds; kept 30 days';
CREATE INDEX ON events USING brin (created_at);

CREATE TABLE idempotency_keys (
    staff_id bigint NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (staff_id, key)
);
COMMENT ON TABLE idempotency_keys IS 'Answers of writes by Idempotency-Key: the same key gives the same answer; kept 7 days';

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    staff_id bigint,
    action text NOT NULL,
    entity text NOT NULL DEFAULT '',
    detail jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE audit IS 'Who did what; append only, kept at least 6 months';
"""


def upgrade() -> None:
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(SchemaManager.get_schema())
    connection.exec_driver_sql(UP)


def downgrade() -> None:
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql("DROP TABLE audit, idempotency_keys, events, event_clock;")
    schema = SchemaManager.get_schema()
    for table in re.findall(r"CREATE TABLE (procrastinate_\w+)", schema):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table} CASCADE")
    for function in dict.fromkeys(re.findall(r"CREATE FUNCTION (procrastinate_\w+)", schema)):
        connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {function} CASCADE")
    for kind in re.findall(r"CREATE TYPE (procrastinate_\w+)", schema):
        connection.exec_driver_sql(f"DROP TYPE IF EXISTS {kind} CASCADE")
