"""Heights of rows, from Z or a column, kept as metres above the 1985 datum (国家高程基准) whatever datum the file declares."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from grid.errors import InvalidInput
from layers.reading.batches import Batch, Options

COLUMN = "height_1985_m"
"""The attribute that a row with a height gets, metres above the 1985 datum."""
DATUMS = ("1985", "ellipsoidal")


def checked(options: Options) -> None:
    """Raises InvalidInput for a datum we do not know, or a column of heights without a datum."""
    if options.datum is not None and options.datum not in DATUMS:
        raise InvalidInput(f"未知高程基准 · unknown datum of heights: {options.datum[:40]!r}", remedy="1985 或 ellipsoidal · declare 1985 or ellipsoidal")
    if options.height is not None and options.datum is None:
        raise InvalidInput(f"高程列 {options.height[:60]!r} 未声明基准 · the heights have no datum", remedy="声明 1985 或 ellipsoidal · declare 1985 or ellipsoidal")


def of(batch: Batch, options: Options) -> NDArray[np.float64]:
    """Heights as the file has them, metres: of the declared column, else the mean Z of each shape; NaN where there is none. Raises InvalidInput without such a column."""
    if options.height is None:
        xyz, rows = shapely.get_coordinates(batch.geometries, include_z=True, return_index=True)
        count = np.bincount(rows, minlength=len(batch))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.bincount(rows, weights=xyz[:, 2], minlength=len(batch)) / count
    if batch.columns is not None:
        if options.height not in batch.columns.schema.names:
            raise _missing(options.height)
        cells = batch.columns[options.height]
        if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
            cells = pc.if_else(pc.match_substring_regex(cells, r"^\s*-?\d+(\.\d+)?\s*$"), pc.utf8_trim_whitespace(cells), None)
        return cells.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    values = [(record or {}).get(options.height) for record in batch.records or ()]
    return np.array([_number(value) for value in values], dtype=np.float64)


def add(batch: Batch, heights: NDArray[np.float64], declared: NDArray[np.object_], shapes: NDArray[np.object_]) -> None:
    """Writes heights (metres above each row's datum) into the rows as metres above the 1985 datum; `shapes` lie in storage degrees. Raises InvalidInput
    where the file has an attribute of that name."""
    from grid.firewall.heights import convert

    middles = shapely.centroid(shapes)
    lon, lat = shapely.get_x(middles), shapely.get_y(middles)
    found = np.where(declared == "1985", heights, convert(heights, lon, lat, "ellipsoidal", "1985"))
    values = [round(v, 3) if np.isfinite(v) else None for v in found.tolist()]
    taken = COLUMN in batch.columns.schema.names if batch.columns is not None else any(COLUMN in (r or {}) for r in batch.records or ())
    if taken:
        raise InvalidInput(f"属性名 {COLUMN} 为换算后的高程保留 · {COLUMN} is reserved for heights", remedy="改列名 · rename it")
    if batch.columns is not None:
        names = [*batch.columns.schema.names, COLUMN]
        batch.columns = pa.RecordBatch.from_arrays([*batch.columns.columns, pa.array(values, pa.float64())], names=names)
    else:
        batch.records = [{**(record or {}), COLUMN: value} for record, value in zip(batch.records or [{}] * len(batch), values, strict=True)]


def _number(value: object) -> float:
    try:
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else float("nan")
    except ValueError:
        return float("nan")


def _missing(name: str) -> InvalidInput:
    return InvalidInput(f"没有高程列 {name[:60]!r} · no such column of heights", remedy="检查列名 · check its name")
