"""Who looked where: minutes are kept, nothing is kept of who was offline, and places nobody looked at show their age."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
import shapely

from grid.database import Scope, point, rows
from grid.errors import InvalidInput
from grid.sensing import ledger
from grid.sensing.ledger import Look

MIDDAY = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
EVERYWHERE = Scope("3702")
WEST = shapely.box(120.2, 36.0, 120.5, 36.3)


def look(first: datetime = MIDDAY, minutes: int = 9, view=WEST, kind: str = "camera", power: float = 0.6) -> Look:
    return Look(kind, view, first, first + timedelta(minutes=minutes), power)


async def test_a_look_is_kept_for_its_minutes_and_its_grids_only(world):
    assert await ledger.note(world, [look()]) == 1
    found = await ledger.heat(world, EVERYWHERE, date(2026, 11, 22), now=MIDDAY + timedelta(hours=2, minutes=9))
    west, east = found.codes.index("370202001001001"), found.codes.index("370212001001001")
    assert np.flatnonzero(found.seen[west]).tolist() == list(range(720, 730)) and found.seen[west].max() == 153
    assert not found.seen[east].any() and np.isnan(found.age_h[east]) and found.age_h[west] == pytest.approx(2.0)
    assert found.every(60).shape == (2, 24) and np.flatnonzero(found.every(60)[west]).tolist() == [12]


async def test_a_second_look_never_takes_away(world):
    await ledger.note(world, [look(power=0.9)])
    before = (await ledger.heat(world, EVERYWHERE, date(2026, 11, 22))).seen
    half = shapely.box(120.2, 36.0, 120.35, 36.3)
    await ledger.note(world, [look(view=half, minutes=30), look(kind="drone", view=half, power=1.0, minutes=0)])
    after = await ledger.heat(world, EVERYWHERE, date(2026, 11, 22))
    assert (after.seen >= before).all() and after.seen[0][745] == pytest.approx(76, abs=1)
    drones = await ledger.heat(world, EVERYWHERE, date(2026, 11, 22), ["drone"])
    assert np.flatnonzero(drones.seen[0]).tolist() == [720]


async def test_midnight_in_the_city_parts_the_days(world):
    await ledger.note(world, [look(datetime(2026, 11, 22, 15, 58, tzinfo=UTC), minutes=4)])
    days = [await ledger.heat(world, EVERYWHERE, date(2026, 11, day)) for day in (22, 23)]
    assert np.flatnonzero(days[0].seen[0]).tolist() == [1438, 1439] and np.flatnonzero(days[1].seen[0]).tolist() == [0, 1, 2]


async def test_another_region_sees_nothing_of_it(world):
    await ledger.note(world, [look()])
    found = await ledger.heat(world, Scope("370212"), date(2026, 11, 22))
    assert found.codes == ["370212001001001"] and not found.seen.any()
    assert (await ledger.heat(world, Scope("370299"), date(2026, 11, 22))).every(15).shape == (0, 96)


@pytest.mark.parametrize(("state", "frame", "looked"), [("online", "done", True), ("offline", "done", False), ("online", "failed", False), ("dark", "done", False)])
async def test_cameras_that_saw_nothing_usable_say_nothing(world, state, frame, looked):
    now = MIDDAY + timedelta(minutes=20)
    await world.execute("UPDATE cameras SET state = %s, view = %s, detectors = '{smoke}' WHERE id = 2", (state, shapely.set_srid(shapely.box(120.3, 36.0, 120.4, 36.1), 4326)))
    await world.execute("INSERT INTO evidence (sha256, kind, media_type, bytes, region_code) VALUES (%s, 'frame', 'image/jpeg', 1, '370202')", ("a" * 64,))
    for seconds in (0, 20, 40):
        await world.execute("INSERT INTO frames (camera_id, sha256, recorded_at, state) VALUES (2, %s, %s, %s)", ("a" * 64, MIDDAY + timedelta(seconds=seconds), frame))
    silent = await ledger.silences(world, shapely.box(120.35, 36.05, 120.36, 36.06), MIDDAY - timedelta(minutes=5), now, ["smoke"])
    assert [s.sensor for s in silent] == (["camera:2"] if looked else [])
    assert await ledger.silences(world, shapely.box(120.8, 36.2, 120.81, 36.21), MIDDAY, now, ["smoke"]) == []
    assert await ledger.silences(world, WEST, MIDDAY, now, ["garbage"]) == []
    assert bool(await ledger.write(world, now)) is looked
    assert await ledger.write(world, now) == 0


async def test_units_and_scenes_look_too(world):
    await world.execute("INSERT INTO units (id, code, name, kind, speed_kmh, region_code, home, geom) OVERRIDING SYSTEM VALUE VALUES (7, 'U7', '无人机', 'drone', 40, '370202', %(p)s, %(p)s)", {"p": point(120.3, 36.1)})
    for seconds in (0, 20, 40):
        await world.execute("INSERT INTO unit_positions (unit_id, recorded_at, geom) VALUES (7, %s, %s)", (MIDDAY + timedelta(seconds=seconds), point(120.3 + seconds / 1e4, 36.1)))
    looks = await ledger.gather(world, MIDDAY, MIDDAY + timedelta(minutes=1))
    assert [(each.sensor_kind, each.first) for each in looks] == [("drone", MIDDAY)]
    assert looks[0].view.contains(shapely.Point(120.302, 36.1)) and not looks[0].view.contains(shapely.Point(120.302, 36.11))


async def test_a_pass_registered_hours_later_is_written_at_its_minute(world):
    now = MIDDAY + timedelta(minutes=30)
    await ledger.write(world, now - timedelta(minutes=10))
    for name, taken, registered in (
        ("late", now - timedelta(hours=5), now - timedelta(minutes=6)),
        ("old", now - timedelta(days=40), now - timedelta(minutes=6)),
        ("before", now - timedelta(hours=8), now - timedelta(minutes=40)),
    ):
        await world.execute(
            "INSERT INTO scenes (id, collection, taken_at, created_at, file, sha256, bands, region_code, geom) VALUES (%s, 's2', %s, %s, 'f', %s, '[]', '3702', %s)",
            (name, taken, registered, name, shapely.set_srid(WEST, 4326)),
        )
    looks = await ledger.gather(world, now - timedelta(minutes=13), now - timedelta(minutes=3))
    assert [(each.sensor_kind, each.first) for each in looks] == [("satellite", now - timedelta(hours=5))]
    assert await ledger.write(world, now) == 1
    found = await ledger.heat(world, Scope("370202"), date(2026, 11, 22), ["satellite"], now=now)
    assert np.flatnonzero(found.seen[0]).tolist() == [12 * 60 + 30 - 5 * 60] and found.age_h[0] == pytest.approx(5.0)


async def test_impossible_looks_are_refused_and_none_is_none(world):
    assert await ledger.note(world, []) == 0
    for wrong in ({"power": 1.2}, {"minutes": -1}, {"first": datetime(2026, 1, 1)}):
        with pytest.raises(InvalidInput):
            look(**wrong)
    assert await rows(world, "SELECT FROM ledger") == []


async def test_what_a_ridge_hides_was_not_looked_at_until_the_camera_turns(world):
    await test_cameras_that_saw_nothing_usable_say_nothing(world, "online", "done", True)
    await world.execute("UPDATE cameras SET kind = 'tower' WHERE id = 2")
    tower = next(each for each in await ledger.unclipped(world) if each.id == 2)
    await ledger.clip(world, tower, shapely.box(120.3, 36.0, 120.32, 36.1))
    assert 2 not in [each.id for each in await ledger.unclipped(world)]
    behind = shapely.box(120.35, 36.05, 120.36, 36.06)
    span = MIDDAY - timedelta(minutes=5), MIDDAY + timedelta(minutes=5)
    assert await ledger.silences(world, behind, *span, ["smoke"]) == []
    assert len(await ledger.silences(world, shapely.box(120.31, 36.05, 120.33, 36.06), *span, ["smoke"])) == 1
    await world.execute("UPDATE cameras SET azimuth_deg = 77 WHERE id = 2")
    assert len(await ledger.silences(world, behind, *span, ["smoke"])) == 1 and 2 in [each.id for each in await ledger.unclipped(world)]
