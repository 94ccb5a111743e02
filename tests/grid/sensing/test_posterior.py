"""What the posterior promises: crossings localise, near-parallel lines and one mast do not pretend to, one finding keeps its own accuracy."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grid import geometry
from grid.sensing.bearings import acute_deg
from grid.sensing.likelihood import Plane, Sight, Silence, of_silence, wedge
from grid.sensing.posterior import agree, less, localise

FIRE = (120.60, 36.20)


def tower(sensor: str, azimuth: float, distance: float, *, sigma: float = 0.5, along: float = 4000.0, truth=FIRE, range_error: float = 0.0) -> Sight:
    """A tower that lies at `azimuth`, `distance` metres from the truth and looks back at it; its range is wrong by `range_error` metres."""
    mast = geometry.destination(*truth, azimuth, distance)
    bearing, metres = geometry.inverse(*mast, *truth)
    guess = geometry.destination(*mast, bearing, metres + range_error)
    return Sight(sensor, *guess, along, 0.7, mast=mast, bearing_deg=bearing, bearing_sigma_deg=sigma)


def off_m(found, truth=FIRE) -> float:
    return geometry.inverse(found.lon, found.lat, *truth)[1]


@settings(deadline=None, max_examples=40)
@given(
    first=st.floats(0, 360),
    turn=st.floats(25, 155),
    distances=st.tuples(st.floats(2000, 12_000), st.floats(2000, 12_000)),
    errors=st.tuples(st.floats(-1500, 1500), st.floats(-1500, 1500)),
)
def test_two_crossing_wedges_localise_at_the_crossing(first, turn, distances, errors):
    one, two = (tower(f"camera:{i}", first + i * turn, d, range_error=e) for i, (d, e) in enumerate(zip(distances, errors, strict=True)))
    both = localise([one, two])
    across = max(distances) * np.radians(0.5)
    assert off_m(both) < 0.9 * across / np.sin(np.radians(turn)) + 30
    assert both.accuracy_m < 0.6 * localise([one]).accuracy_m
    assert both.crossing_deg == pytest.approx(min(turn, 180 - turn), abs=0.5)
    assert both.region90.contains(shapely.Point(FIRE)) and both.region90.contains(both.region50.centroid)


@settings(deadline=None, max_examples=30)
@given(first=st.floats(0, 360), turn=st.floats(0.0, 6.0), flip=st.sampled_from([0.0, 180.0]), distance=st.floats(3000, 12_000))
def test_near_parallel_wedges_do_not_pretend(first, turn, flip, distance):
    """At 6° and 0.5° the lines alone would say ±150 m. Masts that face each other at 3 km leave what lies between them: half as far."""
    one, two = tower("camera:1", first, distance), tower("camera:2", first + turn + flip, distance + 1500)
    both = localise([one, two])
    assert both.crossing_deg is None
    assert both.accuracy_m > 0.5 * min(localise([one]).accuracy_m, localise([two]).accuracy_m)


@settings(deadline=None, max_examples=30)
@given(first=st.floats(0, 360), apart=st.floats(1, 95), side=st.floats(0, 360), error=st.floats(-0.5, 0.5))
def test_one_mast_does_not_localise(first, apart, side, error):
    """Two cameras on masts less than 100 m apart, with bearings that cross by their errors alone."""
    one = tower("camera:1", first, 6000)
    mast = geometry.destination(*one.mast, side, apart)
    bearing, _ = geometry.inverse(*mast, *FIRE)
    two = Sight("camera:2", one.lon, one.lat, 4000, 0.7, mast=mast, bearing_deg=(bearing + error) % 360, bearing_sigma_deg=0.5)
    both = localise([one, two])
    assert both.crossing_deg is None and both.accuracy_m > 0.75 * localise([one]).accuracy_m


@settings(deadline=None, max_examples=40)
@given(lon=st.floats(119.5, 121), lat=st.floats(35.5, 37), accuracy=st.floats(1, 5000), probability=st.floats(0.02, 0.99))
def test_one_finding_gives_its_own_accuracy(lon, lat, accuracy, probability):
    found = localise([Sight("person:1", lon, lat, accuracy, probability)])
    assert (found.lon, found.lat, found.accuracy_m) == (lon, lat, accuracy)
    assert found.probability == pytest.approx(probability)
    assert geometry.area_m2(found.region90) == pytest.approx(np.pi * accuracy**2, rel=0.02)
    assert geometry.area_m2(found.region50) == pytest.approx(geometry.area_m2(found.region90) * np.log(2) / np.log(10), rel=0.02)


@pytest.mark.parametrize("accuracy", [5.0, 60.0, 2000.0])
def test_the_grid_agrees_with_the_circle(accuracy):
    """The same point twice from one sensor goes through the grid, and must give what one gives."""
    sight = Sight("camera:1", *FIRE, accuracy, 0.7)
    found = localise([sight, sight])
    assert off_m(found) < 0.05 * accuracy and found.accuracy_m == pytest.approx(accuracy, rel=0.08)
    assert geometry.area_m2(found.region90) == pytest.approx(np.pi * accuracy**2, rel=0.1)


def test_two_independent_points_are_surer_than_one():
    sights = [Sight(f"camera:{i}", *FIRE, 100.0, 0.6) for i in range(2)]
    found = localise(sights)
    assert found.accuracy_m == pytest.approx(100 / np.sqrt(2), rel=0.1) and found.probability > 0.85


def test_forty_frames_of_one_camera_are_one_view():
    sight = tower("camera:1", 40, 5000)
    many = localise([sight] * 40)
    assert many.accuracy_m == pytest.approx(localise([sight]).accuracy_m, rel=0.02) and many.probability == pytest.approx(0.7)


def test_a_wedge_is_long_and_thin():
    found = localise([tower("camera:1", 180, 8000)])
    assert 3000 < found.accuracy_m < 5000 and found.crossing_deg is None
    west, south, east, north = found.region90.bounds
    assert (north - south) * 111_000 > 6000 and (east - west) * 90_000 < 900


def test_a_satellite_pixel_and_a_wedge_meet():
    pixel = shapely.box(FIRE[0] - 0.004, FIRE[1] - 0.003, FIRE[0] + 0.004, FIRE[1] + 0.003)
    satellite = Sight("satellite:viirs", *FIRE, 400, 0.8, footprint=pixel)
    found = localise([satellite, tower("camera:1", 90, 7000, range_error=900)])
    assert off_m(found) < 150 and found.accuracy_m < localise([satellite]).accuracy_m
    assert found.probability > 0.95


@pytest.mark.parametrize("seen", [1, 2])
def test_a_footprint_keeps_its_shape(seen):
    """One footprint without a grid, two alike through it: the same answer within what a cell can tell."""
    field = shapely.Polygon([(120.60, 36.20), (120.61, 36.20), (120.61, 36.202), (120.60, 36.202)])
    found = localise([Sight("satellite:pair", 120.605, 36.201, 500, 0.9, footprint=field)] * seen)
    assert field.contains(shapely.Point(found.lon, found.lat)) and 350 < found.accuracy_m < 500
    assert found.region90.intersection(field).area / field.area > 0.75 and found.region90.area < 1.6 * field.area
    assert found.region50.area < 0.75 * found.region90.area


def test_a_ring_is_not_in_its_own_hole():
    ring = shapely.Point(120.6, 36.2).buffer(0.01).difference(shapely.Point(120.6, 36.2).buffer(0.008))
    found = localise([Sight("satellite:pair", 120.6, 36.2, 900, 0.9, footprint=ring)])
    assert ring.contains(shapely.Point(found.lon, found.lat)) and not found.region50.is_empty


def test_a_thousand_corners_take_no_time():
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    radius = 0.002 * (1 + 0.2 * np.sin(37 * angle))
    star = shapely.Polygon(np.column_stack([120.6 + radius * np.cos(angle), 36.2 + radius * np.sin(angle)]))
    found = localise([Sight(f"satellite:{i}", 120.6, 36.2, 300, 0.8, footprint=star) for i in range(2)])
    assert star.contains(shapely.Point(found.lon, found.lat)) and found.accuracy_m < 400


def test_sights_that_exclude_each_other_still_give_a_place():
    found = localise([Sight("a:1", 120.60, 36.20, 10, 0.5), Sight("b:1", 120.61, 36.20, 10, 0.5)])
    assert 120.60 <= found.lon <= 120.61 and np.isfinite(found.accuracy_m)


@settings(deadline=None, max_examples=30)
@given(azimuth=st.floats(0, 360), distance=st.floats(500, 30_000))
def test_the_wedge_points_along_the_geodesic(azimuth, distance):
    mast = FIRE
    target = geometry.destination(*mast, azimuth, distance)
    sight = Sight("camera:1", *target, 1000, 0.5, mast=mast, bearing_deg=azimuth, bearing_sigma_deg=0.1)
    plane = Plane.about([sight])
    x, y = plane.metres(*target)
    assert wedge(plane, sight, np.array([[x]]), np.array([[y]]), 1.0).item() > -0.05


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 4), st.floats(0.2, 0.98)), min_size=1, max_size=8))
def test_agreement_never_lowers_and_stays_a_probability(seen):
    sights = [Sight(f"camera:{sensor}", *FIRE, 50, p) for sensor, p in seen]
    more = [*sights, Sight("satellite:x", *FIRE, 50, 0.5)]
    assert 0 < agree(sights) < 1 and agree(more) >= agree(sights) - 1e-9


@given(st.floats(0, 360), st.floats(0, 360))
def test_acute(a, b):
    assert 0 <= acute_deg(a, b) <= 90 and acute_deg(a, b) == pytest.approx(acute_deg(b, a)) and acute_deg(a, (a + 180) % 360) < 1e-6


@settings(deadline=None, max_examples=40)
@given(
    power=st.floats(0, 1),
    probability=st.floats(0.02, 0.99),
    centre=st.tuples(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03)),
    size=st.floats(0.002, 0.05),
    turn=st.floats(20, 160),
)
def test_a_silent_observer_never_raises_the_posterior_in_its_clear_view(power, probability, centre, size, turn):
    """Mass times probability, with the chance that there is nothing counted: no place in the clear view gains, and the whole does not either."""
    sights = [Sight("person:1", *FIRE, 900, probability), tower("camera:1", turn, 7000)]
    view = shapely.Point(FIRE[0] + centre[0], FIRE[1] + centre[1]).buffer(size)
    silence = Silence("camera:9", view, power)
    before, after = localise(sights), localise(sights, [silence])
    assert after.probability <= before.probability + 1e-9
    plane = Plane.about(sights)
    u = np.linspace(-4000, 4000, 60)
    x, y = np.meshgrid(u, u)
    free = wedge(plane, sights[1], x, y, 100.0) - (x**2 + y**2) / (2 * 420.0**2)
    density = np.exp(free - free.max())
    density /= density.sum()
    told = np.exp(of_silence(plane, silence, x, y))
    heard = float((density * told).sum())
    absolute = density * told * less(before.probability, heard) / max(heard, 1e-12)
    clear = told < 1
    assert (absolute[clear] <= density[clear] * before.probability + 1e-12).all()


def test_who_was_offline_says_nothing():
    sights = [tower("camera:1", 30, 7000), tower("camera:2", 110, 6000)]
    assert localise(sights, []) == localise(sights) or localise(sights, []).region90.equals(localise(sights).region90)


def test_silence_moves_the_place_out_of_the_clear_view_and_the_alert_says_who_moved_it():
    one = tower("camera:1", 90, 8000)
    west = shapely.box(FIRE[0] - 0.2, FIRE[1] - 0.2, FIRE[0], FIRE[1] + 0.2)
    quiet = localise([one], [Silence("camera:2", west, 0.95)])
    assert quiet.lon > localise([one]).lon and quiet.probability < 0.7
    both = localise([one, tower("camera:3", 180, 6000)])
    assert {m.sensor for m in both.moved} == {"camera:1", "camera:3"} and both.moved[0].times > 3
    assert both.moved[0].times >= both.moved[1].times and localise([one]).moved == ()
