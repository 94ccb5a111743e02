"""Calibrations of cameras on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from gis_api.wire.base import Wire
from gis_api.wire.camera_zones import ControlPoint
from grid.errors import InvalidInput


class HorizonPoint(Wire):
    """A point on the line between ground and sky, as fractions of the frame (x right, y down)."""

    x: float = Field(ge=0, le=1, allow_inf_nan=False)
    y: float = Field(ge=0, le=1, allow_inf_nan=False)


class CalibrationIn(Wire):
    """Either control points on the ground, or points of the horizon."""

    control: list[ControlPoint] = Field(default_factory=list, max_length=200)
    horizon: list[HorizonPoint] = Field(default_factory=list, max_length=200)


class CalibrationOut(Wire):
    """What the points say of a camera's pose, what was registered, and the errors of the fit."""

    id: int
    camera_id: int
    method: Literal["control_points", "horizon"]
    given: list[Any]
    pose: dict[str, float] = Field(description="azimuth_deg, pitch_deg, hfov_deg, pose_sigma_deg, as far as the points tell")
    was: dict[str, float]
    fit: dict[str, float | int | bool | None] = Field(
        description="control points: rms_m of the fit; mean_m, max_m, coverage90 of points placed by others; off_m from the registered place. Horizon: rms_deg, sigmas, azimuth_known"
    )
    applied_at: datetime | None
    made_by: str | None
    made_at: datetime


def points_of(text: str, width: int, height: int) -> CalibrationIn:
    """Points of a file: JSON as CalibrationIn, or rows `x,y,lon,lat` (control points) or `x,y` (horizon) with or without a heading.

    Numbers above 1 are pixels of a picture of this size. Raises InvalidInput, which names the row.
    """
    if text.lstrip().startswith("{"):
        try:
            return CalibrationIn.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise InvalidInput(f"{'.'.join(map(str, first['loc']))}：{first['msg']}", remedy='{"control": [{"x": 0.5, "y": 0.7, "lon": …, "lat": …}]}') from error
    rows = [line.split(",") for line in text.splitlines() if line.strip()]
    rows = rows[1:] if rows and not rows[0][0].strip().lstrip("-").replace(".", "", 1).isdigit() else rows
    try:
        numbers = [[float(part) for part in row] for row in rows]
        across, down = (size if any(max(row[:2]) > 1 for row in numbers) else 1 for size in (width, height))
        if len(rows[0]) == 4:
            return CalibrationIn(control=[ControlPoint(x=x / across, y=y / down, lon=lon, lat=lat) for x, y, lon, lat in numbers])
        return CalibrationIn(horizon=[HorizonPoint(x=x / across, y=y / down) for x, y in numbers])
    except (ValueError, IndexError, ValidationError) as error:
        raise InvalidInput(f"点文件有误 · the file of points cannot be read: {str(error).splitlines()[0]}", remedy="rows of x,y,lon,lat (control points) or x,y (horizon)") from error
