"""Where the coordinate firewall stands in the way of an import: rows just stored are judged, and a suspicious file is looked at whole."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import AsyncConnection, sql

from grid import crs, firewall
from grid.firewall import Reading, Verdict
from grid.world import known
from grid.world import regions as divisions
from layers import levels, originals, placing, quarantine, staging
from layers.quarantine import Held
from layers.reading import raw
from layers.reading.batches import Options
from layers.reading.correcting import Correction
from layers.reading.pipeline import Reject
from layers.staging import Staged

LOOKED_AT = 2500
_STRAYS = 0.03
_MANY_REJECTED = 0.03


@dataclass(frozen=True, slots=True)
class Judged:
    """A whole file in its own numbers and the verdict on it. `strays`: a row or two that lie elsewhere for no pattern's sake, to be left out."""

    shapes: NDArray[np.object_]
    verdict: Verdict
    strays: tuple[Reject, ...]

    @property
    def hold(self) -> bool:
        """Whether the file goes into quarantine."""
        return self.verdict.suspicious and not self.strays


async def admit(
    connection: AsyncConnection, data_dir: Path, path: Path, name: str, title: str, sha256: str, dataset_id: str, about: Any, options: Options, staged: Staged
) -> Staged | Held:
    """Lets staged rows pass, without strays, or drops them and puts the file into quarantine, in the caller's transaction.

    `about` is the dataclass of what the person says about the file. Raises what reading raises.
    """
    summary = staged.summary
    if summary.by_address:
        return staged
    total = summary.kept + summary.rejected_count
    judged = await examine(connection, path, name, options, await some_of(connection, staged.table, total), summary.crs, total, summary.rejected)
    if judged is not None and not judged.hold:
        staged = await _without(connection, staged, judged.strays)
    if judged is None or not judged.hold:
        uneven = await levels.examine(connection, data_dir, staged, options)
        if uneven is None:
            return staged
        judged = Judged(*uneven, ())
    await staging.drop(connection, staged.table)
    await originals.importing(connection)
    await asyncio.to_thread(originals.keep, data_dir, path)
    regions = [r for level in (2, 3, 4) for r in await divisions.of_level(connection, level)]
    codes = await asyncio.to_thread(placing.region_codes, proposed(judged), regions)
    return await quarantine.hold(
        connection,
        dataset_id=dataset_id,
        name=name,
        sha256=sha256,
        origin=summary.crs_origin,
        about={**asdict(about), "title": title},
        options=asdict(options),
        shapes=judged.shapes,
        verdict=judged.verdict,
        region_code=placing.shared(sorted(set(codes))),
    )


async def _without(connection: AsyncConnection, staged: Staged, strays: tuple[Reject, ...]) -> Staged:
    """The staged rows without a few, which join the rejected ones."""
    rows = [r.row for r in strays]
    await connection.execute(sql.SQL("DELETE FROM {} WHERE id = ANY(%(rows)s)").format(sql.Identifier(staged.table)), {"rows": rows})
    cursor = await connection.execute(
        sql.SQL("SELECT count, ST_XMin(box), ST_YMin(box), ST_XMax(box), ST_YMax(box) FROM (SELECT count(*), ST_Extent(geom) AS box FROM {}) AS all_rows").format(
            sql.Identifier(staged.table)
        )
    )
    found = await cursor.fetchone()
    known = {r.row for r in staged.summary.rejected}
    fresh = tuple(r for r in strays if r.row not in known)
    if not found[0] or not fresh:
        return staged
    rejected = tuple(sorted((*staged.summary.rejected, *fresh), key=lambda r: r.row))
    return replace(staged, summary=replace(staged.summary, kept=found[0], rejected=rejected, rejected_count=staged.summary.rejected_count + len(fresh), bounds=found[1:]))


async def examine(
    connection: AsyncConnection, path: Path, name: str, options: Options, stored: NDArray[np.object_], frame: str, rows: int, rejected: Sequence[Reject]
) -> Judged | None:
    """Judges a file of `rows` rows in its declared `frame`; None when nothing is suspicious. `stored`: a sample of its rows as placed, in degrees.

    The sample is judged first. Only where it is suspicious, or several rows were refused for their coordinates, the whole file is read again in its
    own numbers. Deterministic; raises what reading raises.
    """
    declared = Reading(frame)
    first = await _judge(connection, crs.from_storage(stored, frame), declared)
    refused = sum(1 for r in rejected if _of_coordinates(r))
    if not first.suspicious and refused < max(2, _MANY_REJECTED * rows):
        return None
    shapes = await asyncio.to_thread(raw.shapes, path, name, options)
    verdict = await _judge(connection, shapes, declared)
    return Judged(shapes, verdict, strays(verdict, len(shapes))) if verdict.suspicious else None


async def _judge(connection: AsyncConnection, shapes: NDArray[np.object_], declared: Reading) -> Verdict:
    """First by place alone, which costs nothing; then against what is known there."""
    gross = await asyncio.to_thread(firewall.judge, shapes, declared, [])
    box = await asyncio.to_thread(firewall.box, shapes, gross)
    references = await known.references(connection, box) if box else []
    return await asyncio.to_thread(firewall.judge, shapes, declared, references) if references else gross


def strays(verdict: Verdict, total: int) -> tuple[Reject, ...]:
    """The suspicious rows, as rejects, if they are only one or under 3 % and each is displaced grossly: a slip of the pen, no wrong frame."""
    rows = np.flatnonzero(verdict.choice)
    if any(f.gain is not None for f in verdict.findings) or len(rows) > max(1, _STRAYS * total):
        return ()
    return tuple(
        Reject(int(i) + 1, f"坐标不在声明的 {verdict.declared.crs} 中，像是 {key} · not in the declared {verdict.declared.crs}, looks like {key}")
        for i in rows
        for key in [verdict.readings[verdict.choice[i]].key]
    )


def proposed(judged: Judged) -> NDArray[np.object_]:
    """Middles of all rows where the fix would put them, in storage degrees; rows without a place are left out."""
    correction = Correction(tuple(r.key for r in judged.verdict.readings), judged.verdict.choice)
    middles = correction.place(shapely.centroid(np.where(shapely.is_missing(judged.shapes), shapely.Point(), judged.shapes)), 0)
    return middles[np.isfinite(shapely.get_x(middles)) & np.isfinite(shapely.get_y(middles))]


def _of_coordinates(reject: Reject) -> bool:
    return any(word in reject.reason for word in ("坐标轴颠倒", "无法换算", "超出经纬度"))


def some(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """A sample of shapes in memory, spread over all of them."""
    return shapes[:: max(1, len(shapes) // LOOKED_AT)]


async def some_of(connection: AsyncConnection, table: str, total: int) -> NDArray[np.object_]:
    """A sample of the rows of a table like `dataset_features`, spread over the file."""
    cursor = await connection.execute(
        sql.SQL("SELECT ST_AsBinary(geom) FROM {} WHERE id %% %(step)s = 0 ORDER BY id").format(sql.Identifier(table)), {"step": max(1, total // LOOKED_AT)}
    )
    return shapely.from_wkb(np.array([row[0] for row in await cursor.fetchall()], dtype=object))
