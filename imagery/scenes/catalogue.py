"""The scenes that are there: registered once, kept as COGs in the data folder, described as STAC items."""

import asyncio
import json
import os
import re
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import morecantile
import psycopg
import pystac
import shapely
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from grid import events
from grid.crs import QINGDAO
from grid.database import Scope, driver_errors
from grid.errors import Conflict, InvalidInput, NotFound
from imagery.engine import isolated
from imagery.scenes import indices, masks, shows, tide
from imagery.scenes.arrivals import Box, Stored, remove, store
from imagery.scenes.bands import Band
from imagery.scenes.raster import file_hash
from imagery.scenes.readers import Said

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
MOST_SECONDS, MOST_MEMORY = 3600.0, 8 << 30
"""What one arrival may take: a whole Sentinel-2 product is 13 bands of 120 million pixels."""
NEAR_DEG = 0.5
WEB_MAP = "https://stac-extensions.github.io/web-map-links/v1.2.0/schema.json"


@dataclass(frozen=True, slots=True)
class Scene:
    """A registered raster. `file` is relative to data_dir/scenes; `gsd_m` ground size of a pixel; `geom` outline in EPSG:4326."""

    id: str
    collection: str
    title: str
    taken_at: datetime
    created_at: datetime
    file: str
    sha256: str
    bands: tuple[Band, ...]
    epsg: int | None
    gsd_m: float | None
    nodata: float | None
    properties: dict
    region_code: str
    simulated: bool
    geom: shapely.Polygon

    def path(self, data_dir: Path) -> Path:
        """Where its COG lies."""
        return data_dir / "scenes" / self.file

    @property
    def band_names(self) -> tuple[str, ...]:
        """Our names of its bands in file order."""
        return tuple(band.name for band in self.bands)


Connect = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


async def register(connection: AsyncConnection, data_dir: Path, source: Path | bytes, **about: Any) -> Scene:
    """`register_apart` in the caller's transaction: row and event are there when it commits. For who holds a connection of its own, not one of a pool."""
    return await register_apart(lambda: nullcontext(connection), data_dir, source, **about)


async def register_apart(
    connect: Connect,
    data_dir: Path,
    source: Path | bytes,
    *,
    scope: Scope | None = None,
    taken_at: datetime | None = None,
    scene_id: str = "",
    collection: str = "",
    title: str = "",
    bands: tuple[str, ...] = (),
    crs: str = "",
    height_m: float | None = None,
    terrain: Path | None = None,
    sha256: str = "",
    elsewhere: bool = False,
    tide_m: float | None = None,
    tide_file: Path | None = None,
    properties: dict | None = None,
    simulated: bool = False,
    city_code: str = "3702",
    name: str = "",
    beside: Callable[[AsyncConnection, Scene], Awaitable[None]] | None = None,
) -> Scene:
    """Makes a file, a product's folder or an archive of it a scene: checked, converted in a confined process, then row and event in one transaction.
    `connect` gives a connection, twice and shortly: none is held while a file is decoded, of which two are at a time in a process.

    What is given here goes before what the product says of itself; a plain GeoTIFF says no time. `bands` in file order (of a product: which are
    wanted), guessed when empty; `crs` in place of the file's; `height_m` or `terrain` for a picture with a camera model; `sha256` of the file as its
    sender has it; `elsewhere`: it may lie far from the city; `tide_m`: the water level when it was taken, metres above the height datum, else by the
    stations of `tide_file`; `name`: what its sender calls the file, for messages; `scope`: where it must lie; `beside`: what else is written in the transaction of the row. An empty `scene_id` is the product's, or
    made of collection, time and content. Raises Conflict for an id that is there, NotFound outside the scope, InvalidInput for a time that is missing
    or without zone or a wrong id, and what `arrivals.store` and `tide.read` raise; then nothing is left behind.
    """
    if taken_at is not None and taken_at.tzinfo is None:
        raise InvalidInput(f"the time {taken_at.isoformat()} has no zone", remedy="end it with Z or +08:00")
    level = {} if tide_m is None else {tide.PROPERTY: tide_m, tide.SOURCE: tide.GIVEN}
    tide.stage(level)
    stations = tide.read(tide_file) if tide_file is not None and tide_m is None else ()
    async with connect() as connection:
        if scene_id:
            await _free(connection, scene_id, collection or "uploads")
        near = None if elsewhere else await _near(connection, city_code)
    folder = data_dir / "scenes"
    workspace = folder / f".arriving.{uuid.uuid4().hex}"
    await asyncio.to_thread(workspace.mkdir, parents=True)
    draft = workspace / "scene.tif"
    kept: list[Path] = []
    file, whole = "", False
    try:
        if isinstance(source, bytes):
            received = workspace / "received.tif"
            await asyncio.to_thread(received.write_bytes, source)
        else:
            received = source.resolve()
        said = Said(bands, crs, height_m, terrain)
        decode = partial(isolated, store, received, workspace, draft, said, near, sha256, name, seconds=MOST_SECONDS, memory_bytes=MOST_MEMORY)
        stored = await asyncio.get_running_loop().run_in_executor(_decoders(), decode)
        taken_at = taken_at or stored.reading.taken_at
        if taken_at is None:
            raise InvalidInput("the file does not say when the picture was taken", remedy="give its time with zone, e.g. datetime=2026-09-15T10:45:00+08:00")
        collection = collection or stored.reading.collection or "uploads"
        named = scene_id or stored.reading.scene_id or f"{collection}-{taken_at.astimezone(UTC):%Y%m%dT%H%M%S}-{stored.published.sha256[:8]}"
        file = f"{named}.{uuid.uuid4().hex[:8]}.tif"
        about = stored.reading.properties | (properties or {}) | level
        if stations and tide.PROPERTY not in about:
            middle = shapely.from_wkb(stored.outline_wkb).centroid
            about |= tide.foretold(stations, middle.x, middle.y, taken_at, simulated=simulated)
        async with connect() as connection:
            await _free(connection, named, collection)
            for made, place in ((draft, folder / file), (stored.classes, masks.maker_of(folder / file))):
                if made is not None:
                    os.replace(made, place)
                    kept.append(place)
            async with driver_errors():
                scene = await _insert(connection, stored, file, named, collection, title or stored.reading.title, taken_at, about, simulated, city_code)
            if scope is not None and not scope.covers(scene.region_code):
                raise NotFound(f"the scene lies in {scene.region_code}, outside your region", remedy="upload scenes of your own region")
            summary = {"title": scene.title, "collection": collection, "taken_at": taken_at.isoformat(), "simulated": simulated}
            await events.publish(connection, "scene.registered", scene.id, scene.region_code, summary)
            await indices.ask(connection, scene.id, scene.band_names)
            await masks.ask(connection, scene.id)
            if beside is not None:
                await beside(connection, scene)
            whole = True
    except BaseException:
        if not (whole and await _may_stand(connect, file)):
            for place in kept:
                place.unlink(missing_ok=True)
        raise
    finally:
        await asyncio.to_thread(remove, workspace)
    return scene


@cache
def _decoders() -> ThreadPoolExecutor:
    """Two files are decoded at once, however many come; the others wait without a database connection."""
    return ThreadPoolExecutor(2, thread_name_prefix="decoding")


def damage(scene: Scene, data_dir: Path) -> str:
    """What is wrong with a scene's file: gone, or not the bytes that were published; empty when it is whole. Reads all of it."""
    path = scene.path(data_dir)
    if not path.is_file():
        return f"{path.name} is gone"
    found = file_hash(path)
    return "" if found == scene.sha256 else f"{path.name} has SHA-256 {found}, published was {scene.sha256}"


def discard(scene: Scene, data_dir: Path) -> None:
    """Removes the files of a scene whose row will not stay."""
    for path in (scene.path(data_dir), masks.maker_of(scene.path(data_dir))):
        path.unlink(missing_ok=True)


async def _free(connection: AsyncConnection, scene_id: str, collection: str) -> None:
    if not ID.fullmatch(scene_id) or not ID.fullmatch(collection):
        raise InvalidInput(f"scene id {scene_id!r} or collection {collection!r} is malformed", remedy="letters, digits, dot, dash, underscore; at most 128")
    cursor = await connection.execute("SELECT 1 FROM scenes WHERE id = %(id)s", {"id": scene_id})
    if await cursor.fetchone():
        raise Conflict(f"scene {scene_id!r} exists already", remedy="choose another id")


async def _may_stand(connect: Connect, file: str) -> bool:
    """Whether the row of a file is there, after a commit of which only the answer was lost, or may be: where the database cannot tell."""
    try:
        async with connect() as connection:
            await connection.execute("LOCK TABLE scenes IN SHARE MODE")
            cursor = await connection.execute("SELECT 1 FROM scenes WHERE file = %(file)s", {"file": file})
            return await cursor.fetchone() is not None
    except (psycopg.Error, PoolTimeout):
        return True


async def _near(connection: AsyncConnection, city_code: str) -> Box:
    """Around the city, degrees: the box of its outline with half a degree, or of Qingdao where no outline is known."""
    cursor = await connection.execute("SELECT ST_XMin(geom), ST_YMin(geom), ST_XMax(geom), ST_YMax(geom) FROM regions WHERE code = %(code)s", {"code": city_code})
    west, south, east, north = await cursor.fetchone() or QINGDAO
    return west - NEAR_DEG, south - NEAR_DEG, east + NEAR_DEG, north + NEAR_DEG


async def _insert(
    connection: AsyncConnection, stored: Stored, name: str, scene_id: str, collection: str, title: str, taken_at: datetime,
    properties: dict, simulated: bool, city_code: str,
) -> Scene:  # fmt: skip
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            INSERT INTO scenes (id, collection, title, taken_at, file, sha256, bands, epsg, gsd_m, nodata, properties, region_code, simulated, geom)
            SELECT %(id)s, %(collection)s, %(title)s, %(taken_at)s, %(file)s, %(sha256)s, %(bands)s::jsonb, %(epsg)s, %(gsd_m)s, %(nodata)s,
                %(properties)s::jsonb, coalesce((
                    SELECT code FROM regions
                    WHERE geom && %(geom)s AND ST_Area(ST_Intersection(geom, %(geom)s)) >= 0.9 * ST_Area(%(geom)s)
                    ORDER BY level DESC, code LIMIT 1
                ), %(city)s), %(simulated)s, %(geom)s
            RETURNING *
            """,
            {
                "id": scene_id,
                "collection": collection,
                "title": title or scene_id,
                "taken_at": taken_at,
                "file": name,
                "sha256": stored.published.sha256,
                "bands": json.dumps([asdict(band) | {"common_name": band.common_name} for band in stored.bands]),
                "epsg": stored.epsg,
                "gsd_m": stored.gsd_m,
                "nodata": stored.nodata,
                "properties": json.dumps(properties, ensure_ascii=False, allow_nan=False),
                "city": city_code,
                "simulated": simulated,
                "geom": shapely.set_srid(shapely.from_wkb(stored.outline_wkb), 4326),
            },
        )
        return of_row(await cursor.fetchone())


def of_row(found: dict) -> Scene:
    """The scene of a row of the table, all columns as psycopg gives them."""
    return Scene(**{**found, "bands": tuple(Band(band["name"], band["index"]) for band in found["bands"])})


async def get(connection: AsyncConnection, scope: Scope, scene_id: str) -> Scene:
    """A scene inside the scope; NotFound otherwise."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT * FROM scenes WHERE region_code LIKE %(scope)s AND id = %(id)s", {"scope": scope.like, "id": scene_id})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"no scene {scene_id!r}", remedy="see /api/scenes")
    return of_row(found)


async def page(
    connection: AsyncConnection,
    scope: Scope,
    *,
    bbox: tuple[float, float, float, float] | None = None,
    collection: str | None = None,
    bands: tuple[str, ...] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Scene]:
    """Scenes inside the scope, newest picture first; `bbox` in degrees (west, south, east, north) is touched, all of `bands` are in it, `since` ≤ taken < `until`."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT * FROM scenes
            WHERE region_code LIKE %(scope)s
              AND (%(collection)s::text IS NULL OR collection = %(collection)s)
              AND bands @> %(bands)s::jsonb
              AND (%(since)s::timestamptz IS NULL OR taken_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR taken_at < %(until)s)
              AND (%(box)s::geometry IS NULL OR ST_Intersects(geom, %(box)s::geometry))
            ORDER BY taken_at DESC, id LIMIT %(limit)s OFFSET %(offset)s
            """,
            {
                "scope": scope.like, "box": shapely.set_srid(shapely.box(*bbox), 4326) if bbox else None, "collection": collection,
                "bands": json.dumps([{"name": name} for name in bands]), "since": since, "until": until, "limit": limit, "offset": offset,
            },
        )  # fmt: skip
        return [of_row(found) for found in await cursor.fetchall()]


def to_stac(scene: Scene, root: str = "") -> dict:
    """The scene as a STAC 1.1 Item (dict of JSON values). Pixels are offered as an XYZ tile template, not as a file."""
    bands = [{"name": band.name, "eo:common_name": band.common_name} for band in scene.bands]
    item = pystac.Item(
        id=scene.id,
        geometry=shapely.geometry.mapping(scene.geom),
        bbox=list(scene.geom.bounds),
        datetime=scene.taken_at,
        collection=scene.collection,
        stac_extensions=[PROJECTION, WEB_MAP],
        properties=scene.properties
        | {
            "title": scene.title,
            "created": scene.created_at.isoformat(),
            "gsd": scene.gsd_m,
            "proj:code": f"EPSG:{scene.epsg}" if scene.epsg else None,
            "bands": bands,
            "hdq:simulated": scene.simulated,
            "hdq:sha256": scene.sha256,
            "hdq:region_code": scene.region_code,
            "hdq:shows": list(shows.fitting(scene.band_names)),
        },
    )
    tiles = f"{root}/rasters/{scene.id}"
    item.add_link(pystac.Link("xyz", f"{tiles}/{{z}}/{{x}}/{{y}}.png", media_type="image/png", title=scene.title))
    item.add_link(pystac.Link("self", f"{root}/api/scenes/{scene.id}", media_type="application/geo+json"))
    item.add_link(pystac.Link("related", f"{root}/api/scenes/{scene.id}/derived", media_type="application/geo+json", title="derived"))
    z, x, y = _whole_tile(scene.geom)
    item.add_asset("thumbnail", pystac.Asset(href=f"{tiles}/{z}/{x}/{y}.png", media_type="image/png", roles=["thumbnail"]))
    return json.loads(json.dumps(item.to_dict(include_self_link=True, transform_hrefs=False), default=str))


def _whole_tile(geom: shapely.Polygon) -> tuple[int, int, int]:
    """(z, x, y) of the smallest tile that holds all of a shape."""
    west, south, east, north = geom.bounds
    grid = morecantile.tms.get("WebMercatorQuad")
    for z in range(18, 0, -1):
        corner, other = grid.tile(west, north, z), grid.tile(east, south, z)
        if (corner.x, corner.y) == (other.x, other.y):
            return z, corner.x, corner.y
    return 0, 0, 0
