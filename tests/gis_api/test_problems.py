"""Errors as problem documents; what every answer carries."""

import pytest

from gis_api.auth import open_session
from gis_api.problems import STATUS, finite, slug, status_of
from grid import errors


def test_every_error_has_a_status():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.HdqError)]
    assert set(kinds) == set(STATUS)
    assert status_of(errors.IllegalStep("x")) == 409 and slug(errors.UnknownCrs) == "unknown-crs"

    class Odd(errors.TooLarge):
        """A kind of too large."""

    assert status_of(Odd("x")) == 413


def test_nan_and_bytes_become_words():
    assert finite({"a": float("nan"), "b": [float("inf"), b"abc"], "c": object}) ["b"] == ["inf", "<3 bytes>"]
    assert finite(float("-inf")) == "-inf" and finite(True) is True


@pytest.mark.parametrize(
    ("path", "body", "status", "place"),
    [
        ("/api/login", {"username": "a"}, 422, "body.password"),
        ("/api/login", {"username": "a", "password": "b", "colour": 1}, 422, "body.colour"),
        ("/api/login", [], 422, "body"),
    ],
)
async def test_shape_errors_name_the_place(app_client, path, body, status, place):
    answer = await app_client.post(path, json=body)
    assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json"
    assert [item["place"] for item in answer.json()["errors"]] == [place] and "·" in answer.json()["detail"]


async def test_a_refused_password_is_not_echoed(app_client):
    answer = await app_client.post("/api/login", json={"username": "a", "password": "x" * 300})
    assert answer.status_code == 422 and "xxx" not in answer.text


async def test_neither_a_deep_nor_a_long_body_is_sent_back(app_client):
    deep = "[" * 700 + "]" * 700
    answer = await app_client.post("/api/login", content=f'{{"username": {deep}, "password": "b"}}', headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422) and len(answer.content) < 2000
    answer = await app_client.post("/api/login", json={"username": ["x"] * 100_000, "password": "b"})
    assert answer.status_code == 422 and answer.json()["errors"][0]["value"] == "<list of 100000>"


async def test_an_odd_query_of_a_keyed_write_is_no_fault_of_ours(settings, people):
    from gis_api.main import assemble

    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    application = assemble(settings)
    framework = application.app.framework
    async with framework.router.lifespan_context(framework), framework.state.pool.connection() as connection:
        token, _ = await open_session(connection, "linye", "haidongqing-demo", 1)
        await connection.commit()
        headers = [(b"idempotency-key", b"k"), (b"cookie", f"hdq_session={token}".encode()), (b"content-type", b"application/json")]
        scope = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "server": ("h", 80), "client": ("c", 1), "headers": headers}
        await application({**scope, "asgi": {"version": "3.0"}, "root_path": "", "path": "/api/suppressions", "raw_path": b"/api/suppressions", "query_string": b"x=\xff"}, receive, send)
    assert sent[0]["status"] == 422


async def test_broken_json_unknown_path_and_method(app_client):
    broken = await app_client.post("/api/login", content=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400
    assert (await app_client.get("/api/nothing-here")).json()["status"] == 404
    assert (await app_client.delete("/api/me")).status_code == 405


async def test_headers_of_every_answer(app_client):
    for path in ("/api/me", "/api/nothing-here", "/review"):
        headers = (await app_client.get(path)).headers
        assert "script-src 'self';" in headers["content-security-policy"] and "unsafe-eval" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"


async def test_oversize_and_nul_are_refused(app_client):
    answer = await app_client.post("/api/login", content=b" " * (17 * 2**20), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413

    async def endless():
        for _ in range(20):
            yield b" " * 2**20

    assert (await app_client.post("/api/login", content=endless(), headers={"Content-Type": "application/json"})).status_code == 413
    assert (await app_client.get("/api/me?x=%00")).status_code == 422


async def test_health_is_open_and_status_is_not(app_client, login):
    health = (await app_client.get("/api/health")).json()
    assert {check["name"]: check["ok"] for check in health["checks"]}["database"]
    assert (await app_client.get("/api/status")).status_code == 401
    await login(app_client, "shenji")
    status = (await app_client.get("/api/status")).json()
    assert status["counts"]["regions"] == 5 and status["schema_revision"]
    assert "hdq_rows" in (await app_client.get("/api/metrics")).text
    await login(app_client, "shinan")
    assert (await app_client.get("/api/status")).json()["counts"]["regions"] == 3


async def test_openapi_is_complete(app_client):
    document = (await app_client.get("/api/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        assert path.startswith(("/api/", "/rasters/", "/basemaps/", "/ogc", "/stac", "/wmts")), path
        for method, operation in methods.items():
            assert operation.get("description") or operation.get("summary"), (method, path)
