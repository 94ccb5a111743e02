"""Where to look next, out of rows: yield, age, open alerts and the floor, inside a scope."""

from datetime import UTC, datetime

from grid.database import Scope, point
from grid.sensing import attention_rows, fusion, intake

CITY = Scope("3702")


async def test_a_camera_that_finds_and_one_that_waits_come_first(world, finding):
    await world.execute("UPDATE cameras SET stream = 'file:x', state = 'online', last_frame_at = now() - interval '2 hours'")
    await world.execute("UPDATE cameras SET last_frame_at = now() - interval '90 hours' WHERE id = 3")
    await intake.accept(world, [finding(120.25 + 0.012 * i, 36.02, kind="garbage", accuracy_m=5.0, camera_id=2, ago_s=60) for i in range(8)])
    assert len(await fusion.fuse(world)) == 8
    first, second, last = await attention_rows.ranking(world, CITY, 3)
    assert (first.camera_id, first.by_floor) == (3, True), "the longest unseen has the floor's share"
    assert (second.camera_id, second.by_floor, second.found) == (2, False, 8)
    assert last.camera_id == 1 and second.worth > last.worth and second.rate_h > last.rate_h
    assert [p.camera_id for p in await attention_rows.ranking(world, Scope("370202"), 10)] == [2]
    await world.execute("UPDATE cameras SET state = 'offline' WHERE id = 2")
    assert {p.camera_id for p in await attention_rows.ranking(world, CITY, 10)} == {1, 3}, "nobody can look through a camera that is offline"


async def test_poor_pictures_are_worth_less_and_open_alerts_more(world, finding):
    await world.execute("UPDATE cameras SET stream = 'file:x', state = 'online', last_frame_at = now() - interval '2 hours'")
    noon = datetime(2026, 6, 1, 4, tzinfo=UTC)
    before = {p.camera_id: p for p in await attention_rows.ranking(world, CITY, 10, at=noon, floor=0.0)}
    await world.execute("UPDATE cameras SET state = 'blurred' WHERE id = 3")
    await intake.accept(world, [finding(120.381, 36.07, kind="garbage", accuracy_m=5.0, sensor_kind="person", source="person:1")])
    assert await fusion.fuse(world)
    after = {p.camera_id: p for p in await attention_rows.ranking(world, CITY, 10, at=noon, floor=0.0)}
    assert after[2].open_near and after[2].worth > 2 * before[2].worth
    assert after[3].worth < 0.5 * before[3].worth


async def test_an_alert_of_another_region_tells_nothing_across_the_border(world, finding):
    await world.execute("UPDATE cameras SET stream = 'file:x', state = 'online', last_frame_at = now(), geom = %s WHERE id = 2", (point(120.499, 36.07),))
    await intake.accept(world, [finding(120.501, 36.07, kind="garbage", accuracy_m=5.0, sensor_kind="person", source="person:1")])
    assert await fusion.fuse(world)
    near = {scope: [p.open_near for p in await attention_rows.ranking(world, Scope(scope), 10) if p.camera_id == 2] for scope in ("3702", "370202")}
    assert near == {"3702": [True], "370202": [False]}
