"""What people take out of the map: a layer, filtered, as a file in a frame of their choice. The only writer of `exports`.

Each export says why it is made and is written to the audit, when it is asked for and each time its file is handed out. The rows are those the person may see when
the file is made. A file lives KEPT_HOURS; its row stays. GCJ-02 is made only of layers that are public: it is for showing, never for measuring.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import shapely
from psycopg import AsyncConnection, sql

from grid import audit, crs, jobs
from grid.database import Scope, row, rows
from grid.errors import Conflict, HdqError, InvalidInput, NotFound, TooLarge
from layers import cql2, features, sheet, sheet_base, writers
from layers.catalog import Catalog
from layers.features import Ask, Collection
from layers.frames import CRS84

FRAMES = ("EPSG:4326", "EPSG:4490", "EPSG:4528", "EPSG:3857", "GCJ-02")
FORMATS = writers.FORMATS | {"pdf": (".pdf", "application/pdf")}
"""Format -> the end of a file's name, media type: files of rows, and map sheets."""
ROWS_MAX = 2_000_000
BATCH = 5_000
KEPT_HOURS = 24
OPEN_MAX = 3
"""Exports a person may have waiting or running."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. `bbox` west, south, east, north in degrees; `filter` CQL2; `paper` and `title` are those of a map sheet (layers.sheet)."""

    layer: str
    format: str
    crs: str
    reason: str
    filter: str | None = None
    filter_lang: str = "cql2-text"
    bbox: tuple[float, float, float, float] | None = None
    paper: str = "A4"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """An export as stored. `state` queued, running, done, failed or expired (the file has gone)."""

    id: UUID
    staff_id: int
    layer: str
    format: str
    crs: str
    filter: str | None
    filter_lang: str
    bbox: tuple[float, ...] | None
    reason: str
    region_code: str
    state: str
    row_count: int
    bytes: int
    sha256: str
    error: str
    created_at: datetime
    finished_at: datetime | None
    paper: str
    title: str

    @property
    def file_name(self) -> str:
        """What the file is called when it is handed out: its number leads back to the row."""
        return f"{self.layer}-{self.crs.replace(':', '')}-{str(self.id)[:8]}{FORMATS[self.format][0]}"

    def path(self, data_dir: Path) -> Path:
        """Where the file lies."""
        return data_dir / "exports" / f"{self.id}{FORMATS[self.format][0]}"


async def request(connection: AsyncConnection, catalog: Catalog, scope: Scope, staff_id: int, wanted: Wanted) -> Export:
    """Stores and enqueues an export, after looking at all that can be wrong with it. Raises InvalidInput, NotFound, Conflict (too many at once)."""
    if wanted.format not in FORMATS:
        raise InvalidInput(f"格式 {wanted.format[:20]!r} 不提供 · the format is not offered", remedy=f"one of {', '.join(FORMATS)}")
    if wanted.crs not in FRAMES:
        raise InvalidInput(f"坐标系 {wanted.crs[:40]!r} 不提供 · the frame is not offered", remedy=f"one of {', '.join(FRAMES)}")
    reason = " ".join(wanted.reason.split())
    if not 2 <= len(reason) <= 400:
        raise InvalidInput("导出须写明用途（2–400 字）· an export says what it is for, in 2 to 400 characters", remedy="fill in reason")
    title = " ".join(wanted.title.split())
    if wanted.paper not in sheet.PAPERS or len(title) > 80:
        raise InvalidInput(f"纸张 {wanted.paper[:10]!r} 或标题（{len(title)} 字）不合 · paper or title does not fit", remedy=f"one of {', '.join(sheet.PAPERS)}; a title of at most 80 characters")
    of = await features.collection(connection, catalog, scope, wanted.layer)
    if wanted.crs == "GCJ-02" and not sheet_base.is_public(catalog, of):
        raise InvalidInput(f"图层 {of.id} 未公开，不能以 GCJ-02 导出 · only public layers are made in GCJ-02", remedy="choose EPSG:4490 or another true frame")
    features.asked(of, scope, _ask(wanted))
    waiting = await row(connection, "SELECT count(*) AS open FROM exports WHERE staff_id = %(staff)s AND state IN ('queued', 'running')", {"staff": staff_id})
    if waiting["open"] >= OPEN_MAX:
        raise Conflict(f"已有 {OPEN_MAX} 个导出在进行 · {OPEN_MAX} of your exports are under way", remedy="wait until one is done")
    found = await row(
        connection,
        """
        INSERT INTO exports (staff_id, layer, format, crs, filter, filter_lang, bbox, reason, region_code, paper, title)
        VALUES (%(staff)s, %(layer)s, %(format)s, %(crs)s, %(filter)s, %(lang)s, %(bbox)s, %(reason)s, %(region)s, %(paper)s, %(title)s) RETURNING *
        """,
        {
            "staff": staff_id, "layer": of.id, "format": wanted.format, "crs": wanted.crs, "filter": wanted.filter, "lang": wanted.filter_lang,
            "bbox": list(wanted.bbox) if wanted.bbox else None, "reason": reason, "region": scope.prefix, "paper": wanted.paper, "title": title,
        },
    )  # fmt: skip
    made = _export(found)
    await _audit(connection, staff_id, "export.asked", made)
    await jobs.enqueue(connection, "export_layer", {"export_id": str(made.id)}, lock=f"export-{staff_id}")
    return made


def _ask(wanted: Wanted | Export) -> Ask:
    node = None if wanted.filter is None else cql2.read(wanted.filter, wanted.filter_lang)
    return Ask(area=None if wanted.bbox is None else cql2.box(wanted.bbox), filter=node)


async def page(connection: AsyncConnection, staff_id: int, limit: int = 50, offset: int = 0) -> list[Export]:
    """A person's own exports, newest first."""
    query = "SELECT * FROM exports WHERE staff_id = %(staff)s ORDER BY created_at DESC, id LIMIT %(limit)s OFFSET %(offset)s"
    return [_export(found) for found in await rows(connection, query, {"staff": staff_id, "limit": limit, "offset": offset})]


async def get(connection: AsyncConnection, staff_id: int, export_id: UUID) -> Export:
    """One of a person's own exports. Raises NotFound, also for another person's."""
    found = await row(connection, "SELECT * FROM exports WHERE id = %(id)s AND staff_id = %(staff)s", {"id": export_id, "staff": staff_id})
    if found is None:
        raise NotFound(f"没有导出 {export_id} · no such export of yours", remedy="GET /api/exports lists them")
    return _export(found)


async def hand_out(connection: AsyncConnection, data_dir: Path, staff_id: int, export_id: UUID) -> tuple[Export, Path]:
    """The file of a finished export, audited. Raises NotFound, Conflict while it is not done."""
    found = await get(connection, staff_id, export_id)
    path = found.path(data_dir)
    if found.state != "done" or not path.exists():
        raise Conflict(f"导出 {found.state} · the export is {found.state}", remedy="wait for it, or ask again when it has expired")
    await _audit(connection, staff_id, "export.taken", found)
    return found, path


async def make(connection: AsyncConnection, catalog: Catalog, data_dir: Path, export_id: UUID) -> None:
    """Makes the file, in transactions of its own; running twice makes it twice the same. What goes wrong with the request becomes its error."""
    found = await row(connection, "UPDATE exports SET state = 'running' WHERE id = %(id)s AND state IN ('queued', 'running') RETURNING *", {"id": export_id})
    if found is None:
        return
    export = _export(found)
    person = await row(connection, "SELECT username, region_code, disabled FROM staff WHERE id = %(id)s", {"id": export.staff_id})
    await connection.commit()
    path = export.path(data_dir)
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    try:
        if person["disabled"] or not person["region_code"].startswith(export.region_code):
            raise NotFound("账号已停用或辖区已变 · the account was disabled or its region changed", remedy="ask again")
        count = await _write(connection, catalog, Scope(person["region_code"]), export, partial, person["username"])
        await connection.rollback()
        digest = await asyncio.to_thread(_hash, partial)
        size = partial.stat().st_size
        await asyncio.to_thread(partial.replace, path)
        query = "UPDATE exports SET state = 'done', row_count = %(rows)s, bytes = %(bytes)s, sha256 = %(sha)s, finished_at = now() WHERE id = %(id)s"
        await connection.execute(query, {"rows": count, "bytes": size, "sha": digest, "id": export.id})
    except HdqError as error:
        await connection.rollback()
        await connection.execute("UPDATE exports SET state = 'failed', error = %(error)s, finished_at = now() WHERE id = %(id)s", {"error": error.detail[:1000], "id": export.id})
    finally:
        partial.unlink(missing_ok=True)
    await connection.commit()


async def _write(connection: AsyncConnection, catalog: Catalog, scope: Scope, export: Export, path: Path, username: str) -> int:
    of = await features.collection(connection, catalog, scope, export.layer)
    if export.crs == "GCJ-02" and not sheet_base.is_public(catalog, of):
        raise InvalidInput(f"图层 {of.id} 未公开 · the layer is not public", remedy="choose a true frame")
    if export.format == "pdf":
        order = sheet.Order(_ask(export), export.crs, export.paper, export.title, export.filter or "", export.reason, export.id, username)
        return await sheet.make(connection, catalog, scope, of, order, path)
    watermark = f"海东青 {username} {export.created_at:%Y-%m-%d %H:%M}Z {export.reason} #{export.id}"
    made = writers.Made(path, of.id, export.crs, tuple((column.name, column.kind) for column in of.columns), watermark)
    writer = await asyncio.to_thread(writers.writer, export.format, made)
    count = 0
    try:
        async with connection.cursor(name="export_rows", binary=False) as cursor:
            await connection.execute("SET LOCAL statement_timeout = '30min'")
            await cursor.execute(*_query(of, scope, export))
            while found := await cursor.fetchmany(BATCH):
                count += len(found)
                if count > ROWS_MAX:
                    raise TooLarge(f"超过 {ROWS_MAX} 行 · more than {ROWS_MAX} rows", remedy="filter, or take a smaller box")
                await asyncio.to_thread(_batch, writer, found, export.crs)
    finally:
        await asyncio.to_thread(writer.close)
    return count


def _query(of: Collection, scope: Scope, export: Export) -> tuple[sql.Composed, dict]:
    conditions, parameters = features.asked(of, scope, _ask(export))
    columns = sql.SQL(", ").join([sql.SQL("id"), sql.SQL("ST_AsBinary({})").format(CRS84.expression(of.shape.sql, of.shape.srid)), *(column.sql for column in of.columns)])
    return sql.SQL("SELECT {}{} ORDER BY id").format(columns, conditions), parameters


def _batch(writer: writers.Writer, found: list[tuple], frame: str) -> None:
    shapes = np.asarray(shapely.from_wkb([one[1] for one in found]), dtype=object)
    columns = list(zip(*(one[2:] for one in found), strict=True)) if len(found[0]) > 2 else []
    writer.write([one[0] for one in found], shapes if frame in ("EPSG:4326", "EPSG:4490") else crs.from_storage(shapes, frame), columns)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def expire(connection: AsyncConnection, data_dir: Path) -> int:
    """Removes files older than KEPT_HOURS; their rows stay. Returns how many."""
    query = "UPDATE exports SET state = 'expired' WHERE state = 'done' AND finished_at < now() - make_interval(hours => %(hours)s) RETURNING *"
    gone = [_export(found) for found in await rows(connection, query, {"hours": KEPT_HOURS})]
    for export in gone:
        await asyncio.to_thread(export.path(data_dir).unlink, missing_ok=True)
    return len(gone)


async def _audit(connection: AsyncConnection, staff_id: int, action: str, export: Export) -> None:
    detail = {"layer": export.layer, "format": export.format, "crs": export.crs, "filter": export.filter, "reason": export.reason, "rows": export.row_count}
    await audit.note(connection, staff_id, action, str(export.id), detail)


def _export(found: dict) -> Export:
    return Export(**found | {"bbox": tuple(found["bbox"]) if found["bbox"] else None})
