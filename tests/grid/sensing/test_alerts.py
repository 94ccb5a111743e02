"""Lists, the evidence pane and what people do to an alert; nothing outside the scope shows."""

from datetime import UTC, datetime, timedelta

import pytest
import shapely

from grid import events
from grid.database import Scope, point, row
from grid.errors import InvalidInput, NotFound
from grid.sensing import alerts, fusion, intake, surroundings
from grid.sensing.alerts import Filters

CITY, SHINAN, LAOSHAN, NOBODY = Scope("3702"), Scope("370202"), Scope("370212"), Scope("")


@pytest.fixture
async def two(world, finding):
    """Garbage in Shinan (first), fire in Laoshan (second)."""
    await intake.accept(world, [finding(120.38, 36.07, kind="garbage", camera_id=2, accuracy_m=5.0, ago_s=60)])
    (garbage,) = await fusion.fuse(world)
    await intake.accept(world, [finding(120.62, 36.2, camera_id=1, score=0.95)])
    (fire,) = await fusion.fuse(world)
    return garbage, fire


@pytest.fixture
async def staff(world):
    cursor = await world.execute(
        "INSERT INTO staff (username, name, role, region_code, password_hash) VALUES ('l', '员', 'commander', '3702', '') RETURNING id"
    )
    return (await cursor.fetchone())[0]


async def ids(conn, scope, **filters):
    items, total = await alerts.page(conn, scope, Filters(**filters))
    assert total >= len(items)
    return [a.id for a in items]


async def test_page_filters_and_orders(world, two):
    garbage, fire = two
    assert await ids(world, CITY) == [fire, garbage] and await ids(world, CITY, order="oldest") == [garbage, fire]
    assert await ids(world, CITY, order="likely") == [fire, garbage] and await ids(world, CITY, order="urgent") == [fire, garbage]
    assert await ids(world, CITY, kind="garbage") == [garbage] and await ids(world, CITY, severity=3) == [garbage]
    assert await ids(world, CITY, bbox=(120.5, 36.0, 120.9, 36.4)) == [fire]
    assert await ids(world, CITY, states=("open",)) == [fire, garbage] and await ids(world, CITY, states=("closed", "dismissed")) == []
    assert await ids(world, CITY, since=datetime.now(UTC) - timedelta(seconds=30)) == [fire]
    assert await ids(world, CITY, until=datetime.now(UTC) - timedelta(seconds=30)) == [garbage]
    assert await ids(world, CITY, limit=1, offset=1) == [garbage]
    assert (await alerts.page(world, CITY, Filters(limit=1)))[1] == 2
    with pytest.raises(InvalidInput, match="burning"):
        await ids(world, CITY, states=("burning",))
    with pytest.raises(InvalidInput):
        await ids(world, CITY, order="id; DROP TABLE alerts")


async def test_scope(world, two, staff):
    garbage, fire = two
    assert await ids(world, LAOSHAN) == [fire] and await ids(world, SHINAN) == [garbage] and await ids(world, NOBODY) == []
    for scope, alert_id in ((LAOSHAN, garbage), (SHINAN, fire), (NOBODY, fire)):
        with pytest.raises(NotFound):
            await surroundings.detail(world, scope, alert_id)
        with pytest.raises(NotFound):
            await alerts.acknowledge(world, scope, staff, alert_id)
    assert (await alerts.get(world, CITY, garbage)).state == "open"


async def test_acknowledged_once(world, two, staff):
    garbage, _ = two
    await alerts.acknowledge(world, SHINAN, staff, garbage)
    first = await alerts.get(world, CITY, garbage)
    *_, event = await events.since(world, 0)
    assert first.state == "acknowledged" and (event.kind, event.payload["state"], event.payload["version"]) == ("alert.changed", "acknowledged", 2)
    await alerts.acknowledge(world, SHINAN, staff, garbage)
    assert await alerts.get(world, CITY, garbage) == first and (await events.since(world, event.id)) == []
    await alerts.set_state(world, garbage, "confirmed", by=staff)
    await alerts.acknowledge(world, SHINAN, staff, garbage)
    judged = await alerts.get(world, CITY, garbage)
    assert judged.state == "confirmed" and judged.acknowledged_at == first.acknowledged_at and judged.closed_at is None


async def test_a_verdict_and_its_undo(world, two, staff):
    _, fire = two
    await alerts.set_state(world, fire, "dismissed", by=staff)
    dismissed = await alerts.get(world, CITY, fire)
    assert dismissed.closed_at and dismissed.acknowledged_at
    await alerts.set_state(world, fire, "open", by=None)
    again = await alerts.get(world, CITY, fire)
    assert (again.state, again.closed_at, again.acknowledged_at, again.version) == ("open", None, None, 3)


async def test_first_dispatch_is_kept(world, two, staff):
    _, fire = two
    await alerts.mark_dispatched(world, fire, by=staff)
    first = await alerts.get(world, CITY, fire)
    assert first.dispatched_at and first.state == "acknowledged" and first.acknowledged_at
    await alerts.mark_dispatched(world, fire, by=staff)
    assert (await alerts.get(world, CITY, fire)).dispatched_at == first.dispatched_at


async def test_legality_is_announced_when_it_changes(world, two):
    _, fire = two
    line = {"layer": "forest_zones", "name": "林班", "verdict": "context", "text": "位于林班", "text_en": "in forest", "clause": "", "area_m2": None}
    await alerts.set_legality(world, fire, [line])
    last = await events.latest_id(world)
    await alerts.set_legality(world, fire, [line])
    assert await events.latest_id(world) == last
    assert (await surroundings.detail(world, CITY, fire)).legality == [line]


async def test_surroundings(world, two, finding):
    garbage, fire = two
    for i, (dx, households) in enumerate(((0.0, 3), (0.004, 5), (0.007, 100)), start=1):
        lon = 120.62 + dx
        await world.execute(
            "INSERT INTO buildings (id, use, height_m, floors, households, region_code, geom) VALUES (%s, 'residential', 9, 3, %s, '370212001001', %s)",
            (i, households, shapely.set_srid(shapely.box(lon, 36.2, lon + 0.0001, 36.2001), 4326)),
        )
    await world.execute(
        """
        INSERT INTO categories (code, major, name, name_en, clock, limit_value, provenance) VALUES ('04999', '突发事件', '火情', 'fire', 'urgent_hours', 1, 'test')
        """
    )
    for number, state, at, place in (("A", "closed", "30 days", (120.621, 36.201)), ("B", "closed", "400 days", (120.621, 36.201)), ("C", "filed", "1 day", (120.64, 36.2))):
        await world.execute(
            "INSERT INTO cases (number, category_code, title, origin, state, region_code, accuracy_m, opened_at, geom)"
            " VALUES (%s, '04999', %s, 'report', %s, '370212001001', 10, now() - %s::interval, %s)",
            (number, f"案 {number}", state, at, point(*place)),
        )
    found = await surroundings.detail(world, LAOSHAN, fire)
    assert (found.buildings_500m, found.households_500m) == (2, 8)
    assert [(p.type, p.title, p.state) for p in found.history] == [("case", "案 A", "closed")]
    assert 100 < found.history[0].distance_m < 200
    assert [o.camera_name for o in found.observations] == ["北宅高点 01"] and found.precision[0].total == 0
    assert found.region90.covers(found.region50) and found.reasons and found.comparison is None


async def test_a_neighbours_findings_stay_his(world, finding):
    """An alert at the border: the list of findings holds only those of the reader's own region."""
    await intake.accept(world, [finding(120.4999, 36.1, kind="garbage", camera_id=2), finding(120.5001, 36.1, kind="garbage", camera_id=1)])
    (alert_id,) = await fusion.fuse(world)
    assert len((await surroundings.detail(world, CITY, alert_id)).observations) == 2
    side = SHINAN if (await alerts.get(world, CITY, alert_id)).region_code.startswith("370202") else LAOSHAN
    assert [o.region_code[:6] for o in (await surroundings.detail(world, side, alert_id)).observations] == [side.prefix]


async def test_comparison_and_thumbnail(world, finding):
    for sha, shown, region in (("a" * 64, "b" * 64, "370212001001"), ("c" * 64, None, "370212001001"), ("d" * 64, "d" * 64, "370202001001")):
        await world.execute(
            "INSERT INTO evidence (sha256, kind, media_type, bytes, region_code, shown_sha256) VALUES (%s, 'chip', 'image/jpeg', 9, %s, %s)", (sha, region, shown)
        )
    field = shapely.box(120.60, 36.20, 120.601, 36.201)
    (accepted,) = await intake.accept(
        world,
        [
            finding(
                120.6005, 36.2005, kind="vegetation_loss", sensor_kind="satellite", source="pair", footprint=field, evidence=("a" * 64, "c" * 64, "d" * 64)
            )
        ],
    )
    for scene, day in (("before", "2025-05-01"), ("after", "2026-05-01")):
        await world.execute(
            "INSERT INTO scenes (id, collection, taken_at, file, sha256, bands, region_code, geom) VALUES (%s, 'l8', %s, 'f', 's', '[]', '3702', %s)",
            (scene, day, shapely.set_srid(field, 4326)),
        )
    await world.execute("INSERT INTO surveys (analysis, analysis_version, before_scene, after_scene, region_code) VALUES ('vegetation_loss', '1', 'before', 'after', '3702')")
    await world.execute(
        "INSERT INTO patches (survey_id, number, kind, score, area_m2, observation_id, region_code, geom) SELECT max(id), 1, 'vegetation_loss', 0.9, 9990, %s, '3702', %s FROM surveys",
        (accepted.id, shapely.set_srid(shapely.MultiPolygon([field]), 4326)),
    )
    (alert_id,) = await fusion.fuse(world)
    found = await surroundings.detail(world, LAOSHAN, alert_id)
    assert (found.comparison.before_scene, found.comparison.after_scene, found.comparison.area_m2) == ("before", "after", 9990)
    assert found.alert.thumbnail == "a" * 64, "neither without derivative nor from outside the scope"
    assert (await row(world, "SELECT count(*) AS n FROM alerts"))["n"] == 1
