"""Sessions: who gets in, what the cookie is, when it ends."""

import psycopg
import pytest

from gis_api.auth import COOKIE, PERMISSIONS, Throttle, may, token_hash
from grid.errors import TooMany
from tests.conftest import PASSWORD


async def test_sign_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(app_client, login, database_url):
    me = await login(app_client, "shinan")
    assert me["signed_in"] and me["role"] == "commander" and me["region_code"] == "370202" and me["region_name"] == "市南区"
    assert me["face"] == "wall" and "verdict" in me["permissions"]
    answer = await app_client.post("/api/login", json={"username": "linye", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie
    token = app_client.cookies[COOKIE]
    with psycopg.connect(database_url) as connection:
        stored = [bytes(line[0]) for line in connection.execute("SELECT token_hash FROM sessions").fetchall()]
    assert token_hash(token) in stored and token.encode() not in b"".join(stored)


async def test_signed_out_me_is_an_answer_and_names_the_demo_accounts(app_client):
    me = (await app_client.get("/api/me")).json()
    assert not me["signed_in"] and me["demo"] and {account["username"] for account in me["accounts"]} >= {"linye", "wangge"}


@pytest.mark.parametrize("body", [{"username": "linye", "password": "wrong"}, {"username": "nobody", "password": PASSWORD}])
async def test_wrong_name_and_wrong_password_get_the_same_answer(app_client, body):
    answer = await app_client.post("/api/login", json=body)
    assert answer.status_code == 401 and answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/not-signed-in" and "用户名或密码" in answer.json()["detail"]


async def test_a_disabled_person_is_out_at_once(app_client, login, database_url):
    await login(app_client, "linye")
    assert (await app_client.get("/api/status")).status_code == 200
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE staff SET disabled = true WHERE username = 'linye'")
    assert (await app_client.get("/api/status")).status_code == 401
    assert (await app_client.post("/api/login", json={"username": "linye", "password": PASSWORD})).status_code == 401


async def test_logout_and_expiry_end_a_session(app_client, login, database_url):
    await login(app_client, "linye")
    token = app_client.cookies[COOKIE]
    assert (await app_client.post("/api/logout")).status_code == 204
    assert (await app_client.get("/api/status", headers={"Cookie": f"{COOKIE}={token}"})).status_code == 401
    await login(app_client, "linye")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE sessions SET expires_at = now() - interval '1 s'")
    assert (await app_client.get("/api/status")).status_code == 401


async def test_a_write_without_our_header_is_refused(app_client, login):
    await login(app_client, "linye")
    del app_client.headers["X-HDQ-Client"]
    answer = await app_client.post("/api/logout")
    assert answer.status_code == 403 and "X-HDQ-Client" in answer.json()["remedy"]
    assert (await app_client.post("/api/logout", headers={"Idempotency-Key": "a"})).status_code == 204


async def test_eight_failures_pause_a_name(app_client):
    name = "haian-throttled"
    for _ in range(8):
        assert (await app_client.post("/api/login", json={"username": name, "password": "x"})).status_code == 401
    answer = await app_client.post("/api/login", json={"username": name, "password": "x"})
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0 and answer.json()["retry_after_s"] > 0


def test_throttle_forgets_after_success_and_stays_small():
    throttle = Throttle(limit=2, window_s=60, keys_max=3)
    throttle.failed("a")
    throttle.failed("a")
    with pytest.raises(TooMany):
        throttle.check("a")
    throttle.succeeded("a")
    throttle.check("a")
    for number in range(10):
        throttle.failed(str(number))
    assert len(throttle._failures) <= 3


def test_unknown_permission_is_refused_when_a_route_is_declared():
    with pytest.raises(ValueError, match="fly"):
        may("fly")
    assert PERMISSIONS["auditor"] == frozenset()
