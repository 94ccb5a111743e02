"""Figures of areas, what the jobs found out about each layer, and the look that people give an imported layer.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"

UP = """
CREATE TABLE area_figures (
    figure text NOT NULL,
    level smallint NOT NULL CHECK (level BETWEEN 2 AND 5),
    area text NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (figure, level, area)
);
COMMENT ON TABLE area_figures IS 'What an area has of something; level 2 district, 3 street, 4 community, 5 management grid; made by layers.figures';

CREATE TABLE layer_checks (
    layer_id text PRIMARY KEY,
    checked_at timestamptz NOT NULL,
    rows bigint NOT NULL,
    incomplete bigint NOT NULL,
    invalid bigint NOT NULL,
    simulated boolean NOT NULL DEFAULT false,
    changed_at timestamptz,
    broken_sources text[] NOT NULL DEFAULT '{}',
    error text,
    took_ms real NOT NULL
);
COMMENT ON TABLE layer_checks IS 'What the last check of each layer found: rows, rows without a required attribute, rows that cannot be right, the age of its oldest source';

CREATE TABLE layer_counts (
    layer_id text NOT NULL,
    prefix text NOT NULL,
    rows bigint NOT NULL,
    PRIMARY KEY (prefix, layer_id)
);
COMMENT ON TABLE layer_counts IS 'How many rows of each layer lie in the city, a district, a street, a community (4, 6, 9, 12 digits), as of its last check';

CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON components FOR EACH STATEMENT EXECUTE FUNCTION hdq_register_changed();

ALTER TABLE datasets ADD COLUMN style jsonb;
COMMENT ON COLUMN datasets.style IS 'Colours by attribute, as layers.styling understands them; NULL: the default look';
"""

DOWN = """
DROP TRIGGER noted ON components;
ALTER TABLE datasets DROP COLUMN style;
DROP TABLE layer_counts, layer_checks, area_figures;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
