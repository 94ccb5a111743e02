"""What the pyramid of buildings was made from, and an index that reads one level of one place.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"

UP = """
CREATE TABLE building_units (
    x integer NOT NULL,
    y integer NOT NULL,
    fingerprint bigint NOT NULL,
    buildings integer NOT NULL,
    built_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (x, y)
);
COMMENT ON TABLE building_units IS 'The z14 tiles that layers.pyramid has generalised, each with the fingerprint of the buildings it read: an equal one is not built again';

DROP INDEX building_levels_geom;
CREATE INDEX building_levels_geom ON building_levels USING gist (level, geom_3857);
"""

DOWN = """
DROP INDEX building_levels_geom;
CREATE INDEX building_levels_geom ON building_levels USING gist (geom_3857);
DROP TABLE building_units;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
