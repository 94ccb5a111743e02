"""From what somebody sent to a published COG: unpacked, read by the reader that knows it, placed, converted. Runs confined; no database.

What is sent is a file, a folder or an archive of either. All that is written on the way lies in a workspace that the caller removes.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import shapely
from pyproj import CRS as ProjCRS
from pyproj import Geod, Transformer
from rasterio.io import DatasetReader

from grid.bundles import Limits as BundleLimits
from grid.bundles import is_bundle, unpack_tree
from grid.errors import HdqError, InvalidInput, NotFound, UnknownCrs
from imagery.scenes import readers
from imagery.scenes.bands import Band, bands_of
from imagery.scenes.checksums import check_blocks
from imagery.scenes.raster import Published, copy_as_cog, file_hash, footprint, open_raster
from imagery.scenes.readers import Reading, Said, tiffs

Box = tuple[float, float, float, float]
UNPACKED = BundleLimits(unpacked_bytes=8 << 30)
FRAMES = ("EPSG:4326", "EPSG:4490", "EPSG:32651", "EPSG:32650", "EPSG:4528", "EPSG:4527", "EPSG:4549", "EPSG:4548", "EPSG:4509", "EPSG:3857")
"""What people here declare, tried in this order for a raster that lies elsewhere or nowhere."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of what was sent: the published COG, what it says of itself, and what its reader found (`reading.raster` is gone by now).

    `classes`: the maker's own mask, published beside it, or None.
    """

    published: Published
    bands: tuple[Band, ...]
    epsg: int | None
    gsd_m: float
    nodata: float | None
    outline_wkb: bytes
    reading: Reading
    classes: Path | None


def store(source: Path, workspace: Path, destination: Path, said: Said, near: Box | None, sha256: str = "", name: str = "") -> Stored:
    """Reads what lies at `source`, checks place and bands, and publishes it at `destination` as a COG, the maker's mask as `destination`.mask.tif.

    `near` (degrees): where the scene must lie, None for anywhere. `sha256`: of the file as its sender has it; another one is refused.
    `name`: what the sender calls it. Raises what unpacking, the reader, `footprint` and `bands_of` raise; `destination` then does not exist.
    """
    try:
        return _store(source, workspace, destination, said, near, sha256, name or source.name)
    except HdqError as refusal:
        refusal.detail = refusal.detail.replace(source.name, name or source.name)
        raise


def _store(source: Path, workspace: Path, destination: Path, said: Said, near: Box | None, sha256: str, name: str) -> Stored:
    if not source.exists():
        raise NotFound(f"nothing lies at {name!r}", remedy="give a file or folder that is there")
    if sha256 and (source.is_dir() or (found := file_hash(source)) != sha256.lower()):
        raise InvalidInput(
            f"{name!r} has SHA-256 {found if source.is_file() else 'none, being a folder'}, not {sha256}", remedy="it changed on its way: send it again"
        )
    place = unpack_tree(source, workspace / "unpacked", UNPACKED) if source.is_file() and is_bundle(source) else source
    files = readers.files_of(place)
    reader = readers.of(files, name)
    for file in tiffs(files):
        with open_raster(file):
            check_blocks(file)
    try:
        reading = reader.read(files, workspace, said)
    except (ValueError, TypeError, ArithmeticError, LookupError) as odd:
        raise InvalidInput(f"{name!r} holds what a {reader.title_en} does not: {type(odd).__name__}: {str(odd)[:120]}", remedy="fetch the product again") from odd
    with open_raster(reading.raster) as dataset:
        outline = placed(dataset, near)
        known = bands_of(dataset.count, reading.bands, dataset.descriptions)
        epsg = dataset.crs.to_epsg()
        degree = 111_195.0 if dataset.crs.is_geographic else 1.0
        gsd_m, nodata = float(dataset.res[1]) * degree, dataset.nodata
    published = copy_as_cog(reading.raster, destination)
    try:
        classes = None if reading.classes is None else copy_as_cog(reading.classes, destination.with_suffix(".mask.tif")).path
    except BaseException:
        destination.unlink(missing_ok=True)
        raise
    return Stored(published, known, epsg, round(gsd_m, 3), nodata, shapely.to_wkb(outline), reading, classes)


def placed(dataset: DatasetReader, near: Box | None) -> shapely.Polygon:
    """The outline of a raster (degrees), inside or touching `near`. UnknownCrs names where it lies instead, and frames that would put it there."""
    try:
        outline = footprint(dataset)
    except UnknownCrs as error:
        likely = error.extra.get("candidates") or candidates(dataset, near)
        remedy = f"declare it: crs={likely[0]}" if likely else error.remedy
        raise UnknownCrs(error.detail, remedy=remedy, candidates=likely) from error
    if near is None or outline.intersects(shapely.box(*near)):
        return outline
    west, south, east, north = near
    lon, lat = outline.centroid.x, outline.centroid.y
    _, _, metres = Geod(ellps="WGS84").inv(lon, lat, (west + east) / 2, (south + north) / 2)
    likely = candidates(dataset, near)
    name = ProjCRS.from_wkt(dataset.crs.to_wkt()).name
    raise UnknownCrs(
        f"the raster declares {name}, which puts it at {lon:.3f}, {lat:.3f}, {metres / 1000:.0f} km from the city",
        remedy=f"declare the system its numbers are in, e.g. crs={likely[0]}" if likely else "say elsewhere=true if it is really there, or declare another crs",
        candidates=likely,
    )


def candidates(dataset: DatasetReader, near: Box | None) -> list[str]:
    """Frames among the usual ones in which the middle of the raster lies inside `near`."""
    if near is None or dataset.transform == rasterio.Affine.identity():
        return []
    x, y = dataset.transform @ (dataset.width / 2, dataset.height / 2)
    found = []
    for code in FRAMES:
        lon, lat = Transformer.from_crs(code, "EPSG:4326", always_xy=True).transform(x, y)
        if np.isfinite(lon) and np.isfinite(lat) and near[0] <= lon <= near[2] and near[1] <= lat <= near[3]:
            found.append(code)
    return found


def sweep(folder: Path, older_than: float) -> int:
    """Removes what an arrival whose process was killed left in the folder of scenes: hidden things last changed before that moment (s of the epoch)."""
    gone = 0
    for path in folder.glob(".*") if folder.is_dir() else ():
        if path.lstat().st_mtime < older_than:
            remove(path)
            gone += 1
    return gone


def remove(path: Path) -> None:
    """Removes a file or a folder with all in it; links are removed, not followed. Nothing there is no error."""
    if path.is_dir() and not path.is_symlink():
        for inside in path.iterdir():
            remove(inside)
        os.rmdir(path)
    else:
        path.unlink(missing_ok=True)
