"""A new version beside the old one on the same frames: counted per camera and light, judged by the verdicts on the old one, silent until it may speak."""

from datetime import UTC, datetime, timedelta

import pytest

from grid.database import Scope, row, rows
from grid.sensing import fusion, shadow_rows
from imagery.cameras import on_trial, weights
from imagery.cameras.detectors import detectors, standing
from imagery.cameras.engines import Box
from imagery.cameras.examine import detect_frame
from tests.imagery.cameras.conftest import write_model
from tests.imagery.cameras.test_examine import SMOKE, give, moments

CITY = Scope("3702")
CODE = detectors()["smoke-fire"].version
OLD, NEW = f"smoke-fire / {CODE}", f"smoke-next / {CODE}"


@pytest.fixture
def registry(settings, tmp_path):
    """The standing weights, and others that call the same white square a fire."""
    folder = weights.models_dir(settings.data_dir)
    for name, labels in (("smoke-fire", ("smoke", "fire")), ("smoke-same", ("smoke", "fire", "haze")), ("smoke-next", ("fire", "smoke"))):
        write_model(tmp_path / f"{name}.onnx", labels=labels)
        weights.add_model(folder, tmp_path / f"{name}.onnx", model_id=name, licence="none", provenance="test")
    return folder


async def trial(conn, candidate: str = NEW, state: str = "shadow", region: str = "3702") -> int:
    found = await row(
        conn,
        """
        INSERT INTO rollouts (algorithm, standing, candidate, share, region_code, state) VALUES ('smoke-fire', %(old)s, %(new)s, 0.1, %(region)s, %(state)s)
        RETURNING id
        """,
        {"old": OLD, "new": candidate, "state": state, "region": region},
    )
    return found["id"]


async def shown(conn, settings, camera, pictures) -> None:
    for number, (at, boxes) in enumerate(zip(moments(len(pictures)), pictures, strict=True)):
        accepted = await give(conn, settings, camera, boxes, at, seed=number)
        await detect_frame(conn, settings, accepted.frame_id)
        await conn.commit()


@pytest.mark.parametrize(("candidate", "agreed", "verdict"), [("smoke-same", 3, "true"), ("smoke-next", 0, "false")])
async def test_both_versions_are_counted_and_the_verdict_on_one_judges_the_other(conn, settings, make_camera, registry, candidate, agreed, verdict) -> None:
    camera = await make_camera()
    number = await trial(conn, f"{candidate} / {CODE}")
    await shown(conn, settings, camera, (SMOKE, SMOKE, SMOKE, ()))
    said = await rows(conn, "SELECT model_version, kind FROM observations ORDER BY id")
    assert [r["model_version"] for r in said] == [OLD, f"{candidate} / {CODE}"], "each follows its own sequence to a finding of its own"
    assert len(await fusion.fuse(conn)) == 1, "the candidate's opens nothing"
    alert = await row(conn, "SELECT alert_id FROM observations WHERE model_version = %(old)s", {"old": OLD})
    await conn.execute("INSERT INTO decisions (alert_id, verdict, previous_state) VALUES (%s, %s, 'open')", (alert["alert_id"], verdict))
    (place,) = await shadow_rows.places(conn, CITY, number)
    assert (place.camera_id, place.frames, place.agreed, place.standing_only, place.candidate_only) == (camera.id, 4, agreed, 3 - agreed, 3 - agreed)
    assert (place.true_alerts, place.true_kept) == ((1, 1) if verdict == "true" else (0, 0))
    assert (place.false_alerts, place.false_spared) == ((1, 1) if verdict == "false" else (0, 0))
    assert place.standing_ms > 0 and place.candidate_ms > 0 and place.agreement == agreed / 3
    assert place.condition in ("day", "dusk", "night")
    ((city,),) = (await shadow_rows.by_light(conn, CITY, [number])).values()
    assert (city.cameras, city.frames, city.true_kept + city.false_spared) == (1, 4, 1)
    assert await shadow_rows.places(conn, Scope("370202"), number) == [], "another region's cameras are nobody else's business"


async def test_a_frame_that_does_not_tell_which_thing_the_candidate_saw_judges_nothing(conn, settings, make_camera, registry) -> None:
    camera = await make_camera()
    number = await trial(conn, f"smoke-same / {CODE}")
    await shown(conn, settings, camera, (SMOKE, SMOKE, SMOKE))
    await fusion.fuse(conn)
    alert = await row(conn, "SELECT alert_id FROM observations WHERE model_version = %(old)s", {"old": OLD})
    await conn.execute("INSERT INTO decisions (alert_id, verdict, previous_state) VALUES (%s, 'true', 'open')", (alert["alert_id"],))
    told = []
    for standing_only in (0, 1):
        await conn.execute("UPDATE shadow_runs SET standing_only = %s", (standing_only,))
        (place,) = await shadow_rows.places(conn, CITY, number)
        told.append((place.true_alerts, place.true_kept))
    assert told == [(1, 1), (0, 0)]


async def test_a_live_version_takes_over_and_a_trial_elsewhere_or_of_absent_weights_changes_nothing(conn, settings, make_camera, registry) -> None:
    camera = await make_camera()
    await trial(conn, f"absent / {CODE}")
    await trial(conn, NEW, "live", "370299")
    await shown(conn, settings, camera, (SMOKE,))
    assert {r["class"] for r in await rows(conn, "SELECT class FROM detections")} == {"smoke"}
    assert await rows(conn, "SELECT 1 FROM shadow_tallies") == []
    await conn.execute("UPDATE rollouts SET state = 'withdrawn'")
    await trial(conn, NEW, "live")
    accepted = await give(conn, settings, camera, SMOKE, datetime.now(UTC) + timedelta(seconds=1), seed=9)
    await detect_frame(conn, settings, accepted.frame_id)
    assert {r["class"] for r in await rows(conn, "SELECT class FROM detections WHERE frame_id = %(id)s", {"id": accepted.frame_id})} == {"fire"}


def test_things_are_paired_once_and_of_one_kind(registry) -> None:
    entry = standing(detectors()["smoke-fire"], registry)
    pair = on_trial.Pair(1, entry, entry)
    one, near, far, fire = Box(0, 0, 50, 50, 0.5, "smoke"), Box(5, 5, 55, 55, 0.5, "smoke"), Box(200, 0, 250, 50, 0.5, "smoke"), Box(0, 0, 50, 50, 0.5, "fire")
    assert on_trial.compared((one,), (near, far), pair) == (1, 0, 1)
    assert on_trial.compared((one, near), (one,), pair) == (1, 1, 0)
    assert on_trial.compared((one,), (fire,), pair) == (0, 1, 1)
    assert on_trial.compared((), (), pair) == (0, 0, 0)
