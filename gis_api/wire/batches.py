"""Large batches of findings on the wire, as JSON or as an Arrow stream, read straight into columns."""

import struct
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from gis_api.wire.base import Wire
from gis_api.wire.observations import ObservationIn, finding_of
from grid.errors import InvalidInput, TooLarge
from grid.sensing import columns
from grid.sensing.columns import EPOCH, HEAD, MICROSECOND, Columns
from grid.sensing.intake import LARGEST_BATCH

ARROW = "application/vnd.apache.arrow.stream"
NEEDED = frozenset({"source", "source_event_id", "sensor_kind", "kind", "score", "recorded_at", "position"})
PLAIN = NEEDED | {*HEAD, "camera_id", "simulated"}
"""What columns hold; an observation with more in it is read as one of its own."""
_POSITION = {"lon", "lat", "accuracy_m"}
_NUMBERS = {float, int}
_FLAT = ("lon", "lat", "accuracy_m", "score")
_WANTED = ("source", "source_event_id", "sensor_kind", "kind", "recorded_at", *_FLAT)


class BatchTaken(Wire):
    """What became of a large batch, in its order: row ids, and the numbers of those rows that were known before."""

    count: int
    new: int
    ids: list[int]
    known: list[int]


def from_json(body: bytes) -> Columns:
    """`{"observations": [ObservationIn, …]}`, up to 20,000. Raises InvalidInput with `errors`, rows from 0; TooLarge."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"不是 JSON · not JSON: {error}", remedy='{"observations": […]}') from error
    items = given.get("observations") if isinstance(given, dict) and given.keys() == {"observations"} else None
    if not isinstance(items, list) or not items:
        raise InvalidInput("缺少 observations 数组 · no list of observations", remedy='{"observations": [{…}]}')
    _bounded(len(items))
    try:
        return _plain(items)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return _each(items)


def _plain(items: list[dict]) -> Columns:
    """Columns of observations that are all plain; raises what a careless look at anything else raises."""
    whole = {row: finding_of(_valid(row, item), row) for row, item in enumerate(items) if not item.keys() <= PLAIN}
    places = [item["position"] for item in items]
    if not all(place.keys() == _POSITION for place in places):
        raise ValueError
    kinds = {name: [item.get(name, "") for item in items] for name in HEAD}
    ids = [item["source_event_id"] for item in items]
    cameras = [item.get("camera_id") for item in items]
    simulated = [item.get("simulated", False) for item in items]
    texts = {type(value) for column in (*kinds.values(), ids) for value in column}
    if texts != {str} or not set(map(type, cameras)) <= {int, type(None)} or set(map(type, simulated)) != {bool}:
        raise ValueError
    if any(camera is not None and not 1 <= camera <= 2**63 - 1 for camera in set(cameras)):
        raise ValueError
    return Columns(
        **{name: column[0] if column.count(column[0]) == len(column) else column for name, column in kinds.items()},
        source_event_id=ids,
        score=_floats([item["score"] for item in items]),
        recorded_us=np.array([(_moment(item["recorded_at"]) - EPOCH) // MICROSECOND for item in items], dtype=np.int64),
        lon=_floats([place["lon"] for place in places]),
        lat=_floats([place["lat"] for place in places]),
        accuracy_m=_floats([place["accuracy_m"] for place in places]),
        camera_id=cameras if any(camera is not None for camera in cameras) else None,
        simulated=simulated if True in simulated else False,
        whole=whole,
    )


def _floats(values: list) -> NDArray[np.float64]:
    if not set(map(type, values)) <= _NUMBERS:
        raise ValueError
    return np.array(values, dtype=np.float64)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _valid(row: int, item: Any) -> ObservationIn:
    try:
        return ObservationIn.model_validate(item)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "observation"
        wrong = {"row": row, "field": name, "value": repr(first["input"])[:120], "detail": first["msg"], "remedy": "GET /api/docs"}
        raise InvalidInput(f"第 {row} 条 {name}：{first['msg']}", remedy="更正后重发整批 · correct it and send the batch again", errors=[wrong]) from error


def _each(items: list) -> Columns:
    """The same of observations that want a closer look: the first that cannot be right is named."""
    return columns.of([finding_of(_valid(row, item), row) for row, item in enumerate(items)])


def from_arrow(body: bytes) -> Columns:
    """An Arrow IPC stream, uncompressed: text columns (dictionaries are welcome), numbers, recorded_at as a timestamp with zone, no nulls but camera_id.

    Raises InvalidInput or TooLarge.
    """
    try:
        if _compressed(body):
            raise InvalidInput("压缩的 Arrow 数据不收 · compressed Arrow streams are not taken", remedy="write it without compression")
        with pa.ipc.open_stream(body) as reader:
            _sound_schema(reader.schema)
            table = reader.read_all()
        _bounded(table.num_rows)
        table.validate(full=True)
        table = table.combine_chunks()
        read = {name: _column(name, table.column(name)) for name in table.column_names}
    except (pa.ArrowException, OSError, struct.error, IndexError, UnicodeDecodeError) as error:
        raise InvalidInput(f"不是完好的 Arrow 流 · not a sound Arrow stream: {str(error)[:200]}", remedy=f"Content-Type: {ARROW}, one schema, record batches") from error
    return Columns(recorded_us=read.pop("recorded_at"), **read)


def _sound_schema(schema: pa.Schema) -> None:
    names = schema.names
    missing = [name for name in _WANTED if name not in names]
    unknown = [name for name in names if name not in (*_WANTED, *HEAD, "camera_id", "simulated")]
    if missing or unknown or len(set(names)) != len(names):
        raise InvalidInput(f"列不对 · wrong columns: missing {missing}, unknown {unknown}", remedy=f"columns: {', '.join((*_WANTED, *HEAD, 'camera_id', 'simulated'))}")
    for field in schema:
        kind = field.type
        sound = {
            "recorded_at": pa.types.is_timestamp(kind) and kind.tz is not None,
            "camera_id": pa.types.is_int64(kind),
            "simulated": pa.types.is_boolean(kind),
        }.get(field.name, pa.types.is_float64(kind) if field.name in _FLAT else _is_text(kind))
        if not sound:
            raise InvalidInput(f"{field.name} 的类型 {kind} 不对 · has the wrong type", remedy="float64, timestamp with zone, int64 (camera_id), bool (simulated), else string or dictionary")


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or (pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type))


def _column(name: str, column: pa.ChunkedArray) -> Any:
    if name != "camera_id" and column.null_count:
        raise InvalidInput(f"{name} 有空值 · holds nulls", remedy="leave the column out, or fill it")
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if name == "recorded_at":
        return (array if array.type.unit == "us" else array.cast(pa.timestamp("us", "UTC"), safe=False)).view(pa.int64()).to_numpy()
    if name in _FLAT:
        return array.to_numpy()
    if pa.types.is_dictionary(array.type):
        if array.dictionary.null_count:
            raise InvalidInput(f"{name} 有空值 · holds nulls", remedy="fill it")
        values = array.dictionary.to_pylist()
        return values[0] if len(values) == 1 else [values[i] for i in array.indices.to_numpy(zero_copy_only=False).tolist()]
    return array.to_pylist()


def _bounded(count: int) -> None:
    if count > LARGEST_BATCH:
        raise TooLarge(f"一批 {count:,} 条 · a batch of {count:,} findings", remedy=f"每批至多 {LARGEST_BATCH:,} 条 · at most {LARGEST_BATCH:,}")


def _compressed(body: bytes) -> bool:
    """Whether any record batch of an Arrow stream says that it is compressed: it could unfold to any size (Arrow format, Message.fbs)."""
    at = 0
    while at + 8 <= len(body):
        marker, size = struct.unpack_from("<Ii", body, at)
        if marker != 0xFFFFFFFF or size < 0:
            raise IndexError("no message at its place")
        if size == 0:
            break
        message = _Table(body, at + 8 + struct.unpack_from("<I", body, at + 8)[0])
        kind = message.scalar(1, "<B", 0)
        header = message.table(2) if kind in (2, 3) else None
        batch = header.table(1) if kind == 2 and header is not None else header
        if batch is not None and batch.field(3) is not None:
            return True
        at += 8 + size + message.scalar(3, "<q", 0)
    return False


class _Table:
    """A table of a FlatBuffer: fields by number, where they are present."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._slots = at - struct.unpack_from("<i", data, at)[0]

    def field(self, number: int) -> int | None:
        """Where a field lies, or None."""
        slot = 4 + 2 * number
        if self._slots < 0 or slot >= struct.unpack_from("<H", self._data, self._slots)[0]:
            return None
        offset = struct.unpack_from("<H", self._data, self._slots + slot)[0]
        return self._at + offset if offset else None

    def scalar(self, number: int, form: str, default: int) -> int:
        """The value of a number."""
        at = self.field(number)
        value = default if at is None else struct.unpack_from(form, self._data, at)[0]
        if value < 0:
            raise IndexError("a negative length")
        return value

    def table(self, number: int) -> "_Table | None":
        """The table that a field points at."""
        at = self.field(number)
        return None if at is None else _Table(self._data, at + struct.unpack_from("<I", self._data, at)[0])
