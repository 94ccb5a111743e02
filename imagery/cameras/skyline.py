"""What of the ground a camera sees along its azimuths, and how well each place explains how low a thing's foot stands in the picture.

The foot of what stands at distance r appears at the ground's elevation angle there, or, where nearer ground hides it, on the highest skyline
before it: both are one running maximum along the ray, curvature and refraction included. What is hidden by more metres is less likely to show at
all (smoke: one in e at 250 m).
"""

from dataclasses import dataclass

import numpy as np
import shapely

from grid.geometry import GEOD, clean
from grid.sensing.likelihood import Grid, Polar
from imagery.terrain import Terrain, drop_m

AZIMUTHS = 9
DISTANCES = 256
WITHIN = 3
SIGMAS = 3.0
HIDDEN_M = 250.0
FLOOR = 1e-5
UNEXPLAINED = 3.0
"""Sigmas: a foot that is farther from the ground's line everywhere is not explained by this terrain."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Ground along azimuths (rows) at distances (columns, m): `elevation_deg` of the ground, `skyline_deg` where its foot shows, `hidden_m` how far
    the ground lies under the line of sight (0 where seen)."""

    distances: Grid
    elevation_deg: Grid
    skyline_deg: Grid
    hidden_m: Grid


def profile(lon: float, lat: float, lens_m: float, azimuths_deg: Grid, distances: Grid, terrain: Terrain) -> Profile:
    """The profile from a lens at `lens_m` above the terrain's datum; unknown ground is as high as the last known before it."""
    azimuth, distance = (part.ravel() for part in np.broadcast_arrays(np.asarray(azimuths_deg, float)[:, None], distances[None, :]))
    x, y, _ = GEOD.fwd(np.full(azimuth.size, lon), np.full(azimuth.size, lat), azimuth, distance)
    heights = np.asarray(terrain.elevation(x, y), float).reshape(len(azimuths_deg), len(distances))
    heights = _filled(heights, float(np.nan_to_num(terrain.elevation(lon, lat), nan=lens_m)))
    rise = (heights - lens_m - drop_m(distances)) / distances
    highest = np.maximum.accumulate(rise, axis=1)
    return Profile(distances, np.degrees(np.arctan(rise)), np.degrees(np.arctan(highest)), (highest - rise) * distances)


def _filled(heights: Grid, first: float) -> Grid:
    known = np.isfinite(heights)
    if known.all():
        return heights
    last = np.maximum.accumulate(np.where(known, np.arange(heights.shape[1]), -1), axis=1)
    return np.where(last >= 0, np.take_along_axis(heights, np.maximum(last, 0), axis=1), first)


def foot(
    lon: float,
    lat: float,
    lens_m: float,
    bearing_deg: float,
    bearing_sigma_deg: float,
    elevation_deg: float,
    elevation_sigma_deg: float,
    height_sigma_m: float,
    terrain: Terrain,
    *,
    near_m: float = 30.0,
    far_m: float = 35_000.0,
) -> Polar | None:
    """The polar table of a foot seen at a bearing and elevation with their sigmas; `height_sigma_m`: of the lens against the ground it looks at.
    None where no place explains the foot (it stands above every skyline): such a picture says a direction, no distance."""
    fine = np.geomspace(near_m, far_m, DISTANCES * WITHIN)
    reach = SIGMAS * max(bearing_sigma_deg, 0.02)
    azimuths = bearing_deg + np.linspace(-reach, reach, AZIMUTHS)
    ground = profile(lon, lat, lens_m, azimuths, fine, terrain)
    sigma = np.hypot(elevation_sigma_deg, np.degrees(height_sigma_m / fine))
    off = (ground.skyline_deg - elevation_deg) / sigma
    log = -0.5 * off**2 - np.log(sigma / elevation_sigma_deg) - ground.hidden_m / HIDDEN_M
    best = log.max()
    if np.abs(off).min() > UNEXPLAINED:
        return None
    share = np.exp(log - best).reshape(AZIMUTHS, DISTANCES, WITHIN).mean(axis=2)
    table = np.log(np.maximum(share / share.max(), FLOOR))
    middles = fine.reshape(DISTANCES, WITHIN)[:, WITHIN // 2]
    return Polar(float(azimuths[0]), float(2 * reach / (AZIMUTHS - 1)), float(middles[0]), float(middles[-1]), table)


def behind(
    lon: float,
    lat: float,
    lens_m: float,
    bearing_deg: float,
    elevation_deg: float,
    elevation_sigma_deg: float,
    height_sigma_m: float,
    terrain: Terrain,
    *,
    near_m: float = 30.0,
    far_m: float = 35_000.0,
) -> list[tuple[float, float]]:
    """Distances (near, far; m) of all hidden ground whose hiding skyline lies within two sigmas of the elevation of the foot: what stands there would show
    its lowest part where the foot was seen. Hollows shorter than 100 m or 15 % of their distance, or hidden by less than 3 m, are left out."""
    distances = np.arange(near_m, far_m, max(terrain.cell_m / 2, (far_m - near_m) / 3000))
    ground = profile(lon, lat, lens_m, np.array([bearing_deg]), distances, terrain)
    sigma = np.hypot(elevation_sigma_deg, np.degrees(height_sigma_m / distances))
    may = (ground.hidden_m[0] > 0) & (np.abs(ground.skyline_deg[0] - elevation_deg) <= 2 * sigma)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], may.astype(np.int8), [0]])))
    found = []
    for first, last in zip(edges[::2], edges[1::2] - 1, strict=True):
        near, far = float(distances[first]), float(distances[last])
        if far - near > max(100.0, 0.15 * near) and ground.hidden_m[0, first : last + 1].max() > 3.0:
            found.append((near, far))
    return found


def clear_view(
    lon: float, lat: float, lens_m: float, azimuth_deg: float, hfov_deg: float, range_m: float, terrain: Terrain, *, tall_m: float = 10.0
) -> shapely.Geometry:
    """Where a camera would see something `tall_m` high within its field of view and range (EPSG:4326): its sector less what ridges hide, by rays 1° apart
    (at least 8). The silence of a camera counts here and nowhere else. Empty where it sees nothing."""
    rays = max(8, int(np.ceil(hfov_deg)))
    edges = azimuth_deg + np.linspace(-hfov_deg / 2, hfov_deg / 2, rays + 1)
    distances = np.linspace(10.0, range_m, max(16, int(np.ceil(range_m / max(terrain.cell_m, range_m / 400)))))
    ground = profile(lon, lat, lens_m, (edges[:-1] + edges[1:]) / 2, distances, terrain)
    return _over(lon, lat, edges, distances, ground.hidden_m < tall_m)


def hidden(
    lon: float, lat: float, lens_m: float, shape: shapely.Geometry, terrain: Terrain, *, tall_m: float = 2.0, near_m: float = 1.0
) -> shapely.Geometry:
    """The part of a shape's surroundings (EPSG:4326) where ridges hide something `tall_m` high on the ground; empty where nothing is hidden. The shape
    lies within 180° of the lens's sight."""
    corners = shapely.get_coordinates(shapely.segmentize(shape, max(shape.length / 100, 1e-7)))
    azimuths, _, away = GEOD.inv(np.full(len(corners), lon), np.full(len(corners), lat), corners[:, 0], corners[:, 1])
    middle = float(np.degrees(np.arctan2(np.sin(np.radians(azimuths)).mean(), np.cos(np.radians(azimuths)).mean())))
    turns = (np.asarray(azimuths) - middle + 180) % 360 - 180
    first, last = max(near_m, 0.95 * float(np.min(away))), 1.05 * float(np.max(away)) + near_m
    rays = int(np.clip(np.ceil((turns.max() - turns.min()) * 4), 8, 64))
    edges = middle + np.linspace(turns.min() - 0.1, turns.max() + 0.1, rays + 1)
    before = np.geomspace(near_m, first, 64)[:-1] if first > near_m else np.empty(0)
    distances = np.concatenate([before, np.linspace(first, last, 160)])
    ground = profile(lon, lat, lens_m, (edges[:-1] + edges[1:]) / 2, distances, terrain)
    return _over(lon, lat, edges, distances, ground.hidden_m >= tall_m)


def _over(lon: float, lat: float, edges: Grid, distances: Grid, chosen: Grid) -> shapely.Geometry:
    """The ground (EPSG:4326) of the cells that are chosen: rows lie between `edges` (azimuths), columns begin at `distances`."""
    pieces = []
    for ray in range(len(edges) - 1):
        marks = np.concatenate([[0], chosen[ray].astype(np.int8), [0]])
        turns = np.flatnonzero(np.diff(marks))
        for first, last in zip(turns[::2], turns[1::2] - 1, strict=True):
            near, far = distances[first], distances[last]
            if far > near:
                azimuths, lengths = np.array([edges[ray], edges[ray], edges[ray + 1], edges[ray + 1]]), np.array([near, far, far, near])
                x, y, _ = GEOD.fwd(np.full(4, lon), np.full(4, lat), azimuths, lengths)
                pieces.append(shapely.Polygon(np.stack([x, y], axis=1)))
    return shapely.set_srid(clean(shapely.union_all(pieces)) or shapely.Polygon(), 4326)
