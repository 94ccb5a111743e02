"""Jobs, one file a family. Each file exposes `TASKS`: job name -> `async def job(context: JobContext, **ids)`; discovered by folder scan.

A file may also expose `PERIODIC`: job name -> seconds between runs. Arguments are ids only; the truth is in the rows they name. A job may run
twice (its worker was killed after the effect, before the tick), so its effect must be keyed.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from grid import discovery
from grid.settings import Settings


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a job works with."""

    settings: Settings
    pool: AsyncConnectionPool

    @property
    def data_dir(self) -> Path:
        """Folder of evidence, scenes, models."""
        return self.settings.data_dir

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A pooled connection in one transaction, committed at the end of the block, rolled back when it raises."""
        async with self.pool.connection() as connection:
            yield connection


Job = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Jobs:
    """All jobs by name, and the seconds between runs of the periodic ones."""

    tasks: dict[str, Job]
    periodic: dict[str, float]


def discover() -> Jobs:
    """Imports every file of this folder. A file that cannot be imported, a second job of one name or a job that is no coroutine stops the start."""
    tasks: dict[str, Job] = {}
    periodic: dict[str, float] = {}
    for module in discovery.modules(__name__, __path__):
        declared = getattr(module, "TASKS", None)
        if not isinstance(declared, dict):
            raise TypeError(f"{module.__file__} exposes no TASKS dict")
        for name, job in declared.items():
            if name in tasks:
                raise ValueError(f"{module.__file__}: job {name!r} exists already in {tasks[name].__module__}")
            if not inspect.iscoroutinefunction(job):
                raise TypeError(f"{module.__file__}: job {name!r} is not an async function")
            tasks[name] = job
        periodic |= {name: float(seconds) for name, seconds in getattr(module, "PERIODIC", {}).items()}
    if unknown := sorted(set(periodic) - set(tasks)):
        raise ValueError(f"PERIODIC names jobs that do not exist: {unknown}")
    return Jobs(tasks, periodic)
