"""Beyond the built-up lattice: a small street grid round every town, trunk roads between neighbouring towns, tracks up the mountains.

Then all edges together get numbered nodes, so that a route can run from any district to any other.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import Delaunay, cKDTree
from shapely.geometry.base import BaseGeometry

from gis_api.demo import plane
from gis_api.demo.streetnet import NAMES, SPEED, Edges
from grid import geometry
from grid.world.roads import Road

BRIDGE = ("胶州湾大桥", (120.3890, 36.1930), (120.2030, 36.1480), (120.1390, 36.1280))


def join(parts: Sequence[Edges]) -> Edges:
    """Several sets of edges as one."""
    return Edges(*(np.concatenate([getattr(p, name) for p in parts]) for name in Edges.__slots__))


def _edges(lines: list, kinds: list[str], names: list[str]) -> Edges:
    shapes = np.empty(len(lines), dtype=object)
    shapes[:] = lines
    return Edges(shapes, np.array(kinds, dtype=object), np.array(names, dtype=object), np.zeros(len(lines)))


def town_grids(centres: NDArray[np.float64], names: Sequence[str], land: BaseGeometry, taken: BaseGeometry) -> Edges:
    """A turned 9 × 9 grid of streets round each centre (plane metres), on land, outside the area `taken` by the lattice."""
    dice = plane.dice("towns")
    lines, kinds, titles = [], [], []
    inner = shapely.buffer(land, -60)
    shapely.prepare(inner)
    for (x, y), name in zip(centres, names, strict=True):
        turn, count = dice.uniform(0, np.pi / 2), int(dice.integers(6, 10))
        steps = np.cumsum(dice.uniform(130, 260, (2, count)), axis=1)
        steps -= steps[:, [count // 2]]
        a, b = np.meshgrid(steps[0], steps[1], indexing="ij")
        a, b = a + 14 * np.sin(b / 260 + turn), b + 14 * np.sin(a / 240 + 2 * turn)
        gx, gy = x + a * np.cos(turn) - b * np.sin(turn), y + a * np.sin(turn) + b * np.cos(turn)
        for i in range(count):
            for j in range(count):
                for k, m in ((i + 1, j), (i, j + 1)):
                    if k < count and m < count:
                        main = (m == j and j == count // 2) or (k == i and i == count // 2)
                        if not main and dice.random() < 0.14:
                            continue
                        lines.append(shapely.LineString([(gx[i, j], gy[i, j]), (gx[k, m], gy[k, m])]))
                        kinds.append("secondary" if main else "residential")
                        titles.append(f"{name}{'纵' if m == j else '横'}{(j if m == j else i) + 1}路")
    found = _edges(lines, kinds, titles)
    return found.take(shapely.contains_properly(inner, found.line) & ~shapely.intersects(taken, found.line))


def trunks(centres: NDArray[np.float64], hubs: NDArray[np.float64], land: BaseGeometry) -> Edges:
    """Roads between neighbouring centres (Gabriel graph, plane metres), gently curved, that stay on land, and the bridge across the bay.

    Each end is moved to the nearest of `hubs`, the nodes that exist there.
    """
    dice = plane.dice("trunks")
    tree = cKDTree(hubs)
    pairs: set[tuple[int, int]] = set()
    for triangle in Delaunay(centres).simplices:
        pairs |= {tuple(sorted((int(triangle[i]), int(triangle[i - 1])))) for i in range(3)}
    everything = cKDTree(centres)
    lines, kinds, names = [], [], []
    ground = shapely.buffer(land, 120)
    shapely.prepare(ground)
    for a, b in sorted(pairs):
        middle, radius = (centres[a] + centres[b]) / 2, np.hypot(*(centres[a] - centres[b])) / 2
        near = [i for i in everything.query_ball_point(middle, radius * 0.98) if i not in (a, b)]
        if near or radius > 16_000:
            continue
        ends = hubs[tree.query(centres[[a, b]])[1]]
        line = curved(ends[0], ends[1], dice)
        if line is not None and shapely.covers(ground, line):
            lines.append(line)
            kinds.append("trunk" if radius > 2500 else "primary")
            names.append(f"{NAMES[(a * 13 + b) % len(NAMES)]}大道" if radius > 2500 else f"{NAMES[(a * 7 + b) % len(NAMES)]}路")
    deck = np.array([plane.xy(*p) for p in BRIDGE[1:]])
    shore = hubs[tree.query(deck[[0, -1]])[1]]
    lines.append(shapely.LineString([shore[0], *deck, shore[1]]))
    return _edges(lines, [*kinds, "motorway"], [*names, BRIDGE[0]])


def tracks(targets: NDArray[np.float64], hubs: NDArray[np.float64]) -> Edges:
    """A winding track from each target (plane metres) down to the nearest hub."""
    dice = plane.dice("tracks")
    found = [curved(point, hubs[at], dice, bend=0.16) for point, at in zip(targets, cKDTree(hubs).query(targets)[1], strict=True)]
    lines = [line for line in found if line is not None]
    return _edges(lines, ["track"] * len(lines), [f"防火通道{i + 1}号" for i in range(len(lines))])


def curved(a, b, dice: np.random.Generator, bend: float = 0.05) -> shapely.LineString | None:
    """A gently winding line from a to b; None when they are one point."""
    length = float(np.hypot(*(np.asarray(b) - np.asarray(a))))
    if length < 1.0:
        return None
    t = np.linspace(0, 1, max(int(length / 180), 3) + 1)
    side = sum(bend * length / k * dice.uniform(-1, 1) * np.sin(k * np.pi * t) for k in (1, 2, 3, 5))
    ux, uy = (b[0] - a[0]) / length, (b[1] - a[1]) / length
    return shapely.LineString(np.column_stack([a[0] + t * (b[0] - a[0]) - side * uy, a[1] + t * (b[1] - a[1]) + side * ux]))


def ends(edges: Edges) -> NDArray[np.float64]:
    """First and last points of the edges, one below the other, plane metres."""
    first, last = shapely.get_point(edges.line, 0), shapely.get_point(edges.line, -1)
    return np.vstack([np.column_stack([shapely.get_x(p), shapely.get_y(p)]) for p in (first, last)])


def connected(edges: Edges) -> Edges:
    """Edges of the largest connected part and of every part that a straight link of at most 2.5 km ties to it; the rest is dropped."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    for _ in range(6):
        nodes, points = number(edges)
        half = len(edges)
        count = int(nodes.max()) + 1
        links = coo_array((np.ones(half), (nodes[:half], nodes[half:])), shape=(count, count))
        parts, label = connected_components(links, directed=False)
        if parts == 1:
            return edges
        sizes = np.bincount(label)
        main = np.flatnonzero(label == sizes.argmax())
        tree = cKDTree(points[main])
        lines, names = [], []
        for part in np.flatnonzero(sizes > 3):
            if part == sizes.argmax():
                continue
            members = np.flatnonzero(label == part)
            distance, nearest = tree.query(points[members])
            best = int(distance.argmin())
            if distance[best] <= 2500:
                lines.append(shapely.LineString([points[members[best]], points[main[nearest[best]]]]))
                names.append("连接路")
        kept = edges.take(np.isin(label[nodes[:half]], [sizes.argmax(), *np.flatnonzero(sizes > 3)]))
        if not lines:
            return edges.take(label[nodes[:half]] == sizes.argmax())
        edges = join([kept, _edges(lines, ["secondary"] * len(lines), names)])
    nodes, _ = number(edges)
    return edges


def number(edges: Edges) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Node number of the first ends then of the last ends, and the node points: ends closer than 2 cm are one node."""
    points = np.round(ends(edges) / 0.02).astype(np.int64)
    unique, label = np.unique(points, axis=0, return_inverse=True)
    return label.ravel(), unique * 0.02


def rows(edges: Edges, region_of: NDArray[np.object_]) -> list[Road]:
    """Edges as rows in degrees, lengths geodesic, nodes numbered from 1."""
    nodes, _ = number(edges)
    lines = plane.to_degrees(edges.line)
    half = len(edges)
    return [
        Road(str(edges.name[i]), str(edges.kind[i]), SPEED[edges.kind[i]], int(nodes[i]) + 1, int(nodes[half + i]) + 1, geometry.length_m(lines[i]), str(region_of[i]), True, lines[i])
        for i in range(half)
    ]
