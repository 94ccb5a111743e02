"""Every table of the world takes rows by COPY and gives them back."""

from datetime import date

import numpy as np
import pytest
import shapely

from grid import events
from grid.database import Scope, point
from grid.errors import InvalidInput, NotFound
from grid.world import buildings, cameras, coast, forest, parcels, regions, roads, staff

BOX = shapely.box(120.40, 36.06, 120.41, 36.07)
MULTI = shapely.MultiPolygon([BOX])


def _camera(**changes: object) -> cameras.Camera:
    values = {
        "id": 0, "code": "37020200001320000001", "name": "崂顶瞭望塔", "kind": "tower", "ground_m": 1000.0, "height_m": 30.0, "azimuth_deg": 90.0,
        "pitch_deg": -2.0, "hfov_deg": 60.0, "range_m": 8000.0, "pose_sigma_deg": 0.5, "image_width": 1920, "image_height": 1080, "stream": None,
        "detectors": ("smoke_fire",), "state": "online", "last_frame_at": None, "region_code": "370212", "cell_code": None, "simulated": True,
        "geom": point(120.6, 36.2), "view": BOX,
    }  # fmt: skip
    return cameras.Camera(**{**values, **changes})


async def test_cameras_change_and_say_so(conn):
    await cameras.load(conn, [_camera(), _camera(code="37020200001320000002", kind="street", detectors=())])
    found = await cameras.page(conn, Scope("3702"), kind="tower", bbox=(120.5, 36.1, 120.7, 36.3))
    assert [(c.code, c.detectors, c.lon) for c in found] == [("37020200001320000001", ["smoke_fire"], 120.6)]
    changed = await cameras.update(conn, found[0].id, stream="folder:towers/a", state="dark", detectors=("smoke_fire", "vehicles"))
    assert (changed.stream, changed.detectors) == ("folder:towers/a", ["smoke_fire", "vehicles"])
    assert [(e.kind, e.payload["state"]) for e in await events.since(conn, 0)] == [("camera.changed", "dark")]
    assert [c.id for c in await cameras.streaming(conn)] == [changed.id]
    assert await cameras.counts(conn, Scope("3702")) == {"dark": 1, "online": 1}
    with pytest.raises(InvalidInput):
        await cameras.update(conn, changed.id, code="1")
    with pytest.raises(NotFound):
        await cameras.get(conn, changed.id, Scope("370202"))
    with pytest.raises(NotFound):
        await cameras.get(conn, changed.id, Scope(""))


async def test_buildings_lie_in_hilbert_order(conn):
    lon, lat = np.meshgrid(120.4 + np.arange(8) * 1e-3, 36.0 + np.arange(8) * 1e-3)
    shapes = shapely.box(lon.ravel(), lat.ravel(), lon.ravel() + 5e-4, lat.ravel() + 5e-4)
    n = len(shapes)
    text = np.array(["香港中路\t1号\\"] * n, dtype=object)
    many = buildings.Buildings(
        text, text, np.array(["office"] * n, dtype=object), np.full(n, 9.5), np.full(n, 3), np.zeros(n, dtype=int),
        np.array(["370202"] * n, dtype=object), np.array([None] * n, dtype=object), np.ones(n, dtype=bool), shapes,
    )  # fmt: skip
    assert await buildings.load(conn, many) == 64 == await buildings.count(conn)
    first = await buildings.get(conn, 1, Scope("370202"))
    assert (first.address, first.height_m, first.cell_code) == ("香港中路\t1号\\", 9.5, None)
    cursor = await conn.execute("SELECT max(d) FROM (SELECT ST_Distance(geom, lag(geom) OVER (ORDER BY id)) AS d FROM buildings) AS steps")
    assert (await cursor.fetchone())[0] < 6e-4
    with pytest.raises(NotFound):
        await buildings.get(conn, 1, Scope("370212"))


async def test_coast_forest_parcels_roads(conn):
    line = shapely.LineString([(120.40, 36.05), (120.41, 36.05)])
    piece = coast.CoastPiece("前海", 1000.0, 1900.0, "natural", "370202", True, line)
    zone = coast.Setback("退缩线 100 米", 100.0, "第十二条", "370202", True, MULTI)
    assert await coast.load(conn, [piece], [zone]) == 2
    near = await coast.nearest(conn, 120.405, 36.051)
    assert near.distance_m == pytest.approx(111, abs=1) and near.chainage_m == pytest.approx(1450, abs=1)
    wood = forest.ForestZone("LB001", "崂山一林班", "public_welfare", "黑松", 4, 99.0, "370212", True, MULTI)
    assert await forest.load(conn, [wood]) == 1
    assert (await forest.in_scope(conn, Scope("370212")))[0] == wood
    lot = parcels.Parcel("370202001GB00001", "residential", False, "国有", 1e6, "370202", True, MULTI)
    permit = parcels.Permit("建字第370202202600001号", "construction", lot.code, date(2026, 1, 1), date(2028, 1, 1), True)
    assert await parcels.load(conn, [lot], [permit]) == 2
    street = roads.Road("香港中路", "primary", 60.0, 1, 2, 900.0, "370202", True, line)
    assert await roads.load(conn, [street]) == 1
    assert await roads.within(conn, 120.39, 36.04, 120.42, 36.06) == [street]
    assert await roads.within(conn, 121.0, 37.0, 121.1, 37.1) == []


async def test_handlers_come_nearest_first(conn):
    def worker(username: str, region: str, cells: tuple[str, ...] = ()) -> staff.NewStaff:
        return staff.NewStaff(username, username, "grid_worker", "网格中心", region, cells, "", "x", True)

    people = [worker("far", "370212001001"), worker("district", "370202"), worker("street", "370202001"), worker("next", "370202001002")]
    people += [worker("community", "370202001001"), worker("cell", "370202001001", ("370202001001007",))]
    await staff.load(conn, people)
    found = await staff.handlers(conn, "370202001001", "370202001001007")
    assert [p.username for p in found] == ["cell", "community", "street", "district", "next"]
    assert (await staff.by_username(conn, "cell")).cell_codes == ["370202001001007"]
    assert await staff.by_username(conn, "nobody") is None
    assert (await staff.credentials(conn, "cell")).password_hash == "x"
    assert (await staff.page(conn, Scope("3702"), role="grid_worker", limit=2))[1] == 6


async def test_regions_of_a_level(conn):
    await regions.load(conn, [regions.Region(c, regions.level_of(c), c, "", regions.parent_of(c), True, "test", MULTI) for c in ("3702", "370202", "370202001")])
    assert [r.code for r in await regions.of_level(conn, 2)] == ["370202"]
    assert (await regions.get(conn, "370202001")).parent_code == "370202"
    assert (await regions.names(conn))["3702"] == "3702"
    with pytest.raises(NotFound):
        await regions.get(conn, "999999")
