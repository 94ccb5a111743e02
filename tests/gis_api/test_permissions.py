"""Who may do what, as one table over every route: a route without a row fails, and so does a row without its route."""

import json
from uuid import uuid4

import httpx
import psycopg
import pytest

from gis_api.auth import PERMISSIONS
from gis_api.guard import READ_BY_POST
from gis_api.main import make_app
from grid.settings import Settings

OPEN, ANYONE = "open", "anyone signed in"
TABLE = {
    "GET /api/alerts": ANYONE,
    "GET /api/alerts/{alert_id}": ANYONE,
    "POST /api/alerts/{alert_id}/acknowledge": {"acknowledge"},
    "GET /api/alerts/{alert_id}/cap": ANYONE,
    "GET /api/alerts/{alert_id}/cot": ANYONE,
    "POST /api/alerts/{alert_id}/orders": {"dispatch"},
    "GET /api/alerts/{alert_id}/package": ANYONE,
    "GET /api/alerts/{alert_id}/proof/{sha256}": ANYONE,
    "DELETE /api/alerts/{alert_id}/verdict": {"verdict"},
    "POST /api/alerts/{alert_id}/verdict": {"verdict"},
    "GET /api/analyses": ANYONE,
    "GET /api/attention": ANYONE,
    "GET /api/basemaps": ANYONE,
    "GET /api/camera-health": ANYONE,
    "GET /api/cameras": ANYONE,
    "GET /api/cameras/{camera_id}": ANYONE,
    "POST /api/cameras/import": {"import"},
    "GET /api/cameras/{camera_id}/calibrations": ANYONE,
    "POST /api/cameras/{camera_id}/calibrations": {"zones"},
    "POST /api/cameras/{camera_id}/calibrations/{calibration_id}/apply": {"zones"},
    "GET /api/cameras/{camera_id}/control": ANYONE,
    "PUT /api/cameras/{camera_id}/control": {"zones"},
    "GET /api/cameras/{camera_id}/zones": ANYONE,
    "POST /api/cameras/{camera_id}/picture": {"zones"},
    "GET /api/zones": ANYONE,
    "POST /api/zones": {"zones"},
    "DELETE /api/zones/{zone_id}": {"zones"},
    "PUT /api/zones/{zone_id}": {"zones"},
    "GET /api/zones/{zone_id}/counts": ANYONE,
    "GET /api/zones/{zone_id}/pictures": ANYONE,
    "POST /api/cameras/{camera_id}/frames": {"frames"},
    "POST /api/cap": {"observations"},
    "GET /api/cases": ANYONE,
    "GET /api/cases/{case_id}": ANYONE,
    "POST /api/cases/{case_id}/steps": ANYONE,
    "GET /api/categories": ANYONE,
    "GET /api/cells": ANYONE,
    "GET /api/cells/at": ANYONE,
    "GET /api/cells/changes": ANYONE,
    "POST /api/cells/changes": {"cells"},
    "GET /api/cells/code": ANYONE,
    "POST /api/cells/plan": {"cells"},
    "GET /api/cells/{code}": ANYONE,
    "GET /api/coast/at": ANYONE,
    "GET /api/coast/place": ANYONE,
    "GET /api/components/census": ANYONE,
    "GET /api/datasets": ANYONE,
    "POST /api/datasets": {"import"},
    "GET /api/imports": {"import"},
    "POST /api/imports": {"import"},
    "GET /api/imports/{import_id}": {"import"},
    "GET /api/imports/{import_id}/rejected": {"import"},
    "POST /api/imports/{import_id}/again": {"import"},
    "POST /api/imports/{import_id}/commit": {"import"},
    "POST /api/imports/{import_id}/cancel": {"import"},
    "GET /api/connections": {"import"},
    "POST /api/connections": {"import"},
    "POST /api/connections/check": {"import"},
    "DELETE /api/connections/{connection_id}": {"import"},
    "GET /api/connections/{connection_id}": {"import"},
    "PATCH /api/connections/{connection_id}": {"import"},
    "POST /api/connections/{connection_id}/run": {"import"},
    "POST /api/uploads": {"import", "scenes"},
    "HEAD /api/uploads/{upload_id}": {"import", "scenes"},
    "PATCH /api/uploads/{upload_id}": {"import", "scenes"},
    "DELETE /api/uploads/{upload_id}": {"import", "scenes"},
    "DELETE /api/datasets/{dataset_id}": {"import"},
    "GET /api/datasets/{dataset_id}": ANYONE,
    "DELETE /api/datasets/{dataset_id}/style": {"import"},
    "PUT /api/datasets/{dataset_id}/style": {"import"},
    "GET /api/detectors": ANYONE,
    "POST /api/drone/frames": {"scenes", "frames"},
    "POST /api/drone/videos": {"scenes", "frames"},
    "GET /api/events": ANYONE,
    "POST /api/evidence": {"report", "handle", "verify"},
    "GET /api/evidence/{sha256}": ANYONE,
    "POST /api/evidence/{sha256}/unsealings": {"verdict"},
    "GET /api/unsealings": {"verdict"},
    "POST /api/unsealings/{unsealing_id}/decision": {"dispatch"},
    "GET /api/unsealings/{unsealing_id}/original": {"verdict"},
    "GET /api/exports": ANYONE,
    "POST /api/exports": ANYONE,
    "GET /api/exports/{export_id}": ANYONE,
    "GET /api/exports/{export_id}/file": ANYONE,
    "GET /api/health": OPEN,
    "POST /api/hotspots": {"observations"},
    "GET /api/items/{item_id}": ANYONE,
    "GET /api/items/{item_id}/file": ANYONE,
    "GET /api/kpis": ANYONE,
    "GET /api/learning": ANYONE,
    "GET /api/learning/{algorithm}/cameras": ANYONE,
    "GET /api/review-budget": ANYONE,
    "PUT /api/review-budget": {"models"},
    "GET /api/rollouts": ANYONE,
    "GET /api/rollouts/{rollout_id}/shadow": ANYONE,
    "POST /api/rollouts": {"models"},
    "POST /api/rollouts/{rollout_id}/steps": {"models"},
    "GET /api/legality/flips": ANYONE,
    "GET /api/layers": ANYONE,
    "GET /api/layers/{layer_id}": ANYONE,
    "GET /api/layers/{layer_id}/features": ANYONE,
    "GET /api/layers/{layer_id}/thumbnail": ANYONE,
    "GET /api/layers/{layer_id}/features/{feature_id}": ANYONE,
    "POST /api/login": OPEN,
    "POST /api/logout": OPEN,
    "GET /api/ledger": ANYONE,
    "GET /api/me": OPEN,
    "GET /api/metrics": ANYONE,
    "GET /api/models": ANYONE,
    "GET /api/observations": ANYONE,
    "POST /api/observations": {"observations"},
    "POST /api/observations/batch": {"observations"},
    "POST /api/observations/cloudevents": {"observations"},
    "GET /api/mqtt/dead-letters": {"staff"},
    "DELETE /api/mqtt/dead-letters/{letter_id}": {"staff"},
    "POST /api/mqtt/dead-letters/{letter_id}/retry": {"staff"},
    "GET /api/mqtt/devices": {"staff"},
    "POST /api/mqtt/devices": {"staff"},
    "DELETE /api/mqtt/devices/{username}": {"staff"},
    "GET /api/orders": ANYONE,
    "POST /api/orders/{order_id}/steps": {"order"},
    "GET /api/parcels/at": ANYONE,
    "GET /api/series": ANYONE,
    "GET /api/patches": ANYONE,
    "GET /api/patches/cycles": ANYONE,
    "GET /api/patches/{patch_id}/evidence.zip": ANYONE,
    "GET /api/patches/{patch_id}/report.pdf": ANYONE,
    "POST /api/patches/merge": {"verdict"},
    "GET /api/patches/{patch_id}": ANYONE,
    "POST /api/patches/{patch_id}/redraw": {"verdict"},
    "POST /api/patches/{patch_id}/split": {"verdict"},
    "DELETE /api/patches/{patch_id}/verdict": {"verdict"},
    "POST /api/patches/{patch_id}/verdict": {"verdict"},
    "POST /api/reports": {"report"},
    "GET /api/quarantine": {"import"},
    "GET /api/quarantine/{quarantine_id}": {"import"},
    "POST /api/quarantine/{quarantine_id}/decision": {"import"},
    "GET /api/quarantine/{quarantine_id}/vectors": {"import"},
    "GET /api/rules": ANYONE,
    "GET /api/shows": ANYONE,
    "GET /api/scenes": ANYONE,
    "POST /api/scenes": {"scenes"},
    "GET /api/scenes/{scene_id}": ANYONE,
    "GET /api/scenes/{scene_id}/derived": ANYONE,
    "GET /api/scenes/{scene_id}/zonal": ANYONE,
    "GET /api/search": ANYONE,
    "GET /api/staff": {"staff"},
    "GET /api/status": ANYONE,
    "GET /api/style/{theme}": OPEN,
    "GET /api/subscriptions": {"import"},
    "POST /api/subscriptions": {"import"},
    "DELETE /api/subscriptions/{subscription_id}": {"import"},
    "PUT /api/subscriptions/{subscription_id}": {"import"},
    "GET /api/subscriptions/{subscription_id}/deliveries": {"import"},
    "POST /api/subscriptions/{subscription_id}/secret": {"import"},
    "POST /api/subscriptions/{subscription_id}/test": {"import"},
    "POST /api/deliveries/{delivery_id}/resend": {"import"},
    "GET /api/suppressions": ANYONE,
    "POST /api/suppressions": {"verdict"},
    "DELETE /api/suppressions/{suppression_id}": {"verdict"},
    "GET /api/studies": ANYONE,
    "POST /api/studies": {"surveys"},
    "GET /api/studies/kinds": ANYONE,
    "GET /api/studies/{study_id}": ANYONE,
    "POST /api/studies/{study_id}/cancel": {"surveys"},
    "GET /api/studies/{study_id}/features": ANYONE,
    "GET /api/surveys": ANYONE,
    "POST /api/surveys": {"surveys"},
    "GET /api/surveys/{survey_id}": ANYONE,
    "POST /api/surveys/{survey_id}/cancel": {"surveys"},
    "GET /api/symbols.png": OPEN,
    "GET /api/tasks": ANYONE,
    "GET /api/timeline": ANYONE,
    "GET /api/units": ANYONE,
    "POST /api/units/{unit_id}/positions": ANYONE,
    "GET /api/units/{unit_id}/trail": ANYONE,
    "GET /api/viid-devices": {"staff"},
    "POST /api/viid-devices": {"staff"},
    "DELETE /api/viid-devices/{device_id}": {"staff"},
    "GET /basemaps/haidongqing/style.json": ANYONE,
    "GET /basemaps/{basemap_id}/{z}/{x}/{y}": ANYONE,
    "GET /ogc": OPEN,
    "GET /ogc/api": OPEN,
    "GET /ogc/collections": ANYONE,
    "GET /ogc/collections/{collection_id}": ANYONE,
    "GET /ogc/collections/{collection_id}/items": ANYONE,
    "GET /ogc/collections/{collection_id}/items/{feature_id}": ANYONE,
    "GET /ogc/collections/{collection_id}/queryables": ANYONE,
    "GET /ogc/collections/{collection_id}/tiles": ANYONE,
    "GET /ogc/collections/{collection_id}/tiles/WebMercatorQuad": ANYONE,
    "GET /ogc/collections/{collection_id}/tiles/WebMercatorQuad/tilejson": ANYONE,
    "GET /ogc/conformance": OPEN,
    "GET /ogc/tileMatrixSets": OPEN,
    "GET /ogc/tileMatrixSets/WebMercatorQuad": OPEN,
    "GET /rasters/mosaic/{day}/{z}/{x}/{y}.webp": ANYONE,
    "GET /rasters/{scene_id}/{z}/{x}/{y}.png": ANYONE,
    "GET /rasters/{scene_id}/{z}/{x}/{y}.webp": ANYONE,
    "GET /stac": OPEN,
    "GET /stac/api": OPEN,
    "GET /stac/collections": ANYONE,
    "GET /stac/collections/{collection_id}": ANYONE,
    "GET /stac/collections/{collection_id}/items": ANYONE,
    "GET /stac/collections/{collection_id}/items/{item_id}": ANYONE,
    "GET /stac/conformance": OPEN,
    "GET /stac/search": ANYONE,
    "POST /stac/search": ANYONE,
    "GET /wmts": ANYONE,
    "GET /wmts/1.0.0/WMTSCapabilities.xml": ANYONE,
    "GET /wmts/{layer}/{style}/{matrix_set}/{matrix}/{row}/{column}.png": ANYONE,
}
PEOPLE = {"wangge": "grid_worker", "linye": "inspector", "zhihui": "commander", "shuju": "data_admin", "suanfa": "algorithm_operator", "admin": "system_admin", "shenji": "auditor"}
ABSENT = {"{sha256}": "0" * 64, "{theme}": "dark", "{z}/{x}/{y}": "12/3411/1611", "{scene_id}": "no-scene"}
STREAM = "GET /api/events"


def routes() -> set[str]:
    """Every route of the OpenAPI document as `METHOD path`."""
    document = make_app(Settings(database_url="postgresql:///never_connected")).openapi()
    return {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}


def address(route: str) -> tuple[str, str]:
    """Method and a path that names things which do not exist."""
    method, path = route.split(" ", 1)
    for name, value in ABSENT.items():
        path = path.replace(name, value)
    while "{" in path:
        path = path[: path.index("{")] + "999999999" + path[path.index("}") + 1 :]
    return method, path


def test_every_route_has_a_row_and_every_row_a_route():
    assert routes() == set(TABLE)


async def test_nobody_gets_anything_without_signing_in(app_client: httpx.AsyncClient):
    for route, rule in TABLE.items():
        if rule != OPEN:
            answer = await app_client.request(*address(route))
            assert answer.status_code == 401, f"{route}: {answer.status_code}"
            assert answer.headers["content-type"].startswith("application/problem+json"), route
            assert route.startswith("HEAD ") or answer.json()["remedy"], f"{route}: an answer to HEAD has no body"


@pytest.mark.parametrize("username", PEOPLE)
async def test_a_role_may_do_what_its_row_says_and_nothing_else(app_client: httpx.AsyncClient, login, username: str):
    await login(app_client, username)
    held = PERMISSIONS[PEOPLE[username]]
    for route, rule in TABLE.items():
        if rule == OPEN or route == STREAM:
            continue
        answer = await app_client.request(*address(route))
        refused = answer.status_code == 403
        assert refused == (rule != ANYONE and not held & rule), f"{route} as {username}: {answer.status_code} {answer.text[:200]}"
        assert answer.status_code < 500, f"{route}: {answer.text[:300]}"


async def test_a_write_from_another_site_is_refused(app_client: httpx.AsyncClient, login):
    await login(app_client, "linye")
    del app_client.headers["X-HDQ-Client"]
    for route in TABLE:
        method, path = address(route)
        if method != "GET" and path not in READ_BY_POST:
            assert (await app_client.request(method, path)).status_code == 403, route


async def test_a_stale_session_is_refused_at_once(app_client: httpx.AsyncClient, login, settings: Settings):
    await login(app_client, "linye")
    assert (await app_client.get("/api/alerts")).status_code == 200
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE staff SET disabled = true WHERE username = 'linye'")
    assert (await app_client.get("/api/alerts")).status_code == 401
    app_client.cookies.set("hdq_session", "forged" + uuid4().hex)
    assert (await app_client.get("/api/alerts")).status_code == 401


@pytest.fixture
def in_shinan(settings: Settings, people: dict[str, int]) -> dict[str, str]:
    """One thing of each kind in 市南 (370202), as addresses that its own people may open."""
    place = "ST_SetSRID(ST_MakePoint(120.38, 36.06), 4326)"
    region = "370202001001"
    with psycopg.connect(settings.database_url) as connection:
        alert = connection.execute(
            f"""INSERT INTO alerts (kind, title, title_en, severity, probability, rule_id, rule_version, region_code, accuracy_m, first_seen_at, last_seen_at, geom)
            VALUES ('garbage', 'x', 'x', 3, 0.8, 'street_litter', '1.0', '{region}', 10, now(), now(), {place}) RETURNING id"""
        ).fetchone()[0]
        case = connection.execute(
            f"""INSERT INTO cases (number, category_code, title, origin, state, region_code, accuracy_m, geom)
            VALUES ('n', '01002', 'x', 'report', 'reported', '{region}', 10, {place}) RETURNING id"""
        ).fetchone()[0]
        camera = connection.execute(
            f"""INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, region_code, geom)
            VALUES ('{"1" * 20}', 'x', 'street', 0, 0, 60, 100, '{region}', {place}) RETURNING id"""
        ).fetchone()[0]
        unit = connection.execute(
            f"INSERT INTO units (code, name, kind, speed_kmh, region_code, home, geom) VALUES ('U', 'x', 'vehicle', 40, '{region}', {place}, {place}) RETURNING id"
        ).fetchone()[0]
    return {
        "alert": f"/api/alerts/{alert}",
        "package": f"/api/alerts/{alert}/package",
        "case": f"/api/cases/{case}",
        "camera": f"/api/cameras/{camera}",
        "trail": f"/api/units/{unit}/trail",
    }


async def test_what_lies_in_another_district_does_not_exist(app_client: httpx.AsyncClient, login, in_shinan: dict[str, str]):
    await login(app_client, "shinan")
    for name, path in in_shinan.items():
        assert (await app_client.get(path)).status_code == 200, name
    await login(app_client, "laoshan")
    for name, path in in_shinan.items():
        assert (await app_client.get(path)).status_code == 404, name
    for path in ("/api/alerts", "/api/cases", "/api/cameras", "/api/units", "/api/orders", "/api/observations", "/api/kpis"):
        text = json.dumps((await app_client.get(path)).json(), ensure_ascii=False)
        assert "370202" not in text, path
