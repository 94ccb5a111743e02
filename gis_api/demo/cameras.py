"""The cameras: high-point towers on the ridges that look where most forest is in sight, street cameras on crossings of every district."""

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from gis_api.demo import forest, plane, terrain, trunks
from gis_api.demo.districts import Land
from gis_api.demo.streetnet import Edges
from grid import geometry
from grid.world.atlas import Atlas
from grid.world.cameras import Camera

TOWER_SHARE = 0.02
LEAST_TOWERS = 24
ARC = 16


def towers(count: int, ground: np.ndarray, land: Land) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (lon, lat) and azimuths of towers: high ground far from each other, each facing where its sight reaches farthest over land."""
    stand = ground - ndimage.uniform_filter(ground, 41)
    score = np.where((ground > 190) & (stand > 25), stand + 0.12 * ground, -np.inf)
    peaks = (ndimage.maximum_filter(score, 9) == score) & np.isfinite(score)
    rows, columns = np.nonzero(peaks)
    lon = terrain.WEST + (columns + 0.5) / terrain.COLUMNS * (terrain.EAST - terrain.WEST)
    lat = terrain.NORTH - (rows + 0.5) / terrain.ROWS * (terrain.NORTH - terrain.SOUTH)
    xy = np.column_stack(plane.xy(lon, lat))
    best = score[rows, columns]
    mountain = max(count - len(forest.HILLS), count // 2)
    chosen = [int(best.argmax())]
    while len(chosen) < min(mountain, len(best)):
        away = cKDTree(xy[chosen]).query(xy)[0]
        chosen.append(int((np.minimum(away, 3500) / 3500 * best).argmax()))
    hills = np.array([(x, y) for _, x, y, _, code in forest.HILLS if code != "370212"])[: max(count - len(chosen), 0)]
    places = np.vstack([np.column_stack([lon, lat])[chosen], hills]) if len(hills) else np.column_stack([lon, lat])[chosen]
    return places, np.array([_facing(place, ground) for place in places])


def _facing(place: NDArray[np.float64], ground: np.ndarray) -> float:
    """The azimuth of sixteen in whose 60° sector most ground is in sight between 0.4 and 7 km."""
    azimuths = np.arange(0, 360, 22.5)
    distance = np.arange(400, 7001, 120.0)
    shape = (len(azimuths), len(distance))
    lon, lat = geometry.destination(
        np.full(shape, place[0]).ravel(), np.full(shape, place[1]).ravel(), np.repeat(azimuths, len(distance)), np.tile(distance, len(azimuths))
    )
    height = terrain.at(ground, lon, lat).reshape(shape)
    eye = float(terrain.at(ground, *place)) + 30.0
    angle = (height - eye) / distance
    seen = (angle >= np.maximum.accumulate(angle, axis=1) - 1e-9) & (height > 20)
    worth = (seen * distance).sum(axis=1)
    around = worth + np.roll(worth, 1) + np.roll(worth, -1)
    return float(azimuths[around.argmax()])


def crossings(edges: Edges) -> tuple[NDArray[np.float64], NDArray[np.object_], NDArray[np.float64]]:
    """Nodes where at least three edges meet (plane metres), their name from the two best streets, and how much they deserve a camera."""
    nodes, points = trunks.number(edges)
    half = len(edges)
    owner = np.tile(np.arange(half), 2)
    rank = np.array([{"motorway": 5, "trunk": 4, "primary": 4, "secondary": 2.5, "residential": 1, "track": 0.2}[k] for k in edges.kind])[owner]
    degree = np.bincount(nodes, minlength=len(points))
    weight = np.bincount(nodes, rank, minlength=len(points)) * (degree >= 3)
    order = np.lexsort((-rank, nodes))
    start = np.searchsorted(nodes[order], np.arange(len(points)))
    title = np.empty(len(points), dtype=object)
    for i in np.flatnonzero(weight > 0):
        names = list(dict.fromkeys(edges.name[owner[order[start[i] : start[i] + degree[i]]]]))
        title[i] = "/".join(names[:2]) + "路口" if len(names) > 1 else f"{names[0]}"
    kept = weight > 0
    return points[kept], title[kept], weight[kept]


def draw(count: int, edges: Edges, ground: np.ndarray, land: Land, atlas: Atlas) -> list[Camera]:
    """`count` cameras: 2 % towers, the rest on crossings (several on a crossing when there are more cameras than crossings)."""
    dice = plane.dice("cameras")
    wanted = min(max(int(count * TOWER_SHARE), LEAST_TOWERS), max(count // 4, 1))
    places, azimuths = towers(min(wanted, 120), ground, land)
    tower_count = len(places)
    points, titles, weight = crossings(edges)
    streets = count - tower_count
    share = weight / weight.sum()
    if streets <= len(points):
        picked = dice.choice(len(points), streets, replace=False, p=share)
    else:
        picked = np.concatenate([np.arange(len(points)), dice.choice(len(points), streets - len(points), p=share)])
    picked = np.sort(picked)
    spread = points[picked] + dice.uniform(3, 9, (streets, 1)) * _unit(dice.uniform(0, 2 * np.pi, streets))
    lon, lat = plane.lonlat(spread[:, 0], spread[:, 1])
    lon, lat = np.r_[places[:, 0], lon], np.r_[places[:, 1], lat]
    tower = np.arange(count) < tower_count
    azimuth = np.r_[azimuths, dice.integers(0, 72, streets) * 5.0]
    hfov = np.where(tower, 62.0, dice.choice([70.0, 78.0, 90.0], count))
    reach = np.where(tower, dice.integers(50, 81, count) * 100.0, dice.integers(8, 19, count) * 10.0)
    spots = shapely.points(np.round(lon, 7), np.round(lat, 7))
    region, cell = atlas.places(shapely.get_x(spots), shapely.get_y(spots))
    views = sectors(lon, lat, azimuth, hfov, reach)
    ground_m = np.round(terrain.at(ground, lon, lat), 1)
    height = np.where(tower, dice.integers(24, 46, count), dice.integers(5, 12, count)).astype(float)
    pitch = np.where(tower, np.round(dice.uniform(-4.0, -2.0, count), 1), np.round(dice.uniform(-24, -12, count), 1))
    fine = dice.random(count)
    state = np.where(fine < 0.965, "online", np.where(fine < 0.985, "offline", np.where(fine < 0.993, "blurred", "dark")))
    serial: dict[str, int] = {}
    rows = []
    for i in range(count):
        district = region[i][:6] if len(region[i]) >= 6 else "370200"
        serial[district] = serial.get(district, 0) + 1
        name = f"{_hill(lon[i], lat[i])}瞭望塔 {i + 1:02d}" if tower[i] else f"{titles[picked[i - tower_count]]} {serial[district]:04d}"
        rows.append(
            Camera(
                0, f"{district}0000132{serial[district] // 1_000_000}{serial[district] % 1_000_000:06d}", name, "tower" if tower[i] else "street", float(ground_m[i]),
                float(height[i]), float(azimuth[i]), float(pitch[i]), float(hfov[i]), float(reach[i]), 0.4 if tower[i] else 1.5, 1920, 1080, None, (),
                "online" if tower[i] else str(state[i]), None, region[i], cell[i], True, spots[i], views[i],
            )  # fmt: skip
        )
    return rows


def sectors(lon, lat, azimuth, hfov, reach) -> NDArray[np.object_]:
    """View sectors like grid.geometry.view_sector, for many cameras at once; degrees and metres."""
    n = len(lon)
    turn = azimuth[:, None] + hfov[:, None] * np.linspace(-0.5, 0.5, ARC + 1)
    shape = turn.shape
    x, y = geometry.destination(
        np.broadcast_to(lon[:, None], shape).ravel(), np.broadcast_to(lat[:, None], shape).ravel(), turn.ravel(), np.broadcast_to(reach[:, None], shape).ravel()
    )
    tip = np.stack([lon, lat], axis=1)[:, None, :]
    arc = np.stack([np.reshape(x, shape), np.reshape(y, shape)], axis=2)
    return shapely.polygons(np.round(np.concatenate([tip, arc, tip], axis=1), 8)) if n else np.empty(0, dtype=object)


def _unit(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _hill(lon: float, lat: float) -> str:
    """The nearest named hill within five kilometres, else Laoshan."""
    names = [(np.hypot((x - lon) * 90, (y - lat) * 111), name) for name, x, y, _, _ in forest.HILLS]
    distance, name = min(names)
    return name if distance < 5 and not (lon > 120.47 and 36.1 < lat < 36.3) else "崂山"
