"""Zones in a picture: what a zone on the map becomes in a camera's frame, how sure a foot is inside, how long a track stayed, what crossed a line. Pure.

Fractions of the frame throughout (x right, y down). A foot, the middle of a box's lower edge, is known to 2 pixels and 3 % of its box, as for `locate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import shapely
from numpy.typing import NDArray

from imagery.cameras.calibrate import NAMES
from imagery.cameras.eyes import DRAWS, Eye
from imagery.cameras.locate import noise_of
from imagery.cameras.tracking import Fractions

Array = NDArray[np.float64]
INSIDE = 0.5
"""From this probability on a foot counts as inside."""

CORNERS = 96
SAMPLES = 400


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A zone in a picture. `best`: what is seen of it, in fractions (empty where nothing is); `draws`: the same for each camera that the errors allow.
    `visible`: share of its ground (of its length, for a line) in the picture and not hidden; `sigma`: standard error of its border as a share of the frame's width."""

    best: shapely.Geometry
    draws: tuple[shapely.Geometry, ...]
    visible: float
    sigma: float


def drawn(shape: shapely.Geometry) -> Outline:
    """A zone that was drawn in the picture itself: exact."""
    return Outline(shape, (shape,), 1.0, 0.0)


def projected(shape: shapely.Geometry, eye: Eye) -> Outline:
    """A zone on the map (EPSG:4326, polygon or line) as `eye` sees it. A border that runs behind the lens, over unknown ground or a ridge is left out."""
    seen = eye.before(shape)
    parts = [part for part in shapely.get_parts(seen) if part.geom_type == shape.geom_type and not part.is_empty]
    if not parts:
        return Outline(shapely.Polygon(), (), 0.0, 0.0)
    frame = np.array([eye.width, eye.height])
    cameras: list[list[shapely.Geometry]] = [[] for _ in range(DRAWS + 1)]
    spreads = []
    for part in parts:
        corners = shapely.get_coordinates(shapely.segmentize(part, part.length / CORNERS))
        found = eye.pixels(corners[:, 0], corners[:, 1]) / frame
        inside = np.isfinite(found).all(axis=(0, 2)) & ((found[0] >= 0) & (found[0] <= 1)).all(axis=1)
        if inside.any():
            off = (found[1:, inside] - found[0, inside]) * np.array([1.0, eye.height / eye.width])
            spreads.append(np.sqrt((off**2).sum(axis=2).mean(axis=0)))
        for camera, points in zip(cameras, found, strict=True):
            camera.append(_in_frame(points, part.geom_type))
    best, *others = (shapely.union_all([piece for piece in pieces if not piece.is_empty]) for pieces in cameras)
    sigma = float(np.median(np.concatenate(spreads))) if spreads else 0.0
    return Outline(best, tuple(others), _visible(shape, seen, eye), sigma)


def _in_frame(points: Array, geom_type: str) -> shapely.Geometry:
    """The polygon or line through points, as far as it lies in the frame; places that the lens cannot show are left out."""
    points = points[np.isfinite(points).all(axis=1)]
    frame = shapely.box(0, 0, 1, 1)
    if geom_type == "LineString":
        return shapely.LineString(points) & frame if len(points) > 1 else shapely.LineString()
    if len(points) < 4:
        return shapely.Polygon()
    cut = shapely.make_valid(shapely.Polygon(np.clip(points, -50, 50))) & frame
    return shapely.union_all([part for part in shapely.get_parts(cut) if part.geom_type in ("Polygon", "MultiPolygon")])


def _visible(shape: shapely.Geometry, seen: shapely.Geometry, eye: Eye) -> float:
    """Share of the shape that is seen, from places spread evenly over it."""
    if shape.geom_type == "LineString":
        places = shapely.line_interpolate_point(shape, np.linspace(0, 1, 101), normalized=True)
        inside = shapely.intersects(shapely.buffer(seen, 1e-9), places)
    else:
        west, south, east, north = shape.bounds
        side = int(np.sqrt(SAMPLES))
        x, y = (part.ravel() for part in np.meshgrid(np.linspace(west, east, side + 2)[1:-1], np.linspace(south, north, side + 2)[1:-1]))
        places = shapely.points(x, y)[shapely.contains_xy(shape, x, y)]
        if not len(places):
            places = np.array([shape.representative_point()])
        inside = shapely.intersects(seen, places)
    xy = shapely.get_coordinates(places)
    at = eye.pixels(xy[:, 0], xy[:, 1])[0] / np.array([eye.width, eye.height])
    shown = inside & np.isfinite(at).all(axis=1) & ((at >= 0) & (at <= 1)).all(axis=1)
    return float(shown.mean())


def inside(outline: Outline, boxes: Sequence[Fractions], width: int, height: int) -> Array:
    """How sure the foot of each box is inside an area, 0–1: over the errors of the camera and of the box together."""
    if outline.best.is_empty or not boxes:
        return np.zeros(len(boxes))
    x, y = _feet(boxes, width, height)
    held = np.zeros(len(boxes))
    for draw in range(DRAWS):
        held += shapely.contains_xy(outline.draws[draw % len(outline.draws)], x[draw], y[draw])
    return held / DRAWS


def _feet(boxes: Sequence[Fractions], width: int, height: int) -> tuple[Array, Array]:
    """Feet as DRAWS × boxes, by draws of their own beside those of every eye. One that the lower edge of the picture cuts stays on it."""
    given = np.array(boxes, float)
    across_noise, down_noise = noise_of(DRAWS, len(NAMES) + 2)[len(NAMES) :]
    across = (2.0 + 0.03 * (given[:, 2] - given[:, 0]) * width) / width
    down = (2.0 + 0.03 * (given[:, 3] - given[:, 1]) * height) / height
    x = (given[:, 0] + given[:, 2]) / 2 + across_noise[:, None] * across
    return np.clip(x, 1e-9, 1 - 1e-9), np.clip(given[:, 3] + down_noise[:, None] * down, 1e-9, 1 - 1e-9)


@dataclass(frozen=True, slots=True)
class Stay:
    """How long something was inside without leaving, up to the last time it was seen: `since`, `seconds`; `sightings`: those that are remembered."""

    since: datetime
    seconds: float
    sightings: int

    def begun(self, since: datetime) -> "Stay":
        """The same stay, known to have begun at another time."""
        return replace(self, since=since, seconds=self.seconds + (self.since - since).total_seconds())


def stay(times: Sequence[datetime], held: Sequence[bool], longest_gap: timedelta) -> Stay | None:
    """The stay that goes on at the last of `times` (in order); None when it is not inside then. One sighting outside between two inside is a slip of the
    box, two are a departure; a gap above `longest_gap` ends a stay."""
    if not times or not held[-1]:
        return None
    first = last = len(times) - 1
    sightings = 1
    for index in range(len(times) - 2, -1, -1):
        if times[first] - times[index] > longest_gap or last - index > 2:
            break
        if held[index]:
            first = last = index
            sightings += 1
    return Stay(times[first], (times[-1] - times[first]).total_seconds(), sightings)


def crossings(line: shapely.Geometry, boxes: Sequence[Fractions], width: int, height: int) -> list[tuple[int, bool]]:
    """Where a track (boxes in order of time) crossed a line: (index of the first box on the other side, whether forward: from the line's left to its right).

    Feet nearer to the line than twice their own error are on no side, so who stands on it is not counted to and fro.
    """
    if line.is_empty or len(boxes) < 2:
        return []
    scale = np.array([1.0, height / width])
    pieces = [shapely.get_coordinates(part) * scale for part in shapely.get_parts(line)]
    given = np.array(boxes, float)
    feet = np.stack([(given[:, 0] + given[:, 2]) / 2, given[:, 3]], axis=1) * scale
    error = 2 * (2.0 + 0.03 * np.maximum((given[:, 2] - given[:, 0]) * width, (given[:, 3] - given[:, 1]) * height)) / width
    clear = np.flatnonzero(shapely.distance(shapely.multilinestrings([shapely.LineString(piece) for piece in pieces]), shapely.points(feet)) > error)
    edges = [(start, end - start) for piece in pieces for start, end in zip(piece[:-1], piece[1:], strict=True)]
    found = []
    for before, after in zip(clear[:-1], clear[1:], strict=True):
        step = feet[after] - feet[before]
        sides = [_cross(edge, step) for start, edge in edges if _meet(feet[before], step, start, edge)]
        if len(sides) % 2:
            found.append((int(after), sides[-1] > 0))
    return found


def _meet(place: Array, step: Array, start: Array, edge: Array) -> bool:
    turn = _cross(step, edge)
    return turn != 0 and 0 <= _cross(start - place, edge) / turn <= 1 and 0 <= _cross(start - place, step) / turn < 1


def _cross(a: Array, b: Array) -> float:
    return float(a[0] * b[1] - a[1] * b[0])
