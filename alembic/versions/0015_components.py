"""The census of city components, and what was known of parcels and permits at each time.

Revision ID: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"

UP = """
CREATE TABLE component_classes (
    code text PRIMARY KEY CHECK (code ~ '^[0-9]{5}$'),
    major text NOT NULL,
    name text NOT NULL,
    name_en text NOT NULL,
    accuracy char(1) NOT NULL CHECK (accuracy IN ('A', 'B', 'C')),
    provenance text NOT NULL
);
COMMENT ON TABLE component_classes IS 'Classes of city components 部件 (GB/T 30428): two digits major, three minor (001-079 national, 080-999 local); accuracy: the class a survey must reach';
INSERT INTO component_classes (code, major, name, name_en, accuracy, provenance)
SELECT code, CASE left(code, 2) WHEN '01' THEN '公用设施' WHEN '02' THEN '交通设施' WHEN '03' THEN '市容环境' WHEN '04' THEN '园林绿化' ELSE '其他' END,
    name, name_en, accuracy, '示例值(c)，大类参照 GB/T 30428，小类代码非官方'
FROM (VALUES
    ('01001', '上水井盖', 'Water supply manhole', 'A'), ('01002', '污水井盖', 'Sewer manhole', 'A'), ('01003', '雨水井盖', 'Storm drain manhole', 'A'),
    ('01004', '雨水箅子', 'Storm drain grating', 'A'), ('01005', '电力井盖', 'Power manhole', 'A'), ('01007', '通信井盖', 'Telecom manhole', 'A'),
    ('01011', '燃气井盖', 'Gas manhole', 'A'), ('01013', '消火栓', 'Fire hydrant', 'A'), ('01017', '立杆', 'Pole', 'A'), ('01018', '路灯', 'Street lamp', 'A'),
    ('01020', '景观灯', 'Landscape lamp', 'B'), ('01021', '变电箱', 'Power cabinet', 'B'), ('02001', '停车场', 'Car park', 'B'), ('02003', '公交站亭', 'Bus shelter', 'B'),
    ('02008', '交通标志牌', 'Traffic sign', 'A'), ('02009', '交通信号灯', 'Traffic light', 'A'), ('02011', '交通护栏', 'Guard rail', 'B'), ('02015', '人行天桥', 'Footbridge', 'B'),
    ('03001', '公共厕所', 'Public toilet', 'B'), ('03003', '公厕指示牌', 'Toilet sign', 'A'), ('03004', '垃圾间', 'Waste room', 'B'), ('03005', '垃圾箱', 'Litter bin', 'B'),
    ('03007', '广告牌匾', 'Billboard', 'B'), ('04001', '古树名木', 'Ancient tree', 'B'), ('04002', '行道树', 'Street tree', 'B'), ('04006', '绿地', 'Green space', 'C'),
    ('04008', '雕塑', 'Sculpture', 'B'), ('04009', '街头坐椅', 'Bench', 'B'), ('05001', '重大危险源', 'Major hazard', 'C'), ('05003', '水域附属设施', 'Waterside facility', 'C')
) AS known (code, name, name_en, accuracy);

CREATE TABLE components (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CHECK (code ~ '^[0-9]{17}$'),
    class_code text NOT NULL REFERENCES component_classes (code),
    name text NOT NULL,
    owner text NOT NULL DEFAULT '',
    keeper text NOT NULL DEFAULT '',
    condition text NOT NULL CHECK (condition IN ('intact', 'damaged', 'missing', 'moved', 'abandoned')),
    accuracy char(1) NOT NULL CHECK (accuracy IN ('A', 'B', 'C')),
    address text NOT NULL DEFAULT '',
    region_code text NOT NULL,
    cell_code text,
    surveyed_on date NOT NULL,
    valid daterange NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    simulated boolean NOT NULL DEFAULT false,
    geom geometry(Geometry, 4326) NOT NULL CHECK (hdq_sound(geom)),
    CHECK (substr(code, 7, 5) = class_code),
    CHECK (NOT isempty(valid)),
    EXCLUDE USING gist (code WITH =, valid WITH &&)
);
COMMENT ON TABLE components IS 'Census of city components 部件普查; code: county 6 + class 5 + serial 6; owner 权属, keeper 养护; accuracy of the survey: A 0.5 m, B 1.0 m, C 10 m';
CREATE INDEX components_at ON components USING gist (geom, valid);
CREATE INDEX components_region ON components (region_code text_pattern_ops);
CREATE INDEX components_cell ON components (cell_code);

ALTER TABLE parcels ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE parcels DROP CONSTRAINT parcels_code_key;
ALTER TABLE parcels ADD CONSTRAINT parcels_once EXCLUDE USING gist (code WITH =, valid WITH &&);
CREATE TABLE parcels_past (LIKE parcels, recorded tstzrange NOT NULL);
COMMENT ON TABLE parcels_past IS 'What was held true of parcels before it was corrected; recorded: from when to when we held it';
CREATE INDEX parcels_past_at ON parcels_past USING gist (geom, recorded);
CREATE TABLE permits_past (LIKE permits, recorded tstzrange NOT NULL);
COMMENT ON TABLE permits_past IS 'What was held true of permits before it was corrected; recorded: from when to when we held it';
CREATE INDEX permits_past_parcel ON permits_past (parcel_id);

CREATE FUNCTION hdq_keep_past() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.recorded_at < now() THEN
        EXECUTE format('INSERT INTO %I SELECT ($1).*, tstzrange(($1).recorded_at, now())', TG_TABLE_NAME || '_past') USING OLD;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.recorded_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hdq_keep_past IS 'A corrected or deleted row goes to <table>_past with the time in which it was held true';
CREATE TRIGGER parcels_keep BEFORE UPDATE OR DELETE ON parcels FOR EACH ROW EXECUTE FUNCTION hdq_keep_past();
CREATE TRIGGER permits_keep BEFORE UPDATE OR DELETE ON permits FOR EACH ROW EXECUTE FUNCTION hdq_keep_past();
"""

DOWN = """
DROP TRIGGER permits_keep ON permits;
DROP TRIGGER parcels_keep ON parcels;
DROP FUNCTION hdq_keep_past;
DROP TABLE permits_past, parcels_past;
ALTER TABLE parcels DROP CONSTRAINT parcels_once;
ALTER TABLE parcels ADD CONSTRAINT parcels_code_key UNIQUE (code);
ALTER TABLE parcels DROP COLUMN recorded_at;
DROP TABLE components, component_classes;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
