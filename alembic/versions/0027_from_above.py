"""Categories for what is seen from above: straw burning, algae, farmland that is none any more, heaps of spoil.

Revision ID: 0027
Revises: 0026
"""

from alembic import op

revision = "0027"
down_revision = "0026"

UP = """
INSERT INTO categories (code, major, name, name_en, icon, clock, limit_value, department, provenance, event_kind) VALUES
    ('01084', '市容环境', '秸秆焚烧', 'Straw burning', 'fire', 'urgent_hours', 4, '生态环境局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'straw_burning'),
    ('01085', '市容环境', '浒苔聚集', 'Algal bloom', 'water', 'work_days', 1, '海洋发展局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'algal_bloom'),
    ('01086', '市容环境', '疑似耕地非农化', 'Suspected conversion of farmland', 'land', 'work_days', 20, '自然资源和规划局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'farmland_change'),
    ('03081', '施工管理', '渣土堆放', 'Spoil heap', 'heap', 'work_days', 3, '综合行政执法局', '示例值(c)，大类参照 GB/T 30428.2，时限非官方', 'spoil_heap')
ON CONFLICT (code) DO NOTHING;
"""

DOWN = """
UPDATE cases SET category_code = '99001' WHERE category_code IN ('01084', '01085', '01086', '03081');
DELETE FROM categories WHERE code IN ('01084', '01085', '01086', '03081');
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
