"""Filters drawn by chance, asked of PostGIS through the product and of a reference evaluator: the same rows, or the run fails.

    HDQ_DATABASE_URL=postgresql://… python -m benchmarks.cql2 [--filters 20000] [--rows 240] [--seed 1]

Half of the filters go as CQL2 text, half as JSON. Beside it, in turn: how long our parser and the PyPI `cql2` parser take for the same texts, and for 14 misplaced
parentheses. The rows live in a temporary table; nothing is stored.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from dataclasses import dataclass

import cql2 as peer
import shapely
from psycopg import AsyncConnection

from benchmarks import cql2_reference as reference
from grid.database import Scope, connect
from grid.errors import InvalidQuery
from layers import cql2, features
from layers.spec import LayerSpec

SPEC = LayerSpec(
    id="cql2_rows", title="过滤试行", title_en="Rows for filters", group="city", kind="geojson", deck=None,
    sql="SELECT id, name, storeys, height, worth, flag, seen_at, day, geom FROM cql2_rows WHERE region_code LIKE %(scope)s AND geom && %(degrees)s",
    attributes=("name", "storeys", "height", "worth", "flag", "seen_at", "day"),
)  # fmt: skip
CITY = Scope("3702")
HOSTILE = "(" * 14 + "storeys ! 1" + ")" * 14


@dataclass(frozen=True, slots=True)
class Found:
    """How many filters were asked, those on which the two differ, how many chose some rows but not all, and milliseconds by part."""

    filters: int
    disagree: tuple[str, ...]
    selective: int
    parse_ms: float
    peer_ms: float
    query_ms: float
    hostile_ms: float
    hostile_peer_ms: float


async def fill(connection: AsyncConnection, rows: list[reference.Row]) -> None:
    """The rows as a temporary table."""
    await connection.execute(
        "CREATE TEMP TABLE cql2_rows (id bigint, name text, storeys int, height real, worth double precision, flag boolean, seen_at timestamptz, day date, region_code text, geom geometry)"
    )
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO cql2_rows VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '370202', %s)",
            [(r.id, r.name, r.storeys, r.height, r.worth, r.flag, r.seen_at, r.day, shapely.set_srid(r.geometry, 4326)) for r in rows],
        )


def _timed(question: object, *args: object) -> tuple[object, float]:
    began = time.perf_counter()
    try:
        answer = question(*args)
    except (InvalidQuery, peer.ParseError) as error:
        answer = error
    return answer, (time.perf_counter() - began) * 1000


async def compare(connection: AsyncConnection, filters: int, seed: int, rows: int = 240) -> Found:
    """Asks both of `filters` filters; nothing is committed."""
    chance = random.Random(seed)
    held = reference.rows(chance, rows)
    await fill(connection, held)
    collection = await features.of_layer(connection, SPEC)
    draw = reference.Draw(chance)
    disagree, selective, parse, theirs, query = [], 0, [], [], []
    for number in range(filters):
        document = draw.condition(chance.randint(0, 3))
        text = reference.as_text(document)
        written = (text, "cql2-text") if number % 2 else (json.dumps(document), "cql2-json")
        tree, took = _timed(cql2.read, *written)
        if isinstance(tree, InvalidQuery):
            disagree.append(f"refused: {written[0]}: {tree}")
            continue
        if number % 2:
            parse.append(took)
            theirs.append(_timed(lambda text=text: peer.parse_text(text).to_json())[1])
        began = time.perf_counter()
        got = await features.ids(connection, collection, CITY, features.Ask(filter=tree))
        query.append((time.perf_counter() - began) * 1000)
        wanted = [row.id for row in held if reference.evaluate(document, row) is True]
        selective += 0 < len(wanted) < rows
        if got != wanted:
            disagree.append(f"{written[0]}: {sorted(set(got) ^ set(wanted))[:5]}")
    hostile, hostile_peer = _timed(cql2.read, HOSTILE)[1], _timed(peer.parse_text, HOSTILE)[1]
    return Found(filters, tuple(disagree), selective, *(statistics.median(v) if v else 0.0 for v in (parse, theirs, query)), hostile, hostile_peer)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filters", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    connection = await connect(os.environ["HDQ_DATABASE_URL"])
    async with connection:
        found = await compare(connection, chosen.filters, chosen.seed, chosen.rows)
        await connection.rollback()
    for line in found.disagree[:20]:
        print(line)
    print(f"{found.filters} filters over {chosen.rows} rows, {found.selective} of them selective: {len(found.disagree)} disagree")
    print(f"parse: ours {found.parse_ms:.3f} ms, PyPI cql2 {found.peer_ms:.3f} ms; a query {found.query_ms:.2f} ms (medians)")
    print(f"14 misplaced parentheses: ours {found.hostile_ms:.3f} ms, PyPI cql2 {found.hostile_peer_ms:.1f} ms")
    print(json.dumps({
        "filters": found.filters, "disagree": len(found.disagree), "selective": found.selective, "parse_ms": round(found.parse_ms, 4), "query_ms": round(found.query_ms, 3),
        "hostile_ms": round(found.hostile_ms, 3), "hostile_vs_peer": round(found.hostile_peer_ms / found.hostile_ms, 1),
    }))  # fmt: skip
    if found.disagree:
        raise SystemExit(1)


if __name__ == "__main__":
    asyncio.run(main())
