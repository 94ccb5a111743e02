"""The catalogue's families: three hundred layers over the demo city, each with rows of its own, none another one under a second name."""

import os
import re
from collections import Counter

import psycopg
import pytest

from grid.database import Scope
from layers import sources
from layers.catalog import catalog
from layers.tiles import Tile, ewkb, parameters

SPECS = [spec for spec in catalog() if spec.deck is not None]
WANTED = 300


def test_no_two_layers_share_a_title_or_a_question() -> None:
    for texts in ([s.title for s in SPECS], [s.title_en for s in SPECS], [(s.deck(s.url).type, *(re.sub(r"\s+", " ", t) for t in s.statements), str(s.legend)) for s in SPECS]):
        assert [text for text, count in Counter(texts).items() if count > 1] == []


def test_there_are_more_than_three_hundred_and_most_came_in_families() -> None:
    assert len(SPECS) >= WANTED and len(catalog().families) >= 0.9 * WANTED
    assert all(spec.legend and spec.tooltip for spec in SPECS if spec.id in catalog().families)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_family_layer_has_rows_of_its_own_in_the_demo_city() -> None:
    url = os.environ.get("HDQ_TEST_CITY_URL")
    if not url:
        pytest.skip("no demo city: HDQ_TEST_CITY_URL names the database of one, with its figures made (job area_figures)")
    world = {"wide": ewkb((-20037508, -20037508, 20037508, 20037508), 3857), "degrees": ewkb((-180, -90, 180, 90), 4326)}
    digests: dict[tuple, list[str]] = {}
    empty = []
    with psycopg.connect(url) as connection:
        for spec in SPECS:
            if spec.kind == "raster":
                continue
            shown = "value" if "value" in spec.attributes else "''"
            query = f"SELECT count(*), md5(string_agg(id::text || ':' || coalesce({shown}::text, ''), ',' ORDER BY id)) FROM ({spec.sql_at(spec.max_zoom)}) AS source"
            count, digest = connection.execute(query, parameters(spec, Tile(spec.max_zoom, 0, 0), Scope("3702")) | world | {"z": spec.max_zoom}).fetchone()
            if count:
                drawn = re.search(r"(?:ST_Transform\()?([a-z_.0-9]+)(?:, 3857\))?\s*(?:AS geom_3857)?\s+FROM", spec.sql_at(spec.max_zoom))
                digests.setdefault((sources.of(spec)[0], drawn and drawn[1], digest), []).append(spec.id)
            elif not spec.live or spec.id.startswith("figure_"):
                empty.append(spec.id)
    shared = [names for names in digests.values() if len(set(names) & catalog().families) > 1]
    assert (empty, shared) == ([], [])
    assert len(digests) >= WANTED
