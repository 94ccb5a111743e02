"""Routing for dispatch, and seed categories: editable rows, each with the provenance of its figure.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"

UP = """
CREATE EXTENSION IF NOT EXISTS pgrouting;
ALTER TABLE categories ADD COLUMN event_kind text NOT NULL DEFAULT 'person_report';
COMMENT ON COLUMN categories.event_kind IS 'Kind of the finding that a report of this category becomes: forest_fire joins the alerts of cameras and satellites';
INSERT INTO categories (code, major, name, name_en, icon, clock, limit_value, department, provenance, event_kind) VALUES
    ('01001', '市容环境', '私搭乱建', 'Illegal structure', 'structure', 'work_hours', 4, '综合行政执法局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'illegal_structure'),
    ('01002', '市容环境', '暴露垃圾', 'Exposed garbage', 'garbage', 'work_hours', 4, '环卫中心', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'garbage'),
    ('01003', '市容环境', '积存垃圾渣土', 'Heaped waste and soil', 'heap', 'work_days', 1, '环卫中心', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'garbage'),
    ('01005', '市容环境', '道路遗撒', 'Road spill', 'spill', 'work_hours', 2, '环卫中心', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'road_spill'),
    ('01080', '市容环境', '毁林毁绿', 'Trees or green destroyed', 'tree', 'work_days', 7, '自然资源和规划局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'vegetation_loss'),
    ('01081', '市容环境', '垃圾箱满溢', 'Overflowing bin', 'bin', 'work_hours', 4, '环卫中心', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'garbage'),
    ('01082', '市容环境', '疑似违法用地', 'Suspected unlawful land use', 'land', 'work_days', 20, '自然资源和规划局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'construction'),
    ('01083', '市容环境', '侵占海岸线', 'Encroachment on the coast', 'coast', 'work_days', 7, '海洋发展局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'construction'),
    ('03001', '施工管理', '施工扬尘', 'Construction dust', 'dust', 'work_hours', 4, '住房和城乡建设局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'person_report'),
    ('03080', '施工管理', '渣土车违规', 'Muck truck violation', 'truck', 'work_hours', 2, '综合行政执法局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'muck_truck'),
    ('04001', '突发事件', '路面塌陷', 'Road collapse', 'collapse', 'urgent_hours', 2, '住房和城乡建设局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'person_report'),
    ('04002', '突发事件', '道路积水', 'Water on road', 'water', 'urgent_hours', 2, '水务管理局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'water'),
    ('04080', '突发事件', '森林火情', 'Forest fire', 'fire', 'urgent_hours', 1, '应急管理局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'forest_fire'),
    ('04081', '突发事件', '火烧迹地', 'Burn scar', 'burn', 'work_days', 3, '自然资源和规划局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'burn_scar'),
    ('05001', '街面秩序', '占道经营', 'Street vending in the way', 'vendor', 'work_hours', 2, '综合行政执法局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'person_report'),
    ('05003', '街面秩序', '机动车乱停放', 'Illegal parking', 'parking', 'work_hours', 2, '公安交警', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'person_report'),
    ('05080', '街面秩序', '人群聚集', 'Crowd', 'crowd', 'urgent_hours', 2, '公安局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'crowd'),
    ('99001', '其他', '其他', 'Other', 'other', 'work_days', 3, '街道办事处', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'person_report');
"""

DOWN = """
DELETE FROM categories;
ALTER TABLE categories DROP COLUMN event_kind;
DROP EXTENSION IF EXISTS pgrouting;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
