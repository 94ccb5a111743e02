"""Moved cameras and wrong poses: edges against a reference, three times in a row, and never by light, noise or what drives past."""

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from grid import events
from grid.world import cameras
from imagery.cameras import health
from imagery.cameras.health import Fault
from imagery.cameras.health_reference import RENEWED, judge

DAWN = datetime(2026, 11, 22, 6, tzinfo=UTC)


def scene(seed: int, left: int = 0, gain: float = 1.0) -> health.Thumb:
    """A view 640×384 of a street of coloured blocks, `left` pixels to the side, in another light and with fresh noise and a van."""
    dice = np.random.default_rng(seed)
    image = np.full((384, 900, 3), 90, np.uint8)
    for x, y, w, h, grey in zip(*(dice.integers(low, high, 60) for low, high in ((0, 880), (0, 370), (20, 120), (20, 90), (20, 235))), strict=True):
        cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), (int(grey),) * 3, -1)
    image = image[:, left : left + 640].astype(np.float32) * gain + np.random.default_rng(left + int(gain * 100)).normal(0, 5, (384, 640, 3))
    van = (97 * seed + 3 * left + int(gain * 300)) % 500
    image[200:270, van : van + 120] = 30 * gain
    return health.thumb(np.clip(image, 0, 255).astype(np.uint8))


def test_light_does_not_move_a_camera_and_a_turn_does() -> None:
    reference = scene(1).grey
    assert [health.displacement(scene(1, gain=gain).grey, reference).says() for gain in (0.5, 1.0, 1.4)] == [False] * 3
    for left in (20, 60, 160):
        found = health.displacement(scene(1, left).grey, reference)
        assert found.says() is True and abs(found.share - left / 640) < 0.012
    assert health.displacement(scene(2).grey, reference).says() is not False
    assert health.displacement(np.full((96, 160), 120, np.uint8), reference).says() is None


async def test_three_displaced_pictures_in_a_row_move_a_fixed_camera_until_its_pose_is_corrected(conn, make_camera) -> None:
    camera = await make_camera()
    shown = [scene(1), scene(1, 60), scene(1, gain=0.7), scene(1, 60), scene(3), scene(1, 60), scene(1, 60)]
    said = [await judge(conn, camera.id, thumb, DAWN + timedelta(minutes=number)) for number, thumb in enumerate(shown)]
    assert said == [None] * 6 + [Fault.MOVED]
    await cameras.update(conn, camera.id, state="moved")
    assert (await cameras.update(conn, camera.id, azimuth_deg=101.0)).state == "online"
    assert [event.payload["state"] for event in await events.since(conn, 0) if event.kind == "camera.changed"] == ["moved", "online"]
    assert await judge(conn, camera.id, scene(1, 60), DAWN + timedelta(hours=1)) is None
    assert await judge(conn, camera.id, scene(1, 60), DAWN + timedelta(hours=2)) is None


async def test_a_camera_with_presets_is_in_a_wrong_pose_until_it_looks_back_and_its_reference_follows_the_day(conn, make_camera) -> None:
    camera = await make_camera()
    await conn.execute("INSERT INTO camera_presets VALUES (%s, '家', 90, -3, 60)", (camera.id,))
    shown = [scene(1), *[scene(5)] * 6, scene(1, gain=0.8)]
    said = [await judge(conn, camera.id, thumb, DAWN + timedelta(minutes=number)) for number, thumb in enumerate(shown)]
    assert said[6:] == [Fault.WRONG_POSE, None] and said[:3] == [None] * 3
    later = DAWN + RENEWED + timedelta(minutes=1)
    assert await judge(conn, camera.id, scene(1, gain=0.6), later) is None
    assert (await (await conn.execute("SELECT taken_at FROM camera_references")).fetchone())[0] == later
