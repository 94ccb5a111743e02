"""Heights of imports against the terrain: the other datum is found, held, put right on confirmation; clean sets pass."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_bounds

from grid.database import Scope
from grid.errors import InvalidInput
from grid.firewall.heights import convert
from layers import datasets, quarantine, release
from layers.datasets import About
from layers.quarantine import Held
from layers.readers import Options

CITY = Scope("3702")


def ground(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    return 30 + 20 * np.sin(lon * 300) * np.cos(lat * 250)


@pytest.fixture
def terrain(settings):
    """A model of the ground around 市南, metres above the 1985 datum."""
    west, south, east, north, n = 120.30, 36.00, 120.50, 36.20, 800
    lon, lat = np.meshgrid(west + (np.arange(n) + 0.5) * (east - west) / n, north - (np.arange(n) + 0.5) * (north - south) / n)
    folder = settings.data_dir / "terrain"
    folder.mkdir(parents=True, exist_ok=True)
    with rasterio.open(folder / "test.tif", "w", driver="GTiff", width=n, height=n, count=1, dtype="float32", crs="EPSG:4326", transform=from_bounds(west, south, east, north, n, n)) as made:
        made.write(ground(lon, lat).astype(np.float32), 1)
    yield settings.data_dir
    (folder / "test.tif").unlink()


def spots(tmp_path, declared: str, share: float, *, shape: str = "z"):
    """300 spot heights, true to half a metre, of which a share is above the other datum: the file, the true heights, which are wrong."""
    rng = np.random.default_rng(5)
    lon, lat = rng.uniform(120.32, 120.48, 300), rng.uniform(36.02, 36.18, 300)
    true = ground(lon, lat) + rng.normal(0, 0.5, 300)
    wrong = rng.random(300) < share
    other = "1985" if declared == "ellipsoidal" else "ellipsoidal"
    z = np.where(wrong, convert(true, lon, lat, "1985", other), convert(true, lon, lat, "1985", declared)).round(3)
    if shape == "z":
        file = tmp_path / "spots.geojson"
        features = [{"type": "Feature", "properties": {"n": i}, "geometry": {"type": "Point", "coordinates": [x, y, h]}} for i, (x, y, h) in enumerate(zip(lon, lat, z, strict=True))]
        file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    else:
        file = tmp_path / "spots.csv"
        file.write_text("n,lon,lat,高程\n" + "".join(f"{i},{x},{y},{h}\n" for i, (x, y, h) in enumerate(zip(lon, lat, z, strict=True))), encoding="utf-8")
    return file, true, wrong


async def stored(conn, dataset_id: str) -> np.ndarray:
    cursor = await conn.execute("SELECT (properties ->> 'height_1985_m')::float8 FROM dataset_features WHERE dataset_id = %s ORDER BY (properties ->> 'n')::int", [dataset_id])
    return np.array([h for (h,) in await cursor.fetchall()])


@pytest.mark.parametrize("declared", ["1985", "ellipsoidal"])
@pytest.mark.parametrize("shape", ["z", "column"])
async def test_clean_heights_pass_and_are_kept_above_the_1985_datum(conn, terrain, tmp_path, declared, shape):
    file, true, _ = spots(tmp_path, declared, 0.0, shape=shape)
    options = Options(crs="EPSG:4490", datum=declared, height=None if shape == "z" else "高程")
    made = await datasets.import_file(conn, terrain, file, file.name, About("高程点"), options, scope=CITY)
    assert not isinstance(made, Held) and np.abs(await stored(conn, made.id) - true).max() < 0.01


@pytest.mark.parametrize("declared", ["1985", "ellipsoidal"])
@pytest.mark.parametrize(("shape", "share"), [("z", 1.0), ("z", 0.3), ("column", 1.0)])
async def test_heights_above_the_other_datum_are_held_and_put_right(conn, terrain, tmp_path, declared, shape, share):
    file, true, wrong = spots(tmp_path, declared, share, shape=shape)
    options = Options(crs="EPSG:4490", datum=declared, height=None if shape == "z" else "高程")
    held = await datasets.import_file(conn, terrain, file, file.name, About("高程点"), options, scope=CITY)
    assert isinstance(held, Held)
    (finding,) = held.findings
    assert (finding.kind, finding.reading, finding.reference) == ("heights", f"EPSG:4490^{'1985' if declared == 'ellipsoidal' else 'ellipsoidal'}", "terrain")
    assert abs(finding.rows - wrong.sum()) <= 3 and 4 < finding.declared_m < 8 and finding.proposed_m < 1 and "高程基准与声明不符" in finding.text
    flagged = {row - 1 for row, _ in await quarantine.rows(conn, CITY, held.id)}
    assert len(flagged - set(np.flatnonzero(wrong).tolist())) <= 2
    await release.decide(conn, terrain, CITY, held.id, "fix")
    error = np.abs(await stored(conn, held.dataset_id) - true)
    assert np.quantile(error, 0.98) < 0.01 and len(error) == 300


async def test_an_override_keeps_heights_as_declared(conn, terrain, tmp_path):
    file, true, _ = spots(tmp_path, "1985", 1.0)
    held = await datasets.import_file(conn, terrain, file, file.name, About("高程点"), Options(crs="EPSG:4490", datum="1985"), scope=CITY)
    await release.decide(conn, terrain, CITY, held.id, "override", "实测椭球高")
    assert 4 < np.median(await stored(conn, held.dataset_id) - true) < 8


async def test_without_terrain_or_datum_nothing_is_held_against_heights(conn, tmp_path, settings):
    file, true, _ = spots(tmp_path, "1985", 1.0)
    made = await datasets.import_file(conn, settings.data_dir, file, file.name, About("无地形"), Options(crs="EPSG:4490", datum="1985"), scope=CITY)
    assert not isinstance(made, Held)
    plain = await datasets.import_file(conn, settings.data_dir, file, file.name, About("无基准"), Options(crs="EPSG:4490"), scope=CITY)
    assert "height_1985_m" not in dict(plain.attributes)
    with pytest.raises(InvalidInput, match="未声明基准"):
        await datasets.import_file(conn, settings.data_dir, file, file.name, About("缺"), Options(height="n"), scope=CITY)
