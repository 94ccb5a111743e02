"""Who did what can be said of every write: a line of the audit, or a history of its own that names the person."""

import re
from datetime import UTC, datetime, timedelta

import httpx

from grid.settings import ROOT
from tests.gis_api.test_permissions import routes

AUDITED = {
    "POST /api/cameras/import": "cameras.imported",
    "POST /api/cells/changes": "cell.",
    "POST /api/connections": "connection.created",
    "PATCH /api/connections/{connection_id}": "connection.changed",
    "DELETE /api/connections/{connection_id}": "connection.deleted",
    "POST /api/connections/{connection_id}/run": "connection.run",
    "POST /api/datasets": "dataset.created",
    "DELETE /api/datasets/{dataset_id}": "dataset.deleted",
    "PUT /api/datasets/{dataset_id}/style": "dataset.styled",
    "DELETE /api/datasets/{dataset_id}/style": "dataset.unstyled",
    "POST /api/deliveries/{delivery_id}/resend": "delivery.resent",
    "POST /api/evidence/{sha256}/unsealings": "original.asked",
    "POST /api/unsealings/{unsealing_id}/decision": "original.allowed",
    "POST /api/exports": "export.asked",
    "POST /api/imports": "import.asked",
    "POST /api/imports/{import_id}/again": "import.again",
    "POST /api/imports/{import_id}/commit": "import.committed",
    "POST /api/imports/{import_id}/cancel": "import.cancelled",
    "POST /api/login": "session.open",
    "POST /api/logout": "session.close",
    "POST /api/orders/{order_id}/steps": "order.stepped",
    "POST /api/quarantine/{quarantine_id}/decision": "dataset.",
    "PUT /api/review-budget": "review_budget.set",
    "POST /api/rollouts": "rollout.",
    "POST /api/rollouts/{rollout_id}/steps": "rollout.",
    "POST /api/subscriptions": "subscription.added",
    "PUT /api/subscriptions/{subscription_id}": "subscription.changed",
    "DELETE /api/subscriptions/{subscription_id}": "subscription.removed",
    "POST /api/suppressions": "suppression.created",
    "DELETE /api/suppressions/{suppression_id}": "suppression.lifted",
    "POST /api/studies/{study_id}/cancel": "study.cancelled",
    "POST /api/surveys/{survey_id}/cancel": "survey.cancelled",
    "POST /api/viid-devices": "viid.added",
    "DELETE /api/viid-devices/{device_id}": "viid.removed",
    "POST /api/mqtt/devices": "mqtt.added",
    "DELETE /api/mqtt/devices/{username}": "mqtt.removed",
    "DELETE /api/mqtt/dead-letters/{letter_id}": "mqtt.discarded",
    "POST /api/mqtt/dead-letters/{letter_id}/retry": "mqtt.retried",
    "POST /api/subscriptions/{subscription_id}/secret": "subscription.secret",
    "POST /api/subscriptions/{subscription_id}/test": "subscription.tested",
    "POST /api/scenes": "scene.registered",
    "POST /api/drone/frames": "drone.frame",
    "POST /api/drone/videos": "drone.video",
    "POST /api/zones": "zone.created",
    "PUT /api/zones/{zone_id}": "zone.changed",
    "DELETE /api/zones/{zone_id}": "zone.removed",
    "PUT /api/cameras/{camera_id}/control": "camera.controls",
}
"""Route -> the action of its line, as it stands in the source."""

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
    "POST /api/studies": "studies.created_by",
    "POST /api/surveys": "surveys.created_by",
    "POST /api/uploads": "uploads.created_by",
    "PATCH /api/uploads/{upload_id}": "uploads.created_by",
    "DELETE /api/uploads/{upload_id}": "uploads.created_by",
}
"""Route -> the column that names the person."""

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


def test_every_line_of_the_table_is_a_route_and_its_action_is_written():
    source = "".join(path.read_text(encoding="utf-8") for package in ("gis_api", "grid", "layers", "imagery") for path in (ROOT / package).rglob("*.py"))
    written = set(re.findall(r'"([a-z_]+\.[a-z_]*)', source))
    assert set(AUDITED.values()) - written == set()
    assert {*AUDITED, *HISTORY, *SAID} - routes() == set()


def test_every_write_says_where_its_trail_is():
    assert {route for route in routes() if not route.startswith(("GET ", "HEAD "))} - {*AUDITED, *HISTORY, *SAID, *ASKED} == set()


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
