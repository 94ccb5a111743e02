"""Findings into the table by binary COPY, straight from Arrow: a statement of its own for each row would cost forty times as much.

Optimistic: the unique index of the two ids, one for each month of recording, finds what is known, mostly within the first thousand rows of a batch sent
again. Then the known ones are looked up, left out, and the rest goes in again.
"""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, UniqueViolation
from shapely.geometry.base import BaseGeometry

from grid.sensing import observations
from grid.sensing.columns import EPOCH, HEAD, MICROSECOND, Columns
from grid.sensing.observations import Identity, identity

STRIDE = 64
"""How many ids one turn of the table's sequence gives (migration 0045): a turn for each finding would be a thirtieth of the whole work."""
TRIES = 4
_POINT = np.dtype([("order", "u1"), ("type", "<u4"), ("srid", "<u4"), ("lon", "<f8"), ("lat", "<f8")])
"""EWKB of a point."""
_NO_TEXTS = struct.pack(">iii", 0, 0, 25)
"""An empty text[] as PostgreSQL sends it: no dimension, no null, element type text."""
_JSONB = b"\x01"
"""The version that comes before the text of a jsonb."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Row ids of findings in their order, which of them are new, and the places of those that were known: {row: (region, grid)}."""

    ids: NDArray[np.int64]
    new: NDArray[np.bool_]
    known: Mapping[int, tuple[str, str | None]]


async def store(
    connection: AsyncConnection, columns: Columns, regions: pa.StringArray, cells: pa.StringArray, properties: Mapping[int, dict]
) -> Stored:
    """Stores findings with their places, in the caller's transaction (begun); known ones stay as they are. `properties` by row, where there are any.

    Rows go in by key order, so that two batches which share keys seldom wait for each other in a ring; should they, one looks again.
    """
    count = len(columns)
    ids, new = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
    order = in_order(columns)
    wanted, keys, known = order, [], {}
    for attempt in range(TRIES):
        if attempt:
            keys = _keys(columns)
            known = await observations.known(connection, [key[0] for key in keys], [key[1] for key in keys])
            wanted = np.array([row for row in _firsts(keys, order.tolist()) if keys[row] not in known], dtype=np.int64)
        ids[wanted] = await reserve(connection, len(wanted))
        batch = rows_of(columns, ids, regions, cells, properties, wanted)
        try:
            await _copy(connection, batch)
            break
        except (UniqueViolation, DeadlockDetected):
            if attempt == TRIES - 1:
                raise
    new[wanted] = True
    if len(wanted) == count:
        return Stored(ids, new, {})
    given = {keys[row]: (int(ids[row]), regions[row].as_py(), cells[row].as_py()) for row in wanted.tolist()}
    others = np.flatnonzero(~new).tolist()
    found = {row: known.get(keys[row]) or given[keys[row]] for row in others}
    ids[others] = [found[row][0] for row in others]
    return Stored(ids, new, {row: found[row][1:] for row in others})


def in_order(columns: Columns) -> NDArray[np.int64]:
    """The rows by (source, source_event_id); those of one key as they came."""
    events = columns.source_event_id
    if not isinstance(columns.source, str):
        by = pa.table({"source": columns.texts("source"), "event": events})
        return pc.sort_indices(by, [("source", "ascending"), ("event", "ascending")]).to_numpy().astype(np.int64)
    if pc.all(pc.less_equal(events[:-1], events[1:])).as_py() is not False:
        return np.arange(len(columns))
    return pc.array_sort_indices(events).to_numpy().astype(np.int64)


def _keys(columns: Columns) -> list[Identity]:
    """What each row is known by."""
    times = [EPOCH + int(us) * MICROSECOND for us in columns.recorded_us]
    return list(map(identity, columns.texts("source").to_pylist(), columns.source_event_id.to_pylist(), times))


def _firsts(keys: Sequence[Identity], order: list[int]) -> list[int]:
    """The first row of each key, in that order."""
    first: dict[Identity, int] = {}
    for row in order:
        first.setdefault(keys[row], row)
    return list(first.values())


async def reserve(connection: AsyncConnection, count: int) -> NDArray[np.int64]:
    """Ids of the table's own sequence, each turn's all in a row; what is over of the last turn is left."""
    if not count:
        return np.zeros(0, dtype=np.int64)
    cursor = await connection.execute(
        "SELECT array_agg(nextval('observations_id_seq'::regclass)) FROM generate_series(1, %(turns)s)", {"turns": -(-count // STRIDE)}
    )
    (starts,) = await cursor.fetchone()
    return np.add.outer(np.array(starts, dtype=np.int64), np.arange(STRIDE)).ravel()[:count]


async def _copy(connection: AsyncConnection, batch: pa.RecordBatch) -> None:
    """In a savepoint, so that the caller's transaction outlives a known key."""
    statement = f"COPY observations ({', '.join(batch.schema.names)}) FROM STDIN (FORMAT binary)"
    async with connection.transaction(), connection.cursor() as cursor, cursor.copy(statement) as copy:
        for piece in encoded(batch):
            await copy.write(piece)


def encoded(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Rows in PostgreSQL's binary COPY format, in pieces to be sent one after another; the COPY names the columns of the batch."""
    encoder = ArrowToPostgresBinaryEncoder(batch.schema)
    yield encoder.write_header()
    yield encoder.write_batch(batch)
    yield encoder.finish()


def rows_of(
    columns: Columns, ids: NDArray[np.int64], regions: pa.StringArray, cells: pa.StringArray, properties: Mapping[int, dict], chosen: NDArray[np.int64]
) -> pa.RecordBatch:
    """The chosen rows, in that order, as the table has them: names and types, and bytes where PostgreSQL has a type that Arrow lacks."""
    count = len(columns)
    point = np.empty(count, dtype=_POINT)
    point["order"], point["type"], point["srid"], point["lon"], point["lat"] = 1, 0x20000001, 4326, columns.lon, columns.lat
    batch = pa.record_batch(
        {
            "id": pa.array(ids),
            "score": pa.array(columns.score.astype(np.float32)),
            "recorded_at": pa.array(columns.recorded_us).view(pa.timestamp("us")),
            "accuracy_m": pa.array(columns.accuracy_m.astype(np.float32)),
            "geom": pa.FixedSizeBinaryArray.from_buffers(pa.binary(_POINT.itemsize), count, [None, pa.py_buffer(point)]),
            **{"class" if name == "class_name" else name: columns.texts(name) for name in HEAD},
            "simulated": pa.repeat(columns.simulated, count) if isinstance(columns.simulated, bool) else columns.simulated,
            "source_event_id": columns.source_event_id,
            "region_code": regions,
            "cell_code": cells,
            "camera_id": pa.nulls(count, pa.int64()) if columns.camera_id is None else columns.camera_id,
            **_seldom(columns, properties),
        }
    )
    return batch if np.array_equal(chosen, np.arange(count)) else batch.take(pa.array(chosen))


def _seldom(columns: Columns, properties: Mapping[int, dict]) -> dict[str, pa.Array]:
    """What few findings have: bearing, evidence, boxes, properties and footprint."""
    plain = {
        "bearing_deg": pa.scalar(None, pa.float32()),
        "bearing_sigma_deg": pa.scalar(None, pa.float32()),
        "evidence": pa.scalar(_NO_TEXTS, pa.binary()),
        "boxes": pa.scalar(_json([]), pa.binary()),
        "properties": pa.scalar(_json({}), pa.binary()),
        "footprint": pa.scalar(None, pa.binary()),
    }
    rows = {*columns.whole, *properties}
    if not rows:
        return {name: pa.repeat(value, len(columns)) for name, value in plain.items()}
    values = {name: [value.as_py()] * len(columns) for name, value in plain.items()}
    for row in rows:
        values["properties"][row] = _json(properties.get(row, {}))
        finding = columns.whole.get(row)
        if finding is not None:
            values["bearing_deg"][row], values["bearing_sigma_deg"][row] = finding.bearing_deg, finding.bearing_sigma_deg
            values["evidence"][row], values["boxes"][row], values["footprint"][row] = _array(finding.evidence), _json(list(finding.boxes)), _ewkb(finding.footprint)
    return {name: pa.array(values[name], value.type) for name, value in plain.items()}


def _array(texts: Sequence[str]) -> bytes:
    """A text[] as PostgreSQL sends it: one dimension from 1, no nulls."""
    if not texts:
        return _NO_TEXTS
    return struct.pack(">iiiii", 1, 0, 25, len(texts), 1) + b"".join(struct.pack(">i", len(text)) + text for text in map(str.encode, texts))


def _json(value: object) -> bytes:
    return _JSONB + json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _ewkb(shape: BaseGeometry | None) -> bytes | None:
    return None if shape is None else shapely.to_wkb(shapely.set_srid(shapely.force_2d(shape), 4326), include_srid=True)
