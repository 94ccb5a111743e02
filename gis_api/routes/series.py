"""An index over time at a clicked place."""

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import Window, database, settings_of, window
from gis_api.problems import RESPONSES
from gis_api.wire.series import Series, SeriesPoint
from grid.settings import Settings
from imagery.scenes import catalogue, indices, series

router = APIRouter(prefix="/api/series", tags=["scenes"], responses=RESPONSES)
MOST = 200
NEAR_DEG = 1e-6
"""A box of no area meets nothing."""


@router.get("")
async def index_over_time(
    lon: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False, examples=[120.56])],
    lat: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, examples=[36.17])],
    index: Annotated[str, Query(max_length=32, description="ndvi, nbr, ndwi, ndmi or ndbi")] = "ndvi",
    span: Window = Depends(window),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
    settings: Settings = Depends(settings_of),
) -> Series:
    """The value of an index at a point in the newest 200 scenes of the caller's region that show it, oldest first, with clouds flagged."""
    asked = indices.get(index)
    scenes = await catalogue.page(connection, caller.scope, bbox=(lon - NEAR_DEG, lat - NEAR_DEG, lon + NEAR_DEG, lat + NEAR_DEG), since=span.since, until=span.until, limit=MOST)
    points = await asyncio.to_thread(series.read, scenes, settings.data_dir, lon, lat, asked)
    return Series(index=asked.id, title=asked.title, title_en=asked.title_en, source=asked.source, points=[SeriesPoint(**asdict(point)) for point in points])
