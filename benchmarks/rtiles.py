"""Raster tiles: a scene as it was registered (UTM) and as it is published (Mercator-aligned), beside rio-tiler's open + tile + encode and titiler-core's path.

Last line: native_vs_riotiler, other_vs_riotiler (CPU seconds a tile of the peer over ours), identical (whether every published tile holds
the pixels that rio-tiler reads from the same file at the same place).
"""

import rasterio

with rasterio.Env():
    """Registers GDAL's drivers before the product leaves some out: the peer needs the VRT driver."""

import gc
import io
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import shapely
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from rasterio.transform import from_origin
from rich.console import Console
from rich.table import Table
from rio_tiler.errors import TileOutsideBounds
from rio_tiler.io import Reader
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import TilerFactory

from imagery.scenes import published, tiles
from imagery.scenes.bands import Band
from imagery.scenes.catalogue import Scene
from imagery.scenes.raster import copy_as_cog, footprint, open_raster, write_geotiff

SIDE = 4096
NAMES = ("blue", "green", "red", "nir")
ROUNDS = 3
Place = tuple[int, int, int]


def ground(folder: Path) -> Scene:
    """A scene of 41 km with fields, noise and a border of nothing, 10 m, four bands of 16 bits, as `register` stores it."""
    random_ = np.random.default_rng(4)
    fields = np.kron(random_.uniform(0.4, 1.6, (SIDE // 32, SIDE // 32)), np.ones((32, 32)))
    slopes = np.kron(random_.uniform(0.7, 1.3, (SIDE // 512, SIDE // 512)), np.ones((512, 512)))
    pixels = np.stack([base * fields * slopes + random_.normal(0, 30, (SIDE, SIDE)) for base in (600, 800, 900, 2500)]).clip(1, 10_000).astype(np.uint16)
    pixels[:, : SIDE // 8, : SIDE // 8] = 0
    write_geotiff(folder / "raw.tif", pixels, from_origin(280_000, 4_010_000, 10, 10), "EPSG:32651", nodata=0)
    copy_as_cog(folder / "raw.tif", folder / "scenes" / "a.tif")
    with open_raster(folder / "scenes" / "a.tif") as dataset:
        outline = footprint(dataset)
    now = datetime(2026, 10, 1, tzinfo=UTC)
    bands = tuple(Band(name, number) for number, name in enumerate(NAMES, 1))
    return Scene("a", "benchmark", "", now, now, "a.tif", "", bands, 32651, 10.0, 0, {}, "3702", True, outline)


def places(geom: shapely.Geometry, zooms: range, most: int) -> list[Place]:
    """Tiles that a scene touches, so many at most of each zoom, shuffled."""
    drawn = random.Random(7)
    found = []
    for z in zooms:
        level = [(tile.z, tile.x, tile.y) for tile in tiles.WEB_MERCATOR.tiles(*geom.bounds, [z])]
        found += drawn.sample(level, min(most, len(level)))
    drawn.shuffle(found)
    return found


def timed(function: Callable[[Place], bytes], work: list[Place], least_s: float = 0.0) -> float:
    """CPU seconds a tile, over as many passes as fill `least_s`."""
    gc.collect()
    started, done = time.process_time(), 0
    while not done or time.process_time() - started < least_s:
        for place in work:
            function(place)
        done += len(work)
    return (time.process_time() - started) / done


def riotiler(path: Path, look: tiles.Look | None, form: str) -> Callable[[Place], bytes]:
    """rio-tiler's way to a tile: open, read, stretch where a look is given, encode in `form`; its own defaults otherwise."""
    options = {} if look is None else {"indexes": (3, 2, 1)}

    def tile(place: Place) -> bytes:
        z, x, y = place
        with Reader(str(path)) as reader:
            try:
                image = reader.tile(x, y, z, tilesize=tiles.SIZE, **options)
            except TileOutsideBounds:
                return b""
            if look is not None:
                image.rescale(in_range=look.rescale)
            return image.render(img_format=form, add_mask=look is not None and form != "JPEG")

    return tile


def titiler(path: Path, look: tiles.Look | None, form: str) -> Callable[[Place], bytes]:
    """titiler-core's tile route, called through its own application without a network."""
    app = FastAPI()
    app.include_router(TilerFactory().router)
    add_exception_handlers(app, DEFAULT_STATUS_CODES)
    client = TestClient(app)
    query = {"url": str(path), "tilesize": tiles.SIZE}
    if look is not None:
        query |= {"bidx": [3, 2, 1], "rescale": [f"{low},{high}" for low, high in look.rescale]}

    def tile(place: Place) -> bytes:
        z, x, y = place
        answer = client.get(f"/tiles/WebMercatorQuad/{z}/{x}/{y}.{form.lower()}", params=query)
        if answer.status_code not in (200, 204, 404):
            raise RuntimeError(f"titiler answered {answer.status_code}: {answer.text[:200]}")
        return answer.content

    return tile


def same_pixels(path: Path, scene: Scene, folder: Path, work: list[Place]) -> tuple[int, int]:
    """How many published tiles hold, in colour and transparency, exactly what rio-tiler reads from the same file, and of how many."""
    same = 0
    with Reader(str(path)) as reader:
        for z, x, y in work:
            with Image.open(io.BytesIO(published.tile(scene, folder, z, x, y))) as image:
                ours = np.asarray(image.convert("RGBA"))
            theirs = reader.tile(x, y, z, tilesize=tiles.SIZE)
            same += bool((theirs.array.data.transpose(1, 2, 0)[..., :3] == ours[..., :3]).all() and (theirs.mask == ours[..., 3]).all())
    return same, len(work)


def measure(ways: dict[str, tuple[Callable[[Place], bytes], list[Place]]], rounds: int = ROUNDS) -> dict[str, float]:
    """Medians over rounds in which every way has its turn; the first round warms up and is left out."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, (function, work) in ways.items():
            seconds = timed(function, work)
            if turn:
                taken[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def main() -> None:
    """Runs both parts and prints the table and the JSON line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = ground(folder)
        path, look = scene.path(folder), tiles.look_of(scene, folder)
        finest = published.native_extent(scene, folder)[0].z
        started = time.process_time()
        aligned = published.make(scene, folder)
        cost = time.process_time() - started
        levels = sorted(published.Blocks(aligned).levels)
        native = [place for place in places(scene.geom, range(levels[0], levels[-1] + 1), 60) if published.tile(scene, folder, *place) != tiles.blank("webp")]
        other = places(scene.geom, range(finest - 4, finest + 2), 25)
        few = native[:60]
        ways = {
            "native: ours, block of the file": (lambda place: published.tile(scene, folder, *place), native * 20),
            "native: rio-tiler, WEBP": (riotiler(aligned, None, "WEBP"), few),
            "native: rio-tiler, JPEG": (riotiler(aligned, None, "JPEG"), few),
            "native: rio-tiler, PNG": (riotiler(aligned, None, "PNG"), few),
            "native: titiler-core, WEBP": (titiler(aligned, None, "WEBP"), few),
            "other: ours, lossless WEBP": (lambda place: tiles.tile(scene, folder, *place, look, "webp"), other),
            "other: ours, PNG": (lambda place: tiles.tile(scene, folder, *place, look), other),
            "other: rio-tiler, WEBP": (riotiler(path, look, "WEBP"), other),
            "other: rio-tiler, JPEG": (riotiler(path, look, "JPEG"), other),
            "other: rio-tiler, PNG": (riotiler(path, look, "PNG"), other),
            "other: titiler-core, WEBP": (titiler(path, look, "WEBP"), other),
        }  # fmt: skip
        found = measure(ways)
        same, of = same_pixels(aligned, scene, folder, native)
    table = Table("way to a tile of 256 px", "CPU ms", "over ours", title=f"raster tiles: {SIDE} × {SIDE} pixels of 10 m, zooms {levels} published")
    for name, seconds in found.items():
        ours = found["native: ours, block of the file" if name.startswith("native") else "other: ours, lossless WEBP"]
        table.add_row(name, f"{seconds * 1e3:.4f}", f"{seconds / ours:.1f}")
    console = Console(width=132)
    console.print(table)
    console.print(f"published once in {cost:.1f} CPU s ({SIDE * SIDE / 1e6 / cost:.1f} million pixels of the scene a second); {same} of {of} tiles identical")
    native_ours, other_ours = found["native: ours, block of the file"], found["other: ours, lossless WEBP"]
    figures = {
        "benchmark": "rtiles",
        "native_vs_riotiler": round(found["native: rio-tiler, WEBP"] / native_ours, 1),
        "native_vs_riotiler_jpeg": round(found["native: rio-tiler, JPEG"] / native_ours, 1),
        "native_vs_titiler": round(found["native: titiler-core, WEBP"] / native_ours, 1),
        "other_vs_riotiler": round(found["other: rio-tiler, WEBP"] / other_ours, 2),
        "other_vs_riotiler_jpeg": round(found["other: rio-tiler, JPEG"] / other_ours, 2),
        "other_vs_riotiler_png": round(found["other: rio-tiler, PNG"] / found["other: ours, PNG"], 2),
        "other_vs_titiler": round(found["other: titiler-core, WEBP"] / other_ours, 2),
        "native_ours_us": round(native_ours * 1e6, 1),
        "publish_cpu_s": round(cost, 1),
        "identical": same == of,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
