"""Fire rows: a pixel with a size, a UTC time, and bad rows by number."""

from datetime import UTC, datetime

import pytest
import shapely
from psycopg import AsyncConnection

from grid.database import rows
from grid.errors import InvalidInput
from grid.geometry import area_m2, inverse
from imagery.scenes.hotspots import accept, footprint, read

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
