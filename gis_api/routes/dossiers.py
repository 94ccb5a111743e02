"""The file on a patch, to take away: report and evidence package."""

import asyncio
from urllib.parse import quote

from fastapi import APIRouter, Depends, Response
from psycopg import AsyncConnection

from gis_api import dossier
from gis_api.auth import Caller, signed_in
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from grid.casework import patches
from grid.casework.photo_proof import LevelGround
from grid.settings import Settings
from imagery.cameras.stands import terrain_at

router = APIRouter(prefix="/api/patches", tags=["patches"], responses=RESPONSES)


async def gathered(patch_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)) -> dossier.Dossier:
    """All that is told of a patch of the caller's region."""
    patch = await patches.get(connection, caller.scope, patch_id)
    ground = await asyncio.to_thread(terrain_at, settings.data_dir, patch.lon, patch.lat)
    return await dossier.gather(connection, caller.scope, settings.data_dir, patch_id, caller.name, ground or LevelGround())


def _file(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}", "Cache-Control": "private, no-store"})


@router.get("/{patch_id}/report.pdf", response_class=Response, responses={200: {"content": {"application/pdf": {}}}})
async def report(patch_id: int, found: dossier.Dossier = Depends(gathered), settings: Settings = Depends(settings_of)) -> Response:
    """The report on a patch: vintages, area, the law with the versions that decided, history, photos."""
    drawn = await asyncio.to_thread(dossier.pictures, found, settings.data_dir)
    return _file(await asyncio.to_thread(dossier.report, found, drawn), "application/pdf", f"图斑{patch_id}核查报告.pdf")


@router.get("/{patch_id}/evidence.zip", response_class=Response, responses={200: {"content": {"application/zip": {}}}})
async def evidence(patch_id: int, found: dossier.Dossier = Depends(gathered), settings: Settings = Depends(settings_of)) -> Response:
    """The evidence package of a patch: report, pictures, vectors, log, legality with layer versions, manifest of hashes."""
    return _file(await asyncio.to_thread(dossier.package, found, settings.data_dir), "application/zip", f"图斑{patch_id}证据包.zip")
