"""Tables with addresses and no coordinates: placed at the building they name, or refused by row with a reason and what it may be; never silently elsewhere."""

import pytest
import shapely

from grid.database import Scope
from grid.errors import InvalidInput
from layers import datasets, geocoding, search
from layers.datasets import About
from layers.quarantine import Held
from layers.readers import Options

CITY = Scope("3702")
HOUSES = (
    ("香港中路12号", "370202001", 0.0),
    ("香港东路7号", "370202001", 1.0),
    ("海尔路1号", "370212", 2.0),
    ("延安一路5号", "370202001", 3.0),
    ("延安二路5号", "370202001", 4.0),
    ("中山路8号", "370202001", 5.0),
    ("中山路8号", "370212", 6.0),
    ("宁国路3号甲", "370202001", 7.0),
    ("宁国路3号乙", "370202001", 7.4),
    ("太平路20号", "370202001", 8.0),
    ("太平路20号", "370202001", 9.0),
    ("山东路6号", "370202001", 10.0),
)


@pytest.fixture
async def houses(conn):
    """Two districts and houses a kilometre apart, of which two streets share a number and one number has two houses far apart."""
    box = shapely.set_srid(shapely.MultiPolygon([shapely.box(120.30, 36.04, 120.60, 36.10)]), 4326)
    for code, level, name, parent in (("3702", 1, "青岛市", None), ("370202", 2, "市南区", "3702"), ("370212", 2, "崂山区", "3702"), ("370202001", 3, "香港中路街道", "370202")):
        await conn.execute("INSERT INTO regions (code, level, name, parent_code, geom) VALUES (%s, %s, %s, %s, %s)", [code, level, name, parent, box])
    for i, (address, region, at) in enumerate(HOUSES, 1):
        geom = shapely.set_srid(shapely.box(120.38 + at / 100, 36.06, 120.3803 + at / 100, 36.0602), 4326)
        await conn.execute("INSERT INTO buildings (id, name, address, use, height_m, floors, region_code, geom) VALUES (%s, '', %s, 'office', 20, 6, %s, %s)", [i, address, region, geom])
    await search.rebuild(conn)
    return conn


async def place(conn, *texts):
    return await (await geocoding.Geocoder.open(conn, CITY)).place(conn, list(texts))


@pytest.mark.parametrize(
    ("text", "match", "address"),
    [
        ("香港中路12号", "exact", "市南区香港中路12号"),
        ("山东省青岛市市南区香港中路１２號", "exact", "市南区香港中路12号"),
        ("市南 香港中路街道 香港中路 12#", "exact", "市南区香港中路12号"),
        ("香港中路十二号", "exact", "市南区香港中路12号"),
        ("香港中路12号（世贸中心）", "exact", "市南区香港中路12号"),
        ("香港中路12号3单元502室", "house", "市南区香港中路12号"),
        ("香港中路12号丰合广场", "house", "市南区香港中路12号"),
        ("香刚中路12号", "alike", "市南区香港中路12号"),
        ("海尔路1号", "exact", "崂山区海尔路1号"),
        ("崂山中山路8号", "exact", "崂山区中山路8号"),
        ("青岛市崂山区中山路8", "exact", "崂山区中山路8号"),
    ],
)
async def test_an_address_that_is_one_is_placed(houses, text, match, address):
    (found,) = await place(houses, text)
    assert (found.fault, found.match, found.address) == (None, match, address)
    assert 10 < found.accuracy_m < 40
    at = next(a for (name, region, a) in HOUSES if address.endswith(name) and (region[:6] == "370212") == address.startswith("崂山"))
    assert 120.38 + at / 100 < found.lon < 120.3803 + at / 100 and 36.06 < found.lat < 36.0602


@pytest.mark.parametrize(
    ("text", "reason", "perhaps"),
    [
        ("中山路8号", "地址不唯一", "崂山区中山路8号"),
        ("崂山区香港中路12号", "所写的区划内没有", "市南区香港中路12号"),
        ("宁国路3号", "没有这个门牌", "宁国路3号甲"),
        ("太平路20号", "2 栋建筑同为", None),
        ("香港中路121号", "没有这个门牌", None),
        ("香港中路1号", "没有这个门牌", "香港中路12号"),
        ("香港西路7号", "没有这条路", None),
        ("山西路6号", "没有这条路", None),
        ("延安路5号", "没有这条路", "延安一路"),
        ("香港中路12号旁", "没有这个门牌", "香港中路12号"),
        ("五四广场", "没有门牌号", None),
        ("  ", "地址为空", None),
    ],
)
async def test_what_is_ambiguous_or_unknown_is_refused_with_what_it_may_be(houses, text, reason, perhaps):
    (found,) = await place(houses, text)
    assert found.lon != found.lon and found.match is None, found
    assert reason in found.fault and (perhaps is None or perhaps in found.fault), found.fault


async def test_a_table_of_addresses_becomes_a_layer_with_its_bad_rows(houses, tmp_path, settings):
    file = tmp_path / "店.csv"
    file.write_text("店名,电话,详细地址\n甲,0532,香港中路12号\n乙,0533,香港中路九百号\n丙,0534,海尔路1号2单元\n", encoding="gb18030")
    made = await datasets.import_file(houses, settings.data_dir, file, "店.csv", About("店"), Options(crs="GCJ-02"), scope=CITY)
    assert not isinstance(made, Held)
    assert (made.feature_count, made.declared_crs, made.crs_origin, [r.row for r in made.rejected]) == (2, "EPSG:4326", "format", [2])
    assert "没有这个门牌" in made.rejected[0].reason
    cursor = await houses.execute("SELECT properties, ST_X(geom) FROM dataset_features WHERE dataset_id = %s ORDER BY id", [made.id])
    (first, lon), (second, _) = await cursor.fetchall()
    assert first == {"店名": "甲", "电话": "0532", "详细地址": "香港中路12号", "geocode_match": "exact", "geocode_address": "市南区香港中路12号", "geocode_accuracy_m": first["geocode_accuracy_m"]}
    assert second["geocode_match"] == "house" and 120.38 < lon < 120.3803
    assert not list(tmp_path.glob("hdq-places-*"))


async def test_coordinates_go_before_addresses_unless_the_column_is_declared(houses, tmp_path, settings):
    file = tmp_path / "a.csv"
    file.write_text("地址,lon,lat\n海尔路1号,120.5,36.05\n", encoding="utf-8")
    plain = await geocoding.placed(houses, CITY, file, "a.csv", Options())
    assert plain == Options()
    made = await datasets.import_file(houses, settings.data_dir, file, "a.csv", About("声明"), Options(address="地址"), scope=CITY)
    cursor = await houses.execute("SELECT ST_X(geom) FROM dataset_features WHERE dataset_id = %s", [made.id])
    assert (await cursor.fetchone())[0] == pytest.approx(120.40015)
    with pytest.raises(InvalidInput, match="没有地址列"):
        await geocoding.placed(houses, CITY, file, "a.csv", Options(address="where"))


async def test_without_an_index_nothing_is_guessed(conn, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("地址\n海尔路1号\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="地址库为空"):
        await geocoding.placed(conn, CITY, file, "a.csv", Options())
