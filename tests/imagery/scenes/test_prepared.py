"""A prepared index is a shortcut and nothing else: the same codes, patches and figures with it and without."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from grid.errors import InvalidInput
from imagery.scenes import analyses, indices, judging, pairs, prepared, simulate, survey
from imagery.scenes.raster import open_raster, write_geotiff

BOUNDS = (120.555, 36.160, 120.570, 36.172)


@pytest.fixture
def sources(tmp_path: Path) -> tuple[pairs.Source, pairs.Source]:
    made = simulate.pair(BOUNDS, 10, [("forest", shapely.box(*BOUNDS))], [("clear_cut", shapely.box(120.560, 36.165, 120.5635, 36.167))], 3)
    made.before[:, :5, :7] = 0
    paths = [
        write_geotiff(tmp_path / f"{name}.tif", pixels, made.transform, made.crs, bands=simulate.BANDS, nodata=0)
        for name, pixels in (("before", made.before), ("after", made.after))
    ]
    return tuple(pairs.Source(path, simulate.BANDS, kept=True) for path in paths)


def test_with_and_without_it_a_survey_says_the_same(sources: tuple[pairs.Source, pairs.Source]) -> None:
    analysis = analyses.get("vegetation_loss")
    without = survey.examine(*sources, analysis)
    for source in sources:
        prepared.prepare(source.path, source.bands, "ndvi")
    made = survey.examine(*sources, analysis)
    assert len(made.patches) == 1 and made.patches == without.patches
    assert {**made.result, "seconds": 0} == {**without.result, "seconds": 0}


def test_the_look_up_says_what_the_analysis_says_of_each_pixel(sources: tuple[pairs.Source, pairs.Source]) -> None:
    analysis = analyses.get("vegetation_loss")
    pair, fitted = judging.prepare(pairs.align(*sources), analysis)
    score, mask, valid = judging.judge(pair, analysis, fitted)
    found, share = judging.marked(pair, analysis, fitted)
    assert mask.any() and (found.painted() == mask).all() and (found.values == score[mask]).all() and share == valid.mean()


def test_the_file_is_the_index_in_its_own_units(sources: tuple[pairs.Source, pairs.Source]) -> None:
    path = prepared.prepare(sources[0].path, simulate.BANDS, "ndvi")
    assert prepared.prepare(sources[0].path, simulate.BANDS, "ndvi") == path and path.is_file()
    grid = pairs.align(*sources).grid
    bands, valid = pairs.read(sources[0], grid, ("nir", "red"), (0, 0, grid.height, grid.width))
    with open_raster(path) as dataset:
        codes = dataset.read(1)[: grid.height, : grid.width]
        values = codes * dataset.scales[0] + dataset.offsets[0]
        assert dataset.nodata == 0 and dataset.descriptions == ("ndvi",)
    assert ((codes > 0) == valid).all() and not valid[:5, :7].any()
    assert abs(values - indices.ratio(*bands))[valid].max() <= 0.5 * indices.STEP + 1e-6
    prepared.forget(sources[0].path)
    assert not path.exists()


def test_a_scene_without_the_bands_has_no_such_index(sources: tuple[pairs.Source, pairs.Source]) -> None:
    with pytest.raises(InvalidInput, match="nir"):
        prepared.prepare(sources[0].path, ("blue", "green", "red"), "ndvi")
    with pytest.raises(InvalidInput, match="no index"):
        indices.get("xyz")
    assert [one.id for one in indices.of_bands(("red", "nir"))] == ["ndvi"]


@given(st.floats(0, 1e4, width=32), st.floats(0, 1e4, width=32))
def test_codes_are_the_index_to_half_a_step(first: float, second: float) -> None:
    (code,) = indices.codes(np.float32([first]), np.float32([second]), np.array([True]))
    if first + second > 0:
        assert 1 <= code <= indices.LAST and abs(indices.values()[code] - (first - second) / (first + second)) <= 0.5 * indices.STEP + 1e-5
    else:
        assert code == indices.NOTHING
