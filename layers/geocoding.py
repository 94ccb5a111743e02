"""Rows of a table placed by their addresses, against the register of buildings: a place, with how it was matched and how exact it is, or a reason why not.

An address is taken only when it is one: as written, or without unit, room and building's name behind its number, or on the one street that sounds the
same where nothing is called as written. Whatever is ambiguous, unknown or in another district than it says is refused with what it may be.
"""

import asyncio
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from grid.database import Scope
from grid.errors import InvalidInput
from layers.names import whole
from layers.reading import addresses
from layers.reading.addresses import Way
from layers.reading.batches import Options

AT_ONCE = 20_000
"""Rows of one question to the database."""
SPREAD_M = 150.0
"""Buildings of one address farther apart than this are several places."""
_SUGGESTED = 2_000
"""Bad rows of a file that get suggestions; those beyond only get their reason."""
_MOST = 3

_FOUND = """
    SELECT q.at, s.street, s.number, s.ref, s.region_code, ST_X(s.geom) AS lon, ST_Y(s.geom) AS lat, coalesce(r.name, '') AS district
    FROM unnest(%(at)s::int[], %(streets)s::text[], %(numbers)s::text[]) AS q (at, street, number)
    JOIN search_addresses AS s ON s.street = q.street AND s.number = q.number LEFT JOIN regions AS r ON r.code = left(s.region_code, 6)
"""
_REACH = """
    WITH asked AS (SELECT id, address, left(region_code, 6) AS district FROM buildings WHERE id = ANY(%(refs)s))
    SELECT a.id, count(*) AS count, ST_XMin(ST_Extent(b.geom)) AS west, ST_YMin(ST_Extent(b.geom)) AS south, ST_XMax(ST_Extent(b.geom)) AS east, ST_YMax(ST_Extent(b.geom)) AS north
    FROM asked AS a JOIN buildings AS b ON b.address = a.address AND left(b.region_code, 6) = a.district GROUP BY a.id
"""
_NEAR = """
    SELECT q.at, s.street || s.number AS address, coalesce(r.name, '') AS district
    FROM unnest(%(at)s::int[], %(streets)s::text[], %(from)s::text[], %(to)s::text[]) AS q (at, street, first, after)
    CROSS JOIN LATERAL (
        SELECT street, number, region_code FROM search_addresses WHERE street = q.street AND number ~>=~ q.first AND number ~<~ q.after AND region_code LIKE %(scope)s
        ORDER BY length(number), number LIMIT 3
    ) AS s LEFT JOIN regions AS r ON r.code = left(s.region_code, 6)
"""
_LIKE = "SELECT street FROM search_streets WHERE whole %% %(whole)s ORDER BY similarity(whole, %(whole)s) DESC, street LIMIT 3"


@dataclass(frozen=True, slots=True)
class Hit:
    """A building of an address: its inner point in degrees."""

    street: str
    number: str
    ref: int
    region_code: str
    lon: float
    lat: float
    district: str

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.district}{self.street}{self.number}"


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of an address: a place (degrees, within `accuracy_m`, matched as `match`: exact, house or alike, with `address`), or a `fault`."""

    lon: float = float("nan")
    lat: float = float("nan")
    match: str | None = None
    accuracy_m: float | None = None
    address: str | None = None
    fault: str | None = None


async def placed(connection: AsyncConnection, scope: Scope, path: Path, name: str, options: Options) -> Options:
    """Options with which the reader finds the places of a table's addresses; unchanged for any file that brings places of its own.

    The caller removes the file at `resolved` after reading. Raises what reading raises, and InvalidInput where no address is indexed.
    """
    column = await asyncio.to_thread(addresses.column, path, name, options)
    if column is None:
        return options
    chosen = replace(options, address=column, crs=None, swapped=False)
    geocoder = await Geocoder.open(connection, scope)
    with tempfile.NamedTemporaryFile(prefix="hdq-places-", suffix=".arrow", delete=False) as sink:
        try:
            with pa.ipc.new_file(sink, addresses.SCHEMA) as writer:
                blocks = _gathered(addresses.texts(path, name, chosen))
                while (block := await asyncio.to_thread(next, blocks, None)) is not None:
                    writer.write_batch(_batch(await geocoder.place(connection, block)))
        except BaseException:
            Path(sink.name).unlink(missing_ok=True)
            raise
    return replace(chosen, resolved=sink.name)


def _gathered(blocks: Iterator[list[str]]) -> Iterator[list[str]]:
    held: list[str] = []
    for block in blocks:
        held += block
        if len(held) >= AT_ONCE:
            yield held
            held = []
    if held:
        yield held


def _batch(found: list[Placed]) -> pa.RecordBatch:
    columns = zip(*((p.lon, p.lat, p.match, p.accuracy_m, p.address, p.fault) for p in found), strict=True)
    return pa.RecordBatch.from_arrays([pa.array(c, kind) for c, kind in zip(columns, addresses.SCHEMA.types, strict=True)], schema=addresses.SCHEMA)


class Geocoder:
    """Places addresses, some thousand with a question; knows the streets and regions of the city by heart."""

    def __init__(self, scope: Scope, regions: dict[str, str], streets: set[str]) -> None:
        self._scope, self._regions, self._streets = scope, regions, streets
        self._sounding: dict[str, list[str]] | None = None
        self._left = _SUGGESTED

    @classmethod
    async def open(cls, connection: AsyncConnection, scope: Scope) -> "Geocoder":
        """Reads what it has to know. Raises InvalidInput where no address is indexed."""
        cursor = await connection.execute("SELECT street FROM search_streets")
        streets = {street for (street,) in await cursor.fetchall()}
        if not streets:
            raise InvalidInput("地址库为空，无法按地址定位 · no address is indexed: nothing can be placed by its address", remedy="先导入建筑，或提供坐标列 · load the buildings first, or give coordinates")
        cursor = await connection.execute("SELECT code, name FROM regions WHERE level BETWEEN 2 AND 4")
        codes: dict[str, set[str]] = defaultdict(set)
        for code, name in await cursor.fetchall():
            plain = re.sub(r"[（(].*$", "", addresses.cleaned(name))
            if len(code) == 6:
                codes[plain].add(code)
                codes[plain[:-1]].add(code)
            elif re.search(r"(街道|镇|乡|社区|村|办事处)$", plain):
                codes[plain].add(code)
        return cls(scope, {name: (found.copy().pop() if len(found) == 1 else "") for name, found in codes.items() if len(name) > 1}, streets)

    async def place(self, connection: AsyncConnection, texts: list[str]) -> list[Placed]:
        """What became of each address, in their order."""
        read = [addresses.parse(text, self._regions) for text in texts]
        ways = [self._ways(found) for _, found in read]
        hits = await self._hits(connection, ways)
        answers: list[Placed | Hit] = []
        matches: dict[int, str] = {}
        unsure: dict[int, list[str]] = {}
        for at, (text, (code, literal), mine) in enumerate(zip(texts, read, ways, strict=True)):
            answer, near = self._choose(text, code, literal, mine, hits.get(at, {}))
            if isinstance(answer, tuple):
                answer, matches[at] = answer
            elif near is not None:
                unsure[at] = near
            answers.append(answer)
        reach = await self._reach(connection, [a for a in answers if isinstance(a, Hit)])
        done = [self._settled(a, matches[at], reach) if isinstance(a, Hit) else a for at, a in enumerate(answers)]
        return await self._suggest(connection, done, ways, read, unsure)

    def _ways(self, literal: list[Way]) -> list[Way]:
        """The ways as written where such a street exists, else those on the one street that sounds the same."""
        known = [w for w in literal if w.street in self._streets]
        if known or not literal:
            return known
        return [Way(street, w.number, "alike") for w in literal for street in self._alike(w.street)]

    def _alike(self, street: str) -> list[str]:
        """Streets that sound as this one does, also to southern ears (zh z, n ng, l n): slips of the input method, never another word."""
        if self._sounding is None:
            self._sounding = defaultdict(list)
            for known in self._streets:
                self._sounding[_sound(known)].append(known)
        return [known for known in self._sounding.get(_sound(street), []) if len(known) == len(street) and _ordinals(known) == _ordinals(street)]

    async def _hits(self, connection: AsyncConnection, ways: list[list[Way]]) -> dict[int, dict[Way, list[Hit]]]:
        asked = [(at, w, number) for at, mine in enumerate(ways) for w in mine for number in {w.number, w.number.removesuffix("号"), _with_mark(w.number)}]
        if not asked:
            return {}
        found: dict[int, dict[Way, list[Hit]]] = defaultdict(lambda: defaultdict(list))
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_FOUND, {"at": list(range(len(asked))), "streets": [w.street for _, w, _ in asked], "numbers": [n for _, _, n in asked]}, prepare=False)
            for row in await cursor.fetchall():
                at, way, _ = asked[row.pop("at")]
                found[at][way].append(Hit(**row))
        return found

    def _choose(self, text: str, code: str, literal: list[Way], ways: list[Way], hits: dict[Way, list[Hit]]) -> tuple[Placed | tuple[Hit, str], list[str] | None]:
        said = " ".join(text.split())[:60]
        if not said:
            return Placed(fault="地址为空 · the address is empty"), None
        if not literal:
            return Placed(fault=f"没有门牌号：{said} · no house number in {said!r}"), None
        for match in dict.fromkeys(w.match for w in ways):
            every = {h.ref: h for w in ways if w.match == match for h in hits.get(w, [])}
            inside = [h for h in every.values() if not code or h.region_code.startswith(code)]
            shown = [h.name for h in (inside or list(every.values())) if h.region_code.startswith(self._scope.prefix)]
            if len(inside) == 1:
                return (inside[0], match), None
            if inside:
                return Placed(fault=f"地址不唯一：{said} · ambiguous address {said!r}"), shown
            if every:
                return Placed(fault=f"所写的区划内没有这个地址：{said} · not in the district it names: {said!r}"), shown
        if not ways:
            return Placed(fault=f"没有这条路：{said} · no such street: {said!r}"), []
        return Placed(fault=f"没有这个门牌：{said} · no such house number: {said!r}"), []

    async def _reach(self, connection: AsyncConnection, hits: list[Hit]) -> dict[int, tuple[int, float, float]]:
        """For each building: how many share its address in the district, how far apart they lie, and how far the farthest corner is, in metres."""
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_REACH, {"refs": list({h.ref for h in hits})}, prepare=False)
            boxes = {row["id"]: row for row in await cursor.fetchall()}
        found = {}
        for hit in hits:
            if (box := boxes.get(hit.ref)) is not None:
                east = 111_320.0 * np.cos(np.radians(hit.lat))
                across = np.hypot((box["east"] - box["west"]) * east, (box["north"] - box["south"]) * 110_950.0)
                far = np.hypot(max(box["east"] - hit.lon, hit.lon - box["west"]) * east, max(box["north"] - hit.lat, hit.lat - box["south"]) * 110_950.0)
                found[hit.ref] = (box["count"], float(across), float(far))
        return found

    def _settled(self, hit: Hit, match: str, reach: dict[int, tuple[int, float, float]]) -> Placed:
        if hit.ref not in reach:
            return Placed(fault=f"建筑已不在库中：{hit.name} · the building is gone: {hit.name}")
        count, across, far = reach[hit.ref]
        if count > 1 and across > SPREAD_M:
            return Placed(fault=f"地址不唯一：{count} 栋建筑同为 {hit.name}，相距 {across:.0f} 米 · ambiguous: {count} buildings share it, {across:.0f} m apart")
        return Placed(hit.lon, hit.lat, match, round(far, 1), hit.name)

    async def _suggest(
        self, connection: AsyncConnection, done: list[Placed], ways: list[list[Way]], read: list[tuple[str, list[Way]]], unsure: dict[int, list[str]]
    ) -> list[Placed]:
        """The same, with what bad rows may mean: numbers that begin alike on the same street, or streets that sound nearly alike."""
        open_ = [at for at, near in list(unsure.items())[: self._left] if not near]
        self._left -= min(self._left, len(unsure))
        numbered = [at for at in open_ if ways[at]]
        if numbered:
            digits = [re.match(r"\d*", ways[at][-1].number)[0] for at in numbered]
            params = {"at": numbered, "streets": [ways[at][-1].street for at in numbered], "from": digits, "to": [f"{d}\U0010ffff" for d in digits], "scope": self._scope.like}
            cursor = await connection.execute(_NEAR, params, prepare=False)
            for at, address, district in await cursor.fetchall():
                unsure[at] = [*unsure[at], f"{district}{address}"]
        streets: dict[str, list[str]] = {}
        for at in open_:
            if not ways[at] and read[at][1]:
                street = read[at][1][0].street
                if street not in streets:
                    cursor = await connection.execute(_LIKE, {"whole": whole(street)}, prepare=False)
                    streets[street] = [name for (name,) in await cursor.fetchall()]
                unsure[at] = streets[street]
        for at, near in unsure.items():
            if near:
                zh, _, en = (done[at].fault or "").partition(" · ")
                names = "、".join(near[:_MOST])
                done[at] = Placed(fault=f"{zh}；可能是 {names} · {en}; perhaps {names}")
        return done


def _with_mark(number: str) -> str:
    return f"{number}号" if number[-1:].isdigit() else number


def _ordinals(street: str) -> str:
    """What tells sister streets apart and is never a slip: 一 in 延安一路, 东 in 香港东路.

    >>> _ordinals("延安三路"), _ordinals("香港中路")
    ('三', '中')
    """
    return "".join(re.findall(r"[一二三四五六七八九十东西南北中上下前后\d]", street))


def _sound(street: str) -> str:
    """A street's sound to ears that hear no difference between zh and z, ng and n, l and n.

    >>> _sound("香刚中路") == _sound("香港中路"), _sound("宁夏路") == _sound("徐州路")
    (True, False)
    """
    heard = re.sub(r"([zcs])h", r"\1", whole(street))
    return re.sub(r"ng", "n", heard).replace("l", "n")
