"""What each kind of sight says about every place on the ground: logarithms of likelihoods on the cells of a local grid, in metres.

A point is a Gaussian (its accuracy is the radius that holds 90 %), a footprint a soft polygon, a bearing from a known mast a wedge as wide as
the bearing's error and as long as its range is uncertain; where the terrain under the wedge is known, a polar table says how well each distance
explains the height of the foot in the picture, ridges that hide it included. Silence in a clear view is a likelihood too: one minus the
share of such things that the observer would have found.
"""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from grid.errors import InvalidInput

Grid = NDArray[np.float64]

R90 = 2.1460
"""Radius in standard deviations that holds 90 % of a round 2-D Gaussian: sqrt(2 ln 10)."""
Z90 = 1.6449
"""Half-width in standard deviations that holds 90 % of a 1-D Gaussian."""
WEDGE_M = (1.0, 35_000.0)
_STEP = 0.05
_LARGEST = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Polar:
    """How well each place about a mast explains how low the foot stands in the picture: `log` (azimuths × distances, best place 0, floor −12.75).

    Azimuths `first_deg + i · step_deg` clockwise from true north, distances geometric from `near_m` to `far_m`.
    """

    first_deg: float
    step_deg: float
    near_m: float
    far_m: float
    log: Grid

    def at(self, azimuth_deg: Grid, range_m: Grid) -> Grid:
        """Log-likelihood at azimuths and distances of one shape, linear between entries; beyond the distances the floor."""
        rows, columns = self.log.shape
        row = np.clip(((azimuth_deg - self.first_deg + 180.0) % 360.0 - 180.0) / self.step_deg, 0, rows - 1.001)
        column = np.log(np.maximum(range_m, 1e-3) / self.near_m) / np.log(self.far_m / self.near_m) * (columns - 1)
        inside = (column >= 0) & (column <= columns - 1)
        column = np.clip(column, 0, columns - 1.001)
        i, j = row.astype(np.int64), column.astype(np.int64)
        v, u = row - i, column - j
        value = (self.log[i, j] * (1 - u) + self.log[i, j + 1] * u) * (1 - v) + (self.log[i + 1, j] * (1 - u) + self.log[i + 1, j + 1] * u) * v
        return np.where(inside, value, -255 * _STEP)

    def distances(self) -> Grid:
        """The distances in metres, one a column."""
        return np.geomspace(self.near_m, self.far_m, self.log.shape[1])

    def as_json(self) -> dict:
        """What `polar_of` reads back: the table in steps of 0.05 as one byte each, deflated, base64."""
        held = np.round(np.clip(-self.log, 0, 255 * _STEP) / _STEP).astype(np.uint8)
        return {
            "first_deg": round(self.first_deg, 5),
            "step_deg": round(self.step_deg, 6),
            "near_m": round(self.near_m, 2),
            "far_m": round(self.far_m, 2),
            "shape": list(held.shape),
            "table": base64.b64encode(zlib.compress(held.tobytes(), 6)).decode(),
        }


def polar_of(held: object) -> Polar | None:
    """The table in a finding's properties; None where there is none, or what is there cannot be one (findings come from outside too).

    >>> table = Polar(80.0, 0.5, 100.0, 9000.0, -np.arange(6.0).reshape(2, 3))
    >>> bool(np.allclose(polar_of(table.as_json()).log, table.log)), polar_of(None), polar_of({"shape": [9, 9]})
    (True, None, None)
    """
    if not isinstance(held, dict):
        return None
    try:
        rows, columns = (int(n) for n in held["shape"])
        numbers = [float(held[name]) for name in ("first_deg", "step_deg", "near_m", "far_m")]
        if not (rows >= 2 and columns >= 2 and rows * columns <= _LARGEST and np.isfinite(numbers).all() and numbers[1] > 0 and 0 < numbers[2] < numbers[3]):
            return None
        raw = zlib.decompressobj().decompress(base64.b64decode(held["table"]), _LARGEST)
        return Polar(*numbers, -_STEP * np.frombuffer(raw, np.uint8).reshape(rows, columns).astype(float))
    except (KeyError, TypeError, ValueError, zlib.error):
        return None


@dataclass(frozen=True, slots=True)
class Sight:
    """One sensor's view of one thing. `probability` (0–1) that it is true, by score and record; `mast` (lon, lat) with a bearing in degrees.

    `accuracy_m` is the 90 % radius about the point; with a bearing, the 90 % half-length along it, unless `polar` knows the terrain there.
    """

    sensor: str
    lon: float
    lat: float
    accuracy_m: float
    probability: float
    footprint: BaseGeometry | None = None
    mast: tuple[float, float] | None = None
    bearing_deg: float | None = None
    bearing_sigma_deg: float | None = None
    polar: Polar | None = None

    @property
    def is_bearing(self) -> bool:
        """Whether it says a direction from a known mast."""
        return self.mast is not None and self.bearing_deg is not None and self.bearing_sigma_deg is not None


@dataclass(frozen=True, slots=True)
class Silence:
    """An observer that looked and reported nothing. `view`: what it saw clearly (EPSG:4326); `power`: the share of such things it finds there (0–1).

    A sensor that was offline makes no Silence: it says nothing.
    """

    sensor: str
    view: BaseGeometry
    power: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.power <= 1.0:
            raise InvalidInput(f"发现能力无效 · power of {self.sensor}: {self.power}", remedy="a share between 0 and 1")


@dataclass(frozen=True, slots=True)
class Plane:
    """Metres east and north of a middle point; fine for some tens of kilometres."""

    lon0: float
    lat0: float
    mx: float
    my: float

    @classmethod
    def about(cls, sights: Sequence[Sight]) -> "Plane":
        """The plane that is true at the middle of the sights."""
        lon0 = float(np.mean([s.lon for s in sights]))
        lat0 = float(np.mean([s.lat for s in sights]))
        e2, a = 0.00669437999014, 6_378_137.0
        w = np.sqrt(1.0 - e2 * np.sin(np.radians(lat0)) ** 2)
        return cls(lon0, lat0, float(np.radians(1.0) * a / w * np.cos(np.radians(lat0))), float(np.radians(1.0) * a * (1.0 - e2) / w**3))

    def metres(self, lon: float, lat: float) -> tuple[float, float]:
        """East and north in metres of degrees."""
        return (lon - self.lon0) * self.mx, (lat - self.lat0) * self.my

    def degrees(self, x: Grid | float, y: Grid | float) -> tuple[Grid | float, Grid | float]:
        """Longitude and latitude of metres east and north."""
        return self.lon0 + x / self.mx, self.lat0 + y / self.my

    def shape(self, geom: BaseGeometry) -> BaseGeometry:
        """A shape in degrees, in metres."""
        return shapely.transform(geom, lambda c: (c - (self.lon0, self.lat0)) * (self.mx, self.my))

    def bearing(self, mast: tuple[float, float], x: Grid, y: Grid) -> tuple[Grid, Grid]:
        """Azimuth (degrees) and distance (m) from a mast (lon, lat) to places, as the geodesic leaves the mast."""
        mx, my = self.metres(*mast)
        dlon = (x - mx) / self.mx
        middle = np.radians(self.lat0 + 0.5 * (y + my) / self.my)
        narrowing = np.cos(middle) / np.cos(np.radians(self.lat0))
        azimuth = np.degrees(np.arctan2((x - mx) * narrowing, y - my)) - 0.5 * dlon * np.sin(middle)
        return azimuth, np.maximum(np.hypot(x - mx, y - my), 1.0)


def plain(shape: BaseGeometry) -> BaseGeometry:
    """The shape without corners too fine for any cell."""
    return shape.simplify(0.01 * np.sqrt(shape.area)) if shapely.get_num_coordinates(shape) > 100 else shape


def of_sight(plane: Plane, sight: Sight, shape: BaseGeometry | None, x: Grid, y: Grid, cell: float) -> Grid:
    """Log-likelihood of one sight at metres x, y. `shape`: its footprint on the plane where that is what it says; `cell`: size of the cells in
    metres, for nothing is sharper than half of it while the grid is coarse."""
    px, py = plane.metres(sight.lon, sight.lat)
    if sight.is_bearing:
        return wedge(plane, sight, x, y, cell)
    spread = max(sight.accuracy_m / R90, 0.5 * cell)
    if shape is None:
        return -((x - px) ** 2 + (y - py) ** 2) / (2.0 * spread**2)
    xs, ys = np.broadcast_arrays(x, y)
    outside = shapely.distance(shape, shapely.points(xs.ravel(), ys.ravel())).reshape(xs.shape)
    size = np.sqrt(max(shape.area, cell**2) / np.pi)
    edge = max(0.1 * size, 0.5 * cell)
    middle = shape.centroid
    return -(outside**2) / (2.0 * edge**2) - ((x - middle.x) ** 2 + (y - middle.y) ** 2) / (2.0 * (1.5 * size) ** 2)


def wedge(plane: Plane, sight: Sight, x: Grid, y: Grid, cell: float) -> Grid:
    """Log-likelihood of a bearing at metres x, y; along it by its polar table, or by the range it gives."""
    azimuth, range_m = plane.bearing(sight.mast, x, y)
    off = (azimuth - sight.bearing_deg + 180.0) % 360.0 - 180.0
    blur = np.degrees(np.arctan((0.5 if sight.polar is None else 0.3) * cell / range_m))
    sigma = np.hypot(sight.bearing_sigma_deg, blur)
    if sight.polar is not None:
        return -0.5 * (off / sigma) ** 2 - np.log(sigma / sight.bearing_sigma_deg) + sight.polar.at(azimuth, range_m)
    px, py = plane.metres(sight.lon, sight.lat)
    mx, my = plane.metres(*sight.mast)
    along = np.hypot(sight.accuracy_m / Z90, 0.5 * cell)
    known = np.hypot(px - mx, py - my)
    beyond = np.maximum(range_m - WEDGE_M[1], 0.0) / 1000.0
    return -0.5 * (off / sigma) ** 2 - 0.5 * ((range_m - known) / along) ** 2 - 0.5 * beyond**2


def of_silence(plane: Plane, silence: Silence, x: Grid, y: Grid) -> Grid:
    """Log-likelihood of hearing nothing, at metres x, y: log(1 − power) in the clear view, 0 elsewhere."""
    view = plane.shape(silence.view)
    shapely.prepare(view)
    xs, ys = np.broadcast_arrays(x, y)
    clear = shapely.intersects_xy(view, xs.ravel(), ys.ravel()).reshape(xs.shape)
    return np.where(clear, np.log(max(1.0 - silence.power, 1e-9)), 0.0)
