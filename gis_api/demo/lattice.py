"""The street lattice of a built-up area: two families of curved main streets, superblocks between them, each cut on into blocks.

Drawn in a plane (u, v) where streets are straight and blocks are rectangles, then bent into the map by `bend`: a turn along the coast plus
slow waves, so that quarters face different ways and every junction stays joined.
"""

import math
from dataclasses import dataclass

import numpy as np
import shapely

from gis_api.demo import plane, zones

_ORIGIN = plane.xy(120.36, 36.065)
_TURN = math.radians(13.0)
# amplitude m, wavelength in u m, wavelength in v m, phase: three waves for each of x and y
_WAVES = (
    ((150.0, 5200.0, 6100.0, 0.4), (70.0, 2700.0, 2300.0, 1.9), (28.0, 1250.0, 1500.0, 4.1)),
    ((170.0, 4600.0, 5300.0, 2.2), (80.0, 2500.0, 2900.0, 5.0), (30.0, 1400.0, 1150.0, 0.9)),
)
RANK = {"primary": 0, "secondary": 1, "residential": 2}


@dataclass(frozen=True, slots=True)
class Street:
    """A straight street in (u, v): `u0, v0` to `u1, v1` along one axis; `kind` a road class; `name` in Chinese."""

    u0: float
    v0: float
    u1: float
    v1: float
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """A rectangle between streets in (u, v) and the kind of place it is."""

    u0: float
    v0: float
    u1: float
    v1: float
    zone: str


def bend(u, v):
    """(u, v) in metres to plane metres; arrays or floats."""
    u, v = np.asarray(u, float), np.asarray(v, float)
    dx = sum(a * np.sin(2 * np.pi * (u / p + v / q) + f) for a, p, q, f in _WAVES[0])
    dy = sum(a * np.sin(2 * np.pi * (u / p - v / q) + f) for a, p, q, f in _WAVES[1])
    c, s = math.cos(_TURN), math.sin(_TURN)
    return _ORIGIN[0] + c * u - s * v + dx, _ORIGIN[1] + s * u + c * v + dy


def unbend(x, y):
    """Plane metres to (u, v): the inverse of `bend` by fixed-point iteration, to a millimetre."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    c, s = math.cos(_TURN), math.sin(_TURN)
    u, v = np.zeros_like(x), np.zeros_like(y)
    for _ in range(40):
        bx, by = bend(u, v)
        ex, ey = x - bx, y - by
        u, v = u + c * ex + s * ey, v - s * ex + c * ey
        if max(np.abs(ex).max(initial=0), np.abs(ey).max(initial=0)) < 1e-3:
            break
    return u, v


def axes(u, v):
    """Unit-step vectors of the bend at (u, v): (du_x, du_y, dv_x, dv_y), plane metres a metre."""
    x0, y0 = bend(u - 0.5, v)
    x1, y1 = bend(u + 0.5, v)
    x2, y2 = bend(u, v - 0.5)
    x3, y3 = bend(u, v + 0.5)
    return x1 - x0, y1 - y0, x3 - x2, y3 - y2


def _lines(low: float, high: float, step: float, name: str) -> list[float]:
    """Positions of main streets around zero, unevenly spaced; independent of low and high, so that areas fit together."""
    rng = plane.dice(f"lattice {name}")
    offsets = np.cumsum(step * rng.uniform(0.78, 1.22, 120))
    positions = np.concatenate([-offsets[::-1], [0.0], offsets])
    return [float(p) for p in positions if low <= p <= high]


def draw(area: shapely.Geometry, dense: shapely.Geometry, names: tuple[str, ...]) -> tuple[list[Street], list[Leaf]]:
    """Streets and leaves over `area` (plane metres); superblocks that touch `dense` are cut on into blocks, the others stay whole."""
    shapely.prepare([area, dense])
    corners = shapely.get_coordinates(shapely.segmentize(shapely.box(*area.bounds), 500))
    u, v = unbend(corners[:, 0], corners[:, 1])
    us, vs = _lines(u.min() - 600, u.max() + 600, 560.0, "u"), _lines(v.min() - 600, v.max() + 600, 430.0, "v")
    first_u, first_v = _rank(us, "u"), _rank(vs, "v")
    streets, leaves = [], []
    for i, at in enumerate(us):
        kind = "primary" if first_u[i] % 3 == 0 else "secondary"
        streets.append(Street(at, vs[0], at, vs[-1], kind, names[(2 * first_u[i]) % len(names)] + "路"))
    for j, at in enumerate(vs):
        kind = "primary" if first_v[j] % 3 == 0 else "secondary"
        streets.append(Street(us[0], at, us[-1], at, kind, names[(2 * first_v[j] + 1) % len(names)] + "路"))
    for i in range(len(us) - 1):
        for j in range(len(vs) - 1):
            rect = (us[i], vs[j], us[i + 1], vs[j + 1])
            ring = shapely.polygons(np.column_stack(bend(*np.array([(rect[0], rect[1]), (rect[2], rect[1]), (rect[2], rect[3]), (rect[0], rect[3])]).T)))
            if not shapely.intersects(area, ring):
                continue
            if shapely.intersects(dense, ring):
                rng = plane.dice(f"superblock {first_u[i]} {first_v[j]}")
                _cut(rect, rng, streets, leaves, names[int(rng.integers(len(names)))], [0])
            else:
                leaves.append(Leaf(*rect, zones.zone(*map(float, bend((rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2)))))
    return streets, leaves


def _rank(positions: list[float], name: str) -> list[int]:
    whole = _lines(-1e9, 1e9, 560.0 if name == "u" else 430.0, name)
    start = whole.index(positions[0]) if positions else 0
    return list(range(start, start + len(positions)))


def _cut(rect: tuple[float, float, float, float], rng: np.random.Generator, streets: list[Street], leaves: list[Leaf], name: str, used: list[int]) -> None:
    """Cuts a rectangle across its longer side until it is a block of the size its zone wants."""
    u0, v0, u1, v1 = rect
    width, height = u1 - u0, v1 - v0
    kind = zones.zone(*map(float, bend((u0 + u1) / 2, (v0 + v1) / 2)))
    if width * height < zones.TARGET_M2[kind] * rng.uniform(0.75, 1.6) or (max(width, height) < 55):
        leaves.append(Leaf(u0, v0, u1, v1, kind))
        return
    share = rng.uniform(0.4, 0.6)
    used[0] += 1
    title = f"{name}{_numeral(used[0])}路" if used[0] <= 10 else f"{name}路{used[0] - 10}号支路"
    if width >= height * rng.uniform(0.8, 1.1):
        cut = u0 + share * width
        streets.append(Street(cut, v0, cut, v1, "residential", title))
        parts = ((u0, v0, cut, v1), (cut, v0, u1, v1))
    else:
        cut = v0 + share * height
        streets.append(Street(u0, cut, u1, cut, "residential", title))
        parts = ((u0, v0, u1, cut), (u0, cut, u1, v1))
    for part in parts:
        _cut(part, rng, streets, leaves, name, used)


def _numeral(n: int) -> str:
    return "一二三四五六七八九十"[n - 1]
