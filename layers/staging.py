"""Rows of an import in a table of their own, which nobody sees until it is switched in: the only writer of tables `dataset_rows_*` and of `dataset_features`.

A small dataset's rows end in `dataset_features` itself; a large one keeps its table, indexed after it was filled and made a child of `dataset_features`,
so that every reader finds it there. A check on dataset_id lets the planner pass over the tables of other datasets.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from psycopg import AsyncConnection, sql

from grid.errors import InvalidInput
from layers.reading.apart import Chunk
from layers.reading.copying import COLUMNS, HEAD, TAIL
from layers.reading.pipeline import Summary

KEEP_APART_FROM = 20_000
"""Datasets of this many rows keep a table of their own."""
NAME = re.compile(r"dataset_rows_[0-9a-f]{16}")
_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))

Watch = Callable[[int, float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Staged:
    """A filled table that nobody sees, and what the file was."""

    table: str
    summary: Summary


async def fill(connection: AsyncConnection, dataset_id: str, chunks: Iterator[Chunk | Summary], watch: Watch | None = None) -> Staged:
    """A new table with the rows of a file, in the caller's transaction; `watch(rows, share read)` is told after each chunk and may raise to stop it.

    The reader works in a thread or a process while the database stores. Raises what the reader raises; no table is left then, and the transaction goes on.
    """
    table = f"dataset_rows_{secrets.token_hex(8)}"
    await connection.execute("SET LOCAL statement_timeout = '60min'")
    summary: Summary | None = None
    try:
        async with connection.transaction():
            await connection.execute(
                sql.SQL("CREATE TABLE {} (LIKE dataset_features INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE, CHECK (dataset_id = {}))").format(
                    sql.Identifier(table), sql.Literal(dataset_id)
                )
            )
            statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY, FREEZE)").format(sql.Identifier(table), _COLUMNS)
            async with connection.cursor() as cursor, cursor.copy(statement) as copy:
                await copy.write(HEAD)
                while (found := await asyncio.to_thread(next, chunks, None)) is not None:
                    if isinstance(found, Summary):
                        summary = found
                        continue
                    await copy.write(found.data)
                    if watch is not None:
                        await watch(found.rows, found.done)
                await copy.write(TAIL)
    finally:
        if hasattr(chunks, "close"):
            await asyncio.to_thread(chunks.close)
    if summary is None:
        raise InvalidInput("读取程序未给出结果 · the reader ended without a result", remedy="重新导入 · import it again")
    return Staged(table, summary)


async def switch_in(connection: AsyncConnection, staged: Staged) -> str | None:
    """Makes the rows part of `dataset_features`; the name of their own table, or None where they moved into the common one."""
    name = sql.Identifier(staged.table)
    if staged.summary.kept < KEEP_APART_FROM:
        await connection.execute(sql.SQL("INSERT INTO dataset_features ({columns}) SELECT {columns} FROM {name}").format(columns=_COLUMNS, name=name))
        await drop(connection, staged.table)
        return None
    await connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
    await connection.execute(sql.SQL("ALTER TABLE {} ADD UNIQUE (id, dataset_id)").format(name))
    await connection.execute(sql.SQL("CREATE INDEX ON {} USING gist (geom)").format(name))
    await connection.execute(sql.SQL("CREATE INDEX ON {} (dataset_id, region_code text_pattern_ops)").format(name))
    await connection.execute(sql.SQL("ALTER TABLE {} INHERIT dataset_features").format(name))
    return staged.table


async def drop(connection: AsyncConnection, table: str) -> None:
    """Removes a staged or outlived table; waits at most five seconds for those who read it."""
    if not NAME.fullmatch(table):
        raise InvalidInput(f"不是导入表 · no table of an import: {table[:80]!r}")
    await connection.execute("SET LOCAL lock_timeout = '5s'")
    await connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(table)))
    await connection.execute("SET LOCAL lock_timeout = DEFAULT")


async def remove(connection: AsyncConnection, dataset_id: str, store: str | None) -> None:
    """Takes a dataset's features away."""
    if store is not None:
        await drop(connection, store)
    await connection.execute("DELETE FROM ONLY dataset_features WHERE dataset_id = %(id)s", {"id": dataset_id})


async def analyze(connection: AsyncConnection, dataset_id: str) -> None:
    """Gathers the planner's statistics of a dataset's own table."""
    cursor = await connection.execute("SELECT store FROM datasets WHERE id = %(id)s AND store IS NOT NULL", {"id": dataset_id})
    if (found := await cursor.fetchone()) is not None:
        await connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(found[0])))


async def sweep(connection: AsyncConnection) -> int:
    """Drops tables of imports that no dataset and no import names: leftovers of nothing we know. Returns how many."""
    cursor = await connection.execute(
        """
        SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^dataset_rows_[0-9a-f]{16}$' AND pg_table_is_visible(oid)
            AND relname NOT IN (SELECT store FROM datasets WHERE store IS NOT NULL UNION ALL SELECT staged FROM imports WHERE staged IS NOT NULL)
        """
    )
    names = [name for (name,) in await cursor.fetchall()]
    for name in names:
        await drop(connection, name)
    return len(names)
