"""Masks small enough to count by hand, and random ones against their pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.transform import from_origin

from grid.errors import InvalidInput
from imagery.scenes.polygonize import polygons

UTM51 = "EPSG:32651"
AT = from_origin(240_000, 3_995_000, 10, 10)


def drawn(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


def test_a_ring_keeps_its_hole_and_a_diagonal_joins() -> None:
    mask = drawn(
        "###....",
        "#.#....",
        "###....",
        "...#...",
        ".......",
        "......#",
    )
    score = np.where(mask, 2.0, np.nan).astype(np.float32)
    score[0, 0] = 4.25
    ring, dot = polygons(mask, score, AT, UTM51)
    assert (ring.pixels, dot.pixels) == (9, 1)
    assert ring.score == pytest.approx((8 * 2 + 4.25) / 9) and ring.peak == 4.25
    assert sorted(len(part.interiors) for part in ring.geom.geoms) == [0, 1] and ring.geom.is_valid
    scale = 0.9996 * 1.00083
    assert dot.area_m2 == pytest.approx(100 / scale**2, rel=1e-3)
    assert ring.area_m2 == pytest.approx(9 * dot.area_m2, rel=1e-5)
    west, south, east, north = ring.geom.bounds
    assert 120.1 < west < east < 120.2 and 36.0 < south < north < 36.1


def test_small_pieces_are_left_out_and_nothing_gives_nothing() -> None:
    mask = drawn("##.#", "##..")
    assert [one.pixels for one in polygons(mask, mask.astype(np.float32), AT, UTM51, minimum_area_m2=300)] == [4]
    assert polygons(np.zeros((3, 3), bool), np.zeros((3, 3), np.float32), AT, UTM51) == []
    assert polygons(mask, mask.astype(np.float32), AT, UTM51, minimum_area_m2=1e6) == []
    with pytest.raises(InvalidInput, match="differ in shape"):
        polygons(mask, np.zeros((1, 1), np.float32), AT, UTM51)


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
@settings(max_examples=60, deadline=None)
def test_area_and_pixels_are_those_of_the_mask(mask: np.ndarray) -> None:
    made = polygons(mask, mask.astype(np.float32), AT, UTM51)
    assert sum(one.pixels for one in made) == mask.sum()
    assert sum(one.area_m2 for one in made) == pytest.approx(mask.sum() * 99.91, rel=5e-3)
    assert all(one.geom.is_valid for one in made)
