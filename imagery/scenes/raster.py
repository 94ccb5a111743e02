"""The only opener of rasters. GeoTIFF and COG from a local path; nothing that a file may point at is followed.

GDAL recognises a file by its content: a VRT named .tif reads any local file or URL. So the environment below is set
before GDAL registers its drivers, each open names its driver, and side files are not looked for. (Without the VRT driver
rasterio's calculate_default_transform fails: warp onto a grid of your own with `reproject`, as pairs and tiles do.)
"""

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ["GDAL_SKIP"] = "VRT DERIVED HTTP WMS WMTS WCS OGCAPI STACIT STACTA PLSCENES DAAS EEDAI NGW"
os.environ["CPL_VSIL_CURL_ALLOWED_EXTENSIONS"] = ".none"

import numpy as np
import rasterio
import rasterio.shutil
import shapely
from pyproj import CRS as ProjCRS
from pyproj import Transformer
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from grid.errors import InvalidInput, NotFound, TooLarge, UnknownCrs, UnsupportedMedia

QUIET = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO", "GDAL_GEOREF_SOURCES": "INTERNAL", "GDAL_CACHEMAX": 256 << 20}
"""Options of GDAL wherever it reads; rasterio takes the cache's size in bytes."""
MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
BEGINNINGS = {
    "GTiff": MAGIC,
    "JP2OpenJPEG": (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
}
"""What files of each driver that we let GDAL use begin with."""
DTYPES = frozenset({"uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a raster may be. `ratio`: decoded bytes per stored byte, judged only above `small_bytes` decoded."""

    pixels: int = 400_000_000
    bands: int = 16
    decoded_bytes: int = 8 << 30
    ratio: float = 200.0
    small_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Published:
    """A file in its final place: whole, read once through, durable."""

    path: Path
    sha256: str
    size_bytes: int


@contextmanager
def open_raster(path: Path, limits: Limits = Limits(), *, overview: int | None = None, driver: str = "GTiff") -> Iterator[DatasetReader]:
    """Opens a local GeoTIFF or COG for reading, within limits; georeference is not asked for (see `footprint`).

    `overview` opens that reduced level (0 the first) instead of the full resolution; `driver` JP2OpenJPEG reads JPEG 2000 (only products' readers do).
    Raises NotFound, UnsupportedMedia (not a TIFF by content), TooLarge, InvalidInput (damaged, also when that shows only while reading).
    """
    with rasterio.Env(**QUIET), opened(path, limits, overview=overview, driver=driver) as dataset, readable(path):
        yield dataset


def opened(path: Path, limits: Limits = Limits(), *, overview: int | None = None, driver: str = "GTiff") -> DatasetReader:
    """The dataset of `open_raster`, for who keeps it open and closes it; read from it inside `readable`."""
    path = Path(path)
    if not path.is_absolute() or str(path).startswith("/vsi") or not path.is_file():
        raise NotFound(f"no raster file at {path.name!r}", remedy="give an absolute path of a local GeoTIFF")
    with path.open("rb") as file:
        magic = file.read(12)
    if not magic.startswith(BEGINNINGS[driver]):
        kind = "GeoTIFF" if driver == "GTiff" else "JPEG 2000"
        raise UnsupportedMedia(f"{path.name!r} is not a {kind}: it begins with {magic[:4]!r}", remedy="convert it to GeoTIFF or COG")
    options = {} if overview is None else {"overview_level": overview}
    with rasterio.Env(**QUIET):
        try:
            dataset = rasterio.open(str(path), driver=driver, **options)
        except RasterioError as error:
            raise InvalidInput(f"{path.name!r} is damaged: {_reason(error, path)}", remedy="fetch or export the file again") from error
    try:
        _within(dataset, path, limits)
    except BaseException:
        dataset.close()
        raise
    return dataset


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What a failed read of that file says: InvalidInput, without the folders of the server."""
    try:
        yield
    except RasterioError as error:
        reason = _reason(error.__cause__ or error, path)
        raise InvalidInput(f"{path.name!r} cannot be read, it is truncated or damaged: {reason}", remedy="fetch or export the file again") from error


def _reason(error: BaseException, path: Path) -> str:
    """What GDAL says, without the folders of the server."""
    return str(error).replace(str(path), path.name)


def _within(dataset: DatasetReader, path: Path, limits: Limits) -> None:
    odd = sorted(set(dataset.dtypes) - DTYPES)
    if odd:
        raise UnsupportedMedia(f"{path.name!r} holds {odd[0]} samples", remedy=f"use one of {', '.join(sorted(DTYPES))}")
    pixels = dataset.width * dataset.height
    decoded = pixels * sum(np.dtype(kind).itemsize for kind in dataset.dtypes)
    stored = path.stat().st_size
    if pixels > limits.pixels or dataset.count > limits.bands or decoded > limits.decoded_bytes:
        raise TooLarge(
            f"{path.name!r} has {dataset.width} × {dataset.height} pixels in {dataset.count} bands ({decoded >> 20} MiB decoded)",
            remedy=f"at most {limits.pixels} pixels, {limits.bands} bands, {limits.decoded_bytes >> 20} MiB: cut it into parts",
        )
    if decoded > limits.small_bytes and decoded > limits.ratio * stored:
        raise TooLarge(
            f"{path.name!r} swells from {stored} to {decoded} bytes, {decoded / stored:.0f} times",
            remedy=f"at most {limits.ratio:.0f} times: crop empty areas before upload",
        )


def footprint(dataset: DatasetReader, per_edge: int = 8) -> shapely.Polygon:
    """The raster's outline, EPSG:4326 lon/lat, edges densified. Raises UnknownCrs when there is none or it cannot be right."""
    if dataset.crs is None:
        raise UnknownCrs("the raster declares no coordinate reference system", remedy="set it, e.g. gdal_edit -a_srs EPSG:32651", candidates=[])
    if dataset.transform.is_identity or dataset.transform.is_degenerate:
        raise UnknownCrs("the raster has no georeference (its transform is the identity)", remedy="georeference it first", candidates=[])
    crs = ProjCRS.from_wkt(dataset.crs.to_wkt())
    steps = np.linspace(0, 1, per_edge, endpoint=False)
    ring = np.concatenate([np.c_[steps, 0 * steps], np.c_[0 * steps + 1, steps], np.c_[1 - steps, 0 * steps + 1], np.c_[0 * steps, 1 - steps]])
    x, y = dataset.transform @ (ring[:, 0] * dataset.width, ring[:, 1] * dataset.height)
    degrees = bool(np.all(np.abs(x) <= 180) and np.all(np.abs(y) <= 90))
    if crs.is_projected and degrees:
        raise UnknownCrs(
            f"the raster declares {crs.name} (metres) but spans {x.min():.4f}…{x.max():.4f}, {y.min():.4f}…{y.max():.4f}",
            remedy="these look like degrees: declare EPSG:4326",
            candidates=["EPSG:4326", "EPSG:4490"],
        )
    if crs.is_geographic and not degrees:
        raise UnknownCrs(
            f"the raster declares {crs.name} (degrees) but reaches {x.max():.1f}, {y.max():.1f}",
            remedy="these look like metres: declare the projected system, e.g. a UTM zone or EPSG:4528",
            candidates=["EPSG:32651", "EPSG:32650", "EPSG:4528"],
        )
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()) or not _plausible(crs, lon, lat):
        raise UnknownCrs(
            f"the raster's corners fall outside the area of {crs.name}: {x.min():.0f}…{x.max():.0f}, {y.min():.0f}…{y.max():.0f}",
            remedy="declare the system that the coordinates are in",
            candidates=[],
        )
    return shapely.Polygon(np.c_[lon, lat])


def _plausible(crs: ProjCRS, lon: np.ndarray, lat: np.ndarray, slack_deg: float = 6.0) -> bool:
    use = crs.area_of_use
    if use is None or use.west > use.east:
        return True
    return bool(
        (lon > use.west - slack_deg).all() and (lon < use.east + slack_deg).all()
        and (lat > use.south - slack_deg).all() and (lat < use.north + slack_deg).all()
    )  # fmt: skip


def read_through(path: Path, limits: Limits = Limits()) -> str:
    """Decodes every block of the raster and its overviews and returns the file's SHA-256. InvalidInput when one is damaged.

    A truncated COG opens, and its overviews (which come first) read: only this finds out.
    """
    with open_raster(path, limits) as dataset:
        levels = len(dataset.overviews(1))
        _decode(dataset, path)
    for level in range(levels):
        with open_raster(path, limits, overview=level) as reduced:
            _decode(reduced, path)
    return file_hash(path)


def _decode(dataset: DatasetReader, path: Path) -> None:
    tall, wide = dataset.block_shapes[0]
    rows, cols = max(tall, 2048 // tall * tall), max(wide, 2048 // wide * wide)
    for row in range(0, dataset.height, rows):
        for col in range(0, dataset.width, cols):
            window = Window(col, row, min(cols, dataset.width - col), min(rows, dataset.height - row))
            try:
                dataset.read(window=window)
            except (RasterioError, OSError) as error:
                reason = error.__cause__ or error
                raise InvalidInput(
                    f"{path.name!r} is truncated or damaged at row {row}, column {col}: {reason}", remedy="fetch or export the file again"
                ) from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish(destination: Path, write: Callable[[Path], None], limits: Limits = Limits()) -> Published:
    """Lets `write` fill a hidden file beside `destination`, reads it through, makes it durable, then renames it into place.

    Until the rename an older version stays served; on any failure nothing is left behind.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    draft = destination.with_name(f".{destination.stem}.{uuid.uuid4().hex}.tif")
    try:
        write(draft)
        sha256 = read_through(draft, limits)
        _sync(draft)
        size = draft.stat().st_size
        os.replace(draft, destination)
        _sync(destination.parent)
    finally:
        draft.unlink(missing_ok=True)
    return Published(destination, sha256, size)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def copy_as_cog(source: Path, destination: Path) -> Published:
    """Converts any raster that `open_raster` accepts into a COG (512 blocks, deflate, averaged overviews) and publishes it."""
    read_through(source)

    def write(draft: Path) -> None:
        with open_raster(source) as dataset:
            rasterio.shutil.copy(
                dataset, str(draft), driver="COG", compress="DEFLATE", predictor="YES", blocksize="512",
                resampling="AVERAGE", bigtiff="IF_SAFER", num_threads="2",
            )  # fmt: skip

    return publish(destination, write)


def write_geotiff(
    path: Path, pixels: np.ndarray, transform: rasterio.Affine, crs: str, *, bands: tuple[str, ...] = (), nodata: float | None = None
) -> Path:
    """Writes (band, row, col) pixels as a plain tiled GeoTIFF, band names as descriptions. `transform` is of the upper left corner."""
    count, height, width = pixels.shape
    if bands and len(bands) != count:
        raise InvalidInput(f"{count} bands of pixels but {len(bands)} names", remedy="name each band once")
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype, "crs": crs, "transform": transform}
    with rasterio.Env(**QUIET), rasterio.open(str(path), "w", **profile, nodata=nodata, compress="deflate", predictor=1) as dataset:
        dataset.write(pixels)
        for number, name in enumerate(bands, 1):
            dataset.set_band_description(number, name)
    return path
