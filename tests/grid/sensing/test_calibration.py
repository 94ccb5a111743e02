"""The record: verdicts counted once a sensor and algorithm, taken back on undo, and read as '8 of the last 10'."""

from hypothesis import given
from hypothesis import strategies as st

from grid.database import rows
from grid.sensing import calibration, fusion, intake
from grid.sensing.observations import sensor_of


async def judged(conn, finding, verdicts, lat=36.02, **fields):
    """One alert a verdict, 1 km apart, decided in this order; returns the alerts' ids."""
    await intake.accept(conn, [finding(120.25 + 0.012 * i, lat, kind="garbage", accuracy_m=5.0, **fields) for i in range(len(verdicts))])
    ids = sorted(await fusion.fuse(conn))
    for alert_id, verdict in zip(ids, verdicts, strict=True):
        await conn.execute("INSERT INTO decisions (alert_id, verdict, previous_state) VALUES (%s, %s, 'open')", (alert_id, verdict))
        await calibration.record(conn, alert_id, hit=verdict == "true")
    return ids


async def test_eight_of_the_last_ten(world, finding):
    verdicts = ["false"] * 3 + ["true"] * 7 + ["false", "true", "false"]
    ids = await judged(world, finding, verdicts, camera_id=2)
    await intake.accept(world, [finding(120.45, 36.25, kind="garbage", camera_id=2)])
    (fresh,) = await fusion.fuse(world)
    (found,) = await calibration.precision(world, fresh)
    assert (found.sensor, found.hits, found.total) == ("camera:2", 8, 10)
    (own,) = await calibration.precision(world, ids[-1])
    assert own.total == 10 and own.hits == 8, "a verdict does not speak for itself"


async def test_every_sensor_behind_an_alert_once(world, finding):
    spot = {"lon": 120.38, "lat": 36.07, "kind": "garbage", "accuracy_m": 5.0}
    await intake.accept(world, [finding(**spot, camera_id=2) for _ in range(5)] + [finding(**spot, sensor_kind="person", source="person:7", algorithm="x")])
    (alert_id,) = await fusion.fuse(world)
    await calibration.record(world, alert_id, hit=True)
    counted = await rows(world, "SELECT sensor, algorithm, hits, misses FROM calibration ORDER BY sensor")
    assert [(c["sensor"], c["hits"], c["misses"]) for c in counted] == [("camera:2", 1, 0), ("person:7", 1, 0)]
    stored = await rows(world, "SELECT sensor_kind, source, camera_id FROM observations")
    assert {sensor_of(**s) for s in stored} == {c["sensor"] for c in counted}
    await calibration.record(world, alert_id, hit=True, undo=True)
    assert await rows(world, "SELECT hits, misses FROM calibration") == [{"hits": 0, "misses": 0}] * 2
    await calibration.record(world, alert_id, hit=False, undo=True)
    assert await rows(world, "SELECT hits, misses FROM calibration") == [{"hits": 0, "misses": 0}] * 2


@given(st.floats(0, 1), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_probability_between_score_and_record(score, hits, misses):
    p = calibration.probability(score, hits, misses)
    rate = hits / (hits + misses) if hits + misses else score
    assert min(score, rate) - 1e-9 <= p <= max(score, rate) + 1e-9
    assert calibration.probability(score, hits + 1, misses) >= p >= calibration.probability(score, hits, misses + 1)
