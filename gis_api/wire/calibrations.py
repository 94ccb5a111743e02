"""Calibrations of cameras on the wire."""

from bisect import bisect_left
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from gis_api.wire.base import Wire
from gis_api.wire.camera_zones import ControlPoint
from grid.errors import InvalidInput


class HorizonPoint(Wire):
    """A point on the line between ground and sky, as fractions of the frame (x right, y down)."""

    x: float = Field(ge=0, le=1, allow_inf_nan=False)
    y: float = Field(ge=0, le=1, allow_inf_nan=False)


class VehicleBox(Wire):
    """Where a tracker saw the vehicle, as fractions of the frame (x right, y down)."""

    at: AwareDatetime
    left: float = Field(ge=0, le=1, allow_inf_nan=False)
    top: float = Field(ge=0, le=1, allow_inf_nan=False)
    right: float = Field(ge=0, le=1, allow_inf_nan=False)
    bottom: float = Field(ge=0, le=1, allow_inf_nan=False)


class VehiclePosition(Wire):
    """Where the vehicle's receiver was."""

    at: AwareDatetime
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)
    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)


class Drive(Wire):
    """A vehicle of known position that drove through the picture, once or often; times of one clock."""

    boxes: list[VehicleBox] = Field(max_length=5000)
    positions: list[VehiclePosition] = Field(max_length=20_000)

    def beside(self) -> list[VehiclePosition]:
        """The positions next to the times of the boxes, on both sides: all of the log that a calibration uses."""
        ordered = sorted({position.at: position for position in reversed(self.positions)}.values(), key=lambda position: position.at)
        times = [position.at for position in ordered]
        after = {bisect_left(times, box.at) for box in self.boxes}
        near = {i + step for i in after for step in (-1, 0, 1)}
        return [ordered[i] for i in sorted(near) if 0 <= i < len(ordered)]


class CalibrationIn(Wire):
    """One of: control points on the ground, points of the horizon, a tracked vehicle of known position."""

    control: list[ControlPoint] = Field(default_factory=list, max_length=200)
    horizon: list[HorizonPoint] = Field(default_factory=list, max_length=200)
    vehicle: Drive | None = None

    def given(self) -> list[dict[str, Any]]:
        """What was given, as it is kept with the calibration, which can be worked out from it again: of a vehicle's log what lies beside the boxes."""
        drive = (*self.vehicle.boxes, *self.vehicle.beside()) if self.vehicle else ()
        return [each.model_dump(mode="json") for each in (*self.control, *self.horizon, *drive)]


class CalibrationOut(Wire):
    """What the points say of a camera's pose, what was registered, and the errors of the fit."""

    id: int
    camera_id: int
    method: Literal["control_points", "horizon", "vehicle"]
    given: list[Any]
    pose: dict[str, float] = Field(description="azimuth_deg, pitch_deg, hfov_deg, pose_sigma_deg, as far as the points tell")
    was: dict[str, float]
    fit: dict[str, float | int | bool | None] = Field(
        description="control points: rms_m of the fit; mean_m, max_m, coverage90 of points placed by others; off_m from the registered place; of a vehicle also drives, left_out (boxes) and lift (its receiver, as a share of the box) and widened (by which the pose's error was multiplied, for drives disagree). Horizon: rms_deg, sigmas, azimuth_known"
    )
    applied_at: datetime | None
    made_by: str | None
    made_at: datetime


def points_of(text: str, width: int, height: int) -> CalibrationIn:
    """Points of a file: JSON as CalibrationIn, or rows `x,y,lon,lat` (control points), `x,y` (horizon) or `at,left,top,right,bottom,lon,lat` (boxes of
    a vehicle and where it was then; `at` in seconds or ISO 8601 with offset), with or without a heading.

    Numbers above 1 are pixels of a picture of this size. Raises InvalidInput, which names the row.
    """
    if text.lstrip().startswith("{"):
        try:
            return CalibrationIn.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise InvalidInput(f"{'.'.join(map(str, first['loc']))}：{first['msg']}", remedy='{"control": [{"x": 0.5, "y": 0.7, "lon": …, "lat": …}]}') from error
    rows = [line.split(",") for line in text.splitlines() if line.strip()]
    rows = rows[1:] if rows and not rows[0][-1].strip().lstrip("-").replace(".", "", 1).isdigit() else rows
    try:
        if rows and len(rows[0]) == 7:
            return CalibrationIn(vehicle=_drive(rows, width, height))
        numbers = [[float(part) for part in row] for row in rows]
        across, down = (size if any(max(row[:2]) > 1 for row in numbers) else 1 for size in (width, height))
        if len(rows[0]) == 4:
            return CalibrationIn(control=[ControlPoint(x=x / across, y=y / down, lon=lon, lat=lat) for x, y, lon, lat in numbers])
        return CalibrationIn(horizon=[HorizonPoint(x=x / across, y=y / down) for x, y in numbers])
    except (ValueError, IndexError, ValidationError) as error:
        raise InvalidInput(f"点文件有误 · the file of points cannot be read: {str(error).splitlines()[0]}", remedy="rows of x,y,lon,lat (control points), x,y (horizon) or at,left,top,right,bottom,lon,lat (vehicle)") from error


def _drive(rows: list[list[str]], width: int, height: int) -> Drive:
    """Rows of `at, left, top, right, bottom, lon, lat`; boxes in pixels of a picture of this size where any number is above 1."""
    boxes, positions = [], []
    pixels = any(float(value) > 1 for row in rows for value in row[1:5])
    for moment, *values in rows:
        text = moment.strip()
        at = datetime.fromtimestamp(float(text), UTC) if text.replace(".", "", 1).isdigit() else datetime.fromisoformat(text)
        left, top, right, bottom, lon, lat = (float(value) for value in values)
        across, down = (width, height) if pixels else (1, 1)
        boxes.append(VehicleBox(at=at, left=left / across, top=top / down, right=right / across, bottom=bottom / down))
        positions.append(VehiclePosition(at=at, lon=lon, lat=lat))
    return Drive(boxes=boxes, positions=positions)
