"""Patches: one that grows over surveys, cut, joined, drawn anew, judged, and due by cycle."""

from datetime import UTC, date, datetime

import pytest
import shapely
from psycopg import AsyncConnection

from grid.casework import cycles, patch_verdicts, patches, redrawing
from grid.casework.patches import Filters, Found
from grid.database import Scope, row, rows
from grid.errors import Conflict, IllegalStep, InvalidInput, NotFound

CITY, ELSEWHERE = Scope("3702"), Scope("370203")
FIELD = shapely.box(120.60, 36.20, 120.602, 36.201)
EASTWARD = shapely.box(120.6015, 36.20, 120.604, 36.201)
FAR = shapely.box(120.62, 36.20, 120.621, 36.201)


@pytest.fixture
async def surveyed(conn: AsyncConnection) -> AsyncConnection:
    """Scenes of four days and a survey of each pair that follows: ids 1, 2, 3; staff 1."""
    for n in range(4):
        await conn.execute(
            "INSERT INTO scenes (id, collection, taken_at, file, sha256, bands, region_code, geom) VALUES (%s, 's2', %s, 'f', 's', '[]', '3702', %s)",
            (f"s{n}", datetime(2026, 3 + n, 1, tzinfo=UTC), shapely.set_srid(shapely.box(120, 36, 121, 37), 4326)),
        )
    for n in range(3):
        await conn.execute(
            "INSERT INTO surveys (analysis, analysis_version, before_scene, after_scene, region_code) VALUES ('vegetation_loss', '1', %s, %s, '3702')", (f"s{n}", f"s{n + 1}")
        )
    await conn.execute("INSERT INTO staff (username, name, role, region_code, password_hash) VALUES ('linye', '林业', 'inspector', '3702', '')")
    return conn


def found(survey: int, *shapes: shapely.Polygon, kind: str = "vegetation_loss") -> list[Found]:
    return [
        Found(survey, n, kind, 0.5 + survey / 10, patches.measured_m2(shape), None, "370212001", False, shapely.set_srid(shapely.MultiPolygon([shape]), 4326))
        for n, shape in enumerate(shapes, 1)
    ]


async def only(conn: AsyncConnection, **filters) -> patches.Patch:
    (one,), total = await patches.page(conn, CITY, Filters(**filters))
    assert total == 1
    return one


async def test_a_patch_that_is_seen_again_grows_and_keeps_what_it_was(surveyed: AsyncConnection) -> None:
    assert await patches.record(surveyed, 1, found(1, FIELD), 10.0) == patches.Recorded(1, 0, 0)
    assert await patches.record(surveyed, 2, found(2, EASTWARD), 10.0) == patches.Recorded(0, 1, 0)
    assert await patches.record(surveyed, 3, found(3, shapely.box(120.601, 36.2001, 120.602, 36.2009)), 10.0) == patches.Recorded(0, 0, 1)
    patch = await only(surveyed)
    assert patch.area_m2 == pytest.approx(patches.measured_m2(FIELD.union(EASTWARD)), rel=1e-9) and patch.geom.equals(shapely.MultiPolygon([FIELD.union(EASTWARD)]))
    assert patch.area_mu == pytest.approx(patch.area_m2 * 3 / 2000)
    assert (patch.before_scene, patch.after_scene, patch.seen, patch.score) == ("s0", "s3", 3, pytest.approx(0.8))
    steps = await patches.steps(surveyed, patch.id)
    assert [(step.action, step.survey_id, step.after_at.month) for step in steps] == [("found", 1, 4), ("grown", 2, 5), ("seen", 3, 6)]
    assert steps[0].geom.equals(FIELD) and steps[1].geom.equals(patch.geom) and steps[2].geom is None
    for survey in (1, 2, 3):
        assert (await only(surveyed, survey_id=survey)).id == patch.id


async def test_touching_is_enough_within_a_pixel_and_another_kind_is_another_patch(surveyed: AsyncConnection) -> None:
    await patches.record(surveyed, 1, found(1, FIELD), 10.0)
    beside = shapely.box(120.60208, 36.20, 120.603, 36.201)
    await patches.record(surveyed, 2, found(2, beside), 5.0)
    await patches.record(surveyed, 2, found(2, FIELD, kind="construction"), 10.0)
    assert (await patches.page(surveyed, CITY))[1] == 3, "7 m apart is not within 5 m; another kind is not the same change"
    await patches.record(surveyed, 3, found(3, shapely.box(120.60209, 36.2, 120.6025, 36.2005)), 10.0)
    assert (await patches.page(surveyed, CITY, Filters(kind="vegetation_loss")))[1] == 1, "what grew into both made them one"


async def test_two_that_grow_into_each_other_become_the_elder(surveyed: AsyncConnection) -> None:
    other = shapely.box(120.6035, 36.20, 120.605, 36.201)
    await patches.record(surveyed, 1, found(1, FIELD, other, FAR), 10.0)
    first, second, far = [patch.id for patch in (await patches.page(surveyed, CITY))[0]]
    await patches.record(surveyed, 2, found(2, EASTWARD, FAR), 10.0)
    standing, total = await patches.page(surveyed, CITY)
    assert total == 2 and {patch.id for patch in standing} == {first, far}
    gone = await patches.get(surveyed, CITY, second)
    assert gone.state == "merged" and gone.geom.equals(shapely.MultiPolygon([other]))
    assert [(step.action, step.related) for step in await patches.steps(surveyed, second)] == [("found", []), ("merged", [first])]
    assert [(step.action, step.related) for step in await patches.steps(surveyed, first)] == [("found", []), ("absorbed", [second])]


async def test_a_confirmed_patch_grows_and_a_dismissed_one_is_asked_again(surveyed: AsyncConnection) -> None:
    await patches.record(surveyed, 1, found(1, FIELD, FAR), 10.0)
    field, far = [patch.id for patch in (await patches.page(surveyed, CITY))[0]]
    await surveyed.execute("UPDATE patches SET state = CASE id WHEN %s THEN 'confirmed' ELSE 'dismissed' END", (field,))
    assert await patches.record(surveyed, 2, found(2, EASTWARD, FAR), 10.0) == patches.Recorded(1, 1, 0)
    assert (await patches.get(surveyed, CITY, field)).state == "confirmed"
    assert (await only(surveyed, state="open")).geom.equals(shapely.MultiPolygon([FAR]))


async def test_the_parts_of_a_cut_patch_add_up_and_the_original_stays(surveyed: AsyncConnection) -> None:
    await patches.record(surveyed, 1, found(1, shapely.Point(120.6, 36.2).buffer(0.01, 40)), 10.0)
    round_one = await only(surveyed)
    whole, before = round_one.id, round_one.area_m2
    made = await redrawing.split(surveyed, CITY, 1, whole, shapely.LineString([(120.58, 36.195), (120.601, 36.203), (120.62, 36.199)]), "两家")
    parts = [await patches.get(surveyed, CITY, one) for one in made]
    assert len(parts) == 2 and sum(part.area_m2 for part in parts) == pytest.approx(before, rel=1e-6)
    assert shapely.union_all([part.geom for part in parts]).symmetric_difference(round_one.geom).area < 1e-12
    assert [(part.parents, part.state, part.seen) for part in parts] == [([whole], "open", 1)] * 2
    assert (await patches.get(surveyed, CITY, whole)).state == "split"
    told = await patches.steps(surveyed, parts[0].id)
    assert [(step.action, step.by, step.reason) for step in told] == [("found", None, ""), ("split", "林业", "两家"), ("cut", "林业", "两家")]
    with pytest.raises(IllegalStep):
        await redrawing.split(surveyed, CITY, 1, whole, None, "再切")


@pytest.mark.parametrize(
    ("line", "reason"),
    [(shapely.LineString([(120.7, 36), (120.8, 36)]), "外面"), (shapely.LineString([(120.59, 36.2005), (120.601, 36.2005)]), "没切断"), (None, "只有一块"), (FIELD.boundary, " ")],
)
async def test_a_line_that_does_not_cut_is_refused(surveyed: AsyncConnection, line: shapely.LineString | None, reason: str) -> None:
    await patches.record(surveyed, 1, found(1, FIELD), 10.0)
    with pytest.raises(InvalidInput):
        await redrawing.split(surveyed, CITY, 1, (await only(surveyed)).id, line, reason)


async def test_joined_patches_are_their_union_and_can_be_taken_apart(surveyed: AsyncConnection) -> None:
    near = shapely.box(120.6025, 36.20, 120.604, 36.201)
    await patches.record(surveyed, 1, found(1, FIELD, near, FAR), 10.0)
    a, b, far = [patch.id for patch in (await patches.page(surveyed, CITY))[0]]
    twin = shapely.box(120.6212, 36.20, 120.622, 36.201)
    await patches.record(surveyed, 2, found(2, twin), 10.0)
    (pair,) = [patch.id for patch in (await patches.page(surveyed, CITY))[0] if patch.id not in (a, b, far)]
    for ids in ([a, far], [a], [a, a], [a, b, far, pair]):
        with pytest.raises(InvalidInput):
            await redrawing.merge(surveyed, CITY, 1, ids, "同一工地")
    with pytest.raises(NotFound):
        await redrawing.merge(surveyed, ELSEWHERE, 1, [a, b], "同一工地")
    joined = await patches.get(surveyed, CITY, await redrawing.merge(surveyed, CITY, 1, [b, a], "同一工地"))
    assert joined.area_m2 == pytest.approx(patches.measured_m2(FIELD) + patches.measured_m2(near), rel=1e-9) and joined.parents == [a, b]
    apart = await redrawing.split(surveyed, CITY, 1, joined.id, None, "分开")
    assert [(await patches.get(surveyed, CITY, one)).geom.equals(shapely.MultiPolygon([shape])) for one, shape in zip(apart, (FIELD, near), strict=True)] == [True, True]


async def test_a_redrawn_patch_keeps_its_former_outline(surveyed: AsyncConnection) -> None:
    await patches.record(surveyed, 1, found(1, FIELD), 10.0)
    patch = await only(surveyed)
    smaller = shapely.box(120.6005, 36.20, 120.602, 36.201)
    await redrawing.redraw(surveyed, CITY, 1, patch.id, smaller, "去掉阴影", patch.version)
    now = await only(surveyed)
    assert (now.id, now.version) == (patch.id, patch.version + 1) and now.area_m2 == pytest.approx(0.75 * patch.area_m2, rel=1e-6)
    steps = await patches.steps(surveyed, patch.id)
    assert [step.action for step in steps] == ["found", "redrawn"] and steps[0].geom.equals(FIELD)
    with pytest.raises(Conflict):
        await redrawing.redraw(surveyed, CITY, 1, patch.id, FIELD, "旧版", patch.version)
    for wrong in (FAR, shapely.box(120.5, 36.1, 120.7, 36.3), shapely.Polygon([(120.6, 36.2), (120.602, 36.201), (120.602, 36.2), (120.6, 36.201)])):
        with pytest.raises(InvalidInput):
            await redrawing.redraw(surveyed, CITY, 1, patch.id, wrong, "错")


async def test_a_verdict_on_a_patch_judges_its_alert_and_can_be_taken_back(surveyed: AsyncConnection) -> None:
    await _alert(surveyed, 1)
    (seen,) = await rows(surveyed, "SELECT id FROM observations")
    first, second = found(1, FIELD, EASTWARD)
    for one in (first, second):
        await patches._open(surveyed, Found(**{**{name: getattr(one, name) for name in Found.__slots__}, "observation_id": seen["id"]}))
    a, b = [patch.id for patch in (await patches.page(surveyed, CITY, Filters(alert_id=1)))[0]]
    assert (await patch_verdicts.decide(surveyed, CITY, 1, a, "false", "seasonal")).state == "dismissed"
    assert (await row(surveyed, "SELECT state FROM alerts"))["state"] == "open", "one of its patches is undecided"
    done = await patch_verdicts.decide(surveyed, CITY, 1, b, "true", "")
    assert (await row(surveyed, "SELECT state FROM alerts"))["state"] == "confirmed"
    assert (await row(surveyed, "SELECT id, origin, alert_id FROM cases")) == {"id": done.case_id, "origin": "patch", "alert_id": 1}
    assert (await patches.get(surveyed, CITY, b)).case_id == done.case_id
    await patch_verdicts.undo(surveyed, CITY, 1, b)
    assert (await patches.get(surveyed, CITY, b)).state == "open" and (await row(surveyed, "SELECT state FROM alerts"))["state"] == "open"
    assert (await row(surveyed, "SELECT state FROM cases"))["state"] == "cancelled"
    for wrong in (("false", ""), ("false", " ")):
        with pytest.raises(InvalidInput):
            await patch_verdicts.decide(surveyed, CITY, 1, b, *wrong)
    with pytest.raises(NotFound):
        await patch_verdicts.decide(surveyed, ELSEWHERE, 1, b, "true", "")


async def test_each_cycle_asks_for_its_own(surveyed: AsyncConnection) -> None:
    await patches.record(surveyed, 1, found(1, FIELD, EASTWARD.buffer(0.01), FAR, shapely.box(121, 37, 121.1, 37.1)), 0.0)
    await surveyed.execute("UPDATE patches SET state = 'open', found_at = '2026-11-01T00:00:00+08:00'")
    ids = [patch.id for patch in (await patches.page(surveyed, CITY))[0]]
    await surveyed.execute("UPDATE patches SET found_at = '2026-10-31T23:59:59+08:00' WHERE id = %s", (ids[0],))
    await surveyed.execute("UPDATE patches SET state = 'confirmed' WHERE id = %s", (ids[1],))
    month, quarter, year = await cycles.standing(surveyed, CITY, date(2026, 11, 23))
    assert (month.since, month.until) == (date(2026, 11, 1), date(2026, 12, 1)) and (quarter.since, year.until) == (date(2026, 10, 1), date(2027, 1, 1))
    others = len(ids) - 1
    assert (month.found, month.answered, month.due, month.overdue) == (others, 1, others, 1) and month.ids[0] == ids[0]
    assert (quarter.found, quarter.due, quarter.overdue, quarter.ids) == (len(ids), 1, 0, (ids[1],))
    assert (year.due, year.answered) == (len(ids), 0)
    assert all(cycle.due == 0 for cycle in await cycles.standing(surveyed, ELSEWHERE, date(2026, 11, 23)))


async def _alert(conn: AsyncConnection, alert_id: int) -> None:
    place = shapely.set_srid(FIELD.centroid, 4326)
    await conn.execute(
        """
        INSERT INTO alerts (id, kind, rule_id, rule_version, title, title_en, severity, agreement, probability, region_code, place_name, accuracy_m, first_seen_at, last_seen_at, geom)
        OVERRIDING SYSTEM VALUE VALUES (%(id)s, 'vegetation_loss', 'vegetation_loss', '1', '图斑', 'patch', 3, 'nominal', 0.8, '370212001', '', 10, now(), now(), %(geom)s)
        """,
        {"id": alert_id, "geom": place},
    )
    await conn.execute(
        """
        INSERT INTO observations (source, source_event_id, sensor_kind, kind, score, recorded_at, region_code, accuracy_m, geom, alert_id)
        VALUES ('test', '1', 'satellite', 'vegetation_loss', 0.9, now(), '370212001', 10, %(geom)s, %(id)s)
        """,
        {"id": alert_id, "geom": place},
    )
