"""Verdicts of rules on alerts, kept with their history: judged when the alert changes, judged again when a register under it is corrected, flagged when they flip."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime

import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid import events, jobs
from grid.casework.legality.judge import Finding, alert_shape, judge
from grid.casework.legality.lines import LegalityLine, compose
from grid.casework.legality.rule import Rule
from grid.database import Scope, rows
from grid.sensing import alerts

AT_ONCE = 100
LOCK = 0x4C454741
"""Advisory lock: shared by those who judge, alone for the one who looks for what to judge again, who else would not see a judgement that is being written."""
_KEPT = ("rule_version", "verdict", "reason", "clause", "area_m2", "open_m2", "categories", "names", "permits", "on_day")


@dataclass(frozen=True, slots=True)
class Flip:
    """A verdict that turned when a register was corrected; `decided_by` (a register) in its `version` decided it anew."""

    alert_id: int
    title: str
    title_en: str
    place: str
    lon: float
    lat: float
    rule_id: str
    flipped_from: str
    verdict: str
    decided_by: str
    version: int | None
    judged_at: datetime


async def context(connection: AsyncConnection, geometry: shapely.Geometry, kind: str, on: date) -> list[LegalityLine]:
    """Lines for a polygon or point (EPSG:4326) found as event `kind` on a day."""
    return compose(await judge(connection, geometry, kind, on))


async def enrich(connection: AsyncConnection, alert_id: int, rules: Mapping[str, Rule] | None = None) -> list[LegalityLine]:
    """Judges an alert and stores what changed. Running twice is the same: an equal verdict is not written again.

    A verdict flips when it differs from the one before of the same shape, kind and rule version: then a register was corrected, not the finding.
    """
    alert = await alert_shape(connection, alert_id)
    if alert is None:
        return []
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%(key)s)", {"key": LOCK})
    same = await _claim(connection, alert_id, alert)
    findings = await judge(connection, alert["place"], alert["kind"], alert["day"], measured=alert["measured"], rules=rules)
    before = {r["rule_id"]: r for r in await rows(connection, "SELECT * FROM legality_verdicts WHERE alert_id = %(id)s AND superseded_at IS NULL", {"id": alert_id})}
    flipped, turned = {}, {}
    for finding in findings:
        old = before.pop(finding.rule.id, None)
        comparable = old is not None and same and old["rule_version"] == finding.rule.version
        record = _record(finding, alert["day"])
        if comparable and all(_same(old[name], record[name]) for name in _KEPT):
            flipped |= {finding.rule.id: old["flipped_from"]} if old["flipped_from"] else {}
            continue
        turn = old["verdict"] if comparable and old["verdict"] != finding.verdict else old["flipped_from"] if comparable else None
        flipped |= {finding.rule.id: turn} if turn else {}
        turned |= {finding.rule.id: (turn, finding)} if comparable and old["verdict"] != finding.verdict else {}
        await _write(connection, alert_id, record, turn)
    await _retire(connection, alert_id, list(before))
    lines = compose(findings, flipped)
    await alerts.set_legality(connection, alert_id, [asdict(line) for line in lines])
    for rule_id, (turn, finding) in sorted(turned.items()):
        payload = {"rule": rule_id, "from": turn, "to": finding.verdict, "register": finding.decided_by, "version": finding.versions.get(finding.decided_by)}
        await events.publish(connection, "legality.flipped", alert_id, alert["region_code"], payload)
    return lines


async def rejudge(connection: AsyncConnection) -> int:
    """Asks for the alerts under register versions that nobody has answered yet to be judged again, one `enrich` job each. Returns how many.

    Versions are ticked off in the same transaction, so each is answered once, and one that commits late is found by the next run.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": LOCK})
    due = await rows(
        connection,
        """
        WITH due AS (
            SELECT id, area FROM register_versions WHERE judged_at IS NULL ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
        ), ticked AS (
            UPDATE register_versions SET judged_at = now() FROM due WHERE register_versions.id = due.id RETURNING register_versions.id
        )
        SELECT DISTINCT j.alert_id FROM legality_judgements AS j JOIN due ON due.area IS NULL OR ST_Intersects(j.geom, due.area)
        WHERE EXISTS (SELECT FROM ticked) ORDER BY j.alert_id
        """,
        {"most": AT_ONCE},
    )
    for found in due:
        await jobs.enqueue(connection, "enrich", {"alert_id": found["alert_id"]}, queueing_lock=f"enrich:{found['alert_id']}")
    return len(due)


async def flips(connection: AsyncConnection, scope: Scope, limit: int = 100) -> list[Flip]:
    """Verdicts in force that flipped when a register was corrected, newest first."""
    async with connection.cursor(row_factory=class_row(Flip)) as cursor:
        await cursor.execute(
            """
            SELECT v.alert_id, alerts.title, alerts.title_en, alerts.place_name AS place, ST_X(alerts.geom) AS lon, ST_Y(alerts.geom) AS lat, v.rule_id, v.flipped_from, v.verdict, v.decided_by, (v.versions ->> v.decided_by)::bigint AS version, v.judged_at
            FROM legality_verdicts AS v JOIN alerts ON alerts.id = v.alert_id
            WHERE v.flipped_from IS NOT NULL AND v.superseded_at IS NULL AND alerts.region_code LIKE %(scope)s ORDER BY v.judged_at DESC, v.id DESC LIMIT %(limit)s
            """,
            {"scope": scope.like, "limit": limit},
        )
        return await cursor.fetchall()


async def _claim(connection: AsyncConnection, alert_id: int, alert: dict) -> bool:
    """Locks the alert's judgement for this transaction and brings it up to date. True when it was of the same shape, kind and day before."""
    cursor = await connection.execute(
        """
        WITH before AS (SELECT kind, on_day, geom FROM legality_judgements WHERE alert_id = %(id)s FOR UPDATE), written AS (
            INSERT INTO legality_judgements (alert_id, kind, on_day, measured, geom) VALUES (%(id)s, %(kind)s, %(day)s, %(measured)s, %(place)s)
            ON CONFLICT (alert_id) DO UPDATE SET kind = EXCLUDED.kind, on_day = EXCLUDED.on_day, measured = EXCLUDED.measured, geom = EXCLUDED.geom, judged_at = now()
        )
        SELECT kind = %(kind)s AND on_day = %(day)s AND ST_AsBinary(geom) = ST_AsBinary(%(place)s::geometry) FROM before
        """,
        {"id": alert_id, "kind": alert["kind"], "day": alert["day"], "measured": alert["measured"], "place": alert["place"]},
    )
    found = await cursor.fetchone()
    return found is not None and found[0]


def _record(finding: Finding, day: date) -> dict:
    categories = [{"category": c.category, "area_m2": c.area_m2, "mu": c.mu, "open_m2": c.open_m2} for c in finding.categories]
    return {
        "rule_id": finding.rule.id,
        "rule_version": finding.rule.version,
        "verdict": finding.verdict,
        "reason": finding.reason,
        "clause": finding.clause,
        "area_m2": finding.area_m2,
        "open_m2": finding.open_m2,
        "categories": categories,
        "names": list(finding.names),
        "permits": list(finding.permits),
        "versions": dict(finding.versions),
        "decided_by": finding.decided_by,
        "on_day": day,
    }


def _same(old: object, new: object) -> bool:
    """Equal, where areas may differ by what arithmetic leaves: one part in 10⁹."""
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) <= 1e-9 * max(abs(old), abs(new), 1.0)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(_same(a, b) for a, b in zip(old, new, strict=True))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    return old == new


async def _retire(connection: AsyncConnection, alert_id: int, rule_ids: list[str]) -> None:
    await connection.execute(
        "UPDATE legality_verdicts SET superseded_at = now() WHERE alert_id = %(id)s AND rule_id = ANY(%(rules)s) AND superseded_at IS NULL",
        {"id": alert_id, "rules": rule_ids},
    )


async def _write(connection: AsyncConnection, alert_id: int, record: dict, flipped_from: str | None) -> None:
    await _retire(connection, alert_id, [record["rule_id"]])
    await connection.execute(
        """
        INSERT INTO legality_verdicts (alert_id, rule_id, rule_version, verdict, reason, clause, area_m2, open_m2, categories, names, permits, versions, decided_by, on_day, flipped_from)
        VALUES (%(alert_id)s, %(rule_id)s, %(rule_version)s, %(verdict)s, %(reason)s, %(clause)s, %(area_m2)s, %(open_m2)s, %(categories)s::jsonb, %(names)s, %(permits)s,
                %(versions)s::jsonb, %(decided_by)s, %(on_day)s, %(flipped_from)s)
        """,
        {
            **record,
            "alert_id": alert_id,
            "flipped_from": flipped_from,
            "categories": json.dumps(record["categories"], ensure_ascii=False),
            "versions": json.dumps(record["versions"]),
        },
    )
