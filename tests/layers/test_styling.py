"""Colours by attribute: what may be drawn is drawn and shown in the legend, and nothing else gets through."""

import json
import subprocess

import pytest

from grid.database import Scope
from grid.errors import Forbidden, InvalidInput
from grid.settings import ROOT
from layers import imported, styling
from layers.deck import expressions
from layers.styling import Class, Look

ATTRIBUTES = (("类型", "text"), ("area", "number"), ("it's", "text"))
KINDS = Look("类型", "categories", (Class("公园", "公园", "#112233"), Class("广场", "广场", "#445566")))
AREAS = Look("area", "graduated", (Class(-5, "小", "#112233"), Class(10.5, "中", "#445566"), Class(1e6, "大", "#778899")))
SQUARE = "ST_SetSRID(ST_MakePoint(120.38, 36.06), 4326)"


@pytest.mark.parametrize("look", [KINDS, AREAS])
def test_a_look_is_drawn_by_the_client_as_its_legend_says(look: Look) -> None:
    row = imported.layer_row("dataset_a", "公园", "", "Polygon", ("类型", "area"), 3, None, False, "", styling.check(look, ATTRIBUTES))
    (fill, *_) = expressions(row.deck)
    assert [line.color for line in row.legend] == [each.color for each in look.classes] + ([look.other] if look is KINDS else [])
    frontend = ROOT / "frontend"
    if not (frontend / "node_modules" / "@deck.gl" / "json").is_dir():
        pytest.skip("the client's packages are not installed: npm ci in frontend")
    values = ["公园", "广场", "别的"] if look is KINDS else [-100, 10.5, 2e6]
    module = (frontend / "node_modules/@deck.gl/json/dist/helpers/parse-expression-string.js").as_uri()
    script = f"""
        import {{ parseExpressionString as parse }} from "{module}";
        console.log(JSON.stringify({json.dumps(values)}.map((value) => parse({json.dumps(fill)})({{ properties: {{ {json.dumps(look.field)}: value }} }}))));
    """
    ran = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    drawn = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b, _ in json.loads(ran.stdout)]
    assert drawn == [each.color for each in look.classes[:2]] + [look.other.lower() if look is KINDS else "#778899"]


@pytest.mark.parametrize(
    "look",
    [
        Look("没有", "categories", KINDS.classes),
        Look("it's", "categories", KINDS.classes),
        Look("类型", "categories", ()),
        Look("类型", "categories", (Class("a", "a", "red"),)),
        Look("类型", "categories", (Class("a", "a", "#11223"),)),
        Look("类型", "categories", KINDS.classes, "url(x)"),
        Look("类型", "categories", (Class("' || window.alert(1) || '", "a", "#112233"),)),
        Look("类型", "categories", (Class("a\\", "a", "#112233"),)),
        Look("类型", "categories", (Class("a" * 121, "a", "#112233"),)),
        Look("类型", "categories", (Class("a", "a", "#112233"), Class("a", "b", "#112233"))),
        Look("类型", "categories", tuple(Class(str(n), "a", "#112233") for n in range(styling.MOST + 1))),
        Look("area", "graduated", (Class(2, "a", "#112233"), Class(1, "b", "#112233"))),
        Look("area", "graduated", (Class("x", "a", "#112233"),)),
        Look("area", "graduated", (Class(float("nan"), "a", "#112233"),)),
        Look("area", "graduated", (Class(float("inf"), "a", "#112233"),)),
    ],
)
def test_what_cannot_be_drawn_or_is_not_plain_is_refused(look: Look) -> None:
    with pytest.raises(InvalidInput):
        styling.check(look, ATTRIBUTES)


@pytest.fixture
async def parks(conn):
    """A dataset of six features: three kinds, areas from 1 to 6."""
    await conn.execute(
        """INSERT INTO datasets (id, title, geometry_type, declared_crs, source_name, source_sha256, feature_count, region_code, format, crs_origin)
        VALUES ('parks', '公园', 'Point', 'EPSG:4326', 'f', '', 6, '370202', 'GeoJSON', 'file')"""
    )
    for number, kind in enumerate(("公园", "公园", "公园", "广场", "广场", "绿道"), 1):
        await conn.execute(
            f"INSERT INTO dataset_features (dataset_id, id, properties, label, region_code, geom) VALUES ('parks', %s, %s::jsonb, '', '370202', {SQUARE})",
            [number, json.dumps({"类型": kind, "area": number})],
        )
    return conn


async def test_classes_are_made_from_what_the_dataset_holds_and_saved_with_it(parks):
    look = await styling.suggest(parks, Scope("3702"), "parks", "类型", "categories")
    assert [each.value for each in look.classes] == ["公园", "广场", "绿道"]
    await styling.give(parks, Scope("3702"), "parks", ATTRIBUTES, look)
    assert await styling.looks(parks) == {"parks": look}
    numbers = await styling.suggest(parks, Scope("3702"), "parks", "area", "graduated")
    bounds = [each.value for each in numbers.classes]
    assert bounds == sorted(set(bounds)) and 3 <= len(bounds) <= 5 and bounds[0] == 1
    with pytest.raises(InvalidInput):
        await styling.suggest(parks, Scope("3702"), "parks", "类型", "graduated")
    await styling.give(parks, Scope("3702"), "parks", ATTRIBUTES, None)
    assert await styling.looks(parks) == {}


async def test_nobody_colours_what_reaches_beyond_their_region(parks):
    with pytest.raises(Forbidden):
        await styling.give(parks, Scope("370212"), "parks", ATTRIBUTES, KINDS)
