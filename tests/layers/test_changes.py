"""Append, replace and upsert: what would change is counted first, then done whole; ids stay where keys stay."""

import asyncio
import doctest
import json
from pathlib import Path

import numpy as np
import pytest
from psycopg_pool import AsyncConnectionPool

from grid import events
from grid.database import Scope, connect, make_pool, row, rows
from grid.errors import Conflict, InvalidInput
from layers import changes, datasets, imports, originals, staging
from layers.datasets import About
from layers.imports import Import
from layers.readers import Options
from tests.layers.files import collection, point, put

CITY = Scope("3702")
FIRST = [("a", "一号井", 120.38, 36.06), ("b", "二号井", 120.39, 36.07), ("c", "三号井", 120.40, 36.08)]
SECOND = [("b", "二号井", 120.39, 36.07), ("c", "三号井（改）", 120.40, 36.08), ("d", "四号井", 120.41, 36.09)]


def wells(folder: Path, name: str, found: list[tuple]) -> Path:
    return put(folder, name, collection([point(lon, lat, {"code": code, "name": title}) for code, title, lon, lat in found]))


@pytest.fixture
async def pool(database_url) -> AsyncConnectionPool:
    made = make_pool(database_url, size=6)
    async with made:
        yield made


@pytest.fixture
async def first(pool, tmp_path) -> datasets.Dataset:
    async with pool.connection() as connection:
        path = wells(tmp_path, "a.geojson", FIRST)
        return await datasets.import_file(connection, tmp_path / "data", path, path.name, About(title="井"), Options(key="code"), scope=CITY)


async def send(pool, folder: Path, path: Path, key: str | None = None, **how) -> Import:
    async with pool.connection() as connection:
        made = await imports.submit(connection, folder / "data", path, path.name, About(title=how.pop("title", "井")), how.pop("options", Options(key=key)), scope=CITY, **how)
    await imports.run(pool, folder / "data", made.id)
    return await look(pool, made)


async def look(pool, found: Import) -> Import:
    async with pool.connection() as connection:
        return await imports.get(connection, CITY, found.id)


async def stored(pool, dataset_id: str) -> dict:
    async with pool.connection() as connection:
        return {r["code"]: (r["id"], r["name"]) for r in await rows(connection, "SELECT id, properties ->> 'code' AS code, properties ->> 'name' AS name FROM dataset_features WHERE dataset_id = %(id)s", {"id": dataset_id})}


@pytest.mark.parametrize(
    ("mode", "counts", "after"),
    [
        ("upsert", (1, 1, 0, 1, 1), {"a": (1, "一号井"), "b": (2, "二号井"), "c": (3, "三号井（改）"), "d": (4, "四号井")}),
        ("append", (1, 0, 0, 2, 1), {"a": (1, "一号井"), "b": (2, "二号井"), "c": (3, "三号井"), "d": (4, "四号井")}),
        ("replace", (1, 1, 1, 1, 0), {"b": (2, "二号井"), "c": (3, "三号井（改）"), "d": (4, "四号井")}),
    ],
)
async def test_a_preview_says_what_storing_does_and_nothing_is_seen_before(pool, first, tmp_path, mode, counts, after):
    found = await send(pool, tmp_path, wells(tmp_path, "b.geojson", SECOND), "code", mode=mode, dataset_id=first.id, preview=True)
    assert found.state == "staged" and found.summary["kept"] == 3
    assert tuple(found.changes[k] for k in ("new", "changed", "removed", "unchanged", "kept")) == counts
    assert {(e["kind"], e["key"]) for e in found.changes["examples"]} == {("new", "d"), *([("changed", "c")] if mode != "append" else []), *([("removed", "a")] if mode == "replace" else [])}
    assert len(await stored(pool, first.id)) == 3 and (await stored(pool, first.id))["c"] == (3, "三号井")
    async with pool.connection() as connection:
        before = await events.latest_id(connection)
        await imports.store(connection, CITY, found.id)
    await imports.run_store(pool, tmp_path / "data", found.id)
    done = await look(pool, found)
    assert (done.state, done.staged, done.dataset_id) == ("done", None, first.id), done.problem
    assert await stored(pool, first.id) == after
    async with pool.connection() as connection:
        now = await datasets.get(connection, CITY, first.id)
        assert (now.version, now.feature_count, now.key_name, now.source_name) == (2, len(after), "code", "b.geojson")
        assert [e.kind for e in await events.since(connection, before)] == ["dataset.updated"]
        assert (await row(connection, "SELECT count(*) AS n FROM pg_class WHERE relname LIKE 'dataset_rows_%%'"))["n"] == 0


async def test_replacing_without_a_key_and_appending_without_a_key(pool, tmp_path):
    made = await send(pool, tmp_path, wells(tmp_path, "a.geojson", FIRST))
    assert made.state == "done", made.problem
    replaced = await send(pool, tmp_path, wells(tmp_path, "b.geojson", SECOND), mode="replace", dataset_id=made.dataset_id)
    assert (replaced.state, replaced.changes["new"], replaced.changes["removed"]) == ("done", 3, 3)
    assert set(await stored(pool, made.dataset_id)) == {"b", "c", "d"}
    added = await send(pool, tmp_path, wells(tmp_path, "c.geojson", FIRST[:1]), mode="append", dataset_id=made.dataset_id)
    assert added.changes["kept"] == 3 and (await stored(pool, made.dataset_id))["a"][0] == 4
    with pytest.raises(InvalidInput, match="key"):
        await send(pool, tmp_path, wells(tmp_path, "d.geojson", SECOND), mode="upsert", dataset_id=made.dataset_id)


async def test_what_was_looked_at_is_refused_when_the_dataset_moved_on(pool, first, tmp_path):
    seen = await send(pool, tmp_path, wells(tmp_path, "b.geojson", SECOND), "code", mode="upsert", dataset_id=first.id, preview=True)
    await send(pool, tmp_path, wells(tmp_path, "c.geojson", FIRST[:2]), "code", mode="replace", dataset_id=first.id)
    async with pool.connection() as connection:
        await imports.store(connection, CITY, seen.id)
    await imports.run_store(pool, tmp_path / "data", seen.id)
    late = await look(pool, seen)
    assert late.state == "failed" and late.problem["kind"] == "Conflict" and late.staged is None
    assert set(await stored(pool, first.id)) == {"a", "b"}


async def test_a_bad_file_fails_with_its_reasons_and_leaves_the_dataset(pool, first, tmp_path):
    path = put(tmp_path, "bad.csv", "code,lon,lat\na,120.38,36.06\n")
    failed = await send(pool, tmp_path, path, "code", mode="upsert", dataset_id=first.id)
    assert failed.state == "failed" and failed.problem["kind"] == "UnknownCrs" and [c["crs"] for c in failed.problem["candidates"]][0] == "EPSG:4326"
    assert len(await stored(pool, first.id)) == 3
    with pytest.raises(InvalidInput):
        await send(pool, tmp_path, path, mode="create", dataset_id=first.id)


async def test_an_import_called_off_leaves_nothing(pool, first, tmp_path, monkeypatch):
    staged = await send(pool, tmp_path, wells(tmp_path, "b.geojson", SECOND), "code", mode="replace", dataset_id=first.id, preview=True)
    async with pool.connection() as connection:
        gone = await imports.cancel(connection, CITY, staged.id)
        assert (gone.state, gone.staged) == ("cancelled", None)
        with pytest.raises(Conflict):
            await imports.store(connection, CITY, staged.id)
    monkeypatch.setattr(imports, "_TOLD_EVERY_S", 0.0)
    async with pool.connection() as connection:
        made = await imports.submit(connection, tmp_path / "data", wells(tmp_path, "c.geojson", SECOND), "c.geojson", About(title="井"), Options(), scope=CITY)
    tell = imports._tell

    async def called_off(pool_, import_id, rows_, done):
        async with pool_.connection() as connection:
            await imports.cancel(connection, CITY, import_id)
        await tell(pool_, import_id, rows_, done)

    monkeypatch.setattr(imports, "_tell", called_off)
    await imports.run(pool, tmp_path / "data", made.id)
    assert (await look(pool, made)).state == "cancelled"
    async with pool.connection() as connection:
        assert (await row(connection, "SELECT count(*) AS n FROM datasets"))["n"] == 1
        assert (await row(connection, "SELECT count(*) AS n FROM pg_class WHERE relname LIKE 'dataset_rows_%%'"))["n"] == 0


async def test_large_datasets_keep_a_table_of_their_own_and_change_like_small_ones(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "KEEP_APART_FROM", 100)
    rng = np.random.default_rng(2)
    many = [(f"k{i}", f"井{i}", float(x), float(y)) for i, (x, y) in enumerate(rng.uniform([120.2, 36.0], [120.5, 36.2], (300, 2)).round(6))]
    other = await send(pool, tmp_path, wells(tmp_path, "o.geojson", FIRST), title="别的")
    made = await send(pool, tmp_path, wells(tmp_path, "a.geojson", many), "code")
    async with pool.connection() as connection:
        found = await datasets.get(connection, CITY, made.dataset_id)
        assert found.feature_count == 300 and staging.NAME.fullmatch(found.store)
        plan = "\n".join(r["QUERY PLAN"] for r in await rows(connection, f"EXPLAIN SELECT * FROM dataset_features WHERE dataset_id = '{other.dataset_id}'"))
        assert found.store not in plan
    changed = [(k, n + "改", x, y) if i < 10 else (k, n, x, y) for i, (k, n, x, y) in enumerate(many[:200])] + [("new", "新", 120.3, 36.1)]
    seen = await send(pool, tmp_path, wells(tmp_path, "b.geojson", changed), "code", mode="replace", dataset_id=made.dataset_id)
    assert tuple(seen.changes[k] for k in ("new", "changed", "removed", "unchanged")) == (1, 10, 100, 190)
    assert len(await stored(pool, made.dataset_id)) == 201 and len(await stored(pool, other.dataset_id)) == 3
    whole = await send(pool, tmp_path, wells(tmp_path, "c.geojson", many), mode="replace", dataset_id=made.dataset_id)
    assert whole.state == "done" and len(await stored(pool, made.dataset_id)) == 300
    async with pool.connection() as connection:
        await datasets.delete(connection, CITY, made.dataset_id)
        assert (await row(connection, "SELECT count(*) AS n FROM pg_class WHERE relname LIKE 'dataset_rows_%%'"))["n"] == 0
        assert (await row(connection, "SELECT count(*) AS n FROM dataset_features"))["n"] == 3


async def test_readers_never_see_half_an_import(pool, first, tmp_path, database_url):
    """Somebody reads all the while: they see the old rows, then the new ones, and never a mixture."""
    seen: set[tuple] = set()
    over = asyncio.Event()

    async def watch() -> None:
        other = await connect(database_url, autocommit=True)
        while not over.is_set():
            found = await rows(other, "SELECT properties ->> 'code' AS code FROM dataset_features WHERE dataset_id = %(id)s ORDER BY 1", {"id": first.id})
            seen.add(tuple(r["code"] for r in found))
            await asyncio.sleep(0)
        await other.close()

    watching = asyncio.create_task(watch())
    await send(pool, tmp_path, wells(tmp_path, "b.geojson", SECOND), mode="replace", dataset_id=first.id)
    await asyncio.sleep(0.05)
    over.set()
    await watching
    assert seen == {("a", "b", "c"), ("b", "c", "d")}


async def test_the_sweep_lets_go_of_what_nobody_stored(pool, first, tmp_path):
    staged = await send(pool, tmp_path, wells(tmp_path, "b.geojson", SECOND), "code", mode="upsert", dataset_id=first.id, preview=True)
    async with pool.connection() as connection:
        assert await imports.sweep(connection) == 0
        assert await imports.sweep(connection, staged_hours=0) == 1
    assert (await look(pool, staged)).state == "cancelled"
    async with pool.connection() as connection:
        await originals.remove_orphans(connection, tmp_path / "data", unfinished_after_s=0)
        assert originals.path_of(tmp_path / "data", staged.source_sha256).exists()


def test_doctests():
    assert not doctest.testmod(changes).failed
    assert json.loads(changes.as_json(changes.Changes("append", 1, 1, 0, 0, 0, 0, ())))["new"] == 1
