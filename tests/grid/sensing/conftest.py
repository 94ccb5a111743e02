"""A small true-to-scale world: two districts with a street, a community and a grid each, a forest zone, a tower and a street camera."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import shapely
from psycopg import AsyncConnection

from grid.database import point
from grid.sensing.observations import Finding

NOW = datetime.now(UTC)


def box(west: float, south: float, east: float, north: float) -> shapely.MultiPolygon:
    return shapely.set_srid(shapely.MultiPolygon([shapely.box(west, south, east, north)]), 4326)


@pytest.fixture
async def world(conn: AsyncConnection) -> AsyncConnection:
    """370202 west of 120.5, 370212 east of it; a forest zone of risk 5 and the tower (id 1) in the east, a street camera (id 2) in the west."""
    regions = [
        ("3702", 1, "青岛市", None, box(119.5, 35.5, 121.0, 37.0)),
        ("370202", 2, "市南区", "3702", box(120.2, 36.0, 120.5, 36.3)),
        ("370202001", 3, "香港中路街道", "370202", box(120.2, 36.0, 120.5, 36.3)),
        ("370202001001", 4, "云霄路社区", "370202001", box(120.2, 36.0, 120.5, 36.3)),
        ("370212", 2, "崂山区", "3702", box(120.5, 36.0, 120.9, 36.3)),
        ("370212001", 3, "北宅街道", "370212", box(120.5, 36.0, 120.9, 36.3)),
        ("370212001001", 4, "北宅社区", "370212001", box(120.5, 36.0, 120.9, 36.3)),
    ]
    for code, level, name, parent, geom in regions:
        await conn.execute(
            "INSERT INTO regions (code, level, name, parent_code, geom) VALUES (%s, %s, %s, %s, %s)", (code, level, name, parent, geom)
        )
    for code, name, region, geom in (
        ("370202001001001", "网格 001", "370202001001", box(120.2, 36.0, 120.5, 36.3)),
        ("370212001001001", "网格 001", "370212001001", box(120.5, 36.0, 120.9, 36.3)),
    ):
        await conn.execute("INSERT INTO cells (code, name, region_code, geom) VALUES (%s, %s, %s, %s)", (code, name, region, geom))
    await conn.execute(
        "INSERT INTO forest_zones (code, name, class, fire_risk, area_ha, region_code, geom) VALUES ('L1', '北宅林班 1', 'scenic', 5, 900, '370212001', %s)",
        (box(120.55, 36.15, 120.7, 36.25),),
    )
    for code, name, kind, lon, lat, region in (
        ("37021200001310000001", "北宅高点 01", "tower", 120.60, 36.20, "370212001001"),
        ("37020200001310000002", "香港中路 02", "street", 120.38, 36.07, "370202001001"),
        ("37021200001310000003", "北宅高点 03", "tower", 120.66, 36.17, "370212001001"),
    ):
        await conn.execute(
            """
            INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, region_code, geom)
            VALUES (%s, %s, %s, 0, -5, 60, 8000, %s, %s)
            """,
            (code, name, kind, region, point(lon, lat)),
        )
    await conn.commit()
    return conn


@pytest.fixture
def finding() -> Callable[..., Finding]:
    """Makes sound findings, each under its own id; keywords replace fields, `ago_s` sets recorded_at."""
    numbers = count(1)

    def make(lon: float = 120.62, lat: float = 36.2, *, ago_s: float = 10.0, **fields) -> Finding:
        base = {
            "source": "test",
            "source_event_id": f"e{next(numbers)}",
            "sensor_kind": "camera",
            "kind": "smoke",
            "class_name": "smoke",
            "score": 0.8,
            "recorded_at": datetime.now(UTC) - timedelta(seconds=ago_s),
            "place": shapely.Point(lon, lat),
            "accuracy_m": 60.0,
            "algorithm": "smoke@1",
            "model_version": "1.0",
        }
        return Finding(**{**base, **fields})

    return make
