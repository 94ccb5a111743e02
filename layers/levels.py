"""Heights against the terrain: whether a set, or some of its rows, is above the other datum than it declares. The coordinate firewall's third dimension."""

import asyncio
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import AsyncConnection, sql

from grid import crs, firewall
from grid.firewall import Finding, Reading, Verdict
from grid.firewall.heights import Datum, convert
from layers.reading.batches import Options
from layers.reading.heights import COLUMN
from layers.staging import Staged

Floats = NDArray[np.float64]
LOOKED_AT = 2_500
_MAX_SIDE = 4_000


async def examine(connection: AsyncConnection, data_dir: Path, staged: Staged, options: Options) -> tuple[NDArray[np.object_], Verdict] | None:
    """Middles of all rows in the file's own numbers and the verdict on their heights; None when nothing is suspicious, declared or known.

    Known is the terrain under `data_dir`/terrain (metres above the 1985 datum). Deterministic; a sample is judged, then every row by what it says.
    """
    if options.datum is None:
        return None
    declared: Datum = "ellipsoidal" if options.datum == "ellipsoidal" else "1985"
    other: Datum = "1985" if declared == "ellipsoidal" else "ellipsoidal"
    cursor = await connection.execute(
        sql.SQL(
            "SELECT id, (properties ->> {name})::float8, ST_X(middle), ST_Y(middle) FROM (SELECT id, properties, ST_Centroid(geom) AS middle FROM {table}) AS placed"
            " WHERE properties ->> {name} IS NOT NULL ORDER BY id"
        ).format(name=sql.Literal(COLUMN), table=sql.Identifier(staged.table))
    )
    rows = np.array(await cursor.fetchall(), dtype=np.float64).reshape(-1, 4)
    if not len(rows):
        return None
    number, level, lon, lat = rows.T
    ground = await asyncio.to_thread(terrain, data_dir, lon, lat)
    seen = np.flatnonzero(np.isfinite(ground))
    picked = seen[:: max(1, len(seen) // LOOKED_AT)]
    said = convert(level, lon, lat, "1985", declared)
    known = (lon[picked], lat[picked], ground[picked])
    found = await asyncio.to_thread(firewall.judge_heights, said[picked], lon[picked], lat[picked], declared, known)
    if not found.suspicious:
        return None
    total = staged.summary.kept + staged.summary.rejected_count
    as_declared = level - ground
    as_other = convert(said, lon, lat, other, "1985") - ground
    wrong = np.abs(as_other) < np.abs(as_declared)
    if found.share > 0.97:
        wrong[:] = True
    reading, proposed = Reading(staged.summary.crs), Reading(staged.summary.crs, heights=other)
    total = max(total, int(number.max()))
    choice = np.zeros(total, dtype=np.int8)
    choice[number[wrong].astype(int) - 1] = 1
    shapes = np.full(total, None, dtype=object)
    shapes[number.astype(int) - 1] = shapely.points(*crs.from_storage((lon, lat), staged.summary.crs))
    judged = wrong & np.isfinite(ground)
    finding = Finding(
        "heights", proposed, int(wrong.sum()), float(wrong.sum()) / total, 0.0, "terrain", found.gain, 0.0,
        float(np.median(np.abs(as_declared[judged]))), float(np.median(np.abs(as_other[judged]))),
    )  # fmt: skip
    return shapes, Verdict(reading, (reading, proposed), choice, choice.astype(bool), (finding,), "terrain", found.gain)


def terrain(data_dir: Path, lon: Floats, lat: Floats) -> Floats:
    """Ground under places (storage degrees) in metres above the 1985 datum, of the models in `data_dir`/terrain; NaN where none knows it. Blocking."""
    found = np.full(len(lon), np.nan)
    for path in sorted((data_dir / "terrain").glob("*.tif")):
        if ".part" not in path.name:
            found = np.where(np.isfinite(found), found, _under(path, lon, lat))
    return found


def _under(path: Path, lon: Floats, lat: Floats) -> Floats:
    import rasterio
    from rasterio.warp import transform
    from rasterio.windows import Window

    with rasterio.open(path) as model:
        x, y = (np.array(v) for v in transform("EPSG:4326", model.crs, lon.tolist(), lat.tolist())) if model.crs and model.crs.to_epsg() not in (4326, 4490) else (lon, lat)
        column, row = ~model.transform @ (x, y)
        inside = (column >= 0) & (row >= 0) & (column < model.width) & (row < model.height)
        result = np.full(len(lon), np.nan)
        if not inside.any():
            return result
        left, top = int(column[inside].min()), int(row[inside].min())
        width, height = int(column[inside].max()) - left + 1, int(row[inside].max()) - top + 1
        shape = (min(height, _MAX_SIDE), min(width, _MAX_SIDE))
        ground = model.read(1, window=Window(left, top, width, height), out_shape=shape, masked=True).astype(np.float64).filled(np.nan)
        at = ((row[inside] - top) * shape[0] / height).astype(int), ((column[inside] - left) * shape[1] / width).astype(int)
        result[inside] = ground[at]
    result[(result < -500) | (result > 9000)] = np.nan
    return result
