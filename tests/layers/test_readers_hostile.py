"""Every hostile or broken file is turned away, by its bytes, and the process lives."""

import io
import struct
import sys
import time
import zipfile

import numpy as np
import pytest
import shapely

from grid import bundles
from grid.errors import HdqError, InvalidInput, TooLarge, UnsupportedMedia
from layers import archives
from layers.readers import Options, read
from layers.reading import apart, geojson
from layers.reading.pipeline import Surroundings
from tests.layers.files import collection, feature, frame_of_places, put, zipped

VRT = '<OGRVRTDataSource><OGRVRTLayer name="passwd"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
RASTER_VRT = '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand band="1"/></VRTDataset>'


@pytest.mark.parametrize("name", ["a.geojson", "a.kml", "a.csv", "a.zip", "a.gpkg", "a.tif", "a.vrt", "a"])
@pytest.mark.parametrize("content", [VRT, RASTER_VRT, '{"type":"FeatureCollection"}  ' + VRT])
def test_virtual_datasets_never_reach_a_reader(tmp_path, name, content):
    with pytest.raises(UnsupportedMedia):
        read(put(tmp_path, "upload", content), name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.geojson", b"PK\x03\x04"),
        ("a.zip", b'{"type": "FeatureCollection", "features": []}'),
        ("a.gpkg", b"lon,lat\n1,2\n"),
        ("a.csv", b"\x00\x01\x02"),
        ("a.kml", b""),
        ("a.exe", b"MZ"),
        ("../../etc/passwd", b"root:x:0:0"),
    ],
)
def test_content_and_name_must_agree(tmp_path, name, content):
    with pytest.raises(UnsupportedMedia):
        read(put(tmp_path, "upload", content), name)


def test_xml_entities_are_refused(tmp_path):
    attacks = {
        "file": '<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]><kml><Placemark><name>&x;</name></Placemark></kml>',
        "laughs": '<!DOCTYPE k [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><kml><Placemark><name>&b;</name></Placemark></kml>',
        "remote": '<!DOCTYPE kml SYSTEM "http://192.0.2.1/x.dtd"><kml><Placemark/></kml>',
    }
    for text in attacks.values():
        with pytest.raises(InvalidInput, match="DTD"):
            read(put(tmp_path, "a.kml", text), "a.kml")


@pytest.mark.parametrize("text", ["<kml><Placemark>", "<kml>" + "<Folder>" * 100_000, "<kml/>"])
def test_broken_or_empty_kml_is_refused(tmp_path, text):
    with pytest.raises(InvalidInput):
        read(put(tmp_path, "a.kml", text), "a.kml")


def test_zip_slip_links_and_encryption_are_refused(tmp_path):
    for evil in ("../evil.shp", "/etc/evil.shp", "a/../../evil.shp", "..\\evil.shp", "C:/evil.shp"):
        with zipfile.ZipFile(tmp_path / "slip.zip", "w") as bundle:
            bundle.writestr(evil, b"x")
        with pytest.raises(InvalidInput, match="leaves"):
            read(tmp_path / "slip.zip", "slip.zip")
    link = zipfile.ZipInfo("a.shp")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as bundle:
        bundle.writestr(link, "/etc/passwd")
    with pytest.raises(InvalidInput, match="link"):
        read(tmp_path / "link.zip", "link.zip")
    assert not (tmp_path.parent / "evil.shp").exists()


def test_zip_bombs_are_stopped_by_what_comes_out(tmp_path, monkeypatch):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as bundle:
        for part in (".shp", ".shx", ".dbf"):
            with bundle.open(f"a{part}", "w") as member:
                for _ in range(64):
                    member.write(bytes(1024**2))
    with pytest.raises(TooLarge, match="unpacks"):
        read(bomb, "bomb.zip")
    with pytest.raises(TooLarge):
        archives.unpack_shapefile(bomb, tmp_path, archives.Limits(unpacked_bytes=1024**2, ratio=10**9))
    lying = bytearray(bomb.read_bytes())
    at = lying.find(b"PK\x01\x02")
    lying[at + 24 : at + 28] = struct.pack("<I", 10)
    with pytest.raises((TooLarge, InvalidInput)):
        read(put(tmp_path, "lying.zip", bytes(lying)), "lying.zip")
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as bundle:
        for i in range(bundles.MAX_MEMBERS + 1):
            bundle.writestr(f"{i}.txt", b"")
    with pytest.raises(TooLarge, match="files"):
        read(tmp_path / "many.zip", "many.zip")


def test_truncated_zips_and_incomplete_shapefiles(tmp_path):
    whole = zipped(tmp_path, frame_of_places()).read_bytes()
    for cut in (len(whole) // 3, len(whole) - 10):
        with pytest.raises(InvalidInput, match="damaged"):
            read(put(tmp_path, "cut.zip", whole[:cut]), "cut.zip")
    with pytest.raises(InvalidInput, match=r"\.dbf"):
        read(zipped(tmp_path, frame_of_places(), leave_out=(".dbf",)), "place.zip")
    with zipfile.ZipFile(tmp_path / "fake.zip", "w") as bundle:
        for part in (".shp", ".shx", ".dbf"):
            bundle.writestr(f"a{part}", VRT)
    with pytest.raises(UnsupportedMedia):
        read(tmp_path / "fake.zip", "fake.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as bundle:
        bundle.writestr("readme.txt", "nothing")
    with pytest.raises(UnsupportedMedia, match="no .shp"):
        read(tmp_path / "empty.zip", "empty.zip")


def test_a_shapefile_cut_inside_is_refused_or_named_and_the_process_lives(tmp_path):
    zipped(tmp_path, frame_of_places())
    shp = (tmp_path / "place.shp").read_bytes()
    with zipfile.ZipFile(tmp_path / "cut.zip", "w") as bundle:
        bundle.writestr("place.shp", shp[: len(shp) - 60])
        for part in (".shx", ".dbf", ".prj"):
            bundle.write(tmp_path / f"place{part}", f"place{part}")
    try:
        table = read(tmp_path / "cut.zip", "cut.zip")
    except HdqError:
        return
    assert [r.row for r in table.rejected] == [3]


def test_geopackages_that_would_run_something_are_refused(tmp_path):
    import sqlite3

    frame_of_places().to_file(tmp_path / "a.gpkg", layer="place", engine="pyogrio")
    with sqlite3.connect(tmp_path / "a.gpkg") as db:
        db.execute("CREATE VIEW evil AS SELECT * FROM place")
    with pytest.raises(InvalidInput, match="evil"):
        read(tmp_path / "a.gpkg", "a.gpkg")
    whole = (tmp_path / "a.gpkg").read_bytes()
    with pytest.raises(InvalidInput):
        read(put(tmp_path, "cut.gpkg", whole[:6000]), "cut.gpkg")



@pytest.mark.parametrize(
    "text",
    [
        '{"type": "FeatureCollection", "features": [' + '{"a":' * 100_000,
        '{"type": "FeatureCollection", "features": [' + "[" * 200_000 + "]" * 200_000 + "]}",
        '{"type": "FeatureCollection", "features": [{"type": "Feature"',
        '{"type": "FeatureCollection", "features": [{"x": 123456789012345678901234567890}]}',
        '{"type": "FeatureCollection", "features": []}',
        "[1, 2]",
    ],
)
def test_broken_deep_or_empty_json_is_refused_quickly(tmp_path, text):
    started = time.monotonic()
    with pytest.raises(InvalidInput):
        read(put(tmp_path, "a.geojson", text), "a.geojson")
    assert time.monotonic() - started < 5



def test_one_line_of_twenty_megabytes(tmp_path):
    ring = [[120 + 0.5 * np.cos(a), 36.3 + 0.4 * np.sin(a)] for a in np.linspace(0, 2 * np.pi, 500_000, endpoint=False)]
    ring.append(ring[0])
    content = collection([feature({"type": "Polygon", "coordinates": [ring]}, {"name": "大"})])
    assert len(content) > 18_000_000
    table = read(put(tmp_path, "a.geojson", content), "a.geojson")
    assert shapely.get_num_coordinates(table.geometries[0]) == 500_001
    junk = put(tmp_path, "b.csv", b"lon,lat,text\n120.38,36.06," + b"x" * 20_000_000 + b"\n")
    assert len(read(junk, "b.csv", Options(crs="4326")).records[0]["text"]) == 20_000_000


def test_hostile_csv_headers_and_shapes(tmp_path):
    for text, words in (("a,b\n1,2\n", "coordinate columns"), ("lon,lon,lat\n1,2,3\n", "repeated"), (",lat\n1,2\n", "empty"), ("lon,lat\n", "no features")):
        with pytest.raises(InvalidInput, match=words):
            read(put(tmp_path, "a.csv", text), "a.csv", Options(crs="4326"))
    with pytest.raises(InvalidInput, match="coordinate columns"):
        read(put(tmp_path, "a.csv", "p,q\n120,36\n"), "a.csv", Options(crs="4326", x="p", y="nope"))
    table = read(put(tmp_path, "a.csv", "p,q,n\n120,36,=cmd()\n120.1,36.1\n120.2,36.2,c\n"), "a.csv", Options(crs="4326", x="p", y="q"))
    assert [r.row for r in table.rejected] == [2] and table.records[0]["n"] == "=cmd()"


@pytest.mark.parametrize("encoding", ["idna", "hex", "\x00", "unicode_escape", "punycode", "x" * 500, "utf-7"])
def test_odd_encodings_are_refused(tmp_path, encoding):
    with pytest.raises(InvalidInput, match="encoding"):
        read(put(tmp_path, "a.csv", "lon,lat\n120.38,36.06\n"), "a.csv", Options(crs="4326", encoding=encoding))


def test_text_that_is_not_in_its_declared_encoding_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="not text"):
        read(put(tmp_path, "a.csv", "名,lon,lat\n青,120.38,36.06\n".encode("gb18030")), "a.csv", Options(crs="4326", encoding="UTF-8"))


def test_depth_counts_brackets_outside_strings():
    assert geojson._depth(b'{"a": "[[[[{{{{", "b": ["\\"[", "\\\\"]}') == 2
    assert geojson._depth(b"") == 0
    assert geojson._depth(b"[" * 60 + b"]" * 60) == 60 and geojson._depth(b"[" * 70) > 64


def test_a_reader_that_dies_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "COMMAND", [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    job = apart.Job(tmp_path, "a", "GeoJSON", Options(), Surroundings(), "a")
    with pytest.raises(InvalidInput, match="decoder"):
        next(apart.apart(job))


def test_a_zip_of_another_kind_than_its_name_says(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("doc.kml", "<kml/>")
    with pytest.raises(UnsupportedMedia):
        read(put(tmp_path, "a.xlsx", buffer.getvalue()), "a.xlsx")
    with pytest.raises(InvalidInput, match="no features"):
        read(put(tmp_path, "a.kmz", buffer.getvalue()), "a.kmz")
