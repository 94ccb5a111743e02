"""Azimuth, pitch and roll from the skyline: found where mountains shape it, honest where the sea leaves it level."""

from dataclasses import replace

import numpy as np
import pytest

from grid.errors import InvalidInput
from imagery.cameras import horizon, skyline
from imagery.cameras.locate import Pose, pixels
from imagery.terrain import Terrain, flat

TRUE = Pose(120.60, 36.20, 260.0, 48.0, -2.0, 50.0, 1920, 1080, roll_deg=0.6)


def mountains() -> Terrain:
    """Cones of known heights on a plain, 0.0008° cells, 0.4° wide."""
    lon, lat = np.meshgrid(120.45 + 0.0008 * np.arange(500), 36.40 - 0.0008 * np.arange(500))
    heights = np.full(lon.shape, 20.0)
    for east, north, high, wide in ((0.10, 0.06, 700, 0.03), (0.06, 0.10, 900, 0.025), (0.13, 0.12, 1000, 0.04), (0.09, 0.02, 520, 0.02), (0.02, 0.12, 640, 0.03), (0.14, 0.05, 800, 0.03)):
        away = np.hypot((lon - TRUE.lon - east) * 0.8, lat - TRUE.lat - north)
        heights = np.maximum(heights, 20.0 + high * np.clip(1 - away / wide, 0, None))
    return Terrain(heights.astype(np.float32), (1250.0, 0.0, -1250.0 * 120.45, 0.0, -1250.0, 1250.0 * 36.40), 80.0, None, 5.0)


def marked(pose: Pose, terrain: Terrain, count: int = 24, sigma_px: float = 1.0) -> np.ndarray:
    """Pixels of the skyline as a person would mark them."""
    azimuths = pose.azimuth_deg + np.linspace(-0.42, 0.42, count) * pose.hfov_deg
    line = np.radians(skyline.profile(pose.lon, pose.lat, pose.lens_m, azimuths, np.concatenate([horizon.NEAR, horizon.FAR]), terrain).skyline_deg[:, -1])
    a = np.radians(azimuths)
    at = np.stack(pixels(np.sin(a), np.cos(a), np.tan(line), pose, pose.azimuth_deg, pose.pitch_deg, pose.focal_px), axis=1)
    return at + np.random.default_rng(5).normal(0.0, sigma_px, at.shape)


def test_mountains_tell_where_a_camera_looks():
    terrain = mountains()
    registered = replace(TRUE, azimuth_deg=57.0, pitch_deg=-5.0, roll_deg=0.0)
    found = horizon.fit(registered, marked(TRUE, terrain), terrain)
    assert abs(found.azimuth_deg - TRUE.azimuth_deg) < 0.15 and abs(found.pitch_deg - TRUE.pitch_deg) < 0.1 and abs(found.roll_deg - TRUE.roll_deg) < 0.2
    assert found.azimuth_sigma_deg < 0.3 and found.rms_deg < 0.1 and found.points == 24


def test_a_level_horizon_tells_the_pitch_and_owns_that_it_knows_no_azimuth():
    sea = flat(0.0)
    found = horizon.fit(replace(TRUE, azimuth_deg=57.0, pitch_deg=-5.0, roll_deg=0.0), marked(TRUE, sea), sea)
    assert abs(found.pitch_deg - TRUE.pitch_deg) < 0.1 and found.pitch_sigma_deg < 0.2 and found.azimuth_sigma_deg > 5.0


@pytest.mark.parametrize("marks", [np.zeros((3, 2)), np.full((5, 2), np.nan), np.array([[900.0 + i, 500.0] for i in range(6)])])
def test_what_is_no_horizon_is_refused(marks):
    with pytest.raises(InvalidInput):
        horizon.fit(TRUE, marks, flat(0.0))


def test_points_that_no_pose_explains_are_refused():
    jagged = np.array([[x, 200.0 + 700.0 * (i % 2)] for i, x in enumerate(range(100, 1900, 100))], float)
    with pytest.raises(InvalidInput, match="skyline"):
        horizon.fit(TRUE, jagged, mountains())
