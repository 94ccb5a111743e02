"""Does a camera still look where it looked? Its pictures against a stored one from its pose: a fixed camera was moved, one with presets is in a wrong pose."""

from datetime import datetime, timedelta

import numpy as np
from psycopg import AsyncConnection

from grid.database import row
from imagery.cameras.health import THUMB, Fault, Thumb, displacement

RENEWED = timedelta(hours=1)
"""Age at which a picture that still stands becomes the reference, so that it follows the light of the day."""
TIMES = 3
"""Displaced pictures in a row before it is said."""
UNLIKE_TIMES = 6
"""Pictures in a row that nothing in the reference matches, before a camera with presets is said to look elsewhere."""


async def judge(connection: AsyncConnection, camera_id: int, current: Thumb, recorded_at: datetime) -> Fault | None:
    """MOVED or WRONG_POSE when a sound picture of a camera lies beside its reference for the third time in a row, else None.

    The first picture becomes the reference. Pictures must come in order of time. `cameras.update` forgets the reference when the pose is corrected.
    """
    known = await row(
        connection,
        """
        SELECT r.thumb, r.taken_at, r.away, EXISTS (SELECT 1 FROM camera_presets p WHERE p.camera_id = r.camera_id) AS turns
        FROM camera_references r WHERE r.camera_id = %(id)s FOR UPDATE
        """,
        {"id": camera_id},
    )
    if known is None:
        await _remember(connection, camera_id, current, recorded_at)
        return None
    reference = np.frombuffer(known["thumb"], np.uint8).reshape(THUMB[1], THUMB[0])
    said = displacement(current.grey, reference).says()
    if said is False:
        if recorded_at - known["taken_at"] > RENEWED:
            await _remember(connection, camera_id, current, recorded_at)
        elif known["away"]:
            await _away(connection, camera_id, 0)
        return None
    if said is None and not known["turns"]:
        return None
    away = min(known["away"] + 1, 1000)
    await _away(connection, camera_id, away)
    if away < (TIMES if said else UNLIKE_TIMES):
        return None
    return Fault.WRONG_POSE if known["turns"] else Fault.MOVED


async def _remember(connection: AsyncConnection, camera_id: int, current: Thumb, at: datetime) -> None:
    await connection.execute(
        """
        INSERT INTO camera_references (camera_id, thumb, taken_at) VALUES (%(id)s, %(thumb)s, %(at)s)
        ON CONFLICT (camera_id) DO UPDATE SET thumb = EXCLUDED.thumb, taken_at = EXCLUDED.taken_at, away = 0
        """,
        {"id": camera_id, "thumb": current.grey.tobytes(), "at": at},
    )


async def _away(connection: AsyncConnection, camera_id: int, times: int) -> None:
    await connection.execute("UPDATE camera_references SET away = %(times)s WHERE camera_id = %(id)s", {"id": camera_id, "times": times})
