"""Sentinel-2 SAFE products, L1C and L2A (S2-PDGS-TAS-DI-PSD): reflectance × 10,000 on the 10 m grid, with the scene classification of L2A.

Since processing baseline 04.00 the stored values carry an offset (−1000 of quantification 10,000) that the product's own list gives per band.
"""

import re
from pathlib import Path
from typing import ClassVar
from xml.etree.ElementTree import Element

import numpy as np
from rasterio.transform import from_origin

from grid.errors import InvalidInput
from imagery.scenes import assembly, sky
from imagery.scenes.bands import named
from imagery.scenes.pairs import Grid
from imagery.scenes.readers import Reader, Reading, Said, every, existing, moment, number_of, text_of, xml_of

NUMBERED = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""The bands by their id in the list of offsets."""
IMAGE = re.compile(r"(?:^|_)(B\d\d|B8A|SCL)(?:_(10|20|60)m)?\.jp2$", re.IGNORECASE)
MTD = re.compile(r"MTD_MSIL(1C|2A)\.xml$", re.IGNORECASE)
OFFSET_SINCE = 4.0
OFFSET = -1000.0


class Sentinel2(Reader):
    """A SAFE folder of one tile."""

    id: ClassVar[str] = "sentinel2"
    title: ClassVar[str] = "哨兵二号 SAFE 产品（L1C、L2A）"
    title_en: ClassVar[str] = "a Sentinel-2 SAFE product (L1C, L2A), as folder, zip or tar"

    def holds(self, files: tuple[Path, ...]) -> bool:
        """A SAFE holds MTD_MSIL1C.xml or MTD_MSIL2A.xml."""
        return any(MTD.fullmatch(file.name) for file in files)

    def read(self, files: tuple[Path, ...], workspace: Path, said: Said) -> Reading:
        """Bands of 10, 20 and 60 m in the order of their numbers, true colour and water vapour left out. Raises what `Reader.read` says."""
        products, tiles = ([file for file in files if re.fullmatch(name, file.name, re.IGNORECASE)] for name in (MTD.pattern, r"MTD_TL\.xml"))
        if len(products) != 1 or len(tiles) != 1:
            raise InvalidInput(f"{len(products)} products with {len(tiles)} tiles (MTD_TL.xml)", remedy="give one SAFE folder of one tile")
        product, tile = xml_of(products[0]), xml_of(tiles[0])
        level = MTD.fullmatch(products[0].name)[1].upper()
        grid = _grid(tile)
        wanted = {named(text) or text for text in said.bands}
        images = _images(files, product, wanted)
        chosen = [name for name in NUMBERED if name in images and (not wanted or named(name) in wanted)]
        if not chosen:
            raise InvalidInput(f"the product has none of the bands {', '.join(said.bands) or 'B01 to B12'}", remedy=f"it has: {', '.join(sorted(images))}")
        tables = _tables(product, chosen)
        planes = [assembly.Plane(named(name), images[name], tables[name]) for name in chosen]
        raster = assembly.assemble(workspace / "bands.tif", grid, planes, "JP2OpenJPEG")
        baseline = text_of(product, "PROCESSING_BASELINE")
        uri = text_of(product, "PRODUCT_URI").removesuffix(".SAFE")
        zenith, azimuth = _sun(tile)
        properties = {
            "platform": text_of(product, "SPACECRAFT_NAME").lower() or "sentinel-2",
            "instruments": ["msi"],
            "processing:level": f"L{level}",
            "s2:processing_baseline": baseline,
            "s2:tile_id": text_of(tile, "TILE_ID"),
            "hdq:reflectance_scale": 1 / assembly.SCALE,
            "view:sun_elevation": None if zenith is None else round(90 - zenith, 3),
            "view:sun_azimuth": None if azimuth is None else round(azimuth, 3),
            "eo:cloud_cover": number_of(product, "Cloud_Coverage_Assessment", "CLOUDY_PIXEL_PERCENTAGE"),
        }
        classes = None
        if "SCL" in images:
            classes = workspace / "classes.tif"
            codes = assembly.classify(classes, grid, images["SCL"], "JP2OpenJPEG", sky.of_scl)
            properties |= {"hdq:sky": sky.shares(codes)}
        return Reading(
            raster,
            tuple(plane.name for plane in planes),
            moment(text_of(tile, "SENSING_TIME") or text_of(product, "PRODUCT_START_TIME", "DATATAKE_SENSING_START")),
            uri,
            f"sentinel-2-l{level.lower()}",
            uri,
            {name: value for name, value in properties.items() if value not in (None, "")},
            classes,
        )


def _grid(tile: Element) -> Grid:
    """The 10 m grid of a tile, from its geocoding."""

    def at(name: str) -> Element:
        for element in every(tile, name):
            if element.get("resolution") == "10":
                return element
        raise InvalidInput(f"MTD_TL.xml has no {name} at 10 m", remedy="fetch the product again")

    size, corner = at("Size"), at("Geoposition")
    numbers = [number_of(size, "NCOLS"), number_of(size, "NROWS"), number_of(corner, "ULX"), number_of(corner, "ULY")]
    crs = text_of(tile, "HORIZONTAL_CS_CODE")
    if None in numbers or not re.fullmatch(r"EPSG:\d{4,5}", crs):
        raise InvalidInput(f"MTD_TL.xml gives no whole geocoding ({crs!r}, {numbers})", remedy="fetch the product again")
    wide, tall, left, top = numbers
    return Grid(crs, from_origin(left, top, 10.0, 10.0), int(wide), int(tall))


def _images(files: tuple[Path, ...], product: Element, wanted: set[str]) -> dict[str, Path]:
    """Band -> its file of the finest resolution. What the product lists of the wanted bands (all when empty) must be there, else InvalidInput names it."""
    listed = {f"{Path(element.text.strip()).name}.jp2" for kind in ("IMAGE_FILE", "IMAGE_FILE_2A") for element in every(product, kind) if element.text}
    for name in sorted(listed):
        match = IMAGE.search(name)
        if match and (not wanted or named(match[1]) in wanted):
            existing(files, name, f"band {match[1].upper()}")
    found: dict[str, tuple[int, Path]] = {}
    for file in files:
        match = IMAGE.search(file.name)
        if match is None or "IMG_DATA" not in file.parts:
            continue
        name, metres = match[1].upper(), int(match[2] or 0)
        if name not in found or metres < found[name][0]:
            found[name] = (metres, file)
    return {name: file for name, (_, file) in found.items()}


def _tables(product: Element, chosen: list[str]) -> dict[str, np.ndarray]:
    quantification = number_of(product, "BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE")
    if not quantification or quantification <= 0:
        raise InvalidInput(f"the product's quantification value is {quantification}", remedy="fetch the product again")
    offsets = {
        element.get("band_id"): float(element.text or "nan") for kind in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET") for element in every(product, kind)
    }
    baseline = number_of(product, "PROCESSING_BASELINE") or 0.0
    usual = OFFSET if baseline >= OFFSET_SINCE and baseline < 90 else 0.0
    tables = {}
    for name in chosen:
        offset = offsets.get(str(NUMBERED.index(name)), usual)
        if not np.isfinite(offset):
            raise InvalidInput(f"the offset of band {name} is not a number", remedy="fetch the product again")
        tables[name] = assembly.reflectance(1 / quantification, offset / quantification)
    return tables


def _sun(tile: Element) -> tuple[float | None, float | None]:
    """Zenith and azimuth of the sun in degrees, the means over the tile."""
    for mean in every(tile, "Mean_Sun_Angle"):
        return number_of(mean, "ZENITH_ANGLE"), number_of(mean, "AZIMUTH_ANGLE")
    return None, None


READER = Sentinel2()
