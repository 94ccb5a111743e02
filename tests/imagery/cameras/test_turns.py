"""Whose turn it is: all where there is room, else by yield within a budget, with the longest unseen, the offline and what is under way never left out."""

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from grid.database import row
from grid.sensing.attention import FLOOR
from grid.world import cameras
from imagery.cameras.backlog import accept_frame
from imagery.cameras.frames import Frame
from imagery.cameras.turns import Turns, rotation
from tests.imagery.cameras.conftest import jpeg, picture
from tests.imagery.cameras.test_watch import until, watching

LOOKS = {"tower": 12.0, "street": 30.0}
NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)


@pytest.fixture
async def city(conn, make_camera):
    """Twelve towers with streams, unseen for one to twelve hours; the last was never seen."""
    made = [await make_camera(stream=f"rtsp://c{n}", state="online", last_frame_at=datetime.now(UTC) - timedelta(hours=1 + n)) for n in range(12)]
    await conn.execute("UPDATE cameras SET last_frame_at = NULL WHERE id = %(id)s", {"id": made[-1].id})
    await conn.commit()
    return [camera.id for camera in made]


async def followed(conn, turns: Turns, now: datetime) -> set[int]:
    return set(await turns.followed(conn, await cameras.streaming(conn), now))


async def test_all_are_followed_where_there_is_room_for_all(conn, city) -> None:
    assert await followed(conn, Turns("3702", 0, 12, LOOKS), NOW) == set(city)
    assert await followed(conn, Turns("3702", 12 * 12.0, 256, LOOKS), NOW) == set(city)


async def test_what_a_zone_runs_is_paid_for_too(conn, city) -> None:
    await conn.execute(
        """
        INSERT INTO camera_zones (name, purpose, detector, camera_id, picture, region_code)
        SELECT 'x', 'forbidden', detector, %(camera)s, ST_MakeEnvelope(0.1, 0.1, 0.9, 0.9), '3702' FROM unnest(ARRAY['boats', 'smoke-fire']) AS detector
        """,
        {"camera": city[0]},
    )
    turns = Turns("3702", 12 * 12.0, 12, LOOKS)
    assert len(await followed(conn, turns, NOW)) < 12
    assert {camera.id: turns.cost(camera) for camera in await cameras.streaming(conn)} == {city[0]: 24.0} | dict.fromkeys(city[1:], 12.0)


@pytest.mark.parametrize(
    ("watched", "budget", "minutes"),
    [({"tower": (200, 900), "street": (56, 56)}, 0, 0), ({"tower": (512, 512)}, 0, 2 / FLOOR), ({"tower": (10, 20), "street": (10, 10)}, 180.0, 3 / FLOOR), ({}, 10.0, 0)],
)
def test_the_more_cameras_ask_for_a_turn_the_longer_it_takes(watched, budget, minutes) -> None:
    assert rotation(watched, budget) == timedelta(minutes=minutes)


async def test_a_budget_is_kept_and_every_camera_has_its_turn_in_time(conn, city) -> None:
    now = datetime.now(UTC)
    turns, had, spent = Turns("3702", 48.0, 256, LOOKS), dict.fromkeys(city, 0), []
    for number in range(12):
        at = now + timedelta(minutes=number)
        mine = await followed(conn, turns, at)
        assert await followed(conn, turns, at + timedelta(seconds=30)) == mine, "a turn lasts a minute"
        if number == 0:
            assert city[-1] in mine, "the one that nobody ever saw has the floor's share"
        for camera_id in mine:
            had[camera_id] += 1
            turns.seen[camera_id] = at
        spent.append(len(mine) * 12.0)
    assert max(spent) <= 48.0 and min(had.values()) >= 1


async def test_where_something_is_seen_the_turn_goes_on_and_the_offline_are_tried_one_by_one(conn, settings, city) -> None:
    now = datetime.now(UTC)
    await conn.execute("UPDATE cameras SET state = 'offline' WHERE id = ANY(%(ids)s)", {"ids": city[:2]})
    turns, tried = Turns("3702", 0, 4, LOOKS), []
    first = await followed(conn, turns, now)
    busy = next(camera_id for camera_id in first if camera_id not in city[:2])
    frame = await accept_frame(conn, settings, await cameras.get(conn, busy), jpeg(picture()), now)
    await conn.execute(
        """
        INSERT INTO detections (frame_id, camera_id, recorded_at, detector, model_version, model_hash, class, kind, score, box)
        VALUES (%(frame)s, %(camera)s, %(at)s, 'smoke-fire', '1', 'x', 'smoke', 'smoke', 0.5, '{0.1,0.1,0.2,0.2}')
        """,
        {"frame": frame.frame_id, "camera": busy, "at": now},
    )
    for number in range(1, 5):
        mine = await followed(conn, turns, now + timedelta(minutes=number))
        turns.seen.update(dict.fromkeys(mine, now + timedelta(minutes=number)))
        assert busy in mine and len(mine) == 4
        tried += sorted(mine & set(city[:2]))
    assert tried == [city[1], city[0], city[1], city[0]], "each of the two in turn, after the first round had tried the first"
    assert busy not in await followed(conn, turns, now + timedelta(minutes=9)), "five minutes of silence later it has no claim any more"


async def test_the_watcher_opens_only_the_streams_whose_turn_it_is(conn, settings, city) -> None:
    opened: set[str] = set()

    def stream(address: str, **_):
        opened.add(address)
        yield Frame(np.full((48, 64, 3), 60, np.uint8), datetime.now(UTC), 0, address)

    async def seen() -> bool:
        found = await row(conn, "SELECT count(DISTINCT camera_id) AS n FROM frames")
        await conn.rollback()
        return found["n"] >= 3

    short = settings.model_copy(update={"watch_looks": 3 * 6000})
    async with watching(short, open_stream=stream) as watcher:
        await until(seen)
        await asyncio.sleep(0.1)
        assert len(opened) == 3 and watcher.turns.until is not None
