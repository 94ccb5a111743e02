"""Finding places by name: Chinese substring, pinyin or its initials, codes. The only writer of `search_names`.

`initials` holds what a keyboard types for a name: the initials, the whole pinyin, and its code, apart by spaces.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from psycopg import AsyncConnection
from psycopg.rows import class_row
from pypinyin import Style, lazy_pinyin

from grid.database import Scope
from grid.errors import InvalidInput
from grid.world.bulk import copy_columns

MAX_WORD = 64
_BATCH = 10_000
_ZOOMS = {"region": 12.0, "cell": 16.0, "camera": 17.0, "building": 18.0, "forest_zone": 14.0, "road": 15.0, "coast": 14.0, "dataset": 16.0}
_REGION_ZOOMS = {4: 9.5, 6: 11.5, 9: 13.5, 12: 15.0}

_SOURCES: tuple[tuple[str, str], ...] = (
    (
        "region",
        """
        SELECT r.code AS ref, r.name, coalesce(p.name, '') AS detail, r.code AS typed, 12 - 2 * r.level AS weight, r.region_code, ST_PointOnSurface(r.geom) AS geom
        FROM (SELECT code, level, name, parent_code, code AS region_code, geom FROM regions) AS r LEFT JOIN regions AS p ON p.code = r.parent_code
        """,
    ),
    (
        "cell",
        """
        SELECT c.code AS ref, c.name, coalesce(r.name, '') || ' ' || c.code AS detail, c.code AS typed, 3 AS weight, c.region_code, ST_PointOnSurface(c.geom) AS geom
        FROM cells AS c LEFT JOIN regions AS r ON r.code = c.region_code WHERE c.valid @> (now() AT TIME ZONE 'Asia/Shanghai')::date
        """,
    ),
    (
        "camera",
        """
        SELECT c.id::text AS ref, c.name, CASE c.kind WHEN 'tower' THEN '高点 ' ELSE '街面 ' END || c.code AS detail, c.code AS typed,
            CASE c.kind WHEN 'tower' THEN 4 ELSE 2 END AS weight, c.region_code, c.geom
        FROM cameras AS c
        """,
    ),
    (
        "forest_zone",
        """
        SELECT f.code AS ref, f.name, f.code AS detail, f.code AS typed, 3 AS weight, f.region_code, ST_PointOnSurface(f.geom) AS geom
        FROM forest_zones AS f WHERE f.valid @> (now() AT TIME ZONE 'Asia/Shanghai')::date
        """,
    ),
    (
        "road",
        """
        SELECT DISTINCT ON (r.name, left(r.region_code, 6)) r.name || '/' || left(r.region_code, 6) AS ref, r.name, coalesce(d.name, '') AS detail, '' AS typed,
            3.5 AS weight, r.region_code, ST_LineInterpolatePoint(r.geom, 0.5) AS geom
        FROM roads AS r LEFT JOIN regions AS d ON d.code = left(r.region_code, 6) WHERE r.name <> ''
        ORDER BY r.name, left(r.region_code, 6), r.length_m DESC
        """,
    ),
    (
        "coast",
        """
        SELECT c.id::text AS ref, c.name, 'K' || round(c.chainage_from_m / 1000) AS detail, '' AS typed, 2 AS weight, c.region_code,
            ST_LineInterpolatePoint(c.geom, 0.5) AS geom
        FROM coastline AS c WHERE c.name <> ''
        """,
    ),
    (
        "building",
        """
        SELECT DISTINCT ON (b.name, b.address) b.id::text AS ref, CASE WHEN b.name <> '' THEN b.name ELSE b.address END AS name,
            CASE WHEN b.name <> '' THEN b.address ELSE '' END AS detail, '' AS typed, CASE WHEN b.name <> '' THEN 1.5 ELSE 1 END AS weight, b.region_code,
            ST_PointOnSurface(b.geom) AS geom
        FROM buildings AS b WHERE b.name <> '' OR b.address <> '' ORDER BY b.name, b.address, b.id
        """,
    ),
)

_DATASET = """
    SELECT f.dataset_id || '/' || f.id AS ref, f.label AS name, d.title AS detail, '' AS typed, 2.5 AS weight, f.region_code, ST_PointOnSurface(f.geom) AS geom
    FROM dataset_features AS f JOIN datasets AS d ON d.id = f.dataset_id WHERE f.label <> '' AND (%(dataset)s::text IS NULL OR d.id = %(dataset)s)
"""


# Short words match most of a city. Each way to match is cut after some hundred rows, so that a keystroke costs milliseconds; what people
# most likely mean (weight from 3 up, and names that begin with the word) has ways of its own and is not cut off by addresses.
_FIND = """
    WITH matched AS (
        (SELECT * FROM search_names WHERE weight >= 3 AND region_code LIKE %(scope)s AND folded LIKE %(within)s LIMIT 500)
        UNION
        (SELECT * FROM search_names WHERE region_code LIKE %(scope)s AND folded LIKE %(begins)s ORDER BY folded LIMIT 100)
        UNION
        (SELECT * FROM search_names WHERE region_code LIKE %(scope)s AND grams @> %(grams)s::text[] AND folded LIKE %(within)s LIMIT 300)
        UNION
        (SELECT * FROM search_names WHERE weight >= 3 AND region_code LIKE %(scope)s AND (initials LIKE %(starts)s OR initials LIKE %(later)s) LIMIT 500)
        UNION
        (SELECT * FROM search_names WHERE region_code LIKE %(scope)s AND initials LIKE %(starts)s ORDER BY initials LIMIT 100)
        UNION
        (SELECT * FROM search_names WHERE region_code LIKE %(scope)s AND initials LIKE %(later)s LIMIT 300)
    )
    SELECT kind, ref, name, detail, ST_X(geom) AS lon, ST_Y(geom) AS lat
    FROM matched
    ORDER BY folded = %(word)s DESC, (%(typed)s <> '' AND starts_with(initials || ' ', %(typed)s || ' ')) DESC, folded LIKE %(begins)s DESC, weight DESC,
        length(name), name, ref
    LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Hit:
    """A place found. `kind` region, cell, camera, forest_zone, road, coast, building or dataset; `ref` its id there (dataset/feature for datasets)."""

    kind: str
    ref: str
    name: str
    detail: str
    lon: float
    lat: float

    @property
    def zoom(self) -> float:
        """At which zoom it fills the screen well."""
        return _REGION_ZOOMS.get(len(self.ref), 12.0) if self.kind == "region" else _ZOOMS[self.kind]


async def find(connection: AsyncConnection, scope: Scope, word: str, limit: int = 8) -> list[Hit]:
    """Places of the scope whose name holds `word`, or whose pinyin, initials or code begin with it. Best first: whole name, beginning, weight.

    Empty finds nothing. Raises InvalidInput beyond 64 characters.
    """
    asked = fold(word)
    if len(asked) > MAX_WORD:
        raise InvalidInput(f"搜索词过长 · more than {MAX_WORD} characters: {len(asked)}", remedy="缩短搜索词 · shorten it")
    if not asked:
        return []
    literal = re.sub(r"([\\%_])", r"\\\1", asked)
    typed = re.sub(r"[^a-z0-9]", "", asked) if asked.isascii() else ""
    async with connection.cursor(row_factory=class_row(Hit)) as cursor:
        await cursor.execute(
            _FIND,
            {
                "scope": scope.like,
                "word": asked,
                "grams": grams(asked),
                "within": f"%{literal}%",
                "begins": f"{literal}%",
                "typed": typed,
                "starts": f"{typed}%" if typed else None,
                "later": f"% {typed}%" if len(typed) > 1 else None,
                "limit": limit,
            },
            prepare=False,
        )
        return await cursor.fetchall()


async def rebuild(connection: AsyncConnection) -> int:
    """Fills the index again from every table, in the caller's transaction; readers see the old one until it commits. Returns how many names."""
    await connection.execute("SET LOCAL statement_timeout = '15min'")
    await connection.execute("DELETE FROM search_names")
    total = 0
    for kind, query in _SOURCES:
        total += await _fill(connection, kind, query, {})
    return total + await _fill(connection, "dataset", _DATASET, {"dataset": None})


async def index_dataset(connection: AsyncConnection, dataset_id: str) -> int:
    """Adds the names of one dataset; returns how many."""
    return await _fill(connection, "dataset", _DATASET, {"dataset": dataset_id})


async def forget_dataset(connection: AsyncConnection, dataset_id: str) -> None:
    """Removes the names of one dataset."""
    await connection.execute("DELETE FROM search_names WHERE kind = 'dataset' AND starts_with(ref, %(ref)s)", {"ref": f"{dataset_id}/"})


async def _fill(connection: AsyncConnection, kind: str, query: str, params: dict) -> int:
    total = 0
    async with connection.cursor(name=f"names_{kind}", row_factory=class_row(_Name)) as cursor:
        await cursor.execute(query, params)
        while names := await cursor.fetchmany(_BATCH):
            total += await copy_columns(
                connection,
                "search_names",
                {
                    "kind": [kind] * len(names),
                    "ref": [n.ref for n in names],
                    "name": [n.name for n in names],
                    "folded": [fold(n.name) for n in names],
                    "grams": [tuple(grams(fold(n.name))) for n in names],
                    "initials": [typing(n.name, n.typed) for n in names],
                    "detail": [n.detail for n in names],
                    "weight": [float(n.weight) for n in names],
                    "region_code": [n.region_code for n in names],
                    "geom": [n.geom for n in names],
                },
            )
    return total


@dataclass(slots=True)
class _Name:
    ref: str
    name: str
    detail: str
    typed: str
    weight: float
    region_code: str
    geom: object


def fold(name: str) -> str:
    """A name as it is compared: full width and half width, upper and lower case alike, single spaces.

    >>> fold(" Ａ座　12号 "), fold("")
    ('a座 12号', '')
    """
    return " ".join(unicodedata.normalize("NFKC", name).replace("\x00", "").lower().split())


def grams(folded: str) -> list[str]:
    """Its single characters and neighbouring pairs: trigrams know nothing of two-character words, which most Chinese words are.

    >>> grams("市南区"), grams("")
    (['区', '南', '南区', '市', '市南'], [])
    """
    return sorted({folded[i : i + n] for n in (1, 2) for i in range(len(folded) - n + 1)})


def typing(name: str, code: str = "") -> str:
    """What a keyboard may type for a name.

    >>> typing("市南区"), typing("香港中路12号", "3702"), typing("Beach 1"), typing("")
    ('snq shinanqu', 'xgzl12h xianggangzhonglu12hao 3702', 'beach1', '')
    """
    runs = re.findall(r"[\u3400-\u9fff]+|[a-z0-9]+", unicodedata.normalize("NFKC", name).lower())
    pairs = [_sound(run) for run in runs]
    words = ("".join(initials for initials, _ in pairs), "".join(whole for _, whole in pairs), code)
    return " ".join(dict.fromkeys(word for word in words if word))


@lru_cache(maxsize=65_536)
def _sound(run: str) -> tuple[str, str]:
    if run.isascii():
        return run, run
    letters: Iterable[str] = lazy_pinyin(run, style=Style.FIRST_LETTER)
    return "".join(letters), "".join(lazy_pinyin(run))
