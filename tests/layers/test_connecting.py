"""What connectors may ask and what they make of the answers, friendly and hostile; every source here runs on the loopback."""

import json
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import psycopg
import pytest
from psycopg import conninfo

from gis_api.supervisor import environment
from grid.errors import InvalidInput, NotFound, TooLarge, Unavailable
from grid.settings import Settings
from layers.connecting import door as doors
from layers.connecting.door import Door, Limits, checked, headers_of, secret
from layers.connecting.fetching import fetch, look
from layers.connecting.spec import Ask
from layers.connectors import connectors
from tests.layers.answering import answering, as_json, as_xml, features, ogc_api, wells
from tests.layers.relaying import by_tcp


def hosts(text):
    return Settings(connector_hosts=text).allowed_hosts


HTTP = {"https": 443, "http": 80}
QUICK = Limits(silent_s=2.0, answer_s=5.0, total_s=20.0, pauses_s=(0.0,))


def read(kind, source, tmp_path, collection, *, size=10, limits=QUICK, key=None, secret=None, path=""):
    """Features of a source as its connector writes them, and their frame."""
    connector = connectors()[kind]
    address = source.address + path
    with Door(address, connector.schemes, frozenset({source.host}), limits=limits, secret=secret) as door:
        made = fetch(connector, Ask(address, collection, size), door, tmp_path / "out.geojsonl", key=key)
    lines = [json.loads(line) for line in (tmp_path / "out.geojsonl").read_bytes().splitlines()]
    assert made.features == len(lines)
    return made.frame, lines


def points(lines):
    return [(line["id"], *line["geometry"]["coordinates"]) for line in lines]


@contextmanager
def ogc(some, **more):
    with answering(lambda path, query: serve(path, query)) as source:
        serve = ogc_api(lambda: source, some, **more)
        yield source


def test_four_kinds_are_found():
    assert set(connectors()) == {"ogc_features", "wfs", "arcgis", "postgresql"}


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://gis.example.cn/ogc", ""),
        ("https://gis.example.cn.evil.cn/ogc", "gis.example.cn"),
        ("https://gis.example.cn:8443/ogc", "gis.example.cn"),
        ("http://gis.example.cn/ogc", "gis.example.cn:443"),
        ("file:///etc/passwd", "gis.example.cn"),
        ("gopher://gis.example.cn/", "gis.example.cn"),
        ("https://user:geheim@gis.example.cn/ogc", "gis.example.cn"),
        ("https://gis.example.cn@evil.cn/ogc", "gis.example.cn"),
        ("https://gis.example.cn\\@evil.cn/ogc", "gis.example.cn"),
        ("https://evil.cn#gis.example.cn", "gis.example.cn"),
        ("https://gis.example.cn/ogc?token=geheim", "gis.example.cn"),
        ("https://gis.example.cn/\r\nHost: evil.cn", "gis.example.cn"),
        ("https://127.0.0.1/", "gis.example.cn"),
        ("https://[::1]/", "gis.example.cn"),
        ("https://gis.example.cn:99999/", "gis.example.cn"),
        ("https:///ogc", "gis.example.cn"),
    ],
)
def test_addresses_that_are_refused(address, allowed):
    with pytest.raises(InvalidInput) as refused:
        checked(address, HTTP, hosts(allowed))
    assert refused.value.remedy and "geheim" not in refused.value.detail + refused.value.remedy


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("https://GIS.example.cn/ogc", "gis.example.cn"), ("http://10.0.0.5:8080/wfs?map=a", "x.cn, 10.0.0.5:8080"), ("https://gis.example.cn:443/", "gis.example.cn"), ("http://[::1]:81/", "[::1]:81")],
)
def test_addresses_that_are_allowed(address, allowed):
    assert checked(address, HTTP, hosts(allowed)) == address


def test_a_list_of_nonsense_is_refused_at_start():
    with pytest.raises(ValueError, match="no host"):
        hosts("*.example.cn")


def test_secrets_by_name_only():
    assert secret("GIS", {"HDQ_CONNECTOR_SECRET_GIS": "a:b"}) == "a:b"
    assert headers_of("Bearer x") == {"Authorization": "Bearer x"}
    for name in ("gis", "../PATH", "ABSENT"):
        with pytest.raises(InvalidInput):
            secret(name, {"HDQ_CONNECTOR_SECRET_GIS": "a:b"})


def test_ogc_features_page_by_page(tmp_path):
    with ogc(wells(25)) as source:
        frame, lines = read("ogc_features", source, tmp_path, "wells", secret="reader:geheim", key="id")
        assert (frame, len(lines), len(source.asked)) == ("EPSG:4326", 25, 3)
        assert points(lines) == wells(25)
        assert lines[0]["properties"] == {"id": 1, "code": "w1", "depth": 1}
        assert all(headers["Authorization"] == "Basic cmVhZGVyOmdlaGVpbQ==" for _, _, headers in source.asked)


def test_ogc_features_north_first_by_its_header(tmp_path):
    with ogc(wells(3), crs="http://www.opengis.net/def/crs/EPSG/0/4490") as source:
        frame, lines = read("ogc_features", source, tmp_path, "wells")
        assert frame == "EPSG:4490" and points(lines) == wells(3)


def test_a_dry_run_lists_and_shows(tmp_path):
    connector = connectors()["ogc_features"]
    with ogc(wells(25)) as source, Door(source.address, connector.schemes, frozenset({source.host}), limits=QUICK) as door:
        seen = look(connector, source.address, "wells", door)
        assert [(c.id, c.title) for c in seen.collections] == [("wells", "井")]
        assert (seen.frame, seen.features, len(seen.sample)) == ("EPSG:4326", 25, 5)


def page(some, link=None, **more):
    return {"type": "FeatureCollection", "features": features(some), "links": [{"rel": "next", "href": link}] if link else [], **more}


HOSTILE = {
    "html": (lambda s, q: (200, {"Content-Type": "text/html"}, b"<!doctype html><title>login</title>"), InvalidInput, "begins"),
    "error 500": (lambda s, q: as_json({}, 500), Unavailable, "500"),
    "not allowed": (lambda s, q: as_json({}, 401), InvalidInput, "401"),
    "gone": (lambda s, q: as_json({}, 404), NotFound, "no such"),
    "a list": (lambda s, q: as_json([]), InvalidInput, "object"),
    "no features": (lambda s, q: as_json({"type": "FeatureCollection"}), InvalidInput, "no features"),
    "empty": (lambda s, q: as_json(page([])), InvalidInput, "no features"),
    "circle": (lambda s, q: as_json(page(wells(2), s.address + "/collections/wells/items?limit=10&f=json")), InvalidInput, "circle"),
    "same page for ever": (lambda s, q: as_json(page(wells(2), f"?n={len(s.asked)}")), InvalidInput, "twice"),
    "empty pages for ever": (lambda s, q: as_json(page([], f"?n={len(s.asked)}")), InvalidInput, "empty page"),
    "endless": (lambda s, q: as_json(page([(len(s.asked), 120.38, 36.06)], f"?n={len(s.asked)}")), TooLarge, "pages"),
    "counts wrongly": (lambda s, q: as_json(page(wells(2), numberMatched=3)), InvalidInput, "counts 3"),
    "next elsewhere": (lambda s, q: as_json(page(wells(2), "http://127.0.0.1:1/next")), InvalidInput, "elsewhere"),
    "next is a file": (lambda s, q: as_json(page(wells(2), "file:///etc/passwd")), InvalidInput, "elsewhere"),
    "redirect elsewhere": (lambda s, q: (302, {"Location": "http://127.0.0.1:1/"}, b""), InvalidInput, "elsewhere"),
    "redirect to a file": (lambda s, q: (302, {"Location": "file:///etc/passwd"}, b""), InvalidInput, "elsewhere"),
    "redirect for ever": (lambda s, q: (302, {"Location": "/again"}, b""), InvalidInput, "redirects"),
    "huge page": (lambda s, q: as_json(page(wells(2), padding="x" * 300_000)), TooLarge, "one page"),
    "deep": (lambda s, q: (200, {}, b"[" * 100_000), InvalidInput, "JSON"),
    "squeezed": (lambda s, q: as_json(page(wells(2)), content_encoding="gzip"), InvalidInput, "compressed"),
    "another frame midway": (
        lambda s, q: as_json(page([(len(s.asked), 120.38, 36.06)], "?n=1"), content_crs="<http://www.opengis.net/def/crs/EPSG/0/4490>" if "n" in q else "CRS84"),
        InvalidInput,
        "midway",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sources_are_refused_and_nothing_is_kept_of_them(name, tmp_path):
    answer, error, words = HOSTILE[name]
    with ExitStack() as stack:
        source = stack.enter_context(answering(lambda path, query: answer(source, query)))
        limits = replace(QUICK, page_bytes=200_000, pages=30)
        with pytest.raises(error, match=words) as refused:
            read("ogc_features", source, tmp_path, "wells", limits=limits)
        assert refused.value.remedy and len(refused.value.detail) < 500
        assert len(source.asked) < 40


def test_a_canary_elsewhere_sees_nothing(tmp_path):
    with answering(lambda path, query: as_json({})) as canary, answering(lambda path, query: (302, {"Location": canary.address}, b"")) as source:
        with pytest.raises(InvalidInput, match="elsewhere"):
            read("ogc_features", source, tmp_path, "wells", secret="reader:geheim")
        assert canary.asked == []


def test_a_failure_that_passes_is_tried_again(tmp_path):
    with ogc(wells(5)) as source:
        serve = source.answer
        source.answer = lambda path, query: as_json({}, 503) if len(source.asked) == 1 else serve(path, query)
        assert len(read("ogc_features", source, tmp_path, "wells")[1]) == 5


def test_a_silent_source_ends(tmp_path):
    with pytest.raises(Unavailable, match="does not answer"), Door("http://127.0.0.1:1/", HTTP, frozenset({"127.0.0.1:1"}), limits=QUICK) as door:
        door.read("http://127.0.0.1:1/", "*/*")


def test_the_bytes_of_a_run_are_bounded(tmp_path):
    with ogc(wells(60)) as source, pytest.raises(TooLarge, match="exceeds"):
        read("ogc_features", source, tmp_path, "wells", limits=replace(QUICK, total_bytes=5_000))


def arcgis(some, *, most=7, **more):
    def answer(path, query):
        if path == "/rest/services/wells/FeatureServer":
            return as_json({"layers": [{"id": 0, "name": "井"}, {"id": 1, "name": "组", "subLayerIds": [0]}], "spatialReference": {"wkid": 4490}})
        if path == "/rest/services/wells/FeatureServer/0":
            return as_json({"objectIdField": "OBJECTID", "maxRecordCount": most, "supportedQueryFormats": "JSON, geoJSON"})
        if query.get("returnCountOnly"):
            return as_json({"count": len(some)})
        last = int(query["where"].partition(">")[2] or 0)
        assert (query["outSR"], query["orderByFields"]) == ("4326", "OBJECTID ASC")
        found = [f for f in features(some) if f["id"] > last][: int(query["resultRecordCount"])]
        for f in found:
            f["properties"]["OBJECTID"] = f["id"]
        return as_json({"type": "FeatureCollection", "features": found, **more})

    return answer


ARC = "/rest/services/wells/FeatureServer"


def test_arcgis_by_object_ids(tmp_path):
    with answering(arcgis(wells(25))) as source:
        frame, lines = read("arcgis", source, tmp_path, "0", path=ARC)
        assert (frame, points(lines)) == ("EPSG:4326", wells(25))
        connector = connectors()["arcgis"]
        with Door(source.address + ARC, connector.schemes, frozenset({source.host}), limits=QUICK) as door:
            assert [(c.id, c.title, c.frame) for c in connector.collections(source.address + ARC, door)] == [("0", "井", "EPSG:4490")]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p, q: as_json({"error": {"code": 499, "message": "Token Required"}}), "499"),
        (arcgis(wells(3), crs={"type": "name", "properties": {"name": "EPSG:3857"}}), "outSR"),
        (lambda p, q: as_json({"type": "FeatureCollection", "features": features(wells(3))}) if "outSR" in q else arcgis(wells(9), most=3)(p, q), "do not rise"),
    ],
)
def test_arcgis_that_errs_or_ignores_what_was_asked(answer, words, tmp_path):
    with answering(answer) as source, pytest.raises(InvalidInput, match=words):
        read("arcgis", source, tmp_path, "0", path=ARC)


CAPABILITIES = """<?xml version="1.0"?><wfs:WFS_Capabilities version="{version}" xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:ows="http://www.opengis.net/ows/1.1">
<ows:OperationsMetadata><ows:Operation name="GetFeature"><ows:Parameter name="outputFormat"><ows:AllowedValues>{formats}</ows:AllowedValues></ows:Parameter></ows:Operation></ows:OperationsMetadata>
<wfs:FeatureTypeList><wfs:FeatureType><wfs:Name>qd:wells</wfs:Name><wfs:Title>井</wfs:Title><wfs:DefaultCRS>{crs}</wfs:DefaultCRS></wfs:FeatureType></wfs:FeatureTypeList></wfs:WFS_Capabilities>"""


def gml_page(some, srs, turned, matched="unknown"):
    members = "".join(
        f'<wfs:member><qd:wells gml:id="wells.{n}"><gml:boundedBy><gml:Envelope/></gml:boundedBy><qd:code>w{n}</qd:code><qd:geom><gml:Polygon srsName="{srs}"><gml:exterior><gml:LinearRing><gml:posList>'
        + " ".join(f"{b} {a}" if turned else f"{a} {b}" for a, b in ((x, y), (x + 0.0001, y), (x, y + 0.0001), (x, y)))
        + "</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></qd:geom></qd:wells></wfs:member>"
        for n, x, y in some
    )
    return as_xml(f'<wfs:FeatureCollection numberMatched="{matched}" xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:qd="urn:qd">{members}</wfs:FeatureCollection>')


def wfs(some, *, srs=None, turned=False, formats=(), crs="urn:ogc:def:crs:EPSG::4490", version="2.0.0"):
    def answer(path, query):
        if query["request"] == "GetCapabilities":
            return as_xml(CAPABILITIES.format(version=version, crs=crs, formats="".join(f"<ows:Value>{f}</ows:Value>" for f in formats)))
        start = int(query["startIndex"])
        part = some[start : start + int(query["count"])]
        if "outputFormat" in query:
            return as_json({"type": "FeatureCollection", "features": features(part), "numberMatched": len(some)})
        return gml_page(part, srs or query["srsName"], turned, len(some))

    return answer


@pytest.mark.parametrize(
    ("srs", "turned", "frame"),
    [
        (None, True, "EPSG:4490"),
        ("http://www.opengis.net/def/crs/EPSG/0/4326", True, "EPSG:4326"),
        ("EPSG:4490", False, "EPSG:4490"),
        ("http://www.opengis.net/gml/srs/epsg.xml#4326", False, "EPSG:4326"),
    ],
)
def test_wfs_gml_in_the_order_that_its_srs_name_tells(srs, turned, frame, tmp_path):
    with answering(wfs(wells(25), srs=srs, turned=turned)) as source:
        found, lines = read("wfs", source, tmp_path, "qd:wells", path="/wfs?map=a")
        assert found == frame and len(lines) == 25 and lines[24]["id"] == "wells.25"
        assert [tuple(line["geometry"]["coordinates"][0][0]) for line in lines] == [(x, y) for _, x, y in wells(25)]
        assert lines[0]["properties"] == {"code": "w1"}
        assert source.asked[-1][1]["map"] == "a" and source.asked[-1][1]["srsName"] == "urn:ogc:def:crs:EPSG::4490"


def test_wfs_geojson_where_it_is_offered(tmp_path):
    with answering(wfs(wells(25), formats=("application/gml+xml; version=3.2", "application/json"))) as source:
        frame, lines = read("wfs", source, tmp_path, "qd:wells", path="/wfs")
        assert (frame, points(lines)) == ("EPSG:4326", wells(25)) and source.asked[-1][1]["outputFormat"] == "application/json"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (wfs(wells(3), version="1.1.0"), "WFS 2.0"),
        (lambda p, q: as_xml("<html/>"), "WFS 2.0"),
        (lambda p, q: as_xml('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'), "XML"),
        (lambda p, q: as_xml("<ows:ExceptionReport xmlns:ows='u'><ows:ExceptionText>no such type</ows:ExceptionText></ows:ExceptionReport>"), "no such type"),
        (wfs(wells(3), srs="urn:ogc:def:crs:EPSG::999999"), "reference system"),
    ],
)
def test_wfs_that_is_none_or_errs(answer, words, tmp_path):
    with answering(answer) as source, pytest.raises(InvalidInput, match=words):
        read("wfs", source, tmp_path, "qd:wells", path="/wfs")


@pytest.fixture
def postgis(database_url):
    """The test's own database as a source: a table in Gauss-Krüger metres, one without a frame, an account that may only log in."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA partner")
        connection.execute("CREATE TABLE partner.wells (code text, depth int, raw bytea, geom geometry(Point, 4528))")
        for n, x, y in wells(25):
            connection.execute(
                "INSERT INTO partner.wells VALUES (%(code)s, %(n)s, 'x', ST_Transform(ST_SetSRID(ST_MakePoint(%(x)s, %(y)s), 4490), 4528))", {"code": f"w{n}", "n": n, "x": x, "y": y}
            )
        connection.execute("CREATE TABLE partner.frameless (code text, geom geometry)")
    said = conninfo.conninfo_to_dict(database_url)
    with by_tcp(database_url) as place:
        yield f"postgresql://{place}/{said['dbname']}", place, f"{said.get('user', 'postgres')}:{said.get('password', '')}"


def from_postgis(postgis, collection, tmp_path, address=None):
    own, place, account = postgis
    connector = connectors()["postgresql"]
    address = address or own
    with Door(address, connector.schemes, frozenset({place}), limits=QUICK, secret=account) as door:
        made = fetch(connector, Ask(address, collection, 10), door, tmp_path / "out.geojsonl")
    return made, [json.loads(line) for line in (tmp_path / "out.geojsonl").read_bytes().splitlines()]


def test_postgresql_in_the_frame_of_its_column(postgis, tmp_path):
    made, lines = from_postgis(postgis, "partner.wells", tmp_path)
    assert (made.frame, made.features) == ("EPSG:4528", 25)
    assert lines[0]["properties"] == {"code": "w1", "depth": 1} and 40_400_000 < lines[0]["geometry"]["coordinates"][0] < 40_600_000


def test_postgresql_lists_what_it_may_read(postgis):
    address, place, account = postgis
    connector = connectors()["postgresql"]
    with Door(address, connector.schemes, frozenset({place}), limits=QUICK, secret=account) as door:
        found = {c.id: c.frame for c in connector.collections(address, door)}
    assert found["partner.wells"] == "EPSG:4528" and found["partner.frameless"] is None


@pytest.mark.parametrize(("collection", "error"), [("partner.frameless", InvalidInput), ("partner.absent", NotFound), ('partner.wells"; DROP TABLE cases; --', NotFound)])
def test_postgresql_collections_that_are_refused(collection, error, postgis, tmp_path):
    with pytest.raises(error):
        from_postgis(postgis, collection, tmp_path)


def test_postgresql_addresses_with_more_in_them_are_refused(postgis, tmp_path):
    address = postgis[0]
    for wrong in (address + "?host=/tmp", address.replace("postgresql://", "postgresql://postgres@"), address.rpartition("/")[0] + "/a%20host=evil"):
        with pytest.raises((InvalidInput, Unavailable)):
            from_postgis(postgis, "partner.wells", tmp_path, wrong)


def test_postgresql_with_a_wrong_account_never_tells_it(postgis, tmp_path):
    address, place, _ = postgis
    with pytest.raises((Unavailable, InvalidInput)) as refused:
        from_postgis((address, place, "nobody_here:geheim"), "partner.wells", tmp_path)
    assert "geheim" not in str(refused.value.detail) + refused.value.remedy


def test_secrets_reach_server_and_worker_and_no_other_variable_does(monkeypatch):
    monkeypatch.setenv("HDQ_CONNECTOR_SECRET_WATER", "reader:geheim")
    monkeypatch.setenv("HDQ_NONSENSE", "x")
    carried = environment(Settings(connector_hosts="b.cn, A.cn:81"))
    assert carried["HDQ_CONNECTOR_SECRET_WATER"] == "reader:geheim" and "HDQ_NONSENSE" not in carried
    assert carried["HDQ_CONNECTOR_HOSTS"] == "a.cn:81,b.cn"


def test_no_secret_is_in_what_the_door_shows():
    assert "geheim" not in doors._shown("https://u:geheim@x.cn/a?token=geheim")
