"""Coordinate frames: storage is EPSG:4326 taken as CGCS2000 (EPSG:4490: the same numbers within survey accuracy).

Inside, x is longitude or easting and y latitude or northing, whatever EPSG says: 4490 and the Gauss–Krüger zones are (north, east) there.
Pass `authority_order=True` where a standard demands EPSG's own order. GCJ-02 and BD-09 are declared distortions, undone at the door.
A wrong or missing declaration is found by trying the frames people use here on the coordinates: see `candidates` and `check`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import numpy as np
import pyproj
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj.enums import TransformDirection
from pyproj.exceptions import CRSError
from shapely.geometry.base import BaseGeometry

from grid import distortions
from grid.errors import UnknownCrs

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
Convert = Callable[[Floats, Floats], tuple[Floats, Floats]]
Source = str | int | pyproj.CRS
G = TypeVar("G", BaseGeometry, NDArray[np.object_], tuple[ArrayLike, ArrayLike], None)

STORAGE = "EPSG:4326"
QINGDAO: Box = (119.3, 35.2, 121.3, 37.3)
"""West, south, east, north of the city with its sea."""
CHINA: Box = (73.0, 3.0, 135.2, 53.7)

_DISTORTED = {
    "GCJ-02": (distortions.gcj02_to_wgs84, distortions.wgs84_to_gcj02),
    "BD-09": (distortions.bd09_to_wgs84, distortions.wgs84_to_bd09),
}
_ALIASES = {
    "wgs84": "EPSG:4326",
    "crs84": "EPSG:4326",
    "ogccrs84": "EPSG:4326",
    "cgcs2000": "EPSG:4490",
    "gcj02": "GCJ-02",
    "火星坐标系": "GCJ-02",
    "高德": "GCJ-02",
    "amap": "GCJ-02",
    "bd09": "BD-09",
    "bd09ll": "BD-09",
    "百度": "BD-09",
    "baidu": "BD-09",
}
_REMEDY = (
    "声明坐标系：EPSG:4326、EPSG:4490、EPSG:4528、EPSG:4549、EPSG:3857、GCJ-02 或 BD-09"
    " · declare one of EPSG:4326, EPSG:4490, EPSG:4528, EPSG:4549, EPSG:3857, GCJ-02, BD-09"
)
_TOLERATED_SHIFT_M = 2.0
_TELLING_POINTS, _TELLING_M = 30, 80.0
"""A reference speaks only where this many points come this near to it: otherwise the data shows other things, and nearness is chance."""

# frame, how likely it is here when nothing else speaks, what it is called
_GUESSES: tuple[tuple[str, float, str, str], ...] = (
    ("EPSG:4326", 1.0, "经纬度（WGS84/CGCS2000）", "degrees (WGS84/CGCS2000)"),
    ("GCJ-02", 0.6, "GCJ-02（高德、腾讯）经纬度", "GCJ-02 degrees (Amap, Tencent)"),
    ("BD-09", 0.35, "BD-09（百度）经纬度", "BD-09 degrees (Baidu)"),
    ("EPSG:4528", 0.95, "CGCS2000 3°带第 40 带，带号加在东坐标前（米）", "CGCS2000 3° zone 40, zone number before the easting (m)"),
    ("EPSG:4527", 0.8, "CGCS2000 3°带第 39 带（米）", "CGCS2000 3° zone 39 (m)"),
    ("EPSG:4529", 0.8, "CGCS2000 3°带第 41 带（米）", "CGCS2000 3° zone 41 (m)"),
    ("EPSG:4549", 0.95, "CGCS2000 3°带中央经线 120°E，无带号（米）", "CGCS2000 3°, central meridian 120°E, no zone number (m)"),
    ("EPSG:4548", 0.7, "CGCS2000 3°带中央经线 117°E，无带号（米）", "CGCS2000 3°, central meridian 117°E, no zone number (m)"),
    ("EPSG:4550", 0.7, "CGCS2000 3°带中央经线 123°E，无带号（米）", "CGCS2000 3°, central meridian 123°E, no zone number (m)"),
    ("EPSG:4498", 0.75, "CGCS2000 6°带第 20 带（米）", "CGCS2000 6° zone 20 (m)"),
    ("EPSG:4499", 0.75, "CGCS2000 6°带第 21 带（米）", "CGCS2000 6° zone 21 (m)"),
    ("EPSG:32650", 0.5, "WGS84 UTM 50N（米）", "WGS84 UTM zone 50N (m)"),
    ("EPSG:32651", 0.6, "WGS84 UTM 51N（米）", "WGS84 UTM zone 51N (m)"),
    ("EPSG:3857", 0.9, "Web 墨卡托（米）", "Web Mercator (m)"),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame that would put the coordinates somewhere sensible; `lon`, `lat` say where the first of them would lie."""

    crs: str
    swapped: bool
    score: float
    in_city: float
    in_china: float
    lon: float
    lat: float
    reason: str
    reason_en: str
    reference_distance_m: float | None = None


def name(source: Source) -> str:
    """The one spelling of a declared frame; raises UnknownCrs. Free PROJ strings and grid files are refused: they can name local paths.

    >>> name("gcj02"), name(4490), name("urn:ogc:def:crs:EPSG::4528"), name("urn:ogc:def:crs:OGC:1.3:CRS84")
    ('GCJ-02', 'EPSG:4490', 'EPSG:4528', 'EPSG:4326')
    >>> name("")
    Traceback (most recent call last):
    grid.errors.UnknownCrs: 无法识别的坐标系 · unknown reference system: ''
    """
    if isinstance(source, pyproj.CRS):
        code = None if source.is_bound else source.to_epsg(min_confidence=70)
        if code is None:
            raise _unknown(source.name)
        return name(code)
    text = str(source).strip()
    key = re.sub(r"[\s_\-:/]", "", text.lower())
    if key in _ALIASES or key.endswith("crs84"):
        return _ALIASES.get(key, STORAGE)
    found = re.fullmatch(r"(?:urn:ogc:def:crs:EPSG:[\d.]*:|https?://www\.opengis\.net/def/crs/EPSG/[\d.]+/|EPSG:|)(\d{4,6})", text, re.IGNORECASE)
    if not found:
        raise _unknown(text)
    _to_degrees(int(found[1]))
    return f"EPSG:{found[1]}"


def from_wkt(text: str) -> pyproj.CRS:
    """The system that a .prj or a GeoPackage describes; raises UnknownCrs. To be judged by `name` like any other.

    >>> name(from_wkt(pyproj.CRS.from_epsg(4528).to_wkt("WKT1_ESRI")))
    'EPSG:4528'
    """
    try:
        return pyproj.CRS.from_wkt(text)
    except CRSError as problem:
        raise _unknown(text[:80]) from problem


def to_storage(data: G, source: Source) -> G:
    """Shapes, an array of shapes or a tuple (xs, ys) of coordinates from a declared frame into storage degrees; heights are dropped.

    What cannot be converted becomes NaN, to be refused by `geometry.clean` with its row. None and empty pass through.

    >>> lon, lat = to_storage((40534467.46, 3993055.81), 4528)
    >>> round(float(lon), 6), round(float(lat), 6)
    (120.3826, 36.0671)
    >>> to_storage(None, "GCJ-02") is None, to_storage(shapely.Point(), 4490).is_empty
    (True, True)
    """
    frame = name(source)
    forward = _DISTORTED[frame][0] if frame in _DISTORTED else _quiet(_to_degrees(int(frame[5:])).transform)
    return _apply(data, forward)


def from_storage(data: G, target: Source, *, authority_order: bool = False) -> G:
    """The other way. `authority_order=True` gives EPSG's axis order: (lat, lon) for 4490 and 4326, (north, east) for the zones.

    >>> [round(float(v), 2) for v in from_storage((120.3826, 36.0671), 4528)]
    [40534467.46, 3993055.81]
    >>> [float(v) for v in from_storage((120.3826, 36.0671), 4490, authority_order=True)]
    [36.0671, 120.3826]
    """
    frame = name(target)
    if frame in _DISTORTED:
        return _apply(data, _DISTORTED[frame][1])
    transform = _to_degrees(int(frame[5:])).transform
    swap = authority_order and north_first(frame)

    def backward(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        a, b = transform(x, y, direction=TransformDirection.INVERSE)
        return (b, a) if swap else (a, b)

    return _apply(data, _quiet(backward))


def north_first(source: Source) -> bool:
    """Whether EPSG's definition puts latitude or northing first.

    >>> north_first(4490), north_first(4528), north_first(3857), north_first("GCJ-02")
    (True, True, False, False)
    """
    frame = name(source)
    return frame not in _DISTORTED and pyproj.CRS.from_user_input(frame).axis_info[0].direction == "north"


def candidates(xs: ArrayLike, ys: ArrayLike, reference: BaseGeometry | None = None, *, limit: int = 5) -> list[Candidate]:
    """Frames under which the coordinates fall in the city or the country, best first; swapped axes are tried too. Empty input: none.

    From coordinates alone true degrees, GCJ-02 and BD-09 all look right and all three are returned; a `reference` in storage degrees (the
    known outlines of the same things) tells them apart by the median distance to its lines.

    >>> [(c.crs, c.swapped) for c in candidates([40534467.46], [3993055.81])]
    [('EPSG:4528', False)]
    >>> [(c.crs, c.swapped) for c in candidates([36.0671], [120.3826])][0]
    ('EPSG:4326', True)
    >>> candidates([], []), candidates([float("nan")], [1.0])
    ([], [])
    """
    x, y = _sample(xs, ys)
    if not x.size:
        return []
    measure = None if reference is None or reference.is_empty else _Ruler(reference)
    found = []
    for frame, prior, zh, en in _GUESSES:
        for swapped in (False, True):
            lon, lat = to_storage((y, x) if swapped else (x, y), frame)
            in_use = near_use(frame, lon)
            in_city, in_china = _share(lon, lat, QINGDAO, in_use), _share(lon, lat, CHINA, in_use)
            plausible = 0.8 * in_city + 0.2 * in_china
            if plausible < 0.1:
                continue
            found.append(
                Candidate(
                    crs=frame,
                    swapped=swapped,
                    score=prior * plausible * (0.8 if swapped else 1.0),
                    in_city=in_city,
                    in_china=in_china,
                    lon=float(lon[0]),
                    lat=float(lat[0]),
                    reason=("坐标轴颠倒；" if swapped else "") + f"按{zh}，{in_city:.0%} 的点落在青岛，{in_china:.0%} 在中国",
                    reason_en=("axes swapped; " if swapped else "") + f"as {en}, {in_city:.0%} of the points fall in Qingdao, {in_china:.0%} in China",
                    reference_distance_m=None if measure is None else measure.median_m(lon, lat),
                )
            )
    if measure is not None and found and x.size >= _TELLING_POINTS:
        found = _weighed(found)
    return sorted(found, key=lambda c: -c.score)[:limit]


def detect(xs: ArrayLike, ys: ArrayLike, reference: BaseGeometry | None = None) -> Candidate:
    """The one frame the coordinates leave no doubt about, for data that declares none; raises UnknownCrs with the candidates otherwise.

    Degrees without a reference are always in doubt: true degrees, GCJ-02 and BD-09 look alike and differ by up to 1.25 km.

    >>> detect([40534467.46], [3993055.81]).crs
    'EPSG:4528'
    >>> detect([120.3826], [36.0671])
    Traceback (most recent call last):
    grid.errors.UnknownCrs: 未声明坐标系，且无法从坐标唯一判定 · no reference system declared, and the coordinates leave more than one
    """
    ranked = candidates(xs, ys, reference)
    if ranked and not ranked[0].swapped and ranked[0].in_city > 0.5 and (len(ranked) == 1 or ranked[0].score >= 2.0 * ranked[1].score):
        return ranked[0]
    raise UnknownCrs(
        "未声明坐标系，且无法从坐标唯一判定 · no reference system declared, and the coordinates leave more than one",
        remedy=_REMEDY,
        candidates=ranked,
    )


def check(xs: ArrayLike, ys: ArrayLike, declared: Source, reference: BaseGeometry | None = None) -> str:
    """The declared frame's name if the coordinates bear it out; raises UnknownCrs with candidates where another fits clearly better.

    Data far from the city is believed: only a frame that puts more than twice as much of it in place contradicts a declaration.

    >>> check([139.7], [35.6], 4326)
    'EPSG:4326'
    >>> check([36.0671], [120.3826], 4326)
    Traceback (most recent call last):
    grid.errors.UnknownCrs: 坐标与声明的 EPSG:4326 不符 · the coordinates contradict the declared EPSG:4326
    """
    frame = name(declared)
    x, y = _sample(xs, ys)
    if not x.size:
        return frame
    lon, lat = to_storage((x, y), frame)
    plausible = 0.8 * _share(lon, lat, QINGDAO) + 0.2 * _share(lon, lat, CHINA)
    on_earth = _share(lon, lat, (-180.0, -90.0, 180.0, 90.0))
    ranked = candidates(x, y, reference)
    better = [c for c in ranked if 0.8 * c.in_city + 0.2 * c.in_china > 2.0 * plausible]
    if on_earth < 0.5 or better:
        raise _contradicted(frame, better or ranked, "")
    same = [c for c in ranked if not c.swapped and (c.crs == frame or {c.crs, frame} == {"EPSG:4326", "EPSG:4490"})]
    measured = [c for c in ranked if c.reference_distance_m is not None and np.isfinite(c.reference_distance_m)]
    if measured and same and same[0] in measured and x.size >= _TELLING_POINTS:
        nearest = min(measured, key=lambda c: c.reference_distance_m)
        was, now = same[0].reference_distance_m, nearest.reference_distance_m
        if now <= _TELLING_M and was + 5.0 > 2.0 * (now + 5.0):
            raise _contradicted(frame, ranked, f"（与已知边界相距 {was:.0f} 米，按 {nearest.crs} 则 {now:.0f} 米）")
    return frame


class _Ruler:
    """Median distance in metres from points to the lines of a reference, on a plane true at its middle (fine for a city)."""

    def __init__(self, reference: BaseGeometry) -> None:
        west, south, east, north = reference.bounds
        self.middle = np.array([(west + east) / 2.0, (south + north) / 2.0])
        self.scale = np.array([111_320.0 * np.cos(np.radians(self.middle[1])), 110_950.0])
        rings = shapely.get_parts(shapely.get_parts(shapely.get_parts(_lines(reference))))
        pieces = []
        for ring in rings:
            points = (shapely.get_coordinates(ring) - self.middle) * self.scale
            pieces.append(shapely.linestrings(np.stack([points[:-1], points[1:]], axis=1)) if len(points) > 1 else shapely.points(points))
        self.tree = shapely.STRtree(np.concatenate(pieces))

    def median_m(self, lon: Floats, lat: Floats) -> float:
        points = (np.column_stack([lon, lat]) - self.middle) * self.scale
        points = points[np.isfinite(points).all(axis=1)][:: max(1, len(points) // 400)]
        if not len(points):
            return float("inf")
        _, metres = self.tree.query_nearest(shapely.points(points), return_distance=True, all_matches=False)
        return float(np.median(metres))


def _lines(reference: BaseGeometry) -> NDArray[np.object_]:
    parts = shapely.get_parts(reference)
    return np.where(shapely.get_dimensions(parts) == 2, shapely.boundary(parts), parts)


def _weighed(found: list[Candidate]) -> list[Candidate]:
    """Scores times how near each comes to the reference, relative to the nearest; 5 m of slack."""
    nearest = min(c.reference_distance_m for c in found)
    if nearest > _TELLING_M:
        return found
    return [
        replace(
            c,
            score=c.score * (nearest + 5.0) / (c.reference_distance_m + 5.0) if np.isfinite(c.reference_distance_m) else 0.0,
            reason=f"{c.reason}，距参考边界中位数 {c.reference_distance_m:.0f} 米",
            reason_en=f"{c.reason_en}, median {c.reference_distance_m:.0f} m from the reference",
        )
        for c in found
    ]


def _sample(xs: ArrayLike, ys: ArrayLike, most: int = 2000) -> tuple[Floats, Floats]:
    x, y = np.ravel(np.asarray(xs, dtype=np.float64)), np.ravel(np.asarray(ys, dtype=np.float64))
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    step = max(1, -(-len(x) // most))
    return x[::step], y[::step]


def _share(lon: Floats, lat: Floats, box: Box, also: NDArray[np.bool_] | bool = True) -> float:
    with np.errstate(invalid="ignore"):
        return float(((lon >= box[0]) & (lat >= box[1]) & (lon <= box[2]) & (lat <= box[3]) & also).mean())


@lru_cache(maxsize=64)
def _use(frame: str) -> tuple[float, float]:
    area = None if frame in _DISTORTED else pyproj.CRS.from_user_input(frame).area_of_use
    return (-180.0, 180.0) if area is None else (area.west - 3.0, area.east + 3.0)


def in_city(lon: Floats, lat: Floats, frame: str) -> NDArray[np.bool_]:
    """Which places (storage degrees) lie in the city's box and where `frame` may be in use; NaN does not.

    >>> in_city(np.array([120.4, 139.7, np.nan]), np.array([36.1, 35.6, 36.1]), "EPSG:4326").tolist()
    [True, False, False]
    """
    west, south, east, north = QINGDAO
    with np.errstate(invalid="ignore"):
        return (lon >= west) & (lat >= south) & (lon <= east) & (lat <= north) & near_use(frame, lon)


def near_use(frame: str, lon: Floats) -> NDArray[np.bool_]:
    """Where the frame may be in use: its zone and 3° beside it. Farther out a zone's formulas still give numbers, but nobody means them."""
    west, east = _use(frame)
    with np.errstate(invalid="ignore"):
        return (lon >= west) & (lon <= east)


def _apply(data: G, convert: Convert) -> G:
    if data is None:
        return None
    if isinstance(data, tuple):
        return convert(np.asarray(data[0], dtype=np.float64), np.asarray(data[1], dtype=np.float64))
    return shapely.transform(data, lambda x, y: convert(x, y), interleaved=False)


def _quiet(convert: Convert) -> Convert:
    """PROJ answers inf where it cannot convert: say NaN, so that one test finds it."""

    def converted(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        a, b = (np.asarray(v, dtype=np.float64) for v in convert(x, y))
        lost = ~(np.isfinite(a) & np.isfinite(b))
        return np.where(lost, np.nan, a), np.where(lost, np.nan, b)

    return converted


@lru_cache(maxsize=64)
def _to_degrees(code: int) -> pyproj.Transformer:
    """From an EPSG frame to storage. WGS84 and CGCS2000 count as one datum; others only where PROJ knows the shift to two metres."""
    try:
        frame = pyproj.CRS.from_epsg(code)
    except CRSError as problem:
        raise _unknown(f"EPSG:{code}") from problem
    degrees = frame.geodetic_crs
    if degrees is None or not (frame.is_projected or frame.is_geographic):
        raise _unknown(f"EPSG:{code}")
    if degrees.to_epsg() in (4326, 4490):
        return pyproj.Transformer.from_crs(frame, degrees, always_xy=True)
    transformer = pyproj.Transformer.from_crs(frame, pyproj.CRS.from_epsg(4326), always_xy=True)
    if not 0.0 <= transformer.accuracy <= _TOLERATED_SHIFT_M:
        raise UnknownCrs(
            f"{frame.name}（EPSG:{code}）到 CGCS2000 的转换参数未知或过粗 · no accurate shift to CGCS2000 is known for {frame.name} (EPSG:{code})",
            remedy="请先用当地七参数转换为 CGCS2000 再导入 · convert it to CGCS2000 with the local seven parameters first",
            candidates=[],
        )
    return transformer


def _unknown(what: str) -> UnknownCrs:
    return UnknownCrs(f"无法识别的坐标系 · unknown reference system: {what!r}", remedy=_REMEDY, candidates=[])


def _contradicted(frame: str, ranked: list[Candidate], why: str) -> UnknownCrs:
    return UnknownCrs(f"坐标与声明的 {frame} 不符 · the coordinates contradict the declared {frame}{why}", remedy=_REMEDY, candidates=ranked)
