"""Enqueueing in the caller's transaction."""

from grid.database import rows
from grid.jobs import enqueue


async def test_a_duplicate_changes_nothing_but_lifts_the_waiting_one(conn) -> None:
    """Otherwise a periodic job of priority 0 that waits behind others holds up the urgent one that found it waiting."""
    first = await enqueue(conn, "fuse", queueing_lock="fuse", lock="fuse")
    assert first is not None
    assert await enqueue(conn, "fuse", queueing_lock="fuse", priority=10) is None
    assert await enqueue(conn, "fuse", queueing_lock="fuse", priority=3) is None
    assert await rows(conn, "SELECT id, priority FROM procrastinate_jobs") == [{"id": first, "priority": 10}]


async def test_a_rolled_back_caller_leaves_no_job(conn) -> None:
    await enqueue(conn, "detect", {"frame_id": 1})
    await conn.rollback()
    assert await rows(conn, "SELECT id FROM procrastinate_jobs") == []
