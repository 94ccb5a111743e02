"""Every layer of the folder, whatever it is: its SQL runs, its deck.gl properties exist, its legend is its paint."""

import json
import re
import subprocess
from pathlib import Path

import pydeck
import pytest
from psycopg import AsyncConnection

from grid.database import Scope
from grid.settings import ROOT
from layers import catalog as folder
from layers import envelope, live, paint, tiles
from layers.catalog import catalog, read
from layers.deck import check_expression, declared, expressions, fields
from layers.spec import GROUPS, LayerSpec
from layers.style import SOURCES, THEMES, style

SPECS = list(catalog())
CITY = Scope("3702")


def _ids(spec: LayerSpec) -> str:
    return spec.id


def test_at_least_sixteen_layers_and_their_groups() -> None:
    assert sum(spec.deck is not None for spec in SPECS) >= 16
    assert {spec.group for spec in SPECS} <= {group for group, _, _ in GROUPS}


async def test_the_sql_of_each_zoom_is_one_statement_that_the_schema_answers(conn: AsyncConnection) -> None:
    for spec in SPECS:
        zooms = range(spec.min_zoom, min(spec.max_zoom, 19) + 1)
        for z in zooms if spec.id not in catalog().families else (zooms[0], zooms[-1]):
            assert ";" not in spec.sql_at(z), spec.id
            tile = tiles.Tile(z, 0, 0)
            if spec.kind == "mvt":
                await conn.execute(b"EXPLAIN " + tiles.statement(spec, z), tiles.parameters(spec, tile, CITY))
            else:
                assert (await live.features(conn, spec, CITY)).items == (), spec.id


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.deck], ids=_ids)
def test_the_declaration_is_legal_and_reads_only_what_the_sql_gives(spec: LayerSpec) -> None:
    deck = declared(spec.deck(spec.url), spec.id)
    assert deck["id"] == spec.id and "data" not in deck
    read_fields = {name for text in expressions(deck) for name in fields(text)}
    assert read_fields | {field.name for field in spec.tooltip} <= set(spec.attributes)


def _painted(deck: dict) -> set[str]:
    text = json.dumps([deck.get(key) for key in ("getFillColor", "getLineColor", "getIconColor", "getColor", "colorRange")])
    return {"#{:02X}{:02X}{:02X}".format(*tuple(int(n) for n in found)) for found in re.findall(r"\[(\d+), (\d+), (\d+)(?:, \d+)?\]", text)}


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.deck and spec.kind != "raster"], ids=_ids)
def test_the_legend_shows_the_colours_that_are_painted(spec: LayerSpec) -> None:
    deck = catalog().decks[spec.id]
    shown = {entry.color.upper() for entry in spec.legend}
    assert shown and shown <= _painted(deck)
    for text in (deck.get("getFillColor"), deck.get("getIconColor")):
        if isinstance(text, str):
            assert _painted({"getFillColor": text}) == shown


async def test_the_envelope_says_everything_once(conn: AsyncConnection) -> None:
    found = await envelope.layer_rows(conn, catalog(), CITY)
    assert len({row.id for row in found}) == len(found)
    assert all(row.deck["id"] == row.id and row.freshness.count == (None if row.id in catalog().families else 0) for row in found)
    assert envelope.revision(found) == envelope.revision(await envelope.layer_rows(conn, catalog(), Scope("370202")))


def test_the_style_draws_only_layers_that_exist_and_names_last() -> None:
    for theme in THEMES:
        document = style(theme)
        assert "glyphs" not in document and "sprite" not in document
        assert set(SOURCES) <= {spec.id for spec in SPECS if spec.kind == "mvt"}
        assert not re.search(r"https?://", json.dumps(document))
        kinds = [layer["type"] for layer in document["layers"]]
        first = kinds.index("symbol")
        assert set(kinds[first:]) == {"symbol"} and len({layer["id"] for layer in document["layers"]}) == len(kinds)
        assert document["layers"][-1]["id"] == "names-districts"
        for name, (low, high) in SOURCES.items():
            assert catalog().layers[name].min_zoom <= low and catalog().layers[name].tile_max_zoom == high


def test_property_lists_equal_the_installed_packages() -> None:
    frontend = ROOT / "frontend"
    if not (frontend / "node_modules" / "@deck.gl" / "layers").is_dir():
        pytest.skip("the client's packages are not installed: npm ci in frontend")
    script = Path(__file__).with_name("deck_props.mjs")
    found = json.loads(subprocess.run(["node", str(script), str(frontend)], capture_output=True, check=True, text=True, timeout=120).stdout)
    assert found == json.loads((ROOT / "layers" / "deck_classes.json").read_text())


def test_expressions_convert_with_the_real_library() -> None:
    frontend = ROOT / "frontend"
    if not (frontend / "node_modules" / "@deck.gl" / "json").is_dir():
        pytest.skip("the client's packages are not installed: npm ci in frontend")
    texts = sorted({text for deck in catalog().decks.values() for text in expressions(deck)})
    module = (frontend / "node_modules/@deck.gl/json/dist/helpers/parse-expression-string.js").as_uri()
    severity = paint.SEVERITY.expression(255)
    script = f"""
        import {{ parseExpressionString as parse }} from "{module}";
        for (const text of {json.dumps(texts)}) parse(text)({{ properties: {{}}, geometry: {{ coordinates: [1, 2] }} }});
        console.log(JSON.stringify([1, 2, 3, 4].map((severity) => parse({json.dumps(severity)})({{ properties: {{ severity }} }}))));
    """
    ran = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [[*paint.rgb(line.color), 255] for line in paint.SEVERITY.legend()]


@pytest.mark.parametrize(
    "text", ["Math.max(properties.a, 1)", "properties.a ?? 1", "properties.a?.b", "properties.a ** 2", "`a`", "window", "[1, 2", "properties.a(1)", "(x => x)", "1)"]
)
def test_expressions_that_the_client_cannot_convert_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expression"):
        check_expression(text)


GOOD = '''
from pydeck import Layer
from pydeck.types import String
from layers.paint import LegendEntry
from layers.spec import LayerSpec
LAYER = LayerSpec(
    id="{id}", title="井盖", title_en="Manholes", group="city", kind="mvt",
    sql="SELECT id, code, ST_Transform(geom, 3857) AS geom_3857 FROM parcels WHERE region_code LIKE %(scope)s AND geom && %(degrees)s",
    attributes=("code",), deck=lambda url: Layer("MVTLayer", data=String(url), id="{id}", {extra}), legend=(LegendEntry("井盖", "Manhole", "#123456"),),
)
'''


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("LAYER = 3", "not a LayerSpec"),
        ("import nothing_of_that_name", "cannot be imported"),
        (GOOD.format(id="Bad Id", extra=""), "lower case"),
        (GOOD.format(id="manholes", extra="get_fill_colour=[1, 2, 3]"), "getFillColour"),
        (GOOD.format(id="manholes", extra='line_width_units="pixels"'), "String"),
        (GOOD.format(id="manholes", extra='get_fill_color="properties.nothing"'), "nothing"),
        (GOOD.format(id="manholes", extra="").replace("region_code LIKE %(scope)s AND", ""), "scope"),
        (GOOD.format(id="manholes", extra="").replace('id="manholes", {', "{").replace('data=String(url), id="manholes"', "data=String(url)"), "give it id"),
        (GOOD.format(id="districts", extra=""), "exists already"),
    ],
)
def test_a_bad_file_stops_the_start_with_its_name(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "manholes.py").write_text(text)
    with pytest.raises((TypeError, ValueError, ImportError), match=says) as error:
        read(folder.FOLDER, tmp_path)
    assert "manholes.py" in str(error.value)


def test_a_bare_string_becomes_an_expression_in_pydeck() -> None:
    layer = pydeck.Layer("MVTLayer", data="x", id="a", line_width_units="pixels")
    with pytest.raises(ValueError, match="pydeck.types.String"):
        declared(layer, "a")


def test_severity_has_the_four_colours_and_shapes_of_the_design() -> None:
    assert [(line.label, line.color, line.shape) for line in paint.SEVERITY.legend()] == [
        ("特急", "#E5484D", "diamond"),
        ("紧急", "#F76B15", "triangle"),
        ("一般", "#FFB224", "circle"),
        ("提示", "#7C8DA5", "ring"),
    ]
