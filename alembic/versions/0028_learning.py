"""Learning: what verdicts taught, the audit stream with its propensities, budgets of reviewer minutes, and versions on trial.

Revision ID: 0028
Revises: 0027
"""

from alembic import op

revision = "0028"
down_revision = "0027"

UP = """
CREATE TABLE learnt (
    algorithm text PRIMARY KEY,
    labels integer NOT NULL,
    base double precision NOT NULL CHECK (base BETWEEN 0 AND 1),
    knowledge jsonb NOT NULL,
    fitted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE learnt IS 'What verdicts taught of one algorithm: curve from score to chance, its correction, strengths, counts by scene and condition';

CREATE TABLE learnt_sensors (
    algorithm text NOT NULL REFERENCES learnt (algorithm) ON DELETE CASCADE,
    sensor text NOT NULL,
    expected double precision NOT NULL,
    hits double precision NOT NULL,
    total double precision NOT NULL,
    conditions jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (algorithm, sensor)
);
COMMENT ON TABLE learnt_sensors IS 'Weighted verdicts (effective numbers) of one sensor and algorithm, and by condition: {condition: [hits, total]}';

CREATE TABLE review_budgets (
    region_code text PRIMARY KEY,
    minutes_a_day double precision NOT NULL CHECK (minutes_a_day > 0),
    price double precision NOT NULL DEFAULT 0 CHECK (price >= 0),
    minutes jsonb NOT NULL DEFAULT '{}',
    set_by bigint REFERENCES staff (id),
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    priced_at timestamptz
);
COMMENT ON TABLE review_budgets IS 'Minutes that reviewers of a region have each day, the least chance a minute must bring to fit into them, and what a verdict costs by kind';

CREATE TABLE audit_stream (
    alert_id bigint PRIMARY KEY REFERENCES alerts (id) ON DELETE CASCADE,
    lot double precision NOT NULL DEFAULT random(),
    chance double precision NOT NULL,
    threshold double precision NOT NULL,
    propensity double precision NOT NULL CHECK (propensity > 0 AND propensity <= 1),
    shown boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE audit_stream IS 'How each alert came before people: for certain (propensity 1), by lot, or set aside; 1 / propensity weighs its verdict';
CREATE INDEX ON audit_stream (alert_id) WHERE NOT shown;

CREATE TABLE rollouts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    algorithm text NOT NULL,
    standing text NOT NULL,
    candidate text NOT NULL CHECK (candidate <> standing),
    state text NOT NULL DEFAULT 'shadow' CHECK (state IN ('shadow', 'canary', 'live', 'rolled_back', 'withdrawn')),
    share double precision NOT NULL CHECK (share > 0 AND share <= 0.5),
    region_code text NOT NULL,
    record double precision,
    evidence double precision NOT NULL DEFAULT 1,
    verdicts jsonb NOT NULL DEFAULT '{}',
    created_by bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    canary_at timestamptz,
    ended_at timestamptz
);
COMMENT ON TABLE rollouts IS 'A new version of an algorithm on trial: in shadow it opens nothing, as canary it has a share of camera-hours; evidence is the e-value that it is worse';
CREATE UNIQUE INDEX ON rollouts (algorithm) WHERE state IN ('shadow', 'canary');
CREATE INDEX ON rollouts (algorithm, candidate);
"""

DOWN = """
DROP TABLE rollouts, audit_stream, review_budgets, learnt_sensors, learnt;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
