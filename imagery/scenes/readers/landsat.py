"""Landsat Collection 2, Level 1 and Level 2 (USGS LSDS-1618, LSDS-1619): reflectance × 10,000 on the 30 m grid, with the clouds of QA_PIXEL.

Level 2 values become surface reflectance by the scale and offset of the MTL file; Level 1 ones reflectance above the air, divided by the sine of the
sun's elevation. The panchromatic, cirrus and thermal bands are left out: they have another grid or another unit.
"""

import json
import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from grid.errors import InvalidInput
from imagery.scenes import assembly, sky
from imagery.scenes.bands import named
from imagery.scenes.pairs import Grid
from imagery.scenes.raster import footprint, open_raster
from imagery.scenes.readers import Reader, Reading, Said, existing, moment

MTL = re.compile(r".+_MTL\.(txt|json)", re.IGNORECASE)
OLI = {"1": "coastal", "2": "blue", "3": "green", "4": "red", "5": "nir", "6": "swir1", "7": "swir2"}
TM = {"1": "blue", "2": "green", "3": "red", "4": "nir", "5": "swir1", "7": "swir2"}
MSS = {"4": "green", "5": "red", "6": "nir08", "7": "nir"}
MOST_BYTES = 4 << 20


class Landsat(Reader):
    """A folder of one Landsat scene with its MTL file."""

    id: ClassVar[str] = "landsat"
    title: ClassVar[str] = "陆地卫星 Collection 2 产品（L1、L2）"
    title_en: ClassVar[str] = "a Landsat Collection 2 product (L1, L2), as folder or tar"

    def holds(self, files: tuple[Path, ...]) -> bool:
        """A scene holds one …_MTL.txt or …_MTL.json."""
        return any(MTL.fullmatch(file.name) for file in files)

    def read(self, files: tuple[Path, ...], workspace: Path, said: Said) -> Reading:
        """Reflective bands in the order of their numbers. Raises what `Reader.read` says."""
        listed = sorted(file for file in files if MTL.fullmatch(file.name))
        if len({file.stem for file in listed}) != 1:
            raise InvalidInput(f"{len(listed)} MTL files of several scenes", remedy="give the folder of one scene")
        groups = _groups(listed[0])
        contents, image = _group(groups, "PRODUCT_CONTENTS"), _group(groups, "IMAGE_ATTRIBUTES")
        craft, level = image.get("SPACECRAFT_ID", ""), contents.get("PROCESSING_LEVEL", "")
        numbers = OLI if craft in ("LANDSAT_8", "LANDSAT_9") else MSS if "MSS" in image.get("SENSOR_ID", "") else TM
        wanted = {named(text) or text for text in said.bands}
        chosen = {number: name for number, name in numbers.items() if f"FILE_NAME_BAND_{number}" in contents and (not wanted or name in wanted)}
        if not chosen:
            raise InvalidInput(f"the scene has none of the bands {', '.join(sorted(wanted)) or 'of its sensor'}", remedy=f"it has: {', '.join(numbers.values())}")
        surface = level.startswith("L2")
        rescaling = _group(groups, "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS" if surface else "LEVEL1_RADIOMETRIC_RESCALING")
        elevation = _number(image, "SUN_ELEVATION")
        above = 1.0 if surface else 1 / np.sin(np.radians(max(elevation, 1.0)))
        planes = [
            assembly.Plane(
                name,
                existing(files, contents[f"FILE_NAME_BAND_{number}"], f"band {number}, {name}"),
                assembly.reflectance(_number(rescaling, f"REFLECTANCE_MULT_BAND_{number}") * above, _number(rescaling, f"REFLECTANCE_ADD_BAND_{number}") * above),
            )
            for number, name in chosen.items()
        ]
        with open_raster(planes[0].path) as dataset:
            footprint(dataset)
            grid = Grid(dataset.crs.to_wkt(), dataset.transform, dataset.width, dataset.height)
        raster = assembly.assemble(workspace / "bands.tif", grid, planes)
        product = contents.get("LANDSAT_PRODUCT_ID") or re.sub(r"_MTL$", "", listed[0].stem)
        properties = {
            "platform": craft.lower().replace("_", "-"),
            "instruments": image.get("SENSOR_ID", "").lower().split("_"),
            "processing:level": level,
            "hdq:reflectance_scale": 1 / assembly.SCALE,
            "view:sun_elevation": round(elevation, 3),
            "view:sun_azimuth": round(_number(image, "SUN_AZIMUTH"), 3),
            "eo:cloud_cover": float(image["CLOUD_COVER"]) if re.fullmatch(r"\d+(\.\d+)?", image.get("CLOUD_COVER", "")) else None,
        }
        classes = None
        if quality := contents.get("FILE_NAME_QUALITY_L1_PIXEL"):
            classes = workspace / "classes.tif"
            codes = assembly.classify(classes, grid, existing(files, quality, "the cloud mask QA_PIXEL"), "GTiff", sky.of_qa)
            properties |= {"hdq:sky": sky.shares(codes)}
        return Reading(
            raster,
            tuple(chosen.values()),
            moment(f"{image.get('DATE_ACQUIRED', '')}T{image.get('SCENE_CENTER_TIME', '')[:15].rstrip('Z')}Z"),
            product,
            f"landsat-c2-{'l2' if surface else 'l1'}",
            product,
            {name: value for name, value in properties.items() if value not in (None, "", [""])},
            classes,
        )


def _groups(path: Path) -> dict[str, dict[str, str]]:
    """Group -> key -> value of an MTL file, text or JSON."""
    if path.stat().st_size > MOST_BYTES:
        raise InvalidInput(f"{path.name!r} has {path.stat().st_size} bytes, which no MTL file has", remedy="fetch the scene again")
    text = path.read_text(encoding="utf-8", errors="replace")
    groups: dict[str, dict[str, str]] = {}
    if path.suffix.lower() == ".json":
        try:
            whole = json.loads(text)
            for root in whole.values():
                groups |= {name: {key: str(value) for key, value in group.items()} for name, group in root.items() if isinstance(group, dict)}
        except (ValueError, AttributeError, RecursionError) as error:
            raise InvalidInput(f"{path.name!r} is no MTL file: {str(error)[:80]}", remedy="fetch the scene again") from error
        return groups
    inside: list[str] = []
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if key == "GROUP":
            inside.append(value)
        elif key == "END_GROUP" and inside:
            inside.pop()
        elif inside and value:
            groups.setdefault(inside[-1], {})[key] = value.strip('"')
    return groups


def _group(groups: dict[str, dict[str, str]], name: str) -> dict[str, str]:
    if name not in groups:
        raise InvalidInput(f"the MTL file has no group {name}", remedy="give a scene of Collection 2; older ones have other groups")
    return groups[name]


def _number(group: dict[str, str], key: str) -> float:
    try:
        found = float(group[key])
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"the MTL file gives {key} as {group.get(key)!r}", remedy="fetch the scene again") from error
    if not np.isfinite(found):
        raise InvalidInput(f"the MTL file gives {key} as {found}", remedy="fetch the scene again")
    return found


READER = Landsat()
