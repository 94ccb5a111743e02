"""Observations: one finding by one sensor, as it is handed in, stored and read back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry

from grid import clock
from grid.database import Scope, rows

Identity = tuple[str, str, int]
"""Source, source_event_id, and the number of the month."""
SENSOR_KINDS = ("satellite", "camera", "drone", "person", "device")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a sensor found, before intake has looked at it.

    `source` + `source_event_id` name it for ever. `place` is the best point (lon, lat degrees), `accuracy_m` the radius that holds the truth
    9 times of 10, `footprint` where it may be (pixel, wedge, polygon). `bearing_deg` is clockwise from true north as seen from camera
    `camera_id`, one standard deviation `bearing_sigma_deg`. `boxes`: {evidence, box: [x0, y0, x1, y1] as fractions, class, score}.
    """

    source: str
    source_event_id: str
    sensor_kind: str
    kind: str
    score: float
    recorded_at: datetime
    place: shapely.Point
    accuracy_m: float
    class_name: str = ""
    algorithm: str = ""
    model_version: str = ""
    model_hash: str = ""
    footprint: BaseGeometry | None = None
    camera_id: int | None = None
    bearing_deg: float | None = None
    bearing_sigma_deg: float | None = None
    evidence: tuple[str, ...] = ()
    boxes: tuple[dict, ...] = ()
    properties: dict = field(default_factory=dict)
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a finding: its row id, and whether it is new or was known already under the same two ids."""

    id: int
    source: str
    source_event_id: str
    new: bool
    region_code: str
    cell_code: str | None


@dataclass(frozen=True, slots=True)
class Observation:
    """A stored finding. `geom` is the best point; `mast` the camera's own place when a camera saw it."""

    id: int
    source: str
    source_event_id: str
    sensor_kind: str
    kind: str
    class_name: str
    score: float
    recorded_at: datetime
    received_at: datetime
    algorithm: str
    model_version: str
    model_hash: str
    accuracy_m: float
    camera_id: int | None
    camera_name: str | None
    camera_kind: str | None
    bearing_deg: float | None
    bearing_sigma_deg: float | None
    evidence: list[str]
    boxes: list[dict]
    properties: dict
    region_code: str
    cell_code: str | None
    alert_id: int | None
    fused_at: datetime | None
    simulated: bool
    geom: shapely.Point
    footprint: BaseGeometry | None
    mast: shapely.Point | None

    @property
    def sensor(self) -> str:
        """Key of the calibration table: the camera when one saw it, else the kind of sensor and its source."""
        return sensor_of(self.sensor_kind, self.source, self.camera_id)


def identity(source: str, source_event_id: str, recorded_at: datetime) -> Identity:
    """What a finding is known by, when it comes again: its two ids and the month of its time, in Shanghai.

    >>> identity("a", "1", datetime.fromisoformat("2026-10-31T23:59:59+08:00")), identity("a", "1", datetime.fromisoformat("2026-10-31T16:00:00Z"))
    (('a', '1', 24321), ('a', '1', 24322))
    """
    local = recorded_at.astimezone(clock.ZONE)
    return source, source_event_id, local.year * 12 + local.month - 1


def sensor_of(sensor_kind: str, source: str, camera_id: int | None) -> str:
    """Whose record a verdict goes on.

    >>> sensor_of("camera", "watch", 12), sensor_of("satellite", "landsat-8", None), sensor_of("person", "person:7", None)
    ('camera:12', 'satellite:landsat-8', 'person:7')
    """
    return f"camera:{camera_id}" if camera_id is not None else f"{sensor_kind}:{source.removeprefix(sensor_kind + ':')}"


SELECT = """
    SELECT o.id, o.source, o.source_event_id, o.sensor_kind, o.kind, o.class AS class_name, o.score, o.recorded_at, o.received_at,
           o.algorithm, o.model_version, o.model_hash, o.accuracy_m, o.camera_id, c.name AS camera_name, c.kind AS camera_kind,
           o.bearing_deg, o.bearing_sigma_deg, o.evidence, o.boxes, o.properties, o.region_code, o.cell_code, o.alert_id, o.fused_at,
           o.simulated, o.geom, o.footprint, c.geom AS mast
    FROM observations o LEFT JOIN cameras c ON c.id = o.camera_id
"""
"""Reads whole observations; the reader adds WHERE, ORDER BY and LIMIT on alias o."""

_RECORD = """
    source text, source_event_id text, sensor_kind text, kind text, class text, score real, recorded_at timestamptz, algorithm text,
    model_version text, model_hash text, accuracy_m real, camera_id bigint, bearing_deg real, bearing_sigma_deg real, evidence text[],
    boxes jsonb, properties jsonb, region_code text, cell_code text, simulated boolean, geom geometry, footprint geometry
"""


async def insert(
    connection: AsyncConnection, findings: Sequence[Finding], places: Sequence[tuple[str, str | None]], properties: Sequence[dict]
) -> dict[Identity, tuple[int, str, str | None]]:
    """Stores findings with their (region_code, cell_code) in one statement; known ones stay as they are. Returns what is new, as `known` does.

    Rows go in by key order, so that two batches which share keys never wait for each other in a ring.
    """
    order = sorted(range(len(findings)), key=lambda i: (findings[i].source, findings[i].source_event_id))
    records = [_record(findings[i], places[i], properties[i]) for i in order]
    cursor = await connection.execute(
        f"""
        INSERT INTO observations (source, source_event_id, sensor_kind, kind, class, score, recorded_at, algorithm, model_version, model_hash,
            accuracy_m, camera_id, bearing_deg, bearing_sigma_deg, evidence, boxes, properties, region_code, cell_code, simulated, geom, footprint)
        SELECT * FROM jsonb_to_recordset(%(records)s::jsonb) AS r ({_RECORD})
        ON CONFLICT DO NOTHING
        RETURNING source, source_event_id, recorded_at, id, region_code, cell_code
        """,
        {"records": json.dumps(records, ensure_ascii=False, allow_nan=False)},
    )
    return {identity(source, event, at): place for source, event, at, *place in await cursor.fetchall()}


def _record(finding: Finding, place: tuple[str, str | None], properties: dict) -> dict:
    return {
        "source": finding.source,
        "source_event_id": finding.source_event_id,
        "sensor_kind": finding.sensor_kind,
        "kind": finding.kind,
        "class": finding.class_name,
        "score": float(finding.score),
        "recorded_at": finding.recorded_at.isoformat(),
        "algorithm": finding.algorithm,
        "model_version": finding.model_version,
        "model_hash": finding.model_hash,
        "accuracy_m": float(finding.accuracy_m),
        "camera_id": finding.camera_id,
        "bearing_deg": finding.bearing_deg,
        "bearing_sigma_deg": finding.bearing_sigma_deg,
        "evidence": list(finding.evidence),
        "boxes": list(finding.boxes),
        "properties": properties,
        "region_code": place[0],
        "cell_code": place[1],
        "simulated": finding.simulated,
        "geom": _hex(finding.place),
        "footprint": None if finding.footprint is None else _hex(finding.footprint),
    }


def _hex(geometry: BaseGeometry) -> str:
    return shapely.to_wkb(shapely.set_srid(shapely.force_2d(geometry), 4326), hex=True, include_srid=True)


async def make_month(connection: AsyncConnection, ahead: int = 3) -> str | None:
    """Makes the first missing partition of this month and of so many after it, in the caller's transaction, which then ends at once: until it does, nobody writes
    the tables that the partition's foreign keys name. Returns its name. Raises psycopg's LockNotAvailable after half a second of waiting."""
    cursor = await connection.execute("SELECT hdq_observation_month(%(ahead)s)", {"ahead": ahead})
    (name,) = await cursor.fetchone()
    return name


async def known(connection: AsyncConnection, sources: Sequence[str], events: Sequence[str]) -> dict[Identity, tuple[int, str, str | None]]:
    """(id, region_code, cell_code) of the stored rows of such ids, in whichever month."""
    cursor = await connection.execute(
        """
        SELECT o.source, o.source_event_id, o.recorded_at, o.id, o.region_code, o.cell_code
        FROM unnest(%(sources)s::text[], %(events)s::text[]) AS k (source, event) JOIN observations o ON (o.source, o.source_event_id) = (k.source, k.event)
        """,
        {"sources": list(sources), "events": list(events)},
    )
    return {identity(source, event, at): place for source, event, at, *place in await cursor.fetchall()}


async def pending(connection: AsyncConnection, limit: int, kinds: Sequence[str] | None = None) -> list[Observation]:
    """Up to `limit` observations (of some kinds) that no rule has judged yet, oldest row first, locked; those another transaction holds are left to it."""
    of_kind = "" if kinds is None else "AND o.kind = ANY(%(kinds)s)"
    async with connection.cursor(row_factory=class_row(Observation)) as cursor:
        await cursor.execute(
            f"{SELECT} WHERE o.fused_at IS NULL {of_kind} ORDER BY o.id LIMIT %(limit)s FOR NO KEY UPDATE OF o SKIP LOCKED",
            {"limit": limit, "kinds": None if kinds is None else list(kinds)},
        )
        return await cursor.fetchall()


async def count_pending(connection: AsyncConnection) -> int:
    """How many observations wait for a rule."""
    cursor = await connection.execute("SELECT count(*) FROM observations WHERE fused_at IS NULL")
    (count,) = await cursor.fetchone()
    return count


async def judged(connection: AsyncConnection, outcomes: Sequence[tuple[int, int | None, dict]]) -> None:
    """Writes what became of observations: (id, alert id or None, notes to add, for example why it opened nothing). An earlier note goes."""
    await connection.execute(
        """
        UPDATE observations o SET fused_at = clock_timestamp(), alert_id = k.alert_id, properties = (o.properties - 'held' - 'suppressed') || k.note
        FROM unnest(%(ids)s::bigint[], %(alerts)s::bigint[], %(notes)s::jsonb[]) AS k (id, alert_id, note) WHERE o.id = k.id
        """,
        {"ids": [o[0] for o in outcomes], "alerts": [o[1] for o in outcomes], "notes": [json.dumps(o[2], ensure_ascii=False) for o in outcomes]},
    )


async def loose(connection: AsyncConnection, ids: Sequence[int], kinds: Sequence[str], reach_m: float, slack_s: float) -> dict[int, list[Observation]]:
    """For each of some observations (ids), the 50 newest judged ones of these kinds within metres and seconds of it that opened nothing and are not
    suppressed: they may yet help it to open. Those without any are left out."""
    pairs = await rows(
        connection,
        """
        SELECT n.id AS near, l.id FROM observations n CROSS JOIN LATERAL (
            SELECT o.id, o.recorded_at FROM observations o
            WHERE o.alert_id IS NULL AND o.fused_at IS NOT NULL AND o.properties ? 'held' AND o.kind = ANY(%(kinds)s)
              AND o.recorded_at BETWEEN n.recorded_at - make_interval(secs => %(slack)s) AND n.recorded_at + make_interval(secs => %(slack)s)
              AND o.geom && ST_Expand(n.geom, %(degrees)s) AND ST_DWithin(o.geom::geography, n.geom::geography, %(reach)s)
            ORDER BY o.recorded_at DESC LIMIT 50
        ) l WHERE n.id = ANY(%(ids)s) ORDER BY n.id, l.recorded_at DESC
        """,
        {"ids": list(ids), "kinds": list(kinds), "slack": slack_s, "reach": reach_m, "degrees": reach_m / 80_000.0},
    )
    async with connection.cursor(row_factory=class_row(Observation)) as cursor:
        await cursor.execute(f"{SELECT} WHERE o.id = ANY(%(ids)s)", {"ids": list({pair["id"] for pair in pairs})})
        stored = {o.id: o for o in await cursor.fetchall()}
    found: dict[int, list[Observation]] = {}
    for pair in pairs:
        found.setdefault(pair["near"], []).append(stored[pair["id"]])
    return found


async def of_alerts(connection: AsyncConnection, alert_ids: Sequence[int], most_of_one: int) -> dict[int, list[Observation]]:
    """The newest observations of each sensor behind each alert, in time order: what its place and probability are computed from."""
    async with connection.cursor(row_factory=class_row(Observation)) as cursor:
        await cursor.execute(
            SELECT
            + """
            WHERE o.id IN (
                SELECT id FROM (
                    SELECT id, row_number() OVER (PARTITION BY alert_id, sensor_kind, source, camera_id ORDER BY recorded_at DESC, id DESC) AS place
                    FROM observations WHERE alert_id = ANY(%(ids)s)
                ) ranked WHERE place <= %(most)s
            ) ORDER BY o.recorded_at, o.id
            """,
            {"ids": list(alert_ids), "most": most_of_one},
        )
        found: dict[int, list[Observation]] = {alert_id: [] for alert_id in alert_ids}
        for observation in await cursor.fetchall():
            found[observation.alert_id].append(observation)
        return found


async def page(
    connection: AsyncConnection,
    scope: Scope,
    *,
    alert_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 200,
) -> list[Observation]:
    """Observations inside the scope, newest first; of one alert, or received in a span of time (`until` exclusive)."""
    async with connection.cursor(row_factory=class_row(Observation)) as cursor:
        await cursor.execute(
            SELECT
            + """
            WHERE o.region_code LIKE %(scope)s AND (%(alert_id)s::bigint IS NULL OR o.alert_id = %(alert_id)s)
              AND (%(since)s::timestamptz IS NULL OR o.received_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR o.received_at < %(until)s)
            ORDER BY o.id DESC LIMIT %(limit)s
            """,
            {"scope": scope.like, "alert_id": alert_id, "since": since, "until": until, "limit": limit},
        )
        return await cursor.fetchall()
