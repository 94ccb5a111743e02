"""Enqueueing in the caller's transaction."""

from grid import events
from grid.database import rows
from grid.jobs import enqueue, enqueue_each


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


async def test_many_at_once_leave_out_those_that_wait(conn) -> None:
    await enqueue(conn, "enrich", {"alert_id": 1}, queueing_lock="enrich:1", priority=3)
    await enqueue_each(conn, "enrich", {f"enrich:{n}": {"alert_id": n} for n in (2, 1, 3)})
    await enqueue_each(conn, "enrich", {})
    stored = await rows(conn, "SELECT args, priority, queueing_lock AS lock FROM procrastinate_jobs ORDER BY id")
    assert [(r["args"]["alert_id"], r["priority"], r["lock"]) for r in stored] == [(1, 3, "enrich:1"), (2, 0, "enrich:2"), (3, 0, "enrich:3")]


async def test_many_events_at_once_are_dense_and_in_order(conn) -> None:
    first = await events.publish(conn, "unit.moved", 7, "3702")
    assert await events.publish_each(conn, "alert.opened", [(n, "370202", {"n": n}) for n in (5, 4)]) == first + 2
    assert await events.publish_each(conn, "alert.opened", []) == 0
    assert [(e.id, e.entity_id, e.payload) for e in await events.since(conn, first)] == [(first + 1, "5", {"n": 5}), (first + 2, "4", {"n": 4})]
