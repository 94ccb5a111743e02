"""The coordinate firewall: what is corrupted is found, row by row and undone exactly; what is clean passes, whatever it looks like."""

import doctest
import importlib
import json

import numpy as np
import pytest
import shapely

from grid import crs, firewall, geometry
from grid.firewall import Reading, Reference, heights, judge
from grid.firewall.judge import reading_kind

MIDDLE = (120.38, 36.07)


def town(count: int = 4000, seed: int = 1) -> np.ndarray:
    """Middles of houses over 4 × 4 km, with blocks and gaps as a town has."""
    rng = np.random.default_rng(seed)
    blocks = rng.uniform(-2000, 2000, (count // 20, 2))
    east, north = (blocks[rng.integers(len(blocks), size=count)] + rng.normal(0, 60, (count, 2))).T
    return np.column_stack([MIDDLE[0] + east / 90_000, MIDDLE[1] + north / 111_000])


HOUSES = town()
KNOWN = [Reference("buildings", points=HOUSES)]


def numbers(places: np.ndarray, reading: Reading) -> np.ndarray:
    """The file's numbers of true places."""
    place = tuple(places.T)
    if reading.then:
        place = crs.to_storage(place, reading.then[1:]) if reading.then.startswith("+") else crs.from_storage(place, reading.then)
    x, y = crs.from_storage(place, reading.crs)
    return np.column_stack([y, x] if reading.swapped else [x, y])


def mixed(size: int, share: float, declared: str, true: str, seed: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of a file, which of them are corrupted, and where they truly lie."""
    rng = np.random.default_rng(seed)
    places = HOUSES[rng.choice(len(HOUSES), size, replace=False)]
    bad = np.zeros(size, dtype=bool)
    bad[rng.choice(size, round(share * size), replace=False)] = True
    xy = numbers(places, firewall.parse(declared))
    xy[bad] = numbers(places[bad], firewall.parse(true))
    return shapely.points(xy), bad, places


@pytest.mark.parametrize("module", ["readings", "rulers", "heights", "words", "judge"])
def test_doctests(module):

    found = importlib.import_module(f"grid.firewall.{module}")
    result = doctest.testmod(found, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize(
    ("declared", "true", "kind"),
    [
        ("EPSG:4326", "GCJ-02", "gcj02"),
        ("EPSG:4490", "BD-09", "bd09"),
        ("GCJ-02", "EPSG:4326", "overcorrected"),
        ("BD-09", "EPSG:4326", "overcorrected"),
        ("EPSG:4326", "EPSG:4326|+GCJ-02", "overcorrected"),
        ("EPSG:4528", "EPSG:4528|GCJ-02", "gcj02"),
        ("EPSG:4326", "swapped:EPSG:4326", "swapped"),
        ("EPSG:4528", "swapped:EPSG:4528", "swapped"),
        ("EPSG:4528", "EPSG:4527", "zone"),
        ("EPSG:4528", "EPSG:4529", "zone"),
        ("EPSG:4528", "EPSG:4549", "zone"),
        ("EPSG:4549", "EPSG:4528", "zone"),
        ("EPSG:4528", "EPSG:4499", "zone"),
        ("EPSG:4326", "EPSG:3857", "web_mercator"),
        ("EPSG:4528", "EPSG:3857", "web_mercator"),
        ("EPSG:4528", "EPSG:4326", "degrees"),
        ("EPSG:4550", "EPSG:32651", "zone"),
    ],
)
def test_corrupted_rows_are_found_and_put_back_exactly(declared, true, kind, share):
    points, bad, places = mixed(300, share, declared, true)
    verdict = judge(points, firewall.parse(declared), KNOWN)
    assert verdict.suspicious
    first = verdict.findings[0]
    assert firewall.same(first.reading, firewall.parse(true)), first
    assert reading_kind(verdict.declared, first.reading) == kind and abs(first.share - share) < 0.03
    chosen = np.array([firewall.same(r, firewall.parse(true)) for r in verdict.readings])[verdict.choice]
    assert (chosen == bad).mean() >= 0.98
    lon, lat = firewall.parse(true).place(*shapely.get_coordinates(points[bad & chosen]).T)
    _, metres = geometry.inverse(*places[bad & chosen].T, lon, lat)
    assert np.max(metres) < 0.01


@pytest.mark.parametrize("declared", ["EPSG:4326", "EPSG:4490", "GCJ-02", "BD-09", "EPSG:4528", "EPSG:4549", "EPSG:3857", "EPSG:32651"])
@pytest.mark.parametrize("size", [1, 12, 300])
def test_clean_sets_pass(declared, size):
    points, _, _ = mixed(size, 0.0, declared, declared)
    assert not judge(points, firewall.parse(declared), KNOWN).suspicious


@pytest.mark.parametrize(
    "places",
    [
        np.random.default_rng(3).uniform([120.35, 36.05], [120.41, 36.09], (500, 2)),
        np.random.default_rng(4).uniform([139.6, 35.5], [139.9, 35.8], (200, 2)),
        HOUSES[:200] + np.random.default_rng(5).normal(0, 2e-4, (200, 2)),
        np.repeat(HOUSES[:3], 60, axis=0),
        np.column_stack([np.linspace(120.36, 120.40, 300), np.full(300, 36.07)]),
        town(400, seed=99),
        np.empty((0, 2)),
        np.array([[np.nan, 36.0], [120.38, np.inf]]),
    ],
    ids=["uniform", "Tokyo", "20 m off", "repeated", "a line", "another town", "nothing", "no numbers"],
)
def test_data_that_has_nothing_to_do_with_what_is_known_passes(places):
    assert not judge(shapely.points(places), Reading("EPSG:4326"), KNOWN).suspicious


def test_without_references_only_gross_displacement_is_found():
    points, bad, _ = mixed(100, 0.3, "EPSG:4528", "EPSG:4527")
    verdict = judge(points, Reading("EPSG:4528"), [])
    assert verdict.suspicious and ((verdict.choice > 0) == bad).all()
    points, _, _ = mixed(100, 1.0, "EPSG:4326", "GCJ-02")
    assert not judge(points, Reading("EPSG:4326"), []).suspicious


def test_missing_and_empty_shapes_are_left_alone():
    points, _, _ = mixed(50, 1.0, "EPSG:4326", "GCJ-02")
    shapes = np.concatenate([points, np.array([None, shapely.Point()], dtype=object)])
    verdict = judge(shapes, Reading("EPSG:4326"), KNOWN)
    assert verdict.findings[0].rows == 50 and verdict.choice[-2:].tolist() == [0, 0]


def test_a_verdict_is_the_same_twice():
    points, _, _ = mixed(300, 0.2, "EPSG:4326", "GCJ-02")
    a, b = (judge(points, Reading("EPSG:4326"), KNOWN) for _ in range(2))
    assert a.findings == b.findings and (a.choice == b.choice).all()


def test_outlines_of_districts_expose_one_shifted_row_of_ten(real_data):
    folder = real_data("qingdao/boundaries")

    def read(name):
        return np.array([shapely.from_geojson(json.dumps(f["geometry"])) for f in json.loads((folder / name).read_text())["features"]], dtype=object)

    known = [Reference("districts", lines=firewall.outlines(read("qingdao_districts_WGS84_from_cnmaps.geojson")))]
    for name in ("datav_370200_districts_GCJ02.json", "echarts_china_cities_qingdao_GCJ02_like.geojson"):
        mapped = read(name)
        assert not judge(mapped, Reading("GCJ-02"), known).suspicious
        verdict = judge(mapped, Reading("EPSG:4326"), known)
        assert verdict.findings[0].reading == Reading("GCJ-02") and verdict.findings[0].rows == len(mapped)
        assert verdict.findings[0].proposed_m < verdict.findings[0].declared_m
        true = crs.to_storage(mapped, "GCJ-02")
        for row in range(0, len(mapped), 3):
            shapes = true.copy()
            shapes[row] = mapped[row]
            found = judge(shapes, Reading("EPSG:4326"), known)
            assert np.flatnonzero(found.choice).tolist() == [row]


@pytest.mark.parametrize(("declared", "other"), [("1985", "ellipsoidal"), ("ellipsoidal", "1985")])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_heights_above_the_wrong_datum(declared, other, share):
    rng = np.random.default_rng(2)
    lon, lat = HOUSES[:300].T
    ground = rng.uniform(2, 80, 300)
    wrong = rng.random(300) < share
    levelled = ground + rng.normal(0, 0.5, 300)
    z = np.where(wrong, heights.convert(levelled, lon, lat, "1985", other), heights.convert(levelled, lon, lat, "1985", declared))
    verdict = firewall.judge_heights(z, lon, lat, declared, (lon, lat, ground))
    assert verdict.suspicious == (share > 0) and (verdict.wrong == wrong).mean() > 0.97 and 4 < verdict.offset_m < 8


def test_heights_with_nothing_known_near_say_nothing():
    lon, lat = HOUSES[:50].T
    assert not firewall.judge_heights(np.full(50, 9.0), lon, lat, "1985", (lon + 0.1, lat, np.zeros(50))).suspicious
    assert not firewall.judge_heights([], [], [], "1985", ([], [], [])).suspicious
