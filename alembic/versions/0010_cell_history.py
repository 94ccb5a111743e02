"""Kinds of grids, their code templates, their changes, and whose they were on each day.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"

UP = """
CREATE TABLE cell_templates (
    kind text PRIMARY KEY CHECK (kind IN ('unit', 'management', 'evaluation')),
    county smallint NOT NULL DEFAULT 6,
    street smallint NOT NULL DEFAULT 3,
    community smallint NOT NULL DEFAULT 3,
    literal text NOT NULL DEFAULT '' CHECK (literal ~ '^[0-9]*$'),
    serial smallint NOT NULL CHECK (serial > 0),
    provenance text NOT NULL,
    CHECK (county + street + community + length(literal) + serial BETWEEN 14 AND 20)
);
COMMENT ON TABLE cell_templates IS 'How this city builds the codes of each kind of grid; literal: fixed digits before the serial';
INSERT INTO cell_templates (kind, serial, provenance) VALUES
    ('unit', 4, '示例值(c)：16 位，6+3+3+4'),
    ('management', 3, '示例值(c)：15 位，6+3+3+3'),
    ('evaluation', 2, '示例值(c)：14 位，6+3+3+2');

CREATE TABLE cell_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('split', 'merge', 'redraw')),
    kind text NOT NULL REFERENCES cell_templates (kind),
    effective date NOT NULL,
    before text[] NOT NULL,
    after text[] NOT NULL,
    note text NOT NULL DEFAULT '',
    region_code text NOT NULL,
    staff_id bigint REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_at timestamptz,
    moved jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE cell_changes IS 'Splits, merges and redraws of grids; before and after are codes; applied_at: when what lies in them was re-assigned (moved: how many rows)';
CREATE INDEX cell_changes_region ON cell_changes (region_code text_pattern_ops);
CREATE INDEX cell_changes_due ON cell_changes (effective) WHERE applied_at IS NULL;

ALTER TABLE cells
    ADD COLUMN kind text NOT NULL DEFAULT 'management' REFERENCES cell_templates (kind),
    ADD COLUMN parent_code text,
    ADD COLUMN change_id bigint REFERENCES cell_changes (id),
    ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT now();
COMMENT ON TABLE cells IS 'Governance grids with effective dates, a row a period; kind: unit 单元网格, management 管理网格, evaluation 评价网格; region_code is the community, parent_code the management grid of a unit';
DROP INDEX cells_geom_idx;
CREATE INDEX cells_at ON cells USING gist (geom, valid);
CREATE INDEX buildings_cell ON buildings (cell_code);
CREATE INDEX cases_cell ON cases (cell_code) WHERE closed_at IS NULL;

CREATE TABLE cell_duties (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cell_code text NOT NULL,
    staff_id bigint NOT NULL REFERENCES staff (id) ON DELETE CASCADE,
    valid daterange NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    EXCLUDE USING gist (cell_code WITH =, staff_id WITH =, valid WITH &&)
);
COMMENT ON TABLE cell_duties IS 'Whose grid on which day; written by the trigger on staff.cell_codes, which stays the truth of today';
CREATE INDEX cell_duties_at ON cell_duties USING gist (cell_code, valid);

INSERT INTO cell_duties (cell_code, staff_id, valid)
    SELECT DISTINCT code, staff.id, daterange((staff.created_at AT TIME ZONE 'Asia/Shanghai')::date, NULL) FROM staff, unnest(cell_codes) AS code WHERE NOT disabled;

CREATE FUNCTION hdq_cell_duties() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    day date := coalesce(nullif(current_setting('hdq.duties_from', true), '')::date, (now() AT TIME ZONE 'Asia/Shanghai')::date);
    held text[] := CASE WHEN NEW.disabled THEN '{}' ELSE NEW.cell_codes END;
BEGIN
    UPDATE cell_duties SET valid = daterange(lower(valid), greatest(day, lower(valid)))
    WHERE staff_id = NEW.id AND upper_inf(valid) AND NOT cell_code = ANY (held);
    INSERT INTO cell_duties (cell_code, staff_id, valid)
    SELECT DISTINCT code, NEW.id, daterange(day, NULL) FROM unnest(held) AS code
    WHERE NOT EXISTS (SELECT 1 FROM cell_duties AS known WHERE known.staff_id = NEW.id AND known.cell_code = code AND upper_inf(known.valid));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION hdq_cell_duties IS 'Keeps the history of staff.cell_codes from the day in hdq.duties_from (default: today in Shanghai)';
CREATE TRIGGER staff_duties AFTER INSERT OR UPDATE OF cell_codes, disabled ON staff FOR EACH ROW EXECUTE FUNCTION hdq_cell_duties();
"""

DOWN = """
DROP TRIGGER staff_duties ON staff;
DROP FUNCTION hdq_cell_duties;
DROP TABLE cell_duties;
DROP INDEX cells_at, buildings_cell, cases_cell;
DELETE FROM cells WHERE kind <> 'management';
ALTER TABLE cells DROP COLUMN kind, DROP COLUMN parent_code, DROP COLUMN change_id, DROP COLUMN recorded_at;
CREATE INDEX cells_geom_idx ON cells USING gist (geom);
COMMENT ON TABLE cells IS 'Management grids 管理网格 with effective dates; region_code is the community';
DROP TABLE cell_changes, cell_templates;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
