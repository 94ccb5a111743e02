"""The watcher: each camera on its own, one stuck or broken stream holds up nobody, and a restart repeats nothing."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from grid.database import make_pool, row, rows
from grid.errors import InvalidInput
from imagery.cameras import frames, streams
from imagery.cameras.frames import Frame, StreamFailed
from imagery.cameras.watch import Gate, Watcher
from tests.imagery.cameras.conftest import jpeg, picture


def frame(seconds: float, seed: int = 0, boxes: tuple = ()) -> Frame:
    return Frame(picture(boxes, seed=seed), datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=seconds), 0, "test")


def test_the_gate_takes_changes_sequences_and_one_a_minute_but_never_too_often() -> None:
    gate = Gate(every_s=5.0)
    assert gate.passes(frame(0), under_way=False)
    assert not gate.passes(frame(2, boxes=((0, 0, 100, 100),)), under_way=True)
    assert not gate.passes(frame(6), under_way=False)
    assert gate.passes(frame(12, boxes=((0, 0, 100, 100),)), under_way=False)
    assert gate.passes(frame(20, boxes=((0, 0, 100, 100),)), under_way=True)
    assert not gate.passes(frame(79, boxes=((0, 0, 100, 100),)), under_way=False)
    assert gate.passes(frame(81, boxes=((0, 0, 100, 100),)), under_way=False)
    assert gate.skipped == 3


@asynccontextmanager
async def watching(settings, **changes) -> AsyncIterator[Watcher]:
    stop = asyncio.Event()
    async with make_pool(settings.database_url, size=4) as pool:
        watcher = Watcher(settings, pool, stop, every_s={"tower": 0.01, "street": 0.01}, rest_s=(0.05, 0.2), **changes)
        running = asyncio.create_task(watcher.run())
        try:
            yield watcher
        finally:
            stop.set()
            await asyncio.wait_for(running, 60)


async def until(condition: Callable, seconds: float = 20.0):
    """Polls an awaitable condition; the test fails when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := await condition():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen in time")


def dropped(folder: Path, number: int) -> None:
    """A picture that the camera dropped into its folder a while ago."""
    folder.mkdir(exist_ok=True)
    (folder / f"{number}.jpg").write_bytes(jpeg(picture(((10 * number, 20, 10 * number + 60, 90),), seed=number)))
    os.utime(folder / f"{number}.jpg", (time.time() - 600 + number,) * 2)


async def test_folders_are_followed_and_a_restart_repeats_nothing(conn, settings, make_camera, tmp_path: Path) -> None:
    camera = await make_camera(stream=f"folder:{tmp_path / 'in'}")
    for number in range(3):
        dropped(tmp_path / "in", number)
    (tmp_path / "in" / "bad.jpg").write_bytes(jpeg(picture())[:900])
    os.utime(tmp_path / "in" / "bad.jpg", (time.time() - 700,) * 2)

    async def taken(count: int) -> bool:
        found = (await row(conn, "SELECT count(*) AS n FROM frames WHERE camera_id = %(id)s", {"id": camera.id}))["n"]
        await conn.rollback()
        return found >= count

    async with watching(settings):
        await until(lambda: taken(3))
    dropped(tmp_path / "in", 3)
    async with watching(settings):
        await until(lambda: taken(4))
    assert (await row(conn, "SELECT count(*) AS n FROM frames"))["n"] == 4
    assert (await row(conn, "SELECT count(*) AS n FROM procrastinate_jobs WHERE task_name = 'detect'"))["n"] == 4


async def test_fifty_cameras_with_one_stuck_one_garbage_one_silent(conn, settings, make_camera) -> None:
    """The stuck stream blocks its thread until released; the others' frames come all the same, and the bad ones are offline."""
    released = threading.Event()

    def stream(address: str, **_):
        kind = address.partition("//")[2]
        if kind == "stuck":
            released.wait(60)
            return
        if kind == "garbage":
            raise StreamFailed("garbage", remedy="check it")
        if kind == "silent":
            raise StreamFailed("silent", remedy="check it")
        for number in range(2):
            image = np.full((48, 64, 3), 60 + 100 * number, np.uint8)
            yield Frame(image, datetime.now(UTC) + timedelta(seconds=number), number, kind)
        while not released.wait(0.05):
            yield Frame(np.full((48, 64, 3), 160, np.uint8), datetime.now(UTC) + timedelta(seconds=1), 9, kind)

    kinds = ["stuck", "garbage", "silent", *(f"good{n}" for n in range(47))]
    made = {kind: await make_camera(stream=f"rtsp://{kind}") for kind in kinds}

    async def all_seen() -> bool:
        found = await rows(conn, "SELECT DISTINCT camera_id FROM frames")
        broken = await row(conn, "SELECT count(*) AS n FROM cameras WHERE state = 'offline'")
        await conn.rollback()
        return len(found) == 47 and broken["n"] == 2

    async with watching(settings, open_stream=stream):
        try:
            await until(all_seen, 60)
        finally:
            released.set()
    offline = await rows(conn, "SELECT id FROM cameras WHERE state = 'offline' ORDER BY id")
    assert [entry["id"] for entry in offline] == [made["garbage"].id, made["silent"].id]


async def test_a_recording_is_shown_once_and_not_again_within_the_hour(conn, settings, make_camera, tmp_path: Path) -> None:
    dropped(tmp_path / "tape", 1)
    dropped(tmp_path / "tape", 2)
    camera = await make_camera(stream=f"replay:{tmp_path / 'tape'}?hold=3&limit=5")

    async def shown() -> bool:
        found = (await row(conn, "SELECT count(*) AS n FROM frames WHERE camera_id = %(id)s", {"id": camera.id}))["n"]
        await conn.rollback()
        return found == 6

    async with watching(settings):
        await until(shown)
    async with watching(settings) as again:
        assert not await again._rested(camera)
        await again.follow(camera)
    assert await shown()


async def test_the_watcher_ends_soon_after_it_is_told_although_a_stream_blocks(settings, make_camera) -> None:
    await make_camera(stream="rtsp://stuck")
    released, entered = threading.Event(), threading.Event()

    def stream(address: str, **_):
        entered.set()
        released.wait(60)
        yield from ()

    try:
        async with watching(settings, open_stream=stream):
            await until(lambda: asyncio.to_thread(entered.wait, 0.1))
            began = time.monotonic()
        assert time.monotonic() - began < 5
    finally:
        released.set()


@pytest.mark.parametrize("stream", ["ftp://x", "folder:/absent-for-sure", "replay:/absent-for-sure"])
async def test_a_wrong_address_makes_the_camera_offline_not_the_watcher(conn, settings, make_camera, stream: str) -> None:
    await make_camera(stream=stream)

    async def offline() -> bool:
        found = (await row(conn, "SELECT state FROM cameras"))["state"]
        await conn.rollback()
        return found == "offline"

    async with watching(settings, open_stream=streams.open_stream):
        await until(offline)


def test_what_was_only_glanced_at_is_decoded_when_it_passes_and_damage_is_not_remembered() -> None:
    still, moved = (jpeg(np.kron(picture(boxes), np.ones((4, 4, 1), np.uint8))) for boxes in ((), ((0, 0, 100, 100),)))
    at = datetime(2026, 11, 22, tzinfo=UTC)
    seen = [frames.of_bytes(content, at + timedelta(seconds=9 * n), n, "now.jpg", glances=True) for n, content in enumerate((still, still, moved, moved))]
    seen[2] = replace(seen[2], content=moved[: len(moved) // 2])
    assert all(frame.image is None and frame.thumb is not None for frame in seen)
    gate = Gate(every_s=5.0)
    assert gate.passes(seen[0], under_way=False) and not gate.passes(seen[1], under_way=False)
    with pytest.raises(InvalidInput):
        gate.passes(seen[2], under_way=False)
    assert gate.passed_at == at and gate.passes(seen[3], under_way=False)
    assert frames.of_bytes(still, at, 0, "now.jpg").image.shape[2] == 3
