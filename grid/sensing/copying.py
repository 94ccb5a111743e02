"""Findings into the table by binary COPY: rows are put together from a few shared pieces, for a statement of their own each would cost forty times as much.

Optimistic: the unique index of the two ids finds what is known. Then the known ones are looked up, left out, and the rest goes in again.
"""

import itertools
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, UniqueViolation

from grid.sensing.columns import HEAD, Columns
from grid.sensing.observations import Finding

COLUMNS = (
    "id, score, recorded_at, accuracy_m, geom, source, sensor_kind, kind, class, algorithm, model_version, model_hash, simulated, source_event_id, "
    "region_code, cell_code, camera_id, bearing_deg, bearing_sigma_deg, evidence, boxes, properties, footprint"
)
FIELDS = 23
PROBES = 32
"""So many keys spread over a batch tell whether it was sent before, ahead of writing it in vain."""
TRIES = 4
SINCE_2000_US = 946_684_800_000_000
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_NULL = struct.pack(">i", -1)
_FIXED = np.dtype(
    [("fields", ">i2"), ("a", ">i4"), ("id", ">i8"), ("b", ">i4"), ("score", ">f4"), ("c", ">i4"), ("recorded", ">i8"), ("d", ">i4"), ("accuracy", ">f4"),
     ("e", ">i4"), ("order", "u1"), ("type", "<u4"), ("srid", "<u4"), ("lon", "<f8"), ("lat", "<f8")]
)  # fmt: skip
"""The columns of one width at the head of each row (PostgreSQL 15, 55.2 COPY; lengths before values; EWKB of a point)."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Row ids of findings in their order, which of them are new, and the places of those that were known: {row: (region, grid)}."""

    ids: NDArray[np.int64]
    new: NDArray[np.bool_]
    known: Mapping[int, tuple[str, str | None]]


async def store(
    connection: AsyncConnection, columns: Columns, regions: Sequence[str], cells: Sequence[str | None], properties: Mapping[int, dict]
) -> Stored:
    """Stores findings with their places, in the caller's transaction (begun); known ones stay as they are. `properties` by row, where there are any.

    Rows go in by key order, so that two batches which share keys seldom wait for each other in a ring; should they, one looks again.
    """
    count = len(columns)
    ids, new = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
    keys = _Keys(columns)
    order = keys.order()
    known = await _known(connection, [keys[i] for i in order[:: max(1, count // PROBES)].tolist()])
    wanted = order
    for attempt in range(TRIES):
        if known or attempt:
            known = await _known(connection, [keys[i] for i in range(count)])
            wanted = np.array([i for i in _firsts(keys, order) if keys[i] not in known], dtype=np.int64)
        ids[wanted] = await _reserve(connection, len(wanted))
        data = rows_of(columns, ids, regions, cells, properties, wanted)
        try:
            async with connection.transaction(), connection.cursor() as cursor, cursor.copy(f"COPY observations ({COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
                await copy.write(data)
            break
        except (UniqueViolation, DeadlockDetected):
            if attempt == TRIES - 1:
                raise
    new[wanted] = True
    if len(wanted) == count:
        return Stored(ids, new, {})
    given = {keys[i]: (int(ids[i]), regions[i], cells[i]) for i in wanted.tolist()}
    others = np.flatnonzero(~new).tolist()
    found = {i: known.get(keys[i]) or given[keys[i]] for i in others}
    ids[others] = [found[i][0] for i in others]
    return Stored(ids, new, {i: found[i][1:] for i in others})


class _Keys:
    """The two ids of each row."""

    def __init__(self, columns: Columns) -> None:
        self._source, self._events = columns.source, columns.source_event_id

    def __getitem__(self, row: int) -> tuple[str, str]:
        return self._source if isinstance(self._source, str) else self._source[row], self._events[row]

    def order(self) -> NDArray[np.int64]:
        """The rows by their keys; those of one key as they came."""
        by = self._events if isinstance(self._source, str) else list(zip(self._source, self._events, strict=True))
        return np.array(sorted(range(len(by)), key=by.__getitem__), dtype=np.int64)


def _firsts(keys: _Keys, order: NDArray[np.int64]) -> list[int]:
    """The first row of each key, by key; `order` is stable."""
    rows = order.tolist()
    return [row for number, row in enumerate(rows) if number == 0 or keys[rows[number - 1]] != keys[row]]


async def _known(connection: AsyncConnection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, str, str | None]]:
    cursor = await connection.execute(
        """
        SELECT o.source, o.source_event_id, o.id, o.region_code, o.cell_code
        FROM unnest(%(sources)s::text[], %(events)s::text[]) AS k (source, event) JOIN observations o ON (o.source, o.source_event_id) = (k.source, k.event)
        """,
        {"sources": [k[0] for k in keys], "events": [k[1] for k in keys]},
    )
    return {(source, event): (row_id, region, cell) for source, event, row_id, region, cell in await cursor.fetchall()}


async def _reserve(connection: AsyncConnection, count: int) -> NDArray[np.int64]:
    """Ids of the table's own sequence: mostly one stretch, told by its ends; where others take some in between, another try tells each."""
    if not count:
        return np.zeros(0, dtype=np.int64)
    cursor = await connection.execute(
        "SELECT min(id), max(id) FROM (SELECT nextval('observations_id_seq'::regclass) AS id FROM generate_series(1, %(count)s)) AS taken", {"count": count}
    )
    least, most = await cursor.fetchone()
    if most - least == count - 1:
        return np.arange(least, most + 1)
    cursor = await connection.execute(
        "SELECT array_agg(nextval('observations_id_seq'::regclass))::text FROM generate_series(1, %(count)s)", {"count": count}
    )
    (text,) = await cursor.fetchone()
    return np.array(text[1:-1].split(","), dtype=np.int64)


def rows_of(
    columns: Columns, ids: NDArray[np.int64], regions: Sequence[str], cells: Sequence[str | None], properties: Mapping[int, dict], chosen: NDArray[np.int64]
) -> bytes:
    """The chosen rows in PostgreSQL's binary COPY format."""
    fixed = np.zeros(len(chosen), dtype=_FIXED)
    fixed["fields"], fixed["a"], fixed["b"], fixed["c"], fixed["d"], fixed["e"] = FIELDS, 8, 4, 8, 4, 25
    fixed["order"], fixed["type"], fixed["srid"] = 1, 0x20000001, 4326
    fixed["id"], fixed["score"], fixed["accuracy"] = ids[chosen], columns.score[chosen], columns.accuracy_m[chosen]
    fixed["recorded"] = columns.recorded_us[chosen] - SINCE_2000_US
    fixed["lon"], fixed["lat"] = columns.lon[chosen], columns.lat[chosen]
    at = chosen.tolist()
    events = [event.encode() for event in map(columns.source_event_id.__getitem__, at)]
    lengths = set(map(len, events))
    one = struct.pack(">i", lengths.pop()) if len(lengths) == 1 else None
    tails = _tails(columns, properties, at)
    parts = (
        fixed.view(f"V{_FIXED.itemsize}").tolist(),
        _heads(columns, at, one or b""),
        *(() if one else (map(struct.Struct(">i").pack, map(len, events)),)),
        events,
        _places(regions, cells, at, tails if isinstance(tails, bytes) else b""),
        *(() if isinstance(tails, bytes) else (tails,)),
    )
    return b"".join((_SIGNATURE, *itertools.chain.from_iterable(zip(*parts, strict=True)), b"\xff\xff"))


def _sized(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


def _text(value: str | None) -> bytes:
    return _NULL if value is None else _sized(value.encode())


def _heads(columns: Columns, at: list[int], end: bytes) -> Sequence[bytes]:
    """The shared texts of each row, and `end` after them; as many byte strings as there are different ones."""
    given = [getattr(columns, name) for name in (*HEAD, "simulated")]
    varied = [number for number, value in enumerate(given) if not isinstance(value, str | bool)]

    def piece(key: tuple) -> bytes:
        values = list(given)
        for number, value in zip(varied, key, strict=True):
            values[number] = value
        return b"".join(map(_text, values[:-1])) + _sized(b"\x01" if values[-1] else b"\x00") + end

    if not varied:
        return [piece(())] * len(at)
    if len(varied) == 1:
        made = {value: piece((value,)) for value in set(given[varied[0]])}
        return list(map(made.__getitem__, map(given[varied[0]].__getitem__, at)))
    keys = list(zip(*(map(given[number].__getitem__, at) for number in varied), strict=True))
    made = {key: piece(key) for key in set(keys)}
    return list(map(made.__getitem__, keys))


def _places(regions: Sequence[str], cells: Sequence[str | None], at: list[int], end: bytes) -> list[bytes]:
    """Region and grid of each row, and `end` after them."""
    keys = [(regions[i],) if cells[i] is None else cells[i] for i in at]
    some = dict(zip(keys, at, strict=True))
    made = {key: _text(regions[i]) + _text(cells[i]) + end for key, i in some.items()}
    return list(map(made.__getitem__, keys))


def _tails(columns: Columns, properties: Mapping[int, dict], at: list[int]) -> bytes | list[bytes]:
    """Camera, bearing, evidence, boxes, properties and footprint of each row; one for all where none has any."""
    empty = _tail(None, None, {})
    if columns.camera_id is None and not columns.whole and not properties:
        return empty
    cameras = columns.camera_id or itertools.repeat(None, len(columns))
    plain = {camera: _tail(camera, None, {}) for camera in set(cameras)} if columns.camera_id else {None: empty}
    return [
        _tail(camera, columns.whole.get(i), properties.get(i, {})) if i in columns.whole or i in properties else plain[camera]
        for i, camera in ((i, columns.camera_id[i] if columns.camera_id else None) for i in at)
    ]


def _tail(camera: int | None, finding: Finding | None, properties: dict) -> bytes:
    bearing = (None, None) if finding is None else (finding.bearing_deg, finding.bearing_sigma_deg)
    evidence = () if finding is None else finding.evidence
    shape = None if finding is None else finding.footprint
    return b"".join(
        (
            _NULL if camera is None else struct.pack(">iq", 8, camera),
            *(_NULL if value is None else struct.pack(">if", 4, value) for value in bearing),
            _sized(
                struct.pack(">iii", 1 if evidence else 0, 0, 25)
                + (struct.pack(">ii", len(evidence), 1) + b"".join(map(_text, evidence)) if evidence else b"")
            ),
            _sized(b"\x01" + _json([] if finding is None else list(finding.boxes))),
            _sized(b"\x01" + _json(properties)),
            _NULL if shape is None else _sized(shapely.to_wkb(shapely.set_srid(shapely.force_2d(shape), 4326), include_srid=True)),
        )
    )


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
