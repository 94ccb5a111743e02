"""Small files of every format, made for the tests of imports."""

import json
import zipfile
from pathlib import Path

import geopandas
import shapely

from grid import crs, geometry
from layers import readers

PLACES = [("五四广场", 120.3826, 36.0631), ("栈桥", 120.3147, 36.0606), ("崂山巨峰", 120.6236, 36.1747)]


def put(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def collection(features: list[dict], **more) -> str:
    return json.dumps({"type": "FeatureCollection", **more, "features": features}, ensure_ascii=False)


def feature(geometry_: dict | None, properties: dict | None = None, **more) -> dict:
    return {"type": "Feature", "geometry": geometry_, "properties": properties or {}, **more}


def point(lon, lat, properties: dict | None = None, **more) -> dict:
    return feature({"type": "Point", "coordinates": [lon, lat]}, properties, **more)


def frame_of_places(epsg: int = 4326) -> geopandas.GeoDataFrame:
    shapes = [crs.from_storage(shapely.box(lon, lat, lon + 0.01, lat + 0.01), epsg) for _, lon, lat in PLACES]
    return geopandas.GeoDataFrame({"name": [n for n, _, _ in PLACES], "floors": [3, 5, 1]}, geometry=shapes, crs=f"EPSG:{epsg}")


def zipped(folder: Path, data: geopandas.GeoDataFrame, *, leave_out: tuple[str, ...] = (), **how) -> Path:
    data.to_file(folder / "place.shp", engine="pyogrio", **how)
    with zipfile.ZipFile(folder / "place.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        for part in sorted(folder.glob("place.*")):
            if part.suffix not in (".zip", *leave_out):
                bundle.write(part, f"数据/{part.name}")
    return folder / "place.zip"


def assert_places(table: readers.Table) -> None:
    assert [r["name"] for r in table.records] == [n for n, _, _ in PLACES]
    for shape, (_, lon, lat) in zip(table.geometries, PLACES, strict=True):
        assert shapely.get_srid(shape) == 4326
        assert geometry.inverse(*shape.bounds[:2], lon, lat)[1] < 0.001
