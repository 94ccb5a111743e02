"""A survey from two scenes to observations, patches, evidence and events: once, whole, or not at all."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
from psycopg import AsyncConnection

from grid.casework import patches
from grid.database import Scope, rows
from grid.errors import IllegalStep, InvalidInput, NotFound
from imagery.scenes import catalogue, simulate, survey, surveys
from imagery.scenes.raster import write_geotiff

CITY = Scope("3702")
CUT = shapely.box(120.560, 36.165, 120.5635, 36.167)
BOUNDS = (120.555, 36.160, 120.570, 36.172)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("scenes")
    cover = [("forest", shapely.box(*BOUNDS)), ("farmland", shapely.box(120.566, 36.16, 120.57, 36.172))]
    made = simulate.pair(BOUNDS, 10, cover, [("clear_cut", CUT)], 3)
    return tuple(
        write_geotiff(folder / f"{name}.tif", pixels, made.transform, made.crs, bands=simulate.BANDS, nodata=0)
        for name, pixels in (("before", made.before), ("after", made.after))
    )


@pytest.fixture
async def registered(conn: AsyncConnection, tmp_path: Path, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> AsyncConnection:
    """Two scenes, converted in this process: that the decoder is confined is test_engine's concern."""
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))
    for name, path, day in (("before", files[0], 1), ("after", files[1], 20)):
        taken = datetime(2026, 9, day, 3, tzinfo=UTC)
        await catalogue.register(conn, tmp_path, path, taken_at=taken, scene_id=name, collection="sim-s2", simulated=True)
    return conn


def of(connection: AsyncConnection) -> Callable:
    """What a job gets: its own transaction each time, here on the test's one connection."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[AsyncConnection]:
        async with connection.transaction():
            yield connection

    return connect


async def ask(connection: AsyncConnection, **changes) -> tuple[surveys.Survey, bool]:
    return await surveys.request(connection, CITY, **{"analysis_id": "vegetation_loss", "before": "before", "after": "after", **changes})


async def listed(connection: AsyncConnection, scope: Scope, survey_id: int | None = None) -> list[patches.Patch]:
    return (await patches.page(connection, scope, patches.Filters(survey_id=survey_id)))[0]


async def test_a_clear_cut_becomes_an_observation_with_evidence(registered: AsyncConnection, tmp_path: Path) -> None:
    asked, new = await ask(registered)
    assert new and asked.state == "queued" and asked.parameters["drop"] == 0.25
    await survey.run(of(registered), tmp_path, asked.id)
    done = await surveys.get(registered, CITY, asked.id)
    assert (done.state, done.progress, done.error) == ("done", 1.0, None)
    assert done.result["patches"] == 1 and done.result["shift"]["east"] == pytest.approx(0.35, abs=0.15)
    (patch,) = await listed(registered, CITY, asked.id)
    assert patch.area_m2 == pytest.approx(314.6 * 221.9, rel=0.15) and patch.simulated
    assert patch.geom.intersection(CUT).area / patch.geom.union(CUT).area > 0.75
    (seen,) = await rows(registered, "SELECT * FROM observations")
    assert seen["id"] == patch.observation_id and seen["sensor_kind"] == "satellite" and seen["kind"] == "vegetation_loss"
    assert seen["recorded_at"] == datetime(2026, 9, 20, 3, tzinfo=UTC) and 0.5 < seen["score"] < 1
    assert seen["footprint"].equals(patch.geom) and len(seen["evidence"]) == 2 and seen["simulated"]
    box = seen["boxes"][1]["box"]
    assert 0 < box[0] < box[2] < 1 and 0 < box[1] < box[3] < 1
    chips = await rows(registered, "SELECT kind, shown_sha256 = sha256 AS shown FROM evidence")
    assert chips == [{"kind": "chip", "shown": True}] * 2
    kinds = [row["kind"] for row in await rows(registered, "SELECT kind FROM events ORDER BY id")]
    assert kinds[:3] == ["scene.registered", "scene.registered", "survey.changed"] and kinds[-2:] == ["observation.accepted", "survey.changed"]


async def test_again_is_the_same_survey_and_nothing_doubles(registered: AsyncConnection, tmp_path: Path) -> None:
    asked, _ = await ask(registered)
    await survey.run(of(registered), tmp_path, asked.id)
    again, new = await ask(registered, parameters={"drop": 0.25})
    assert again.id == asked.id and not new and again.state == "done"
    await survey.run(of(registered), tmp_path, asked.id)
    await registered.execute("UPDATE surveys SET state = 'running'")
    await survey.run(of(registered), tmp_path, asked.id)
    for table, count in (("observations", 1), ("patches", 1), ("evidence", 2)):
        assert await rows(registered, f"SELECT count(*) AS n FROM {table}") == [{"n": count}], table
    other, new = await ask(registered, parameters={"drop": 0.3})
    assert new and other.id != asked.id


async def test_a_refusal_is_stored_with_its_reason_and_can_be_repeated(registered: AsyncConnection, tmp_path: Path) -> None:
    asked, _ = await ask(registered)
    scene = await catalogue.get(registered, CITY, "after")
    content = scene.path(tmp_path).read_bytes()
    scene.path(tmp_path).write_bytes(content[: len(content) // 2])
    await survey.run(of(registered), tmp_path, asked.id)
    failed = await surveys.get(registered, CITY, asked.id)
    assert failed.state == "failed" and failed.error and not await listed(registered, CITY)
    scene.path(tmp_path).write_bytes(content)
    again, new = await ask(registered)
    assert new and again.id == asked.id and again.state == "queued" and again.error is None
    await survey.run(of(registered), tmp_path, asked.id)
    assert (await surveys.get(registered, CITY, asked.id)).state == "done"


async def test_a_cancelled_survey_stores_nothing(registered: AsyncConnection, tmp_path: Path) -> None:
    asked, _ = await ask(registered)
    assert (await surveys.cancel(registered, CITY, asked.id)).state == "cancelled"
    await survey.run(of(registered), tmp_path, asked.id)
    assert (await surveys.get(registered, CITY, asked.id)).state == "cancelled"
    with pytest.raises(IllegalStep, match="cancelled"):
        await surveys.cancel(registered, CITY, asked.id)


async def test_what_cannot_be_asked_for(registered: AsyncConnection) -> None:
    for error, changes in (
        (NotFound, {"analysis_id": "sorcery"}),
        (NotFound, {"before": "nowhere"}),
        (InvalidInput, {"before": "after", "after": "before"}),
        (InvalidInput, {"parameters": {"drop": 9}}),
    ):
        with pytest.raises(error):
            await ask(registered, **changes)
    with pytest.raises(NotFound):
        await surveys.request(registered, Scope("370202"), analysis_id="burn", before="before", after="after")
    assert await surveys.page(registered, CITY) == []


async def test_scope_hides_surveys_and_patches(registered: AsyncConnection, tmp_path: Path) -> None:
    asked, _ = await ask(registered)
    await survey.run(of(registered), tmp_path, asked.id)
    elsewhere = Scope("370202")
    assert await surveys.page(registered, elsewhere) == [] and await listed(registered, elsewhere) == []
    with pytest.raises(NotFound):
        await surveys.get(registered, elsewhere, asked.id)


def test_blocks_and_processes_agree_with_the_whole(files: tuple[Path, Path]) -> None:
    from imagery.scenes import analyses, judging, pairs

    pair = pairs.align(pairs.Source(files[0], simulate.BANDS), pairs.Source(files[1], simulate.BANDS))
    analysis = analyses.get("change_vector")
    fitted = analysis.fit(*pairs.sample(pair))
    whole = analysis.run(*pair.read((0, 0, pair.grid.height, pair.grid.width)), fitted)
    score, mask, valid = judging.judge(pair, analysis, fitted)
    assert valid.any() and (mask == whole.mask).all()
    assert abs(score[valid] - whole.score[valid]).max() < 1e-4
