"""Walk 3 with a file that lies where it should not: held back, shown with shift vectors, fixed on confirmation or published for a reason."""

import json

import numpy as np
import psycopg
import pytest

from grid import crs, geometry

MIDDLE = (120.385, 36.065)


@pytest.fixture
def houses(settings, people) -> np.ndarray:
    """Middles of 1,500 buildings in blocks, which the database knows."""
    rng = np.random.default_rng(11)
    blocks = rng.uniform(-900, 900, (75, 2))
    east, north = (blocks[rng.integers(75, size=1500)] + rng.normal(0, 50, (1500, 2))).T
    middles = np.column_stack([MIDDLE[0] + east / 90_000, MIDDLE[1] + north / 111_000])
    with psycopg.connect(settings.database_url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO buildings (id, use, height_m, floors, region_code, geom)
            VALUES (%s, 'residential', 9, 3, '370202001', ST_Expand(ST_SetSRID(ST_MakePoint(%s, %s), 4326), 0.00004))
            """,
            [(i + 1, float(x), float(y)) for i, (x, y) in enumerate(middles)],
        )
    return middles


def points(places: np.ndarray) -> bytes:
    features = [
        {"type": "Feature", "properties": {"编号": f"F{i}"}, "geometry": {"type": "Point", "coordinates": [float(x), float(y)]}} for i, (x, y) in enumerate(places)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def shifted(places: np.ndarray, rows: int, frame: str = "GCJ-02") -> np.ndarray:
    moved = places.copy()
    moved[:rows] = np.column_stack(crs.from_storage((places[:rows, 0], places[:rows, 1]), frame))
    return moved


@pytest.fixture
async def admin(app_client, login):
    await login(app_client, "shuju")
    return app_client


async def send(client, content: bytes, title: str = "充电桩", **fields):
    return await client.post("/api/datasets", files={"file": (f"{title}.geojson", content)}, data={"title": title, **fields})


def stored(settings, dataset_id: str) -> np.ndarray:
    with psycopg.connect(settings.database_url) as connection:
        return np.array(connection.execute("SELECT ST_X(geom), ST_Y(geom) FROM dataset_features WHERE dataset_id = %s ORDER BY id", [dataset_id]).fetchall())


async def test_a_mixed_file_is_held_shown_fixed_and_published(admin, settings, houses):
    true = houses[:200]
    answer = await send(admin, points(shifted(true, 60)))
    assert answer.status_code == 202, answer.text
    held = answer.json()
    assert held["state"] == "held" and held["suspicious_rows"] == 60 and held["row_count"] == 200 and len(held["source_sha256"]) == 64
    finding = held["findings"][0]
    assert (finding["kind"], finding["reading"], finding["reference"]) == ("gcj02", "GCJ-02", "buildings") and finding["gain"] > 20
    assert finding["proposed_m"] < 1 < finding["declared_m"] and 400 < finding["shift_m"] < 500 and "GCJ-02" in finding["text_en"] and "建筑" in finding["text"]
    assert (await admin.get("/api/datasets")).json() == []
    assert len(stored(settings, held["dataset_id"])) == 0
    assert held["layer"] not in {layer["id"] for layer in (await admin.get("/api/layers")).json()["layers"]}
    assert (settings.data_dir / "datasets" / held["source_sha256"][:2] / held["source_sha256"]).exists()

    again = await send(admin, points(shifted(true, 60)))
    assert again.status_code == 202 and again.json()["id"] == held["id"]
    detail = (await admin.get(f"/api/quarantine/{held['id']}")).json()
    assert [f["row"] for f in detail["flagged"]] == list(range(1, 61))
    vectors = (await admin.get(f"/api/quarantine/{held['id']}/vectors")).json()
    assert len(vectors["features"]) == 60
    for vector in vectors["features"]:
        (a, b), row = vector["geometry"]["coordinates"], vector["properties"]["row"] - 1
        assert 400 < geometry.inverse(*a, *b)[1] < 500 and geometry.inverse(*b, *true[row])[1] < 0.01

    decided = await admin.post(f"/api/quarantine/{held['id']}/decision", json={"decision": "fix"})
    assert decided.status_code == 200, decided.text
    assert decided.json()["state"] == "fixed" and decided.json()["decided_by"] == "测试 shuju"
    assert (await admin.post(f"/api/quarantine/{held['id']}/decision", json={"decision": "fix"})).json() == decided.json()
    assert (await admin.post(f"/api/quarantine/{held['id']}/decision", json={"decision": "discard"})).status_code == 409
    published = stored(settings, held["dataset_id"])
    _, metres = geometry.inverse(*true.T, *published.T)
    assert len(published) == 200 and np.max(metres) < 0.01
    dataset = (await admin.get(f"/api/datasets/{held['dataset_id']}")).json()
    assert dataset["feature_count"] == 200 and dataset["layer"] == held["layer"]
    assert held["layer"] in {layer["id"] for layer in (await admin.get("/api/layers")).json()["layers"]}
    with psycopg.connect(settings.database_url) as connection:
        actions = [a for (a,) in connection.execute("SELECT action FROM audit WHERE entity = %s ORDER BY id", [f"quarantine/{held['id']}"]).fetchall()]
        assert connection.execute("SELECT quarantine_id FROM datasets").fetchone() == (held["id"],)
    assert actions == ["dataset.quarantine", "dataset.fixed"]


async def test_a_person_may_insist_for_a_reason(admin, settings, houses):
    places = shifted(houses[:100], 100)
    held = (await send(admin, points(places))).json()
    assert held["suspicious_rows"] == 100
    assert (await admin.post(f"/api/quarantine/{held['id']}/decision", json={"decision": "override", "reason": " "})).status_code == 422
    decided = await admin.post(f"/api/quarantine/{held['id']}/decision", json={"decision": "override", "reason": "已与现场测量核对"})
    assert decided.status_code == 200 and decided.json()["reason"] == "已与现场测量核对"
    _, metres = geometry.inverse(*places.T, *stored(settings, held["dataset_id"]).T)
    assert np.max(metres) < 0.01


async def test_what_is_discarded_is_gone(admin, settings, houses):
    held = (await send(admin, points(shifted(houses[:100], 50)))).json()
    decided = await admin.post(f"/api/quarantine/{held['id']}/decision", json={"decision": "discard"})
    assert decided.status_code == 200 and (await admin.get("/api/datasets")).json() == []
    assert [q["id"] for q in (await admin.get("/api/quarantine", params={"state": "discarded"})).json()] == [held["id"]]
    assert (await admin.get("/api/quarantine", params={"state": "held"})).json() == []


async def test_clean_files_and_declared_distortions_pass(admin, houses):
    assert (await send(admin, points(houses[:150]), "真")).status_code == 201
    assert (await send(admin, points(shifted(houses[:150], 150)), "偏", crs="GCJ-02")).status_code == 201
    doubly = await send(admin, points(houses[:150]), "重复纠偏", crs="GCJ-02")
    assert doubly.status_code == 202 and doubly.json()["findings"][0]["kind"] == "overcorrected"


async def test_wrong_zones_and_swapped_axes_in_part_of_the_rows(admin, settings, houses):
    true = houses[:120]
    metres = np.column_stack(crs.from_storage((true[:, 0], true[:, 1]), 4528))
    metres[:20] = np.column_stack(crs.from_storage((true[:20, 0], true[:20, 1]), 4527))
    held = (await send(admin, points(metres), crs="EPSG:4528")).json()
    assert held["findings"][0]["reading"] == "EPSG:4527" and held["suspicious_rows"] == 20
    places = true.copy()
    places[:40] = places[:40, ::-1]
    second = (await send(admin, points(places), "颠倒")).json()
    assert second["findings"][0]["kind"] == "swapped" and second["suspicious_rows"] == 40
    assert (await admin.post(f"/api/quarantine/{second['id']}/decision", json={"decision": "fix"})).status_code == 200
    _, off = geometry.inverse(*true.T, *stored(settings, second["dataset_id"]).T)
    assert np.max(off) < 0.01


async def test_quarantine_is_seen_by_those_whose_region_holds_it_and_who_import(app_client, settings, people, login, houses):
    await login(app_client, "shuju")
    held = (await send(app_client, points(shifted(houses[:100], 100)))).json()
    assert held["region_code"].startswith("370202")
    for username in ("shinan", "shenji"):
        await login(app_client, username)
        assert (await app_client.get(f"/api/quarantine/{held['id']}")).status_code == 403
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE staff SET role = 'data_admin' WHERE username = 'laoshan'")
    await login(app_client, "laoshan")
    assert (await app_client.get("/api/quarantine")).json() == []
    for path in ("", "/vectors"):
        assert (await app_client.get(f"/api/quarantine/{held['id']}{path}")).status_code == 404
    assert (await app_client.post(f"/api/quarantine/{held['id']}/decision", json={"decision": "fix"})).status_code == 404
