"""Small products as their makers deliver them, written by the tests: Sentinel-2 SAFE, Landsat Collection 2, Gaofen with a camera model."""

import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.rpc import RPC
from rasterio.transform import from_origin

from imagery.scenes.raster import QUIET

LEFT, TOP = 300_000.0, 3_990_000.0
UTM51 = "EPSG:32651"
SIDE = 120
"""Pixels of 10 m."""
METRES = {"B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20, "B09": 60, "B11": 20, "B12": 20}
SCL = {"clear": 4, "cloud": 9, "shadow": 3, "nothing": 0}


def jp2(path: Path, pixels: np.ndarray, metres: float) -> Path:
    """One band as lossless JPEG 2000."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "JP2OpenJPEG", "count": 1, "height": pixels.shape[0], "width": pixels.shape[1], "dtype": pixels.dtype, "quality": 100, "reversible": "yes"}
    with rasterio.Env(**QUIET), rasterio.open(path, "w", **profile, crs=UTM51, transform=from_origin(LEFT, TOP, metres, metres)) as dataset:
        dataset.write(pixels, 1)
    return path


def ground(metres: int, seed: int, level: int = 3000) -> np.ndarray:
    """Random whole numbers around a level, as many as a tile of SIDE × 10 m has pixels of that size."""
    size = SIDE * 10 // metres
    return np.random.default_rng(seed).integers(level - 500, level + 500, (size, size)).astype(np.uint16)


def safe(folder: Path, *, level: str = "2A", baseline: str = "05.11", cloud: float = 0.0, without: str = "", offsets: bool = True) -> Path:
    """A SAFE folder of one tile; `cloud`: share of it, from the west, that its scene classification calls cloud."""
    name = f"S2B_MSIL{level}_20260503T024549_N0511_R089_T51SUV_20260503T060000"
    root = folder / f"{name}.SAFE"
    images = root / "GRANULE" / f"L{level}_T51SUV_A000001_20260503T024549" / "IMG_DATA"
    listed = []
    for number, (band, metres) in enumerate(METRES.items()):
        stem = f"T51SUV_20260503T024549_{band}"
        place = images / f"R{metres}m" / f"{stem}_{metres}m" if level == "2A" else images / stem
        listed.append(place.relative_to(root))
        if band != without:
            jp2(place.with_name(place.name + ".jp2"), ground(metres, number), metres)
    if level == "2A":
        size = SIDE // 2
        classes = np.full((size, size), SCL["clear"], np.uint8)
        classes[:, : round(size * cloud)] = SCL["cloud"]
        jp2(images / "R20m" / "T51SUV_20260503T024549_SCL_20m.jp2", classes, 20)
    kind = "BOA" if level == "2A" else "RADIO"
    quantity = "BOA_QUANTIFICATION_VALUE" if level == "2A" else "QUANTIFICATION_VALUE"
    shifts = "".join(f'<{kind}_ADD_OFFSET band_id="{band}">-1000</{kind}_ADD_OFFSET>' for band in range(13)) if offsets else ""
    files = "".join(f"<IMAGE_FILE>{path.as_posix()}</IMAGE_FILE>" for path in listed)
    (root / f"MTD_MSIL{level}.xml").write_text(
        f"""<?xml version="1.0"?><n1:Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level}.xsd"><n1:General_Info>
        <PRODUCT_START_TIME>2026-05-03T02:45:49.024Z</PRODUCT_START_TIME><PRODUCT_URI>{name}.SAFE</PRODUCT_URI>
        <PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE><SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME>{files}
        <{quantity} unit="none">10000</{quantity}>{shifts}</n1:General_Info>
        <n1:Quality_Indicators_Info><Cloud_Coverage_Assessment>{cloud * 100}</Cloud_Coverage_Assessment></n1:Quality_Indicators_Info></n1:Product>"""
    )
    (images.parent / "MTD_TL.xml").write_text(
        f"""<?xml version="1.0"?><n1:Tile xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{level}_Tile_Metadata.xsd"><n1:General_Info>
        <TILE_ID>S2B_OPER_T51SUV</TILE_ID><SENSING_TIME>2026-05-03T02:51:07.456Z</SENSING_TIME></n1:General_Info><n1:Geometric_Info><Tile_Geocoding>
        <HORIZONTAL_CS_NAME>WGS84 / UTM zone 51N</HORIZONTAL_CS_NAME><HORIZONTAL_CS_CODE>{UTM51}</HORIZONTAL_CS_CODE>
        <Size resolution="10"><NROWS>{SIDE}</NROWS><NCOLS>{SIDE}</NCOLS></Size><Size resolution="20"><NROWS>{SIDE // 2}</NROWS><NCOLS>{SIDE // 2}</NCOLS></Size>
        <Geoposition resolution="10"><ULX>{LEFT:.0f}</ULX><ULY>{TOP:.0f}</ULY><XDIM>10</XDIM><YDIM>-10</YDIM></Geoposition></Tile_Geocoding>
        <Tile_Angles><Mean_Sun_Angle><ZENITH_ANGLE unit="deg">24.5</ZENITH_ANGLE><AZIMUTH_ANGLE unit="deg">138.25</AZIMUTH_ANGLE></Mean_Sun_Angle></Tile_Angles>
        </n1:Geometric_Info></n1:Tile>"""
    )
    return root


def landsat(folder: Path, *, as_json: bool = False, without: str = "", cloud: float = 0.0) -> Path:
    """A Landsat 8 scene of Collection 2, Level 2."""
    name = "LC08_L2SP_120035_20260503_20260510_02_T1"
    root = folder / name
    root.mkdir(parents=True)
    profile = {"driver": "GTiff", "count": 1, "height": 60, "width": 60, "dtype": "uint16", "crs": UTM51, "transform": from_origin(LEFT, TOP, 30, 30)}
    quality = np.full((60, 60), 21824, np.uint16)
    quality[:, : round(60 * cloud)] = 22280
    for band in ("1", "2", "3", "4", "5", "6", "7", "QA"):
        file = root / (f"{name}_QA_PIXEL.TIF" if band == "QA" else f"{name}_SR_B{band}.TIF")
        if band != without:
            with rasterio.open(file, "w", **profile) as dataset:
                dataset.write(quality if band == "QA" else np.full((60, 60), 7000 + 1000 * int(band), np.uint16), 1)
    groups = {
        "PRODUCT_CONTENTS": {"LANDSAT_PRODUCT_ID": name, "PROCESSING_LEVEL": "L2SP", "FILE_NAME_QUALITY_L1_PIXEL": f"{name}_QA_PIXEL.TIF"}
        | {f"FILE_NAME_BAND_{band}": f"{name}_SR_B{band}.TIF" for band in range(1, 8)},
        "IMAGE_ATTRIBUTES": {
            "SPACECRAFT_ID": "LANDSAT_8", "SENSOR_ID": "OLI_TIRS", "DATE_ACQUIRED": "2026-05-03", "SCENE_CENTER_TIME": "02:31:45.1234560Z",
            "CLOUD_COVER": "3.21", "SUN_AZIMUTH": "130.5", "SUN_ELEVATION": "62.25",
        },
        "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": {
            **{f"REFLECTANCE_MULT_BAND_{band}": "2.75e-05" for band in range(1, 8)}, **{f"REFLECTANCE_ADD_BAND_{band}": "-0.2" for band in range(1, 8)},
        },
    }  # fmt: skip
    if as_json:
        (root / f"{name}_MTL.json").write_text(json.dumps({"LANDSAT_METADATA_FILE": groups}))
    else:
        lines = ["GROUP = LANDSAT_METADATA_FILE"]
        for group, values in groups.items():
            lines += [f"  GROUP = {group}", *(f'    {key} = "{value}"' if value[0].isalpha() else f"    {key} = {value}" for key, value in values.items())]
            lines.append(f"  END_GROUP = {group}")
        (root / f"{name}_MTL.txt").write_text("\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END"]))
    return root


def model(size: int, metres: float, lon: float, lat: float, tilt: float = 0.0) -> RPC:
    """A camera that looks at a plane around a point: lines run south, samples east; `tilt`: metres to the east per metre of height."""
    across, down = size * metres / 2 / (111_320.0 * np.cos(np.radians(lat))), size * metres / 2 / 111_132.0
    zero, one = [0.0] * 20, [1.0] + [0.0] * 19
    line, sample = zero.copy(), zero.copy()
    line[2], sample[1], sample[3] = -1.0, 1.0, -tilt * 500.0 / (size * metres / 2)
    return RPC(
        height_off=20.0, height_scale=500.0, lat_off=lat, lat_scale=down, long_off=lon, long_scale=across, line_off=size / 2, line_scale=size / 2,
        samp_off=size / 2, samp_scale=size / 2, line_num_coeff=line, line_den_coeff=one, samp_num_coeff=sample, samp_den_coeff=one, err_bias=4.0, err_rand=3.0,
    )  # fmt: skip


def gaofen(folder: Path, *, lon: float = 120.4, lat: float = 36.1, tilt: float = 0.3, side: str = "rpb") -> tuple[Path, tuple[float, float]]:
    """A GF-1 product of 4 bands at 8 m with a bright square; gives its folder and the middle of the square (degrees, at 20 m
    height). Sample and line 0 of a model are the middle of the first pixel."""
    name = "GF1_PMS1_E120.4_N36.1_20260503_L1A0001234567-MSS1"
    root = folder / name
    root.mkdir(parents=True)
    size, metres = 200, 8.0
    pixels = np.full((4, size, size), 400, np.uint16)
    pixels[:, 40:60, 120:140] = 900
    camera = model(size, metres, lon, lat, tilt)
    tags = {"rpcs": camera} if side == "tags" else {}
    with rasterio.Env(**QUIET), rasterio.open(root / f"{name}.tiff", "w", driver="GTiff", count=4, height=size, width=size, dtype="uint16", **tags) as dataset:
        dataset.write(pixels)
    if side == "rpb":
        def listed(numbers: list[float]) -> str:
            return "(\n" + ",\n".join(f"\t\t\t{number:.12e}" for number in numbers) + ")"

        values = {
            "errBias": camera.err_bias, "errRand": camera.err_rand, "lineOffset": camera.line_off, "sampOffset": camera.samp_off, "latOffset": camera.lat_off,
            "longOffset": camera.long_off, "heightOffset": camera.height_off, "lineScale": camera.line_scale, "sampScale": camera.samp_scale,
            "latScale": camera.lat_scale, "longScale": camera.long_scale, "heightScale": camera.height_scale, "lineNumCoef": listed(camera.line_num_coeff),
            "lineDenCoef": listed(camera.line_den_coeff), "sampNumCoef": listed(camera.samp_num_coeff), "sampDenCoef": listed(camera.samp_den_coeff),
        }  # fmt: skip
        inside = "\n".join(f"\t{key} = {value};" for key, value in values.items())
        (root / f"{name}.rpb").write_text(f'satId = "GF1";\nbandId = "MSS";\nSpecId = "RPC00B";\nBEGIN_GROUP = IMAGE\n{inside}\nEND_GROUP = IMAGE\nEND;\n')
    (root / f"{name}.xml").write_text(
        """<?xml version="1.0" encoding="UTF-8"?><ProductMetaData><SatelliteID>GF1</SatelliteID><SensorID>PMS1</SensorID><ProductLevel>LEVEL1A</ProductLevel>
        <StartTime>2026-05-03 11:02:31</StartTime><CenterTime>2026-05-03 11:02:33</CenterTime><SolarAzimuth>155.5</SolarAzimuth>
        <SolarZenith>24.25</SolarZenith><CloudPercent>1</CloudPercent></ProductMetaData>"""
    )
    across, down = metres / (111_320.0 * np.cos(np.radians(lat))), metres / 111_132.0
    return root, (lon + (129.5 - size / 2) * across, lat - (49.5 - size / 2) * down)


def zipped(folder: Path, target: Path) -> Path:
    """The folder as a zip that holds it under its own name."""
    with zipfile.ZipFile(target, "w") as bundle:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                bundle.write(file, file.relative_to(folder.parent))
    return target


def tarred(folder: Path, target: Path) -> Path:
    """The folder's files as a tar, as the USGS packs them."""
    with tarfile.open(target, "w:gz" if target.name.endswith("gz") else "w") as bundle:
        for file in sorted(folder.iterdir()):
            bundle.add(file, file.name)
    return target


def utm(lon: float, lat: float) -> tuple[float, float]:
    """Easting and northing in UTM zone 51."""
    return Transformer.from_crs("EPSG:4326", UTM51, always_xy=True).transform(lon, lat)
