"""Zones in pictures against analytic ground, stays, crossings, and speeds with their errors."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from grid.geometry import destination
from imagery.cameras import zones
from imagery.cameras.calibrate import NAMES
from imagery.cameras.eyes import DRAWS, PoseEye, control_eye
from imagery.cameras.locate import Pose, noise_of, project
from imagery.cameras.motion import motion
from imagery.terrain import flat, from_array

POSE = Pose(120.6, 36.2, 60.0, 90.0, -6.0, 60.0, 1920, 1080, angle_sigma_deg=0.3)
T = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def on_ground(azimuth: float, metres: float) -> tuple[float, float]:
    return destination(POSE.lon, POSE.lat, azimuth, metres)


def ring(near: float, far: float, left: float, right: float) -> shapely.Polygon:
    return shapely.Polygon([on_ground(left, near), on_ground(left, far), on_ground(right, far), on_ground(right, near)])


def eye(terrain=None, pose: Pose = POSE) -> PoseEye:
    return PoseEye(pose, terrain or flat(0.0, sigma_m=0.5), 2000.0)


def box_at(lon: float, lat: float, size: float = 0.02) -> tuple[float, float, float, float]:
    x, y = project(POSE, lon, lat, 0.0)
    return x / POSE.width - size / 2, y / POSE.height - size, x / POSE.width + size / 2, y / POSE.height


def test_a_zone_on_flat_ground_lies_in_the_picture_where_its_corners_do():
    zone = ring(400, 800, 80, 95)
    outline = zones.projected(zone, eye())
    wanted = shapely.Polygon([np.array(project(POSE, *corner, 0.0)) / (1920, 1080) for corner in zone.exterior.coords])
    assert (outline.best & wanted).area / (outline.best | wanted).area > 0.99
    assert outline.visible == 1.0 and len(outline.draws) == 32
    assert 0.001 < outline.sigma < 0.03  # 0.3° over a field of 60° is 0.5 % of the width, and as much for the pitch


def test_what_the_frame_cuts_and_what_lies_behind_is_said():
    half = zones.projected(ring(400, 800, 110, 130), eye())  # the frame ends at 120°
    assert 0.3 < half.visible < 0.7 and half.best.bounds[2] <= 1.0
    for behind in (ring(400, 800, 260, 280), ring(20_000, 22_000, 85, 95)):
        nothing = zones.projected(behind, eye())
        assert nothing.best.is_empty and nothing.visible == 0.0
        assert zones.inside(nothing, [(0.4, 0.4, 0.6, 0.6)], 1920, 1080).tolist() == [0.0]
    around = zones.projected(shapely.Polygon([on_ground(a, 500) for a in range(0, 360, 10)]), eye())
    assert 0.03 < around.visible < 0.2 and around.best.area > 0.2  # the mast stands inside


def test_ground_behind_a_ridge_is_no_part_of_the_zone_in_the_picture():
    heights = np.zeros((200, 200), np.float32)
    heights[:, 108:112] = 45.0  # a ridge about 700 to 1,100 m east of the mast
    step = 0.001
    terrain = from_array(heights, (step, 0, POSE.lon - 100 * step, 0, -step, POSE.lat + 100 * step), sigma_m=0.5)
    low = Pose(POSE.lon, POSE.lat, 50.0, 90.0, -2.0, 60.0, 1920, 1080, angle_sigma_deg=0.1)
    open_ground, hidden = (zones.projected(ring(near, far, 85, 95), eye(terrain, low)) for near, far in ((300, 600), (1300, 1700)))
    assert open_ground.visible == 1.0
    assert hidden.visible == 0.0 and hidden.best.is_empty


def test_how_sure_a_foot_is_inside_falls_over_the_border_as_the_pose_is_unsure():
    outline = zones.projected(ring(400, 800, 80, 95), eye())
    sure = zones.inside(outline, [box_at(*on_ground(a, 600)) for a in (87, 94.9, 95.1, 110)], 1920, 1080)
    assert sure[0] == 1.0 and sure[3] == 0.0
    assert 0.2 < sure[1] < 0.9 and 0.1 < sure[2] < 0.8 and sure[1] >= sure[2]
    exact = zones.drawn(shapely.box(0.2, 0.2, 0.6, 0.6))
    assert zones.inside(exact, [(0.3, 0.3, 0.4, 0.5), (0.3, 0.1, 0.4, 0.19), (0.3, 0.5, 0.4, 0.9)], 1920, 1080).tolist() == [1.0, 0.0, 0.0]


def test_the_error_of_a_box_owes_nothing_to_that_of_the_camera():
    feet = np.stack(zones._feet([(0.4, 0.4, 0.6, 0.6)], 1920, 1080))[:, :, 0]
    for eye_of in (noise_of(DRAWS), noise_of(DRAWS, len(NAMES))):
        assert np.abs(np.corrcoef(feet, eye_of)[:2, 2:]).max() < 1e-9


def test_a_stay_goes_on_over_one_slip_of_the_box_and_ends_with_two():
    times = [T + timedelta(seconds=10 * i) for i in range(6)]
    minute = timedelta(minutes=1)
    assert zones.stay(times, [True] * 6, minute) == zones.Stay(T, 50.0, 6)
    assert zones.stay(times, [True, True, False, True, True, True], minute) == zones.Stay(T, 50.0, 5)
    assert zones.stay(times, [True, False, False, True, True, True], minute) == zones.Stay(times[3], 20.0, 3)
    assert zones.stay(times, [True] * 5 + [False], minute) is None
    assert zones.stay([T, T + timedelta(minutes=5)], [True, True], minute).seconds == 0.0
    assert zones.stay([], [], minute) is None


def at_foot(x: float, y: float) -> tuple[float, float, float, float]:
    return x - 0.01, y - 0.03, x + 0.01, y


@pytest.mark.parametrize(("path", "wanted"), [
    ([0.3, 0.4, 0.6], [(2, True)]),
    ([0.6, 0.4, 0.3], [(1, False)]),
    ([0.3, 0.6, 0.3], [(1, True), (2, False)]),
    ([0.3, 0.499, 0.501, 0.4995, 0.502], []),
    ([0.3, 0.499, 0.7], [(2, True)]),
    ([0.1, 0.2, 0.3], []),
])  # fmt: skip
def test_who_crosses_is_counted_once_and_who_stands_on_the_line_never(path, wanted):
    upwards = shapely.LineString([(0.5, 0.9), (0.5, 0.1)])  # its right side is the picture's right
    assert zones.crossings(upwards, [at_foot(x, 0.5) for x in path], 1920, 1080) == wanted
    assert zones.crossings(upwards, [at_foot(x, 0.95) for x in path], 1920, 1080) == []
    mirrored = [(index, not forward) for index, forward in wanted]
    assert zones.crossings(shapely.reverse(upwards), [at_foot(x, 0.5) for x in path], 1920, 1080) == mirrored


def test_a_line_on_the_map_keeps_its_sides_in_the_picture():
    line = shapely.LineString([on_ground(90, 300), on_ground(90, 900)])  # away from the camera: its right side is the south, and the picture's right
    outline = zones.projected(line, eye())
    assert outline.visible == 1.0
    assert zones.crossings(outline.best, [box_at(*on_ground(85, 600)), box_at(*on_ground(95, 600))], 1920, 1080) == [(1, True)]


def test_speed_comes_with_an_error_that_holds_the_truth():
    pose_errors = np.random.default_rng(5)
    off, told = [], []
    for _ in range(60):
        course, speed = pose_errors.uniform(0, 360), pose_errors.uniform(2.0, 8.0)
        start = on_ground(pose_errors.uniform(75, 105), pose_errors.uniform(250, 500))
        wrong = Pose(POSE.lon, POSE.lat, POSE.lens_m + pose_errors.normal(0, 1.1), 90 + pose_errors.normal(0, 0.3), -6 + pose_errors.normal(0, 0.3), 60 * (1 + pose_errors.normal(0, 0.01)), 1920, 1080)
        times, boxes = [], []
        for i in range(8):
            lon, lat = destination(*start, course, speed * 2.0 * i)
            x, y = np.array(project(wrong, lon, lat, 0.0)) + pose_errors.normal(0, 2.5, 2)
            times.append(T + timedelta(seconds=2 * i))
            boxes.append((x / 1920 - 0.005, y / 1080 - 0.02, x / 1920 + 0.005, y / 1080))
        found = motion(eye(), boxes, times)
        off.append((found.speed_ms - speed) / found.speed_sigma_ms)
        told.append(found.course_deg is not None and abs((found.course_deg - course + 180) % 360 - 180) < 3 * found.course_sigma_deg + 1)
    assert 0.8 < np.mean(np.abs(off) < 1.645) <= 1.0
    assert np.mean(told) > 0.85


def test_what_stands_still_has_no_direction_and_what_is_out_of_sight_no_speed():
    boxes = [box_at(*on_ground(90, 500))] * 6
    times = [T + timedelta(seconds=5 * i) for i in range(6)]
    still = motion(eye(), boxes, times)
    assert still.speed_ms < 0.5 and still.course_deg is None and still.course_sigma_deg is None
    assert motion(eye(), boxes[:1], times[:1]) is None
    assert motion(eye(), boxes[:2], [T, T + timedelta(milliseconds=200)]) is None
    assert motion(eye(), [(0.4, 0.5, 0.5, 1.0)] * 6, times) is None
    assert motion(eye(), [(0.4, 0.0, 0.5, 0.05)] * 6, times) is None  # the sky


def test_control_points_give_the_same_ground_as_the_pose_they_were_taken_with():
    places = np.array([on_ground(a, d) for a in (70, 80, 90, 100, 110) for d in (120, 350)])
    seen = np.array([project(POSE, *place, 0.0) for place in places]) / (1920, 1080)
    found = control_eye(tuple(np.hstack([seen, places]).ravel().tolist()), 1920, 1080, 600.0)
    there = found.pixels(places[:, 0], places[:, 1])[0] / (1920, 1080)
    assert np.abs(there - seen).max() < 0.003
    zone = ring(150, 300, 80, 95)
    outline, by_pose = zones.projected(zone, found), zones.projected(zone, eye())
    assert (outline.best & by_pose.best).area / (outline.best | by_pose.best).area > 0.97
    assert outline.visible > 0.99 and outline.sigma < by_pose.sigma
    walk = [box_at(*destination(*on_ground(85, 200), 180.0, 3.0 * i), size=0.004) for i in range(6)]
    going = motion(found, walk, [T + timedelta(seconds=2 * i) for i in range(6)])
    assert abs(going.speed_ms - 1.5) < 3 * going.speed_sigma_ms and abs(going.course_deg - 180) < 15
