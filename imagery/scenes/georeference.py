"""From the pixels of a drone's frame to the ground: each pixel's ray through the lens model meets a surface model.

Lens: Brown's distortion as OpenSfM writes it (opensfm.org/docs, "Camera models"): with x, y the ray over its depth and r² = x² + y²,
    x' = x (1 + k1 r² + k2 r⁴ + k3 r⁶) + 2 p1 x y + p2 (r² + 2 x²),   y' = y (1 + …) + 2 p2 x y + p1 (r² + 2 y²),
and the pixel is focal · (x', y') + centre. OpenSfM's focal and centre are in units of the longer side, from the middle of the picture. Pixel
coordinates here are from the outer corner of the first pixel (its centre is 0.5, 0.5), x right, y down.

Pose: place of the lens and a rotation that takes east, north, up at the lens to the camera's right, down, forward. A reconstruction's own axes
are a tangent plane at its reference (OpenSfM), or the grid of a projected system (ODM after its georeferencing, which keeps the same file name);
the two differ by the grid's convergence (0.9° at Jiaodong's edge of a zone: 1.5 m at 100 m), so the axes are chosen by the places that the shots'
own GPS gives, and said.

Accuracy: radius of 90 % on level ground: the lens's place, the ray's direction, stretched by one over the sine of the depression, and the heights
of lens and ground, stretched by one over its tangent. Where a sight line grazes a crest, a roof's edge or a wall, the same errors decide between two
grounds, and the true place may be metres from where the line meets the model first: so rays are led round each line, as far from it as nine
tenths of its errors, and where they meet ground that lies further off than level ground explains, the way to the furthest is the accuracy. Of these
grounds the place is the one nearest the lens within a fifth of a pixel: a surface model's cell rounds off crowns and ridges, so what it lets a line pass by
a hair's breadth hides in truth what lies behind.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from pyproj import CRS, Transformer

from grid.errors import InvalidInput, NotFound, TooLarge
from imagery.terrain import GEOD, Terrain

MOST_BYTES = 256 << 20
MOST_PIXELS = 200_000_000
PIXEL_SIGMA = 0.5
NINE_TENTHS = 2.146
"""Standard errors of each of two directions within whose circle 90 % lie."""
ROUND = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.35, 0.35), (-0.35, 0.35), (0.35, -0.35), (-0.35, -0.35))
"""Right and down of the rays round a sight line: a circle, and another of half its radius for what is thin."""
FRONT_PX = 0.2
"""How far beside a sight line the ground in front still hides what is behind."""
FINE = 1 / 8
"""Of a cell: steps at edges. Steps of half a cell pass through what is thin."""
BUNDLE = 50_000
"""Pixels whose rays are led at a time."""
TORN = 1.25
"""Times what level ground gives: gentle slopes stay below, edges do not."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera's inner geometry. Pixels: `width`, `height`, `focal_x`, `focal_y`, `centre_x`, `centre_y` (from the outer corner); k and p: Brown."""

    width: int
    height: int
    focal_x: float
    focal_y: float
    centre_x: float
    centre_y: float
    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    p1: float = 0.0
    p2: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.focal_x, self.focal_y, self.centre_x, self.centre_y, self.k1, self.k2, self.k3, self.p1, self.p2)
        if not np.isfinite(numbers).all() or min(self.focal_x, self.focal_y) <= 0 or min(self.width, self.height) < 1:
            raise InvalidInput(f"镜头参数无效 · lens {self}", remedy="finite numbers, focal lengths and picture size above zero")
        if self.width * self.height > MOST_PIXELS:
            raise TooLarge(f"{self.width} × {self.height} 像素 · pixels", remedy=f"at most {MOST_PIXELS:,}")

    def bend(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distorted x', y' of rays (x, y: right and down over depth)."""
        r2 = x * x + y * y
        radial = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
        bent_x = x * radial + 2 * self.p1 * x * y + self.p2 * (r2 + 2 * x * x)
        return bent_x, y * radial + 2 * self.p2 * x * y + self.p1 * (r2 + 2 * y * y)

    def rays(self, x, y) -> np.ndarray:
        """Unit vectors right, down, forward (three rows) through pixels; NaN where the distortion has no inverse near the pixel."""
        bent_x = (np.asarray(x, float) - self.centre_x) / self.focal_x
        bent_y = (np.asarray(y, float) - self.centre_y) / self.focal_y
        u, v = bent_x.copy(), bent_y.copy()
        with np.errstate(all="ignore"):
            for _ in range(12):
                r2 = u * u + v * v
                radial = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
                growth = 2 * (self.k1 + r2 * (2 * self.k2 + r2 * 3 * self.k3))
                off_u, off_v = (bent - true for bent, true in zip(self.bend(u, v), (bent_x, bent_y), strict=True))
                uu = radial + u * u * growth + 2 * self.p1 * v + 6 * self.p2 * u
                vv = radial + v * v * growth + 2 * self.p2 * u + 6 * self.p1 * v
                uv = u * v * growth + 2 * self.p1 * u + 2 * self.p2 * v
                determinant = uu * vv - uv * uv
                u, v = u - (vv * off_u - uv * off_v) / determinant, v - (uu * off_v - uv * off_u) / determinant
            again_x, again_y = self.bend(u, v)
            sound = (np.hypot(again_x - bent_x, again_y - bent_y) * max(self.focal_x, self.focal_y) < 0.01) & (determinant > 0)
        length = np.sqrt(u * u + v * v + 1)
        return np.where(sound, np.stack([u, v, np.ones_like(u)]) / length, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture with its pose. Degrees and metres, `height_m` above the datum of the surface model it is used with; `rotation` 3 × 3: east, north, up
    at the lens to right, down, forward; sigmas one standard deviation; `axes`: how the pose's axes were understood, in words."""

    name: str
    lens: Lens
    lon: float
    lat: float
    height_m: float
    rotation: np.ndarray
    position_sigma_m: float
    height_sigma_m: float
    angle_sigma_deg: float
    axes: str = "east, north, up"

    def __post_init__(self) -> None:
        if not (abs(self.lon) <= 180 and abs(self.lat) <= 90 and abs(self.height_m) < 100_000):
            raise InvalidInput(f"{self.name} 的位置无效 · lens at {self.lon}, {self.lat}, {self.height_m} m", remedy="degrees and metres")
        if self.rotation.shape != (3, 3) or not np.allclose(self.rotation @ self.rotation.T, np.eye(3), atol=1e-6):
            raise InvalidInput(f"{self.name} 的姿态不是旋转 · its rotation is none", remedy="an orthonormal 3 × 3 matrix")


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Where pixels stand: arrays of one shape, NaN where a ray meets no known ground. `accuracy_m`: radius of 90 %; `torn`: the sight line grazes an
    edge, so the place is one of several grounds (or of known and unknown ground) that lie up to `accuracy_m` apart."""

    lon: np.ndarray
    lat: np.ndarray
    height_m: np.ndarray
    accuracy_m: np.ndarray
    torn: np.ndarray


def ground(frame: Frame, surface: Terrain, x, y) -> Ground:
    """The ground under pixels x, y of a frame; what stands in front hides what is behind it. Nine rays a pixel, and five where an edge is near: see Accuracy
    above."""
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    (lon, lat, height), (east, north, up) = _meet(frame, surface, x, y)
    radius = _level_accuracy(frame, surface, height, east, north, up)
    focal = min(frame.lens.focal_x, frame.lens.focal_y)
    distance = np.maximum(frame.height_m - height, 0.1) / np.maximum(-up, 1e-3)
    moved = np.maximum(frame.position_sigma_m, np.hypot(frame.position_sigma_m * up, frame.height_sigma_m * np.hypot(east, north)))
    shaken = focal * np.hypot(np.radians(frame.angle_sigma_deg), moved / distance)
    aside = NINE_TENTHS * np.hypot(PIXEL_SIGMA, shaken)
    known = np.isfinite(lon)
    furthest, lost = np.zeros(x.shape), np.zeros(x.shape, bool)
    furthest[known], lost[known] = _round(frame, surface, x[known], y[known], aside[known], lon[known], lat[known])
    far = furthest > TORN * np.maximum(radius, aside / focal * distance / np.maximum(-up, 1e-3))
    torn = known & (lost | far)
    front = _front(frame, surface, x[torn], y[torn])
    moved = _depth(frame, front) < _depth(frame, (lon[torn], lat[torn], height[torn])) - radius[torn]
    place = np.flatnonzero(torn)[moved]
    for whole, part in zip((lon, lat, height), front, strict=True):
        whole.flat[place] = part[moved]
    furthest.flat[place] = _round(frame, surface, *(each.flat[place] for each in (x, y, aside, lon, lat)))[0]
    far.flat[place] = True
    return Ground(lon, lat, height, np.where(known, np.where(far, np.fmax(furthest, radius), radius), np.nan), torn)


def _round(frame: Frame, surface: Terrain, x: np.ndarray, y: np.ndarray, aside: np.ndarray, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far (m) from places the rays led `aside` of their pixels, all round, meet ground at most; and whether one meets none."""
    furthest, lost = np.zeros(x.shape), np.zeros(x.shape, bool)
    for some in np.array_split(np.arange(x.size), -(-x.size // BUNDLE) or 1):
        met = _bundle(frame, surface, x[some], y[some], ROUND, aside[some])
        apart = np.asarray(GEOD.inv(*(np.broadcast_to(each[some], met.shape[1:]) for each in (lon, lat)), *met[:2])[2])
        lost[some] = np.isnan(apart).any(axis=0)
        furthest[some] = np.fmax.reduce(apart, axis=0, initial=0.0)
    return furthest, lost


def _front(frame: Frame, surface: Terrain, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rows longitude, latitude, height of the ground nearest the lens within `FRONT_PX` of pixels (one axis); NaN where there is none."""
    nearest = np.full((3, *x.shape), np.nan)
    for some in np.array_split(np.arange(x.size), -(-x.size // BUNDLE) or 1):
        met = _bundle(frame, surface, x[some], y[some], ((0, 0), *ROUND[:4]), FRONT_PX, stride=FINE)
        depth = _depth(frame, met)
        first = np.argmin(np.where(np.isnan(depth), np.inf, depth), axis=0)
        nearest[:, some] = np.take_along_axis(met, first[None, None], 1)[:, 0]
    return nearest


def _bundle(frame: Frame, surface: Terrain, x: np.ndarray, y: np.ndarray, ways: Sequence[tuple[float, float]], aside, *, stride: float = 0.5) -> np.ndarray:
    """Rows longitude, latitude, height × ways × pixels where rays led `aside` times each way beside the pixels meet the ground."""
    right, down = np.array(ways, float).T[:, :, None]
    return _meet(frame, surface, x + right * aside, y + down * aside, stride=stride)[0]


def _depth(frame: Frame, places) -> np.ndarray:
    """Metres from the lens to places (rows longitude, latitude, height), NaN where one is unknown."""
    lon, lat, height = places
    along = np.asarray(GEOD.inv(np.full(lon.shape, frame.lon), np.full(lon.shape, frame.lat), lon, lat)[2]) if lon.size else np.empty(0)
    return np.hypot(along, height - frame.height_m)


def _meet(frame: Frame, surface: Terrain, x: np.ndarray, y: np.ndarray, *, stride: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Rows longitude, latitude, height where the rays of pixels meet the surface, NaN where they do not; and rows east, north, up of the rays."""
    rays = np.tensordot(frame.rotation.T, frame.lens.rays(x, y), axes=1)
    aimed = np.isfinite(rays[2])
    met = np.full((3, *x.shape), np.nan)
    met[:, aimed] = surface.meet(frame.lon, frame.lat, frame.height_m, *rays[:, aimed], stride=stride)
    return met, rays


def _level_accuracy(frame: Frame, surface: Terrain, height: np.ndarray, east: np.ndarray, north: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Radius of 90 % in metres on level ground of the given heights."""
    fall = np.maximum(-up, 1e-3)
    distance = (frame.height_m - height) / fall
    turn = distance * np.hypot(np.radians(frame.angle_sigma_deg), PIXEL_SIGMA / min(frame.lens.focal_x, frame.lens.focal_y))
    tilt = np.hypot(east, north) / fall * np.hypot(frame.height_sigma_m, surface.sigma_m)
    along = np.sqrt(frame.position_sigma_m**2 + (turn / fall) ** 2 + tilt**2)
    across = np.hypot(frame.position_sigma_m, turn)
    return np.maximum(1.645 * along, NINE_TENTHS * np.sqrt((along**2 + across**2) / 2))


def outline(frame: Frame, surface: Terrain, *, per_edge: int = 32) -> shapely.Polygon:
    """The picture's border on the ground, EPSG:4326, without the parts that meet no known ground. Raises InvalidInput when next to nothing does."""
    share = np.arange(per_edge) / per_edge
    w, h = frame.lens.width, frame.lens.height
    x = np.concatenate([share * w, np.full(per_edge, w), (1 - share) * w, np.zeros(per_edge)])
    y = np.concatenate([np.zeros(per_edge), share * h, np.full(per_edge, h), (1 - share) * h])
    lon, lat, _ = _meet(frame, surface, x, y)[0]
    known = np.isfinite(lon)
    if known.sum() < 4:
        raise InvalidInput(
            f"{frame.name} 的画面边缘未落在地表模型上 · {known.sum()} of {len(x)} border pixels of {frame.name} meet the surface model",
            remedy="give a surface model that covers the ground before the camera, in the datum of its height",
        )
    return shapely.set_srid(shapely.make_valid(shapely.Polygon(np.column_stack([lon[known], lat[known]]))), 4326)


def look(yaw_deg: float, pitch_deg: float, roll_deg: float = 0.0) -> np.ndarray:
    """Rotation of a gimbal: yaw clockwise from true north, pitch above the horizontal (−90 straight down), roll clockwise as the camera sees itself.

    >>> look(0, 0).round(3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]
    >>> (look(90, -90) @ [0, 0, -1]).round(3).tolist(), (look(90, -90) @ [1, 0, 0]).round(3).tolist()
    ([0.0, 0.0, 1.0], [0.0, -1.0, 0.0])
    """
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    right = np.array([np.cos(yaw), -np.sin(yaw), 0.0])
    ahead = np.array([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), np.sin(pitch)])
    down = np.cross(ahead, right)
    return np.stack([np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right, ahead])


def read_opensfm(path: Path, *, grid: CRS | str | None = None, angle_sigma_deg: float = 0.05) -> dict[str, Frame]:
    """Frames of an OpenSfM `reconstruction.json` by shot name. `grid`: the projected system of the surface model, tried as the file's own axes.

    Raises NotFound, TooLarge, InvalidInput (not such a file, a lens other than brown or perspective, numbers out of range).
    """
    if not path.is_file():
        raise NotFound(f"没有文件 · no file {path.name}", remedy="give an OpenSfM reconstruction.json")
    if path.stat().st_size > MOST_BYTES:
        raise TooLarge(f"{path.name}: {path.stat().st_size:,} bytes", remedy=f"at most {MOST_BYTES:,}; leave the points out")
    try:
        content = json.loads(path.read_bytes())
        parts = content if isinstance(content, list) else [content]
        frames: dict[str, Frame] = {}
        for part in parts:
            lenses = {name: _lens(name, camera) for name, camera in part["cameras"].items()}
            frames |= _frames(part, lenses, grid, angle_sigma_deg)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidInput(
            f"{path.name} 不是 OpenSfM 重建文件 · not an OpenSfM reconstruction: {type(error).__name__} {error}",
            remedy="give the reconstruction.json of OpenSfM or ODM, with cameras, shots and reference_lla",
        ) from error
    return frames


def _lens(name: str, camera: dict) -> Lens:
    """A camera of OpenSfM: focal and centre in units of the longer side."""
    kind, width, height = camera["projection_type"], int(camera["width"]), int(camera["height"])
    if kind not in ("brown", "perspective"):
        raise InvalidInput(f"镜头模型 {kind!r} 不支持 · {name!r} is of the lens model {kind!r}", remedy="brown or perspective")
    side = max(width, height)
    focal_x, focal_y = (float(camera[key]) for key in (("focal_x", "focal_y") if kind == "brown" else ("focal", "focal")))
    c_x, c_y, k1, k2, k3, p1, p2 = (float(camera.get(key, 0.0)) for key in ("c_x", "c_y", "k1", "k2", "k3", "p1", "p2"))
    return Lens(width, height, focal_x * side, focal_y * side, width / 2 + c_x * side, height / 2 + c_y * side, k1, k2, k3, p1, p2)


def _frames(part: dict, lenses: dict[str, Lens], grid: CRS | str | None, angle_sigma_deg: float) -> dict[str, Frame]:
    reference = tuple(float(part["reference_lla"][key]) for key in ("longitude", "latitude", "altitude"))
    names = list(part["shots"])
    shots = [part["shots"][name] for name in names]
    rotations = np.array([_rodrigues(np.array(shot["rotation"], float)) for shot in shots]).reshape(-1, 3, 3)
    centres = -np.einsum("sji,sj->si", rotations, np.array([shot["translation"] for shot in shots], float).reshape(-1, 3))
    if not np.isfinite(centres).all() or not np.isfinite(reference).all() or not abs(reference[1]) < 89.9:
        raise ValueError("positions out of range")
    places, axes = _tangent(reference, centres), "tangent plane at the reference · 参考点切平面"
    gps = np.array([shot.get("gps_position") or [np.nan] * 3 for shot in shots], float).reshape(-1, 3)
    if grid is not None:
        system = CRS.from_user_input(grid)
        on_grid = _grid(reference, centres, system)
        believed = _tangent(reference, gps)
        if np.nanmean(_apart(on_grid, believed) ** 2) < np.nanmean(_apart(places, believed) ** 2):
            places, axes = on_grid, f"grid of {system.to_string()} · 投影坐标网格"
    turns = _turns(places, CRS.from_user_input(grid)) if axes.startswith("grid") else np.array([_to_local(reference, place) for place in places])
    frames = {}
    for name, shot, rotation, place, turn in zip(names, shots, rotations, places, turns, strict=True):
        sigma = float(np.clip(float(shot.get("gps_dop") or 5.0), 0.02, 50.0))
        frames[name] = Frame(
            name, lenses[shot["camera"]], *(float(v) for v in place), rotation @ turn.T, sigma, sigma * 1.5, angle_sigma_deg, axes
        )
    return frames


def _rodrigues(vector: np.ndarray) -> np.ndarray:
    """Rotation matrix of an axis times its angle in radians."""
    angle = float(np.linalg.norm(vector))
    if vector.shape != (3,) or not np.isfinite(angle):
        raise ValueError(f"rotation {vector.tolist()}")
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _axes(lon: float, lat: float) -> np.ndarray:
    """Rows east, north, up at a place in Earth-centred coordinates."""
    a, b = np.radians([lon, lat])
    return np.array(
        [[-np.sin(a), np.cos(a), 0], [-np.sin(b) * np.cos(a), -np.sin(b) * np.sin(a), np.cos(b)], [np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)]]
    )


def _tangent(reference: tuple[float, float, float], offsets: np.ndarray) -> np.ndarray:
    """Rows longitude, latitude, height of offsets east, north, up from a reference."""
    earth = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    origin = np.array(earth.transform(*reference))
    return np.column_stack(earth.transform(*(origin + offsets @ _axes(*reference[:2])).T, direction="INVERSE"))


def _grid(reference: tuple[float, float, float], offsets: np.ndarray, system: CRS) -> np.ndarray:
    """The same where the offsets are grid metres of a projected system."""
    if not system.is_projected:
        raise InvalidInput(f"{system.to_string()} 不是投影坐标系 · not a projected system", remedy="give that of the surface model in metres")
    project = Transformer.from_crs("EPSG:4326", system, always_xy=True)
    x, y = project.transform(*reference[:2])
    lon, lat = project.transform(x + offsets[:, 0], y + offsets[:, 1], direction="INVERSE")
    return np.column_stack([lon, lat, reference[2] + offsets[:, 2]])


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Metres over ground between rows of places; NaN where one is unknown."""
    apart = np.full(len(one), np.nan)
    known = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    apart[known] = GEOD.inv(one[known, 0], one[known, 1], other[known, 0], other[known, 1])[2]
    return apart


def _to_local(reference: tuple[float, float, float], place: np.ndarray) -> np.ndarray:
    """Rotation from the reference's east, north, up to those at a place."""
    return _axes(*place[:2]) @ _axes(*reference[:2]).T


def _turns(places: np.ndarray, system: CRS) -> np.ndarray:
    """Rotations from grid east, grid north, up to east, north, up at places: the grid's convergence."""
    project = Transformer.from_crs("EPSG:4326", system, always_xy=True)
    x, y = (np.asarray(v) for v in project.transform(places[:, 0], places[:, 1]))
    ahead = project.transform(x, y + 100.0, direction="INVERSE")
    azimuth = np.radians(GEOD.inv(places[:, 0], places[:, 1], *ahead)[0])
    cosine, sine, zero = np.cos(azimuth), np.sin(azimuth), np.zeros_like(azimuth)
    return np.stack([[cosine, sine, zero], [-sine, cosine, zero], [zero, zero, zero + 1]]).transpose(2, 0, 1)
