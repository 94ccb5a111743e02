"""Files into tables: whole or not at all, placed, scoped, searchable, deletable."""

import doctest
import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from grid import events, jobs
from grid.database import Scope, connect, row, rows
from grid.errors import Conflict, Forbidden, InvalidInput, NotFound, UnknownCrs
from grid.world import regions
from grid.world.regions import Region
from layers import datasets, originals, placing, search
from layers.datasets import About
from layers.readers import Options

CITY, SHINAN, LAOSHAN = Scope("3702"), Scope("370202"), Scope("370212")
BOXES = {
    "3702": ("青岛市", (119.5, 35.5, 121.2, 37.2)),
    "370202": ("市南区", (120.30, 36.04, 120.44, 36.10)),
    "370212": ("崂山区", (120.44, 36.08, 120.72, 36.33)),
    "370202001": ("香港中路街道", (120.36, 36.05, 120.42, 36.08)),
    "370202001001": ("八大关社区", (120.37, 36.055, 120.39, 36.07)),
}
PARKS = [("中山公园", 120.345, 36.065), ("五四广场", 120.3826, 36.0631), ("北九水", 120.58, 36.25)]


@pytest.fixture
async def city(conn):
    """The connection, with a city of two districts, a street and a community."""
    outlines = [
        Region(code, regions.level_of(code), name, "", regions.parent_of(code), False, "test", shapely.MultiPolygon([shapely.box(*box)]))
        for code, (name, box) in BOXES.items()
    ]
    await regions.load(conn, outlines)
    return conn


def parks(folder: Path, extra: list[dict] = ()) -> Path:
    features = [
        {"type": "Feature", "properties": {"名称": name, "面积": 1.5}, "geometry": {"type": "Point", "coordinates": [lon, lat]}} for name, lon, lat in PARKS
    ]
    path = folder / "parks.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [*features, *extra]}))
    return path


async def bring(connection, folder: Path, path: Path, title: str = "公园", **how) -> datasets.Dataset:
    options = how.pop("options", Options())
    scope = how.pop("scope", CITY)
    return await datasets.import_file(connection, folder / "data", path, path.name, About(title=title, **how), options, scope=scope)


@pytest.mark.parametrize("module", [datasets, placing, search])
def test_doctests(module):
    result = doctest.testmod(module, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.attempted and not result.failed


async def test_a_file_becomes_rows_an_event_and_names(city, tmp_path):
    before = await events.latest_id(city)
    found = await bring(city, tmp_path, parks(tmp_path), licence="CC0")
    assert (found.title, found.format, found.geometry_type, found.declared_crs, found.crs_origin) == ("公园", "GeoJSON", "Point", "EPSG:4326", "format")
    assert found.feature_count == 3 and found.attributes == (("名称", "text"), ("面积", "number")) and found.region_code == "3702"
    assert found.bbox == pytest.approx((120.345, 36.0631, 120.58, 36.25), abs=1e-5)
    assert found.id.startswith("gongyuan_") and found.layer_id == f"dataset_{found.id}"
    stored = await rows(city, "SELECT id, label, region_code, properties, geom FROM dataset_features ORDER BY id")
    assert [(r["id"], r["label"], r["region_code"]) for r in stored] == [
        (1, "中山公园", "370202"),
        (2, "五四广场", "370202001001"),
        (3, "北九水", "370212"),
    ]
    assert stored[1]["properties"] == {"名称": "五四广场", "面积": 1.5}
    assert (stored[1]["geom"].x, stored[1]["geom"].y) == PARKS[1][1:]
    happened = await events.since(city, before)
    assert [(e.kind, e.entity_id, e.payload["layer"]) for e in happened] == [("dataset.imported", found.id, found.layer_id)]
    assert [h.name for h in await search.find(city, CITY, "wsgc")] == ["五四广场"]
    assert originals.path_of(tmp_path / "data", found.source_sha256).read_bytes() == parks(tmp_path).read_bytes()


async def test_a_refused_file_leaves_nothing(city, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("name,lon,lat\na,120.38,36.06\n")
    with pytest.raises(UnknownCrs):
        await bring(city, tmp_path, path)
    for table in ("datasets", "dataset_features", "search_names", "events"):
        assert (await row(city, f"SELECT count(*) AS n FROM {table}"))["n"] == 0
    assert not list((tmp_path / "data").rglob("*"))


async def test_a_failure_in_the_middle_leaves_nothing(city, tmp_path, monkeypatch):
    await city.commit()

    async def fails(connection, dataset_id):
        raise RuntimeError("the machine died here")

    monkeypatch.setattr(search, "index_dataset", fails)
    with pytest.raises(RuntimeError):
        async with city.transaction():
            await bring(city, tmp_path, parks(tmp_path))
    assert (await row(city, "SELECT count(*) AS n FROM datasets"))["n"] == 0
    assert (await row(city, "SELECT count(*) AS n FROM dataset_features"))["n"] == 0
    kept = [p for p in (tmp_path / "data").rglob("*") if p.is_file()]
    assert len(kept) == 1
    assert await originals.remove_orphans(city, tmp_path / "data") == 1


async def test_the_same_file_twice_is_a_conflict(city, tmp_path):
    first = await bring(city, tmp_path, parks(tmp_path))
    with pytest.raises(Conflict) as caught:
        async with city.transaction():
            await bring(city, tmp_path, parks(tmp_path))
    assert caught.value.extra["dataset_id"] == first.id
    assert (await bring(city, tmp_path, parks(tmp_path), title="别的标题")).source_sha256 == first.source_sha256


async def test_scope_decides_what_is_seen(city, tmp_path):
    found = await bring(city, tmp_path, parks(tmp_path))
    local = await bring(city, tmp_path, parks(tmp_path), title="崂山", scope=CITY)
    assert {d.id: d.feature_count for d in await datasets.page(city, CITY)} == {found.id: 3, local.id: 3}
    seen = await datasets.get(city, SHINAN, found.id)
    assert seen.feature_count == 2 and seen.bbox == pytest.approx((120.345, 36.0631, 120.3826, 36.065), abs=1e-5)
    assert [d.feature_count for d in await datasets.as_layer_rows(city, LAOSHAN)] == [1, 1]
    for nobody in (Scope(""), Scope("370281"), Scope("%"), Scope("3703")):
        assert await datasets.page(city, nobody) == []
        with pytest.raises(NotFound):
            await datasets.get(city, nobody, found.id)
    assert {h.name for h in await search.find(city, LAOSHAN, "五四")} == set()


async def test_rows_outside_the_callers_region_are_rejected(city, tmp_path):
    found = await bring(city, tmp_path, parks(tmp_path), scope=SHINAN)
    assert found.feature_count == 2 and found.region_code == "370202"
    assert [(r.row, "辖区" in r.reason) for r in found.rejected] == [(3, True)]
    with pytest.raises(InvalidInput) as caught:
        await bring(city, tmp_path, parks(tmp_path), title="崂山的", scope=LAOSHAN)
    assert [r["row"] for r in caught.value.extra["rows"]] == [1, 2]


async def test_deleting_takes_features_names_and_file(city, tmp_path):
    found = await bring(city, tmp_path, parks(tmp_path))
    with pytest.raises(Forbidden):
        await datasets.delete(city, SHINAN, found.id)
    with pytest.raises(NotFound):
        await datasets.delete(city, CITY, "no_such")
    await datasets.delete(city, CITY, found.id)
    for table in ("datasets", "dataset_features", "search_names"):
        assert (await row(city, f"SELECT count(*) AS n FROM {table}"))["n"] == 0
    assert [e.kind for e in await events.since(city, 0)][-1] == "dataset.deleted"
    assert (await row(city, "SELECT count(*) AS n FROM procrastinate_jobs WHERE task_name = 'dataset_originals'"))["n"] == 1
    assert await jobs.enqueue(city, "dataset_originals", queueing_lock="dataset_originals") is None
    assert await originals.remove_orphans(city, tmp_path / "data") == 1


async def test_files_of_running_imports_and_named_files_are_left_alone(city, tmp_path, database_url):
    await bring(city, tmp_path, parks(tmp_path))
    other = await connect(database_url)
    assert await originals.remove_orphans(other, tmp_path / "data") == 0
    await other.rollback()
    await city.commit()
    fresh = tmp_path / "data" / "datasets" / ".upload-x"
    fresh.write_bytes(b"half")
    assert await originals.remove_orphans(other, tmp_path / "data") == 0
    assert await originals.remove_orphans(other, tmp_path / "data", unfinished_after_s=0) == 1 and not fresh.exists()
    await other.close()


async def test_hostile_attributes_are_stored_as_text_or_refused_by_row(city, tmp_path):
    def odd(properties: dict, lon: float = 120.35) -> dict:
        return {"type": "Feature", "properties": properties, "geometry": {"type": "Point", "coordinates": [lon, 36.06]}}

    extra = [
        odd({"名称": "<img src=x onerror=alert(1)>"}),
        odd({"名称": "空\x00字\ud800", "深": {"a": [1, {"b": None}]}}),
        odd({"名称": "x" * 70_000}),
        odd({"'; DROP TABLE datasets; --": 1, "名称": "=cmd|' /C calc'!A0"}),
    ]
    found = await bring(city, tmp_path, parks(tmp_path, extra))
    assert [r.row for r in found.rejected] == [6] and "64 KB" in found.rejected[0].reason
    stored = {r["id"]: r["properties"] for r in await rows(city, "SELECT id, properties FROM dataset_features")}
    assert stored[4]["名称"] == "<img src=x onerror=alert(1)>" and stored[5] == {"名称": "空字?", "深": {"a": [1, {"b": None}]}}
    assert stored[7]["'; DROP TABLE datasets; --"] == 1
    assert dict(found.attributes)["深"] == "json"


@pytest.mark.parametrize("title", ["", "   ", "长" * 121])
async def test_impossible_titles_are_refused_before_the_file_is_read(city, tmp_path, title):
    with pytest.raises(InvalidInput, match="标题"):
        await bring(city, tmp_path, tmp_path / "absent.geojson", title=title)


async def test_real_districts_enter_by_this_door(city, tmp_path, real_data):
    folder = real_data("qingdao/boundaries")
    found = await bring(city, tmp_path, folder / "datav_370200_districts_GCJ02.json", title="区县", options=Options(crs="GCJ-02"))
    assert found.feature_count == 10 and found.geometry_type == "Polygon"
    await city.execute("DELETE FROM regions WHERE length(code) > 4")
    true = json.loads((folder / "qingdao_districts_WGS84_from_cnmaps.geojson").read_text())
    outlines = [shapely.from_geojson(json.dumps(f["geometry"])) for f in true["features"]]
    await regions.load(
        city, [Region(f"3702{i + 2:02}", 2, f"区{i}", "", "3702", False, "test", shapely.MultiPolygon(shapely.get_parts(g).tolist())) for i, g in enumerate(outlines)]
    )
    with pytest.raises(UnknownCrs) as caught:
        await bring(city, tmp_path, folder / "echarts_china_cities_qingdao_GCJ02_like.geojson", title="区县二")
    assert caught.value.extra["candidates"][0].crs == "GCJ-02"


async def test_twenty_thousand_features_in_seconds(city, tmp_path):
    rng = np.random.default_rng(3)
    xy = rng.uniform([120.31, 36.045], [120.43, 36.095], (20_000, 2))
    path = tmp_path / "many.csv"
    path.write_text("编号,lon,lat\n" + "\n".join(f"P{i:05},{x:.6f},{y:.6f}" for i, (x, y) in enumerate(xy)))
    steps: list[tuple[int, int]] = []
    found = await datasets.import_file(
        city, tmp_path / "data", path, path.name, About(title="点"), Options(crs="EPSG:4490"), progress=lambda done, total: steps.append((done, total))
    )
    assert found.feature_count == 20_000 and steps[-1] == (20_000, 20_000)
    inside = shapely.contains_xy(shapely.box(*BOXES["370202001001"][1]), xy[:, 0].round(6), xy[:, 1].round(6)).sum()
    assert (await row(city, "SELECT count(*) AS n FROM dataset_features WHERE region_code = '370202001001'"))["n"] == inside


def test_large_shapes_belong_where_their_parts_agree():
    known = [
        Region(code, regions.level_of(code), name, "", None, False, "", shapely.MultiPolygon([shapely.box(*box)])) for code, (name, box) in BOXES.items() if len(code) > 4
    ]
    west, south, east, north = BOXES["370202"][1]
    shapes = np.array(
        [
            shapely.box(west + 0.001, south - 0.001, east + 0.001, north - 0.001),  # the district drawn by somebody else
            shapely.box(120.40, 36.05, 120.60, 36.20),  # half here, half in the next district
            shapely.box(120.3750, 36.0600, 120.3751, 36.0601),
            shapely.Point(119.0, 35.0),
        ],
        dtype=object,
    )
    assert placing.region_codes(shapes, known) == ["370202", "3702", "370202001001", "3702"]
