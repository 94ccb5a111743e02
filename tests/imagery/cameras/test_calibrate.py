"""Calibration from control points: a known camera is found again, regions hold as often as they say, real files meet their figures."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from gis_api.commands.evaluate import group
from grid.errors import InvalidInput, UnsupportedMedia
from imagery.cameras.calibrate import Points, calibrate, ground_of
from imagery.cameras.calibrate_points import at_control, leave_out, read

CAMERA = np.array([500_000.0, 4_000_000.0, 9.0, 0.7, -0.25, 0.02, np.log(1100.0), 0.03, 0.01, -0.005, 0.0])


def scene(count: int, noise_m: float = 0.0, seed: int = 3) -> Points:
    draws = np.random.default_rng(seed)
    x, y = draws.uniform(50, 1230, count), draws.uniform(340, 700, count)
    boxes = np.stack([x, y, x, y], axis=1)
    camera = CAMERA.copy()
    camera[:2] = 0.0
    return Points(boxes, ground_of(camera, boxes, 1280, 720) + CAMERA[:2] + noise_m * draws.standard_normal((count, 2)), 1280, 720)


def test_a_known_camera_is_found_again():
    found = calibrate(scene(30))
    truth = CAMERA[[0, 1, 2]]
    assert np.allclose([found.camera["east_m"], found.camera["north_m"], found.camera["height_m"]], truth, atol=0.3)
    assert found.focal_px == pytest.approx(1100, rel=0.02) and found.camera["azimuth"] % (2 * np.pi) == pytest.approx(0.7, abs=0.01)


def test_regions_hold_nine_truths_of_ten():
    points = scene(60, noise_m=0.4)
    near = np.hypot(*(points.ground - CAMERA[:2]).T) < 120
    points = points.only(near)
    judged = leave_out(points, np.arange(len(points)) % 10)
    assert 0.75 <= judged.held.mean() <= 1.0 and np.median(judged.errors_m) < 0.9


def test_a_wrong_left_out_point_changes_nothing_of_its_own_prediction():
    points = scene(20, noise_m=0.2)
    moved = Points(points.boxes, points.ground.copy(), points.width, points.height)
    moved.ground[4] += 40.0
    kept = np.arange(20) != 4
    assert np.allclose(calibrate(points.only(kept)).place(points.boxes[4])[0], calibrate(moved.only(kept)).place(points.boxes[4])[0])


def test_too_few_or_broken_points_are_refused(tmp_path):
    with pytest.raises(InvalidInput):
        calibrate(scene(3))
    with pytest.raises(InvalidInput):
        Points(np.zeros((4, 4)), np.full((4, 2), np.nan), 100, 100)
    one_place = scene(6)
    with pytest.raises(InvalidInput, match="on one place"):
        calibrate(Points(one_place.boxes, np.tile(one_place.ground[:1], (6, 1)), 1280, 720))
    for name, text in {"words.csv": "one, two\nthree", "list.json": "{}", "degrees.csv": "1,2,3,4,5,60.1,24.9,3\n" * 5}.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(UnsupportedMedia):
            read(tmp_path / name)


def test_vehicles_in_a_traffic_camera_are_placed_better_than_by_the_published_homography(real_data):
    result = CliRunner().invoke(group, ["georeference", str(real_data("camera-calibration/helsinki-traffic/demo_data.csv"))])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.output.strip().splitlines()[-1])
    assert figures["mean_m"] <= 1.8 and 0.85 <= figures["coverage90"] <= 0.95 and figures["points"] == 43
    assert figures["one_drive_left_out"]["mean_m"] > figures["mean_m"]


def test_four_points_and_a_known_lens_are_enough_for_a_river(real_data):
    control = read(real_data("camera-calibration/ngwerere-river/ngwerere.json"))
    assert at_control(control.points).as_dict()["mean_m"] <= 0.3
    assert leave_out(control.points, np.arange(4)).as_dict()["mean_m"] <= 0.3
