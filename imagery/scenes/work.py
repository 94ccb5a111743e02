"""Long work as a row: queued, running with its progress, then done, failed or cancelled. Every change of it is told as an event."""

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import class_row
from psycopg_pool import PoolTimeout

from grid import events
from grid.database import Scope
from grid.errors import IllegalStep, NotFound

Row = TypeVar("Row")
Found = TypeVar("Found")
Connect = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
TICK_S = 0.5


@dataclass(slots=True)
class Course:
    """How far work in a thread is (0…1), told by it, and whether it shall stop, told to it."""

    share: float = 0.0
    cancel: threading.Event = field(default_factory=threading.Event)

    def tell(self, share: float) -> None:
        """Notes how far it is."""
        self.share = share


@dataclass(frozen=True, slots=True)
class Work(Generic[Row]):
    """A table of such rows, each read as a `kind` whose fields are its columns; `noun` names one of them, `told` says what events tell of it beside state and progress."""

    noun: str
    table: str
    kind: type[Row]
    told: Callable[[Row], dict[str, Any]]

    @property
    def columns(self) -> str:
        """Of one row, for SELECT and RETURNING."""
        return ", ".join(self.kind.__dataclass_fields__)

    async def announce(self, connection: AsyncConnection, one: Row) -> None:
        """Publishes that it changed: call it last in the transaction."""
        await events.publish(connection, f"{self.noun}.changed", one.id, one.region_code, {**self.told(one), "state": one.state, "progress": round(one.progress, 3)})

    async def get(self, connection: AsyncConnection, scope: Scope, number: int) -> Row:
        """One inside the scope; NotFound otherwise."""
        async with connection.cursor(row_factory=class_row(self.kind)) as cursor:
            await cursor.execute(f"SELECT {self.columns} FROM {self.table} WHERE region_code LIKE %(scope)s AND id = %(id)s", {"scope": scope.like, "id": number})
            found = await cursor.fetchone()
        if found is None:
            raise NotFound(f"没有这次分析 · no {self.noun} {number}", remedy=f"see /api/{self.table}")
        return found

    async def start(self, connection: AsyncConnection, number: int) -> Row | None:
        """Marks a queued one, or one left running by a dead worker, as running; None when there is nothing to do."""
        return await self._change(connection, number, "state = 'running', progress = 0", ("queued", "running"))

    async def advance(self, connection: AsyncConnection, number: int, progress: float) -> bool:
        """Stores the progress (0…1); False when it was called off meanwhile."""
        return await self._change(connection, number, "progress = %(progress)s", ("running",), progress=progress) is not None

    async def attend(self, connect: Connect, number: int, course: Course, function: Callable[..., Found], *given: Any) -> Found:
        """What a function finds in a thread, its progress stored meanwhile; it is told to stop when the row is called off. A database that is away costs
        the progress shown, not the work. However this ends, the thread has ended before: nobody can start the same work beside it."""
        work = asyncio.ensure_future(asyncio.to_thread(function, *given))
        shown = course.share
        try:
            while not (await asyncio.wait({work}, timeout=TICK_S))[0]:
                now = course.share
                if now != shown and await self._advanced(connect, number, course, now):
                    shown = now
            return await work
        finally:
            course.cancel.set()
            await asyncio.gather(work, return_exceptions=True)

    async def _advanced(self, connect: Connect, number: int, course: Course, share: float) -> bool:
        try:
            async with connect() as connection:
                if not await self.advance(connection, number, share):
                    course.cancel.set()
        except (OperationalError, PoolTimeout):
            return False
        return True

    async def hold(self, connection: AsyncConnection, number: int) -> bool:
        """Locks a running one until the end of the transaction; False when it no longer runs."""
        cursor = await connection.execute(f"SELECT 1 FROM {self.table} WHERE id = %(id)s AND state = 'running' FOR UPDATE", {"id": number})
        return await cursor.fetchone() is not None

    async def finish(self, connection: AsyncConnection, number: int, result: dict) -> Row | None:
        """Stores the figures of a running one, which is done then; None when it no longer runs."""
        what = "state = 'done', progress = 1, error = NULL, result = %(result)s::jsonb, finished_at = clock_timestamp()"
        return await self._change(connection, number, what, ("running",), result=json.dumps(result, ensure_ascii=False))

    async def fail(self, connection: AsyncConnection, number: int, reason: str) -> None:
        """Stores why a running one could not be done."""
        await self._change(connection, number, "state = 'failed', error = %(error)s, finished_at = clock_timestamp()", ("running",), error=reason[:2000])

    async def cancel(self, connection: AsyncConnection, scope: Scope, number: int) -> Row:
        """Calls a queued or running one off. NotFound; IllegalStep when it has ended."""
        found = await self.get(connection, scope, number)
        cancelled = await self._change(connection, number, "state = 'cancelled', finished_at = clock_timestamp()", ("queued", "running"))
        if cancelled is None:
            raise IllegalStep(f"{self.noun} {number} is {found.state}", remedy=f"only a queued or running {self.noun} can be cancelled")
        return cancelled

    async def _change(self, connection: AsyncConnection, number: int, what: str, states: tuple[str, ...], **values: Any) -> Row | None:
        async with connection.cursor(row_factory=class_row(self.kind)) as cursor:
            await cursor.execute(
                f"UPDATE {self.table} SET {what} WHERE id = %(id)s AND state = ANY(%(states)s) RETURNING {self.columns}", {"id": number, "states": list(states), **values}
            )
            changed = await cursor.fetchone()
        if changed is not None:
            await self.announce(connection, changed)
        return changed
