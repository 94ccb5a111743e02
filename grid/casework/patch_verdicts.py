"""What a person says of a patch: true opens the case of the field task, false wants a reason; for ten seconds it can be taken back."""

from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import AsyncConnection

from grid.casework import cases, decisions, patch_rows
from grid.casework.decisions import UNDO, Verdict
from grid.database import Scope, row, rows
from grid.errors import IllegalStep, InvalidInput
from grid.sensing import rules

CATEGORY = "01080"
"""The event class of a case where no rule knows the kind of the change: that of land changes."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a verdict on a patch did; it may be taken back until `undo_until`."""

    state: str
    case_id: int | None
    undo_until: datetime


async def decide(connection: AsyncConnection, scope: Scope, staff_id: int, patch_id: int, verdict: str, reason: str, note: str = "", version: int | None = None) -> Answered:
    """Confirms (`true`) or dismisses (`false`, with a reason) an undecided patch. Confirming gives it its case: that of its alert, which is confirmed with it, or a new one.
    An alert is dismissed with the last of its patches.

    Raises NotFound, IllegalStep, Conflict, InvalidInput.
    """
    patch = await patch_rows.claim(connection, scope, patch_id, version)
    if verdict == "false" and not reason.strip():
        raise InvalidInput("误报须写原因 · a false alarm needs a reason", remedy="选一个原因，例如 cloud、seasonal、permitted · send a reason")
    state = "confirmed" if verdict == "true" else "dismissed"
    await patch_rows.answer(connection, patch_id, state)
    await patch_rows.note(connection, patch_id, state, patch["area_m2"], staff_id=staff_id, reason=" ".join(filter(None, (reason, note))))
    alert = await _undecided_alert(connection, scope, patch_id)
    case_id = decision_id = None
    if alert is not None and (verdict == "true" or alert["undecided"] == 0):
        decided = await decisions.decide(connection, scope, staff_id, alert["id"], Verdict(verdict, reason, note), of_patches=False)
        case_id, decision_id = decided.case_id, decided.decision_id
    elif verdict == "true":
        case_id = await _standing_case(connection, patch_id) or await _own_case(connection, patch, staff_id, note)
    await patch_rows.tie(connection, patch_id, case_id, decision_id)
    await patch_rows.announce(connection, patch_id)
    return Answered(state, case_id, datetime.now(UTC) + UNDO)


async def _undecided_alert(connection: AsyncConnection, scope: Scope, patch_id: int) -> dict | None:
    """The newest undecided alert of a patch in scope and how many undecided patches it has."""
    return await row(
        connection,
        """
        SELECT alerts.id, (SELECT count(*) FROM patches WHERE state = 'open' AND id IN (SELECT patch_id FROM alert_patches WHERE alert_id = alerts.id)) AS undecided
        FROM alerts WHERE id IN (SELECT alert_id FROM alert_patches WHERE patch_id = %(id)s) AND state IN ('open', 'acknowledged') AND region_code LIKE %(scope)s
        ORDER BY id DESC LIMIT 1
        """,
        {"id": patch_id, "scope": scope.like},
    )


async def _standing_case(connection: AsyncConnection, patch_id: int) -> int | None:
    """The case of the patch's alerts that is still worked on."""
    found = await row(
        connection,
        """
        SELECT id FROM cases WHERE alert_id IN (SELECT alert_id FROM alert_patches WHERE patch_id = %(id)s) AND closed_at IS NULL AND state NOT IN ('rejected', 'cancelled')
        ORDER BY id DESC LIMIT 1
        """,
        {"id": patch_id},
    )
    return found["id"] if found else None


async def _own_case(connection: AsyncConnection, patch: dict, staff_id: int, note: str) -> int:
    """A case for a patch that no alert was opened for (below its rule's threshold) or whose alert has ended."""
    rule = next((rule for rule in rules.every().values() if patch["kind"] in rule.kinds), None)
    alerts_of = await rows(connection, "SELECT DISTINCT alert_id FROM alert_patches WHERE patch_id = %(id)s ORDER BY alert_id DESC LIMIT 1", {"id": patch["id"]})
    return await cases.open_case(
        connection,
        cases.Opening(
            category_code=rule.category_code if rule else CATEGORY,
            title=f"图斑 {patch['id']}",
            origin="patch",
            place=patch["geom"].representative_point(),
            accuracy_m=10.0,
            state="filed",
            description=note,
            alert_id=alerts_of[0]["alert_id"] if alerts_of else None,
            by=staff_id,
            simulated=patch["simulated"],
        ),
    )


async def undo(connection: AsyncConnection, scope: Scope, staff_id: int, patch_id: int) -> None:
    """Takes back one's own verdict within ten seconds, with the alert's that came of it. Raises NotFound, IllegalStep."""
    patch = await patch_rows.claim(connection, scope, patch_id, states=("confirmed", "dismissed"))
    last = await row(
        connection,
        "SELECT staff_id, at FROM patch_steps WHERE patch_id = %(id)s AND action IN ('confirmed', 'dismissed') ORDER BY id DESC LIMIT 1",
        {"id": patch_id},
    )
    if last is None or last["staff_id"] != staff_id:
        raise IllegalStep("这是别人的判断 · this verdict is another person's", remedy="请本人撤销，或在案件中处理 · ask them, or decide on the case")
    if datetime.now(UTC) > last["at"] + UNDO:
        raise IllegalStep("已过十秒 · ten seconds have passed", remedy="在案件中处理 · decide on the case")
    decision = patch["decision_id"] and await row(connection, "SELECT alert_id FROM decisions WHERE id = %(id)s", {"id": patch["decision_id"]})
    if decision:
        await decisions.undo(connection, scope, staff_id, decision["alert_id"])
        return
    shared = await row(connection, "SELECT count(*) AS n FROM patches WHERE case_id = %(case)s AND id <> %(id)s", {"case": patch["case_id"], "id": patch_id})
    alert_led = patch["case_id"] and await row(connection, "SELECT 1 FROM decisions WHERE case_id = %(case)s AND undone_at IS NULL", {"case": patch["case_id"]})
    if patch["case_id"] and not shared["n"] and not alert_led and not await cases.take_back(connection, patch["case_id"], staff_id):
        raise IllegalStep("案件已派遣 · the case was dispatched already", remedy="在案件中处理 · work on the case")
    await patch_rows.reopen(connection, staff_id, patch_id=patch_id)
    await patch_rows.announce(connection, patch_id)


async def undo_until(connection: AsyncConnection, staff_id: int, patch_id: int) -> datetime | None:
    """Until when this person may take back the patch's verdict; None when there is nothing to take back."""
    last = await row(
        connection,
        """
        SELECT t.staff_id, t.at FROM patch_steps AS t JOIN patches ON patches.id = t.patch_id
        WHERE patch_id = %(id)s AND action IN ('confirmed', 'dismissed') AND patches.state = t.action ORDER BY t.id DESC LIMIT 1
        """,
        {"id": patch_id},
    )
    if last is None or last["staff_id"] != staff_id or datetime.now(UTC) > last["at"] + UNDO:
        return None
    return last["at"] + UNDO
