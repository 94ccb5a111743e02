"""Registering: converted, hashed, placed, announced; refused without a trace."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import morecantile
import numpy as np
import psycopg
import pystac
import pytest
import shapely
from psycopg import AsyncConnection
from rasterio.transform import from_origin

from grid.database import Scope, connect
from grid.errors import Conflict, InvalidInput, NotFound, UnknownCrs, UnsupportedMedia
from imagery.scenes import catalogue
from imagery.scenes.bands import bands_of
from imagery.scenes.raster import file_hash, open_raster, write_geotiff

NOON = datetime(2026, 10, 1, 4, tzinfo=UTC)
CITY = Scope("3702")


def picture(path: Path, bands: int = 4, crs: str = "EPSG:32651") -> Path:
    pixels = np.random.default_rng(3).integers(100, 4000, (bands, 64, 80)).astype(np.uint16)
    return write_geotiff(path, pixels, from_origin(300_000, 3_990_000, 10, 10), crs)


async def region(conn: AsyncConnection, code: str, level: int, shape: shapely.Polygon) -> None:
    await conn.execute(
        "INSERT INTO regions (code, level, name, geom) VALUES (%(code)s, %(level)s, %(code)s, %(geom)s)",
        {"code": code, "level": level, "geom": shapely.set_srid(shapely.MultiPolygon([shape]), 4326)},
    )


async def test_a_geotiff_becomes_a_scene(conn: AsyncConnection, tmp_path: Path) -> None:
    await region(conn, "3702", 1, shapely.box(119, 35, 122, 38))
    await region(conn, "370212", 2, shapely.box(120.7, 36.0, 120.85, 36.1))
    scene = await catalogue.register(conn, tmp_path, picture(tmp_path / "up.tif"), taken_at=NOON, scene_id="s2-a", title="崂山", simulated=True)
    assert scene.region_code == "370212" and scene.epsg == 32651 and scene.gsd_m == 10
    assert scene.band_names == ("blue", "green", "red", "nir")
    assert file_hash(scene.path(tmp_path)) == scene.sha256
    with open_raster(scene.path(tmp_path)) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert await catalogue.get(conn, CITY, "s2-a") == scene
    cursor = await conn.execute("SELECT kind, entity_id, region_code FROM events")
    assert await cursor.fetchall() == [("scene.registered", "s2-a", "370212")]
    assert sorted(path.suffix for path in (tmp_path / "scenes").iterdir()) == [".tif"]


async def test_it_is_a_valid_stac_item(conn: AsyncConnection, tmp_path: Path) -> None:
    scene = await catalogue.register(conn, tmp_path, picture(tmp_path / "up.tif", 6).read_bytes(), taken_at=NOON, simulated=True)
    item = pystac.Item.from_dict(json.loads(json.dumps(catalogue.to_stac(scene))))
    assert item.datetime == NOON and item.properties["hdq:simulated"] is True
    assert [band["eo:common_name"] for band in item.properties["bands"]][-2:] == ["swir16", "swir22"]
    z, x, y = re.fullmatch(rf"/rasters/{scene.id}/(\d+)/(\d+)/(\d+)\.png", item.assets["thumbnail"].href).groups()
    assert shapely.box(*morecantile.tms.get("WebMercatorQuad").bounds(int(x), int(y), int(z))).covers(scene.geom)
    assert shapely.geometry.shape(item.geometry).is_valid and item.id.startswith("uploads-20261001T040000-")


async def test_scope_box_and_time_select(conn: AsyncConnection, tmp_path: Path) -> None:
    await catalogue.register(conn, tmp_path, picture(tmp_path / "up.tif"), taken_at=NOON, scene_id="a")
    assert [one.id for one in await catalogue.page(conn, CITY, bbox=(120.7, 36.0, 120.8, 36.1), until=datetime(2027, 1, 1, tzinfo=UTC))] == ["a"]
    assert await catalogue.page(conn, CITY, bbox=(121.7, 36.0, 121.8, 36.1)) == []
    assert await catalogue.page(conn, CITY, since=datetime(2026, 10, 2, tzinfo=UTC)) == []
    assert await catalogue.page(conn, Scope("370202")) == [] and await catalogue.page(conn, Scope("")) == []
    with pytest.raises(NotFound):
        await catalogue.get(conn, Scope("370202"), "a")


async def test_what_is_refused_leaves_nothing(conn: AsyncConnection, tmp_path: Path) -> None:
    first = await catalogue.register(conn, tmp_path, picture(tmp_path / "up.tif"), taken_at=NOON, scene_id="a")
    cut = picture(tmp_path / "cut.tif").read_bytes()[:9000]
    for wrong, error, options in (
        (tmp_path / "up.tif", Conflict, {"scene_id": "a"}),
        (b"GIF89a not a tiff", UnsupportedMedia, {}),
        (cut, InvalidInput, {}),
        (picture(tmp_path / "none.tif", crs=None), UnknownCrs, {}),
        (tmp_path / "up.tif", InvalidInput, {"scene_id": "../../etc/passwd"}),
        (tmp_path / "up.tif", InvalidInput, {"bands": ("red", "nir")}),
        (tmp_path / "up.tif", InvalidInput, {"taken_at": datetime(2026, 1, 1)}),
    ):
        with pytest.raises(error):
            await catalogue.register(conn, tmp_path, wrong, **{"taken_at": NOON, **options})
    assert [path.name for path in (tmp_path / "scenes").iterdir()] == [first.file]
    assert len(await catalogue.page(conn, CITY)) == 1


@pytest.mark.parametrize(
    ("count", "given", "descriptions", "names"),
    [
        (2, ("B4", "b8"), (), ("red", "nir")),
        (3, (), (None, None, None), ("red", "green", "blue")),
        (2, (), ("VV", "VH"), ("vv", "vh")),
        (6, (), ("B1 blue", "B2 green", "B3 red", "B4 NIR", "B5 SWIR1", "B7 SWIR2"), ("blue", "green", "red", "nir", "swir1", "swir2")),
    ],
)
def test_bands_are_named(count: int, given: tuple, descriptions: tuple, names: tuple) -> None:
    assert tuple(band.name for band in bands_of(count, given, descriptions)) == names


@pytest.mark.parametrize(("count", "given"), [(2, ("red", "red")), (2, ("red",)), (1, ("octarine",)), (7, ())])
def test_wrong_band_names_are_refused(count: int, given: tuple) -> None:
    with pytest.raises(InvalidInput):
        bands_of(count, given)


@pytest.mark.parametrize("arrived", [True, False])
async def test_files_stay_where_only_the_answer_of_the_commit_was_lost(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrived: bool) -> None:
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))
    opened, beside = [], []

    @asynccontextmanager
    async def connecting() -> AsyncIterator[AsyncConnection]:
        opened.append(await connect(database_url))
        async with opened[-1] as connection:
            yield connection
            if len(opened) == 2:
                await (connection.commit if arrived else connection.rollback)()
                raise psycopg.OperationalError("the connection was lost")

    async def note(connection: AsyncConnection, scene: catalogue.Scene) -> None:
        beside.append((connection, scene.id))

    with pytest.raises(psycopg.OperationalError, match="was lost"):
        await catalogue.register_apart(connecting, tmp_path, picture(tmp_path / "up.tif"), taken_at=NOON, scene_id="lost", simulated=True, beside=note)
    assert beside == [(opened[1], "lost")] and len(opened) == 3
    assert bool(list((tmp_path / "scenes").glob("lost*.tif"))) is arrived
    async with await connect(database_url) as connection:
        assert bool(await catalogue.page(connection, CITY)) is arrived
