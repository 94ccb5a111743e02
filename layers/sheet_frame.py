"""The window of a map sheet: what part of a frame is on the paper, at which scale, with which ticks along its edge. Pure arithmetic; paper in millimetres, y down."""

import math
from dataclasses import dataclass

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from grid import crs

Box = tuple[float, float, float, float]
SCALES = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
LEAST_SCALE = 500
GAP_MM = 30.0
"""Least paper between two ticks."""
NAMES = {
    "EPSG:4326": ("WGS 84 经纬度（EPSG:4326）", "WGS 84 longitude and latitude"),
    "EPSG:4490": ("CGCS2000 经纬度（EPSG:4490）", "CGCS2000 longitude and latitude"),
    "EPSG:4528": ("CGCS2000 高斯-克吕格 3° 带第 40 带（EPSG:4528）", "CGCS2000 Gauss–Krüger, 3° zone 40, metres"),
    "EPSG:3857": ("Web 墨卡托（EPSG:3857），不宜量算", "Web Mercator, metres; not for measuring"),
    "GCJ-02": ("GCJ-02（有偏移），仅供公开展示，不得量算", "GCJ-02 (shifted); for public display only, never for measuring"),
}
"""Frame -> its name on the sheet."""
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18_000, 36_000)
_GEOD = pyproj.Geod(ellps="WGS84")


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the frame: where it crosses the paper (mm from the window's left or top) and what it is called."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Window:
    """`west` and `north` in units of the frame, `x_mm` and `y_mm` millimetres a unit, the paper in millimetres, and the scale 1:`scale` at its middle."""

    frame: str
    west: float
    north: float
    x_mm: float
    y_mm: float
    width: float
    height: float
    scale: int

    @property
    def degrees(self) -> bool:
        """Whether the frame counts in degrees."""
        return self.frame in ("EPSG:4326", "EPSG:4490", "GCJ-02")

    @property
    def storage(self) -> Box:
        """West, south, east, north of all that is on the paper, in storage degrees, with a margin of 2 %."""
        east, south = self.west + self.width / self.x_mm, self.north - self.height / self.y_mm
        edge = shapely.segmentize(shapely.box(self.west, south, east, self.north), max(east - self.west, self.north - south) / 16)
        west, south, east, north = crs.to_storage(edge, self.frame).bounds
        x, y = (east - west) / 50, (north - south) / 50
        return west - x, south - y, east + x, north + y

    def paper(self, shapes: NDArray[np.object_]) -> NDArray[np.object_]:
        """Shapes of storage on the paper, cut 3 mm outside the window and thinned to 0.04 mm; what is not on it is empty."""
        placed = shapes if self.frame in ("EPSG:4326", "EPSG:4490") else crs.from_storage(shapes, self.frame)
        scale = np.array([self.x_mm, -self.y_mm])
        placed = shapely.transform(placed, lambda points: (points - (self.west, self.north)) * scale)
        return shapely.simplify(shapely.clip_by_rect(placed, -3.0, -3.0, self.width + 3.0, self.height + 3.0), 0.04)

    def ticks(self) -> tuple[tuple[Tick, ...], tuple[Tick, ...]]:
        """Ticks along x and along y."""
        step = self._step()
        east, south = self.west + self.width / self.x_mm, self.north - self.height / self.y_mm
        along_x = [Tick((value - self.west) * self.x_mm, self._label(value, step)) for value in _between(self.west, east, step)]
        along_y = [Tick((self.north - value) * self.y_mm, self._label(value, step)) for value in _between(south, self.north, step)]
        return tuple(along_x), tuple(along_y)

    def _step(self) -> float:
        least = GAP_MM / min(self.x_mm, self.y_mm)
        if self.degrees:
            return next((s / 3600 for s in _SECONDS if s / 3600 >= least), 10.0)
        return _nice(least, (1, 2, 5))

    def _label(self, value: float, step: float) -> str:
        if not self.degrees:
            return f"{value:,.0f}".replace(",", "\u2009")
        seconds = round(value * 3600)
        sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
        text = f"{sign}{seconds // 3600}°{seconds % 3600 // 60:02d}′"
        return text if round(step * 3600) % 60 == 0 else f"{text}{seconds % 60:02d}″"

    def bar(self) -> tuple[float, int]:
        """The scale bar: millimetres of one of its four parts, and the metres of the whole."""
        metres = _nice(self.scale * 14 / 1000, (1, 2, 4, 8))
        return metres * 1000 / self.scale / 4, round(metres)


def fit(box: Box, frame: str, width: float, height: float) -> Window:
    """The window of `width` × `height` mm that holds a box (west, south, east, north, storage degrees) at the next round scale, the box in its middle.

    >>> window = fit((120.30, 36.04, 120.44, 36.10), "EPSG:4528", 200, 160)
    >>> window.scale, [tick.label for tick in window.ticks()[1]][:2]
    (80000, ['3\u2009990\u2009000', '3\u2009995\u2009000'])
    """
    side = max(box[2] - box[0], box[3] - box[1])
    shape = shapely.box(*box)
    shape = shapely.segmentize(shape, side / 16) if side else shape
    placed = shape if frame in ("EPSG:4326", "EPSG:4490") else crs.from_storage(shape, frame)
    west, south, east, north = placed.bounds
    x, y = (west + east) / 2, (south + north) / 2
    unit = 1e-4 if frame in ("EPSG:4326", "EPSG:4490", "GCJ-02") else 10.0
    metres_x, metres_y = (_metres(frame, x, y, dx, dy) / (2 * unit) for dx, dy in ((unit, 0.0), (0.0, unit)))
    wanted = 1.04 * max((east - west) * metres_x * 1000 / width, (north - south) * metres_y * 1000 / height)
    scale = max(LEAST_SCALE, round(_nice(wanted, SCALES))) if wanted else LEAST_SCALE * 4
    x_mm, y_mm = metres_x * 1000 / scale, metres_y * 1000 / scale
    return Window(frame, x - width / 2 / x_mm, y + height / 2 / y_mm, x_mm, y_mm, width, height, scale)


def _metres(frame: str, x: float, y: float, dx: float, dy: float) -> float:
    lon, lat = crs.to_storage((np.array([x - dx, x + dx]), np.array([y - dy, y + dy])), frame)
    return float(_GEOD.inv(lon[0], lat[0], lon[1], lat[1])[2])


def _nice(least: float, steps: tuple[float, ...]) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next((step * power for step in steps if step * power >= least * (1 - 1e-9)), 10 * power)


def _between(low: float, high: float, step: float) -> list[float]:
    return [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
