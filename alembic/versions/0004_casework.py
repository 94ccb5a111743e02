"""The closed loop: event categories, reports, decisions, cases and their steps, orders.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"

UP = """
CREATE TABLE categories (
    code text PRIMARY KEY CHECK (code ~ '^[0-9]{2,8}$'),
    major text NOT NULL,
    name text NOT NULL,
    name_en text NOT NULL,
    icon text NOT NULL DEFAULT '',
    clock text NOT NULL CHECK (clock IN ('urgent_hours', 'work_hours', 'work_days', 'natural_days')),
    limit_value real NOT NULL CHECK (limit_value > 0),
    department text NOT NULL DEFAULT '',
    provenance text NOT NULL
);
COMMENT ON TABLE categories IS 'Event categories (GB/T 30428) with the time limit of handling; provenance says whose figure it is';

CREATE TABLE holidays (
    day date PRIMARY KEY,
    works boolean NOT NULL,
    name text NOT NULL,
    provenance text NOT NULL
);
COMMENT ON TABLE holidays IS 'Days that differ from the week: public holidays (works false) and make-up work days (works true)';

CREATE TABLE cases (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text NOT NULL UNIQUE,
    category_code text NOT NULL REFERENCES categories (code),
    title text NOT NULL,
    description text NOT NULL DEFAULT '',
    origin text NOT NULL CHECK (origin IN ('alert', 'report', 'patch')),
    alert_id bigint REFERENCES alerts (id),
    state text NOT NULL,
    urgent boolean NOT NULL DEFAULT false,
    supervised boolean NOT NULL DEFAULT false,
    region_code text NOT NULL,
    cell_code text,
    place_name text NOT NULL DEFAULT '',
    accuracy_m real NOT NULL,
    reporter_id bigint REFERENCES staff (id),
    handler_id bigint REFERENCES staff (id),
    verifier_id bigint REFERENCES staff (id),
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    filed_at timestamptz,
    dispatched_at timestamptz,
    handled_at timestamptz,
    closed_at timestamptz,
    due_at timestamptz,
    rework_count integer NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    simulated boolean NOT NULL DEFAULT false,
    geom geometry(Point, 4326) NOT NULL CHECK (hdq_sound(geom))
);
COMMENT ON TABLE cases IS 'Accountable work 案件; states of the seven steps in grid.casework.workflow';
CREATE INDEX ON cases USING gist (geom);
CREATE INDEX ON cases (state, due_at);
CREATE INDEX ON cases (region_code text_pattern_ops);
CREATE INDEX ON cases (alert_id);

CREATE TABLE case_numbers (
    day date NOT NULL,
    district text NOT NULL,
    last integer NOT NULL,
    PRIMARY KEY (day, district)
);
COMMENT ON TABLE case_numbers IS 'Counter behind case numbers: district + day + 5 digits, without a hole';

CREATE TABLE case_steps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id bigint NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    action text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    staff_id bigint REFERENCES staff (id),
    note text NOT NULL DEFAULT '',
    evidence text[] NOT NULL DEFAULT '{}',
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE case_steps IS 'Life-cycle of a case, append only';
CREATE INDEX ON case_steps (case_id, id);

CREATE TABLE reports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_key uuid NOT NULL,
    staff_id bigint NOT NULL REFERENCES staff (id),
    category_code text NOT NULL REFERENCES categories (code),
    note text NOT NULL DEFAULT '',
    evidence text[] NOT NULL DEFAULT '{}',
    accuracy_m real NOT NULL,
    recorded_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    observation_id bigint REFERENCES observations (id),
    case_id bigint REFERENCES cases (id),
    geom geometry(Point, 4326) NOT NULL CHECK (hdq_sound(geom)),
    UNIQUE (staff_id, client_key)
);
COMMENT ON TABLE reports IS 'What a grid worker reported; client_key makes an offline report arrive exactly once';

CREATE TABLE decisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id bigint NOT NULL REFERENCES alerts (id),
    verdict text NOT NULL CHECK (verdict IN ('true', 'false', 'other', 'unsure')),
    reason text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    previous_state text NOT NULL,
    case_id bigint REFERENCES cases (id),
    staff_id bigint REFERENCES staff (id),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    undone_at timestamptz
);
COMMENT ON TABLE decisions IS 'Verdicts of people on alerts: every one is a label';
CREATE INDEX ON decisions (alert_id);

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id bigint NOT NULL REFERENCES alerts (id),
    case_id bigint REFERENCES cases (id),
    unit_id bigint NOT NULL REFERENCES units (id),
    state text NOT NULL DEFAULT 'confirmed' CHECK (state IN ('confirmed', 'acknowledged', 'moving', 'arrived', 'done', 'cancelled')),
    distance_m real NOT NULL,
    eta_s real NOT NULL,
    exercise boolean NOT NULL DEFAULT false,
    ordered_by bigint REFERENCES staff (id),
    ordered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    acknowledged_at timestamptz,
    departed_at timestamptz,
    arrived_at timestamptz,
    ended_at timestamptz,
    region_code text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    route geometry(LineString, 4326) CHECK (hdq_sound(route))
);
COMMENT ON TABLE orders IS 'Orders to units 派遣; one live order a unit';
CREATE UNIQUE INDEX orders_one_live ON orders (unit_id) WHERE state NOT IN ('done', 'cancelled');
CREATE INDEX ON orders (alert_id);
"""

DOWN = """
DROP TABLE orders, decisions, reports, case_steps, case_numbers, cases, holidays, categories;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
