"""Evidence is blurred by default and fails closed; an original opens for the asker only, after a second person said so, until it expires, all of it audited."""

import psycopg
import pytest

from grid import evidence
from tests.imagery.cameras.conftest import jpeg, picture

REASON = {"reason": "行政处罚案件 2026-118 需核对车身编号", "minutes": 30}


@pytest.fixture
def sha256(settings, people) -> str:
    """A picture of 市南 that has no derivative yet."""
    content = jpeg(picture(()))
    stored = evidence.write_bytes(settings.data_dir, content)
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("INSERT INTO evidence (sha256, kind, media_type, bytes, region_code) VALUES (%s, 'photo', 'image/jpeg', %s, '370202001001')", [stored, len(content)])
    return stored


async def test_an_original_needs_a_second_person_a_reason_and_ends(app_client, login, settings, sha256):
    await login(app_client, "linye")
    waiting = await app_client.get(f"/api/evidence/{sha256}")
    assert waiting.headers["content-type"].startswith("image/svg") and "original" not in waiting.text
    assert (await app_client.post(f"/api/evidence/{sha256}/unsealings", json={"reason": "short"})).status_code == 422
    asked = (await app_client.post(f"/api/evidence/{sha256}/unsealings", json=REASON)).json()
    path = f"/api/unsealings/{asked['id']}"
    assert (asked["state"], asked["mine"]) == ("waiting", True)
    assert (await app_client.get(f"{path}/original")).status_code == 409
    assert (await app_client.post(f"{path}/decision", json={"approve": True})).status_code == 403
    await login(app_client, "laoshan")
    assert (await app_client.get("/api/unsealings")).json() == [] and (await app_client.get(f"{path}/original")).status_code == 404
    await login(app_client, "zhihui")
    assert (await app_client.get(f"{path}/original")).status_code == 403
    allowed = await app_client.post(f"{path}/decision", json={"approve": True, "note": "同意"})
    assert allowed.json()["state"] == "open" and (await app_client.post(f"{path}/decision", json={"approve": False})).status_code == 409
    assert (await app_client.get(f"{path}/original")).status_code == 403
    await login(app_client, "linye")
    original = await app_client.get(f"{path}/original")
    assert original.content == evidence.read_bytes(settings.data_dir, sha256) and original.headers["cache-control"] == "no-store"
    assert (await app_client.get(f"/api/evidence/{sha256}")).headers["content-type"].startswith("image/svg")
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE unsealings SET expires_at = clock_timestamp()")
    assert (await app_client.get(f"{path}/original")).status_code == 409
    (listed,) = (await app_client.get("/api/unsealings")).json()
    assert (listed["state"], listed["opened"], listed["decided_by_name"]) == ("expired", 1, "测试 zhihui")
    with psycopg.connect(settings.database_url) as connection:
        steps = connection.execute("SELECT s.username, a.action FROM audit a JOIN staff s ON s.id = a.staff_id WHERE a.entity LIKE 'unsealing/%' ORDER BY a.id").fetchall()
    assert steps == [("linye", "original.asked"), ("zhihui", "original.allowed"), ("linye", "original.opened")]


async def test_nobody_allows_their_own_request_and_what_waits_too_long_lapses(app_client, login, settings, sha256):
    await login(app_client, "zhihui")
    own, late, no = [(await app_client.post(f"/api/evidence/{sha256}/unsealings", json=REASON)).json()["id"] for _ in range(3)]
    assert (await app_client.post(f"/api/unsealings/{own}/decision", json={"approve": True})).status_code == 403
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE unsealings SET asked_at = asked_at - interval '25 hours' WHERE id = %s", [late])
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE unsealings SET decided_by = asked_by, approved = true, expires_at = now() WHERE id = %s", [own])
        connection.rollback()
        connection.execute("UPDATE unsealings SET asked_at = asked_at - interval '25 hours' WHERE id = %s", [late])
    await login(app_client, "shinan")
    assert (await app_client.post(f"/api/unsealings/{late}/decision", json={"approve": True})).status_code == 409
    assert (await app_client.post(f"/api/unsealings/{no}/decision", json={"approve": False})).json()["state"] == "refused"
    await login(app_client, "zhihui")
    assert (await app_client.get(f"/api/unsealings/{no}/original")).status_code == 409
