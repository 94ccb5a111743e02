"""Fire rows: a pixel with a size, a UTC time, and bad rows by number."""

import time
from datetime import UTC, datetime

import pytest
import shapely
from psycopg import AsyncConnection

from grid.database import rows
from grid.errors import InvalidInput
from grid.geometry import area_m2, inverse
from grid.world import forest, parcels
from grid.world.forest import ForestZone
from grid.world.parcels import Parcel
from imagery.scenes.hotspots import accept, footprint, judge, read

MODIS = """latitude,longitude,brightness,scan,track,acq_date,acq_time,satellite,confidence,version,bright_t31,frp,daynight
36.20000,120.60000,313.1,1.28,1.12,2023-08-01,256,T,36,6.1NRT,288.76,6.76,D
36.20000,abc,313.1,1.28,1.12,2023-08-01,256,T,36,6.1NRT,288.76,6.76,D
36.21000,120.61000,322.1,1.28,1.12,2023-08-01,2561,A,75,6.1NRT,288.76,16.88,N
36.21000,120.61000,322.1,1.28,1.12,2023-08-01,1751,A,175,6.1NRT,288.76,16.88,N
36.22000,120.62000,322.1,1.28,1.12,2023-08-01
-8.00000,-42.00000,322.1,1.0,1.0,2023-08-01,0035,A,75,6.1NRT,288.76,,N
"""
VIIRS = """latitude,longitude,bright_ti4,scan,track,acq_date,acq_time,satellite,confidence,version,bright_ti5,frp,daynight
36.20000,120.60000,327.59,0.34,0.56,2025-06-27,0544,N,nominal,2.0NRT,299.34,4.85,D
"""
QINGDAO = (119.4, 35.5, 121.1, 37.2)


def test_rows_become_findings_and_bad_rows_are_named() -> None:
    found = read(MODIS.encode(), bbox=QINGDAO)
    assert [(bad.row, bad.column) for bad in found.bad] == [(3, "longitude"), (4, "acq_time"), (5, "confidence"), (6, "")]
    assert found.outside == 1
    (fire,) = found.findings
    assert fire.recorded_at == datetime(2023, 8, 1, 2, 56, tzinfo=UTC)
    assert (fire.score, fire.kind, fire.sensor_kind, fire.source) == (0.36, "forest_fire", "satellite", "firms-modis-terra")
    assert fire.properties["frp_mw"] == 6.76 and fire.accuracy_m == pytest.approx(850.4, abs=0.1)
    assert area_m2(fire.footprint) == pytest.approx(1280 * 1120, rel=1e-3)
    assert shapely.centroid(fire.footprint).distance(fire.place) < 1e-6


def test_viirs_words_and_columns() -> None:
    (fire,) = read(VIIRS.encode()).findings
    assert (fire.score, fire.source, fire.properties["instrument"]) == (0.6, "firms-viirs-suomi-npp", "VIIRS")


def test_the_footprint_lies_along_the_track() -> None:
    """1 km across and 2 km along heading 191°: the long side runs nearly north to south."""
    ring = list(footprint(120.6, 36.2, 1.0, 2.0).exterior.coords)
    sides = sorted(inverse(*ring[i], *ring[i + 1])[::-1] for i in range(4))
    assert [round(length) for length, _ in sides] == [1000, 1000, 2000, 2000]
    assert sides[-1][1] % 180 == pytest.approx(11, abs=0.1)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2\n", MODIS.replace("scan", "span").encode()])
def test_what_is_no_fire_table_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(content)


async def test_the_same_file_twice_is_one_observation(conn: AsyncConnection) -> None:
    first, _ = await accept(conn, MODIS.encode(), bbox=QINGDAO)
    second, _ = await accept(conn, MODIS.encode(), bbox=QINGDAO)
    assert [one.new for one in first] == [True] and [one.new for one in second] == [False]
    (stored,) = await rows(conn, "SELECT kind, footprint, score FROM observations")
    assert stored["kind"] == "forest_fire" and stored["footprint"].geom_type == "Polygon"


def test_the_real_rows_all_read(real_data) -> None:
    found = read(real_data("fires/MODIS_Shandong_bbox_20230801-02.csv").read_bytes())
    assert len(found.findings) == 117 and not found.bad
    viirs = read(real_data("fires/SUOMI_VIIRS_C2_South_Asia_7d.csv").read_bytes())
    assert len(viirs.findings) == 3549 and not viirs.bad


def modis(day: str, lon: float, lat: float = 36.7, clock: str = "0256", more: str = "") -> str:
    return f"{lat:.5f},{lon:.5f},322.1,1.0,1.0,{day},{clock},T,75,6.1NRT,288.76,6.76,D{more}"


HEADER = MODIS.split("\n", 1)[0]


async def kinds(conn: AsyncConnection, *lines: str, header: str = HEADER) -> list[str]:
    _, found = await accept(conn, "\n".join([header, *lines, ""]).encode(), bbox=QINGDAO)
    return [finding.kind for finding in found.findings]


async def test_heat_on_farmland_is_straw_and_near_forest_an_alarm(conn: AsyncConnection) -> None:
    fields = shapely.MultiPolygon([shapely.box(120.0, 36.6, 120.2, 36.8)])
    await parcels.load(conn, [Parcel("f", "farmland", False, "", 1.0, "370283", True, fields)], [])
    assert await kinds(conn, modis("2026-06-12", 120.10), modis("2026-06-12", 120.199), modis("2026-06-12", 120.5)) == ["straw_burning", "straw_burning", "forest_fire"]
    assert await kinds(conn, modis("2026-06-12", 120.204)) == ["forest_fire"], "two fifths of the pixel are farmland"
    wood = shapely.MultiPolygon([shapely.box(120.108, 36.69, 120.12, 36.71)])
    await forest.load(conn, [ForestZone("w", "林班", "commercial", "pine", 3, 1.0, "370283", True, wood)])
    assert await kinds(conn, modis("2026-06-13", 120.10)) == ["forest_fire"]
    (seen,) = await rows(conn, "SELECT properties FROM observations WHERE recorded_at::date = '2026-06-13'")
    assert seen["properties"]["near_forest"] and seen["properties"]["farmland_share"] == pytest.approx(1)


async def test_heat_that_comes_back_is_no_fire(conn: AsyncConnection) -> None:
    days = ["2025-03-01", "2025-03-09", "2025-03-17", "2025-03-25", "2025-04-02", "2025-04-10", "2025-04-11"]
    assert await kinds(conn, *(modis(day, 120.30 + 0.001 * number) for number, day in enumerate(days))) == ["forest_fire"] * 6 + ["static_heat"]
    assert await kinds(conn, modis("2025-04-12", 120.30)) == ["static_heat"]
    assert await kinds(conn, modis("2025-04-12", 120.32), modis("2025-12-01", 120.30)) == ["forest_fire"] * 2, "1.8 km away, and half a year later"
    burning = [modis(f"2025-05-{day:02d}", 120.40) for day in range(1, 12)]
    assert set(await kinds(conn, *burning)) == {"forest_fire"}, "eleven days on end are a fire that burns long"
    wood = shapely.MultiPolygon([shapely.box(120.29, 36.69, 120.31, 36.71)])
    await forest.load(conn, [ForestZone("w", "林班", "commercial", "pine", 3, 1.0, "370283", True, wood)])
    assert await kinds(conn, modis("2025-04-13", 120.30)) == ["forest_fire"], "in forest nothing is taken back"


async def test_what_the_archive_calls_static_is(conn: AsyncConnection) -> None:
    assert await kinds(conn, modis("2025-04-12", 120.30, more=",2"), modis("2025-04-12", 120.35, more=",0"), header=HEADER + ",type") == ["static_heat", "forest_fire"]


async def test_a_week_of_a_subcontinent_is_told_in_seconds(conn: AsyncConnection, real_data) -> None:
    findings = read(real_data("fires/SUOMI_VIIRS_C2_South_Asia_7d.csv").read_bytes()).findings
    begun = time.monotonic()
    told = await judge(conn, findings)
    assert len(told) == len(findings) == 3549 and time.monotonic() - begun < 30
    assert {one.kind for one in told} == {"forest_fire"}, "a week is too short for a lasting source, and no register is loaded"
