"""Large batches of findings on the wire, as JSON or as an Arrow stream, read straight into columns."""

import struct
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, Literal

import msgspec
import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from gis_api.wire.base import Wire
from gis_api.wire.observations import ObservationIn, finding_of
from grid.errors import InvalidInput, TooLarge
from grid.sensing import columns
from grid.sensing.columns import HEAD, Columns
from grid.sensing.intake import LARGEST_BATCH
from grid.sensing.observations import SENSOR_KINDS

ARROW = "application/vnd.apache.arrow.stream"
NEEDED = frozenset({"source", "source_event_id", "sensor_kind", "kind", "score", "recorded_at", "position"})
PLAIN = NEEDED | {*HEAD, "camera_id", "simulated"}
"""What columns hold; an observation with more in it is read as one of its own."""
_POSITION = ("lon", "lat", "accuracy_m")
_PLACE = itemgetter(*_POSITION)
_TAKEN = sorted(NEEDED)
_TAKE = itemgetter(*_TAKEN)
_ABSENT: dict[str, Any] = {"camera_id": None, "simulated": False}
_NUMBERS = {float, int}
_FLAT = ("lon", "lat", "accuracy_m", "score")
_WANTED = ("source", "source_event_id", "sensor_kind", "kind", "recorded_at", *_FLAT)
_ALLOWED = tuple(dict.fromkeys((*_WANTED, *HEAD, "camera_id", "simulated")))
_OWN = tuple(name for name in _ALLOWED if name not in _POSITION)


class _Place(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    lon: float
    lat: float
    accuracy_m: float


class _Observation(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What columns hold of an ObservationIn, read at a fifth of its price: no dict each, nothing for the garbage collector to walk through."""

    source: str
    source_event_id: str
    sensor_kind: Literal[SENSOR_KINDS]
    kind: str
    score: float
    recorded_at: str
    position: _Place
    class_name: str = ""
    algorithm: str = ""
    model_version: str = ""
    model_hash: str = ""
    camera_id: int | None = None
    simulated: bool = False


class _Observations(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    observations: list[_Observation]


_OBSERVATIONS = msgspec.json.Decoder(_Observations)


class BatchTaken(Wire):
    """What became of a large batch, in its order: row ids, and the numbers of those rows that were known before."""

    count: int
    new: int
    ids: list[int]
    known: list[int]


def from_json(body: bytes) -> Columns:
    """`{"observations": [ObservationIn, …]}`, or in half of the time `{"columns": {name: [value, …]}}`; up to 20,000 findings.

    Columns have the names of Arrow's; a text that all share may stand there once. Raises InvalidInput with `errors`, rows from 0; TooLarge.
    """
    try:
        return _typed(_OBSERVATIONS.decode(body).observations)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError):
        return _any_json(body)


def _any_json(body: bytes) -> Columns:
    """JSON that is not plain rows all through: read by value, so that what is wrong with it can be named."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"不是 JSON · not JSON: {error}", remedy='{"observations": […]}') from error
    if isinstance(given, dict) and given.keys() == {"columns"} and isinstance(given["columns"], dict):
        return _by_column(given["columns"])
    items = given.get("observations") if isinstance(given, dict) and given.keys() == {"observations"} else None
    if not isinstance(items, list) or not items:
        raise InvalidInput("缺少 observations 数组 · no list of observations", remedy='{"observations": [{…}]} or {"columns": {…}}')
    _bounded(len(items))
    try:
        return _plain(items)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return columns.of([finding_of(_valid(row, item), row) for row, item in enumerate(items)])


def _typed(items: list[_Observation]) -> Columns:
    """Columns of plain rows; raises ValueError or TypeError for what must be read one by one."""
    if not items:
        raise ValueError
    _bounded(len(items))
    places = [item.position for item in items]
    read = {name: list(map(attrgetter(name), items)) for name in _OWN} | {name: list(map(attrgetter(name), places)) for name in _POSITION}
    made: dict[str, Any] = {}
    for name, column in read.items():
        made |= _made(name, column)
    return Columns(**made)


def _plain(items: list[dict]) -> Columns:
    """Columns of observations; raises what a careless look at anything not plain raises."""
    present = set().union(*set(map(tuple, items)))
    whole = {} if present <= PLAIN else {row: finding_of(_valid(row, item), row) for row, item in enumerate(items) if not item.keys() <= PLAIN}
    needed = dict(zip(_TAKEN, zip(*map(_TAKE, items), strict=True), strict=True))
    places = needed.pop("position")
    if set(map(len, places)) != {len(_POSITION)}:
        raise ValueError
    numbers = dict(zip(_POSITION, zip(*map(_PLACE, places), strict=True), strict=True))
    optional = {name: [item.get(name, _ABSENT.get(name, "")) for item in items] for name in present & PLAIN - NEEDED}
    read: dict[str, Any] = {}
    for name, column in {**needed, **numbers, **optional}.items():
        read |= _read(name, column)
    return Columns(**read, whole=whole)


def _by_column(given: dict) -> Columns:
    """Columns of columns. Raises InvalidInput, naming the column."""
    missing, unknown = [name for name in _WANTED if name not in given], [name for name in given if name not in _ALLOWED]
    if missing or unknown:
        raise InvalidInput(f"列不对 · wrong columns: missing {missing}, unknown {unknown}", remedy=f"columns: {', '.join(_ALLOWED)}")
    ids = given["source_event_id"]
    count = len(ids) if isinstance(ids, list) else 0
    _bounded(count)
    for name, column in given.items():
        shared = isinstance(column, str) and name in HEAD or isinstance(column, bool) and name == "simulated"
        if count == 0 or not (shared or (isinstance(column, list) and len(column) == count)):
            raise InvalidInput(f"{name} 不是 {count} 个值的数组 · is not a list of {count} values", remedy="one value a finding in each column")
    read = {}
    for name, column in given.items():
        try:
            read |= _read(name, [column] if isinstance(column, str | bool) else column)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InvalidInput(f"{name} 中有不合的值 · holds a value of the wrong kind {error}".strip(), remedy="texts, numbers, times with offset; as in /api/observations") from error
    return Columns(**read)


def _read(name: str, column: Any) -> dict[str, Any]:
    """One column as Columns want it, its values of the right type each; raises ValueError or TypeError."""
    types = set(map(type, column))
    wanted = _NUMBERS if name in _FLAT else {int, type(None)} if name == "camera_id" else {bool} if name == "simulated" else {str}
    if not types <= wanted:
        raise ValueError
    return _made(name, column)


def _made(name: str, column: Sequence) -> dict[str, Any]:
    """One column of values of the right type as Columns want it; raises ValueError for what those cannot hold."""
    if name in _FLAT:
        return {name: np.array(column, dtype=np.float64)}
    if name == "recorded_at":
        return {"recorded_us": _microseconds(column)}
    alike = name != "source_event_id" and column.count(column[0]) == len(column)
    if name == "camera_id" and not (alike and column[0] is None):
        if any(camera is not None and not 1 <= camera <= 2**63 - 1 for camera in set(column)):
            raise ValueError
        return {name: list(column)}
    return {name: column[0] if alike else list(column)}


def _microseconds(texts: Sequence[str]) -> NDArray[np.int64]:
    """Times with offset in the forms of ISO 8601; raises ValueError."""
    try:
        return pa.array(texts, pa.string()).cast(pa.timestamp("us", "UTC")).view(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        # a double holds the microseconds of our centuries with room to spare
        return np.rint(np.array([_seconds(text) for text in texts]) * 1e6).astype(np.int64)


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without offset")
    return moment.timestamp()


def _valid(row: int, item: Any) -> ObservationIn:
    try:
        return ObservationIn.model_validate(item)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "observation"
        wrong = {"row": row, "field": name, "value": repr(first["input"])[:120], "detail": first["msg"], "remedy": "GET /api/docs"}
        raise InvalidInput(f"第 {row} 条 {name}：{first['msg']}", remedy="更正后重发整批 · correct it and send the batch again", errors=[wrong]) from error


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
    unknown = [name for name in names if name not in _ALLOWED]
    if missing or unknown or len(set(names)) != len(names):
        raise InvalidInput(f"列不对 · wrong columns: missing {missing}, unknown {unknown}", remedy=f"columns: {', '.join(_ALLOWED)}")
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
        if name == "source_event_id":
            if any(len(value) > 200 for value in array.dictionary.to_pylist()):
                raise InvalidInput("source_event_id 过长 · is too long", remedy="at most 200 characters")
            return array.dictionary.take(array.indices)
        return array.dictionary[0].as_py() if len(array.dictionary) == 1 else array
    return array


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
