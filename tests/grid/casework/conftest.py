"""A village for casework: one district, one street, one community, one grid, and four people."""

import pytest
import shapely
from psycopg import AsyncConnection

from grid.database import Scope, row

SQUARE = shapely.set_srid(shapely.MultiPolygon([shapely.box(120.30, 36.00, 120.40, 36.10)]), 4326)
CELL = shapely.set_srid(shapely.MultiPolygon([shapely.box(120.35, 36.05, 120.36, 36.06)]), 4326)
SCOPE = Scope("3702")


@pytest.fixture
async def village(conn: AsyncConnection) -> dict[str, int]:
    """Staff ids by user name in a small world around 120.355, 36.055 (grid 370202001001001)."""
    for code, level, name, parent in (
        ("3702", 1, "青岛市", None),
        ("370202", 2, "市南区", "3702"),
        ("370202001", 3, "八大关街道", "370202"),
        ("370202001001", 4, "汇泉社区", "370202001"),
    ):
        await conn.execute(
            "INSERT INTO regions (code, level, name, parent_code, geom) VALUES (%(code)s, %(level)s, %(name)s, %(parent)s, %(geom)s)",
            {"code": code, "level": level, "name": name, "parent": parent, "geom": SQUARE},
        )
    await conn.execute(
        "INSERT INTO cells (code, name, region_code, geom) VALUES ('370202001001001', '网格 001', '370202001001', %(geom)s)", {"geom": CELL}
    )
    people = {}
    for username, role, region in (
        ("wangge", "grid_worker", "370202001001"),
        ("chuzhi", "grid_worker", "370202001"),
        ("linye", "inspector", "3702"),
        ("zhihui", "commander", "3702"),
    ):
        found = await row(
            conn,
            "INSERT INTO staff (username, name, role, region_code, password_hash) VALUES (%(u)s, %(u)s, %(role)s, %(region)s, '-') RETURNING id",
            {"u": username, "role": role, "region": region},
        )
        people[username] = found["id"]
    await conn.commit()
    return people
