"""Files sent in parts: create, PATCH by offset, HEAD to learn the offset after a break, DELETE. Checked by hash when whole."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Header, Request, Response
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import Caller, may_apart
from gis_api.params import file_name, pool_of, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.imports import Upload
from grid import audit
from grid.errors import InvalidInput, TooLarge
from grid.settings import Settings
from layers import uploads

router = APIRouter(prefix="/api", tags=["imports"], responses=RESPONSES)


@router.post("/uploads", status_code=201)
async def begin_upload(
    response: Response,
    name: Annotated[str, Form(min_length=1, max_length=255, examples=["建筑.geojson"])],
    size_bytes: Annotated[int, Form(ge=1, description="of the whole file")],
    sha256: Annotated[str, Form(pattern="^[0-9a-fA-F]{64}$", description="of the whole file")],
    caller: Caller = Depends(may_apart("import", "scenes")),
    pool: AsyncConnectionPool = Depends(pool_of),
    settings: Settings = Depends(settings_of),
) -> Upload:
    """A place for a file; send its parts with PATCH, then POST /api/imports or /api/scenes with its id."""
    async with pool.connection() as connection:
        made = await uploads.begin(
            connection, settings.data_dir, file_name(name, "upload"), size_bytes, sha256, caller.id, max_bytes=settings.max_upload_mb * 2**20
        )
    response.headers["Location"] = f"/api/uploads/{made.id}"
    return Upload(id=made.id, name=made.name, size_bytes=made.size_bytes, offset=0, complete=False)


@router.head("/uploads/{upload_id}", status_code=204)
async def ask_upload(
    upload_id: UUID, caller: Caller = Depends(may_apart("import", "scenes")), pool: AsyncConnectionPool = Depends(pool_of), settings: Settings = Depends(settings_of)
) -> Response:
    """Upload-Offset says how many bytes are there."""
    async with pool.connection() as connection:
        found = await uploads.get(connection, upload_id, caller.id)
    there = uploads.offset(settings.data_dir, found)
    return Response(status_code=204, headers={"Upload-Offset": str(there), "Upload-Length": str(found.size_bytes), "Cache-Control": "no-store"})


@router.patch(
    "/uploads/{upload_id}",
    status_code=204,
    openapi_extra={"requestBody": {"required": True, "content": {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def continue_upload(
    request: Request,
    upload_id: UUID,
    upload_offset: Annotated[int, Header(ge=0, description="where this part begins")],
    caller: Caller = Depends(may_apart("import", "scenes")),
    pool: AsyncConnectionPool = Depends(pool_of),
    settings: Settings = Depends(settings_of),
) -> Response:
    """Adds a part of at most 32 MiB; on the disk when this answers. 409 with the true offset when it does not fit."""
    async with pool.connection() as connection:
        found = await uploads.get(connection, upload_id, caller.id)
    part = bytearray()
    async for block in request.stream():
        part += block
        if len(part) > uploads.MAX_PART_BYTES:
            raise TooLarge(f"一部分超过 {uploads.MAX_PART_BYTES:,} 字节 · a part exceeds {uploads.MAX_PART_BYTES:,} bytes", remedy="分成更小的部分 · send smaller parts")
    if not part:
        raise InvalidInput("空的部分 · an empty part", remedy="send the bytes from Upload-Offset on")
    there = await asyncio.to_thread(uploads.append, settings.data_dir, found, upload_offset, bytes(part))
    return Response(status_code=204, headers={"Upload-Offset": str(there), "Cache-Control": "no-store"})


@router.delete("/uploads/{upload_id}", status_code=204)
async def end_upload(
    upload_id: UUID, caller: Caller = Depends(may_apart("import", "scenes")), pool: AsyncConnectionPool = Depends(pool_of), settings: Settings = Depends(settings_of)
) -> None:
    """Lets go of an upload and its bytes. Audited."""
    async with pool.connection() as connection:
        found = await uploads.get(connection, upload_id, caller.id)
        await uploads.forget(connection, upload_id)
        await audit.note(connection, caller.id, "upload.deleted", f"upload/{upload_id}", {"name": found.name, "size_bytes": found.size_bytes})
    uploads.path_of(settings.data_dir, upload_id).unlink(missing_ok=True)
