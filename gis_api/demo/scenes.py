"""Scenes from above: a simulated pair over Laoshan with known change, and the real Landsat pair of a Chinese city where the real data is at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
import shapely
from psycopg import AsyncConnection
from shapely.geometry.base import BaseGeometry

from gis_api.demo import plane, terrain
from grid.settings import Settings
from grid.world.forest import ForestZone
from grid.world.parcels import Parcel
from imagery.scenes import catalogue, simulate

BOUNDS = (120.49, 36.095, 120.69, 36.30)
RESOLUTION_M = 20.0
BEFORE, AFTER = datetime(2026, 5, 3, 2, 45, tzinfo=UTC), datetime(2026, 9, 15, 2, 45, tzinfo=UTC)
PAIR = ("hdq-sim-20260503", "hdq-sim-20260915")
LANDSAT = (("taizhou-20000317", "taizhou_20000317_landsat_b123457.tif", datetime(2000, 3, 17, 2, 20, tzinfo=UTC)), ("taizhou-20030206", "taizhou_20030206_landsat_b123457.tif", datetime(2003, 2, 6, 2, 20, tzinfo=UTC)))
FELLED = ((120.560, 36.236, 190.0, "clear_cut"), (120.600, 36.214, 150.0, "clear_cut"), (120.640, 36.158, 230.0, "burn"))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two registered scenes, earlier first, and the analyses to be run on them, each with its parameters."""

    before: str
    after: str
    analyses: tuple[tuple[str, dict[str, float]], ...]


def changes(sites: Sequence[BaseGeometry]) -> list[tuple[str, BaseGeometry]]:
    """What is planted into the later scene: building sites of the cadastre, two fellings and a burnt slope in the forest (degrees)."""
    planted = [("construction", site) for site in sites]
    for lon, lat, radius, kind in FELLED:
        dice = plane.dice(f"change {lon}")
        turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        reach = radius * (1 + 0.25 * np.sin(3 * turn + dice.uniform(0, 6)) + 0.12 * np.sin(5 * turn + dice.uniform(0, 6)))
        x, y = plane.xy(lon, lat)
        planted.append((kind, plane.to_degrees(shapely.Polygon(np.column_stack([x + reach * np.cos(turn), y + reach * np.sin(turn)])))))
    return planted


def cover(land: BaseGeometry, woods: Sequence[ForestZone], parcels: Sequence[Parcel]) -> list[tuple[str, BaseGeometry]]:
    """Land cover under the scenes in drawing order (degrees): sea, fields, forest, then the parcels."""
    window = shapely.box(*BOUNDS)
    shapely.prepare(window)
    kinds = {"farmland", "orchard", "residential", "commercial", "industrial", "public", "transport", "bare", "water", "green", "forest"}
    layers = [("water", shapely.buffer(window, 0.02)), ("grass", land)]
    layers += [("forest", zone.geom) for zone in woods if shapely.intersects(window, zone.geom)]
    return layers + [(p.category, p.geom) for p in parcels if p.category in kinds and shapely.intersects(window, p.geom)]


def render(folder: Path, land: BaseGeometry, woods: Sequence[ForestZone], parcels: Sequence[Parcel], sites: Sequence[BaseGeometry], ground: np.ndarray) -> list[Path]:
    """Draws the simulated pair and its truth as GeoTIFF files in `folder`; returns before, after, truth."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = simulate.pair(BOUNDS, RESOLUTION_M, cover(land, woods, parcels), changes(sites), 20260915, elevation=lambda lon, lat: terrain.at(ground, lon, lat))
    files = []
    for name, data in (("before", pair.before), ("after", pair.after), ("truth", pair.truth[None])):
        path = folder / f"simulated-{name}.tif"
        profile = {"driver": "GTiff", "count": data.shape[0], "height": data.shape[1], "width": data.shape[2], "dtype": data.dtype, "crs": pair.crs, "transform": pair.transform}
        with rasterio.open(path, "w", **profile, compress="deflate") as dataset:
            dataset.write(data)
            if data.shape[0] > 1:
                dataset.descriptions = simulate.BANDS
        files.append(path)
    return files


async def register(connection: AsyncConnection, settings: Settings, files: Sequence[Path]) -> list[Pair]:
    """Registers the simulated pair, and the real one when present; pairs that are registered already stay as they are."""
    found: list[Pair] = []
    for scene_id, file, at, title in zip(PAIR, files[:2], (BEFORE, AFTER), ("模拟影像 崂山 2026-05", "模拟影像 崂山 2026-09"), strict=True):
        if not await _there(connection, scene_id):
            await catalogue.register(
                connection, settings.data_dir, file, taken_at=at, scene_id=scene_id, collection="simulated", title=title, bands=simulate.BANDS, simulated=True,
                properties={"platform": "simulated", "hdq:note": "模拟影像，变化已知"},
            )  # fmt: skip
    found.append(Pair(*PAIR, (("vegetation_loss", {}), ("built_up", {}), ("burn", {}))))
    folder = settings.test_data / "satellite" / "landsat-cn" if settings.test_data else None
    if folder and all((folder / name).is_file() for _, name, _ in LANDSAT):
        for scene_id, name, at in LANDSAT:
            if not await _there(connection, scene_id):
                await catalogue.register(
                    connection, settings.data_dir, folder / name, taken_at=at, scene_id=scene_id, collection="landsat", title=f"Landsat 泰州 {at:%Y-%m-%d}", elsewhere=True,
                    bands=("blue", "green", "red", "nir", "swir1", "swir2"), properties={"platform": "landsat", "instruments": ["tm", "etm+"]},
                )  # fmt: skip
        found.append(Pair(LANDSAT[0][0], LANDSAT[1][0], (("built_up", {"minimum_area_m2": 50_000}),)))
    return found


async def _there(connection: AsyncConnection, scene_id: str) -> bool:
    cursor = await connection.execute("SELECT 1 FROM scenes WHERE id = %(id)s", {"id": scene_id})
    return await cursor.fetchone() is not None
