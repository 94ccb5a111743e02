"""Who did what can be said of every write: a line of the audit, or a history of its own that names the person."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
from fastapi.routing import APIRoute

from gis_api.main import discover
from grid import audit

HISTORY = {
    "POST /api/alerts/{alert_id}/acknowledge": "alerts.acknowledged_by",
    "POST /api/alerts/{alert_id}/orders": "orders.ordered_by",
    "POST /api/alerts/{alert_id}/verdict": "decisions.staff_id",
    "DELETE /api/alerts/{alert_id}/verdict": "decisions.staff_id",
    "POST /api/cases/{case_id}/steps": "case_steps.staff_id",
    "POST /api/patches/merge": "patch_steps.staff_id",
    "POST /api/patches/{patch_id}/redraw": "patch_steps.staff_id",
    "POST /api/patches/{patch_id}/split": "patch_steps.staff_id",
    "POST /api/patches/{patch_id}/verdict": "patch_steps.staff_id",
    "DELETE /api/patches/{patch_id}/verdict": "patch_steps.staff_id",
    "POST /api/reports": "reports.staff_id",
    "POST /api/uploads": "uploads.created_by",
    "PATCH /api/uploads/{upload_id}": "uploads.created_by",
}
"""Not in the audit: route -> the column of its own history that names the person."""

SAID = {
    "POST /api/cameras/{camera_id}/frames", "POST /api/cap", "POST /api/evidence", "POST /api/hotspots", "POST /api/observations", "POST /api/observations/batch",
    "POST /api/observations/cloudevents", "POST /api/units/{unit_id}/positions",
}  # fmt: skip
"""What sensors, devices and phones say: rows that name their source, in numbers that a log of persons would drown in."""

ASKED = {"POST /api/cameras/{camera_id}/picture", "POST /api/cells/plan", "POST /api/connections/check", "POST /stac/search"}
"""Questions that change nothing."""


async def test_every_history_names_the_person(conn):
    cursor = await conn.execute("SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'")
    assert set(HISTORY.values()) - {name for (name,) in await cursor.fetchall()} == set()


def writes() -> dict[str, Callable]:
    """Every route that is no reading, with its function."""
    routes = [route for router in discover() for route in router.routes if isinstance(route, APIRoute)]
    return {f"{method} {route.path}": route.endpoint for route in routes for method in route.methods - {"GET", "HEAD"}}


def reaches(function: object, seen: set) -> bool:
    """Whether a function of ours calls `grid.audit.note`, itself or through others."""
    if function is audit.note:
        return True
    if not inspect.isfunction(function) or function in seen or function.__module__.partition(".")[0] not in ("gis_api", "grid", "layers", "imagery"):
        return False
    seen.add(function)
    known = function.__globals__
    for call in (node.func for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))) if isinstance(node, ast.Call)):
        match call:
            case ast.Name(name):
                found = known.get(name)
            case ast.Attribute(ast.Name(name), attribute):
                found = getattr(known.get(name), attribute, None)
            case _:
                continue
        if reaches(found, seen):
            return True
    return False


def test_every_write_is_audited_or_says_why_not():
    found = writes()
    assert len(found) > 60
    assert {route for route, endpoint in found.items() if not reaches(endpoint, set())} - {*HISTORY, *SAID, *ASKED} == set()
    assert {*HISTORY, *SAID} - set(found) == set()


async def test_a_suppression_and_signing_out_leave_lines(app_client: httpx.AsyncClient, login, conn):
    await login(app_client, "laoshan")
    area = {"type": "Polygon", "coordinates": [[[120.58, 36.18], [120.62, 36.18], [120.62, 36.22], [120.58, 36.22], [120.58, 36.18]]]}
    body = {"kind": "any", "reason": "计划烧除", "expires_at": (datetime.now(UTC) + timedelta(hours=2)).isoformat(), "area": area}
    made = (await app_client.post("/api/suppressions", json=body)).json()["id"]
    await app_client.delete(f"/api/suppressions/{made}")
    await app_client.post("/api/logout")
    cursor = await conn.execute("SELECT action, entity, staff.username FROM audit JOIN staff ON staff.id = staff_id ORDER BY audit.id")
    entity = f"suppression/{made}"
    assert [line for line in await cursor.fetchall() if line[0] != "session.open"] == [
        ("suppression.created", entity, "laoshan"), ("suppression.lifted", entity, "laoshan"), ("session.close", "", "laoshan"),
    ]  # fmt: skip
