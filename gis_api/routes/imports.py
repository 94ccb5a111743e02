"""Imports of any size: sent at once or in parts, read by a worker, looked at, stored or let go."""

import csv
import io
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Response, UploadFile
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import Caller, may_apart
from gis_api.params import file_name, pool_of, settings_of
from gis_api.problems import RESPONSES
from gis_api.routes.datasets import received
from gis_api.wire.datasets import RejectedRow
from gis_api.wire.imports import ImportJob
from grid import audit
from grid.errors import InvalidInput
from grid.settings import Settings
from layers import imports, uploads
from layers.datasets import About
from layers.datasets import vintage as vintage_of
from layers.readers import Options

router = APIRouter(prefix="/api", tags=["imports"], responses=RESPONSES)
SHOWN_REJECTED = 100


def of(found: imports.Import) -> ImportJob:
    """An import as it goes over the wire."""
    summary = found.summary or {}
    return ImportJob(
        id=found.id,
        title=found.about.get("title", ""),
        state=found.state,
        mode=found.mode,
        preview=found.preview,
        dataset_id=found.dataset_id,
        source_name=found.source_name,
        source_sha256=found.source_sha256,
        source_bytes=found.source_bytes,
        done=found.done,
        rows=found.rows,
        crs=summary.get("crs"),
        rejected_count=summary.get("rejected_count"),
        rejected=[RejectedRow(**r) for r in summary.get("rejected", [])[:SHOWN_REJECTED]],
        changes=found.changes,
        problem=found.problem,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )


@router.post("/imports", status_code=202)
async def add_import(
    title: Annotated[str, Form(min_length=1, max_length=120, examples=["建筑 2026"])],
    file: Annotated[UploadFile | None, File(description="the file, or `upload` instead")] = None,
    upload: Annotated[UUID | None, Form(description="a finished upload of POST /api/uploads")] = None,
    mode: Annotated[Literal["create", "append", "replace", "upsert"], Form()] = "create",
    dataset: Annotated[str | None, Form(max_length=63, description="the dataset to change; none for create")] = None,
    preview: Annotated[bool, Form(description="stop before storing and show what would change")] = False,
    title_en: Annotated[str, Form(max_length=120)] = "",
    crs: Annotated[str | None, Form(max_length=80, description="frame of the coordinates; empty: as the file says")] = None,
    encoding: Annotated[str | None, Form(max_length=40)] = None,
    x: Annotated[str | None, Form(max_length=120)] = None,
    y: Annotated[str | None, Form(max_length=120)] = None,
    key: Annotated[str | None, Form(max_length=120, description="attribute that tells features apart")] = None,
    layer: Annotated[str | None, Form(max_length=120, description="layer of a file of several, or a sheet")] = None,
    address: Annotated[str | None, Form(max_length=120, description="column of addresses of a table without coordinates; empty: found by its name")] = None,
    height: Annotated[str | None, Form(max_length=120, description="column of heights; empty: the Z of the shapes, where `datum` is given")] = None,
    datum: Annotated[Literal["1985", "ellipsoidal"] | None, Form(description="what heights are above; they are kept as height_1985_m")] = None,
    axes: Annotated[Literal["xy", "yx"], Form()] = "xy",
    licence: Annotated[str, Form(max_length=200)] = "",
    vintage: Annotated[str, Form(max_length=10, description="the time the data stand for: a year, month or day; empty: not stated", examples=["2026-05"])] = "",
    owner: Annotated[str, Form(max_length=120, description="whose data it is; empty: the caller's name")] = "",
    caller: Caller = Depends(may_apart("import")),
    pool: AsyncConnectionPool = Depends(pool_of),
    settings: Settings = Depends(settings_of),
) -> ImportJob:
    """Takes a file and leaves its reading to a worker: follow it at GET /api/imports/{id}. No database connection is held while bytes come in."""
    if (file is None) == (upload is None):
        raise InvalidInput("须给出 file 或 upload 之一 · give one of file and upload", remedy="multipart file, or the id of a finished upload")
    about = About(title=title, title_en=title_en, licence=licence, vintage=vintage_of(vintage), owner=" ".join(owner.split()) or caller.name, created_by=caller.id)
    options = Options(crs=crs or None, encoding=encoding or None, x=x or None, y=y or None, key=key or None, layer=layer or None, swapped=axes == "yx", address=address or None, height=height or None, datum=datum)
    if file is not None:
        path, name = await received(file, settings), file_name(file.filename, "upload")
    else:
        async with pool.connection() as connection:
            path, name = await uploads.finished(connection, settings.data_dir, upload, caller.id)
    try:
        async with pool.connection() as connection:
            made = await imports.submit(
                connection, settings.data_dir, path, name, about, options, scope=caller.scope, mode=mode, dataset_id=dataset or None, preview=preview
            )
            await audit.note(connection, caller.id, "import.asked", f"import/{made.id}", {"title": title, "source": name, "mode": mode, "dataset": dataset or None})
            if upload is not None:
                await uploads.forget(connection, upload)
    finally:
        if file is not None:
            path.unlink(missing_ok=True)
    if upload is not None:
        path.unlink(missing_ok=True)
    return of(made)


@router.get("/imports")
async def list_imports(caller: Caller = Depends(may_apart("import")), pool: AsyncConnectionPool = Depends(pool_of)) -> list[ImportJob]:
    """The latest imports of the caller's region, newest first."""
    async with pool.connection() as connection:
        return [of(found) for found in await imports.page(connection, caller.scope)]


@router.get("/imports/{import_id}")
async def show_import(import_id: UUID, caller: Caller = Depends(may_apart("import")), pool: AsyncConnectionPool = Depends(pool_of)) -> ImportJob:
    """How far it is, what would change, why it was refused."""
    async with pool.connection() as connection:
        return of(await imports.get(connection, caller.scope, import_id))


@router.get("/imports/{import_id}/rejected", response_class=Response, responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}})
async def rejected_rows(import_id: UUID, caller: Caller = Depends(may_apart("import")), pool: AsyncConnectionPool = Depends(pool_of)) -> Response:
    """The bad rows that were named, as CSV for a spreadsheet: number in the file (the header not counted) and reason. UTF-8 with a mark at its start."""
    async with pool.connection() as connection:
        found = await imports.get(connection, caller.scope, import_id)
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(("行号 row", "原因 reason"))
    lines.writerows((r["row"], _cell(r["reason"])) for r in imports.bad_rows(found))
    headers = {"Content-Disposition": f'attachment; filename="rejected-{import_id}.csv"', "Cache-Control": "no-store"}
    return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(text: str) -> str:
    """Text that a spreadsheet takes for text, whatever a stranger's file put into it.

    >>> _cell("=1+1"), _cell("键重复 · duplicate key")
    ("'=1+1", '键重复 · duplicate key')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


@router.post("/imports/{import_id}/again", status_code=202)
async def import_again(
    import_id: UUID,
    crs: Annotated[str | None, Form(max_length=80, description="another frame; empty: as declared before")] = None,
    axes: Annotated[Literal["xy", "yx"] | None, Form()] = None,
    key: Annotated[str | None, Form(max_length=120)] = None,
    caller: Caller = Depends(may_apart("import")),
    pool: AsyncConnectionPool = Depends(pool_of),
    settings: Settings = Depends(settings_of),
) -> ImportJob:
    """Reads the same file anew, with another declaration where one is given: no bytes are sent again. Only what failed or was cancelled."""
    said = {"crs": crs or None, "key": key or None, "swapped": None if axes is None else axes == "yx"}
    async with pool.connection() as connection:
        made = await imports.again(connection, settings.data_dir, caller.scope, import_id, {k: v for k, v in said.items() if v is not None}, caller.id)
        await audit.note(connection, caller.id, "import.again", f"import/{made.id}", {"of": str(import_id)})
    return of(made)


@router.post("/imports/{import_id}/commit", status_code=202)
async def commit_import(import_id: UUID, caller: Caller = Depends(may_apart("import")), pool: AsyncConnectionPool = Depends(pool_of)) -> ImportJob:
    """Stores what was looked at, whole; refused when the dataset was changed meanwhile."""
    async with pool.connection() as connection:
        found = await imports.store(connection, caller.scope, import_id)
        await audit.note(connection, caller.id, "import.committed", f"import/{import_id}")
        return of(found)


@router.post("/imports/{import_id}/cancel")
async def cancel_import(import_id: UUID, caller: Caller = Depends(may_apart("import")), pool: AsyncConnectionPool = Depends(pool_of)) -> ImportJob:
    """Calls it off: nothing of it stays."""
    async with pool.connection() as connection:
        found = await imports.cancel(connection, caller.scope, import_id)
        await audit.note(connection, caller.id, "import.cancelled", f"import/{import_id}")
        return of(found)
