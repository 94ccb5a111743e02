"""Files that people bring: imported into layers, listed, deleted."""

import asyncio
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, File, Form, Response, UploadFile
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import Caller, may, may_apart, signed_in
from gis_api.params import database, file_name, pool_of, settings_of
from gis_api.problems import RESPONSES
from gis_api.routes import quarantine
from gis_api.wire.datasets import Attribute, Dataset, RejectedRow
from gis_api.wire.quarantine import Quarantine
from grid import audit
from grid.errors import TooLarge
from grid.settings import Settings
from layers import datasets, geocoding
from layers.quarantine import Held
from layers.readers import Options
from layers.reading import kinds

router = APIRouter(prefix="/api", tags=["datasets"], responses=RESPONSES)

_EXAMPLE = {
    "type": "/problems/unknown-crs",
    "title": "坐标系不明 · Coordinate reference system unknown",
    "status": 422,
    "detail": "坐标与声明的 EPSG:4326 不符 · the coordinates contradict the declared EPSG:4326",
    "remedy": "声明坐标系 · declare one of EPSG:4326, EPSG:4490, EPSG:4528, EPSG:4549, EPSG:3857, GCJ-02, BD-09",
    "candidates": [{"crs": "GCJ-02", "swapped": False, "score": 0.6, "reason": "…", "reason_en": "…", "lon": 120.3, "lat": 36.08}],
    "rows": [{"row": 17, "reason": "坐标轴颠倒 · swapped axes"}],
}


def of(found: datasets.Dataset) -> Dataset:
    """A dataset as it goes over the wire."""
    return Dataset(
        id=found.id,
        layer=found.layer_id,
        title=found.title,
        title_en=found.title_en,
        format=found.format,
        geometry_type=found.geometry_type,
        crs=found.declared_crs,
        crs_origin=found.crs_origin,
        source_name=found.source_name,
        source_sha256=found.source_sha256,
        attributes=[Attribute(name=name, type=kind) for name, kind in found.attributes],
        feature_count=found.feature_count,
        rejected=[RejectedRow(row=r.row, reason=r.reason) for r in found.rejected],
        rejected_count=found.rejected_count,
        mended=found.mended,
        licence=found.licence,
        owner=found.owner,
        vintage=found.vintage,
        region_code=found.region_code,
        simulated=found.simulated,
        created_at=found.created_at,
        updated_at=found.updated_at,
        version=found.version,
        key=found.key_name,
        bbox=found.bbox,
    )


@router.post(
    "/datasets",
    status_code=201,
    response_model=Dataset,
    responses={
        202: {"model": Quarantine, "description": "坐标可疑，已隔离，等待确认 · suspicious coordinates: held in quarantine until a person decides"},
        413: {"description": "过大 · too large"},
        415: {"description": "不是可导入的文件 · of no kind we read"},
        422: {
            "description": "坐标系不明（candidates）或行有误（rows）· unknown frame, or bad rows",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": _EXAMPLE}},
        },
    },
)
async def add_dataset(
    file: Annotated[UploadFile, File(description=kinds.ACCEPTED)],
    title: Annotated[str, Form(min_length=1, max_length=120, examples=["公园 2026"])],
    title_en: Annotated[str, Form(max_length=120)] = "",
    crs: Annotated[str | None, Form(max_length=80, description="frame of the coordinates; empty: as the file says", examples=["GCJ-02"])] = None,
    encoding: Annotated[str | None, Form(max_length=40, examples=["GBK"])] = None,
    x: Annotated[str | None, Form(max_length=120, description="CSV column of longitude or easting")] = None,
    y: Annotated[str | None, Form(max_length=120, description="CSV column of latitude or northing")] = None,
    key: Annotated[str | None, Form(max_length=120, description="attribute that must be unique")] = None,
    layer: Annotated[str | None, Form(max_length=120, description="layer of a GeoPackage that holds several")] = None,
    address: Annotated[str | None, Form(max_length=120, description="column of addresses of a table without coordinates; empty: found by its name")] = None,
    height: Annotated[str | None, Form(max_length=120, description="column of heights; empty: the Z of the shapes, where `datum` is given")] = None,
    datum: Annotated[Literal["1985", "ellipsoidal"] | None, Form(description="what heights are above; they are kept as height_1985_m")] = None,
    axes: Annotated[Literal["xy", "yx"], Form(description="yx: latitude or northing stands first, as a swapped candidate says")] = "xy",
    licence: Annotated[str, Form(max_length=200)] = "",
    vintage: Annotated[str, Form(max_length=10, description="the time the data stand for: a year, month or day; empty: not stated", examples=["2026-05"])] = "",
    caller: Caller = Depends(may_apart("import")),
    pool: AsyncConnectionPool = Depends(pool_of),
    settings: Settings = Depends(settings_of),
) -> Dataset | Response:
    """Imports a file as a layer, whole or not at all. Bad rows are left out and listed by number; a frame that is missing or that the
    coordinates contradict is refused with candidates; a file of which some rows, or all, lie right only when read otherwise goes into quarantine."""
    path, name = await received(file, settings), file_name(file.filename, "upload")
    about = datasets.About(title=title, title_en=title_en, licence=licence, vintage=datasets.vintage(vintage), owner=caller.name, created_by=caller.id)
    options = Options(crs=crs or None, encoding=encoding or None, x=x or None, y=y or None, key=key or None, layer=layer or None, swapped=axes == "yx", address=address or None, height=height or None, datum=datum)
    try:
        async with pool.connection() as connection:
            around = await datasets.surroundings(connection, caller.scope)
            placed = await geocoding.placed(connection, caller.scope, path, name, options)
        reading = await asyncio.get_running_loop().run_in_executor(_readers(), datasets.spooled, path, name, about, placed, around)
        async with pool.connection() as connection:
            found = await datasets.import_file(connection, settings.data_dir, path, name, about, options, scope=caller.scope, reading=reading)
            if not isinstance(found, Held):
                await audit.note(connection, caller.id, "dataset.created", f"dataset/{found.id}", {"title": found.title, "source": name, "features": found.feature_count})
    finally:
        path.unlink()
    if isinstance(found, Held):
        return Response(quarantine.of(found).model_dump_json(), 202, media_type="application/json")
    return of(found)


@cache
def _readers() -> ThreadPoolExecutor:
    """Two files are read at once, however many come; none of them holds a database connection meanwhile."""
    return ThreadPoolExecutor(2, thread_name_prefix="reading")


async def received(file: UploadFile, settings: Settings) -> Path:
    """The upload as a file of our own, counted while it is written."""
    folder = settings.data_dir / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".upload-")
    path, size = Path(name), 0
    with os.fdopen(handle, "wb") as sink:
        while chunk := await file.read(1 << 20):
            size += len(chunk)
            if size > settings.max_upload_mb * 2**20:
                path.unlink()
                raise TooLarge(f"文件超过 {settings.max_upload_mb} MB · the file exceeds {settings.max_upload_mb} MB", remedy="split it, or raise HDQ_MAX_UPLOAD_MB")
            sink.write(chunk)
    return path


@router.get("/datasets")
async def list_datasets(caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[Dataset]:
    """All imported datasets of which the caller may see something, newest first."""
    return [of(found) for found in await datasets.page(connection, caller.scope)]


@router.get("/datasets/{dataset_id}")
async def show_dataset(dataset_id: str, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> Dataset:
    """One dataset with its rejected rows."""
    return of(await datasets.get(connection, caller.scope, dataset_id))


@router.delete("/datasets/{dataset_id}", status_code=204)
async def delete_dataset(dataset_id: str, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database)) -> None:
    """Deletes a dataset, its layer and its names."""
    gone = await datasets.get(connection, caller.scope, dataset_id)
    await datasets.delete(connection, caller.scope, dataset_id)
    await audit.note(connection, caller.id, "dataset.deleted", f"dataset/{dataset_id}", {"title": gone.title, "features": gone.feature_count})
