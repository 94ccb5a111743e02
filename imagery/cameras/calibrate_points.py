"""Control points of cameras from files, and how well a calibration places points it has not seen.

Two shapes of file: rows `left, top, right, bottom, seconds, latitude, longitude, height` (boxes in pixels, radians, metres: the vehicle that
carried a receiver through the picture), and JSON with `gcps.src` (pixels), `gcps.dst` (metres of `crs`), `width`, `height` and `camera_matrix`
(pyorc's camera configuration).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grid.errors import InvalidInput, UnsupportedMedia
from grid.geometry import GEOD
from imagery.cameras.calibrate import CHI90, LEAST, Array, Points, calibrate

PASS_S = 20.0
"""A gap longer than this parts two drives through the picture."""
PICTURE = (1024, 768)
_MOST = 20_000_000


@dataclass(frozen=True, slots=True)
class Control:
    """Control points and, where the file has times, the drive (`passes`, whole numbers) each belongs to."""

    points: Points
    passes: Array | None


def read(path: Path, size: tuple[int, int] | None = None) -> Control:
    """Control points of a file. `size`: width and height of the picture where the file names none (1024 × 768, or what the boxes need).

    Raises UnsupportedMedia for a file of neither shape, InvalidInput for fewer than 4 points.
    """
    if path.stat().st_size > _MOST:
        raise InvalidInput(f"文件过大 · {path.name} has {path.stat().st_size:,} bytes", remedy=f"at most {_MOST:,}")
    text = path.read_text(encoding="utf-8-sig")
    try:
        control = _configuration(json.loads(text)) if text.lstrip().startswith("{") else _rows(text, size)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UnsupportedMedia(
            f"不是控制点文件 · {path.name} holds no control points: {error}",
            remedy="rows of left, top, right, bottom, seconds, lat, lon, height, or JSON with gcps",
        ) from error
    if len(control.points) < LEAST:
        raise InvalidInput(f"控制点太少 · {path.name} holds {len(control.points)} control points", remedy=f"at least {LEAST}")
    return control


def _rows(text: str, size: tuple[int, int] | None) -> Control:
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and any(c.isalpha() for c in lines[0].replace("e", "").replace("E", "")):
        lines = lines[1:]
    rows = np.array([[float(part) for part in line.split(",")[:8]] for line in lines])
    if rows.ndim != 2 or rows.shape[1] < 7 or np.abs(rows[:, 5]).max() > np.pi / 2 or np.abs(rows[:, 6]).max() > np.pi:
        raise ValueError("expected seven or eight columns, with latitude and longitude in radians")
    lat, lon = np.degrees(rows[:, 5]), np.degrees(rows[:, 6])
    middle = float(lon.mean()), float(lat.mean())
    azimuth, _, metres = GEOD.inv(np.full(len(lon), middle[0]), np.full(len(lat), middle[1]), lon, lat)
    ground = np.stack([metres * np.sin(np.radians(azimuth)), metres * np.cos(np.radians(azimuth))], axis=1)
    boxes = rows[:, :4]
    width, height = size or (max(PICTURE[0], int(boxes[:, 2].max())), max(PICTURE[1], int(boxes[:, 3].max())))
    order = np.argsort(rows[:, 4], kind="stable")
    passes = np.empty(len(rows), int)
    passes[order] = np.cumsum(np.concatenate([[False], np.diff(rows[order, 4]) > PASS_S]))
    return Control(Points(boxes, ground, width, height), passes)


def _configuration(held: dict) -> Control:
    pixels = np.array(held["gcps"]["src"], float)
    ground = np.array(held["gcps"]["dst"], float)[:, :2]
    matrix = held.get("camera_matrix")
    focal = float(matrix[0][0]) if matrix else None
    return Control(Points(np.concatenate([pixels, pixels], axis=1), ground, int(held["width"]), int(held["height"]), focal), None)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Errors (m) of places that a calibration has not seen, and the squares of how many standard deviations those are."""

    errors_m: Array
    squared: Array

    @property
    def held(self) -> Array:
        """Which places lie inside their 90 % regions."""
        return self.squared <= CHI90

    def as_dict(self) -> dict[str, float | int]:
        e = self.errors_m
        figures = {"mean_m": e.mean(), "median_m": np.median(e), "max_m": e.max(), "coverage90": self.held.mean()}
        return {name: round(float(value), 3) for name, value in figures.items()} | {"points": len(e)}


def leave_out(points: Points, groups: Array) -> Judgement:
    """Each group of points placed by a calibration of all the others: nothing of what is left out is used, the lens's start and the model's weights included."""
    errors, squared = np.empty(len(points)), np.empty(len(points))
    for group in np.unique(groups):
        out = groups == group
        place, covariance = calibrate(points.only(~out)).place(points.boxes[out])
        errors[out], squared[out] = _against(place, covariance, points.ground[out])
    return Judgement(errors, squared)


def at_control(points: Points) -> Judgement:
    """The control points themselves, placed by a calibration that knows them."""
    return Judgement(*_against(*calibrate(points).place(points.boxes), points.ground))


def _against(place: Array, covariance: Array, truth: Array) -> tuple[Array, Array]:
    off = place - truth
    distance = np.einsum("ni,nij,nj->n", off, np.linalg.inv(covariance), off)
    return np.hypot(off[:, 0], off[:, 1]), distance
