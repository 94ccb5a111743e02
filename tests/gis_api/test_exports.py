"""Exports: every format in every frame gives the same points back, nobody takes more than they may see, each is audited, no cell runs as a formula."""

import csv
import io
import json
import zipfile
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import psycopg
import pyogrio
import pyproj
import pytest
import shapely

from grid import crs
from grid.database import connect
from grid.settings import Settings
from layers import exports, writers
from layers.catalog import catalog

LON, LAT = 120.3826, 36.0671
COLUMNS = [{"name": "名称", "type": "text"}, {"name": "层数", "type": "integer"}, {"name": "在用", "type": "boolean"}]


@pytest.fixture
def stocked(settings: Settings, people: dict[str, int]) -> Settings:
    """A dataset of twelve points, two of them in 崂山."""
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(
            """
            INSERT INTO datasets (id, title, geometry_type, declared_crs, source_name, source_sha256, attributes, feature_count, region_code, extent, format, crs_origin)
            VALUES ('parks', '公园', 'Point', 'EPSG:4326', 'a.geojson', 'x', %s, 12, '3702', ST_MakeEnvelope(120.3, 36.0, 120.7, 36.3, 4326), 'geojson', 'declared')
            """,
            [json.dumps(COLUMNS)],
        )
        for number in range(1, 13):
            properties = {"名称": "=HYPERLINK(1)" if number == 1 else f"公园 {number}", "层数": number, "在用": number % 2 == 0} if number != 3 else {}
            connection.execute(
                "INSERT INTO dataset_features (dataset_id, id, properties, label, region_code, geom) VALUES ('parks', %s, %s, '', %s, ST_SetSRID(ST_MakePoint(%s, %s), 4326))",
                [number, json.dumps(properties), "370212" if number > 10 else "370202", LON + number / 1000, LAT],
            )
    return settings


async def made(client: httpx.AsyncClient, settings: Settings, **wanted: object) -> dict:
    """Asks, makes the file as the worker does, and gives what the export says then."""
    body = {"layer": "dataset_parks", "format": "geojson", "reason": "测试导出", **wanted}
    asked = await client.post("/api/exports", json=body)
    assert asked.status_code == 202, asked.text
    connection = await connect(settings.database_url)
    async with connection:
        await exports.make(connection, catalog(), settings.data_dir, UUID(asked.json()["id"]))
    return (await client.get(f"/api/exports/{asked.json()['id']}")).json()


async def fetched(client: httpx.AsyncClient, found: dict, folder: Path) -> Path:
    answer = await client.get(found["file"])
    assert answer.status_code == 200 and len(answer.content) == found["bytes"]
    path = folder / f"x{writers.FORMATS[found['format']][0]}"
    path.write_bytes(answer.content)
    return path


def points(path: Path, kind: str) -> np.ndarray:
    """x and y of every feature of a file."""
    if kind == "geoparquet":
        import geopandas

        return shapely.get_coordinates(geopandas.read_parquet(path).geometry.values)
    if kind == "csv":
        return np.array([[float(one["x"]), float(one["y"])] for one in csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))])
    if kind == "xlsx":
        _, _, _, columns = pyogrio.raw.read(str(path), layer="数据")
        return np.column_stack([columns[-2], columns[-1]]).astype(float)
    source = f"/vsizip/{path}" if kind == "shapefile" else str(path)
    return shapely.get_coordinates(shapely.from_wkb(pyogrio.raw.read(source)[2]))


@pytest.mark.parametrize("frame", ["EPSG:4326", "EPSG:4490", "EPSG:4528", "EPSG:3857"])
async def test_every_format_gives_the_same_points_back(app_client: httpx.AsyncClient, login, stocked: Settings, tmp_path: Path, frame: str):
    await login(app_client, "linye")
    for kind in writers.FORMATS:
        found = await made(app_client, stocked, format=kind, crs=frame)
        assert (found["state"], found["row_count"], found["error"]) == ("done", 12, ""), (kind, found)
        xy = points(await fetched(app_client, found, tmp_path), kind)
        lon, lat = crs.to_storage((xy[:, 0], xy[:, 1]), frame)
        _, _, metres = pyproj.Geod(ellps="WGS84").inv(lon, lat, LON + np.arange(1, 13) / 1000, np.full(12, LAT))
        assert metres.max() < 0.05, (kind, frame)


async def test_files_say_their_frame_and_who_made_them(app_client: httpx.AsyncClient, login, stocked: Settings, tmp_path: Path):
    await login(app_client, "linye")
    package = await fetched(app_client, await made(app_client, stocked, format="gpkg", crs="EPSG:4528"), tmp_path)
    said = pyogrio.read_info(package)
    assert said["crs"] == "EPSG:4528" and "linye" in said["dataset_metadata"]["watermark"] and said["features"] == 12
    document = json.loads((await fetched(app_client, await made(app_client, stocked, crs="EPSG:4326"), tmp_path)).read_text())
    assert "linye" in document["watermark"] and "测试导出" in document["watermark"]
    assert document["features"][1]["properties"] == {"名称": "公园 2", "层数": 2, "在用": True} and document["features"][2]["properties"]["名称"] is None
    shapes = zipfile.ZipFile(await fetched(app_client, await made(app_client, stocked, format="shapefile"), tmp_path))
    assert {Path(name).suffix for name in shapes.namelist()} >= {".shp", ".shx", ".dbf", ".prj", ".cpg"}


async def test_no_cell_runs_as_a_formula(app_client: httpx.AsyncClient, login, stocked: Settings, tmp_path: Path):
    await login(app_client, "linye")
    table = (await fetched(app_client, await made(app_client, stocked, format="csv"), tmp_path)).read_text("utf-8-sig")
    assert "'=HYPERLINK(1)" in table and ",=HYPERLINK" not in table
    book = zipfile.ZipFile(await fetched(app_client, await made(app_client, stocked, format="xlsx"), tmp_path))
    assert not any(b"<f>" in book.read(name) for name in book.namelist() if name.startswith("xl/worksheets"))


async def test_only_what_one_may_see_leaves_and_only_to_who_asked(app_client: httpx.AsyncClient, login, stocked: Settings, tmp_path: Path):
    await login(app_client, "laoshan")
    found = await made(app_client, stocked, filter="层数 > 0 OR TRUE")
    assert found["row_count"] == 2 and "370202" not in (await fetched(app_client, found, tmp_path)).read_text()
    await login(app_client, "linye")
    for path in (f"/api/exports/{found['id']}", found["file"]):
        assert (await app_client.get(path)).status_code == 404
    assert (await app_client.get("/api/exports")).json() == []
    some = await made(app_client, stocked, filter="层数 IN (4, 5)", bbox=[120.3, 36.0, LON + 0.0045, 36.2])
    assert some["row_count"] == 1
    with psycopg.connect(stocked.database_url) as connection:
        actions = [action for (action,) in connection.execute("SELECT action FROM audit WHERE action LIKE 'export.%' ORDER BY id")]
    assert actions == ["export.asked", "export.taken", "export.asked"]


async def test_a_region_that_changed_meanwhile_makes_no_file(app_client: httpx.AsyncClient, login, stocked: Settings):
    await login(app_client, "linye")
    asked = (await app_client.post("/api/exports", json={"layer": "dataset_parks", "format": "csv", "reason": "测试"})).json()
    with psycopg.connect(stocked.database_url) as connection:
        connection.execute("UPDATE staff SET disabled = true WHERE username = 'linye'")
    connection = await connect(stocked.database_url)
    async with connection:
        await exports.make(connection, catalog(), stocked.data_dir, UUID(asked["id"]))
        found = await exports.page(connection, (await (await connection.execute("SELECT id FROM staff WHERE username = 'linye'")).fetchone())[0])
    assert found[0].state == "failed" and found[0].error and not list((stocked.data_dir / "exports").glob("*"))


async def test_shifted_coordinates_are_made_of_public_layers_only(app_client: httpx.AsyncClient, login, stocked: Settings):
    await login(app_client, "linye")
    refused = await app_client.post("/api/exports", json={"layer": "dataset_parks", "format": "geojson", "crs": "GCJ-02", "reason": "宣传"})
    assert refused.status_code == 422 and "GCJ-02" in refused.json()["detail"]
    public = next(spec.id for spec in catalog() if spec.public and spec.kind == "mvt")
    assert (await made(app_client, stocked, layer=public, crs="GCJ-02"))["state"] == "done"


@pytest.mark.parametrize(
    "change, status",
    [({"filter": "pg_sleep(9) = 1"}, 400), ({"filter": "没有 = 1"}, 400), ({"layer": "nothing"}, 404), ({"format": "dwg"}, 422), ({"crs": "EPSG:32651"}, 422), ({"reason": ""}, 422), ({"bbox": [1, 2, 3]}, 422)],
)
async def test_what_does_not_fit_is_refused_before_it_is_queued(app_client: httpx.AsyncClient, login, stocked: Settings, change: dict, status: int):
    await login(app_client, "linye")
    answer = await app_client.post("/api/exports", json={"layer": "dataset_parks", "format": "geojson", "reason": "测试"} | change)
    assert answer.status_code == status, answer.text
    assert (await app_client.get("/api/exports")).json() == []


async def test_files_go_after_a_day_and_three_wait_at_most(app_client: httpx.AsyncClient, login, stocked: Settings):
    await login(app_client, "linye")
    found = await made(app_client, stocked)
    with psycopg.connect(stocked.database_url) as connection:
        connection.execute("UPDATE exports SET finished_at = now() - interval '25 hours'")
    connection = await connect(stocked.database_url)
    async with connection:
        assert await exports.expire(connection, stocked.data_dir) == 1
        await connection.commit()
    assert (await app_client.get(f"/api/exports/{found['id']}/file")).status_code == 409 and not list((stocked.data_dir / "exports").iterdir())
    statuses = [(await app_client.post("/api/exports", json={"layer": "dataset_parks", "format": "csv", "reason": "测试"})).status_code for _ in range(4)]
    assert statuses == [202, 202, 202, 409]
