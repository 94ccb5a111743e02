"""Gaofen and other Chinese level-1 products: a TIFF in the camera's own geometry, its RPC model (.rpb, _rpc.txt or tags) and a sidecar XML.

The picture is laid onto the ground at one height or on a terrain model, its accuracy stated. Times of these products are Beijing time.
"""

from pathlib import Path
from typing import ClassVar
from xml.etree.ElementTree import Element

from rasterio.rpc import RPC

from grid.errors import InvalidInput
from imagery.scenes import rpc
from imagery.scenes.raster import open_raster
from imagery.scenes.readers import Reader, Reading, Said, moment, number_of, text_of, tiffs, xml_of

FOUR = ("blue", "green", "red", "nir")
ZONE = "+08:00"


class Gaofen(Reader):
    """A picture with a camera model in place of a map grid."""

    id: ClassVar[str] = "gaofen"
    title: ClassVar[str] = "高分等 L1 级产品（TIFF、RPC、XML）"
    title_en: ClassVar[str] = "a Gaofen-style level 1 product (TIFF with RPC and XML), as folder, zip or tar.gz"

    def holds(self, files: tuple[Path, ...]) -> bool:
        """A TIFF without a map grid that has a camera model beside it or within."""
        return any(_modelled(file, files) for file in tiffs(files))

    def read(self, files: tuple[Path, ...], workspace: Path, said: Said) -> Reading:
        """The picture with the most bands, laid on the ground. Raises what `Reader.read` and `rpc.lay` say."""
        found = {file: model for file in tiffs(files) if (model := _modelled(file, files))}
        counts = {file: _count(file) for file in found}
        picture = max(counts, key=lambda file: (counts[file], file.name))
        sidecar = _sidecar(picture, files)
        bands = said.bands or (FOUR if counts[picture] == 4 else ("gray",) if counts[picture] == 1 else ())
        laid = rpc.lay(picture, found[picture], workspace / "ground.tif", height_m=said.height_m, terrain=said.terrain)
        properties = {
            "hdq:accuracy_m": laid.accuracy_m,
            "hdq:ground": "terrain" if said.terrain else f"level {found[picture].height_off if said.height_m is None else said.height_m:.1f} m",
            "hdq:metres_per_metre_of_height": laid.metres_per_metre,
        }
        if sidecar is None:
            return Reading(laid.raster, bands, None, "", "gaofen", picture.stem, properties)
        craft, sensor = text_of(sidecar, "SatelliteID"), text_of(sidecar, "SensorID")
        zenith, azimuth = number_of(sidecar, "SolarZenith"), number_of(sidecar, "SolarAzimuth")
        when = text_of(sidecar, "CenterTime", "StartTime", "ReceiveTime")
        properties |= {
            "platform": craft.lower(),
            "instruments": [sensor.lower()],
            "processing:level": text_of(sidecar, "ProductLevel"),
            "view:sun_elevation": None if zenith is None else round(90 - zenith, 3),
            "view:sun_azimuth": azimuth,
            "eo:cloud_cover": number_of(sidecar, "CloudPercent"),
        }
        kept = {name: value for name, value in properties.items() if value not in (None, "", [""])}
        return Reading(laid.raster, bands, moment(when, ZONE) if when else None, "", "gaofen", picture.stem, kept)


def _modelled(picture: Path, files: tuple[Path, ...]) -> RPC | None:
    """The camera model of a picture, None when it has a map grid already or no model."""
    with open_raster(picture) as dataset:
        if dataset.crs is not None and not dataset.transform.is_identity:
            return None
        within = dataset.rpcs
    side = rpc.beside(picture, files)
    return rpc.read_model(side) if side is not None else within


def _count(picture: Path) -> int:
    with open_raster(picture) as dataset:
        return dataset.count


def _sidecar(picture: Path, files: tuple[Path, ...]) -> Element | None:
    """The product's own XML beside a picture."""
    for file in files:
        if file.name.lower() == f"{picture.stem}.xml".lower():
            root = xml_of(file)
            if not text_of(root, "SatelliteID"):
                raise InvalidInput(f"{file.name!r} names no SatelliteID", remedy="give the product's own XML, or none")
            return root
    return None


READER = Gaofen()
