"""Sights of one thing stay together; one camera's two directions, and bearings that meet nowhere, do not."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid import geometry
from grid.database import rows
from grid.sensing import fusion, intake
from grid.sensing.association import contradiction, together
from grid.sensing.likelihood import Sight

FIRE = (120.62, 36.2)


def tower(sensor: str, azimuth: float, distance: float, *, error_deg: float = 0.0, sigma: float = 0.5, truth=FIRE) -> Sight:
    """A mast from which `truth` lies at an azimuth and distance, its bearing wrong by so much, its range known badly."""
    mast = geometry.destination(*truth, (azimuth + 180.0) % 360.0, distance)
    bearing, _ = geometry.inverse(*mast, *truth)
    lon, lat = geometry.destination(*mast, bearing, 0.8 * distance)
    return Sight(sensor, lon, lat, 4000.0, 0.7, None, mast, (bearing + error_deg) % 360.0, sigma)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 359), st.floats(1500, 9000), st.floats(-0.6, 0.6)), min_size=2, max_size=4))
def test_bearings_of_one_fire_stay_together(seen):
    assert together([tower(f"camera:{i}", azimuth, distance, error_deg=error) for i, (azimuth, distance, error) in enumerate(seen)])


@pytest.mark.parametrize("apart", [8.0, 23.0, 90.0, 180.0])
def test_one_camera_has_not_one_thing_in_two_directions(apart):
    one = tower("camera:5", 28.0, 2000.0)
    assert together([one, one]) and not together([one, replace(one, bearing_deg=one.bearing_deg + apart)])


def test_the_foot_of_a_mast_is_no_meeting_point():
    """Tower 4 looks past tower 5, which sees two things: the only place that all three leave is the foot of tower 5."""
    five, other = tower("camera:5", 28.0, 2000.0), tower("camera:5", 5.0, 2300.0)
    past = replace(tower("camera:4", 126.0, 7700.0, truth=five.mast), accuracy_m=1500.0)
    assert contradiction([five, replace(five, bearing_deg=5.0), past]) > 50.0
    assert not together([five, other, past])


def test_bearings_that_meet_behind_a_mast_are_two_things():
    one = tower("camera:1", 90.0, 3000.0)
    assert together([one, tower("camera:2", 0.0, 3000.0)])
    assert not together([one, replace(tower("camera:2", 0.0, 3000.0), bearing_deg=180.0)])


def test_a_point_beside_the_wedge_is_no_part_of_it():
    wedge = tower("camera:1", 90.0, 3000.0)
    beside = geometry.destination(*FIRE, 0.0, 1500.0)
    assert together([wedge, Sight("satellite:viirs", *FIRE, 300.0, 0.8)])
    assert not together([wedge, Sight("satellite:viirs", *beside, 300.0, 0.8)])


def test_a_bearing_that_names_only_its_mast_is_judged_like_any_other():
    mast = geometry.destination(*FIRE, 270.0, 3000.0)
    bare = Sight("camera:7", *mast, 3500.0, 0.7, None, mast, geometry.inverse(*mast, *FIRE)[0], 0.5)
    assert together([bare, tower("camera:1", 0.0, 3000.0)])
    assert not together([bare, replace(bare, bearing_deg=(bare.bearing_deg + 60.0) % 360.0)])


async def test_two_fires_of_one_camera_make_two_alerts(world, finding):
    """Both lie within the camera's own uncertainty of range, less than the merge distance apart."""
    mast = (120.60, 36.20)
    seen = [geometry.destination(*mast, azimuth, 1500.0) for azimuth in (40.0, 75.0)]
    for place, azimuth in zip(seen, (40.0, 75.0), strict=True):
        for ago in (20.0, 5.0):
            await intake.accept(world, [finding(*place, camera_id=1, bearing_deg=azimuth, bearing_sigma_deg=0.5, accuracy_m=2500.0, ago_s=ago)])
    await fusion.fuse(world)
    await intake.accept(world, [finding(*seen[1], camera_id=1, bearing_deg=75.3, bearing_sigma_deg=0.5, accuracy_m=2500.0)])
    await fusion.fuse(world)
    found = await rows(world, "SELECT alert_id, array_agg(round(bearing_deg)::int ORDER BY id) AS bearings FROM observations GROUP BY 1 ORDER BY 1")
    assert [r["bearings"] for r in found] == [[40, 40], [75, 75, 75]]
    masts = await rows(world, "SELECT a.id FROM alerts a JOIN cameras c ON c.id = 1 AND ST_DWithin(a.geom::geography, c.geom::geography, 200)")
    assert masts == []
