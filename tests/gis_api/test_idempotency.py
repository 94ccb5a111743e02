"""The same key: the same answer once, and never another request's."""

import asyncio

import psycopg
import pytest
from fastapi import APIRouter, Depends, Request

from gis_api import idempotency
from gis_api.auth import signed_in
from gis_api.params import database


@pytest.fixture
def counting(app_client):
    router = APIRouter(prefix="/api")

    @router.post("/count")
    async def count(request: Request, connection=Depends(database), _caller=Depends(signed_in)) -> dict:
        body = await request.body()
        await connection.execute("INSERT INTO audit (action, entity) VALUES ('count', %(body)s)", {"body": body.decode()})
        cursor = await connection.execute("SELECT count(*) FROM audit WHERE action = 'count'")
        return {"n": (await cursor.fetchone())[0], "echo": body.decode()}

    @router.post("/fails")
    async def fails(connection=Depends(database), _caller=Depends(signed_in)) -> dict:
        await connection.execute("SELECT 1 / 0")
        return {}

    @router.post("/breaks")
    async def breaks(_caller=Depends(signed_in)) -> dict:
        raise RuntimeError("on purpose")

    app_client._transport.app.app.framework.include_router(router)
    return app_client


async def test_a_repeated_write_has_one_effect_and_one_answer(counting, login):
    await login(counting, "linye")
    first = await counting.post("/api/count", content=b"one", headers={"Idempotency-Key": "k1"})
    again = await counting.post("/api/count", content=b"one", headers={"Idempotency-Key": "k1"})
    assert first.json() == again.json() == {"n": 1, "echo": "one"} and again.headers["idempotency-replayed"] == "true"
    assert (await counting.post("/api/count", content=b"two", headers={"Idempotency-Key": "k2"})).json()["n"] == 2


async def test_the_key_of_another_request_is_refused_and_people_do_not_share_keys(counting, login):
    await login(counting, "linye")
    await counting.post("/api/count", content=b"one", headers={"Idempotency-Key": "k"})
    other = await counting.post("/api/count", content=b"other", headers={"Idempotency-Key": "k"})
    assert other.status_code == 422 and "'k'" in other.json()["detail"]
    await login(counting, "guotu")
    assert (await counting.post("/api/count", content=b"other", headers={"Idempotency-Key": "k"})).json()["n"] == 2
    assert (await counting.post("/api/count", content=b"x", headers={"Idempotency-Key": "k" * 300})).status_code == 422


async def test_refusals_are_kept_and_breakdowns_are_not(counting, login, database_url):
    await login(counting, "linye")
    assert (await counting.post("/api/fails", headers={"Idempotency-Key": "f"})).status_code == 422
    assert (await counting.post("/api/fails", headers={"Idempotency-Key": "f"})).headers["idempotency-replayed"] == "true"
    assert (await counting.post("/api/breaks", headers={"Idempotency-Key": "b"})).status_code == 500
    with psycopg.connect(database_url) as connection:
        assert [line[0] for line in connection.execute("SELECT key FROM idempotency_keys").fetchall()] == ["f"]


async def test_two_at_once_have_one_effect(counting, login):
    await login(counting, "linye")
    answers = await asyncio.gather(*(counting.post("/api/count", content=b"x", headers={"Idempotency-Key": "same"}) for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {200, 409} and sum(answer.status_code == 200 for answer in answers) >= 1
    assert all(answer.json()["n"] == 1 for answer in answers if answer.status_code == 200)


async def test_a_big_body_arrives_whole(counting, login):
    await login(counting, "linye")
    body = b"0123456789" * 500_000
    assert (await counting.post("/api/count", content=body, headers={"Idempotency-Key": "big"})).json()["echo"] == body.decode()


async def test_a_write_that_takes_long_keeps_its_key(counting, login, database_url, monkeypatch):
    monkeypatch.setattr(idempotency, "STILL_S", 0.02)
    router = APIRouter(prefix="/api")
    old = "SELECT count(*) FROM idempotency_keys WHERE created_at < now() - interval '1 minute'"

    @router.post("/long")
    async def long(_caller=Depends(signed_in)) -> dict:
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection, asyncio.timeout(60):
            await connection.execute("UPDATE idempotency_keys SET created_at = now() - interval '2 minutes'")
            while (await (await connection.execute(old)).fetchone())[0]:
                await asyncio.sleep(0.02)
        return {"done": True}

    counting._transport.app.app.framework.include_router(router)
    await login(counting, "linye")
    assert (await counting.post("/api/long", headers={"Idempotency-Key": "slow"})).json() == {"done": True}
