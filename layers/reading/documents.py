"""Attributes of rows as JSON texts that PostgreSQL's jsonb takes, their types over a whole file, and what each row is called. Columns at once where there are columns."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from grid.errors import TooLarge
from layers.reading.batches import Batch

MAX_COLUMNS = 256
MAX_RECORD_BYTES = 65_536
MAX_LABEL = 200
_MAX_SHAPES = 1000
"""Combinations of names and types that are remembered, so that a record like one before costs next to nothing."""
_LABELS = ("name", "名称", "名字", "标题", "title", "label", "地址", "address", "ad_name", "district", "编号", "code")
_KINDS = {frozenset({int}): "integer", frozenset({float}): "number", frozenset({int, float}): "number", frozenset({bool}): "boolean"}


class Attributes:
    """Names in order of appearance with the narrowest type that holds every value: integer, number, boolean, text or json."""

    def __init__(self) -> None:
        self._seen: dict[str, set[type]] = {}
        self._shapes: set[tuple] = set()
        self._label: str | None = None
        self._chosen = False

    def see(self, batch: Batch) -> None:
        """Takes note of a batch. Raises TooLarge beyond 256 attributes."""
        if batch.columns is not None:
            for field in batch.columns.schema:
                self._seen.setdefault(field.name, set()).add(_type(field.type))
        else:
            for record in batch.records or ():
                shape = (*record, *map(type, record.values()))
                if shape in self._shapes:
                    continue
                if len(self._shapes) < _MAX_SHAPES:
                    self._shapes.add(shape)
                for name, value in record.items():
                    kinds = self._seen.get(name)
                    if kinds is None:
                        self._seen[name] = {type(value)}
                    else:
                        kinds.add(type(value))
        if len(self._seen) > MAX_COLUMNS:
            raise TooLarge(f"{len(self._seen)} 个字段 · {len(self._seen)} attributes", remedy=f"至多 {MAX_COLUMNS} · at most {MAX_COLUMNS}")

    def kinds(self) -> tuple[tuple[str, str], ...]:
        """(name, type) of each."""
        return tuple((str(name), _kind(types)) for name, types in self._seen.items())

    def label(self) -> str | None:
        """Which attribute says what a thing is called: a name-like one, else the first text. Chosen once, after the first batch."""
        if not self._chosen and self._seen:
            kinds = self.kinds()
            lowered = {name.lower(): name for name, kind in reversed(kinds) if kind in ("text", "integer")}
            self._label = next((lowered[label] for label in _LABELS if label in lowered), None) or next((name for name, kind in kinds if kind == "text"), None)
            self._chosen = True
        return self._label


def _kind(types: set[type]) -> str:
    return "json" if types & {dict, list} else _KINDS.get(frozenset(types - {type(None)}), "text")


def _type(kind: pa.DataType) -> type:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_integer(kind):
        return int
    if pa.types.is_floating(kind):
        return float
    if pa.types.is_boolean(kind):
        return bool
    return dict if pa.types.is_nested(kind) else str


def texts(batch: Batch, faults: dict[int, str]) -> pa.Array:
    """The attributes of each row as JSON (Arrow binary). No NaN, no NUL, no lone surrogates; dates and the like as text."""
    if batch.columns is None:
        return pa.array([_document(record) for record in batch.records or ()], pa.binary())
    return _joined(batch.columns)


def too_large(documents: pa.Array, faults: dict[int, str]) -> None:
    """Notes rows whose attributes are beyond 64 KB."""
    for i in np.flatnonzero(np.asarray(pc.binary_length(documents)) > MAX_RECORD_BYTES):
        faults.setdefault(int(i), f"属性超过 {MAX_RECORD_BYTES // 1024} KB · attributes beyond {MAX_RECORD_BYTES // 1024} KB")


def labels(batch: Batch, name: str | None) -> pa.Array:
    """What each row is called (Arrow string, never null): the attribute's value cut at 200 characters."""
    if name is None or (batch.columns is not None and name not in batch.columns.schema.names):
        return pa.array([""] * len(batch), pa.string())
    if batch.columns is None:
        found = [record.get(name) or "" for record in batch.records or ()]
        try:
            column = pa.array([value[:MAX_LABEL] if type(value) is str else str(value)[:MAX_LABEL] for value in found], pa.string())
        except UnicodeError:
            return pa.array([str(plain(str(value)))[:MAX_LABEL] for value in found], pa.string())
    else:
        column = _text(batch.columns.column(name))
    if pc.any(pc.match_substring(column, "\x00")).as_py():
        column = pc.replace_substring(column, "\x00", "")
    return pc.fill_null(pc.utf8_slice_codeunits(column, 0, MAX_LABEL), "")


def keys(batch: Batch, name: str) -> list[str | None]:
    """The key of each row as text; None where it is missing or empty."""
    if batch.columns is None:
        found = [record.get(name) for record in batch.records or ()]
        return [None if value is None else str(value) for value in found]
    if name not in batch.columns.schema.names:
        return [None] * len(batch)
    return _text(batch.columns.column(name)).to_pylist()


def plain(value: Any) -> Any:
    """A value that PostgreSQL's jsonb takes: no NaN, no NUL, no lone surrogates; dates and the like as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {plain(str(k)): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value if value is None or isinstance(value, bool | int) else plain(str(value))


def _document(record: Any) -> bytes:
    try:
        found = orjson.dumps(record)
        if b"\\u0000" not in found:
            return found
    except TypeError:
        pass
    return json.dumps(plain(record), ensure_ascii=False).encode()


def _joined(columns: pa.RecordBatch) -> pa.Array:
    if not columns.num_columns:
        return pa.array([b"{}"] * len(columns), pa.binary())
    parts: list[Any] = []
    for i, name in enumerate(columns.schema.names):
        parts += [("," if i else "{") + json.dumps(plain(name), ensure_ascii=False) + ":", _values(columns.column(i))]
    return pc.binary_join_element_wise(*parts, "}", "").cast(pa.binary())


def _values(column: pa.Array) -> pa.Array:
    """A column as JSON values, `null` where there is none."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        found = column.cast(pa.string())
    elif pa.types.is_floating(kind):
        found = pc.if_else(pc.is_finite(column), column, None).cast(pa.string())
    elif pa.types.is_nested(kind):
        found = pa.array([None if v is None else _document(v).decode() for v in column.to_pylist()], pa.string())
    else:
        found = _quoted(_text(column))
    return pc.fill_null(found, "null")


def _quoted(texts: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(texts, '["\\\\\\x00-\\x1f]')).as_py():
        for raw, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
            texts = pc.replace_substring(texts, raw, written)
        texts = pc.replace_substring_regex(texts, "[\\x00-\\x1f]", "")
    return pc.binary_join_element_wise('"', texts, '"', "")


def _text(column: pa.Array) -> pa.Array:
    """Any column as sound UTF-8 text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        try:
            column.validate(full=True)
            return column.cast(pa.string())
        except pa.ArrowInvalid:
            return pa.array([None if v is None else v.decode("utf-8", "replace") for v in column.cast(pa.binary()).to_pylist()], pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind) or pa.types.is_nested(kind):
        return pa.array([None if v is None else str(plain(str(v))) for v in column.to_pylist()], pa.string())
    return column.cast(pa.string())


def taken(array: pa.Array, kept: Sequence[int] | np.ndarray, total: int) -> pa.Array:
    """The rows kept; the array itself where that is all."""
    return array if len(kept) == total else array.take(pa.array(kept))
