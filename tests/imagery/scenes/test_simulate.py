"""The simulated pair through the whole of pairs, analyses and polygons: what is planted is found, little else is."""

from pathlib import Path

import numpy as np
import pytest
import shapely

from grid.errors import InvalidInput
from imagery.scenes import analyses, simulate
from imagery.scenes.pairs import Pair, Source, align
from imagery.scenes.polygonize import polygons
from imagery.scenes.raster import write_geotiff

BOUNDS = (120.55, 36.14, 120.61, 36.18)
PLANTED = {
    "clear_cut": [shapely.box(120.560, 36.165, 120.5635, 36.167), shapely.box(120.575, 36.170, 120.5775, 36.1722)],
    "construction": [shapely.box(120.595, 36.150, 120.598, 36.152)],
    "burn": [shapely.Point(120.567, 36.155).buffer(0.0025)],
}


def city(seed: int = 7) -> simulate.SimulatedPair:
    """A forest in the west with a pond and a road, farmland parcels and blocks of houses in the east; 16 km² at 10 m."""
    random = np.random.default_rng(seed)
    cover = [("forest", shapely.box(120.55, 36.14, 120.585, 36.18))]
    kinds = ("farmland", "residential", "farmland", "orchard", "industrial", "green")
    for x in np.arange(120.585, 120.61, 0.0025):
        for y in np.arange(36.14, 36.18, 0.002):
            near = 120.594 < x < 120.599 and 36.148 < y < 36.153
            cover.append(("farmland" if near else kinds[random.integers(6)], shapely.box(x, y, x + 0.0025, y + 0.002)))
    cover.append(("water", shapely.Point(120.572, 36.147).buffer(0.002)))
    cover.append(("transport", shapely.LineString([(120.55, 36.16), (120.61, 36.163)]).buffer(0.00012)))
    changes = [(kind, geom) for kind, shapes in PLANTED.items() for geom in shapes]
    return simulate.pair(BOUNDS, 10, cover, changes, seed, elevation=lambda lon, lat: 300 * np.sin((lon - 120) * 400) * np.cos((lat - 36) * 300))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[simulate.SimulatedPair, Pair]:
    made, folder = city(), Path(tmp_path_factory.mktemp("pair"))
    for name, pixels in (("a", made.before), ("b", made.after)):
        write_geotiff(folder / f"{name}.tif", pixels, made.transform, made.crs, bands=simulate.BANDS, nodata=0)
    return made, align(Source(folder / "a.tif", simulate.BANDS), Source(folder / "b.tif", simulate.BANDS))


def test_it_is_deterministic_and_has_no_empty_pixel() -> None:
    first, second = city(), city()
    assert (first.before == second.before).all() and (first.after == second.after).all()
    assert first.before.dtype == np.uint16 and first.before.min() > 0 and first.crs == "EPSG:32651"
    assert set(np.unique(first.truth)) == {0, 1, 2, 3}
    assert (city(8).before != first.before).any()


def test_the_misregistration_is_measured(scenes: tuple[simulate.SimulatedPair, Pair]) -> None:
    shift = scenes[1].shift
    assert (shift.east, shift.south) == pytest.approx((0.35, -0.25), abs=0.12) and shift.residual < 0.2


@pytest.mark.parametrize(
    ("analysis_id", "kinds", "blind_to", "false_patches"),
    [
        ("vegetation_loss", ("clear_cut", "construction"), (), 1),
        ("built_up", ("construction",), ("burn", "clear_cut"), 1),
        ("burn", ("burn",), ("construction",), 1),
        ("change_vector", ("clear_cut", "construction", "burn"), (), 12),
    ],
)
def test_planted_changes_are_found_and_little_else(
    scenes: tuple[simulate.SimulatedPair, Pair], analysis_id: str, kinds: tuple[str, ...], blind_to: tuple[str, ...], false_patches: int
) -> None:
    made, pair = scenes
    analysis = analyses.get(analysis_id)
    picked = [pair.bands.index(name) for name in analysis.bands] or slice(None)
    before, after, valid = pair.read((0, 0, pair.grid.height, pair.grid.width))
    finding = analysis.examine(before[picked], after[picked], valid)
    found = polygons(finding.mask, finding.score, pair.grid.transform, pair.grid.crs, minimum_area_m2=analysis.minimum_area_m2)
    for kind in kinds:
        for geom in PLANTED[kind]:
            together = shapely.union_all([one.geom for one in found if one.geom.intersects(geom)])
            assert together.intersection(geom).area > 0.6 * geom.area, (kind, analysis_id)
            assert together.difference(geom).area < 0.6 * geom.area, (kind, analysis_id)
    for kind in blind_to:
        assert not any(one.geom.intersection(geom).area > 0.2 * geom.area for one in found for geom in PLANTED[kind]), kind
    everything = shapely.union_all([geom for shapes in PLANTED.values() for geom in shapes])
    strays = [one for one in found if not one.geom.intersects(everything)]
    assert len(strays) <= false_patches, [(one.area_m2, one.score) for one in strays]


def test_unknown_names_and_sizes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="unknown land cover 'lava'"):
        simulate.pair(BOUNDS, 10, [("lava", shapely.box(*BOUNDS))], [], 1)
    with pytest.raises(InvalidInput, match="unknown change 'flood'"):
        simulate.pair(BOUNDS, 10, [], [("flood", shapely.box(*BOUNDS))], 1)
    with pytest.raises(InvalidInput, match=r"55\d+ × 45\d+ pixels at 0.1 m"):
        simulate.pair(BOUNDS, 0.1, [], [], 1)
