"""Pictures with a rational polynomial camera model (RPC00B) in place of a map grid: the model read, and the picture laid onto the ground."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.rpc import RPC
from rasterio.transform import RPCTransformer, from_origin
from rasterio.warp import reproject

from grid.errors import InvalidInput, TooLarge
from imagery.scenes.assembly import TILED
from imagery.scenes.pairs import Grid
from imagery.scenes.raster import QUIET, Limits, open_raster

SIDES = (".rpb", "_rpb.txt", "_rpc.txt")
"""Endings of files beside a picture that hold its model."""
RPB = {"errBias": "ERR_BIAS", "errRand": "ERR_RAND", "lineOffset": "LINE_OFF", "sampOffset": "SAMP_OFF", "latOffset": "LAT_OFF", "longOffset": "LONG_OFF",
       "heightOffset": "HEIGHT_OFF", "lineScale": "LINE_SCALE", "sampScale": "SAMP_SCALE", "latScale": "LAT_SCALE", "longScale": "LONG_SCALE",
       "heightScale": "HEIGHT_SCALE", "lineNumCoef": "LINE_NUM_COEFF", "lineDenCoef": "LINE_DEN_COEFF", "sampNumCoef": "SAMP_NUM_COEFF",
       "sampDenCoef": "SAMP_DEN_COEFF"}  # fmt: skip
MOST_BYTES = 1 << 16
LEVEL_SIGMA_M, TERRAIN_SIGMA_M = 50.0, 8.0
"""How far true heights may lie (one sigma) from one height for a whole picture, and from a terrain model."""
MODEL_SIGMA_M = 10.0
"""Of a model that does not state its own error: a Gaofen camera model without ground control, on the ground."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A picture on the ground: the GeoTIFF, its accuracy (one sigma, metres), and how far a point moves per metre of height."""

    raster: Path
    accuracy_m: float
    metres_per_metre: float


def beside(picture: Path, files: tuple[Path, ...]) -> Path | None:
    """The file with the model of a picture, among those delivered with it."""
    names = {f"{picture.stem}{side}".lower() for side in SIDES}
    return next((file for file in files if file.name.lower() in names), None)


def read_model(path: Path) -> RPC:
    """The model of an .rpb (`lineOffset = …;`) or _rpc.txt (`LINE_OFF: …`) file. InvalidInput names what is missing."""
    if path.stat().st_size > MOST_BYTES:
        raise InvalidInput(f"{path.name!r} has {path.stat().st_size} bytes, which no camera model has", remedy="fetch the product again")
    text = path.read_text(encoding="latin-1")
    found: dict[str, str] = {}
    for key, value in re.findall(r"\b(\w{1,40})[ \t]*=[ \t]*(\([^)]{0,4000}\)|[^;\n]{0,4000})", text):
        if key in RPB:
            found[RPB[key]] = " ".join(value.strip("() \t\r\n").replace(",", " ").split())
    for key, value in re.findall(r"^[ \t]*([A-Z_]{1,40}(?:_\d{1,3})?)[ \t]*:[ \t]*([-+\d.eE]{1,40})", text, re.MULTILINE):
        name, _, number = key.rpartition("_")
        if number.isdigit():
            found[name] = f"{found.get(name, '')} {value}".strip()
        else:
            found[key] = value
    missing = [name for name in RPB.values() if name not in found and not name.startswith("ERR_")]
    short = [name for name, value in found.items() if name.endswith("_COEFF") and len(value.split()) != 20]
    if missing or short:
        raise InvalidInput(f"{path.name!r} is no whole camera model: {', '.join((missing + short)[:4])}", remedy="fetch the product again")
    try:
        return RPC.from_gdal(found)
    except ValueError as error:
        raise InvalidInput(f"{path.name!r} is no camera model: {error}", remedy="fetch the product again") from error


def lay(picture: Path, model: RPC, destination: Path, *, height_m: float | None = None, terrain: Path | None = None) -> Laid:
    """Orthorectifies a picture by GDAL's RPC transformer onto a north-up UTM grid of its own resolution, 0 where there is nothing.

    `height_m`: one ellipsoidal height for all of it (the model's own middle height when neither is given); `terrain`: a GeoTIFF of heights.
    Raises InvalidInput when the model does not place the picture, TooLarge, and what opening raises.
    """
    level = model.height_off if height_m is None else height_m
    with open_raster(picture) as dataset:
        grid, tilt = _grid(model, dataset.width, dataset.height, level)
        limits = Limits()
        if grid.width * grid.height > limits.pixels:
            raise TooLarge(f"{picture.name!r} needs {grid.width} × {grid.height} pixels on the ground", remedy=f"at most {limits.pixels}: cut it into parts")
        if dataset.dtypes[0] not in ("uint8", "uint16", "int16", "float32"):
            raise InvalidInput(f"{picture.name!r} holds {dataset.dtypes[0]} samples", remedy="export it as uint16")
        options = {"RPC_HEIGHT": str(level)}
        if terrain is not None:
            with open_raster(terrain):
                options = {"RPC_DEM": str(terrain), "RPC_DEM_MISSING_VALUE": str(level)}
        profile = {**TILED, "count": dataset.count, "height": grid.height, "width": grid.width, "dtype": dataset.dtypes[0], "crs": grid.crs, "transform": grid.transform}
        with rasterio.Env(**QUIET), rasterio.open(str(destination), "w", **profile, nodata=0) as target:
            for number in range(1, dataset.count + 1):
                laid = np.zeros((grid.height, grid.width), dataset.dtypes[0])
                reproject(
                    dataset.read(number), laid, rpcs=model, src_crs="EPSG:4326", dst_crs=grid.crs, dst_transform=grid.transform, src_nodata=0, dst_nodata=0,
                    resampling=Resampling.bilinear, **options,
                )  # fmt: skip
                target.write(laid, number)
    own = float(np.hypot(model.err_bias or 0.0, model.err_rand or 0.0)) or MODEL_SIGMA_M
    sigma = LEVEL_SIGMA_M if terrain is None else TERRAIN_SIGMA_M
    return Laid(destination, round(float(np.hypot(own, tilt * sigma)), 1), round(tilt, 3))


def _grid(model: RPC, width: int, height: int, level: float) -> tuple[Grid, float]:
    """The UTM grid that holds the picture at a height, and how far its middle moves per metre of height."""
    steps = np.linspace(0, 1, 9)
    rows = np.concatenate([0 * steps, steps, 0 * steps + 1, steps]) * height
    cols = np.concatenate([steps, 0 * steps + 1, steps, 0 * steps]) * width
    middle = np.array([height / 2, height / 2, height / 2 + 1]), np.array([width / 2, width / 2 + 1, width / 2])
    with RPCTransformer(model, RPC_HEIGHT=str(level)) as at, RPCTransformer(model, RPC_HEIGHT=str(level + 100)) as higher:
        lon, lat = (np.asarray(axis, float) for axis in at.xy(rows, cols))
        near_lon, near_lat = (np.asarray(axis, float) for axis in at.xy(*middle))
        high_lon, high_lat = (np.asarray(axis, float) for axis in higher.xy(middle[0][:1], middle[1][:1]))
    if not (np.isfinite(lon).all() and np.isfinite(lat).all() and (np.abs(lat) < 84).all() and (np.abs(lon) <= 180).all()):
        raise InvalidInput("the camera model does not place the corners of the picture", remedy="fetch the product again: its RPC file may be of another picture")
    crs = f"EPSG:{(32600 if lat.mean() >= 0 else 32700) + int((lon.mean() + 180) // 6) % 60 + 1}"
    forward = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = forward.transform(lon, lat)
    near_x, near_y = forward.transform(near_lon, near_lat)
    high_x, high_y = forward.transform(high_lon, high_lat)
    side = float(np.sqrt(np.hypot(near_x[1] - near_x[0], near_y[1] - near_y[0]) * np.hypot(near_x[2] - near_x[0], near_y[2] - near_y[0])))
    if not 0.01 < side < 10_000:
        raise InvalidInput(f"a pixel of the picture would be {side:.3g} m wide", remedy="fetch the product again: its RPC file may be of another picture")
    side = round(side, 2 if side >= 0.1 else 4)
    left, top = np.floor(min(x) / side) * side, np.ceil(max(y) / side) * side
    wide, tall = int(np.ceil((max(x) - left) / side)), int(np.ceil((top - min(y)) / side))
    tilt = float(np.hypot(high_x[0] - near_x[0], high_y[0] - near_y[0])) / 100
    return Grid(crs, from_origin(left, top, side, side), wide, tall), tilt
