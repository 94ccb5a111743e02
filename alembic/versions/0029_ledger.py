"""The observability ledger: how well each management grid was looked at, each minute, by each kind of sensor.

Revision ID: 0029
Revises: 0028
"""

from alembic import op

revision = "0029"
down_revision = "0028"

UP = """
CREATE TABLE ledger (
    day date NOT NULL,
    cell_code text NOT NULL,
    sensor_kind text NOT NULL CHECK (sensor_kind IN ('satellite', 'camera', 'drone', 'person', 'device')),
    region_code text NOT NULL,
    last_at timestamptz NOT NULL,
    minutes bytea NOT NULL CHECK (length(minutes) = 1440),
    PRIMARY KEY (day, cell_code, sensor_kind)
);
COMMENT ON TABLE ledger IS 'Where sensors could have seen: a byte for each minute of the day in the city, 0 nobody looked to 255 all of the grid seen clearly; last_at the newest minute above 0';
CREATE INDEX ON ledger (cell_code, last_at);
CREATE TABLE ledger_mark (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    written_until timestamptz NOT NULL
);
COMMENT ON TABLE ledger_mark IS 'Until when looks have been written into the ledger';
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.execute("DROP TABLE ledger_mark, ledger")
