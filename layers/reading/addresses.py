"""Addresses of a table: which column holds them, how one is taken apart, and where the geocoder (layers.geocoding) found each row.

What was found waits in an Arrow file beside the table, one row a row, so that the reader takes it batch by batch whatever the size.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from layers.names import fold
from layers.reading import apart, kinds, tables
from layers.reading.apart import Chunk, Job
from layers.reading.batches import Options
from layers.reading.pipeline import Summary, Surroundings

KINDS = frozenset({"CSV", "XLSX"})
SCHEMA = pa.schema([("lon", pa.float64()), ("lat", pa.float64()), ("geocode_match", pa.string()), ("geocode_accuracy_m", pa.float64()), ("geocode_address", pa.string()), ("fault", pa.string())])
ADDED = ("geocode_match", "geocode_accuracy_m", "geocode_address")
"""Attributes that a geocoded row gets: how it was matched, within how many metres the place lies, the address it was matched with."""
_CITY = ("中国", "山东省", "山东", "青岛市", "青岛")
_ROAD_ON = re.compile(r"路|街|大道|道|巷|里|弄|支路|线|\d")
_UNIT = re.compile(r"(?<=号)[,;]?(?:(?:\d+|[a-z甲乙丙丁东西南北中])单元|\d+(?:层|室|户|楼)|-?\d+(?:-\d+)+|\d+$).*$")
_NAMED = re.compile(r"(?<=号)(?!.*(?:旁|附近|对面|侧|路口|以[东西南北]|[前后内])$)[^\d甲乙丙丁号院]{3,}$")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to read an address, `match` how: exact as written, house without unit, room or the building's name behind the number."""

    street: str
    number: str
    match: str


def cleaned(text: str) -> str:
    """An address as it is compared: full and half width alike, Chinese numerals of houses as digits, no spaces, nothing in brackets.

    >>> cleaned("香港中路 １２＃（世贸 旁）"), cleaned("香港中路十二號")
    ('香港中路12号', '香港中路12号')
    """
    from layers.search import digits

    folded = re.sub(r"\([^)]*\)|\[[^\]]*\]|【[^】]*】", "", fold(text)).replace(" ", "")
    return digits(re.sub(r"[—–－~～之](?=\d)", "-", folded.replace("號", "号").replace("#", "号")))


def parse(text: str, regions: dict[str, str]) -> tuple[str, list[Way]]:
    """The region that an address names ('' for none), and the ways to read the rest, the most literal first. `regions`: folded names and their codes.

    >>> parse("青岛市市南区香港中路12号3单元502室", {"市南区": "370202"})[1][-1]
    Way(street='香港中路', number='12号', match='house')
    >>> parse("崂山路5号", {"崂山": "370212"})
    ('', [Way(street='崂山路', number='5号', match='exact')])
    >>> [w.number for w in parse("海尔路1号创业大厦", {})[1]], [w.number for w in parse("海尔路1号旁边", {})[1]], parse("五四广场", {})
    (['1号创业大厦', '1号'], ['1号旁边'], ('', []))
    """
    from layers.search_index import split

    rest, code = cleaned(text), ""
    for prefix in _CITY:
        rest = rest.removeprefix(prefix)
    for _ in range(4):
        length = next((n for n in range(min(14, len(rest) - 2), 1, -1) if rest[:n] in regions and not _ROAD_ON.match(rest[n:])), 0)
        found = regions.get(rest[:length], "")
        if not length or not (found.startswith(code) or not found):
            break
        rest, code = rest[length:].lstrip(",，-"), found or code
    ways: dict[tuple[str, str], Way] = {}
    for way in (rest, _UNIT.sub("", rest), _NAMED.sub("", rest)):
        street, number = split(way)
        if number and street:
            ways.setdefault((street, number), Way(street, number, "exact" if way == rest else "house"))
    return code, list(ways.values())


def column(path: Path, name: str, options: Options) -> str | None:
    """The column of addresses of a table that has neither coordinates nor WKT, declared or by its name; None for any other file. Raises what reading raises."""
    kind = kinds.kind_of(path, name)
    if kind not in KINDS or options.x or options.y:
        return None
    for found in _read(Job(path, name, kind, options, Surroundings(), ""), _head):
        header = orjson.loads(bytes(found.data))
        return tables.address_column(header, options)
    return None


def texts(path: Path, name: str, options: Options) -> Iterator[list[str]]:
    """The addresses of all rows, some thousand at a time, in the order of the file. Slow and synchronous."""
    kind = kinds.kind_of(path, name)
    for found in _read(Job(path, name, kind, options, Surroundings(), ""), _cells):
        yield orjson.loads(bytes(found.data))


def _read(job: Job, work) -> Iterator[Chunk]:
    chunks = apart.apart(job, work) if job.kind in kinds.FOREIGN_CODE else work(job)
    try:
        yield from (found for found in chunks if isinstance(found, Chunk))
    finally:
        chunks.close()


def _head(job: Job) -> Iterator[Chunk | Summary]:
    yield Chunk(0, 0.0, orjson.dumps(tables.header(job.kind, job.path, job.options)))
    yield _NOTHING


def _cells(job: Job) -> Iterator[Chunk | Summary]:
    rows = 0
    for block in tables.column_texts(job.kind, job.path, job.options):
        rows += len(block)
        yield Chunk(rows, 0.0, orjson.dumps(block))
    yield _NOTHING


_NOTHING = Summary("", "", "", "", (), 0, (), 0, 0, (0.0, 0.0, 0.0, 0.0), "")


class Found:
    """What the geocoder found, taken row after row. Raises ValueError when the file is shorter than the table."""

    def __init__(self, path: Path) -> None:
        self._batches = pa.ipc.open_file(pa.memory_map(str(path)))
        self._next = 0
        self._rest = pa.table({name: pa.array([], kind) for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)}, schema=SCHEMA)

    def take(self, count: int, faults: dict[int, str]) -> tuple[NDArray[np.object_], pa.Table]:
        """Points of the next rows (None where there is a fault) and their added attributes; notes the faults."""
        while len(self._rest) < count:
            self._rest = pa.concat_tables([self._rest, pa.Table.from_batches([self._batches.get_batch(self._next)])])
            self._next += 1
        mine, self._rest = self._rest.slice(0, count), self._rest.slice(count)
        for i, fault in enumerate(mine["fault"].to_pylist()):
            if fault is not None:
                faults.setdefault(i, fault)
        lon, lat = (mine[axis].to_numpy() for axis in ("lon", "lat"))
        shapes = np.full(count, None, dtype=object)
        placed = np.isfinite(lon)
        shapes[placed] = shapely.points(lon[placed], lat[placed])
        return shapes, mine.select(list(ADDED)).combine_chunks()
