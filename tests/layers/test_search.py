"""Names found as people type them, inside their region only."""

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.database import Scope, point
from grid.errors import InvalidInput
from layers import names as spoken
from layers import search
from layers.catalog import catalog

CITY = Scope("3702")


@pytest.fixture
async def names(conn):
    """The connection, with regions, a camera, buildings of one address, a road and a forest zone, indexed."""
    box = shapely.set_srid(shapely.MultiPolygon([shapely.box(120.30, 36.04, 120.44, 36.10)]), 4326)
    for code, level, name, parent in (("3702", 1, "青岛市", None), ("370202", 2, "市南区", "3702"), ("370212", 2, "崂山区", "3702"), ("370202001", 3, "香港中路街道", "370202")):
        await conn.execute("INSERT INTO regions (code, level, name, parent_code, geom) VALUES (%s, %s, %s, %s, %s)", [code, level, name, parent, box])
    await conn.execute(
        """
        INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, region_code, geom)
        VALUES ('37020200001310000001', '五四广场高点', 'tower', 0, -5, 60, 3000, '370202001', %s)
        """,
        [point(120.3826, 36.0631)],
    )
    for i, (name, address, region) in enumerate((("", "香港中路12号", "370202001"), ("", "香港中路12号", "370202001"), ("世贸大厦", "香港中路9号", "370202001"), ("", "海尔路1号", "370212"))):
        geom = shapely.set_srid(shapely.box(120.38 + i / 1000, 36.06, 120.3805 + i / 1000, 36.0605), 4326)
        await conn.execute(
            "INSERT INTO buildings (id, name, address, use, height_m, floors, region_code, geom) VALUES (%s, %s, %s, 'office', 20, 6, %s, %s)",
            [i + 1, name, address, region, geom],
        )
    for name, region in (("香港中路", "370202001"), ("香港中路", "370202001"), ("100%_路", "370202")):
        line = shapely.set_srid(shapely.LineString([(120.36, 36.06), (120.40, 36.065)]), 4326)
        await conn.execute("INSERT INTO roads (name, class, speed_kmh, length_m, region_code, geom) VALUES (%s, 'primary', 50, 3600, %s, %s)", [name, region, line])
    await conn.execute(
        "INSERT INTO forest_zones (code, name, class, area_ha, region_code, geom) VALUES ('LB0101', '北九水林班', 'scenic', 30, '370212', %s)",
        [shapely.set_srid(shapely.MultiPolygon([shapely.box(120.58, 36.24, 120.6, 36.26)]), 4326)],
    )
    await search.rebuild(conn)
    return conn


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("市南", ("region", "370202")),
        ("snq", ("region", "370202")),
        ("shinanqu", ("region", "370202")),
        ("SHINAN", ("region", "370202")),
        ("370202", ("region", "370202")),
        ("香港中路", ("road", "香港中路/370202")),
        ("香港中路街", ("region", "370202001")),
        ("xgzl12h", ("building", "1")),
        ("12号", ("building", "1")),
        ("世贸", ("building", "3")),
        ("五四", ("camera", None)),
        ("37020200001310000001", ("camera", None)),
        ("bjs", ("forest_zone", "LB0101")),
        ("lb0101", None),
        ("　市南　", ("region", "370202")),
        ("100%_", ("road", "100%_路/370202")),
        ("香港中路12", ("building", "1")),
        ("香港中路9号", ("building", "3")),
        ("市南区香港中路12号", ("building", "1")),
        ("青岛市市南区香港中路十二号", ("building", "1")),
        ("市南 香港中路 12号", ("building", "1")),
        ("snq xgzl12", ("building", "1")),
        ("xianggangzl12hao", ("building", "1")),
        ("xianggangzl", ("road", "香港中路/370202")),
        ("香岗中路", ("road", "香港中路/370202")),
        ("xiangangzhonglu", ("road", "香港中路/370202")),
        ("香岗中路12号", ("building", "1")),
    ],
)
async def test_what_people_type_finds_what_they_mean(names, word, first):
    hits = await search.find(names, CITY, word)
    if first is None:
        assert [h.kind for h in hits] in ([], ["forest_zone"])
        return
    kind, ref = first
    assert hits and hits[0].kind == kind and ref in (None, hits[0].ref)
    assert 120.2 < hits[0].lon < 120.7 and 36.0 < hits[0].lat < 36.3 and 9 <= hits[0].zoom <= 18


async def test_an_address_of_another_district_is_not_meant(names):
    assert [h.ref for h in await search.find(names, CITY, "崂山区海尔路1号")] == ["4"]
    assert not [h for h in await search.find(names, CITY, "市南区海尔路1号") if h.detail == "市南区"]


@pytest.mark.parametrize("word", ["摄像机", "shexiangji", "sxj", "Cameras"])
async def test_layers_are_found_with_the_catalogue_and_have_no_place(names, word):
    hits = await search.find(names, CITY, word, catalog=catalog())
    assert [(h.kind, h.ref, h.lon) for h in hits][0] == ("layer", "cameras", None)
    assert not [h for h in await search.find(names, CITY, word) if h.kind == "layer"]


async def test_the_index_knows_when_a_register_was_written_after_it(names):
    assert not await search.stale(names)
    await names.execute("UPDATE roads SET name = '宁夏路' WHERE name = '香港中路'")
    assert await search.stale(names)
    await search.rebuild(names)
    assert not await search.stale(names) and (await search.find(names, CITY, "nxl"))[0].name == "宁夏路"


async def test_addresses_and_roads_appear_once(names):
    hits = await search.find(names, CITY, "香港中路", limit=50)
    assert len({(h.kind, h.name) for h in hits}) == len(hits)
    assert [h.detail for h in hits if h.kind == "building" and h.name == "世贸大厦"] == []


@pytest.mark.parametrize("scope", [Scope(""), Scope("370281"), Scope("%")])
async def test_nothing_is_found_outside_the_scope(names, scope):
    assert await search.find(names, scope, "市南") == []


async def test_a_district_finds_only_its_own(names):
    assert [h.ref for h in await search.find(names, Scope("370212"), "崂山")] == ["370212"]
    assert await search.find(names, Scope("370212"), "市南") == []
    assert await search.find(names, Scope("370212"), "香港中路") == []


@pytest.mark.parametrize("word", ["", "   ", "　", "\x00"])
async def test_nothing_finds_nothing(names, word):
    assert await search.find(names, CITY, word) == []


async def test_long_words_are_refused_and_wildcards_are_letters(names):
    with pytest.raises(InvalidInput):
        await search.find(names, CITY, "青" * 65)
    for word in ("%", "_", "\\", "%%", "'; DROP TABLE search_names; --"):
        assert all(word in h.name for h in await search.find(names, CITY, word))


async def test_rebuilding_twice_is_the_same(names):
    assert await search.rebuild(names) == await search.rebuild(names)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=40))
def test_sounds_never_fail_and_are_plain(text):
    sound = spoken.sounds(text)
    assert all(c in " |" or (c.isascii() and c.isalnum()) for c in sound)
    for way in filter(None, sound.split("|")):
        assert spoken.how(way.replace(" ", ""), sound) == 3
        assert all(len(start) <= 4 for start in spoken.beginnings(text))
