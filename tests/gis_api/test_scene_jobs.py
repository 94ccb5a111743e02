"""Jobs of a scene that came in: its index is prepared, a survey reads it on a process of its own, and what a scene leaves behind is swept."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
from psycopg import AsyncConnection

from gis_api.tasks import JobContext
from gis_api.tasks.scenes import TASKS as SCENES
from gis_api.tasks.surveys import TASKS as SURVEYS
from grid.database import Scope, make_pool, rows
from grid.settings import Settings
from imagery.scenes import catalogue, indices, mapped, prepared, simulate, surveys
from imagery.scenes.raster import write_geotiff

CITY = Scope("3702")
BOUNDS = (120.555, 36.160, 120.570, 36.172)
CUT = shapely.box(120.560, 36.165, 120.5635, 36.167)


async def test_a_scene_is_prepared_surveyed_on_a_process_of_its_own_and_swept(
    conn: AsyncConnection, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))
    made = simulate.pair(BOUNDS, 10, [("forest", shapely.box(*BOUNDS))], [("clear_cut", CUT)], 3)
    scenes = []
    for name, pixels, day in (("before", made.before, 1), ("after", made.after, 20)):
        path = write_geotiff(tmp_path / f"{name}.tif", pixels, made.transform, made.crs, bands=simulate.BANDS, nodata=0)
        taken = datetime(2026, 9, day, 3, tzinfo=UTC)
        scenes.append(await catalogue.register(conn, settings.data_dir, path, taken_at=taken, scene_id=name, collection="sim-s2", simulated=True))
    asked = await rows(conn, "SELECT args ->> 'scene_id' AS scene FROM procrastinate_jobs WHERE task_name = 'prepare_scene' ORDER BY id")
    assert [row["scene"] for row in asked] == ["before", "after"]
    survey, _ = await surveys.request(conn, CITY, analysis_id="vegetation_loss", before="before", after="after")
    await conn.commit()

    files = [indices.path_of(scene.path(settings.data_dir), "ndvi") for scene in scenes]
    async with make_pool(settings.database_url, size=2) as pool:
        context = JobContext(settings.model_copy(update={"survey_workers": 1}), pool)
        await SCENES["prepare_scene"](context, "before")
        prepared.prepare(scenes[1].path(settings.data_dir), scenes[1].band_names, "ndvi")
        marks = [path.stat().st_mtime_ns for path in files]
        await SCENES["prepare_scene"](context, "before")
        await SCENES["prepare_scene"](context, "nowhere")
        assert [path.stat().st_mtime_ns for path in files] == marks and all(mapped.MAPS.of(path) is not None for path in files)

        await SURVEYS["survey"](context, survey.id)
        done = await surveys.get(conn, CITY, survey.id)
        assert (done.state, done.error, done.result["patches"]) == ("done", None, 1)
        assert not (settings.data_dir / "scenes" / "kept").exists() or not any((settings.data_dir / "scenes" / "kept").iterdir())

        again, _ = await surveys.request(conn, CITY, analysis_id="vegetation_loss", before="before", after="after", parameters={"drop": 0.3})
        await conn.commit()
        kept = [settings.data_dir / "scenes" / "kept" / str(number) for number in (survey.id, again.id, 999_999)]
        for folder in kept:
            folder.mkdir(parents=True)
        await SCENES["scene_sweep"](context)
        assert all(path.is_file() for path in files) and [folder.exists() for folder in kept] == [False, True, False]
        scenes[0].path(settings.data_dir).unlink()
        await SCENES["scene_sweep"](context)
        assert [path.is_file() for path in files] == [False, True]
