"""Drone frames on the ground, against two truths computed without the product's code: the surface model's cells projected by OpenCV, and
features of several frames triangulated by OpenCV."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from pyproj import CRS, Transformer
from scipy.ndimage import map_coordinates

from grid.errors import InvalidInput, NotFound
from grid.geometry import GEOD
from imagery.scenes import georeference
from imagery.scenes.georeference import Frame, Lens
from imagery.terrain import Terrain, flat, from_array, load_terrain

GRID = "EPSG:32651"
ORIGIN = (292632.0, 2731169.0)
"""Where ODM put the zero of its axes: whole metres of the grid."""


@dataclass(frozen=True)
class Flight:
    """The shared flight: product's frames and surface, and the raw numbers for OpenCV."""

    frames: dict[str, Frame]
    surface: Terrain
    raw: dict
    folder: Path

    def opencv(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rotation vector, translation, camera matrix (pixel centres at whole numbers) and distortion of a frame."""
        shot, camera = self.raw["shots"][name], next(iter(self.raw["cameras"].values()))
        w, h = camera["width"], camera["height"]
        matrix = np.array(
            [
                [camera["focal_x"] * w, 0, w / 2 + camera["c_x"] * w - 0.5],
                [0, camera["focal_y"] * w, h / 2 + camera["c_y"] * w - 0.5],
                [0, 0, 1],
            ]
        )
        return (
            np.array(shot["rotation"]),
            np.array(shot["translation"]),
            matrix,
            np.array([camera[key] for key in ("k1", "k2", "p1", "p2", "k3")]),
        )


@pytest.fixture(scope="module")
def flight(real_data: Callable[[str], Path]) -> Flight:
    folder = real_data("drone/odm")
    reconstruction = folder / "opensfm" / "reconstruction.json"
    return Flight(
        georeference.read_opensfm(reconstruction, grid=GRID),
        load_terrain(folder / "odm_dem" / "dsm.tif", sigma_m=0.3),
        json.loads(reconstruction.read_text())[0],
        folder,
    )


def _metres(found: georeference.Ground, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distances over the grid between what was found and true grid coordinates."""
    east, north = Transformer.from_crs("EPSG:4326", GRID, always_xy=True).transform(found.lon, found.lat)
    return np.hypot(east - x, north - y)


def _say(record: Callable[[str, object], None], what: str, metres: np.ndarray) -> tuple[float, float, float]:
    figures = float(np.nanmedian(metres)), float(np.nanquantile(metres, 0.95)), float(np.nanmax(metres))
    record(what, "n={} median={:.3f} p95={:.3f} max={:.3f} m".format(len(metres), *figures))
    print(f"{what}: n={len(metres)} median {figures[0]:.3f} p95 {figures[1]:.3f} max {figures[2]:.3f} m, {(metres < 1).mean():.1%} < 1 m")
    return figures


@pytest.mark.parametrize("name", ["100_0005_0018", "100_0005_0136", "100_0005_0140", "100_0005_0142"])
def test_frame_lies_on_its_orthorectified_truth(flight: Flight, name: str, record_property) -> None:
    """Every cell of the surface model that the frame sees is projected into it by OpenCV; from that pixel the product must come back to the cell.

    On the crest of a roof or tree a hundredth of a pixel decides between two grounds: the one in front is taken, and the stated accuracy must reach to
    the true one. A line that passes through the tip of a crown of one cell for less than half a cell may miss it: one of 5,000.
    """
    with rasterio.open(flight.folder / "odm_dem" / "dsm.tif") as dataset:
        heights, transform = dataset.read(1), dataset.transform
    row, column = np.nonzero(np.isfinite(heights))
    x, y = transform @ (column + 0.5, row + 0.5)
    z = heights[row, column]
    turn, shift, matrix, bend = flight.opencv(name)
    local = np.column_stack([x - ORIGIN[0], y - ORIGIN[1], z]).astype(float)
    rotation = cv2.Rodrigues(turn)[0]
    camera = local @ rotation.T + shift
    pixels = cv2.projectPoints(local, turn, shift, matrix, bend)[0][:, 0] + 0.5
    height, width = flight.frames[name].lens.height, flight.frames[name].lens.width
    narrow = np.hypot(camera[:, 0], camera[:, 1]) < 1.0 * camera[:, 2]
    inside = (camera[:, 2] > 1) & narrow & (pixels > 0).all(axis=1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
    chosen = np.flatnonzero(inside)[:: max(1, int(inside.sum()) // 6000)]
    lens = -rotation.T @ shift
    sight = lens - local[chosen]
    way = local[chosen, :, None] + sight[:, :, None] * np.linspace(0.004, 1, 1500)
    columns, rows = ~transform @ (way[:, 0] + ORIGIN[0], way[:, 1] + ORIGIN[1])
    under = map_coordinates(np.where(np.isfinite(heights), heights, -1e3), [rows - 0.5, columns - 0.5], order=1, cval=-1e3)
    seen = chosen[(way[:, 2] > under).all(axis=1)]
    assert len(seen) > 3000
    found = georeference.ground(flight.frames[name], flight.surface, *pixels[seen].T)
    known = np.isfinite(found.lon)
    assert known.mean() > 0.99
    metres, stated, torn = _metres(found, x[seen], y[seen])[known], found.accuracy_m[known], found.torn[known]
    _say(record_property, f"{name} against its orthorectification, where the line of sight grazes an edge", metres[torn])
    record_property(f"{name}, root of the mean square", f"{np.sqrt((metres**2).mean()):.2f} m")
    median, p95, _ = _say(record_property, f"{name} against its orthorectification", metres[~torn])
    assert torn.mean() < 0.25 and median < 0.05 and p95 < 0.15 and (metres[~torn] < 1.0).mean() > 0.999
    assert (metres > stated).sum() <= 1 and metres[stated <= 1].max() < 1.0 and (stated <= 1).mean() > 0.6
    assert (metres < 1.0).mean() > 0.99 and np.quantile(metres, 0.95) < 0.1 and np.sqrt((metres**2).mean()) < 1.0


def test_the_same_features_of_two_frames_lie_within_a_metre(flight: Flight, record_property) -> None:
    """Features matched between frames and triangulated by OpenCV, without any surface model, against each frame's own way to the ground."""
    sift = cv2.SIFT_create(4000)
    seen = {name: sift.detectAndCompute(cv2.imread(str(flight.folder / "images" / f"{name}.tif"), 0), None) for name in flight.frames}
    apart = []
    for one, other in itertools.combinations(seen, 2):
        pairs = [a for a, b in cv2.BFMatcher().knnMatch(seen[one][1], seen[other][1], k=2) if a.distance < 0.7 * b.distance]
        points = [np.array([seen[one][0][m.queryIdx].pt for m in pairs]), np.array([seen[other][0][m.trainIdx].pt for m in pairs])]
        poses = [flight.opencv(name) for name in (one, other)]
        flat_points = [cv2.undistortPoints(p[:, None], pose[2], pose[3])[:, 0].T for p, pose in zip(points, poses, strict=True)]
        matrices = [np.column_stack([cv2.Rodrigues(pose[0])[0], pose[1]]) for pose in poses]
        solid = cv2.triangulatePoints(*matrices, *flat_points)
        solid = (solid[:3] / solid[3]).T
        errors = [
            np.linalg.norm(cv2.projectPoints(solid, *pose)[0][:, 0] - p, axis=1) for p, pose in zip(points, poses, strict=True)
        ]
        true = (np.maximum(*errors) < 1.0) & (solid[:, 2] > 50) & (solid[:, 2] < 120)
        for name, p in zip((one, other), points, strict=True):
            found = georeference.ground(flight.frames[name], flight.surface, *(p[true] + 0.5).T)
            apart.append(_metres(found, solid[true, 0] + ORIGIN[0], solid[true, 1] + ORIGIN[1]))
    metres = np.concatenate(apart)
    known = metres[np.isfinite(metres)]
    assert len(known) > 700 and len(known) / len(metres) > 0.9
    median, _, _ = _say(record_property, "triangulated features", known)
    assert median < 0.5 and (known < 1.0).mean() > 0.8


def test_axes_of_the_reconstruction_are_found_by_its_gps(flight: Flight) -> None:
    assert all(frame.axes.startswith("grid of EPSG:32651") for frame in flight.frames.values())
    tangent = georeference.read_opensfm(flight.folder / "opensfm" / "reconstruction.json")
    assert all(frame.axes.startswith("tangent") for frame in tangent.values())
    for name, frame in flight.frames.items():
        apart = GEOD.inv(frame.lon, frame.lat, tangent[name].lon, tangent[name].lat)[2]
        assert 1.5 < apart < 3.0, "the grid's convergence"


def test_lens_comes_back_through_its_distortion(flight: Flight) -> None:
    lens = next(iter(flight.frames.values())).lens
    x, y = np.meshgrid(np.linspace(0, lens.width, 40), np.linspace(0, lens.height, 30))
    right, down, forward = lens.rays(x, y)
    bent_x, bent_y = lens.bend(right / forward, down / forward)
    assert np.hypot(bent_x * lens.focal_x + lens.centre_x - x, bent_y * lens.focal_y + lens.centre_y - y).max() < 1e-6
    assert np.isnan(Lens(100, 100, 50, 50, 50, 50, k1=-0.9).rays(0.0, 0.0)).all()


def test_level_ground_straight_down_and_oblique() -> None:
    lens = Lens(1000, 800, 1000, 1000, 500, 400)
    down = Frame("down", lens, 120.4, 36.1, 107.0, georeference.look(30, -90), 0.1, 0.1, 0.1)
    found = georeference.ground(down, flat(7.0, sigma_m=0.0), [500, 1000], [400, 400])
    azimuth, _, metres = GEOD.inv([120.4] * 2, [36.1] * 2, found.lon, found.lat)
    assert metres[0] < 0.001 and metres[1] == pytest.approx(50.0, abs=0.01)
    assert azimuth[1] == pytest.approx(120.0, abs=0.01)
    assert np.abs(found.height_m - 7.0).max() < 0.001
    oblique = Frame("oblique", lens, 120.4, 36.1, 107.0, georeference.look(0, -30), 0.1, 0.1, 0.1)
    found = georeference.ground(oblique, flat(7.0, sigma_m=0.0), [500, 500], [400, -600])
    azimuth, _, metres = GEOD.inv([120.4], [36.1], found.lon[:1], found.lat[:1])
    assert metres[0] == pytest.approx(100 / np.tan(np.radians(30)), abs=0.02)
    assert np.isnan(found.lon[1]), "a ray above the horizon"


def test_what_stands_in_front_hides_the_ground_and_unknown_ground_is_not_guessed() -> None:
    heights = np.zeros((400, 400), np.float32)
    heights[:, 200:205] = 30.0
    x, y = 300_000.0, 4_000_000.0
    lon, lat = Transformer.from_crs(GRID, 4326, always_xy=True).transform(x, y)
    lens = Lens(1000, 1000, 1000, 1000, 500, 500)
    frame = Frame("wall", lens, lon, lat, 50.0, georeference.look(90 - 1.27, -28), 0.1, 0.1, 0.1)
    wall = from_array(heights, (0.5, 0, x - 50, 0, -0.5, y + 100), GRID)
    found = georeference.ground(frame, wall, 500, 500)
    assert found.height_m > 20 and GEOD.inv(lon, lat, float(found.lon), float(found.lat))[2] == pytest.approx(50, abs=3)
    level, edge = (georeference.ground(frame, wall, 500, y) for y in (900, np.arange(360, 400, 2)))
    assert not level.torn and edge.torn.any()
    assert edge.accuracy_m.max() > 30, "the wall's top, or the ground far behind it"
    heights[:, 200:] = np.nan
    assert np.isnan(georeference.ground(frame, from_array(heights, (0.5, 0, x - 50, 0, -0.5, y + 100), GRID), 500, 500).lon)


def test_the_crest_of_a_roof_is_met_and_a_line_clear_above_it_is_not() -> None:
    """A gable, 20 m high: lines to its crest touch it at one point, and by rounding pass over it, or within it for less than a step."""
    heights = np.zeros((400, 400), np.float32)
    heights[:, 150:171] = 20.0 - 0.75 * np.abs(np.arange(-10, 11))
    x, y = 300_000.0, 4_000_000.0
    to_lon_lat = Transformer.from_crs(GRID, 4326, always_xy=True).transform
    lon, lat = to_lon_lat(x, y)
    frame = Frame("gable", Lens(400, 400, 200, 200, 200, 200), lon, lat, 50.0, georeference.look(88, -45), 0.1, 0.1, 0.1)
    gable = from_array(heights, (0.5, 0, x - 50, 0, -0.5, y + 100), GRID)
    top = np.array(to_lon_lat(np.full(41, x - 50 + 160.5 * 0.5), y + np.linspace(-5, 5, 41)))
    azimuth, _, away = GEOD.inv([lon] * 41, [lat] * 41, *top)
    sight = frame.rotation @ np.array([away * np.sin(np.radians(azimuth)), away * np.cos(np.radians(azimuth)), np.full(41, -30.0)])
    u, v = 200 + 200 * sight[:2] / sight[2]
    met, clear = georeference.ground(frame, gable, u, v), georeference.ground(frame, gable, u, v - 1)
    assert max(GEOD.inv(*top, met.lon, met.lat)[2]) < 0.5 and met.torn.all() and (met.accuracy_m > 15).all()
    assert clear.height_m.max() < 1 and min(GEOD.inv(*top, clear.lon, clear.lat)[2]) > 15


def test_steep_and_flat_ways_to_the_ground_agree() -> None:
    """`meet` (drones) and `reach` (masts) over the same hills."""
    y, x = np.mgrid[0:300, 0:300]
    hills = (20 * np.sin(x / 17) * np.cos(y / 23) + 5 * np.sin(x / 5)).astype(np.float32)
    terrain = from_array(hills, (2.0, 0, 300_000.0 - 300, 0, -2.0, 4_000_000.0 + 300), GRID)
    lon, lat = Transformer.from_crs(GRID, 4326, always_xy=True).transform(300_000.0, 4_000_000.0)
    draw = np.random.default_rng(3)
    azimuth, elevation = draw.uniform(0, 360, 2000), draw.uniform(-60, -12, 2000)
    far = terrain.reach(lon, lat, 60.0, azimuth, elevation, far_m=280.0)
    a, e = np.radians(azimuth), np.radians(elevation)
    found = terrain.meet(lon, lat, 60.0, np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), np.sin(e))
    metres = GEOD.inv([lon] * 2000, [lat] * 2000, *found[:2])[2]
    met = np.isfinite(far)
    assert met.sum() > 1500 and np.isfinite(found[0][met]).all()
    assert (np.abs(np.array(metres)[met] - far[met]) < 0.01).mean() > 0.995


def test_stated_accuracy_holds_nine_tenths_of_drawn_errors() -> None:
    lens = Lens(1000, 800, 1000, 1000, 500, 400)
    draw = np.random.default_rng(7)
    for pitch in (-90, -50, -30):
        true = Frame("true", lens, 120.4, 36.1, 107.0, georeference.look(40, pitch), 0.5, 0.7, 0.3)
        place = georeference.ground(true, flat(7.0, sigma_m=0.0), 500, 400)
        apart = []
        for east, north, up, yaw, tilt in draw.normal(size=(300, 5)) * (0.5, 0.5, 0.7, 0.3, 0.3):
            lon, lat, _ = GEOD.fwd(120.4, 36.1, np.degrees(np.arctan2(east, north)), np.hypot(east, north))
            roll = yaw if pitch == -90 else 0.0
            turned = georeference.look(40 + (0 if pitch == -90 else yaw / np.cos(np.radians(pitch))), pitch + tilt, roll)
            moved = georeference.ground(Frame("moved", lens, lon, lat, 107.0 + up, turned, 0.5, 0.7, 0.3), flat(7.0), 500, 400)
            apart.append(GEOD.inv(float(place.lon), float(place.lat), float(moved.lon), float(moved.lat))[2])
        assert 0.85 < np.mean(np.array(apart) <= float(place.accuracy_m)) < 0.98


def test_what_is_no_reconstruction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        georeference.read_opensfm(tmp_path / "none.json")
    bad = tmp_path / "reconstruction.json"
    camera = {"projection_type": "brown", "width": 10, "height": 10, "focal_x": 1, "focal_y": 1}
    whole = {"cameras": {"c": camera}, "shots": {}, "reference_lla": {"longitude": 0, "latitude": 0, "altitude": 0}}
    shot = {"camera": "c", "rotation": [0, 0, 0], "translation": [0, 0, 0]}
    for content in (
        "{",
        "[[[[",
        "{}",
        "3",
        json.dumps(whole | {"cameras": {"c": camera | {"projection_type": "fisheye"}}}),
        json.dumps(whole | {"cameras": {"c": camera | {"focal_x": -1}}}),
        json.dumps(whole | {"shots": {"s": shot | {"rotation": [1, 2]}}}),
        json.dumps(whole | {"shots": {"s": shot | {"translation": [1e400, 0, 0]}}}),
        json.dumps(whole | {"shots": {"s": shot | {"camera": "other"}}}),
        "[" * 100_000,
    ):
        bad.write_text(content)
        with pytest.raises(InvalidInput) as refusal:
            georeference.read_opensfm(bad)
        assert refusal.value.remedy
    bad.write_text(json.dumps(whole | {"shots": {"s": shot}}))
    assert list(georeference.read_opensfm(bad)) == ["s"]
    with pytest.raises(InvalidInput, match="projected"):
        georeference.read_opensfm(bad, grid=CRS.from_epsg(4326))


def test_outline_of_a_frame(flight: Flight) -> None:
    area = georeference.outline(flight.frames["100_0005_0142"], flight.surface)
    assert area.is_valid and abs(GEOD.geometry_area_perimeter(area)[0]) == pytest.approx(32_000, rel=0.25)
    away = Frame("away", Lens(100, 100, 100, 100, 50, 50), 121.5, 25.0, 100.0, georeference.look(0, -90), 1, 1, 1)
    with pytest.raises(InvalidInput, match="away"):
        georeference.outline(away, flight.surface)
