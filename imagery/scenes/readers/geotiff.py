"""A plain GeoTIFF or COG: the file as it is."""

from pathlib import Path
from typing import ClassVar

import rasterio
from rasterio.errors import CRSError

from grid.errors import InvalidInput, UnknownCrs
from imagery.scenes.raster import QUIET, open_raster
from imagery.scenes.readers import Reader, Reading, Said, tiffs


class GeoTiff(Reader):
    """One TIFF; asked when no product's reader knows the files."""

    id: ClassVar[str] = "geotiff"
    title: ClassVar[str] = "GeoTIFF 或 COG（含无人机正射影像）"
    title_en: ClassVar[str] = "a GeoTIFF or COG (drone orthomosaics too)"
    last: ClassVar[bool] = True

    def holds(self, files: tuple[Path, ...]) -> bool:
        """One file that begins as a TIFF does."""
        return len(tiffs(files)) == 1

    def read(self, files: tuple[Path, ...], workspace: Path, said: Said) -> Reading:
        """The file itself; where the sender says its reference system, that stands in a copy."""
        (path,) = tiffs(files)
        if not said.crs:
            return Reading(path, said.bands)
        with open_raster(path):
            return Reading(declared(path, workspace / "declared.tif", said.crs), said.bands)


def declared(path: Path, copy: Path, crs: str) -> Path:
    """A copy of a GeoTIFF whose reference system is the one that is said. InvalidInput for one that nobody knows."""
    try:
        known = rasterio.crs.CRS.from_user_input(crs)
    except CRSError as error:
        raise UnknownCrs(f"crs {crs[:60]!r} is not known", remedy="give an EPSG code, e.g. EPSG:32651 or EPSG:4528", candidates=[]) from error
    if not known.is_valid:
        raise InvalidInput(f"crs {crs[:60]!r} is not whole", remedy="give an EPSG code, e.g. EPSG:32651")
    with path.open("rb") as source, copy.open("wb") as target:
        while part := source.read(1 << 22):
            target.write(part)
    with rasterio.Env(**QUIET), rasterio.open(str(copy), "r+", driver="GTiff", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.crs = known
    return copy


READER = GeoTiff()
