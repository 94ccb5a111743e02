"""What verdicts teach, through the database: fits, the audit stream, budgets of minutes, and canaries that roll themselves back."""

import pytest

from grid.database import Scope, row, rows
from grid.errors import Conflict, IllegalStep, InvalidInput, NotFound
from grid.sensing import alerts, audit_stream, calibration, fusion, intake, learning_rows, observations, rollout, rollout_rows
from tests.grid.sensing.test_calibration import judged

CITY = Scope("3702")


async def verdict(conn, alert_id: int, true: bool) -> None:
    await conn.execute("INSERT INTO decisions (alert_id, verdict, previous_state) VALUES (%s, %s, 'open')", (alert_id, "true" if true else "false"))
    await conn.execute("UPDATE alerts SET state = %s WHERE id = %s", ("confirmed" if true else "dismissed", alert_id))


async def test_a_camera_that_is_mostly_wrong_is_believed_less(world, finding):
    await judged(world, finding, ["false"] * 18 + ["true"] * 2, camera_id=2, score=0.8)
    await judged(world, finding, ["true"] * 18 + ["false"] * 2, lat=36.1, camera_id=1, score=0.8)
    assert await learning_rows.stale(world) == ["smoke@1"]
    learnt = await learning_rows.learn(world, "smoke@1")
    assert learnt.labels == 40 and learnt.base == pytest.approx(0.5)
    assert await learning_rows.stale(world) == []
    await intake.accept(world, [finding(120.4, 36.2, camera_id=2, kind="garbage"), finding(120.45, 36.2, camera_id=1, kind="garbage")])
    fresh = await rows(world, "SELECT id, camera_id FROM observations WHERE fused_at IS NULL")
    told = await learning_rows.chances(world, await observations.pending(world, 10))
    by_camera = {r["camera_id"]: told[r["id"]] for r in fresh}
    assert by_camera[2] < 0.3 and by_camera[1] > 0.7
    (lesson,) = await learning_rows.lessons(world, CITY)
    assert (lesson.algorithm, lesson.labels, lesson.cameras) == ("smoke@1", 40, 2)
    worst, best = await learning_rows.of_sensors(world, CITY, "smoke@1")
    assert worst.name == "香港中路 02" and worst.precision < 0.3 < 0.7 < best.precision
    assert [r.name for r in await learning_rows.of_sensors(world, Scope("370212"), "smoke@1")] == [best.name]


async def test_a_cancelled_case_overtakes_the_verdict(world, finding):
    ids = await judged(world, finding, ["true"] * 3, camera_id=2)
    case = await row(
        world,
        """
        INSERT INTO cases (number, category_code, title, origin, state, region_code, accuracy_m, alert_id, geom)
        VALUES ('n', '01002', 'x', 'alert', 'cancelled', '370202', 5, %(alert)s, ST_SetSRID(ST_MakePoint(120.3, 36.1), 4326)) RETURNING id
        """,
        {"alert": ids[0]},
    )
    await world.execute("UPDATE decisions SET case_id = %s WHERE alert_id = %s", (case["id"], ids[0]))
    found = await learning_rows.labels(world, "smoke@1")
    assert sorted(found.truth.tolist()) == [False, True, True]
    (precision,) = await calibration.precision(world, ids[1])
    assert (precision.hits, precision.total) == (1, 2)


async def test_without_a_budget_all_is_shown_and_with_one_the_rest_is_drawn_by_lot(world, finding):
    await intake.accept(world, [finding(120.25 + 0.012 * (i % 20), 36.02 + 0.02 * (i // 20), kind="garbage", accuracy_m=5.0, score=0.7) for i in range(60)])
    ids = await fusion.fuse(world)
    drawn = await rows(world, "SELECT DISTINCT propensity, shown FROM audit_stream")
    assert drawn == [{"propensity": 1.0, "shown": True}] and len(ids) == 60
    await world.execute("UPDATE audit_stream SET shown = false, propensity = 0.05, lot = 0.5")
    await audit_stream.set_budget(world, CITY, None, 1.0)
    assert 0 < (await audit_stream.budget(world, CITY)).needed < 60
    aside, total = await alerts.page(world, CITY, alerts.Filters(aside=True, limit=100))
    shown, _ = await alerts.page(world, CITY, alerts.Filters(aside=False, limit=100))
    assert total == len(aside) and len(aside) + len(shown) == 60
    await audit_stream.set_budget(world, CITY, None, None)
    assert (await alerts.page(world, CITY, alerts.Filters(aside=True)))[1] == 0, "without a budget nothing stays set aside"
    assert len(await rows(world, "SELECT 1 FROM audit WHERE action = 'review_budget.set' AND entity = 'region/3702'")) == 2
    with pytest.raises(InvalidInput):
        await audit_stream.set_budget(world, CITY, None, -1.0)


async def test_the_propensity_of_an_alert_drawn_by_lot_weighs_its_verdict(world, finding):
    await world.execute("INSERT INTO review_budgets (region_code, minutes_a_day, price) VALUES ('3702', 1, 5)")
    await intake.accept(world, [finding(120.25 + 0.012 * i, 36.02, kind="garbage", accuracy_m=5.0) for i in range(15)])
    ids = await fusion.fuse(world)
    drawn = await rows(world, "SELECT alert_id, lot, propensity, shown FROM audit_stream ORDER BY alert_id")
    assert len(drawn) == len(ids) and all(d["propensity"] == 0.05 and d["shown"] == (d["lot"] < 0.05) for d in drawn)
    await verdict(world, ids[0], True)
    assert (await learning_rows.labels(world, "smoke@1")).propensity.tolist() == [0.05]
    await world.execute("UPDATE review_budgets SET price = 0")
    await audit_stream.place(world, ids)
    after = {r["alert_id"]: r["propensity"] for r in await rows(world, "SELECT alert_id, propensity FROM audit_stream")}
    assert after.pop(ids[0]) == 0.05 and set(after.values()) == {1.0}, "a judged alert keeps the propensity of its verdict"


async def test_a_shadow_opens_nothing_and_a_bad_canary_is_rolled_back_with_an_event_and_an_audit_row(world, finding, monkeypatch):
    trial = await rollout_rows.begin(world, CITY, None, "smoke@1", "1.0", "2.0", share=0.5)
    with pytest.raises(Conflict):
        await rollout_rows.begin(world, CITY, None, "smoke@1", "1.0", "3.0")
    await intake.accept(world, [finding(120.3, 36.02, kind="garbage", accuracy_m=5.0, model_version="2.0")])
    assert await fusion.fuse(world) == []
    held = await row(world, "SELECT properties FROM observations ORDER BY id DESC LIMIT 1")
    assert held["properties"]["trial"]["id"] == trial.id
    with pytest.raises(IllegalStep):
        await rollout_rows.step(world, CITY, None, trial.id, "live")
    await rollout_rows.step(world, CITY, None, trial.id, "canary")
    await world.execute("UPDATE rollouts SET canary_at = now() - interval '1 day'")
    monkeypatch.setattr(rollout_rows, "arm", lambda salt, sensor, hour, share: sensor == "camera:2")
    new = [finding(120.22 + 0.006 * (i % 40), 36.02 + 0.006 * (i // 40), kind="garbage", accuracy_m=3.0, camera_id=2, model_version="2.0") for i in range(40)]
    old = [finding(120.22 + 0.006 * (i % 40), 36.12 + 0.006 * (i // 40), kind="garbage", accuracy_m=3.0, camera_id=1, model_version="1.0") for i in range(40)]
    await intake.accept(world, [each for pair in zip(new, old, strict=True) for each in pair])
    ids = await fusion.fuse(world)
    assert len(ids) == 80
    versions = {r["alert_id"]: r["model_version"] for r in await rows(world, "SELECT alert_id, model_version FROM observations WHERE alert_id IS NOT NULL")}
    assert await rollout_rows.judge(world) == []
    for alert_id in ids:
        await verdict(world, alert_id, versions[alert_id] == "1.0")
    await rollout_rows.ask(world, ids[0])
    assert (await row(world, "SELECT count(*) AS n FROM procrastinate_jobs WHERE task_name = 'judge_canaries'"))["n"] == 1
    assert await rollout_rows.judge(world) == [trial.id]
    (ended,) = await rollout_rows.page(world, CITY)
    assert ended.state == "rolled_back" and ended.evidence >= 1 / rollout.ALPHA and ended.verdicts["new"] == 40 and ended.ended_at is not None
    assert await row(world, "SELECT 1 FROM events WHERE kind = 'rollout.rolled_back'") and await row(world, "SELECT 1 FROM audit WHERE action = 'rollout.rolled_back'")
    assert await rollout_rows.judge(world) == []
    await intake.accept(world, [finding(120.3, 36.28, kind="garbage", accuracy_m=5.0, camera_id=2, model_version="2.0")])
    assert await fusion.fuse(world) == [], "a version that was rolled back opens nothing any more"
    second = await rollout_rows.begin(world, CITY, None, "smoke@1", "1.0", "2.0")
    await rollout_rows.step(world, CITY, None, second.id, "canary")
    await rollout_rows.step(world, CITY, None, second.id, "live")
    await intake.accept(world, [finding(120.32, 36.28, kind="garbage", accuracy_m=5.0, camera_id=2, model_version="2.0")])
    assert len(await fusion.fuse(world)) == 1, "the newest trial of a version counts"
    with pytest.raises(NotFound):
        await rollout_rows.get(world, Scope("370202"), trial.id)


async def test_a_trial_in_one_district_brings_no_withdrawn_version_back_in_another(world, finding):
    over_all = await rollout_rows.begin(world, CITY, None, "smoke@1", "1.0", "2.0")
    await rollout_rows.step(world, CITY, None, over_all.id, "withdraw")
    district = Scope("370212")
    anew = await rollout_rows.begin(world, district, None, "smoke@1", "1.0", "2.0")
    for step in ("canary", "live"):
        await rollout_rows.step(world, district, None, anew.id, step)
    west, east = finding(120.3, 36.02, kind="garbage", model_version="2.0"), finding(120.62, 36.02, kind="garbage", model_version="2.0")
    await intake.accept(world, [west, east])
    assert len(await fusion.fuse(world)) == 1
    held = await rows(world, "SELECT region_code, properties -> 'trial' -> 'id' AS trial, alert_id IS NULL AS quiet FROM observations ORDER BY id")
    assert held == [
        {"region_code": "370202001001", "trial": over_all.id, "quiet": True},
        {"region_code": "370212001001", "trial": None, "quiet": False},
    ]
