"""The watched folder: whole files are taken with what is said beside them, half-written ones are left alone, bad ones are put aside with a reason."""

import json
import os
import time

import pytest

from grid.database import Scope, make_pool, rows
from layers import dropped, imports

CSV = "code,name,lon,lat\na,五四广场,120.3826,36.0631\n"
CITY = Scope("3702")


@pytest.fixture
async def take(database_url, tmp_path):
    pool = make_pool(database_url, size=4)
    folder = tmp_path / "in"
    folder.mkdir()
    async with pool:

        async def run(quiet_s: float = 0.0) -> list[dict]:
            await dropped.take(pool, tmp_path / "data", folder, CITY, max_bytes=10_000, quiet_s=quiet_s)
            async with pool.connection() as connection:
                waiting = await rows(connection, "SELECT id, state, source_name, options, about, mode FROM imports ORDER BY created_at")
            for found in waiting:
                if found["state"] == "waiting":
                    await imports.run(pool, tmp_path / "data", found["id"])
            async with pool.connection() as connection:
                return await rows(connection, "SELECT state, source_name, about, mode FROM imports ORDER BY created_at")

        run.folder = folder
        yield run


async def test_a_whole_file_is_imported_with_what_is_said_beside_it(take):
    (take.folder / "点.csv").write_text(CSV)
    (take.folder / "点.csv.import.json").write_text(json.dumps({"title": "地标", "crs": "EPSG:4490", "key": "code"}))
    (found,) = await take()
    assert (found["state"], found["source_name"], found["about"]["title"]) == ("done", "点.csv", "地标")
    assert [p.name for p in take.folder.iterdir()] == ["taken"] and len(list((take.folder / "taken").iterdir())) == 2


async def test_half_written_files_are_never_read(take):
    path = take.folder / "点.csv"
    with path.open("w") as writing:
        writing.write(CSV[:20])
        writing.flush()
        os.utime(path, (time.time() - 60, time.time() - 60))
        assert await take() == []
        writing.write(CSV[20:])
    assert await take(quiet_s=30.0) == []
    assert len(await take()) == 1


async def test_links_hidden_and_foreign_files_are_left_alone(take, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text(CSV)
    (take.folder / "link.csv").symlink_to(secret)
    (take.folder / ".hidden.csv").write_text(CSV)
    (take.folder / "readme.md").write_text("x")
    (take.folder / "empty.csv").write_text("")
    assert await take() == []
    assert len(list(take.folder.iterdir())) == 4


@pytest.mark.parametrize("said", ["[", "[1]", '{"path": "/etc/passwd"}', '{"crs": 4326}', '{"mode": "upsert"}', '{"mode": "upsert", "dataset": "absent"}'])
async def test_what_cannot_be_meant_is_put_aside_with_the_reason(take, said):
    (take.folder / "点.csv").write_text(CSV)
    (take.folder / "点.csv.import.json").write_text(said)
    assert await take() == []
    refused = sorted(p.name.partition("-点")[2] for p in (take.folder / "refused").iterdir())
    assert refused == [".csv", ".csv.import.json", ".csv.txt"]


async def test_files_beyond_the_limit_are_refused(take):
    (take.folder / "点.csv").write_text(CSV + "b,x,120.3,36.1\n" * 1000)
    assert await take() == [] and len(list((take.folder / "refused").iterdir())) == 2
