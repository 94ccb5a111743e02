"""Lines of sight in a 2.5-dimensional scene: ground heights and upright buildings with flat tops, in a plane of metres (east, north) round one place.

The plane is azimuthal equidistant, true along lines from its middle; within 2 km of it lengths elsewhere err by less than 10⁻⁶.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grid.geometry import GEOD, inverse

TARGET_M = 0.5
TARGETS = 64
PROFILE = 64
BULGE = (1 - 0.13) / (2 * 6_371_000.0)
"""Height by which the ground rises into a line of sight, per m² of t(1 − t)·d²: curvature less refraction."""
GRAZE_M = 0.05
AT_ONCE = 500_000


@dataclass(frozen=True, slots=True)
class Eyes:
    """Lenses: `places` (n, 2) metres east and north, `lens_m` (n) above the ground there, `azimuth_deg` (n); one opening and one range for all."""

    places: NDArray[np.float64]
    lens_m: NDArray[np.float64]
    azimuth_deg: NDArray[np.float64]
    fov_deg: float
    far_m: float


@dataclass(frozen=True, slots=True)
class Sight:
    """What `seen` found, each (eyes, targets): within range, within the cone, behind a building, behind the ground, and visible: the first two without the others.
    `distance_m` (eyes, targets); `bearing_deg` from the first eye to the middle of the patch."""

    near: NDArray[np.bool_]
    cone: NDArray[np.bool_]
    walled: NDArray[np.bool_]
    hilled: NDArray[np.bool_]
    visible: NDArray[np.bool_]
    distance_m: NDArray[np.float64]
    bearing_deg: float


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """`targets` (m, 3) points of the patch with their heights; walls as edges `a` to `b` (k, 2) with `top` (k); footprints that hide; `height` of the ground at (x, y)."""

    targets: NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    top: NDArray[np.float64]
    footprints: NDArray[np.object_]
    tops: NDArray[np.float64]
    patch: shapely.Geometry
    middle: tuple[float, float]
    middle_degrees: tuple[float, float]
    plane: Callable[[NDArray, NDArray], NDArray[np.float64]]
    height: Callable[[NDArray, NDArray], NDArray[np.float64]]

    @classmethod
    def around(cls, lon: float, lat: float, patch: shapely.Geometry, buildings: NDArray[np.object_], heights_m: NDArray[np.float64], ground) -> "Scene":
        """The scene round a place (degrees). Buildings that stand on the patch are part of it and hide nothing."""

        def plane(lons: NDArray, lats: NDArray) -> NDArray[np.float64]:
            azimuth, distance = inverse(lon, lat, np.atleast_1d(lons), np.atleast_1d(lats))
            return np.column_stack([distance * np.sin(np.radians(azimuth)), distance * np.cos(np.radians(azimuth))])

        def height(x: NDArray, y: NDArray) -> NDArray[np.float64]:
            known = np.asarray(ground.elevation(*_degrees(lon, lat, x, y)), np.float64)
            return np.where(np.isfinite(known), known, 0.0)

        def flat(geometry):
            return shapely.transform(geometry, lambda c: plane(c[:, 0], c[:, 1]))

        shape = flat(patch)
        shapely.prepare(shape)
        footprints, rise = flat(np.asarray(buildings, dtype=object)) if len(buildings) else np.empty(0, object), np.asarray(heights_m, np.float64)
        kept = ~shapely.intersects(footprints, shape) if len(footprints) else np.empty(0, bool)
        footprints, rise = footprints[kept], rise[kept]
        middles = shapely.get_coordinates(shapely.centroid(footprints)) if len(footprints) else np.empty((0, 2))
        tops = height(middles[:, 0], middles[:, 1]) + rise if len(footprints) else np.empty(0)
        a, b, of = _edges(footprints)
        points = _inside(shape)
        middle = tuple(shapely.get_coordinates(shape.representative_point())[0].tolist())
        return cls(
            np.column_stack([points, height(points[:, 0], points[:, 1]) + TARGET_M]), a, b, tops[of], footprints, tops, shape, middle,
            tuple(shapely.get_coordinates(patch.representative_point())[0].tolist()), plane, height,
        )  # fmt: skip

    def indoors(self, places: NDArray[np.float64], lens_m: float) -> NDArray[np.bool_]:
        """Which places (n, 2) lie inside a building whose roof is above the lens."""
        inside = np.zeros(len(places), bool)
        if len(self.footprints) and len(places):
            at, of = shapely.STRtree(self.footprints).query(shapely.points(places), predicate="intersects")
            lens = self.height(places[at, 0], places[at, 1]) + lens_m
            inside[at[self.tops[of] > lens]] = True
        return inside

    def around_patch(self, reach_m: float) -> NDArray[np.float64]:
        """Places on rings 5 m to `reach_m` outside the patch, (n, 2)."""
        rings = [shapely.get_coordinates(shapely.segmentize(self.patch.buffer(d, quad_segs=4).boundary, max(10.0, d / 3))) for d in (5, 15, 30, 60, 100, 150, 220, 300) if d <= reach_m]
        return np.vstack(rings)


def seen(scene: Scene, eyes: Eyes) -> Sight:
    """Which targets each eye sees."""
    n, m = len(eyes.places), len(scene.targets)
    delta = scene.targets[None, :, :2] - eyes.places[:, None, :]
    distance = np.hypot(delta[..., 0], delta[..., 1])
    off = (np.degrees(np.arctan2(delta[..., 0], delta[..., 1])) - eyes.azimuth_deg[:, None] + 180.0) % 360.0 - 180.0
    near, cone = distance <= eyes.far_m, np.abs(off) <= eyes.fov_deg / 2.0
    lens = scene.height(eyes.places[:, 0], eyes.places[:, 1]) + eyes.lens_m
    walled, hilled = np.zeros((n, m), bool), np.zeros((n, m), bool)
    who, what = np.nonzero(near & cone)
    for part in np.array_split(np.arange(len(who)), max(1, len(who) * max(len(scene.top), PROFILE) // AT_ONCE + 1)):
        i, j = who[part], what[part]
        start, target = np.column_stack([eyes.places[i], lens[i]]), scene.targets[j]
        walled[i, j] = _behind_walls(scene, start, target)
        hilled[i, j] = _behind_ground(scene, start, target)
    middle = np.asarray(scene.middle) - (eyes.places[0] if n else np.zeros(2))
    return Sight(near, cone, walled, hilled, near & cone & ~walled & ~hilled, distance, float(np.degrees(np.arctan2(middle[0], middle[1])) % 360.0))


def _behind_walls(scene: Scene, start: NDArray, target: NDArray) -> NDArray[np.bool_]:
    """Rays (r, 3) to (r, 3) that pass a wall below its top: over a footprint a straight ray is lowest where it crosses the outline."""
    if not len(scene.top):
        return np.zeros(len(start), bool)
    ray, wall = (target - start)[:, None, :2], (scene.b - scene.a)[None]
    gap = scene.a[None] - start[:, None, :2]
    across = ray[..., 0] * wall[..., 1] - ray[..., 1] * wall[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (gap[..., 0] * wall[..., 1] - gap[..., 1] * wall[..., 0]) / across
        u = (gap[..., 0] * ray[..., 1] - gap[..., 1] * ray[..., 0]) / across
        length2 = np.square(ray).sum(axis=-1)
        z = start[:, None, 2] + t * (target - start)[:, None, 2] - BULGE * t * (1 - t) * length2
        return ((t > 0) & (t < 1) & (u >= 0) & (u <= 1) & (z < scene.top[None])).any(axis=1)


def _behind_ground(scene: Scene, start: NDArray, target: NDArray) -> NDArray[np.bool_]:
    """Rays that pass below the ground between their ends."""
    t = (np.arange(PROFILE) + 0.5) / PROFILE
    step = target - start
    x, y, z = (start[:, k, None] + t * step[:, k, None] for k in range(3))
    z = z - BULGE * t * (1 - t) * np.square(step[:, :2]).sum(axis=1)[:, None]
    return (scene.height(x, y) > z + GRAZE_M).any(axis=1)


def _degrees(lon: float, lat: float, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    """Longitude and latitude of plane metres, to second order: within 2 km it errs by less than 2 cm.

    >>> from grid.geometry import destination
    >>> east, north = _degrees(120.4, 36.1, 1000.0, 1000.0)
    >>> lon, lat = destination(120.4, 36.1, 45.0, 1000.0 * 2**0.5)
    >>> bool(abs(east - lon) * 90_000 < 0.01), bool(abs(north - lat) * 111_000 < 0.01)
    (True, True)
    """
    turn = np.radians(lat)
    w = np.sqrt(1 - GEOD.es * np.sin(turn) ** 2)
    normal, meridian = GEOD.a / w, GEOD.a * (1 - GEOD.es) / w**3
    north = y - np.square(x) * np.tan(turn) / (2 * normal)
    east = x * (1 + y * np.tan(turn) / normal)
    return lon + np.degrees(east / (normal * np.cos(turn))), lat + np.degrees(north / meridian)


def _edges(footprints: NDArray[np.object_]) -> tuple[NDArray, NDArray, NDArray[np.int64]]:
    """Edges of all rings: starts, ends, index of the footprint."""
    if not len(footprints):
        return np.empty((0, 2)), np.empty((0, 2)), np.empty(0, np.int64)
    parts, of_part = shapely.get_parts(footprints, return_index=True)
    rings, of_ring = shapely.get_rings(parts, return_index=True)
    coordinates, of = shapely.get_coordinates(rings, return_index=True)
    same = of[1:] == of[:-1]
    return coordinates[:-1][same], coordinates[1:][same], of_part[of_ring[of[:-1][same]]]


def _inside(shape: shapely.Geometry) -> NDArray[np.float64]:
    """About TARGETS points of a regular grid inside the shape, always at least one."""
    west, south, east, north = shape.bounds
    step = max(np.sqrt(shape.area / TARGETS), 1e-3)
    x, y = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
    inside = shapely.contains_xy(shape, x.ravel(), y.ravel())
    points = np.column_stack([x.ravel()[inside], y.ravel()[inside]])
    return points if len(points) else shapely.get_coordinates(shape.representative_point())
