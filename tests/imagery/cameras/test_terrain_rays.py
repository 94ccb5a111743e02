"""Rays of a turned camera with a bent lens against ground that a formula gives: plane, cone and two ridges."""

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grid.geometry import GEOD
from imagery.cameras import skyline
from imagery.cameras.locate import Pose, direction, locate, project
from imagery.cameras.skyline import clear_view
from imagery.terrain import Terrain, from_array

LON, LAT, STEP = 120.6, 36.2, 1 / 3600
CELL_M = 30.0


def ground(height) -> Terrain:
    """13 km square of 30 m cells; `height` of metres east and north of the mast."""
    n = 441
    row, column = np.mgrid[0:n, 0:n] - n // 2
    heights = height(column * STEP * 111_320 * np.cos(np.radians(LAT)), -row * STEP * 110_960)
    corner = n / 2 * STEP
    return from_array(np.asarray(heights, float), (STEP, 0, LON - corner, 0, -STEP, LAT + corner), sigma_m=0.5)


TERRAINS = {
    "plane": ground(lambda e, n: 40 + 0.01 * e - 0.006 * n),
    "cone": ground(lambda e, n: np.maximum(0, 220 - 0.12 * np.hypot(e - 3500, n - 200))),
    "two ridges": ground(lambda e, n: 110 * np.exp(-(((e - 1800) / 180) ** 2)) + 190 * np.exp(-(((e - 4200) / 250) ** 2))),
}


def camera(terrain: Terrain, **changes) -> Pose:
    values = {"azimuth_deg": 90.0, "pitch_deg": -2.0, "hfov_deg": 50.0, "width": 1920, "height": 1080, "angle_sigma_deg": 0.02, "hfov_sigma": 0.0005}
    return Pose(LON, LAT, float(terrain.elevation(LON, LAT)) + 60.0, **(values | {"lens_sigma_m": 0.3, "position_sigma_m": 1.0} | changes))


@pytest.mark.parametrize("name", TERRAINS)
@settings(max_examples=40, deadline=None)
@given(st.floats(-25, 25), st.floats(-6, 1), st.floats(-8, 8), st.floats(-0.08, 0.08), st.floats(50, 1870), st.floats(500, 1060))
def test_pixel_to_ground_and_back_is_less_than_a_cell(name, turn, pitch, roll, k1, x, y) -> None:
    terrain = TERRAINS[name]
    pose = camera(terrain, azimuth_deg=90.0 + turn, pitch_deg=pitch, roll_deg=roll, k1=k1)
    azimuth, elevation = direction(pose, x, y)
    distance = float(terrain.reach(LON, LAT, pose.lens_m, azimuth, elevation, far_m=6000))
    assume(np.isfinite(distance))
    lon, lat, _ = GEOD.fwd(LON, LAT, float(azimuth), distance)
    back = project(pose, lon, lat, float(terrain.elevation(lon, lat)))
    assert back == pytest.approx((x, y), abs=0.2)
    again = direction(pose, *back)
    reached = float(terrain.reach(LON, LAT, pose.lens_m, *again, far_m=6000))
    lon2, lat2, _ = GEOD.fwd(LON, LAT, float(again[0]), reached)
    assume(abs(reached - distance) < 1000 or abs(elevation - again[1]) > 1e-6)
    assert GEOD.inv(lon, lat, lon2, lat2)[2] < CELL_M


def report(terrain: Terrain, pose: Pose, east_m: float) -> tuple[bool, object]:
    """Whether the base of something `east_m` metres due east is hidden, and the place made of its visible part."""
    distances = np.arange(30.0, east_m + 1, 5.0)
    x, y, _ = GEOD.fwd(np.full(len(distances), LON), np.full(len(distances), LAT), np.full(len(distances), 90.0), distances)
    heights = terrain.elevation(np.array(x), np.array(y))
    rise = (heights - pose.lens_m - 0.87 * distances**2 / (2 * 6_371_000)) / distances
    hidden = rise[:-1].max() > rise[-1] + 1e-5
    shows = heights[-1] + max(0.0, (rise.max() - rise[-1]) * distances[-1])
    px, py = project(pose, float(x[-1]), float(y[-1]), float(shows))
    return hidden, locate(pose, (px - 5, py - 60, px + 5, py), terrain, far_m=6500)


@pytest.mark.parametrize("east_m", [2300.0, 2600.0, 3000.0, 3300.0, 4800.0, 5200.0, 5400.0])
def test_a_hidden_base_is_ambiguous_and_among_the_candidates(east_m) -> None:
    terrain = TERRAINS["two ridges"]
    hidden, place = report(terrain, camera(terrain, pitch_deg=0.0), east_m)
    assert hidden and place.kind == "wedge" and place.covariance is None
    assert any(c.near_m <= east_m <= c.far_m for c in place.candidates), place.candidates


@pytest.mark.parametrize("east_m", [3500.0, 4000.0, 4300.0, 5000.0, 5400.0])
def test_a_base_behind_a_cone_is_ambiguous_and_one_before_it_is_a_point(east_m) -> None:
    terrain = TERRAINS["cone"]
    hidden, place = report(terrain, camera(terrain, pitch_deg=0.0), east_m)
    if hidden:
        assert place.kind == "wedge" and any(c.near_m <= east_m <= c.far_m for c in place.candidates), place.candidates
    else:
        assert abs(place.distance_m - east_m) < 60 or place.kind == "wedge"
    _, near = report(terrain, camera(terrain, pitch_deg=0.0), 1500.0)
    assert near.kind == "point" and abs(near.distance_m - 1500) < CELL_M


def test_every_seen_base_of_a_plane_is_a_point() -> None:
    terrain = TERRAINS["plane"]
    for east_m in (300.0, 900.0, 2000.0):
        hidden, place = report(terrain, camera(terrain), east_m)
        assert not hidden and place.kind == "point" and abs(place.distance_m - east_m) < CELL_M


def test_a_clear_view_leaves_out_what_ridges_hide() -> None:
    terrain = TERRAINS["two ridges"]
    pose = camera(terrain)
    view = clear_view(LON, LAT, pose.lens_m, 90.0, 50.0, 5000.0, terrain)

    def sees(east_m: float) -> bool:
        return bool(shapely.intersects_xy(view, *GEOD.fwd(LON, LAT, 90.0, east_m)[:2]))

    assert sees(800) and sees(1700) and not sees(2600) and not sees(3200) and sees(4150) and not sees(4900)
    assert not bool(shapely.intersects_xy(view, *GEOD.fwd(LON, LAT, 200.0, 800)[:2]))
    whole = clear_view(LON, LAT, 100.0, 90.0, 50.0, 5000.0, TERRAINS["plane"])
    assert whole.area > 1.3 * view.area and whole.is_valid


def test_a_foot_above_every_skyline_has_a_direction_and_no_distance() -> None:
    flat_ground = from_array(np.zeros((200, 200), np.float32), (0.001, 0.0, 120.0, 0.0, -0.001, 36.1))
    held = dict(bearing_deg=90.0, bearing_sigma_deg=0.5, elevation_sigma_deg=0.05, height_sigma_m=2.0, terrain=flat_ground, near_m=500.0, far_m=9000.0)
    assert skyline.foot(120.05, 36.0, 40.0, elevation_deg=4.0, **held) is None
    assert skyline.foot(120.05, 36.0, 40.0, elevation_deg=-0.6, **held) is not None
