"""Bearings to a place: exact where they are exact, as sure as Stone Soup is, and refused where they only pretend to cross."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid import geometry
from grid.errors import InvalidInput
from grid.sensing.bearings import Bearing, cross
from grid.sensing.likelihood import Sight
from grid.sensing.posterior import localise

FIRE = (120.60, 36.20)


def seen(azimuth: float, distance: float, error: float = 0.0, sigma: float = 0.3) -> Bearing:
    """A mast that lies at an azimuth and distance from the fire and looks back at it, wrong by `error` degrees."""
    lon, lat = geometry.destination(*FIRE, azimuth, distance)
    return Bearing(lon, lat, (geometry.inverse(lon, lat, *FIRE)[0] + error) % 360, sigma)


@settings(deadline=None, max_examples=60)
@given(first=st.floats(0, 360), turn=st.floats(15, 165), distances=st.tuples(st.floats(500, 30_000), st.floats(500, 30_000)))
def test_exact_bearings_cross_at_the_place(first, turn, distances):
    fix = cross([seen(first, distances[0]), seen(first + turn, distances[1])])
    assert geometry.inverse(fix.lon, fix.lat, *FIRE)[1] < 1.0
    assert fix.crossing_deg == pytest.approx(min(turn, 180 - turn), abs=0.5)


@settings(deadline=None, max_examples=40)
@given(first=st.floats(0, 360), turn=st.floats(0, 6), flip=st.sampled_from([0.0, 180.0]))
def test_lines_that_hardly_cross_are_refused(first, turn, flip):
    with pytest.raises(InvalidInput):
        cross([seen(first, 8000), seen(first + turn + flip, 9500)])


def test_one_mast_and_lines_that_meet_behind_are_refused():
    with pytest.raises(InvalidInput):
        cross([seen(10, 8000)])
    one = seen(10, 8000)
    with pytest.raises(InvalidInput):
        cross([one, Bearing(one.lon + 0.0001, one.lat, one.bearing_deg + 20, 0.3)])
    with pytest.raises(InvalidInput):
        cross([Bearing(120.60, 36.20, 300, 0.3), Bearing(120.70, 36.20, 60, 0.3)])
    with pytest.raises(InvalidInput):
        Bearing(120, 36, 10, 0)


def test_the_covariance_is_what_errors_do():
    draws = np.random.default_rng(2).standard_normal((400, 3)) * 0.3
    inside, misfits = 0, []
    for errors in draws:
        fix = cross([seen(a, d, e) for (a, d), e in zip(((20, 6000), (100, 9000), (230, 4000)), errors, strict=True)])
        azimuth, metres = geometry.inverse(*FIRE, fix.lon, fix.lat)
        off = metres * np.array([np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))])
        a, b, c = fix.covariance
        inside += off @ np.linalg.solve([[a, b], [b, c]], off) <= 4.605
        misfits.append(fix.misfit)
    assert 0.86 <= inside / 400 <= 0.94 and np.mean(misfits) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("masts", [((20, 6000), (100, 9000)), ((0, 7000), (45, 8000), (200, 5000)), ((10, 9000), (70, 4000), (160, 7000), (300, 6000))])
def test_stone_soup_agrees(masts):
    """Its iterated extended Kalman update of a wide prior by the same bearings, against ours and against the posterior on its grid."""
    pytest.importorskip("stonesoup", reason="Stone Soup is not installed: pip install stonesoup")
    from stonesoup.models.measurement.nonlinear import Cartesian2DToBearing
    from stonesoup.types.angle import Bearing as Angle
    from stonesoup.types.array import CovarianceMatrix, StateVector
    from stonesoup.types.detection import Detection
    from stonesoup.types.hypothesis import SingleHypothesis
    from stonesoup.types.prediction import GaussianStatePrediction
    from stonesoup.updater.kalman import ExtendedKalmanUpdater

    errors = np.random.default_rng(len(masts)).standard_normal(len(masts)) * 0.3
    bearings = [seen(a, d, e) for (a, d), e in zip(masts, errors, strict=True)]
    middle = StateVector([300.0, -200.0])
    for _ in range(5):
        state = GaussianStatePrediction(middle, CovarianceMatrix(np.diag([1e5**2] * 2)))
        for each in bearings:
            azimuth, metres = geometry.inverse(*FIRE, each.lon, each.lat)
            turned = azimuth + 180 + each.bearing_deg - geometry.inverse(each.lon, each.lat, *FIRE)[0]
            at = StateVector([metres * np.sin(np.radians(azimuth)), metres * np.cos(np.radians(azimuth))])
            model = Cartesian2DToBearing(ndim_state=2, mapping=(0, 1), noise_covar=CovarianceMatrix([[np.radians(each.sigma_deg) ** 2]]), translation_offset=at)
            near = StateVector([Angle(np.radians(90 - turned))])
            state = ExtendedKalmanUpdater(measurement_model=model).update(SingleHypothesis(state, Detection(near, measurement_model=model)))
        middle = state.state_vector
    theirs = np.array(state.state_vector, float).ravel()
    fix = cross(bearings)
    sights = [
        Sight(f"camera:{i}", *FIRE, 30_000, 0.7, mast=(b.lon, b.lat), bearing_deg=b.bearing_deg, bearing_sigma_deg=b.sigma_deg) for i, b in enumerate(bearings)
    ]
    where = localise(sights)
    sigma = float(np.sqrt(fix.covariance[0] + fix.covariance[2]))
    for lon, lat in ((fix.lon, fix.lat), (where.lon, where.lat)):
        azimuth, metres = geometry.inverse(*FIRE, lon, lat)
        ours = metres * np.array([np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))])
        assert np.hypot(*(ours - theirs)) < 0.25 * sigma + 2.0
    assert np.allclose(np.array(state.covar, float)[[0, 0, 1], [0, 1, 1]], fix.covariance, rtol=0.15, atol=0.05 * sigma**2)
