"""CQL2: the two encodings give one tree, only the allow-list reaches SQL, hostile filters are refused fast, and rows agree with a reference evaluator."""

import json
import time

import pytest
from psycopg import sql

from benchmarks import cql2 as bench
from grid.errors import InvalidQuery
from layers.cql2 import Column, envelope, read, where

COLUMNS = {
    column.name: column
    for column in (
        Column("name", "text", sql.Identifier("name")),
        Column("storeys", "integer", sql.Identifier("storeys")),
        Column("height", "real", sql.Identifier("height")),
        Column("seen_at", "timestamp", sql.Identifier("seen_at")),
        Column("document", "json", sql.Identifier("document")),
        Column("geometry", "geometry", sql.Identifier("geom")),
    )
}
PAIRS = {
    "name = '青岛' AND storeys >= 3": {"op": "and", "args": [{"op": "=", "args": [{"property": "name"}, "青岛"]}, {"op": ">=", "args": [{"property": "storeys"}, 3]}]},
    "storeys NOT IN (1, 2)": {"op": "not", "args": [{"op": "in", "args": [{"property": "storeys"}, [1, 2]]}]},
    "\"name\" IS NOT NULL": {"op": "not", "args": [{"op": "isNull", "args": [{"property": "name"}]}]},
    "CASEI(name) LIKE casei('A%')": {"op": "like", "args": [{"op": "casei", "args": [{"property": "name"}]}, {"op": "casei", "args": ["A%"]}]},
    "S_WITHIN(geometry, BBOX(120,36,121,37))": {"op": "s_within", "args": [{"property": "geometry"}, {"bbox": [120, 36, 121, 37]}]},
    "s_intersects(geometry, POINT (120.5 36.5))": {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Point", "coordinates": [120.5, 36.5]}]},
    "T_AFTER(seen_at, DATE('2026-01-01'))": {"op": "t_after", "args": [{"property": "seen_at"}, {"date": "2026-01-01"}]},
    "T_DURING(seen_at, INTERVAL('2026-01-01', '..'))": {"op": "t_during", "args": [{"property": "seen_at"}, {"interval": ["2026-01-01", ".."]}]},
    "height BETWEEN -1.5 AND storeys * 3 + 2": {
        "op": "between", "args": [{"property": "height"}, -1.5, {"op": "+", "args": [{"op": "*", "args": [{"property": "storeys"}, 3]}, 2]}],
    },
}  # fmt: skip


@pytest.mark.parametrize("text", PAIRS)
def test_text_and_json_are_one_tree(text: str):
    assert read(text) == read(json.dumps(PAIRS[text]), "cql2-json")


@pytest.mark.parametrize("crs, written", [("CRS84", "120.3,36,120.4,36.1"), ("EPSG:4490", "36,120.3,36.1,120.4"), ("EPSG:4326", "36,120.3,36.1,120.4")])
def test_geometries_stand_in_the_axis_order_of_their_frame(crs: str, written: str):
    west, south, east, north = read(f"S_INTERSECTS(geometry, BBOX({written}))", crs=crs).args[1].geometry.bounds
    assert (west, south, east, north) == pytest.approx((120.3, 36, 120.4, 36.1))


def test_metres_of_the_zone_are_northing_first():
    west, south, _, _ = read("S_INTERSECTS(geometry, BBOX(3993055.81,40534467.46,3994055.81,40535467.46))", crs="EPSG:4528").args[1].geometry.bounds
    assert (west, south) == pytest.approx((120.3826, 36.0671), abs=1e-3)


HOSTILE = {
    "a function of the server": "pg_sleep(10) = 1",
    "a file": "pg_read_file('/etc/passwd') LIKE 'r%'",
    "a function of PostGIS": "ST_Buffer(geometry, 1e9) IS NULL",
    "a quote that ends nothing": "name = ''; DROP TABLE staff; --'",
    "an identifier that is none": "\"name\"\" OR 1=1 --\" = 'x'",
    "a column that is not offered": "region_code = '3702'",
    "open parentheses": "(" * 16_000,
    "deep parentheses": "(" * 5_000 + "storeys = 1" + ")" * 5_000,
    "wrong deep parentheses": "(" * 60 + "storeys ! 1" + ")" * 60,
    "a chain of NOT": "NOT " * 4_000 + "storeys = 1",
    "a chain of minus": "storeys = " + "-" * 15_000 + "1 x",
    "a chain of plus": "storeys" + " + storeys" * 1_500 + " = 1",
    "a long list": f"storeys IN ({','.join(['1'] * 8_000)})",
    "many ORs": " OR ".join(["storeys = 1"] * 1_100),
    "too long": "name = '" + "x" * 20_000 + "'",
    "nested doubling": "(" * 40 + "storeys = 1" + " BETWEEN TRUE AND TRUE)" * 70,
    "many vertices": f"S_INTERSECTS(geometry, MULTIPOINT({','.join(['0 0'] * 5_001)[:16_000]}",
    "nested collections": "S_INTERSECTS(geometry, " + "GEOMETRYCOLLECTION(" * 800 + ")" * 800,
    "a bow tie": "S_INTERSECTS(geometry, POLYGON((0 0,1 1,1 0,0 1,0 0)))",
    "swapped axes": "S_INTERSECTS(geometry, BBOX(36,120,36.1,120.1))",
    "metres as degrees": "S_INTERSECTS(geometry, BBOX(1000000,1000000,2000000,2000000))",
    "not a number": "S_INTERSECTS(geometry, POINT(nan 36))",
    "beyond numbers": "storeys = 1e999",
    "a text against a number": "storeys = 'three'",
    "an order of documents": "document > 'x'",
    "a pattern of wildcards": "name LIKE '%a%a%a%a%a%a%a%a%a%'",
    "a pattern that ends open": "name LIKE 'a\\'",
    "a pattern from a column": "name LIKE name",
    "a moment without zone": "seen_at > TIMESTAMP('2026-01-01T00:00:00')",
    "a day that is none": "seen_at > DATE('2026-02-30')",
    "no condition": "storeys + 1",
    "nothing": "",
    "a NUL": "name = 'a\x00b'",
}
HOSTILE_JSON = {
    "not JSON": "{",
    "deep lists": "[" * 16_000,
    "deep operations": '{"op":"not","args":[' * 700 + "true" + "]}" * 700,
    "a function": '{"op":"=","args":[{"op":"pg_sleep","args":[10]},1]}',
    "the old form of a function": '{"op":"=","args":[{"function":{"name":"pg_sleep","args":[1]}},1]}',
    "NaN": '{"op":"=","args":[{"property":"storeys"},NaN]}',
    "digits without end": '{"op":"=","args":[{"property":"storeys"},' + "9" * 10_000 + "]}",
    "texts as coordinates": '{"op":"s_intersects","args":[{"property":"geometry"},{"type":"Point","coordinates":["a","b"]}]}',
    "half a pair": '{"op":"=","args":[{"property":"name"},"\\ud800"]}',
    "a nested collection": '{"op":"s_intersects","args":[{"property":"geometry"},{"type":"GeometryCollection","geometries":[{"type":"GeometryCollection","geometries":[]}]}]}',
    "no op": '{"args":[1,2]}',
}


def refused_in_ms(text: str, lang: str) -> float:
    began = time.thread_time()
    with pytest.raises(InvalidQuery) as caught:
        where(read(text, lang), COLUMNS)
    assert caught.value.detail and caught.value.remedy
    return (time.thread_time() - began) * 1000


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_texts_are_refused_at_once(what: str):
    assert min(refused_in_ms(HOSTILE[what], "cql2-text") for _ in range(3)) < 50


@pytest.mark.parametrize("what", HOSTILE_JSON)
def test_hostile_documents_are_refused_at_once(what: str):
    assert min(refused_in_ms(HOSTILE_JSON[what], "cql2-json") for _ in range(3)) < 50


def test_what_is_nested_is_written_once():
    nested = "storeys IN (1, 2)"
    for _ in range(30):
        nested = f"({nested}) IN (TRUE, FALSE)"
    assert len(where(read(nested), COLUMNS).sql.as_string(None)) < 10_000


def test_no_value_stands_in_the_sql():
    found = where(read("name = 'it''s; DROP' AND S_INTERSECTS(geometry, POINT(1 2)) AND seen_at > '2026-01-01T00:00:00Z' AND storeys IN (7, 8)"), COLUMNS)
    text = found.sql.as_string(None)
    assert "DROP" not in text and "2026" not in text and "7" not in text
    assert "it's; DROP" in found.parameters.values()


def test_the_box_of_a_filter_is_known_only_where_all_must_lie_in_it():
    inside = "S_INTERSECTS(geometry, BBOX(120,36,121,37))"
    assert envelope(read(f"{inside} AND storeys = 1")).bounds == pytest.approx((120, 36, 121, 37), abs=1e-5)
    assert envelope(read(f"{inside} OR storeys = 1")) is None
    assert envelope(read(f"NOT {inside}")) is None
    assert envelope(read("S_DISJOINT(geometry, BBOX(120,36,121,37))")) is None


async def test_rows_agree_with_the_reference(conn):
    found = await bench.compare(conn, filters=600, seed=7)
    assert found.disagree == () and found.filters == 600 and found.selective > 100


def test_of_two_boxes_the_smaller_is_asked_not_what_they_share():
    found = envelope(read("S_INTERSECTS(geometry, BBOX(120,36,120.1,36.1)) AND S_INTERSECTS(geometry, BBOX(120.5,36,121,37))"))
    assert found.bounds == pytest.approx((120, 36, 120.1, 36.1), abs=1e-5)
