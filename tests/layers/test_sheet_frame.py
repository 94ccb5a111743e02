"""Windows of map sheets and what paints them: scale, ticks and frame agree with geodesy; expressions answer as the browser's do."""

import numpy as np
import pyproj
import pytest
import shapely

from layers.catalog import catalog
from layers.colours import Painter, expression
from layers.deck import expressions
from layers.paint import LegendEntry
from layers.sheet_frame import NAMES, fit
from layers.sheet_map import Drawing, Pens, outline

BOX = (120.30, 36.04, 120.44, 36.10)


@pytest.mark.parametrize("frame", list(NAMES))
def test_a_millimetre_of_paper_is_the_scale_times_a_millimetre_of_ground(frame: str):
    window = fit(BOX, frame, 207, 158)
    ends = np.array([shapely.Point(120.37, 36.07), shapely.Point(120.372, 36.07), shapely.Point(120.37, 36.072)], dtype=object)
    paper = shapely.get_coordinates(window.paper(ends))
    geod = pyproj.Geod(ellps="WGS84")
    for number, (lon, lat) in ((1, (120.372, 36.07)), (2, (120.37, 36.072))):
        metres = geod.inv(120.37, 36.07, lon, lat)[2]
        assert np.hypot(*(paper[number] - paper[0])) * window.scale / 1000 == pytest.approx(metres, rel=0.003)
    shown = shapely.get_coordinates(window.paper(np.array([shapely.box(*BOX)], dtype=object)))
    assert shown.min() >= 0 and shown[:, 0].max() <= 207 and shown[:, 1].max() <= 158


@pytest.mark.parametrize("frame", list(NAMES))
def test_ticks_are_round_numbers_of_the_frame(frame: str):
    window = fit(BOX, frame, 207, 158)
    along_x, along_y = window.ticks()
    assert 3 <= len(along_x) <= 8 and 2 <= len(along_y) <= 8
    if frame == "EPSG:4528":
        tick = along_x[0]
        easting = float(tick.label.replace("\u2009", ""))
        assert easting > 40_000_000 and tick.at == pytest.approx((easting - window.west) * window.x_mm)
    if window.degrees:
        assert all("°" in tick.label and "′" in tick.label for tick in along_x + along_y)


def test_a_single_point_has_a_window_too():
    assert fit((120.38, 36.07, 120.38, 36.07), "EPSG:4490", 207, 158).scale >= 500


def test_every_expression_of_the_catalogue_can_be_worked_out():
    texts = {text for deck in catalog().decks.values() for text in expressions(deck)}
    assert len(texts) > 20
    for text in texts - {"-"}:
        expression(text)({})


@pytest.mark.parametrize("text", ["properties.a ? 1", "[1, 2", "1 +", "properties.a 1", "f(1)", "`a`", ""])
def test_what_is_no_expression_is_refused(text: str):
    with pytest.raises(ValueError):
        expression(text)


def test_values_that_do_not_compare_are_not_greater():
    assert expression("properties.n >= 3 ? 1 : 0")({"n": "9"}) == 0 and expression("properties.n / 0 == null ? 1 : 0")({"n": 4}) == 1


def test_holes_stay_open_and_colours_are_counted():
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(2, 2, 4, 4))
    assert outline(ring).count("z") == 2
    legend = (LegendEntry("甲", "A", "#010203", "diamond"),)
    drawing = Drawing(Painter({"getFillColor": "@@=properties.k == 'a' ? [1, 2, 3, 255] : [0, 0, 0, 0]"}), legend, Pens())
    drawing.add(np.array([ring, shapely.Point(5, 5), shapely.Point(), None], dtype=object), [{"k": "a"}] * 4)
    assert drawing.drawn == 2 and drawing.hits == {"#010203": 2} and drawing.svg().count("<path") == 2
