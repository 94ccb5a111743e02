"""hdq camera: work on one registered camera."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from gis_api.commands import console, ready
from gis_api.routes.calibrations import pose_of
from gis_api.wire.calibrations import points_of
from grid.database import Scope, connect, row
from grid.errors import HdqError, NotFound
from grid.settings import Settings
from grid.world import camera_calibrations, cameras

group = typer.Typer(help="摄像机 · One registered camera.", no_args_is_help=True)


@group.callback()
def camera() -> None:
    """Works on one registered camera."""


@group.command()
def calibrate(
    code: Annotated[str, typer.Argument(help="20 digits of the camera")],
    points: Annotated[Path, typer.Argument(help="rows x,y,lon,lat (control points), x,y (horizon) or at,left,top,right,bottom,lon,lat (a vehicle), pixels or fractions; or JSON as for POST …/calibrations", exists=True, dir_okay=False)],
    apply: Annotated[bool, typer.Option("--apply", help="make it the camera's pose")] = False,
) -> None:
    """Works out a camera's pose from control points, a tracked vehicle or the horizon, keeps it with the error of the fit, and prints both; the last line is JSON."""
    try:
        found = asyncio.run(_calibrate(ready(), code, points.read_text(encoding="utf-8-sig"), apply))
    except HdqError as error:
        console.print(f"[red]{error.detail}[/red] {error.remedy}")
        raise typer.Exit(1) from error
    for name, was in found.was.items():
        console.print(f"{name:16} {was:10.3f} → {found.pose.get(name, was):10.3f}")
    print(json.dumps({"calibration": found.id, "method": found.method, "applied": found.applied_at is not None, **found.fit}))


async def _calibrate(settings: Settings, code: str, text: str, apply: bool) -> camera_calibrations.Calibration:
    scope = Scope(settings.city_code)
    async with await connect(settings.database_url or "") as connection:
        known = await row(connection, "SELECT id FROM cameras WHERE code = %(code)s", {"code": code})
        if known is None:
            raise NotFound(f"没有摄像机 {code} · no such camera", remedy="import it first: docs/cameras.md")
        camera = await cameras.get(connection, known["id"], scope)
        body = points_of(text, camera.image_width, camera.image_height)
        posed = await asyncio.to_thread(pose_of, camera, body, settings)
        made = await camera_calibrations.add(connection, camera, posed.method, body.given(), posed.pose, posed.fit, None)
        return await camera_calibrations.apply(connection, scope, camera.id, made.id, None) if apply else made
