"""The tidal stage by constituents: astronomical arguments against known skies, the file, who speaks for which scene."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from psycopg import AsyncConnection
from rasterio.transform import from_origin

from grid.errors import InvalidInput
from imagery.scenes import catalogue, tide
from imagery.scenes.raster import write_geotiff

FILE = """
[[stations]]
name = "模拟站"
lon = 120.35
lat = 36.05
z0_m = 0.1
simulated = true
source = "模拟 made up for tests"
constituents = [{ name = "M2", amplitude_m = 1.2, phase_deg = 120 }, { name = "S2", amplitude_m = 0.4, phase_deg = 160 }, { name = "K1", amplitude_m = 0.3, phase_deg = 5 }]

[[stations]]
name = "实测站"
lon = 120.8
lat = 36.3
sigma_m = 0.2
phase_zone_hours = 8
constituents = [{ name = "m2", amplitude_m = 1.0, phase_deg = 100 }]
"""


def lone(*rows: tuple[str, float, float]) -> tide.Station:
    return tide.Station("x", 120, 36, 0.0, 0.3, 50, "", False, rows)


def test_moon_and_sun_stand_where_eclipses_and_standstills_say():
    for eclipse in (datetime(2024, 4, 8, 18, 17, tzinfo=UTC), datetime(2009, 7, 22, 2, 35, tzinfo=UTC)):
        moon, sun, _, _ = tide.longitudes((eclipse - tide.EPOCH).total_seconds() / 86_400)
        assert abs((moon - sun + 180) % 360 - 180) < 9
    node = tide.longitudes((datetime(2006, 6, 19, tzinfo=UTC) - tide.EPOCH).total_seconds() / 86_400)[3]
    assert abs((node + 180) % 360 - 180) < 3


@pytest.mark.parametrize(("name", "hours"), [("M2", 12.4206012), ("S2", 12.0), ("K1", 23.9344697), ("O1", 25.8193417), ("P1", 24.0658902), ("N2", 12.6583482), ("Q1", 26.8683567), ("M4", 6.2103006), ("SA", 8765.82)])
def test_each_constituent_comes_back_after_its_period(name: str, hours: float):
    station, at = lone((name, 1.0, 40.0)), datetime(2026, 5, 3, 2, 45, tzinfo=UTC)
    for turns in (1, 28):
        assert station.level(at + timedelta(hours=hours * turns)) == pytest.approx(station.level(at), abs=0.02)


def test_s2_is_high_at_its_lag_and_m2_springs_with_it_at_new_moon():
    assert lone(("S2", 1.0, 60.0)).level(datetime(2026, 5, 3, 2, tzinfo=UTC)) == pytest.approx(1.0)
    both = lone(("M2", 1.0, 0.0), ("S2", 1.0, 0.0))
    day = lambda begin: np.ptp([both.level(begin + timedelta(hours=hour)) for hour in range(25)])  # noqa: E731
    assert day(datetime(2024, 4, 8, 12, tzinfo=UTC)) > 3.6 and day(datetime(2024, 4, 15, 19, tzinfo=UTC)) < 0.9


def test_the_file_speaks_for_near_scenes_and_a_made_up_station_only_for_made_up_ones(tmp_path: Path):
    path = tmp_path / "tides.toml"
    path.write_text(FILE, encoding="utf-8")
    stations = tide.read(path)
    at = datetime(2026, 9, 15, 2, 45, tzinfo=UTC)
    assert stations[1].constituents[0][2] == pytest.approx((100 - 28.9841042 * 8) % 360, abs=1e-3)
    made_up = tide.foretold(stations, 120.36, 36.06, at, simulated=True)
    assert made_up["hdq:tide_simulated"] and "模拟站" in made_up["hdq:tide_source"] and made_up["hdq:tide_m"] == round(stations[0].level(at), 2)
    true = tide.foretold(stations, 120.36, 36.06, at, simulated=False)
    assert "实测站" in true["hdq:tide_source"] and true["hdq:tide_sigma_m"] == 0.2 and not true["hdq:tide_simulated"]
    assert tide.foretold(stations, 117.0, 36.0, at, simulated=True) == {}
    for old, new, says in (('"M2"', '"X9"', "X9"), ("lat = 36.05", "lat = 136", "lat 136"), ("amplitude_m = 1.2", "amplitude_m = -3", "-3.0 m"), ("[[stations]]", "[[stations", "tides.toml")):
        path.write_text(FILE.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(InvalidInput, match=says):
            tide.read(path)


async def test_a_scene_without_a_level_gets_one_that_says_from_where(conn: AsyncConnection, settings, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))
    (tmp_path / "tides.toml").write_text(FILE, encoding="utf-8")
    picture = write_geotiff(tmp_path / "a.tif", np.full((1, 32, 32), 9, np.uint8), from_origin(265_000, 3_993_000, 10, 10), "EPSG:32651")
    said = {"taken_at": datetime(2026, 9, 15, 2, 45, tzinfo=UTC), "bands": ("gray",), "tide_file": tmp_path / "tides.toml"}
    told = [
        (await catalogue.register(conn, settings.data_dir, picture, scene_id=name, **said, **more)).properties
        for name, more in (("a", {}), ("b", {"simulated": True}), ("c", {"tide_m": 0.7}), ("d", {"properties": {"hdq:tide_m": 0.2}}))
    ]
    assert "实测站" in told[0]["hdq:tide_source"] and "模拟站" in told[1]["hdq:tide_source"] and "模拟站" not in told[0]["hdq:tide_source"]
    assert told[2] == {"hdq:tide_m": 0.7, "hdq:tide_source": tide.GIVEN} and told[3] == {"hdq:tide_m": 0.2}
