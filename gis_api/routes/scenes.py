"""Scenes from above: the catalogue as STAC items, upload, tiles; and tables of active fires."""

import asyncio
import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import xxhash
from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import COOKIE, Caller, may, may_apart, session_scope, signed_in
from gis_api.params import Bbox, Page, Window, bbox, database, file_name, page, pool_of, settings_of, window
from gis_api.problems import RESPONSES
from gis_api.wire.scenes import BadRow, HotspotsOut, LegendStep, ShowOut, StacItem, StacItems
from grid import audit
from grid.clock import ZONE
from grid.crs import QINGDAO
from grid.database import Scope
from grid.errors import InvalidInput, NotFound, NotSignedIn, TooLarge
from grid.settings import Settings
from imagery.scenes import catalogue, hotspots, masks, mosaic, published, shows, tiles, veils
from layers import uploads

router = APIRouter(tags=["scenes"], responses=RESPONSES)
REFUSED = {413: {"description": "过大 · too large"}, 415: {"description": "不是 GeoTIFF · not a GeoTIFF"}}
CACHE = tiles.Cache()
MASK = "mask"
PRIVATE = {"Cache-Control": "private, max-age=3600"}


@router.get("/api/scenes", response_model_exclude_unset=True)
async def list_scenes(
    box: Bbox | None = Depends(bbox),
    span: Window = Depends(window),
    collection: Annotated[str | None, Query(max_length=128)] = None,
    paging: Page = Depends(page),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> StacItems:
    """Scenes of the caller's region, newest picture first."""
    bounds = (box.west, box.south, box.east, box.north) if box else None
    found = await catalogue.page(
        connection, caller.scope, bbox=bounds, collection=collection, since=span.since, until=span.until, limit=paging.limit, offset=paging.offset
    )
    return StacItems(type="FeatureCollection", features=[StacItem(**catalogue.to_stac(scene)) for scene in found], links=[])


@router.get("/api/scenes/{scene_id}", response_model_exclude_unset=True)
async def scene(scene_id: str, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> StacItem:
    """One scene."""
    return StacItem(**catalogue.to_stac(await catalogue.get(connection, caller.scope, scene_id)))


@router.post("/api/scenes", status_code=201, response_model_exclude_unset=True, responses=REFUSED)
async def add_scene(
    file: Annotated[
        UploadFile | None,
        File(description="GeoTIFF or COG; or a product as zip or tar: Sentinel-2 SAFE, Landsat Collection 2, Gaofen-style TIFF with RPC and XML"),
    ] = None,
    upload: Annotated[UUID | None, Form(description="a finished upload of POST /api/uploads (parts, resumable) in place of file")] = None,
    datetime: Annotated[
        datetime | None, Form(description="when the picture was taken, with zone; products say it themselves", examples=["2026-09-15T10:45:00+08:00"])
    ] = None,
    bands: Annotated[
        str, Form(max_length=400, description="band names in file order, by commas; empty: guessed. Of a product: those that are wanted", examples=["blue,green,red,nir,swir1,swir2"])
    ] = "",
    id: Annotated[str, Form(max_length=128, description="empty: the product's, or made of collection, time and content")] = "",
    collection: Annotated[str, Form(max_length=128, description="empty: the product's, or uploads")] = "",
    title: Annotated[str, Form(max_length=120)] = "",
    crs: Annotated[str, Form(max_length=60, description="in place of what the file declares", examples=["EPSG:32651"])] = "",
    sha256: Annotated[str, Form(pattern="^([0-9a-fA-F]{64})?$", description="of the file as it was sent; another one is refused")] = "",
    height_m: Annotated[float | None, Form(ge=-500, le=9000, description="ellipsoidal height on which a picture with a camera model is laid")] = None,
    elsewhere: Annotated[bool, Form(description="the scene may lie far from the city")] = False,
    tide_m: Annotated[float | None, Form(ge=-10, le=10, description="water level when it was taken, metres above the height datum; shoreline analyses ask for it")] = None,
    caller: Caller = Depends(may_apart("scenes")),
    pool: AsyncConnectionPool = Depends(pool_of),
    settings: Settings = Depends(settings_of),
) -> StacItem:
    """Registers a scene: checked, decoded in a confined process, kept as COG. Refused whole when truncated or changed on its way, without
    georeference, in a frame that its coordinates contradict, far from the city, too large, or when the id exists. No database connection is held
    meanwhile; an upload in parts stays for another try when it is refused."""
    if (file is None) == (upload is None):
        raise InvalidInput("须给出 file 或 upload 之一 · give one of file and upload", remedy="multipart file, or the id of a finished upload")
    if file is not None:
        path, name = await _received(file, settings.data_dir / "scenes", settings.max_upload_mb << 20), file_name(file.filename, "")
    else:
        async with pool.connection() as connection:
            path, name = await uploads.finished(connection, settings.data_dir, upload, caller.id)

    async def noted(connection: AsyncConnection, made: catalogue.Scene) -> None:
        await audit.note(connection, caller.id, "scene.registered", f"scene/{made.id}", {"source": name, "taken": made.taken_at})
        if upload is not None:
            await uploads.forget(connection, upload)

    try:
        made = await catalogue.register_apart(
            pool.connection, settings.data_dir, path, scope=caller.scope, taken_at=datetime, scene_id=id, collection=collection, title=title,
            bands=tuple(name.strip() for name in bands.split(",") if name.strip()), crs=crs, sha256=sha256, height_m=height_m, elsewhere=elsewhere, tide_m=tide_m,
            tide_file=settings.tide_file, city_code=settings.city_code, name=name, beside=noted,
        )  # fmt: skip
    finally:
        if file is not None:
            path.unlink(missing_ok=True)
    if upload is not None:
        path.unlink(missing_ok=True)
    return StacItem(**catalogue.to_stac(made))


async def _received(file: UploadFile, folder: Path, most: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".upload.", suffix=".tif", delete=False) as target:
        path, taken = Path(target.name), 0
        while part := await file.read(1 << 20):
            taken += len(part)
            if taken > most:
                path.unlink()
                raise TooLarge(f"{file.filename!r} exceeds {most >> 20} MiB", remedy="cut it into parts, or raise HDQ_MAX_UPLOAD_MB")
            target.write(part)
    return path


BANDS = Query(max_length=120, description="one or three band names by commas; empty: natural colour", examples=["nir,red,green"])
SHOW = Query(max_length=40, description="one of GET /api/shows in place of bands and rescale; mask: its clouds and their shadows", examples=["ndvi"])
RESCALE = Query(max_length=200, description="low,high once, or per band separated by semicolons", examples=["0,3000"])


def _picture(kind: str) -> dict:
    return {
        200: {"content": {kind: {}}, "description": "256 × 256 pixels, transparent where the scene has nothing"},
        304: {"description": "未变 · the tile that the client holds is still right"},
    }


@router.get("/api/shows")
async def list_shows(caller: Caller = Depends(signed_in)) -> list[ShowOut]:
    """What a scene may be shown as: band combinations, indices with their scale of colours, hillshade. A scene lists its own in `hdq:shows`."""
    return [
        ShowOut(id=one.id, title=one.title, title_en=one.title_en, bands=list(one.bands), source=one.source, legend=[LegendStep(value=value, colour=colour) for value, colour in one.legend])
        for one in shows.SHOWS.values()
    ]


@router.get("/rasters/{scene_id}/{z}/{x}/{y}.webp", response_class=Response, responses=_picture("image/webp"))
async def raster_tile_webp(
    request: Request, scene_id: str, z: int, x: int, y: int, bands: Annotated[str, BANDS] = "", rescale: Annotated[str, RESCALE] = "", show: Annotated[str, SHOW] = ""
) -> Response:
    """A tile of a scene (Web Mercator, y from the north) as lossless WebP: of a published scene straight from its file."""
    return _tagged(request, await picture(request, scene_id, z, x, y, bands, rescale, "webp", show), "image/webp")


@router.get("/rasters/{scene_id}/{z}/{x}/{y}.png", response_class=Response, responses=_picture("image/png"))
async def raster_tile(
    request: Request, scene_id: str, z: int, x: int, y: int, bands: Annotated[str, BANDS] = "", rescale: Annotated[str, RESCALE] = "", show: Annotated[str, SHOW] = ""
) -> Response:
    """The same tile as PNG, for programs that read no WebP."""
    return _tagged(request, await picture(request, scene_id, z, x, y, bands, rescale, show=show), "image/png")


@router.get("/rasters/mosaic/{day}/{z}/{x}/{y}.webp", response_class=Response, responses=_picture("image/webp"))
async def mosaic_tile(
    request: Request, day: str, z: int, x: int, y: int, show: Annotated[str, SHOW] = "true_colour",
    collection: Annotated[str | None, Query(max_length=128, description="only scenes of this collection")] = None,
) -> Response:  # fmt: skip
    """A tile of all scenes taken by that day in the city (a year back at most): at each pixel the newest that sees the ground. `HDQ-Scenes` names those
    it is made of, newest first, each with its day; `HDQ-Scenes-Filling` those that show cloud where no scene sees the ground."""
    scope, chosen, until = await scope_of(request), shows.get(show), _day(day)
    _on_the_grid(z, x, y)
    pool, data_dir = request.app.state.pool, request.app.state.settings.data_dir
    area = tiles.WEB_MERCATOR.bounds(x, y, z)
    async with pool.connection() as connection:
        found = await mosaic.candidates(connection, scope, until, (area.left, area.bottom, area.right, area.top), chosen, collection)
    made = await asyncio.to_thread(mosaic.draw, found, data_dir, z, x, y, chosen)
    content = tiles.blank("webp") if made.pixels is None else await asyncio.to_thread(tiles.encode, made.pixels, "webp")
    answer = _tagged(request, content, "image/webp")
    for name, scenes in (("HDQ-Scenes", made.used), ("HDQ-Scenes-Filling", made.filling)):
        answer.headers[name] = ", ".join(f"{scene.id};{scene.taken_at.astimezone(ZONE):%Y-%m-%d}" for scene in scenes)
    return answer


def _tagged(request: Request, content: bytes, kind: str) -> Response:
    tag = f'"{xxhash.xxh3_128_hexdigest(content)}"'
    headers = PRIVATE | {"ETag": tag}
    held = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag in held or "*" in held:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)


async def scope_of(request: Request) -> Scope:
    """The scope of a request's session, remembered for 10 s; NotSignedIn without one."""
    scope = await session_scope(request.app.state.pool, request.cookies.get(COOKIE))
    if scope is None:
        raise NotSignedIn("没有有效的登录会话 · no live session", remedy="POST /api/login, then repeat the request")
    return scope


async def picture(request: Request, scene_id: str, z: int, x: int, y: int, bands: str = "", rescale: str = "", form: str = "png", show: str = "") -> bytes:
    """A scene's tile as "png" or "webp": from its published file, from memory, or drawn; NotFound for a tile or scene that is not there for
    this caller. The first look at a scene that is not published asks for it."""
    scope = await scope_of(request)
    _on_the_grid(z, x, y)
    if show and (bands or rescale):
        raise InvalidInput(f"show={show[:40]} does not go with bands or rescale", remedy="give one of them")
    pool, data_dir = request.app.state.pool, request.app.state.settings.data_dir
    async with pool.connection() as connection:
        found = await catalogue.get(connection, scope, scene_id)
    veil = masks.known_of(found.path(data_dir)) if show == MASK else None
    key = (found.file if veil is None else veil.name, z, x, y, bands, rescale, form, show)
    drawn = CACHE.get(key) if veil or show != MASK else tiles.blank(form)
    if drawn is None:
        drawn = await asyncio.to_thread(_draw, found, data_dir, z, x, y, bands, _ranges(rescale), form, show)
        CACHE.put(key, drawn)
        if not (bands or rescale or show) and not await asyncio.to_thread(_is_published, found, data_dir):
            async with pool.connection() as connection:
                await published.request(connection, found)
    return drawn


def _day(text: str) -> date:
    """The day of an address.

    >>> _day("2026-09-15")
    datetime.date(2026, 9, 15)
    """
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text[:40]!r} is no day", remedy="e.g. 2026-09-15") from error
    if not 1970 <= day.year <= 2100:
        raise InvalidInput(f"no scene is of {day.isoformat()}", remedy="a day from 1970 to 2100")
    return day


def _on_the_grid(z: int, x: int, y: int) -> None:
    if not (0 <= z <= 22 and 0 <= x < 1 << z and 0 <= y < 1 << z):
        raise NotFound(f"no tile {z}/{x}/{y}", remedy="z from 0 to 22, x and y below 2^z")


def _is_published(found: catalogue.Scene, data_dir: Path) -> bool:
    return published.path_of(found, data_dir).is_file()


def _draw(
    found: catalogue.Scene, data_dir: Path, z: int, x: int, y: int, bands: str, rescale: tuple[tuple[float, float], ...], form: str, show: str
) -> bytes:
    if show == MASK:
        return veils.tile(masks.known_of(found.path(data_dir)), z, x, y, form)
    if show:
        return tiles.tile(found, data_dir, z, x, y, tiles.shown(found, data_dir, shows.get(show)), form)
    if not (bands or rescale):
        block = published.tile(found, data_dir, z, x, y)
        if block is not None:
            return block if form == "webp" else tiles.as_png(block)
    look = tiles.look_of(found, data_dir, tuple(name for name in bands.split(",") if name), rescale)
    return tiles.tile(found, data_dir, z, x, y, look, form)


def _ranges(text: str) -> tuple[tuple[float, float], ...]:
    """`0,3000` or `0,3000;0,2500;0,2000` as pairs.

    >>> _ranges("0,3000;1,2")
    ((0.0, 3000.0), (1.0, 2.0))
    >>> _ranges("")
    ()
    """
    try:
        pairs = [tuple(float(number) for number in part.split(",")) for part in text.split(";")] if text else []
    except ValueError:
        pairs = [()]
    if any(len(pair) != 2 for pair in pairs):
        raise InvalidInput(f"rescale {text!r} is not low,high or low,high;low,high;low,high", remedy="e.g. rescale=0,3000")
    return tuple(pairs)


@router.post("/api/hotspots", status_code=202, responses={413: {"description": "过大 · too large"}})
async def add_hotspots(
    file: Annotated[UploadFile, File(description="CSV of NASA FIRMS (MODIS or VIIRS)")],
    caller: Caller = Depends(may("observations")),
    connection: AsyncConnection = Depends(database),
) -> HotspotsOut:
    """Takes a table of active fires in; rows of the city's box become observations with their pixel as footprint, bad rows are named by number."""
    content = await file.read(hotspots.MOST_BYTES + 1)
    accepted, found = await hotspots.accept(connection, content, bbox=QINGDAO)
    bad = [BadRow(row=one.row, column=one.column, value=one.value[:80], detail=one.detail) for one in found.bad[:200]]
    return HotspotsOut(accepted=len(accepted), new=sum(one.new for one in accepted), outside=found.outside, bad=bad, bad_count=len(found.bad))
