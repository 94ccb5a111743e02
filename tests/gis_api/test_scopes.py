"""Nothing of another district shows, changes or is served: one thing of each kind in 市南, asked for by its own people and by 崂山's."""

import json
from dataclasses import dataclass

import httpx
import psycopg
import pytest

from grid import evidence
from grid.settings import Settings
from tests.imagery.cameras.conftest import jpeg, picture

REGION = "370202001001"
CELL = f"{REGION}001"
PLACE = "ST_SetSRID(ST_MakePoint(120.38, 36.06), 4326)"
BOX = "ST_SetSRID(ST_MakeEnvelope(120.379, 36.059, 120.381, 36.061), 4326)"
SECRET = "只属于市南"
KNOWLEDGE = json.dumps({"score": [[], []], "correction": [[], []], "strengths": [1, 1, 1], "scenes": []})
TILE = "15/27341/12860"


@dataclass(frozen=True)
class Things:
    """Ids of what lies in 市南."""

    alert: int
    case: int
    camera: int
    unit: int
    order: int
    survey: int
    suppression: int
    sha256: str
    patch: int
    study: int
    zone: int
    rollout: int


@pytest.fixture
def things(settings: Settings, people: dict[str, int]) -> Things:
    """One of each, every one named SECRET or lying in REGION."""
    sha256 = evidence.write_bytes(settings.data_dir, jpeg(picture(())))
    with psycopg.connect(settings.database_url) as connection:

        def put(statement: str) -> int:
            return connection.execute(statement).fetchone()[0]

        connection.execute(
            f"INSERT INTO evidence (sha256, kind, media_type, bytes, region_code, shown_sha256) VALUES ('{sha256}', 'photo', 'image/jpeg', 1, '{REGION}', '{sha256}')"
        )
        alert = put(
            f"""INSERT INTO alerts (kind, title, title_en, severity, probability, rule_id, rule_version, region_code, accuracy_m, first_seen_at, last_seen_at, geom)
            VALUES ('garbage', '{SECRET}', 'x', 3, 0.8, 'street_litter', '1.0', '{REGION}', 10, now(), now(), {PLACE}) RETURNING id"""
        )
        observation = put(
            f"""INSERT INTO observations (source, source_event_id, sensor_kind, kind, score, recorded_at, accuracy_m, region_code, alert_id, fused_at, geom)
            VALUES ('{SECRET}', '1', 'person', 'garbage', 0.9, now(), 10, '{REGION}', {alert}, now(), {PLACE}) RETURNING id"""
        )
        case = put(
            f"""INSERT INTO cases (number, category_code, title, origin, state, region_code, accuracy_m, geom)
            VALUES ('n', '01002', '{SECRET}', 'report', 'reported', '{REGION}', 10, {PLACE}) RETURNING id"""
        )
        camera = put(
            f"""INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, region_code, geom, view)
            VALUES ('{"1" * 20}', '{SECRET}', 'street', 0, 0, 60, 100, '{REGION}', {PLACE}, {BOX}) RETURNING id"""
        )
        unit = put(f"INSERT INTO units (code, name, kind, speed_kmh, region_code, home, geom) VALUES ('U', '{SECRET}', 'vehicle', 40, '{REGION}', {PLACE}, {PLACE}) RETURNING id")
        order = put(f"INSERT INTO orders (alert_id, unit_id, distance_m, eta_s, region_code) VALUES ({alert}, {unit}, 1, 1, '{REGION}') RETURNING id")
        connection.execute(f"INSERT INTO cells (code, name, region_code, geom) VALUES ('{CELL}', '{SECRET}', '{REGION}', ST_Multi({BOX}))")
        connection.execute(
            f"INSERT INTO cell_changes (action, kind, effective, before, after, note, region_code) VALUES ('redraw', 'management', '2026-01-01', '{{}}', '{{}}', '{SECRET}', '{REGION}')"
        )
        connection.execute(f"INSERT INTO parcels (code, category, owner, area_m2, region_code, geom) VALUES ('P', 'bare', '{SECRET}', 1, '{REGION}', ST_Multi({BOX}))")
        connection.execute(
            f"""INSERT INTO components (code, class_code, name, condition, accuracy, region_code, surveyed_on, valid, geom)
            VALUES ('37020201018000001', '01018', '{SECRET}', 'intact', 'A', '{REGION}', '2026-01-01', '[2026-01-01,)', {PLACE})"""
        )
        connection.execute(
            f"INSERT INTO coastline (name, chainage_from_m, chainage_to_m, region_code, geom) VALUES ('{SECRET}', 0, 90, '{REGION}', ST_GeomFromText('LINESTRING(120.38 36.05, 120.381 36.05)', 4326))"
        )
        for scene, day in (("s1", 1), ("s2", 2)):
            connection.execute(
                f"""INSERT INTO scenes (id, collection, title, taken_at, file, sha256, bands, region_code, geom)
                VALUES ('{scene}', 'c', '{SECRET}', '2026-05-0{day}', 'absent.tif', '', '[{{"name": "red", "index": 1}}]', '{REGION}', {BOX})"""
            )
        connection.execute(
            f"""INSERT INTO stac_items (id, collection, title, taken_at, derived_from, file, region_code, geom)
            VALUES ('s1.mask', 'hdq-masks', '{SECRET}', '2026-05-01', '{{s1}}', 'absent.tif', '{REGION}', {BOX})"""
        )
        survey = put(
            f"""INSERT INTO surveys (analysis, analysis_version, before_scene, after_scene, state, region_code)
            VALUES ('burn', '1', 's1', 's2', 'queued', '{REGION}') RETURNING id"""
        )
        study = put(f"INSERT INTO studies (kind, version, scenes, parameters, state, region_code) VALUES ('objects', '1', '{{s1}}', '{{}}', 'queued', '{REGION}') RETURNING id")
        connection.execute(f"INSERT INTO study_features (study_id, number, class, region_code, geom) VALUES ({study}, 1, '{SECRET}', '{REGION}', {BOX})")
        patch = put(
            f"""INSERT INTO patches (survey_id, number, kind, score, area_m2, observation_id, region_code, geom)
            VALUES ({survey}, 1, 'burn_scar', 1, 100, {observation}, '{REGION}', ST_Multi({BOX})) RETURNING id"""
        )
        connection.execute(
            f"""INSERT INTO datasets (id, title, geometry_type, declared_crs, source_name, source_sha256, feature_count, region_code)
            VALUES ('secret', '{SECRET}', 'Polygon', 'EPSG:4326', 'f', '', 1, '{REGION}')"""
        )
        connection.execute(f"INSERT INTO dataset_features (dataset_id, id, label, region_code, geom) VALUES ('secret', 1, '{SECRET}', '{REGION}', {BOX})")
        connection.execute(
            f"INSERT INTO search_names (kind, ref, name, folded, grams, region_code, weight, geom) VALUES ('dataset', 'secret/1', '{SECRET}', '{SECRET}', '{{只,属,只属}}', '{REGION}', 3, {PLACE})"
        )
        connection.execute(
            f"INSERT INTO legality_verdicts (alert_id, rule_id, rule_version, verdict, reason, decided_by, on_day, flipped_from) VALUES ({alert}, '{SECRET}', '1', 'lawful', 'excused', 'permits', '2026-01-01', 'suspect')"
        )
        connection.execute("UPDATE cameras SET stream = 'file:x'")
        connection.execute(f"UPDATE observations SET algorithm = '{SECRET}'")
        connection.execute(f"INSERT INTO learnt (algorithm, labels, base, knowledge) VALUES ('{SECRET}', 40, 0.5, '{KNOWLEDGE}')")
        connection.execute(f"INSERT INTO learnt_sensors (algorithm, sensor, expected, hits, total) VALUES ('{SECRET}', 'camera:{camera}', 0.5, 4, 8)")
        rollout = put(f"INSERT INTO rollouts (algorithm, standing, candidate, share, region_code) VALUES ('{SECRET}', '1', '2', 0.1, '{REGION}') RETURNING id")
        connection.execute(f"INSERT INTO shadow_tallies VALUES ({rollout}, {camera}, 'day', 9, 1, 2, 3, 90, 90)")
        connection.execute(f"INSERT INTO review_budgets (region_code, minutes_a_day) VALUES ('{REGION}', 60)")
        suppression = put(
            f"INSERT INTO suppressions (kind, reason, expires_at, region_code, geom) VALUES ('any', '{SECRET}', now() + interval '1 day', '{REGION}', {BOX}) RETURNING id"
        )
        zone = put(
            f"INSERT INTO camera_zones (name, purpose, kind, detector, geom, region_code) VALUES ('{SECRET}', 'forbidden', 'boat_no_go', 'boats', {BOX}, '{REGION}') RETURNING id"
        )
    return Things(alert, case, camera, unit, order, survey, suppression, sha256, patch, study, zone, rollout)


def one_by_one(it: Things) -> list[str]:
    return [
        f"/api/alerts/{it.alert}", f"/api/alerts/{it.alert}/package", f"/api/alerts/{it.alert}/cap", f"/api/alerts/{it.alert}/cot", f"/api/alerts/{it.alert}/proof/{it.sha256}", f"/api/cases/{it.case}", f"/api/cameras/{it.camera}", f"/api/units/{it.unit}/trail",
        f"/api/evidence/{it.sha256}", f"/api/cameras/{it.camera}/zones", f"/api/cameras/{it.camera}/control", f"/api/zones?camera_id={it.camera}", f"/api/zones/{it.zone}/pictures", f"/api/zones/{it.zone}/counts",
        "/api/scenes/s1", f"/api/surveys/{it.survey}", f"/api/studies/{it.study}", f"/api/studies/{it.study}/features", f"/api/patches/{it.patch}", "/api/datasets/secret", f"/api/layers/alerts/features/{it.alert}",
        f"/api/layers/cameras/features/{it.camera}", "/api/layers/dataset_secret/features/1", f"/api/cells/{CELL}",
        "/api/coast/at?lon=120.38&lat=36.06", f"/api/coast/place?name={SECRET}&chainage=5",
        "/ogc/collections/dataset_secret", "/ogc/collections/dataset_secret/items/1", "/ogc/collections/dataset_secret/tiles", f"/ogc/collections/cameras/items/{it.camera}",
        "/stac/collections/c/items/s1", "/api/scenes/s1/derived", "/api/items/s1.mask", "/stac/collections/hdq-masks/items/s1.mask",
    ]  # fmt: skip


def lists(it: Things) -> list[str]:
    return [
        "/api/learning", f"/api/learning/{SECRET}/cameras", "/api/rollouts", f"/api/rollouts/{it.rollout}/shadow", "/api/attention",
        "/api/zones", "/api/alerts", "/api/legality/flips", "/api/observations", f"/api/observations?alert_id={it.alert}", "/api/cases", "/api/cameras", "/api/units", "/api/orders", f"/api/orders?alert_id={it.alert}",
        "/api/scenes", "/api/surveys", "/api/studies", "/api/patches", f"/api/patches?survey={it.survey}", f"/api/patches?alert={it.alert}", "/api/datasets", "/api/suppressions", "/api/layers", "/api/search?q=只属",
        "/api/ledger", "/api/cells", "/api/cells/at?lon=120.38&lat=36.06", "/api/cells/changes", "/api/parcels/at?lon=120.38&lat=36.06",
        "/api/layers/alerts/features", "/api/layers/units/features", "/api/layers/suppressions/features", "/ogc/collections", "/ogc/collections/cameras/items", "/ogc/collections/units/items?filter=TRUE",
        "/stac/search",
    ]  # fmt: skip


TILES = ("cells", "components", "parcels", "cameras", "camera_views", "patches", "scenes", "study_features", "dataset_secret")


async def test_what_is_theirs_shows_to_them_and_to_nobody_else(app_client: httpx.AsyncClient, login, things: Things):
    await login(app_client, "shinan")
    for path in one_by_one(things):
        assert (await app_client.get(path)).status_code == 200, path
    for path in lists(things):
        text = json.dumps((await app_client.get(path)).json(), ensure_ascii=False)
        assert SECRET in text or REGION in text or '"s1"' in text, path
    for layer in TILES:
        answer = await app_client.get(f"/tiles/{layer}/{TILE}.mvt")
        assert answer.status_code == 200 and answer.content, layer
    await login(app_client, "laoshan")
    for path in [*one_by_one(things), "/rasters/s1/15/27341/12860.png", "/api/scenes/s1/zonal", "/api/items/s1.mask/file"]:
        assert (await app_client.get(path)).status_code == 404, path
    for path in lists(things):
        answer = await app_client.get(path)
        text = json.dumps(answer.json(), ensure_ascii=False)
        assert answer.status_code == 200 and SECRET not in text and "370202" not in text, path
    for layer in TILES:
        assert not (await app_client.get(f"/tiles/{layer}/{TILE}.mvt")).content, layer


@pytest.mark.parametrize(
    ("username", "role", "writes"),
    [
        (
            "laoshan", "commander",
            {
                "POST /api/alerts/{alert}/acknowledge": {}, "POST /api/alerts/{alert}/verdict": {"verdict": "false", "reason": "x"}, "DELETE /api/alerts/{alert}/verdict": None,
                "POST /api/alerts/{alert}/orders": {"unit_ids": [1]}, "POST /api/orders/{order}/steps": {"action": "acknowledge", "version": 1},
                "POST /api/cases/{case}/steps": {"action": "file", "version": 1}, "POST /api/patches/{patch}/verdict": {"verdict": "true"}, "DELETE /api/patches/{patch}/verdict": None,
                "POST /api/patches/{patch}/split": {"reason": "x"}, "POST /api/patches/{patch}/redraw": {"geometry": {"type": "Polygon", "coordinates": [[[120.38, 36.06], [120.39, 36.06], [120.39, 36.07], [120.38, 36.06]]]}, "reason": "x"}, "DELETE /api/suppressions/{suppression}": None, "DELETE /api/zones/{zone}?version=1": None, "PUT /api/cameras/{camera}/control": {"points": []},
                "PUT /api/zones/{zone}": {"name": "x", "purpose": "forbidden", "detector": "boats", "version": 1, "shape": {"type": "Polygon", "coordinates": [[[120.5, 36.2], [120.51, 36.2], [120.51, 36.21], [120.5, 36.2]]]}},
                "POST /api/units/{unit}/positions": {"position": {"lon": 120.38, "lat": 36.06, "accuracy_m": 5}, "recorded_at": "2026-01-01T00:00:00Z"},
            },
        ),
        ("laoshan", "system_admin", {"DELETE /api/datasets/secret": None, "POST /api/surveys/{survey}/cancel": {}, "POST /api/studies/{study}/cancel": {}, "POST /api/studies": {"kind": "objects", "scenes": ["s1"]}, "POST /api/surveys": {"analysis": "burn", "before": "s1", "after": "s2"}}),
    ],
)  # fmt: skip
async def test_what_is_theirs_is_changed_by_nobody_else(app_client: httpx.AsyncClient, login, settings: Settings, things: Things, username: str, role: str, writes: dict):
    tables = ("camera_zones", "camera_controls", "audit", "alerts", "orders", "cases", "suppressions", "units", "unit_positions", "datasets", "surveys", "studies", "patches", "patch_steps", "decisions", "events")

    def everything() -> list:
        with psycopg.connect(settings.database_url) as connection:
            return [connection.execute(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1").fetchall() for table in tables]

    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE staff SET role = %s WHERE username = %s", [role, username])
    await login(app_client, username)
    before = everything()
    for route, body in writes.items():
        method, path = route.split(" ")
        answer = await app_client.request(method, path.format(**{name: getattr(things, name) for name in Things.__dataclass_fields__}), json=body)
        assert answer.status_code == 404, f"{route}: {answer.status_code} {answer.text[:200]}"
    frame = await app_client.post(f"/api/cameras/{things.camera}/frames", files={"file": ("a.jpg", jpeg(picture(())), "image/jpeg")})
    assert frame.status_code == (404 if role == "system_admin" else 403)
    assert everything() == before
