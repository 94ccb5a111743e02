"""Pieces and outlines from runs against GDAL's, on masks of every kind."""

import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio import Affine
from scipy import ndimage

from imagery.scenes import runs
from imagery.scenes.polygonize import of_runs
from imagery.scenes.runs import Runs

MASKS = arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))
EIGHT = np.ones((3, 3), bool)


def noise(seed: int, share: float, shape: tuple[int, int] = (97, 131)) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def of(mask: np.ndarray) -> Runs:
    return runs.runs_of(mask, np.arange(mask.size, dtype=np.float32).reshape(mask.shape))


def outlines(mask: np.ndarray, *, corners: bool) -> list[shapely.Polygon]:
    """Our polygons of the 4-connected parts, in pixels."""
    found = of(mask)
    rings = runs.rings(found, np.ones(len(found.rows), bool))
    part = runs.pieces(found, corners=corners).of[rings.run]
    made: dict[int, list] = {}
    for number in np.lexsort((rings.area < 0, part)):
        at = slice(rings.offsets[number], rings.offsets[number + 1])
        made.setdefault(int(part[number]), []).append(np.c_[rings.columns[at], rings.rows[at]])
    return [shapely.Polygon(first, holes) for first, *holes in made.values()]


def check(mask: np.ndarray) -> None:
    ours = outlines(mask, corners=False)
    theirs = [shapely.geometry.shape(one) for one, _ in rasterio.features.shapes(mask.astype(np.uint8), mask=mask, connectivity=4)]
    assert all(one.is_valid for one in ours)
    key = lambda one: shapely.to_wkb(shapely.normalize(one))  # noqa: E731
    assert sorted(map(key, ours)) == sorted(map(key, theirs))


@given(MASKS)
@settings(max_examples=200, deadline=None)
def test_outlines_are_gdals_corner_for_corner(mask: np.ndarray) -> None:
    check(mask)


@pytest.mark.parametrize("share", [0.05, 0.4, 0.6, 0.95])
def test_outlines_of_noise_are_gdals(share: float) -> None:
    check(noise(1, share))
    check(ndimage.binary_closing(noise(2, share / 2, (200, 203)), EIGHT))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.97])
def test_windows_and_tiles_of_runs_are_those_of_the_mask(share: float) -> None:
    mask = noise(3, share, (61, 83))
    found = of(mask)
    for row, col, height, width in ((0, 0, 61, 83), (7, 5, 40, 30), (60, 82, 1, 1), (3, 0, 0, 9)):
        assert (found.painted((row, col, height, width)) == mask[row : row + height, col : col + width]).all()
    for side in (4, 25, 100):
        assert found.counted(side).tolist() == [[mask[row : row + side, col : col + side].sum() for col in range(0, 83, side)] for row in range(0, 61, side)]


@given(MASKS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_pieces_are_those_of_the_pixels(mask: np.ndarray, corners: bool) -> None:
    found = of(mask)
    assert (found.painted() == mask).all() and found.pixels == mask.sum()
    labels, count = ndimage.label(mask, EIGHT if corners else None)
    made = runs.pieces(found, corners=corners)
    assert len(made.pixels) == count
    order = [labels[row, start] - 1 for row, start in zip(found.rows, found.starts, strict=True)]
    assert len(set(zip(order, made.of.tolist(), strict=True))) == count
    if count:
        values = np.arange(mask.size).reshape(mask.shape)
        number = dict(zip(made.of.tolist(), order, strict=True))
        for piece in range(count):
            inside = values[labels == number[piece] + 1]
            assert (made.pixels[piece], made.sums[piece], made.peaks[piece]) == (inside.size, inside.sum(), inside.max())


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5])
def test_small_pieces_go_as_in_gdals_sieve(share: float) -> None:
    mask = noise(3, share, (150, 151))
    sieved = rasterio.features.sieve(mask.astype(np.uint8), 12, connectivity=8).astype(bool) & mask
    labels, count = ndimage.label(sieved, EIGHT)
    sizes = np.bincount(labels.ravel())[1:]
    at = Affine(10, 0, 240_000, 0, -10, 3_995_000)
    ours = [one.pixels for one in of_runs(of(mask), at, "EPSG:32651", minimum_area_m2=0) if one.pixels >= 12]
    assert sorted(ours) == sorted(sizes[sizes >= 12])


@given(st.integers(1, 9), st.integers(1, 30), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_a_look_up_is_the_table_pixel_by_pixel_and_strips_stack(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    before, after = random.integers(0, 256, (2, height, width), np.uint8)
    scores = random.random((256, 256), np.float32)
    gap = np.subtract.outer(np.arange(256), np.arange(256))
    table = ((scores > 0.6) & (gap > random.integers(-255, 255))).astype(np.uint8)
    found, seen = runs.looked_up(before, after, table, scores)
    picked = table[before, after] > 0
    assert seen == ((before > 0) & (after > 0)).sum() and (found.painted() == picked).all() and (found.values == scores[before, after][picked]).all()
    whole = runs.stacked([runs.looked_up(before[row : row + 2], after[row : row + 2], table, scores)[0] for row in range(0, height, 2)])
    assert (whole.painted() == found.painted()).all() and (whole.values == found.values).all()


def test_nothing_has_no_pieces_and_no_rings() -> None:
    found = of(np.zeros((3, 5), bool))
    assert len(runs.pieces(found).pixels) == 0 and len(runs.rings(found, np.zeros(0, bool)).area) == 0
