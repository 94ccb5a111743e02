"""Datasets that follow sources of other systems: through the web door, the worker's jobs and the import door; every source here runs on the loopback."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from gis_api.main import assemble
from grid.database import Scope, make_pool
from grid.settings import Settings
from layers import connections, contracts, imports
from layers.catalog import catalog
from layers.connecting.door import Limits
from tests.layers.answering import answering, as_json, features, ogc_api, wells
from tests.layers.relaying import by_tcp

QUICK = Limits(silent_s=2.0, answer_s=5.0, total_s=20.0, pauses_s=())


@pytest.fixture
def source():
    """A server of OGC API Features with 25 wells; `some` may be changed."""
    some = wells(25)
    with answering(lambda path, query: serve(path, query)) as found:
        serve = ogc_api(lambda: found, some)
        found.some = some
        yield found


@pytest.fixture
def settings(tmp_path, database_url, source):
    return Settings(data_dir=tmp_path / "hdq", database_url=database_url, connector_hosts=source.host)


@pytest.fixture
async def admin(app_client, login):
    await login(app_client, "shuju")
    return app_client


@pytest.fixture
async def work(settings):
    """Does what the worker would do for a connection: fetch, import, settle. Returns its row."""
    pool = make_pool(settings.database_url, size=4)
    async with pool:

        async def run(connection_id: int, environment=None):
            await connections.run(pool, settings.data_dir, connection_id, settings.allowed_hosts, limits=QUICK, environment=environment or {})
            async with pool.connection() as connection:
                this = await connections.get(connection, Scope("3702"), connection_id)
            if this.last_state == "importing":
                await imports.run(pool, settings.data_dir, this.last_import)
            async with pool.connection() as connection:
                await connections.settle(connection)
                return await connections.get(connection, Scope("3702"), connection_id)

        run.pool = pool
        yield run


async def add(client, source, **more):
    return await client.post("/api/connections", json={"title": "排水井", "kind": "ogc_features", "address": source.address, "collection": "wells", **more})


async def standing(pool, dataset_id, now=None):
    async with pool.connection() as connection:
        await contracts.run(connection, catalog(), now=now)
        return (await contracts.standings(connection, catalog(), Scope("3702"), now))[f"dataset_{dataset_id}"]


async def test_a_source_becomes_a_layer_and_is_followed(admin, work, source, settings):
    made = await add(admin, source, key="code", every_minutes=60)
    assert made.status_code == 201, made.text
    first = made.json()
    assert (first["last_state"], first["region_code"], first["created_by"] != "") == ("never", "3702", True)
    ran = await work(first["id"])
    assert (ran.last_state, ran.last_features, ran.last_error) == ("ok", 25, None)
    dataset = (await admin.get(f"/api/datasets/{ran.dataset_id}")).json()
    assert (dataset["feature_count"], dataset["version"], dataset["crs"], dataset["key"]) == (25, 1, "EPSG:4326", "code")

    source.some[3:5] = [(4, 120.3999, 36.0655)]
    source.some.append((99, 120.401, 36.06))
    again = await work(ran.id)
    dataset = (await admin.get(f"/api/datasets/{ran.dataset_id}")).json()
    assert (again.last_state, dataset["feature_count"], dataset["version"]) == ("ok", 25, 2)
    codes = {f["properties"]["code"] for f in (await admin.get(f"/ogc/collections/dataset_{ran.dataset_id}/items?limit=100")).json()["features"]}
    assert "w99" in codes and "w5" not in codes

    same = await work(ran.id)
    assert same.last_state == "ok" and same.last_import == again.last_import and same.last_good_at > again.last_good_at
    assert (await admin.get(f"/api/datasets/{ran.dataset_id}")).json()["version"] == 2
    assert not list((settings.data_dir / "datasets").glob(".connector-*"))


async def test_upsert_keeps_what_the_source_no_longer_has(admin, work, source):
    ran = await work((await add(admin, source, key="code", mode="upsert")).json()["id"])
    del source.some[:20]
    assert (await work(ran.id)).last_state == "ok"
    assert (await admin.get(f"/api/datasets/{ran.dataset_id}")).json()["feature_count"] == 25


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda path, query: (200, {"Content-Type": "text/html"}, b"<html>maintenance</html>"), "JSON"),
        (lambda path, query: as_json({}, 500), "500"),
        (lambda path, query: as_json({"type": "FeatureCollection", "features": []}), "no features"),
        (lambda path, query: as_json({"type": "FeatureCollection", "features": features(wells(3)), "numberMatched": 25}), "counts 25"),
        (lambda path, query: as_json({"type": "FeatureCollection", "features": features(wells(25), swapped=True)}), "坐标"),
        (lambda path, query: as_json({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None, "properties": {"code": "a"}}] * 9}), ""),
    ],
)
async def test_a_source_that_fails_leaves_the_last_good_data_and_makes_it_stale(answer, words, admin, work, source):
    ran = await work((await add(admin, source, every_minutes=60)).json()["id"])
    before = (await admin.get(f"/api/datasets/{ran.dataset_id}")).json()
    assert (await standing(work.pool, ran.dataset_id)).freshness == "ok"
    source.answer = answer
    failed = await work(ran.id)
    assert failed.last_state == "failed" and words in failed.last_error["detail"] and failed.last_error["remedy"], failed.last_error
    assert failed.last_good_at == ran.last_good_at
    assert (await admin.get(f"/api/datasets/{ran.dataset_id}")).json() == before
    now = await standing(work.pool, ran.dataset_id)
    assert (now.state, now.freshness) == ("stale", "stale") and failed.last_error["detail"] in now.detail
    badge = next(layer for layer in (await admin.get("/api/layers")).json()["layers"] if layer["id"] == f"dataset_{ran.dataset_id}")
    assert badge["contract"]["state"] == "stale"


async def test_a_source_that_falls_silent_grows_late_and_stale(admin, work, source):
    ran = await work((await add(admin, source, every_minutes=60)).json()["id"])
    states = [(await standing(work.pool, ran.dataset_id, datetime.now(UTC) + timedelta(minutes=m))).freshness for m in (60, 140, 300)]
    assert states == ["ok", "late", "stale"]


async def test_swapped_axes_never_reach_the_map(admin, work, source):
    source.some[:] = [(n, y, x) for n, x, y in wells(25)]
    ran = await work((await add(admin, source)).json()["id"])
    assert ran.last_state == "failed" and ran.last_error["remedy"], ran.last_error
    assert (await admin.get(f"/api/datasets/{ran.dataset_id}")).status_code == 404


async def test_what_is_held_in_quarantine_is_not_asked_again_until_decided(admin, work, source, database_url):
    made = (await add(admin, source)).json()
    with psycopg.connect(database_url, autocommit=True) as db:
        (held,) = db.execute(
            """
            INSERT INTO quarantine (dataset_id, title, source_name, source_sha256, declared_crs, crs_origin, about, options, row_count, findings, readings, choice, region_code)
            VALUES (%(dataset)s, '井', 'x', 'x', 'EPSG:4326', 'declared', '{}', '{}', 25, '[]', '{}', '', '3702') RETURNING id
            """,
            {"dataset": made["dataset_id"]},
        ).fetchone()
        db.execute(
            """
            WITH i AS (
                INSERT INTO imports (state, mode, source_name, source_sha256, source_bytes, about, options, scope_prefix, problem)
                VALUES ('done', 'create', 'x', 'x', 1, '{}', '{}', '3702', jsonb_build_object('quarantine', %(held)s::bigint, 'type', 'quarantine')) RETURNING id
            )
            UPDATE connections SET last_state = 'importing', last_import = i.id, last_run_at = now() - interval '3 days' FROM i
            """,
            {"held": held},
        )
        async with work.pool.connection() as connection:
            assert await connections.due(connection) == 0
        (this,) = (await admin.get("/api/connections")).json()["connections"]
        assert (this["last_state"], this["last_error"]["quarantine"]) == ("held", held)
        db.execute("UPDATE quarantine SET state = 'discarded'")
        async with work.pool.connection() as connection:
            assert await connections.due(connection) == 1


async def test_what_a_person_knows_of_the_frame_is_declared(admin, work, source):
    ran = await work((await add(admin, source, frame="gcj02")).json()["id"])
    assert (ran.frame, ran.last_state) == ("GCJ-02", "ok"), ran.last_error
    assert (await admin.get(f"/api/datasets/{ran.dataset_id}")).json()["crs"] == "GCJ-02"


async def test_what_is_due_is_enqueued_once(admin, work, source, database_url):
    made = (await add(admin, source, every_minutes=60)).json()
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as db:

        def waiting():
            return db.execute("SELECT count(*) AS n FROM procrastinate_jobs WHERE task_name = 'connection_run' AND status = 'todo'").fetchone()["n"]

        async def due():
            async with work.pool.connection() as connection:
                return await connections.due(connection)

        assert waiting() == 1
        assert await due() == 1 and waiting() == 1
        await work(made["id"])
        assert await due() == 0
        db.execute("UPDATE connections SET last_run_at = now() - interval '61 minutes'")
        assert await due() == 1
        db.execute("UPDATE connections SET last_state = 'fetching'")
        assert await due() == 0
        db.execute("UPDATE connections SET last_run_at = now() - interval '3 hours'")
        assert await due() == 1
        db.execute("UPDATE connections SET active = false")
        assert await due() == 0


async def test_a_lost_import_is_a_failure_that_is_told(admin, work, source, database_url):
    ran = await work((await add(admin, source)).json()["id"])
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("UPDATE connections SET last_state = 'importing', last_import = %(id)s", {"id": UUID(int=7)})
    async with work.pool.connection() as connection:
        await connections.settle(connection)
        assert (await connections.get(connection, Scope("3702"), ran.id)).last_state == "failed"


async def test_changed_checked_run_deleted_and_audited(admin, work, source, database_url):
    made = (await add(admin, source)).json()
    path = f"/api/connections/{made['id']}"
    changed = await admin.patch(path, json={"every_minutes": 30, "key": "code", "mode": "upsert", "active": False})
    assert changed.status_code == 200 and (changed.json()["every_minutes"], changed.json()["key"], changed.json()["next_run_at"]) == (30, "code", None)
    assert (await admin.patch(path, json={"key": ""})).status_code == 422
    assert (await admin.patch(path, json={"mode": "replace", "key": ""})).json()["key"] is None
    seen = (await admin.post("/api/connections/check", json={"kind": "ogc_features", "address": source.address, "collection": "wells"})).json()
    assert ([c["id"] for c in seen["collections"]], seen["frame"], seen["features"], len(seen["sample"])) == (["wells"], "EPSG:4326", 25, 5)
    assert (await admin.post(f"{path}/run")).status_code == 202
    await work(made["id"])
    assert (await admin.delete(path)).status_code == 204 and (await admin.get(path)).status_code == 404
    assert (await admin.get(f"/api/datasets/{made['dataset_id']}")).status_code == 200
    with psycopg.connect(database_url) as db:
        told = [action for (action,) in db.execute("SELECT action FROM audit WHERE entity LIKE 'connection/%' ORDER BY id")]
    assert told == ["connection.created", "connection.changed", "connection.changed", "connection.run", "connection.deleted"]


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"address": "http://10.1.2.3/ogc"}, 422, "HDQ_CONNECTOR_HOSTS"),
        ({"address": "file:///etc/passwd"}, 422, "http"),
        ({"address": "http://u:geheim@127.0.0.1/"}, 422, "HDQ_CONNECTOR_SECRET_"),
        ({"kind": "ftp"}, 422, "arcgis"),
        ({"mode": "upsert"}, 422, "key"),
        ({"mode": "append"}, 422, ""),
        ({"frame": "EPSG:1"}, 422, "EPSG"),
        ({"secret": "ABSENT"}, 422, "HDQ_CONNECTOR_SECRET_ABSENT"),
        ({"every_minutes": 1}, 422, ""),
        ({"dataset": "no_such"}, 404, ""),
        ({"password": "geheim"}, 422, ""),
    ],
)
async def test_plans_that_are_refused(more, status, words, admin, source):
    answer = await add(admin, source, **more)
    problem = answer.json()
    assert answer.status_code == status and answer.headers["content-type"].startswith("application/problem+json"), answer.text
    assert words in json.dumps(problem, ensure_ascii=False) and "geheim" not in problem.get("detail", "") + problem.get("remedy", "")
    assert (await admin.get("/api/connections")).json()["connections"] == []


async def test_the_same_source_twice_is_a_conflict(admin, source):
    assert (await add(admin, source)).status_code == 201
    assert (await add(admin, source)).status_code == 409


async def test_a_secret_is_sent_and_never_shown(admin, work, source, database_url, monkeypatch):
    monkeypatch.setenv("HDQ_CONNECTOR_SECRET_WATER", "reader:geheim")
    made = await add(admin, source, secret="WATER")
    assert made.status_code == 201 and made.json()["secret"] == "WATER"
    assert (await work(made.json()["id"], {"HDQ_CONNECTOR_SECRET_WATER": "reader:geheim"})).last_state == "ok"
    assert all("Authorization" in headers for _, _, headers in source.asked)
    source.answer = lambda path, query: as_json({}, 401)
    failed = await work(made.json()["id"], {"HDQ_CONNECTOR_SECRET_WATER": "reader:geheim"})
    shown = (await admin.get("/api/connections")).text + json.dumps(failed.last_error)
    with psycopg.connect(database_url) as db:
        shown += str(db.execute("SELECT detail FROM audit").fetchall()) + str(db.execute("SELECT args FROM procrastinate_jobs").fetchall())
    assert "geheim" not in shown and failed.last_state == "failed"
    assert (await work(made.json()["id"])).last_error["detail"].startswith("环境中没有")


async def test_only_of_the_callers_region(admin, source, database_url, login, app_client):
    made = (await add(admin, source)).json()
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("UPDATE staff SET role = 'data_admin' WHERE username = 'laoshan'")
    await login(app_client, "laoshan")
    assert (await app_client.get("/api/connections")).json()["connections"] == []
    path = f"/api/connections/{made['id']}"
    answers = [await app_client.get(path), await app_client.patch(path, json={"active": False}), await app_client.delete(path), await app_client.post(f"{path}/run")]
    assert [a.status_code for a in answers] == [404] * 4
    own = await add(app_client, source)
    assert own.status_code == 201 and own.json()["region_code"] == "370212"


async def test_rows_outside_the_region_of_the_connection_are_rejected(source, database_url, login, app_client, work):
    source.some[:] = [*wells(4), *((100 + n, 120.5 + n / 1000, 36.2) for n in range(20))]
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("UPDATE staff SET role = 'data_admin' WHERE username = 'laoshan'")
    await login(app_client, "laoshan")
    ran = await work((await add(app_client, source)).json()["id"])
    assert ran.last_state == "ok", ran.last_error
    dataset = (await app_client.get(f"/api/datasets/{ran.dataset_id}")).json()
    assert (dataset["feature_count"], len(dataset["rejected"])) == (20, 4)


async def test_without_a_list_connectors_are_off(settings, people, source, login):
    import httpx

    application = assemble(settings.model_copy(update={"connector_hosts": ""}))
    framework = application.app.framework
    async with framework.router.lifespan_context(framework):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://hdq.test", headers={"X-HDQ-Client": "1"}) as client:
            await login(client, "shuju")
            assert (await add(client, source)).json()["detail"].endswith("no host is allowed")
            assert (await client.get("/api/connections")).json()["hosts"] == []
    assert source.asked == []


@pytest.fixture
def partner(database_url):
    """Where the test's own server answers by TCP, as a partner's would."""
    with by_tcp(database_url) as place:
        yield place


async def test_a_postgis_is_followed(admin, work, database_url, partner, settings, tmp_path):
    said = psycopg.conninfo.conninfo_to_dict(database_url)
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("CREATE TABLE public.partner_wells (code text, geom geometry(Point, 4528))")
        for n, x, y in wells(25):
            db.execute("INSERT INTO partner_wells VALUES (%(n)s, ST_Transform(ST_SetSRID(ST_MakePoint(%(x)s, %(y)s), 4490), 4528))", {"n": f"w{n}", "x": x, "y": y})
        db.execute(
            """
            INSERT INTO connections (title, kind, address, collection, mode, key_name, secret_name, dataset_id, region_code)
            VALUES ('井', 'postgresql', %(address)s, 'public.partner_wells', 'replace', 'code', 'PG', 'partner_wells', '3702')
            """,
            {"address": f"postgresql://{partner}/{said['dbname']}"},
        )
        (made,) = db.execute("SELECT id FROM connections").fetchone()
    account = f"{said.get('user', 'postgres')}:{said.get('password', '')}"
    await connections.run(work.pool, settings.data_dir, made, frozenset({partner}), limits=replace(QUICK, silent_s=5.0), environment={"HDQ_CONNECTOR_SECRET_PG": account})
    async with work.pool.connection() as connection:
        this = await connections.get(connection, Scope("3702"), made)
    assert this.last_state == "importing", this.last_error
    await imports.run(work.pool, settings.data_dir, this.last_import)
    dataset = (await admin.get("/api/datasets/partner_wells")).json()
    assert (dataset["feature_count"], dataset["crs"]) == (25, "EPSG:4528")
    found = (await admin.get("/ogc/collections/dataset_partner_wells/items?limit=100")).json()["features"]
    near = {f["properties"]["code"]: f["geometry"]["coordinates"] for f in found}
    assert all(abs(near[f"w{n}"][0] - x) < 1e-7 and abs(near[f"w{n}"][1] - y) < 1e-7 for n, x, y in wells(25))
