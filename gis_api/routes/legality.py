"""Legality: verdicts that flipped when a register was corrected, and whether a photo proves a patch."""

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.legality import Flip, PhotoProof
from grid.casework import field_photos, legality
from grid.casework.legality.registers import REGISTERS
from grid.casework.photo_proof import LevelGround
from grid.sensing import alerts
from grid.settings import Settings
from imagery.cameras.stands import terrain_at

router = APIRouter(prefix="/api", tags=["legality"], responses=RESPONSES)


@router.get("/legality/flips")
async def list_flips(
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[Flip]:
    """Verdicts of the caller's region that flipped when a register was corrected, newest first."""
    known = legality.rules()
    return [
        Flip(
            **asdict(found),
            rule=known[found.rule_id].title if found.rule_id in known else found.rule_id,
            rule_en=known[found.rule_id].title_en if found.rule_id in known else found.rule_id,
            register_name=REGISTERS[found.decided_by].title if found.decided_by in REGISTERS else "许可证",
            register_name_en=REGISTERS[found.decided_by].title_en if found.decided_by in REGISTERS else "permits",
        )
        for found in await legality.flips(connection, caller.scope, limit)
    ]


@router.get("/alerts/{alert_id}/proof/{sha256}")
async def photo_proof(
    alert_id: int,
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
    settings: Settings = Depends(settings_of),
) -> PhotoProof:
    """Whether a stored photo truly sees the changed polygon of an alert, past buildings and terrain, at a time that fits; where to stand if it does not."""
    alert = await alerts.get(connection, caller.scope, alert_id)
    ground = await asyncio.to_thread(terrain_at, settings.data_dir, alert.geom.x, alert.geom.y)
    return PhotoProof.model_validate(await field_photos.prove(connection, caller.scope, settings.data_dir, alert_id, sha256, ground or LevelGround()))
