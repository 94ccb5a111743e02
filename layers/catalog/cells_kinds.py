"""Management grids by who answers for them and by what lies in them."""

from layers.spec import Field
from layers.subsets import Register, subset

CELLS = Register(
    table="cells",
    group="governance",
    shape="fill",
    columns={"code": "cells.code", "name": "cells.name"},
    tooltip=(Field("name", "网格", "Grid"), Field("code", "代码", "Code")),
    always="cells.valid @> hdq_today() AND cells.kind = 'management'",
    min_zoom=9,
    order=40,
)
ALIVE = "NOT staff.disabled AND cells.code = ANY (staff.cell_codes)"

LAYERS = (
    subset(CELLS, "cells_staffed", "已配网格员的网格", "Grids with a worker", "#6E9C8C", f"EXISTS (SELECT FROM staff WHERE {ALIVE})"),
    subset(CELLS, "cells_vacant", "未配网格员的网格", "Grids without a worker", "#9C8C78", f"NOT EXISTS (SELECT FROM staff WHERE {ALIVE})"),
    subset(CELLS, "cells_unseen", "无摄像机的网格", "Grids without a camera", "#7E8796", "NOT EXISTS (SELECT FROM cameras WHERE ST_Intersects(cameras.geom, cells.geom))", order=41),
    subset(CELLS, "cells_school", "有学校的网格", "Grids with a school", "#94A87C", "EXISTS (SELECT FROM buildings WHERE buildings.cell_code = cells.code AND buildings.use = 'education')", order=41),
    subset(CELLS, "cells_coast", "临海网格", "Grids at the coast", "#78A8B4", "EXISTS (SELECT FROM coastline WHERE ST_Intersects(coastline.geom, cells.geom))", order=41),
)
