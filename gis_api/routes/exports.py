"""Files of layers for people to take away: asked for with a reason, made by the worker, handed out to who asked."""

from pathlib import Path
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import Page, database, page, settings_of
from gis_api.problems import RESPONSES
from gis_api.routes.layers import layers_of
from gis_api.wire.exports import ExportIn, ExportOut
from grid.settings import Settings
from layers import exports
from layers.catalog import Catalog

REFUSED = {400: {"description": "过滤条件有误 · invalid filter", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}}
router = APIRouter(prefix="/api", tags=["exports"], responses=RESPONSES)


def shown(found: exports.Export) -> ExportOut:
    """The wire shape of an export."""
    names = [name for name in ExportOut.model_fields if name != "file"]
    return ExportOut(**{name: getattr(found, name) for name in names}, file=f"/api/exports/{found.id}/file" if found.state == "done" else None)


@router.post("/exports", status_code=202, responses=REFUSED)
async def ask_export(
    body: ExportIn, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database), declared: Catalog = Depends(layers_of)
) -> ExportOut:
    """Asks for a file of what the caller may see of a layer. At most three at once; each is audited with its reason."""
    wanted = exports.Wanted(body.layer, body.format, body.crs, body.reason, body.filter, body.filter_lang, body.bbox, body.paper, body.title)
    return shown(await exports.request(connection, declared, caller.scope, caller.id, wanted))


@router.get("/exports")
async def list_exports(paging: Page = Depends(page), caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[ExportOut]:
    """The caller's own exports, newest first."""
    return [shown(found) for found in await exports.page(connection, caller.id, paging.limit, paging.offset)]


@router.get("/exports/{export_id}")
async def show_export(export_id: UUID, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> ExportOut:
    """One of the caller's own exports."""
    return shown(await exports.get(connection, caller.id, export_id))


@router.get("/exports/{export_id}/file", response_class=FileResponse, responses={200: {"content": {media: {} for _, media in exports.FORMATS.values()}}})
async def export_file(
    export_id: UUID, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> FileResponse:
    """The file, to who asked for it; each time is audited."""
    found, path = await exports.hand_out(connection, settings.data_dir, caller.id, export_id)
    return FileResponse(Path(path), media_type=exports.FORMATS[found.format][1], filename=found.file_name, headers={"Cache-Control": "private, no-store"})
