"""Coverage by polygons against shapely's areas, statistics against exactextract."""

from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from exactextract import exact_extract
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine

from imagery.scenes import indices, masks, sky, zonal
from imagery.scenes.raster import write_geotiff

AT = Affine(10, 0, 240_000, 0, -10, 3_995_000)


def dense(found: zonal.Coverage, zones: int, height: int, width: int) -> np.ndarray:
    top, left, tall, wide = found.window
    made = np.zeros((zones, height, width))
    for zone in range(zones):
        flat = np.zeros(tall * wide)
        for k in range(found.span_of[zone], found.span_of[zone + 1]):
            flat[found.span_at[k] : found.span_at[k] + found.span_long[k]] += 1
        for k in range(found.edge_of[zone], found.edge_of[zone + 1]):
            flat[found.edge_at[k]] += found.edge_share[k]
        made[zone, top : top + tall, left : left + wide] = flat.reshape(tall, wide)
    return made


def shares(shape: shapely.Geometry, height: int, width: int) -> np.ndarray:
    row, col = np.mgrid[:height, :width]
    boxes = shapely.box(240_000 + 10 * col, 3_995_000 - 10 * (row + 1), 240_000 + 10 * (col + 1), 3_995_000 - 10 * row)
    return shapely.area(shapely.intersection(boxes, shape)) / 100


def blob(random: np.random.Generator, holes: bool) -> shapely.Geometry:
    x, y = 240_000 + random.uniform(-40, 160), 3_995_000 - random.uniform(-40, 140)
    outer = shapely.Point(x, y).buffer(random.uniform(3, 60), quad_segs=int(random.integers(1, 5)))
    return outer.difference(shapely.Point(x + 5, y - 3).buffer(random.uniform(1, 30))) if holes else outer


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=60, deadline=None)
def test_shares_are_those_of_the_polygons(seed: int, holes: bool) -> None:
    random = np.random.default_rng(seed)
    zones = [shapely.union_all([blob(random, holes) for _ in range(random.integers(1, 4))]) for _ in range(3)]
    found = dense(zonal.cover(zones, AT, 10, 12), 3, 10, 12)
    for zone, shape in enumerate(zones):
        assert abs(found[zone] - shares(shape, 10, 12)).max() < 1e-9


def test_edges_on_pixel_borders_and_what_lies_outside() -> None:
    zones = [shapely.box(240_010, 3_994_970, 240_030, 3_994_990), shapely.box(0, 0, 1, 1), shapely.box(239_000, 3_990_000, 250_000, 3_996_000), shapely.Polygon()]
    found = dense(zonal.cover(zones, AT, 6, 7), 4, 6, 7)
    assert found[0].sum() == 4 and (found[0, 1:3, 1:3] == 1).all() and found[1].sum() == 0 and (found[2] == 1).all() and found[3].sum() == 0
    assert zonal.cover([], AT, 6, 7).span_of.tolist() == [0]


def test_a_zone_far_larger_than_the_raster_costs_what_the_raster_has() -> None:
    country = shapely.box(-5_000_000, -5_000_000, 9_000_000, 9_000_000)
    found = zonal.cover([country], AT, 6, 7)
    assert (dense(found, 1, 6, 7) == 1).all(), "a buffer of its whole box would be a terabyte"


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    random = np.random.default_rng(3)
    pixels = random.integers(200, 4000, (2, 150, 160)).astype(np.uint16)
    pixels[:, 40:60, 30:80] = 0
    return write_geotiff(tmp_path / "scene.tif", pixels, AT, "EPSG:32651", bands=("red", "nir"), nodata=0)


def test_what_a_mask_calls_cloud_is_not_ground(scene: Path) -> None:
    zone = shapely.box(240_000, 3_994_500, 240_400, 3_995_000)
    there = geopandas.GeoSeries([zone], crs="EPSG:32651").to_crs(4326).tolist()
    whole = zonal.of_scene(scene, ("red", "nir"), "ndvi", there)
    classes = np.full((1, 150, 160), sky.CLEAR, np.uint8)
    classes[:, :, :20] = sky.CLOUD
    write_geotiff(masks.maker_of(scene), classes, AT, "EPSG:32651", bands=("gray",), nodata=sky.NODATA)
    half = zonal.of_scene(scene, ("red", "nir"), "ndvi", there)
    assert whole.share[0] == pytest.approx(0.95, abs=0.01) and half.share[0] == pytest.approx(0.45, abs=0.01) and half.mean[0] != whole.mean[0]


def test_statistics_are_exactextracts(scene: Path) -> None:
    random = np.random.default_rng(5)
    zones = [shapely.Point(240_000 + random.uniform(-50, 1650), 3_995_000 - random.uniform(-50, 1550)).buffer(random.uniform(2, 200)) for _ in range(80)]
    frame = geopandas.GeoDataFrame(geometry=zones, crs="EPSG:32651")
    ours = zonal.of_scene(scene, ("red", "nir"), "ndvi", list(frame.to_crs(4326).geometry))
    theirs = exact_extract(str(indices.path_of(scene, "ndvi")), frame, ["mean", "stdev", "min", "max", "count"], output="pandas")
    seen = theirs["count"].to_numpy() > 1e-3
    scale = 1.0 if theirs["max"].max() <= 1.01 else indices.STEP
    value = lambda name: theirs[name].to_numpy() if scale == 1.0 else theirs[name].to_numpy() * scale - 1 - scale  # noqa: E731
    assert np.isnan(ours.mean[~seen]).all() and seen.sum() > 60
    assert np.allclose(ours.mean[seen], value("mean")[seen], atol=1e-5)
    assert np.allclose(ours.deviation[seen], theirs["stdev"].to_numpy()[seen] * scale, atol=1e-4)
    assert np.allclose(ours.least[seen], value("min")[seen], atol=1e-5) and np.allclose(ours.most[seen], value("max")[seen], atol=1e-5)
    assert np.allclose(ours.share * shapely.area(zones) / 100, theirs["count"].to_numpy(), atol=1e-3)
