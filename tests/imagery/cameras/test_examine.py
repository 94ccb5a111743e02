"""Walk 1 up to intake: a frame accepted is examined exactly once, whatever is killed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from grid import events, evidence, jobs
from grid.database import connect, row, rows
from grid.errors import InvalidInput, UnsupportedMedia
from grid.world import cameras
from imagery.cameras import examine, weights
from imagery.cameras.backlog import accept_frame, counts, give_up
from imagery.cameras.examine import detect_frame
from tests.imagery.cameras.conftest import jpeg, picture

SMOKE = ((80, 120, 120, 160),)


@pytest.fixture
def taken(settings, white_model):
    """The test model, registered as smoke-fire."""
    return weights.add_model(weights.models_dir(settings.data_dir), white_model, model_id="smoke-fire", licence="none", provenance="test")


def moments(n: int, step_s: int = 20) -> list[datetime]:
    start = datetime.now(UTC) - timedelta(minutes=4)
    return [start + timedelta(seconds=step_s * i) for i in range(n)]


async def give(conn, settings, camera, boxes, at, seed=0):
    accepted = await accept_frame(conn, settings, camera, jpeg(picture(boxes, seed=seed)), at)
    await conn.commit()
    return accepted


async def test_three_sightings_become_one_located_observation(conn, settings, make_camera, taken) -> None:
    camera = await make_camera()
    for number, at in enumerate(moments(3)):
        accepted = await give(conn, settings, camera, SMOKE, at, seed=number)
        done = await detect_frame(conn, settings, accepted.frame_id)
        await conn.commit()
        assert (done.boxes > 0, done.findings) == (True, 1 if number == 2 else 0)
    (observed,) = await rows(conn, "SELECT *, ST_X(geom) AS lon, ST_Y(geom) AS lat FROM observations")
    assert (observed["sensor_kind"], observed["kind"], observed["class"], observed["camera_id"]) == ("camera", "smoke", "smoke", camera.id)
    assert observed["model_hash"] == taken.card.sha256
    assert len(observed["evidence"]) == 3
    assert observed["lon"] > 120.6  # the camera looks east
    assert 60 < observed["bearing_deg"] < 90  # the box lies left of the middle
    assert observed["footprint"] is not None
    shown = await rows(conn, "SELECT shown_sha256 FROM evidence WHERE sha256 = ANY(%(all)s)", {"all": observed["evidence"]})
    assert all(entry["shown_sha256"] for entry in shown)
    assert (await row(conn, "SELECT count(*) AS n FROM procrastinate_jobs WHERE task_name = 'fuse'"))["n"] == 1


async def test_two_sightings_or_far_apart_ones_are_no_finding(conn, settings, make_camera, taken) -> None:
    camera = await make_camera()
    for number, (at, boxes) in enumerate(zip(moments(4), (SMOKE, SMOKE, ((240, 40, 280, 80),), ((0, 200, 40, 240),)), strict=True)):
        accepted = await give(conn, settings, camera, boxes, at, seed=number)
        await detect_frame(conn, settings, accepted.frame_id)
    assert await rows(conn, "SELECT id FROM observations") == []
    assert (await row(conn, "SELECT count(*) AS n FROM detections"))["n"] >= 4


async def test_a_worker_killed_before_commit_loses_and_doubles_nothing(conn, settings, make_camera, taken, database_url) -> None:
    camera = await make_camera()
    frames = [await give(conn, settings, camera, SMOKE, at, seed=n) for n, at in enumerate(moments(3))]
    for accepted in frames:
        doomed = await connect(database_url)
        await detect_frame(doomed, settings, accepted.frame_id)
        await doomed.close()
    assert (await counts(conn)) == {"queued": 3}
    for _ in range(2):
        for accepted in frames:
            await detect_frame(conn, settings, accepted.frame_id)
            await conn.commit()
    assert (await counts(conn)) == {"done": 3}
    assert (await row(conn, "SELECT count(*) AS n FROM observations"))["n"] == 1


async def test_the_same_picture_of_the_same_moment_is_one_frame(conn, settings, make_camera) -> None:
    camera = await make_camera()
    (at,) = moments(1)
    first, second = await give(conn, settings, camera, SMOKE, at), await give(conn, settings, camera, SMOKE, at)
    assert (first.repeated, second.repeated, first.frame_id) == (False, True, second.frame_id)
    assert (await row(conn, "SELECT count(*) AS n FROM procrastinate_jobs WHERE task_name = 'detect'"))["n"] == 1


async def test_too_many_waiting_frames_drop_the_oldest_loudly(conn, settings, make_camera) -> None:
    camera = await make_camera()
    bound = settings.frame_backlog
    accepted = [await give(conn, settings, camera, (), at, seed=n) for n, at in enumerate(moments(bound + 2, 1))]
    assert [one.dropped for one in accepted[-2:]] == [1, 1]
    assert await counts(conn) == {"queued": bound, "dropped": 2}
    states = await rows(conn, "SELECT id, state FROM frames ORDER BY recorded_at")
    assert [entry["state"] for entry in states[:2]] == ["dropped", "dropped"]
    events = await rows(conn, "SELECT payload FROM events WHERE kind = 'camera.changed'")
    assert sum(event["payload"]["dropped"] for event in events) == 2
    assert await detect_frame(conn, settings, accepted[0].frame_id) is None


async def test_a_frame_whose_job_failed_for_good_does_not_stay_queued(conn, settings, make_camera) -> None:
    camera = await make_camera()
    first, second = [await give(conn, settings, camera, (), at, seed=n) for n, at in enumerate(moments(2))]
    await conn.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE task_name = 'detect' AND args ->> 'frame_id' = %(id)s", {"id": str(first.frame_id)})
    assert [await give_up(conn), await give_up(conn)] == [1, 0]
    states = {entry["id"]: (entry["state"], bool(entry["error"])) for entry in await rows(conn, "SELECT id, state, error FROM frames")}
    assert states == {first.frame_id: ("failed", True), second.frame_id: ("queued", False)}


async def test_a_frame_that_is_being_examined_holds_up_no_sender(conn, settings, make_camera, database_url) -> None:
    camera = await make_camera()
    bound = settings.frame_backlog
    first, *_ = [await give(conn, settings, camera, (), at, seed=n) for n, at in enumerate(moments(bound + 1, 1)[:bound])]
    worker = await connect(database_url)
    await worker.execute("SELECT 1 FROM frames WHERE id = %(id)s FOR UPDATE", {"id": first.frame_id})
    await conn.execute("SET lock_timeout = '2s'")
    accepted = await give(conn, settings, camera, (), datetime.now(UTC), seed=99)
    await worker.close()
    assert accepted.dropped == 0


async def test_no_transaction_waits_for_the_detector_and_a_frame_dropped_meanwhile_counts(conn, settings, make_camera, taken, database_url, monkeypatch) -> None:
    camera = await make_camera()
    accepted = await give(conn, settings, camera, SMOKE, moments(1)[0])
    onlooker = await connect(database_url, autocommit=True)
    loop, look, seen = asyncio.get_running_loop(), examine._look, []

    async def dropped() -> None:
        seen.append((await row(onlooker, "SELECT state FROM pg_stat_activity WHERE pid = %(pid)s", {"pid": conn.info.backend_pid}))["state"])
        await onlooker.execute("UPDATE frames SET state = 'dropped', error = 'backlog over its bound'")

    def looking(*given):
        asyncio.run_coroutine_threadsafe(dropped(), loop).result(10)
        return look(*given)

    monkeypatch.setattr(examine, "_look", looking)
    assert (await detect_frame(conn, settings, accepted.frame_id)).boxes > 0
    assert seen == ["idle"] and await rows(conn, "SELECT state, error FROM frames") == [{"state": "done", "error": None}]
    await onlooker.close()
    assert await detect_frame(conn, settings, accepted.frame_id) is None


async def test_a_finding_waits_for_the_fuse_job_before_the_camera_s_change_is_published(conn, settings, make_camera, taken, database_url) -> None:
    camera = await make_camera()
    frames = [await give(conn, settings, camera, SMOKE, at, seed=n) for n, at in enumerate(moments(3))]
    for accepted in frames[:2]:
        await detect_frame(conn, settings, accepted.frame_id)
        await conn.commit()
    await cameras.update(conn, camera.id, state="offline")
    await conn.commit()
    holder, onlooker = await connect(database_url), await connect(database_url, autocommit=True)
    await jobs.enqueue(holder, "fuse", queueing_lock="fuse")
    task = asyncio.create_task(detect_frame(conn, settings, frames[2].frame_id))
    async with asyncio.timeout(60):
        while not await row(onlooker, "SELECT 1 FROM pg_stat_activity WHERE pid = %(pid)s AND wait_event_type = 'Lock'", {"pid": conn.info.backend_pid}):
            assert not task.done()
            await asyncio.sleep(0.02)
    await onlooker.execute("SET lock_timeout = '2s'")
    await events.publish(onlooker, "camera.changed", 0, "3702")
    for connection in (holder, onlooker):
        await connection.close()
    assert (await task).findings == 1
    await conn.commit()
    assert (await row(conn, "SELECT state FROM cameras"))["state"] == "online"


async def test_without_weights_the_frame_fails_with_the_remedy(conn, settings, make_camera) -> None:
    camera = await make_camera()
    accepted = await give(conn, settings, camera, SMOKE, moments(1)[0])
    done = await detect_frame(conn, settings, accepted.frame_id)
    assert done.unavailable
    assert "smoke-fire" in (await row(conn, "SELECT state, error FROM frames"))["error"]
    assert (await row(conn, "SELECT state FROM frames"))["state"] == "failed"


async def test_damaged_bytes_on_disk_fail_the_frame_not_the_worker(conn, settings, make_camera, taken) -> None:
    camera = await make_camera()
    accepted = await give(conn, settings, camera, SMOKE, moments(1)[0])
    evidence.path_of(settings.data_dir, accepted.sha256).write_bytes(b"rot")
    assert (await detect_frame(conn, settings, accepted.frame_id)).findings == 0
    assert (await row(conn, "SELECT state FROM frames"))["state"] == "failed"


async def test_bad_frames_are_refused_before_anything_is_stored(conn, settings, make_camera) -> None:
    camera = await make_camera()
    whole, (at,) = jpeg(picture()), moments(1)
    for content, moment, error in (
        (whole[: len(whole) // 2], at, InvalidInput),
        (b"GIF89a not a picture", at, UnsupportedMedia),
        (whole, at.replace(tzinfo=None), InvalidInput),
        (whole, at + timedelta(days=1), InvalidInput),
    ):
        with pytest.raises(error):
            await accept_frame(conn, settings, camera, content, moment)
    assert await counts(conn) == {}


async def test_a_hanging_encoder_makes_the_camera_frozen_and_a_new_picture_mends_it(conn, settings, make_camera, taken) -> None:
    camera = await make_camera()
    for at in moments(4, 10):
        await detect_frame(conn, settings, (await give(conn, settings, camera, (), at)).frame_id)
    assert (await row(conn, "SELECT state FROM cameras"))["state"] == "frozen"
    await detect_frame(conn, settings, (await give(conn, settings, camera, (), moments(6, 10)[5], seed=9)).frame_id)
    assert (await row(conn, "SELECT state FROM cameras"))["state"] == "online"
