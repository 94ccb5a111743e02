"""Imports that the coordinate firewall holds back: the only writer of `quarantine`. A held file is kept by its hash and has no row on the map."""

import json
import zlib
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from grid import audit, events, jobs
from grid.database import Scope
from grid.errors import Conflict, InvalidInput, NotFound
from grid.firewall import Verdict, words
from layers.reading.correcting import Correction

SHOWN_VECTORS, SHOWN_ROWS = 400, 200
REASON_MIN = 4
STATES = ("held", "fixed", "overridden", "discarded")


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows that lie right under another reading, as stored: see grid.firewall.Finding; `reading` is its key, `text` the sentence."""

    kind: str
    reading: str
    crs: str
    rows: int
    share: float
    shift_m: float | None
    reference: str | None
    gain: float | None
    decoy_gain: float | None
    declared_m: float | None
    proposed_m: float | None
    text: str
    text_en: str


@dataclass(frozen=True, slots=True)
class Vector:
    """Where a row of the file (1-based) lies as declared (None: nowhere on Earth) and where it would lie, lon and lat in degrees."""

    row: int
    reading: str
    stored: tuple[float, float] | None
    proposed: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Held:
    """A file in quarantine and, later, what was decided. `bbox` is where its rows would lie; `dataset_id` the dataset it becomes."""

    id: int
    dataset_id: str
    title: str
    state: str
    source_name: str
    source_sha256: str
    declared_crs: str
    crs_origin: str
    row_count: int
    findings: tuple[Finding, ...]
    spoke: str | None
    likelihood: float
    bbox: tuple[float, float, float, float] | None
    region_code: str
    created_at: datetime
    created_by_name: str
    decided_at: datetime | None
    decided_by_name: str
    reason: str

    @property
    def suspicious_rows(self) -> int:
        """Rows that would be read otherwise than declared."""
        return sum(f.rows for f in self.findings)


@dataclass(frozen=True, slots=True)
class Case:
    """What is needed to read the file again: who said what about it, and how to read each row."""

    about: dict[str, Any]
    options: dict[str, Any]
    correction: Correction


async def hold(
    connection: AsyncConnection,
    *,
    dataset_id: str,
    name: str,
    sha256: str,
    origin: str,
    about: dict[str, Any],
    options: dict[str, Any],
    shapes: NDArray[np.object_],
    verdict: Verdict,
    region_code: str,
) -> Held:
    """Stores a verdict; `shapes` are the file's own. The same file under the same title is held once. Publishes `dataset.quarantined`, last."""
    anchors = _anchors(shapes)
    vectors = _vectors(verdict, anchors)
    places = np.array([v.proposed for v in vectors] or [(np.nan, np.nan)])
    cursor = await connection.execute(
        """
        INSERT INTO quarantine (dataset_id, title, source_name, source_sha256, declared_crs, crs_origin, about, options, row_count, findings, spoke, likelihood,
            readings, choice, vectors, bbox, region_code, created_by)
        VALUES (%(dataset)s, %(title)s, %(name)s, %(sha256)s, %(crs)s, %(origin)s, %(about)s::jsonb, %(options)s::jsonb, %(rows)s, %(findings)s::jsonb, %(spoke)s,
            %(likelihood)s, %(readings)s, %(choice)s, %(vectors)s::jsonb, %(bbox)s, %(region)s, %(by)s)
        ON CONFLICT (dataset_id) WHERE state = 'held' DO NOTHING RETURNING id
        """,
        {
            "dataset": dataset_id,
            "title": about["title"],
            "name": name[:255],
            "sha256": sha256,
            "crs": verdict.declared.crs,
            "origin": origin,
            "about": json.dumps(about, ensure_ascii=False),
            "options": json.dumps(options, ensure_ascii=False),
            "rows": len(shapes),
            "findings": json.dumps([asdict(f) for f in _findings(verdict)], ensure_ascii=False),
            "spoke": verdict.spoke,
            "likelihood": verdict.likelihood,
            "readings": [r.key for r in verdict.readings],
            "choice": zlib.compress(verdict.choice.astype(np.int8).tobytes()),
            "vectors": json.dumps([{"row": v.row, "reading": v.reading, "from": v.stored, "to": v.proposed} for v in vectors]),
            "bbox": [float(v) for v in (*places.min(axis=0), *places.max(axis=0))] if vectors else None,
            "region": region_code,
            "by": about.get("created_by"),
        },
    )
    made = await cursor.fetchone()
    if made is None:
        cursor = await connection.execute("SELECT id FROM quarantine WHERE dataset_id = %(id)s AND state = 'held'", {"id": dataset_id})
        made = await cursor.fetchone()
        return await get(connection, Scope("3702"), made[0])
    held = await get(connection, Scope("3702"), made[0])
    await _audit(connection, about.get("created_by"), "dataset.quarantine", held, {"rows": held.suspicious_rows, "sha256": sha256})
    await events.publish(connection, "dataset.quarantined", held.id, region_code, {"title": held.title, "rows": held.suspicious_rows})
    return held


_SELECT = """
    SELECT q.id, q.dataset_id, q.title, q.state, q.source_name, q.source_sha256, q.declared_crs, q.crs_origin, q.row_count, q.findings, q.spoke, q.likelihood,
        q.bbox, q.region_code, q.created_at, coalesce(made.name, '') AS created_by_name, q.decided_at, coalesce(decided.name, '') AS decided_by_name, q.reason
    FROM quarantine AS q LEFT JOIN staff AS made ON made.id = q.created_by LEFT JOIN staff AS decided ON decided.id = q.decided_by
    WHERE q.region_code LIKE %(scope)s
"""


async def page(connection: AsyncConnection, scope: Scope, state: str | None = None) -> list[Held]:
    """What is or was held and lies wholly inside the caller's region, newest first; of one state or all."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _SELECT + "AND (%(state)s::text IS NULL OR q.state = %(state)s) ORDER BY q.created_at DESC, q.id DESC LIMIT 200", {"scope": scope.like, "state": state}
        )
        return [_held(row) for row in await cursor.fetchall()]


async def get(connection: AsyncConnection, scope: Scope, quarantine_id: int) -> Held:
    """One. Raises NotFound, also outside the scope."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SELECT + "AND q.id = %(id)s", {"scope": scope.like, "id": quarantine_id})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"没有隔离记录 {quarantine_id} · nothing in quarantine under this number", remedy="GET /api/quarantine lists them")
    return _held(found)


async def vectors(connection: AsyncConnection, scope: Scope, quarantine_id: int) -> list[Vector]:
    """A sample of the shifts that the fix would make. Raises NotFound."""
    await get(connection, scope, quarantine_id)
    cursor = await connection.execute("SELECT vectors FROM quarantine WHERE id = %(id)s", {"id": quarantine_id})
    (found,) = await cursor.fetchone()
    return [Vector(v["row"], v["reading"], None if v["from"] is None else tuple(v["from"]), tuple(v["to"])) for v in found]


async def rows(connection: AsyncConnection, scope: Scope, quarantine_id: int) -> list[tuple[int, str]]:
    """The first of the suspicious rows: 1-based number in the file, and the key of the reading that puts it right. Raises NotFound."""
    await get(connection, scope, quarantine_id)
    found = (await case(connection, quarantine_id)).correction
    flagged = np.flatnonzero(found.choice)[:SHOWN_ROWS]
    return [(int(i) + 1, found.readings[found.choice[i]]) for i in flagged]


async def case(connection: AsyncConnection, quarantine_id: int) -> Case:
    """How to read the file again."""
    cursor = await connection.execute("SELECT about, options, readings, choice FROM quarantine WHERE id = %(id)s", {"id": quarantine_id})
    about, options, readings, choice = await cursor.fetchone()
    return Case(about, options, Correction(tuple(readings), np.frombuffer(zlib.decompress(choice), dtype=np.int8)))


async def decide(connection: AsyncConnection, held: Held, state: str, reason: str, staff_id: int | None) -> bool:
    """Writes a decision once: False when the same was decided before. Raises Conflict when another was, InvalidInput for an override without a reason."""
    reason = " ".join(reason.split())
    if state == "overridden" and len(reason) < REASON_MIN:
        raise InvalidInput(f"坚持原坐标须说明理由 · an override needs a reason: {reason!r}", remedy=f"至少 {REASON_MIN} 个字 · at least {REASON_MIN} characters")
    cursor = await connection.execute("SELECT state FROM quarantine WHERE id = %(id)s FOR UPDATE", {"id": held.id})
    (now,) = await cursor.fetchone()
    if now == state:
        return False
    if now != "held":
        raise Conflict(f"隔离记录 {held.id} 已处理（{now}）· was decided already: {now}", remedy="重新读取后再看 · read it again", state=now)
    await connection.execute(
        "UPDATE quarantine SET state = %(state)s, reason = %(reason)s, decided_by = %(by)s, decided_at = now() WHERE id = %(id)s",
        {"state": state, "reason": reason, "by": staff_id, "id": held.id},
    )
    await _audit(connection, staff_id, f"dataset.{state}", held, {"reason": reason, "rows": held.suspicious_rows, "readings": [f.reading for f in held.findings]})
    if state == "discarded":
        await jobs.enqueue(connection, "dataset_originals", queueing_lock="dataset_originals")
        await events.publish(connection, "dataset.discarded", held.id, held.region_code, {"title": held.title})
    return True


async def _audit(connection: AsyncConnection, staff_id: int | None, action: str, held: Held, detail: dict[str, Any]) -> None:
    """One line of the audit log."""
    await audit.note(connection, staff_id, action, f"quarantine/{held.id}", {"title": held.title, **detail})


def _held(row: dict[str, Any]) -> Held:
    return Held(**{**row, "findings": tuple(Finding(**f) for f in row["findings"]), "bbox": None if row["bbox"] is None else tuple(row["bbox"])})


def _findings(verdict: Verdict) -> list[Finding]:
    found = []
    for f in verdict.findings:
        zh, en = words.finding(f)
        shift = f.shift_m if np.isfinite(f.shift_m) else None
        found.append(
            Finding(f.kind, f.reading.key, f.reading.crs, f.rows, f.share, shift, f.reference, f.gain, f.decoy_gain, f.declared_m, f.proposed_m, zh, en)
        )
    return found


def _anchors(shapes: NDArray[np.object_]) -> NDArray[np.float64]:
    """A point of each row in the file's own numbers; NaN where there is no shape."""
    middles = shapely.centroid(np.where(shapely.is_missing(shapes), shapely.Point(), shapes))
    return np.column_stack([shapely.get_x(middles), shapely.get_y(middles)]) if len(shapes) else np.empty((0, 2))


def _vectors(verdict: Verdict, anchors: NDArray[np.float64]) -> list[Vector]:
    """Shifts spread over the rows of each finding."""
    found = []
    for f in verdict.findings:
        index = verdict.readings.index(f.reading)
        mine = np.flatnonzero(verdict.choice == index)
        mine = mine[:: max(1, -(-len(mine) * len(verdict.findings) // SHOWN_VECTORS))]
        was, now = verdict.declared.place(*anchors[mine].T), f.reading.place(*anchors[mine].T)
        for row, a, b, x, y in zip(mine.tolist(), *(v.tolist() for v in (*was, *now)), strict=True):
            if np.isfinite(x) and np.isfinite(y):
                on_earth = np.isfinite(a) and np.isfinite(b) and abs(a) <= 180 and abs(b) <= 90
                found.append(Vector(row + 1, f.reading.key, (a, b) if on_earth else None, (x, y)))
    return found
