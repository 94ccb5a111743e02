"""Work in a thread whose progress is stored: a database that is away for a moment costs no work, and no way out leaves the thread behind."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import pytest

from imagery.scenes import work
from imagery.scenes.work import Course, Work


@dataclass(frozen=True, slots=True)
class Told(Work):
    """Work whose rows are a list of the progress that was stored."""

    stored: list[float]
    answer: Callable[[], bool]

    async def advance(self, connection: object, number: int, progress: float) -> bool:
        self.stored.append(progress)
        return self.answer()


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "TICK_S", 0.01)


async def test_a_database_that_is_away_costs_the_progress_shown_and_not_the_work() -> None:
    away, enough, course = [True, True], threading.Event(), Course()

    @asynccontextmanager
    async def connect() -> AsyncIterator[None]:
        if away:
            away.pop()
            raise psycopg.OperationalError("the server is restarting")
        yield None

    def function(found: str) -> str:
        course.tell(0.5)
        assert enough.wait(10)
        return found

    told = Told("study", "studies", object, lambda row: {}, [], lambda: enough.set() or True)
    assert await told.attend(connect, 1, course, function, "found") == "found"
    assert told.stored == [0.5] and not away


@pytest.mark.parametrize("called_off", [True, False])
async def test_no_way_out_leaves_the_thread_behind(called_off: bool) -> None:
    course, ended = Course(), []

    @asynccontextmanager
    async def connect() -> AsyncIterator[None]:
        yield None

    def function() -> None:
        course.tell(0.5)
        ended.append(course.cancel.wait(10))
        raise InterruptedError

    def answer() -> bool:
        if called_off:
            return False
        raise ZeroDivisionError

    told = Told("study", "studies", object, lambda row: {}, [], answer)
    with pytest.raises(InterruptedError if called_off else ZeroDivisionError):
        await told.attend(connect, 1, course, function)
    assert ended == [True]
