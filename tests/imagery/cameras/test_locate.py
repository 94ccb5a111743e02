"""Ground to pixel and back, ridges that hide, and accuracies that hold the truth as often as they say."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin

from grid.errors import InvalidInput, NotFound, UnknownCrs, UnsupportedMedia
from grid.geometry import GEOD
from imagery import terrain
from imagery.cameras import stands
from imagery.cameras.locate import Pose, direction, locate, project
from imagery.scenes.raster import write_geotiff
from imagery.terrain import Terrain, drop_m, flat, from_array, load_terrain

LON, LAT = 120.6, 36.2


def hills(ridge_m: float = 0.0) -> Terrain:
    """Rolling ground of 30 m cells around LON, LAT; `ridge_m` raises a wall 2 km to the east."""
    step = 1 / 3600
    rows = columns = 500
    y, x = np.mgrid[0:rows, 0:columns]
    heights = 60 + 25 * np.sin(x / 31) * np.cos(y / 23)
    if ridge_m:
        east_m = (x - columns / 2) * step * 111_320 * np.cos(np.radians(LAT))
        heights = heights + ridge_m * np.exp(-(((east_m - 2000) / 120) ** 2))
    return from_array(heights, (step, 0, LON - columns / 2 * step, 0, -step, LAT + rows / 2 * step))


def pose(terrain: Terrain, **changes) -> Pose:
    values = {"azimuth_deg": 90.0, "pitch_deg": -3.0, "hfov_deg": 60.0, "width": 1920, "height": 1080, "angle_sigma_deg": 0.2}
    return Pose(LON, LAT, float(terrain.elevation(LON, LAT)) + 30, **(values | changes))


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 359.9), st.floats(-30, 5), st.floats(0, 1920), st.floats(540, 1080))
def test_a_ground_point_projects_to_the_pixel_it_came_from(azimuth: float, pitch: float, x: float, y: float) -> None:
    terrain = hills()
    camera = pose(terrain, azimuth_deg=azimuth, pitch_deg=pitch)
    bearing, elevation = direction(camera, x, y)
    distance = float(terrain.reach(LON, LAT, camera.lens_m, bearing, elevation, far_m=6000))
    assume(np.isfinite(distance))
    lon, lat, _ = GEOD.fwd(LON, LAT, float(bearing), distance)
    assert project(camera, lon, lat, float(terrain.elevation(lon, lat))) == pytest.approx((x, y), abs=0.05)


@settings(max_examples=40, deadline=None)
@given(st.floats(-25, 25), st.floats(100, 3000))
def test_a_visible_ground_point_is_found_within_its_accuracy(turn: float, distance: float) -> None:
    terrain = flat(0.0, sigma_m=0.5)
    camera = Pose(LON, LAT, 60.0, 90.0, -3.0, 60.0, 1920, 1080, angle_sigma_deg=0.1)
    lon, lat, _ = GEOD.fwd(LON, LAT, 90.0 + turn, distance)
    pixel = project(camera, lon, lat, 0.0)
    assume(pixel is not None and 0 <= pixel[0] <= 1920 and 0 <= pixel[1] < 1078)
    place = locate(camera, (pixel[0] - 8, pixel[1] - 20, pixel[0] + 8, pixel[1]), terrain)
    _, _, off = GEOD.inv(lon, lat, place.lon, place.lat)
    assert off < 1.0 if place.kind == "point" else off <= place.accuracy_m
    assert place.footprint.contains(place.footprint.representative_point())


def test_the_accuracy_holds_nine_truths_of_ten() -> None:
    """Poses are drawn around the nominal one; the true places fall inside the stated radius about 90 % of the time."""
    terrain = flat(0.0, sigma_m=0.01)
    nominal = Pose(LON, LAT, 60.0, 90.0, -4.0, 60.0, 1920, 1080, angle_sigma_deg=0.2, hfov_sigma=0.0, position_sigma_m=0.01, lens_sigma_m=0.01)
    box = (950.0, 560.0, 970.0, 600.0)
    place = locate(nominal, box, terrain)
    assert place.kind == "point"
    draws = np.random.default_rng(1).standard_normal((2, 400)) * 0.2
    inside = 0
    for turn, tilt in draws.T:
        true = Pose(LON, LAT, 60.0, 90.0 + turn, -4.0 + tilt, 60.0, 1920, 1080)
        bearing, elevation = direction(true, 960.0, 600.0)
        distance = float(terrain.reach(LON, LAT, 60.0, bearing, elevation))
        lon, lat, _ = GEOD.fwd(LON, LAT, float(bearing), distance)
        inside += GEOD.inv(lon, lat, place.lon, place.lat)[2] <= place.accuracy_m
    assert 0.84 <= inside / 400 <= 0.99


def test_a_ridge_that_hides_the_foot_gives_a_wedge_with_what_lies_behind() -> None:
    terrain = hills(ridge_m=120.0)
    camera = pose(terrain, pitch_deg=0.0)
    crest = project(camera, *GEOD.fwd(LON, LAT, 90.0, 2000.0)[:2], 60 + 118.0)
    place = locate(camera, (crest[0] - 20, crest[1] - 80, crest[0] + 20, crest[1]), terrain)
    assert place.kind == "wedge"
    assert len(place.candidates) >= 2
    assert place.accuracy_m > 500
    assert any(interval.near_m < 2100 for interval in place.candidates) and any(interval.far_m > 2500 for interval in place.candidates)


def test_smoke_above_the_horizon_gives_a_wedge_to_the_range() -> None:
    place = locate(pose(hills()), (900, 50, 960, 200), hills(), far_m=20_000)
    assert (place.kind, len(place.candidates)) == ("wedge", 1)
    assert place.candidates[0].far_m == 20_000
    assert place.covariance is None
    assert place.bearing_deg == pytest.approx(89.0, abs=2)


def test_a_box_cut_by_the_lower_edge_stands_no_farther_than_the_edge() -> None:
    terrain = flat(0.0)
    camera = Pose(LON, LAT, 10.0, 0.0, -20.0, 60.0, 1000, 800)
    place = locate(camera, (400, 500, 600, 800), terrain)
    assert place.kind == "wedge"
    assert place.candidates[0].near_m == 1.0


def test_the_bearing_of_a_street_view_and_of_its_edge() -> None:
    camera = Pose(LON, LAT, 6.0, 350.0, 0.0, 60.0, 1000, 800)
    assert direction(camera, 500, 400)[0] == pytest.approx(350.0)
    assert direction(camera, 1000, 400)[0] == pytest.approx(20.0)
    assert direction(camera, 0, 400)[0] == pytest.approx(320.0)


@pytest.mark.parametrize("change", [{"hfov_deg": 0.0}, {"pitch_deg": 91.0}, {"azimuth_deg": float("nan")}, {"width": 0}])
def test_impossible_poses_are_refused(change) -> None:
    with pytest.raises(InvalidInput):
        pose(flat(), **change)


def test_impossible_boxes_are_refused() -> None:
    with pytest.raises(InvalidInput):
        locate(pose(flat()), (10, 10, 5, 20), flat())


def test_curvature_hides_and_elevation_is_bilinear() -> None:
    assert drop_m(35_000.0) == pytest.approx(83.6, abs=0.2)
    level = flat(0.0)
    assert np.isnan(level.reach(LON, LAT, 30.0, 90.0, 0.0))
    assert float(level.reach(LON, LAT, 30.0, 90.0, -0.25)) > 30 / np.tan(np.radians(0.25))
    corner = from_array(np.array([[0, 10], [20, 30]], np.float32), (1.0, 0, 119.0, 0, -1.0, 37.0))
    assert float(corner.elevation(119.5, 36.5)) == 0.0
    assert float(corner.elevation(120.0, 36.0)) == 15.0
    assert np.isnan(corner.elevation(118.9, 36.0))


def test_a_geotiff_of_another_zone_gives_the_heights_of_the_file(real_data) -> None:
    terrain = load_terrain(real_data("dem/ngi_langkloof_24m_dem.tif"))
    assert terrain.cell_m == pytest.approx(24.0)
    assert float(terrain.elevation(24.390303, -33.691377)) == pytest.approx(352.5, abs=1.0)


def test_files_that_are_no_terrain_are_refused(tmp_path) -> None:
    rasterio = pytest.importorskip("rasterio")
    with pytest.raises(NotFound):
        load_terrain(tmp_path / "none.tif")
    (tmp_path / "text.tif").write_text("heights")
    with pytest.raises(UnsupportedMedia):
        load_terrain(tmp_path / "text.tif")
    with rasterio.open(tmp_path / "bare.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="float32") as file:
        file.write(np.zeros((1, 4, 4), np.float32))
    with pytest.raises(UnknownCrs):
        load_terrain(tmp_path / "bare.tif")


def test_of_many_tiles_only_the_one_that_holds_the_place_is_read(tmp_path, monkeypatch) -> None:
    (tmp_path / "terrain").mkdir()
    for number in range(6):
        heights, corner = np.full((1, 10, 10), 10 * number, np.float32), from_origin(120 + number * 0.1, 36.1, 0.01, 0.01)
        write_geotiff(tmp_path / "terrain" / f"{number}.tif", heights, corner, "EPSG:4326")
    read = []
    monkeypatch.setattr(terrain, "load_terrain", lambda path: read.append(path.name) or load_terrain(path))
    monkeypatch.setattr(stands, "kept", terrain.Kept(most_bytes=6 * 400))
    assert [float(stands.terrain_at(tmp_path, 120.05 + n * 0.1, 36.05).elevation(120.05 + n * 0.1, 36.05)) for n in (5, 1, 5, 1)] == [50, 10, 50, 10]
    assert read == ["5.tif", "1.tif"] and stands.terrain_at(tmp_path, 121.0, 36.05) is None


def test_terrains_are_kept_by_bytes_and_the_last_used_stays(tmp_path, monkeypatch) -> None:
    read = []
    monkeypatch.setattr(terrain, "load_terrain", lambda path: read.append(path.name) or from_array(np.zeros((10, 10)), (0.1, 0, 120, 0, -0.1, 37)))
    kept = terrain.Kept(most_bytes=800)
    for name in ("a", "b", "a", "c", "a", "b"):
        kept((tmp_path / name, 0))
    assert read == ["a", "b", "c", "b"]
