"""Verdicts of people on alerts. True opens a case; every verdict is a label; ten seconds long it can be taken back."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import AsyncConnection

from grid.casework import cases, patch_rows
from grid.database import Scope, row
from grid.errors import Conflict, IllegalStep, InvalidInput, NotFound
from grid.sensing import alerts, calibration, rollout_rows, rules

UNDO = timedelta(seconds=10)
STATE_AFTER = {"true": "confirmed", "false": "dismissed", "other": "dismissed", "unsure": "acknowledged"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement: verdict true, false, other or unsure; false wants a reason. `version` is that of the alert as it was seen."""

    verdict: str
    reason: str = ""
    note: str = ""
    category_code: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What a verdict did; it may be undone until `undo_until`."""

    decision_id: int
    case_id: int | None
    undo_until: datetime


async def decide(connection: AsyncConnection, scope: Scope, staff_id: int, alert_id: int, verdict: Verdict, *, of_patches: bool = True) -> Decided:
    """Judges an alert in one transaction, and with it its undecided patches unless not `of_patches`. Raises NotFound, Conflict (it changed meanwhile), IllegalStep (judged already), InvalidInput."""
    alert = await row(
        connection, "SELECT * FROM alerts WHERE id = %(id)s AND region_code LIKE %(scope)s FOR UPDATE", {"id": alert_id, "scope": scope.like}
    )
    if alert is None:
        raise NotFound(f"no alert {alert_id}")
    if alert["state"] not in ("open", "acknowledged"):
        raise IllegalStep(f"alert {alert_id} is {alert['state']} already", remedy="undo the earlier verdict within 10 s, or work on its case")
    if verdict.version is not None and verdict.version != alert["version"]:
        raise Conflict(f"alert {alert_id} has new evidence (version {alert['version']}, you saw {verdict.version})", remedy="look at it again")
    if verdict.verdict == "false" and not verdict.reason:
        raise InvalidInput("a false alarm needs a reason", remedy="send reason, for example cloud, chimney, dust, reflection")
    case_id = None
    if verdict.verdict in ("true", "false"):
        await calibration.record(connection, alert_id, hit=verdict.verdict == "true")
    if verdict.verdict == "true":
        rule = rules.every()[alert["rule_id"]]
        is_patch = await row(
            connection,
            "SELECT 1 FROM alert_patches WHERE alert_id = %(id)s LIMIT 1",
            {"id": alert_id},
        )
        case_id = await cases.open_case(
            connection,
            cases.Opening(
                category_code=verdict.category_code or rule.category_code,
                title=alert["title"],
                origin="patch" if is_patch else "alert",
                place=alert["geom"],
                accuracy_m=alert["accuracy_m"],
                state="filed",
                description=verdict.note,
                alert_id=alert_id,
                by=staff_id,
                urgent=alert["severity"] == 1,
                simulated=alert["simulated"],
            ),
        )
    cursor = await connection.execute(
        """
        INSERT INTO decisions (alert_id, verdict, reason, note, previous_state, case_id, staff_id)
        VALUES (%(alert)s, %(verdict)s, %(reason)s, %(note)s, %(state)s, %(case)s, %(staff)s) RETURNING id, at
        """,
        {
            "alert": alert_id,
            "verdict": verdict.verdict,
            "reason": verdict.reason,
            "note": verdict.note,
            "state": alert["state"],
            "case": case_id,
            "staff": staff_id,
        },
    )
    decision_id, at = await cursor.fetchone()
    changed = await patch_rows.follow(connection, alert_id, decision_id) if of_patches and verdict.verdict != "unsure" else []
    await alerts.set_state(connection, alert_id, STATE_AFTER[verdict.verdict], by=staff_id)
    await patch_rows.announce(connection, *changed)
    return Decided(decision_id, case_id, at + UNDO)


async def undo(connection: AsyncConnection, scope: Scope, staff_id: int, alert_id: int) -> None:
    """Takes back one's own last verdict within ten seconds: the alert as before, its case cancelled, the label removed.

    Raises NotFound or IllegalStep (too late, not yours, nothing to undo, or the case went on already).
    """
    decision = await row(
        connection,
        """
        SELECT decisions.*, alerts.region_code FROM decisions JOIN alerts ON alerts.id = decisions.alert_id
        WHERE alert_id = %(id)s AND alerts.region_code LIKE %(scope)s AND undone_at IS NULL ORDER BY decisions.id DESC LIMIT 1 FOR UPDATE
        """,
        {"id": alert_id, "scope": scope.like},
    )
    if decision is None:
        raise NotFound(f"no verdict on alert {alert_id} to undo")
    if decision["staff_id"] != staff_id:
        raise IllegalStep("this verdict is another person's", remedy="ask them, or decide on the case")
    if datetime.now(UTC) > decision["at"] + UNDO:
        raise IllegalStep("ten seconds have passed", remedy="cancel the case, or file a new verdict there")
    if decision["verdict"] in ("true", "false"):
        await calibration.record(connection, alert_id, hit=decision["verdict"] == "true", undo=True)
    if decision["case_id"] is not None and not await cases.take_back(connection, decision["case_id"], staff_id):
        raise IllegalStep("the case was dispatched already", remedy="work on the case")
    await connection.execute("UPDATE decisions SET undone_at = clock_timestamp() WHERE id = %(id)s", {"id": decision["id"]})
    await rollout_rows.ask(connection, alert_id)
    changed = await patch_rows.reopen(connection, staff_id, decision_id=decision["id"])
    await alerts.set_state(connection, alert_id, decision["previous_state"], by=None)
    await patch_rows.announce(connection, *changed)


async def undo_until(connection: AsyncConnection, staff_id: int, alert_id: int) -> datetime | None:
    """Until when this person may take back the alert's verdict; None when there is nothing to take back."""
    found = await row(
        connection,
        "SELECT at FROM decisions WHERE alert_id = %(id)s AND staff_id = %(staff)s AND undone_at IS NULL ORDER BY id DESC LIMIT 1",
        {"id": alert_id, "staff": staff_id},
    )
    if found is None or datetime.now(UTC) > found["at"] + UNDO:
        return None
    return found["at"] + UNDO
