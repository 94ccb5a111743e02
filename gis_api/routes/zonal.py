"""A scene's index over the governance grids: how green is each."""

import asyncio
from typing import Annotated, Literal

import numpy as np
import shapely
from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.zonal import ZonalOut, ZoneFigures, ZoneOut
from grid.clock import ZONE
from grid.settings import Settings
from grid.world import cells
from imagery.scenes import catalogue, indices, zonal

router = APIRouter(tags=["scenes"], responses=RESPONSES)


@router.get("/api/scenes/{scene_id}/zonal")
async def figures(
    scene_id: str,
    index: Annotated[str, Query(max_length=16, description="an index that the scene's bands make", examples=["ndvi"])] = "ndvi",
    kind: Annotated[Literal["unit", "management", "evaluation"], Query(description="which grids")] = "management",
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
    settings: Settings = Depends(settings_of),
) -> ZonalOut:
    """Mean, spread, least and most of an index in each grid of the caller's region that the scene touches, pixels counted by the share that lies in it."""
    chosen = indices.get(index)
    scene = await catalogue.get(connection, caller.scope, scene_id)
    day = scene.taken_at.astimezone(ZONE).date()
    found = [cell for cell in await cells.valid_on(connection, caller.scope, day, kind) if shapely.intersects(cell.geom, scene.geom)]
    made = await asyncio.to_thread(zonal.of_scene, scene.path(settings.data_dir), scene.band_names, chosen.id, [cell.geom for cell in found])
    return ZonalOut(
        scene=scene.id, index=chosen.id, title=chosen.title, title_en=chosen.title_en, source=chosen.source, step=indices.STEP,
        features=[
            ZoneOut(
                id=cell.code, geometry=shapely.geometry.mapping(cell.geom),
                properties=ZoneFigures(
                    code=cell.code, name=cell.name, mean=_number(made.mean[n]), deviation=_number(made.deviation[n]), least=_number(made.least[n]),
                    most=_number(made.most[n]), share=round(float(made.share[n]), 4),
                ),
            )
            for n, cell in enumerate(found)
        ],
    )  # fmt: skip


def _number(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None
