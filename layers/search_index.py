"""What search reads, written: names of every kind, and the addresses of buildings as street and house number.

The only writer of `search_names`, `search_streets` and `search_addresses`.
"""

import re
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid.world.bulk import copy_columns
from layers.names import beginnings, fold, pairs, sounds, whole

_BATCH = 10_000
BUILT = "search_index"
"""Under this name `register_changes` says when the index was built."""

_NUMBER = re.compile(r"^(?P<street>.*?\D)(?P<number>\d+(?:[-之]\d+)?号.{0,40}|\d+(?:-\d+)?)$")

_SOURCES: tuple[tuple[str, str], ...] = (
    (
        "region",
        """
        SELECT r.code AS ref, r.name, coalesce(p.name, '') AS detail, r.code AS code, 12 - 2 * r.level AS weight, r.region_code, ST_PointOnSurface(r.geom) AS geom
        FROM (SELECT code, level, name, parent_code, code AS region_code, geom FROM regions) AS r LEFT JOIN regions AS p ON p.code = r.parent_code
        """,
    ),
    (
        "cell",
        """
        SELECT c.code AS ref, c.name, coalesce(r.name, '') || ' ' || c.code AS detail, c.code AS code, 3 AS weight, c.region_code, ST_PointOnSurface(c.geom) AS geom
        FROM cells AS c LEFT JOIN regions AS r ON r.code = c.region_code WHERE c.kind = 'management' AND c.valid @> hdq_today()
        """,
    ),
    (
        "camera",
        """
        SELECT c.id::text AS ref, c.name, CASE c.kind WHEN 'tower' THEN '高点 ' ELSE '街面 ' END || c.code AS detail, c.code AS code,
            CASE c.kind WHEN 'tower' THEN 4 ELSE 2 END AS weight, c.region_code, c.geom
        FROM cameras AS c
        """,
    ),
    (
        "forest_zone",
        """
        SELECT f.code AS ref, f.name, f.code AS detail, f.code AS code, 3 AS weight, f.region_code, ST_PointOnSurface(f.geom) AS geom
        FROM forest_zones AS f WHERE f.valid @> hdq_today()
        """,
    ),
    (
        "road",
        """
        SELECT DISTINCT ON (r.name, left(r.region_code, 6)) r.name || '/' || left(r.region_code, 6) AS ref, r.name, coalesce(d.name, '') AS detail, '' AS code,
            3.5 AS weight, r.region_code, ST_LineInterpolatePoint(r.geom, 0.5) AS geom
        FROM roads AS r LEFT JOIN regions AS d ON d.code = left(r.region_code, 6) WHERE r.name <> ''
        ORDER BY r.name, left(r.region_code, 6), r.length_m DESC
        """,
    ),
    (
        "coast",
        """
        SELECT c.id::text AS ref, c.name, 'K' || round(c.chainage_from_m / 1000) AS detail, '' AS code, 2 AS weight, c.region_code,
            ST_LineInterpolatePoint(c.geom, 0.5) AS geom
        FROM coastline AS c WHERE c.name <> ''
        """,
    ),
    (
        "building",
        """
        SELECT DISTINCT ON (b.name, b.address) b.id::text AS ref, b.name, b.address AS detail, '' AS code, 1.5 AS weight, b.region_code, ST_PointOnSurface(b.geom) AS geom
        FROM buildings AS b WHERE b.name <> '' ORDER BY b.name, b.address, b.id
        """,
    ),
)

_DATASET = """
    SELECT f.dataset_id || '/' || f.id AS ref, f.label AS name, d.title AS detail, '' AS code, 2.5 AS weight, f.region_code, ST_PointOnSurface(f.geom) AS geom
    FROM dataset_features AS f JOIN datasets AS d ON d.id = f.dataset_id WHERE f.label <> '' AND (%(dataset)s::text IS NULL OR d.id = %(dataset)s)
"""

_DATASET_LAYER = """
    SELECT 'dataset_' || d.id AS ref, d.title AS name, d.owner AS detail, '' AS code, 6 AS weight, d.region_code, NULL::geometry AS geom
    FROM datasets AS d WHERE %(dataset)s::text IS NULL OR d.id = %(dataset)s
"""

_ADDRESSES = """
    SELECT DISTINCT ON (b.address, left(b.region_code, 6)) b.id AS ref, b.address, b.name, b.region_code, ST_PointOnSurface(b.geom) AS geom
    FROM buildings AS b WHERE b.address <> '' ORDER BY b.address, left(b.region_code, 6), b.name = '', b.id
"""

_STALE = """
    SELECT coalesce(max(at) FILTER (WHERE register <> %(built)s) > max(at) FILTER (WHERE register = %(built)s), count(*) FILTER (WHERE register <> %(built)s) > 0) AS stale
    FROM register_changes WHERE register = ANY (%(registers)s) OR register = %(built)s
"""


@dataclass(slots=True)
class _Name:
    ref: str
    name: str
    detail: str
    code: str
    weight: float
    region_code: str
    geom: object


@dataclass(slots=True)
class _Address:
    ref: int
    address: str
    name: str
    region_code: str
    geom: object


async def rebuild(connection: AsyncConnection) -> int:
    """Fills the index again from every table, in the caller's transaction; readers see the old one until it commits. Returns how many names and addresses."""
    await connection.execute("SET LOCAL statement_timeout = '15min'")
    for table in ("search_names", "search_streets", "search_addresses"):
        await connection.execute(f"DELETE FROM {table}")
    total = 0
    for kind, query in _SOURCES:
        total += await _fill(connection, kind, query, {})
    total += await _fill_addresses(connection)
    total += await index_dataset(connection, None)
    await connection.execute("DELETE FROM register_changes WHERE register = %(built)s", {"built": BUILT})
    await connection.execute("INSERT INTO register_changes (register) VALUES (%(built)s)", {"built": BUILT})
    return total


async def stale(connection: AsyncConnection) -> bool:
    """Whether a register that is searched was written after the index was built."""
    registers = ["regions", "cells", "cameras", "forest_zones", "roads", "coastline", "buildings"]
    cursor = await connection.execute(_STALE, {"built": BUILT, "registers": registers})
    return bool((await cursor.fetchone())[0])


async def index_dataset(connection: AsyncConnection, dataset_id: str | None) -> int:
    """Adds the names of one dataset's features and of its layer (None: of all datasets); returns how many."""
    total = await _fill(connection, "dataset", _DATASET, {"dataset": dataset_id})
    return total + await _fill(connection, "layer", _DATASET_LAYER, {"dataset": dataset_id})


async def forget_dataset(connection: AsyncConnection, dataset_id: str) -> None:
    """Removes the names of one dataset and of its layer."""
    await connection.execute("DELETE FROM search_names WHERE kind = 'dataset' AND starts_with(ref, %(ref)s)", {"ref": f"{dataset_id}/"})
    await connection.execute("DELETE FROM search_names WHERE kind = 'layer' AND ref = %(ref)s", {"ref": f"dataset_{dataset_id}"})


def split(address: str) -> tuple[str, str]:
    """An address as street and house number, folded; all of it is street where it ends in no number.

    >>> split("香港中路12号"), split("淄川路8号支路64号"), split("福建路16号支路")
    (('香港中路', '12号'), ('淄川路8号支路', '64号'), ('福建路16号支路', ''))
    """
    folded = fold(address).replace(" ", "")
    best = (folded, "")
    for found in re.finditer(r"(?<=\D)\d++(?:[-之]\d++)?号?+(?=$|[^\d路巷街道支])", folded):
        rest = folded[found.start() :]
        if _NUMBER.match("x" + rest):
            best = (folded[: found.start()], rest)
    return best


async def _fill(connection: AsyncConnection, kind: str, query: str, params: dict) -> int:
    total = 0
    async with connection.cursor(name=f"names_{kind}", row_factory=class_row(_Name)) as cursor:
        await cursor.execute(query, params)
        while names := await cursor.fetchmany(_BATCH):
            folded = [fold(n.name) for n in names]
            total += await copy_columns(
                connection,
                "search_names",
                {
                    "kind": [kind] * len(names),
                    "ref": [n.ref for n in names],
                    "name": [n.name for n in names],
                    "folded": folded,
                    "grams": [tuple(pairs(text) + beginnings(text, inside=kind != "dataset")) for text in folded],
                    "code": [n.code.lower() for n in names],
                    "sounds": [sounds(text) for text in folded],
                    "whole": [whole(text) for text in folded],
                    "detail": [n.detail for n in names],
                    "weight": [float(n.weight) for n in names],
                    "region_code": [n.region_code for n in names],
                    "geom": [n.geom for n in names],
                },
            )
    return total


async def _fill_addresses(connection: AsyncConnection) -> int:
    total = 0
    streets: set[str] = set()
    async with connection.cursor(name="addresses", row_factory=class_row(_Address)) as cursor:
        await cursor.execute(_ADDRESSES)
        while found := await cursor.fetchmany(_BATCH):
            parts = [split(a.address) for a in found]
            streets |= {street for street, _ in parts}
            total += await copy_columns(
                connection,
                "search_addresses",
                {
                    "street": [street for street, _ in parts],
                    "number": [number for _, number in parts],
                    "ref": [a.ref for a in found],
                    "name": [a.name for a in found],
                    "region_code": [a.region_code for a in found],
                    "geom": [a.geom for a in found],
                },
            )
    if streets:
        ordered = sorted(streets)
        await copy_columns(
            connection,
            "search_streets",
            {"street": ordered, "grams": [tuple(pairs(s) + beginnings(s)) for s in ordered], "sounds": [sounds(s) for s in ordered], "whole": [whole(s) for s in ordered]},
        )
    return total
