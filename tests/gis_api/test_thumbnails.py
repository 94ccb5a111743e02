"""Small pictures of layers: drawn once for what they show, of the looker's own region only, drawn anew when something changed."""

import dataclasses
import json
import re
from datetime import UTC, datetime
from types import MappingProxyType

import httpx
import numpy as np
import psycopg
import pytest
import shapely
from psycopg import AsyncConnection

from grid.database import connect
from grid.settings import Settings
from layers import thumbnails
from layers.catalog import catalog
from layers.colours import Painter

LON, LAT = 120.38, 36.067
FEW = dataclasses.replace(catalog(), layers=MappingProxyType({name: catalog().layers[name] for name in ("districts", "buildings", "cells", "alerts")}))


@pytest.fixture
def stocked(settings: Settings, people: dict[str, int]) -> Settings:
    """A dataset whose only features lie in 崂山, and one in both districts."""
    with psycopg.connect(settings.database_url) as connection:
        for name, places in (("east", ["370212"] * 6), ("both", ["370202"] * 5 + ["370212"])):
            connection.execute(
                """
                INSERT INTO datasets (id, title, geometry_type, declared_crs, source_name, source_sha256, attributes, feature_count, region_code, extent, format, crs_origin)
                VALUES (%s, %s, 'Polygon', 'EPSG:4326', 'a.geojson', 'x', %s, 6, '3702', ST_MakeEnvelope(120.3, 36.0, 120.7, 36.3, 4326), 'geojson', 'declared')
                """,
                [name, name, json.dumps([{"name": "n", "type": "integer"}])],
            )
            for number, code in enumerate(places):
                west = LON + number / 300 + (0.15 if code == "370212" else 0)
                connection.execute(
                    "INSERT INTO dataset_features (dataset_id, id, properties, label, region_code, geom) VALUES (%s, %s, '{}', '</svg>', %s, ST_MakeEnvelope(%s, %s, %s, %s, 4326))",
                    [name, number, code, west, LAT, west + 0.002, LAT + 0.002],
                )
    return settings


async def drawn(settings: Settings, now: datetime | None = None, budget_s: float = 60) -> int:
    connection = await connect(settings.database_url)
    async with connection:
        return await thumbnails.run(connection, FEW, budget_s=budget_s, now=now)


async def addresses(client: httpx.AsyncClient) -> dict[str, str]:
    """Layer -> address of its picture, of those that have one."""
    return {layer["id"]: layer["thumbnail"] for layer in (await client.get("/api/layers")).json()["layers"] if layer["thumbnail"]}


async def test_a_picture_is_drawn_kept_and_handed_out_by_its_content(app_client: httpx.AsyncClient, login, stocked: Settings):
    await login(app_client, "linye")
    assert await addresses(app_client) == {}
    day = datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert await drawn(stocked, day) >= 8
    found = await addresses(app_client)
    assert {"dataset_both", "dataset_east", "districts"} <= set(found)
    answer = await app_client.get(found["dataset_both"])
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/svg+xml" and answer.headers["cache-control"].startswith("private")
    assert len(answer.content) < 30_000 and "</svg></svg>" not in answer.text and set(re.findall(r"<(\w+)", answer.text)) == {"svg", "path"}
    again = await app_client.get(found["dataset_both"], headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304 and not again.content
    assert await drawn(stocked, day) == 0
    with psycopg.connect(stocked.database_url) as connection:
        connection.execute("UPDATE datasets SET version = version + 1 WHERE id = 'both'")
        connection.execute("UPDATE dataset_features SET geom = ST_Translate(geom, 0.003 * id, 0.001 * id) WHERE dataset_id = 'both'")
    assert await drawn(stocked, day) == 3
    assert (await addresses(app_client))["dataset_both"] != found["dataset_both"]


async def test_nobody_sees_more_than_their_region_in_a_picture(app_client: httpx.AsyncClient, login, stocked: Settings):
    await drawn(stocked)
    seen: dict[str, dict[str, str]] = {}
    for name in ("linye", "shinan", "laoshan", "wangge"):
        await login(app_client, name)
        seen[name] = await addresses(app_client)
    assert "dataset_east" in seen["laoshan"] and "dataset_east" not in seen["shinan"]
    assert len({seen[name]["dataset_both"] for name in ("linye", "shinan", "laoshan")}) == 3
    assert "districts" in seen["wangge"] and not any(layer.startswith("dataset_") for layer in seen["wangge"])
    for path in ("/api/layers/dataset_east/thumbnail", "/api/layers/dataset_both/thumbnail", "/api/layers/nothing/thumbnail"):
        assert (await app_client.get(path)).status_code == 404


async def test_what_is_gone_has_no_picture_and_what_has_no_time_waits(stocked: Settings, conn: AsyncConnection):
    assert await drawn(stocked, budget_s=-1) == 0
    await drawn(stocked)
    with psycopg.connect(stocked.database_url) as connection:
        connection.execute("DELETE FROM datasets WHERE id = 'east'")
        connection.execute("UPDATE staff SET disabled = true WHERE region_code LIKE '370212%'")
    await drawn(stocked)
    rows = await (await conn.execute("SELECT layer_id, prefix FROM layer_thumbnails")).fetchall()
    assert ("dataset_both", "3702") in rows and not any(layer == "dataset_east" or prefix == "370212" for layer, prefix in rows)


def test_a_picture_of_many_small_things_stays_small():
    rng = np.random.default_rng(7)
    xy = rng.uniform((120.1, 36.0), (120.6, 36.4), (20_000, 2))
    svg = thumbnails.draw([shapely.to_wkb(shapely.box(x, y, x + 1e-4, y + 1e-4)) for x, y in xy], [{}] * len(xy), Painter({"getFillColor": [1, 2, 3, 255]}), (), np.array([], dtype=object))
    assert svg and 3_000 < len(svg) < 30_000
    assert thumbnails.draw([], [], Painter({}), (), np.array([], dtype=object)) is None
