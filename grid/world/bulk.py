"""Columns of Python or numpy values into a table with one COPY: what a load of thousands to millions of rows uses."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields

import numpy as np
import shapely
from psycopg import AsyncConnection, sql

_BLOCK = 20_000
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


async def copy_columns(connection: AsyncConnection, table: str, columns: dict[str, Sequence]) -> int:
    """Appends rows given as equally long columns; returns how many. Values become text as `as_text` says.

    >>> as_text(["a\\tb", None]), as_text(np.array([True, False])), as_text([1.5, float("nan")]), as_text([("x", 'y"z'), ()])
    (['a\\\\tb', '\\\\N'], ['t', 'f'], ['1.5', '\\\\N'], ['{"x","y\\\\\\\\"z"}', '{}'])
    """
    names = list(columns)
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise ValueError(f"columns of {table} differ in length: { {name: len(columns[name]) for name in names} }")
    (total,) = lengths
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names)))
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for start in range(0, total, _BLOCK):
            block = [as_text(columns[name][start : start + _BLOCK]) for name in names]
            await copy.write("".join("\t".join(line) + "\n" for line in zip(*block, strict=True)))
    return total


async def copy_rows(connection: AsyncConnection, table: str, rows: Sequence, skip: Iterable[str] = ("id",)) -> int:
    """Appends frozen dataclasses whose fields are named like the table's columns, without those in `skip`. Returns how many."""
    if not rows:
        return 0
    names = [field.name for field in fields(rows[0]) if field.name not in set(skip)]
    return await copy_columns(connection, table, {name: [getattr(row, name) for row in rows] for name in names})


def as_text(values: Sequence) -> list[str]:
    """One column in COPY's text format: None and NaN are NULL, geometries hexadecimal EWKB (EPSG:4326), tuples arrays."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        return [str(v) for v in values.tolist()]
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return ["\\N" if v != v else repr(v) for v in values.tolist()]
    if isinstance(values, np.ndarray) and values.dtype.kind == "b":
        return ["t" if v else "f" for v in values.tolist()]
    first = next((v for v in values if v is not None), None)
    if isinstance(first, shapely.Geometry):
        stamped = shapely.set_srid(np.asarray(values, dtype=object), 4326)
        return ["\\N" if v is None else v for v in shapely.to_wkb(stamped, hex=True, include_srid=True)]
    show: Callable[[object], str] = _one
    return [show(v) for v in values]


def _one(value: object) -> str:
    if value is None or value != value:
        return "\\N"
    if isinstance(value, bool | np.bool_):
        return "t" if value else "f"
    if isinstance(value, list | tuple):
        return _array(value).translate(_ESCAPES)
    return str(value).translate(_ESCAPES)


def _array(values: Sequence) -> str:
    quoted = ('"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values)
    return "{" + ",".join(quoted) + "}"
