"""One tiny file of every other format, made here: File Geodatabase, FlatGeobuf, GeoParquet, GML, DXF, KMZ, XLSX, GeoJSONSeq, WKT."""

import json
import zipfile
from pathlib import Path

import geopandas
import pyogrio
import pytest

from grid import crs
from grid.errors import HdqError, InvalidInput, UnknownCrs, UnsupportedMedia
from layers.readers import Options, read
from tests.layers.files import PLACES, assert_places, feature, frame_of_places, point, put

KML = """<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>"""


@pytest.mark.parametrize("separator", ["\n", "\x1e"])
@pytest.mark.parametrize("name", ["a.geojsonl", "a.ndjson", "a.json"])
def test_geojson_sequences(tmp_path, separator, name):
    lines = [json.dumps(point(lon, lat, {"name": n}), ensure_ascii=False) for n, lon, lat in PLACES]
    text = "".join(separator + line + "\n" for line in lines) if separator != "\n" else "\n".join(lines)
    table = read(put(tmp_path, name, text), name)
    assert_places(table)
    assert (table.format, table.crs_origin) == ("GeoJSONSeq", "format")


def test_a_broken_line_of_a_sequence_is_refused(tmp_path):
    good = json.dumps(feature({"type": "Point", "coordinates": [120.38, 36.06]}))
    with pytest.raises(InvalidInput, match="feature 2"):
        read(put(tmp_path, "a.geojsonl", f"{good}\n{good[:40]}\n"), "a.geojsonl")


@pytest.mark.parametrize("epsg", [4490, 4528])
def test_a_zipped_geodatabase(tmp_path, epsg):
    frame_of_places(epsg).to_file(tmp_path / "city.gdb", driver="OpenFileGDB", layer="places", engine="pyogrio")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        for part in sorted((tmp_path / "city.gdb").iterdir()):
            bundle.write(part, f"数据/city.gdb/{part.name}")
        bundle.writestr("数据/city.gdb/readme.exe", b"MZ")
    table = read(tmp_path / "a.zip", "a.zip")
    assert_places(table)
    assert (table.format, table.crs, table.crs_origin) == ("File Geodatabase", f"EPSG:{epsg}", "file")


@pytest.mark.parametrize("epsg", [4326, 4549])
def test_flatgeobuf(tmp_path, epsg):
    data = frame_of_places(epsg)
    data.to_file(tmp_path / "a.fgb", driver="FlatGeobuf", engine="pyogrio", SPATIAL_INDEX="NO")
    table = read(tmp_path / "a.fgb", "a.fgb")
    assert_places(table)
    assert table.crs == f"EPSG:{epsg}" and dict(table.attributes) == {"name": "text", "floors": "integer"}


@pytest.mark.parametrize("epsg", [4326, 4490, 4528])
def test_geoparquet(tmp_path, epsg):
    data = frame_of_places(epsg).assign(at=geopandas.pd.Timestamp("2026-11-22 08:30"), share=[0.5, float("nan"), 2.0], quoted=['a"b', "c\\d\n", None])
    data.to_parquet(tmp_path / "a.parquet")
    table = read(tmp_path / "a.parquet", "a.parquet")
    assert_places(table)
    assert (table.format, table.crs) == ("GeoParquet", f"EPSG:{epsg}")
    assert [r["quoted"] for r in table.records] == ['a"b', "c\\d\n", None] and [r["share"] for r in table.records] == [0.5, None, 2]
    assert table.records[0]["at"].startswith("2026-11-22 08:30") and dict(table.attributes)["at"] == "text"


def test_parquet_without_geometry_or_cut_is_refused(tmp_path):
    geopandas.pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InvalidInput, match="GeoParquet"):
        read(tmp_path / "a.parquet", "a.parquet")
    frame_of_places().to_parquet(tmp_path / "b.parquet")
    whole = (tmp_path / "b.parquet").read_bytes()
    with pytest.raises(InvalidInput):
        read(put(tmp_path, "c.parquet", whole[: len(whole) // 2]), "c.parquet")


@pytest.mark.parametrize("version", ["GML2", "GML3.2"])
@pytest.mark.parametrize("epsg", [4326, 4528])
def test_gml(tmp_path, version, epsg):
    frame_of_places(epsg).to_file(tmp_path / "a.gml", driver="GML", engine="pyogrio", dataset_options={"FORMAT": version})
    (tmp_path / "a.xsd").unlink(missing_ok=True)
    table = read(tmp_path / "a.gml", "a.gml")
    assert_places(table)
    assert table.crs == f"EPSG:{epsg}"


def test_gml_with_entities_is_refused(tmp_path):
    text = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x xmlns:gml="http://www.opengis.net/gml">&e;</x>'
    with pytest.raises(InvalidInput, match="DTD"):
        read(put(tmp_path, "a.gml", text), "a.gml")


def test_dxf_names_no_frame_and_zone_metres_are_detected(tmp_path):
    frame_of_places(4528)[["geometry"]].boundary.to_frame("geometry").to_file(tmp_path / "a.dxf", driver="DXF", engine="pyogrio")
    table = read(tmp_path / "a.dxf", "a.dxf")
    assert (table.format, table.crs, table.crs_origin, table.geometry_type) == ("DXF", "EPSG:4528", "detected", "LineString")
    assert len(table.records) == 3 and table.records[0]["Layer"] == "0"
    assert table.geometries[0].bounds[:2] == pytest.approx(PLACES[0][1:], abs=1e-6)


def test_kmz(tmp_path):
    marks = "".join(f"<Placemark><name>{n}</name><Point><coordinates>{lon},{lat}</coordinates></Point></Placemark>" for n, lon, lat in PLACES)
    with zipfile.ZipFile(tmp_path / "a.kmz", "w") as bundle:
        bundle.writestr("files/icon.png", b"\x89PNG")
        bundle.writestr("doc.kml", KML.format(marks))
    table = read(tmp_path / "a.kmz", "a.kmz")
    assert_places(table)
    assert table.format == "KMZ"


def workbook(folder: Path, rows: list[list]) -> Path:
    """A workbook with one sheet, as small as the format allows."""

    def cell(value) -> str:
        return f"<c><v>{value}</v></c>" if isinstance(value, int | float) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    main, office = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    with zipfile.ZipFile(folder / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
            '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        )
        bundle.writestr("_rels/.rels", f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>')
        bundle.writestr("xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="地点" sheetId="1" r:id="r1"/></sheets></workbook>')
        bundle.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>')
        bundle.writestr("xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>')
    return folder / "a.xlsx"


def test_xlsx_of_coordinates(tmp_path):
    path = workbook(tmp_path, [["name", "经度", "纬度", "层数", "编号"], *([n, lon, lat, 3 + i, f"00{i}"] for i, (n, lon, lat) in enumerate(PLACES))])
    table = read(path, "a.xlsx", Options(crs="EPSG:4490"))
    assert_places(table)
    assert dict(table.attributes) == {"name": "text", "层数": "integer", "编号": "text"} and table.records[1]["编号"] == "001"
    assert_places(read(path, "a.xlsx", Options(crs="EPSG:4490", layer="地点")))
    with pytest.raises(InvalidInput, match="地点"):
        read(path, "a.xlsx", Options(crs="EPSG:4490", layer="别的"))
    with pytest.raises(UnknownCrs):
        read(path, "a.xlsx")


def test_xlsx_of_wkt_with_a_bad_row(tmp_path):
    path = workbook(tmp_path, [["name", "wkt"], ["一", "POINT (120.38 36.06)"], ["二", "POINT (120"], ["三", "POINT (120.4 36.1)"]])
    table = read(path, "a.xlsx", Options(crs="4326"))
    assert [r["name"] for r in table.records] == ["一", "三"] and table.rejected[0].row == 2


def test_hostile_workbooks_are_refused(tmp_path):
    whole = workbook(tmp_path, [["lon", "lat"], [120.38, 36.06]]).read_bytes()
    for name, content in (("cut.xlsx", whole[: len(whole) // 2]), ("a.zip", whole), ("a.xlsx", b"PK\x03\x04" + whole[200:])):
        with pytest.raises(HdqError):
            read(put(tmp_path, name, content), name, Options(crs="4326"))
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("xl/workbook.xml", "<workbook/>")
        with bundle.open("xl/worksheets/sheet1.xml", "w") as member:
            for _ in range(64):
                member.write(b" " * 1024**2)
    with pytest.raises(HdqError, match="unpacks"):
        read(tmp_path / "bomb.xlsx", "bomb.xlsx")


@pytest.mark.parametrize("name", ["a.fgb", "a.gml", "a.dxf", "a.parquet", "a.xlsx", "a.kmz"])
@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b'{"type": "FeatureCollection", "features": []}', b"<OGRVRTDataSource/>", b"fgb\x03fgb\x00" + b"\xff" * 200, b"PAR1" + b"\xff" * 100, b"0\nSECTION\n2\nENTITIES\n"])
def test_content_decides_and_broken_content_is_refused(tmp_path, name, content):
    with pytest.raises(HdqError):
        read(put(tmp_path, name, content), name, Options(crs="4326"))


def test_only_the_wanted_driver_is_left(tmp_path):
    path = tmp_path / "a.gml"
    path.write_text('<x xmlns:gml="http://www.opengis.net/gml">' + "<a/>" * 10 + "</x>")
    with pytest.raises(InvalidInput):
        read(path, "a.gml")
    assert "OGR_VRT" in pyogrio.list_drivers()
    assert crs.name("4326") == "EPSG:4326"
    with pytest.raises(UnsupportedMedia):
        read(put(tmp_path, "b.gml", b'<OGRVRTDataSource xmlns:gml="http://www.opengis.net/gml"/>'), "b.gml")
