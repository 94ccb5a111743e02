"""The demo's fire: towers that show a recording of smoke are turned so that the smoke of two of them stands on one place, as two towers of one fire do.

The recordings are of elsewhere and the towers are simulated; where smoke is found in a picture, and what that says of a place, the pipeline finds out
by itself. Each tower's other pictures are turned with it and say what they say.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from grid import geometry
from grid.geometry import view_sector
from grid.sensing.bearings import acute_deg
from grid.world.cameras import Camera
from imagery.cameras import skyline
from imagery.cameras.locate import Pose, project
from imagery.terrain import Terrain

Place = tuple[float, float]
NEAR_M, FAR_M = 1500.0, 5500.0
STEEP_DEG = 2.5
"""The ground must meet the line of sight at least so steeply: a grazing ray says no distance."""
CROSSING_DEG = 40.0
LEAST_HEIGHT_M = 60.0
CLEAR_M = 1.0
_ACROSS = 28


def place(towers: Sequence[Camera], terrain: Terrain) -> tuple[Place, tuple[int, int]] | None:
    """Where (lon, lat) two of the towers (their indices) look down on open ground, at bearings that cross, and farthest away; None where no two do."""
    best, found = 0.0, None
    for i, j in combinations(range(len(towers)), 2):
        pair = towers[i], towers[j]
        apart = geometry.inverse(pair[0].lon, pair[0].lat, pair[1].lon, pair[1].lat)[1]
        if apart > 2 * FAR_M:
            continue
        steps = np.linspace(-1, 1, _ACROSS)
        east, north = (axis.ravel() for axis in np.meshgrid(steps * FAR_M, steps * FAR_M))
        middle = (pair[0].lon + pair[1].lon) / 2, (pair[0].lat + pair[1].lat) / 2
        lon, lat, _ = geometry.GEOD.fwd(np.full(east.size, middle[0]), np.full(east.size, middle[1]), np.degrees(np.arctan2(east, north)), np.hypot(east, north))
        seen = [_seen(tower, lon, lat, terrain) for tower in pair]
        crossing = np.array([acute_deg(a, b) for a, b in zip(seen[0][0], seen[1][0], strict=True)])
        worth = np.where((crossing >= CROSSING_DEG) & (terrain.elevation(lon, lat) >= LEAST_HEIGHT_M), np.minimum(seen[0][1], seen[1][1]), 0.0)
        top = int(np.nanargmax(worth))
        if worth[top] > best:
            best, found = float(worth[top]), ((float(lon[top]), float(lat[top])), (i, j))
    return found


def _seen(tower: Camera, lon: np.ndarray, lat: np.ndarray, terrain: Terrain) -> tuple[np.ndarray, np.ndarray]:
    """Azimuths (degrees) to places, and their distances (m); 0 where one is out of reach, hidden or looked at too flatly."""
    lens = tower.ground_m + tower.height_m
    azimuth, _, metres = geometry.GEOD.inv(np.full(lon.size, tower.lon), np.full(lon.size, tower.lat), lon, lat)
    distances = np.linspace(60.0, FAR_M, 160)
    seen = skyline.profile(tower.lon, tower.lat, lens, azimuth, distances, terrain)
    at = np.arange(lon.size), np.clip(np.searchsorted(distances, metres), 1, len(distances) - 1)
    beside = at[0], at[1] - 1
    clear = (seen.hidden_m[at] < CLEAR_M) & (seen.hidden_m[beside] < CLEAR_M) & (metres >= NEAR_M) & (metres <= FAR_M)
    steep = -np.minimum(seen.elevation_deg[at], 0.0) + np.maximum(seen.elevation_deg[at] - seen.elevation_deg[beside], 0.0)
    return azimuth % 360.0, np.where(clear & (steep >= STEEP_DEG), metres, 0.0)


def turned(tower: Camera, foot: tuple[float, float], at: Place, terrain: Terrain) -> Camera:
    """The tower, azimuth and pitch such that the ground at a place lies at `foot` (shares of its picture's width and height)."""
    ground, lens = float(terrain.elevation(*at)), tower.ground_m + tower.height_m
    azimuth, _ = geometry.inverse(tower.lon, tower.lat, *at)
    pose = Pose(tower.lon, tower.lat, lens, azimuth, -2.0, tower.hfov_deg, tower.image_width, tower.image_height)
    for _ in range(8):
        x, y = project(pose, *at, ground)
        right, down = np.degrees((x - foot[0] * pose.width) / pose.focal_px), np.degrees((y - foot[1] * pose.height) / pose.focal_px)
        pose = replace(pose, azimuth_deg=(pose.azimuth_deg + right) % 360.0, pitch_deg=float(np.clip(pose.pitch_deg - down, -60.0, 30.0)))
    return replace(
        tower,
        azimuth_deg=round(pose.azimuth_deg, 3),
        pitch_deg=round(pose.pitch_deg, 3),
        view=view_sector(tower.lon, tower.lat, pose.azimuth_deg, tower.hfov_deg, tower.range_m),
    )
