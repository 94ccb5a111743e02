"""The list of people: by who keeps accounts, inside their region, without what is nobody's business."""

import httpx
import psycopg

from grid.settings import Settings


async def test_people_are_listed_inside_the_region_of_who_asks(app_client: httpx.AsyncClient, login, settings: Settings):
    await login(app_client, "admin")
    every = (await app_client.get("/api/staff", params={"limit": 500})).json()
    assert every["total"] == len(every["items"]) and {"admin", "wangge", "laoshan"} <= {one["username"] for one in every["items"]}
    (me,) = (await app_client.get("/api/staff", params={"q": "ADMIN", "role": "system_admin"})).json()["items"]
    assert me["seen_at"] and me["role"] == "system_admin" and not {"phone", "password_hash"} & set(me)
    assert len((await app_client.get("/api/staff", params={"limit": 1, "offset": 1})).json()["items"]) == 1
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE staff SET role = 'system_admin' WHERE username = 'laoshan'")
    await login(app_client, "laoshan")
    theirs = (await app_client.get("/api/staff")).json()["items"]
    assert theirs and all(one["region_code"].startswith("370212") for one in theirs)
