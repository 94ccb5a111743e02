"""A survey that is cut to a register's ground, and the baseline beside it."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from psycopg import AsyncConnection

from grid.database import rows
from grid.errors import InvalidInput, NotFound
from grid.world import forest, grounds, parcels
from grid.world.forest import ForestZone
from grid.world.parcels import Parcel
from imagery.scenes import analyses, baseline, judging, pairs, runs, simulate, survey, surveys
from imagery.scenes.raster import write_geotiff
from tests.imagery.scenes.test_survey import BOUNDS, CITY, CUT, of, registered

__all__ = ["registered"]
WEST = shapely.box(120.5617, 36.164, 120.57, 36.169)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("scenes")
    made = simulate.pair(BOUNDS, 10, [("forest", shapely.box(*BOUNDS))], [("clear_cut", CUT)], 3)
    return tuple(
        write_geotiff(folder / f"{name}.tif", pixels, made.transform, made.crs, bands=simulate.BANDS, nodata=0)
        for name, pixels in (("before", made.before), ("after", made.after))
    )


def pair_of(files: tuple[Path, Path]) -> pairs.Pair:
    return pairs.align(*(pairs.Source(file, simulate.BANDS) for file in files))


def test_only_the_ground_is_judged(files: tuple[Path, Path]) -> None:
    sources = [pairs.Source(file, simulate.BANDS) for file in files]
    whole, cut = (survey.examine(*sources, analyses.get("clear_cut"), ground=ground) for ground in (None, [WEST]))
    assert len(whole.patches) == len(cut.patches) == 1
    inside = whole.patches[0].geom.intersection(WEST)
    assert cut.patches[0].geom.symmetric_difference(inside).area < 0.12 * inside.area
    assert cut.result["valid_share"] < 0.5 * whole.result["valid_share"]
    assert survey.examine(*sources, analyses.get("clear_cut"), ground=[shapely.box(121, 36, 121.1, 36.1)]).patches == ()


def test_the_baseline_stands_beside_the_index(files: tuple[Path, Path]) -> None:
    pair = pair_of(files)
    shape = (pair.grid.height, pair.grid.width)
    analysis = analyses.get("vegetation_loss")
    mask = judging.judge(*[(prepared := judging.prepare(pair, analysis))[0], analysis, prepared[1]])[1]
    found = baseline.agreement(pair, runs.runs_of(mask, mask), "vegetation_loss")
    assert found["analysis"] == "irmad" and found["agrees"] > 0.8 and found["lift"] > 3 and found["pixels"] == mask.sum()
    random = np.random.default_rng(5).random(shape) < 0.05
    assert baseline.agreement(pair, runs.runs_of(random, random), "vegetation_loss")["lift"] < 2
    assert baseline.agreement(pair, runs.runs_of(mask, mask), "irmad") is None
    assert baseline.agreement(pair, runs.runs_of(empty := np.zeros(shape, bool), empty), "burn") is None


async def test_grounds_of_the_registers(conn: AsyncConnection) -> None:
    box = shapely.box(120.55, 36.15, 120.58, 36.18)
    with pytest.raises(InvalidInput, match="hold no farmland"):
        await grounds.polygons(conn, "farmland", box, date(2024, 5, 1), date(2025, 5, 1))
    with pytest.raises(NotFound, match="moor"):
        await grounds.polygons(conn, "moor", box, date(2024, 5, 1), date(2025, 5, 1))
    made = [("a", "farmland", WEST), ("b", "orchard", CUT), ("c", "residential", CUT), ("d", "farmland", shapely.box(121, 36, 121.1, 36.1)), ("e", "forest", CUT)]
    await parcels.load(conn, [Parcel(code, category, False, "", 1.0, "370212", True, shapely.MultiPolygon([geom])) for code, category, geom in made], [])
    await forest.load(conn, [ForestZone("f", "林班", "commercial", "pine", 3, 1.0, "370212", True, shapely.MultiPolygon([WEST]))])
    assert len(await grounds.polygons(conn, "farmland", box, date(2024, 5, 1), date(2025, 5, 1))) == 2
    assert len(await grounds.polygons(conn, "forest", box, date(2024, 5, 1), date(2025, 5, 1))) == 2
    with pytest.raises(InvalidInput):
        await grounds.polygons(conn, "farmland", box, date(2018, 5, 1), date(2019, 5, 1))


async def test_a_survey_of_felling_asks_the_forest_register(registered: AsyncConnection, tmp_path: Path) -> None:
    asked, _ = await surveys.request(registered, CITY, analysis_id="clear_cut", before="before", after="after")
    await survey.run(of(registered), tmp_path, asked.id)
    failed = await surveys.get(registered, CITY, asked.id)
    assert failed.state == "failed" and "hold no forest" in failed.error
    await forest.load(registered, [ForestZone("f", "林班", "commercial", "pine", 3, 1.0, "370212", True, shapely.MultiPolygon([WEST]))])
    asked, _ = await surveys.request(registered, CITY, analysis_id="clear_cut", before="before", after="after")
    await survey.run(of(registered), tmp_path, asked.id)
    done = await surveys.get(registered, CITY, asked.id)
    assert done.state == "done" and done.result["patches"] == 1 and done.result["baseline"]["agrees"] > 0.5
    (seen,) = await rows(registered, "SELECT kind, footprint FROM observations")
    assert seen["kind"] == "vegetation_loss" and seen["footprint"].within(WEST.buffer(2e-4))


async def test_scenes_of_two_seasons_are_refused_at_once(registered: AsyncConnection) -> None:
    await registered.execute("UPDATE scenes SET taken_at = %s WHERE id = 'before'", (datetime(2026, 6, 1, tzinfo=UTC),))
    with pytest.raises(InvalidInput, match="seasons are"):
        await surveys.request(registered, CITY, analysis_id="farmland", before="before", after="after")
