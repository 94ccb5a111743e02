"""Imports through the web door: sent at once or in parts, read by a worker, looked at, stored or called off; many at once leave the API alive."""

import asyncio
import hashlib
import json
from uuid import UUID, uuid4

import pytest

from grid.database import make_pool
from layers import imports, uploads

WELLS = [("a", "一号井", 120.38, 36.06), ("b", "二号井", 120.39, 36.07)]
LATER = [("b", "二号井（改）", 120.39, 36.07), ("c", "三号井", 120.40, 36.08)]


def content(wells: list[tuple]) -> bytes:
    return json.dumps(
        {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"code": c, "name": n}, "geometry": {"type": "Point", "coordinates": [x, y]}} for c, n, x, y in wells]}
    ).encode()


@pytest.fixture
async def admin(app_client, login):
    await login(app_client, "shuju")
    return app_client


@pytest.fixture
async def work(settings):
    """Does what the worker would do for an import."""
    pool = make_pool(settings.database_url, size=4)
    async with pool:

        async def run(import_id: str, job=imports.run) -> None:
            await job(pool, settings.data_dir, UUID(import_id))

        yield run


async def send(client, wells, **fields):
    return await client.post("/api/imports", files={"file": ("井.geojson", content(wells))}, data={"title": "井", **fields})


async def test_created_then_upserted_after_a_look(admin, work):
    made = await send(admin, WELLS, key="code")
    assert made.status_code == 202 and made.json()["state"] == "waiting", made.text
    await work(made.json()["id"])
    done = (await admin.get(f"/api/imports/{made.json()['id']}")).json()
    assert (done["state"], done["rows"], done["done"], done["rejected_count"]) == ("done", 2, 1, 0), done
    dataset = (await admin.get(f"/api/datasets/{done['dataset_id']}")).json()
    assert (dataset["feature_count"], dataset["version"], dataset["key"]) == (2, 1, "code")

    seen = await send(admin, LATER, mode="upsert", dataset=dataset["id"], preview="true")
    await work(seen.json()["id"])
    looked = (await admin.get(f"/api/imports/{seen.json()['id']}")).json()
    assert looked["state"] == "staged"
    assert {k: looked["changes"][k] for k in ("new", "changed", "removed", "unchanged", "kept")} == {"new": 1, "changed": 1, "removed": 0, "unchanged": 0, "kept": 1}
    assert (await admin.get(f"/api/datasets/{dataset['id']}")).json()["feature_count"] == 2
    agreed = await admin.post(f"/api/imports/{looked['id']}/commit")
    assert agreed.status_code == 202 and agreed.json()["state"] == "storing"
    assert (await admin.post(f"/api/imports/{looked['id']}/cancel")).status_code == 409
    await work(looked["id"], imports.run_store)
    now = (await admin.get(f"/api/datasets/{dataset['id']}")).json()
    assert (now["feature_count"], now["version"]) == (3, 2)
    assert [i["state"] for i in (await admin.get("/api/imports")).json()] == ["done", "done"]


async def test_refusals_are_kept_with_their_remedy(admin, work):
    sent = await admin.post("/api/imports", files={"file": ("a.csv", b"name,lon,lat\na,120.38,36.06\n")}, data={"title": "缺"})
    await work(sent.json()["id"])
    failed = (await admin.get(f"/api/imports/{sent.json()['id']}")).json()
    assert failed["state"] == "failed" and failed["problem"]["candidates"][0]["crs"] == "EPSG:4326" and failed["problem"]["remedy"]
    for fields in ({"mode": "upsert"}, {"mode": "append", "dataset": "absent"}, {"dataset": "x"}, {"mode": "zz"}, {"upload": str(uuid4())}):
        assert (await send(admin, WELLS, **fields)).status_code in (404, 422), fields
    assert (await admin.post("/api/imports", data={"title": "a"})).status_code == 422
    assert (await admin.get(f"/api/imports/{uuid4()}")).status_code == 404


async def test_the_time_that_data_stand_for_is_stated_and_shown(admin, work):
    async def stored(**fields) -> dict:
        made = await send(admin, WELLS, key="code", **fields)
        await work(made.json()["id"])
        done = (await admin.get(f"/api/imports/{made.json()['id']}")).json()
        assert done["state"] == "done", done
        return (await admin.get(f"/api/datasets/{done['dataset_id']}")).json()

    made = await stored(vintage=" 2026-05 ")
    assert made["vintage"] == "2026-05"
    layers = {layer["id"]: layer for layer in (await admin.get("/api/layers")).json()["layers"]}
    assert layers[made["layer"]]["terms"]["vintage"] == "2026-05"
    assert (await stored(mode="upsert", dataset=made["id"]))["vintage"] == "2026-05", "what is added to says nothing of its time: it stays"
    assert (await stored(mode="upsert", dataset=made["id"], vintage="2026-06-30"))["vintage"] == "2026-06-30"
    assert (await stored(mode="replace", dataset=made["id"]))["vintage"] == "", "other data, of which nobody said from when they are"
    for wrong in ("2026-13", "2199", "May 2026", "2026-05-32", "1871", "２０２６"):
        refused = await send(admin, WELLS, vintage=wrong)
        assert refused.status_code == 422 and wrong in refused.json()["detail"] and "2026-05" in refused.json()["remedy"], refused.text


async def test_imports_of_elsewhere_are_not_seen(app_client, login, work):
    await login(app_client, "shuju")
    made = (await send(app_client, WELLS)).json()
    await work(made["id"])
    await login(app_client, "wangge")
    assert (await app_client.get("/api/imports")).status_code == 403
    assert (await app_client.get(f"/api/imports/{made['id']}")).status_code == 403


async def begin(client, body: bytes, **more):
    return await client.post("/api/uploads", data={"name": "井.geojson", "size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), **more})


async def part(client, upload: str, at: int, body: bytes):
    return await client.patch(f"/api/uploads/{upload}", content=body, headers={"Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"})


async def test_a_file_in_parts_resumed_after_a_break(admin, work, settings):
    body = content(WELLS)
    made = await begin(admin, body)
    assert made.status_code == 201 and made.headers["location"] == f"/api/uploads/{made.json()['id']}"
    upload = made.json()["id"]
    assert (await part(admin, upload, 0, body[:50])).headers["upload-offset"] == "50"
    wrong = await part(admin, upload, 0, body[:50])
    assert wrong.status_code == 409 and wrong.json()["offset"] == 50
    assert (await send_upload(admin, upload)).status_code == 409
    asked = await admin.head(f"/api/uploads/{upload}")
    assert (asked.status_code, asked.headers["upload-offset"], asked.headers["upload-length"]) == (204, "50", str(len(body)))
    assert (await part(admin, upload, 50, body[50:] + b"x")).status_code == 413
    assert (await part(admin, upload, 50, body[50:])).status_code == 204
    sent = await send_upload(admin, upload)
    assert sent.status_code == 202, sent.text
    assert not uploads.path_of(settings.data_dir, UUID(upload)).exists() and (await admin.head(f"/api/uploads/{upload}")).status_code == 404
    await work(sent.json()["id"])
    assert (await admin.get(f"/api/imports/{sent.json()['id']}")).json()["state"] == "done"


async def send_upload(client, upload: str):
    return await client.post("/api/imports", data={"title": "井", "upload": upload})


async def test_uploads_are_bounded_checked_and_ones_own(admin, login, settings):
    body = content(WELLS)
    spoiled = (await begin(admin, body)).json()["id"]
    assert (await part(admin, spoiled, 0, body[:-1] + b" ")).status_code == 422
    assert (await admin.head(f"/api/uploads/{spoiled}")).headers["upload-offset"] == "0"
    assert (await part(admin, spoiled, 0, b"")).status_code == 422
    assert (await begin(admin, body, size_bytes=settings.max_upload_mb * 2**20 + 1)).status_code == 413
    for fields in ({"sha256": "x"}, {"size_bytes": 0}, {"size_bytes": -1}, {"name": ""}):
        assert (await begin(admin, body, **fields)).status_code == 422
    assert (await admin.delete(f"/api/uploads/{spoiled}")).status_code == 204
    assert (await admin.head(f"/api/uploads/{spoiled}")).status_code == 404
    made = [await begin(admin, body) for _ in range(uploads.MAX_OPEN)]
    assert all(m.status_code == 201 for m in made) and (await begin(admin, body)).status_code == 413
    await login(admin, "admin")
    assert (await admin.head(f"/api/uploads/{made[0].json()['id']}")).status_code in (403, 404)


async def test_twenty_imports_at_once_leave_the_api_answering(admin):
    """Known fault of the first version: ten files being read held every pooled connection."""
    body = "name,lon,lat\n" + "\n".join(f"p{i},{120.3 + i / 100000:.6f},36.06" for i in range(3000))

    async def one(i: int):
        return await admin.post("/api/datasets", files={"file": ("p.csv", body.encode())}, data={"title": f"点 {i}", "crs": "EPSG:4490"})

    sending = [asyncio.create_task(one(i)) for i in range(20)]
    answers = []
    while not all(task.done() for task in sending):
        answers.append((await asyncio.wait_for(admin.get("/api/datasets"), 60)).status_code)
        await asyncio.sleep(0.05)
    assert [task.result().status_code for task in sending] == [201] * 20
    assert answers and set(answers) == {200}


async def test_what_failed_is_read_again_as_declared_anew(admin, work):
    sent = await admin.post("/api/imports", files={"file": ("井.geojson", content(WELLS))}, data={"title": "井二", "crs": "EPSG:4528", "owner": " 水务 局 "})
    await work(sent.json()["id"])
    failed = (await admin.get(f"/api/imports/{sent.json()['id']}")).json()
    assert (failed["state"], failed["title"]) == ("failed", "井二"), failed
    anew = await admin.post(f"/api/imports/{failed['id']}/again", data={"crs": "EPSG:4490"})
    assert anew.status_code == 202, anew.text
    await work(anew.json()["id"])
    done = (await admin.get(f"/api/imports/{anew.json()['id']}")).json()
    assert (done["state"], done["rows"], done["crs"]) == ("done", 2, "EPSG:4490")
    assert (await admin.get(f"/api/datasets/{done['dataset_id']}")).json()["owner"] == "水务 局"
    assert (await admin.post(f"/api/imports/{done['id']}/again")).status_code == 409


async def test_bad_rows_are_there_to_take_away(admin, work):
    rows = b'name,lon,lat\n=cmd,120.38,36.06\nb,120.39,36.07\nc,120.4,"=1"\n'
    sent = await admin.post("/api/imports", files={"file": ("a.csv", rows)}, data={"title": "坏行", "crs": "EPSG:4490"})
    await work(sent.json()["id"])
    told = await admin.get(f"/api/imports/{sent.json()['id']}/rejected")
    assert told.status_code == 200 and told.headers["content-type"].startswith("text/csv") and "attachment" in told.headers["content-disposition"]
    assert told.text.startswith("\ufeff行号 row,原因 reason\r\n3,") and "coordinates are not numbers" in told.text
