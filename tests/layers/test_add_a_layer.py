"""One more file in the folder is one more layer: in the envelope, in the tiles, in the features; nothing else is touched."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import mapbox_vector_tile
import pytest
from psycopg import AsyncConnection

from grid.settings import Settings
from layers import catalog as folder

MANHOLES = '''
"""Manholes, for the test: the parcels by another name."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry
from layers.spec import Faces, Field, LayerSpec

LAYER = LayerSpec(
    id="manholes",
    title="井盖",
    title_en="Manholes",
    group="city",
    kind="mvt",
    sql="SELECT id, code, ST_Transform(geom, 3857) AS geom_3857 FROM parcels WHERE region_code LIKE %(scope)s AND geom && %(degrees)s",
    attributes=("code",),
    deck=lambda url: Layer("MVTLayer", data=String(url), id="manholes", get_fill_color=[18, 52, 86, 200]),
    legend=(LegendEntry("井盖", "Manhole", "#123456"),),
    tooltip=(Field("code", "编号", "Code"),),
    visible=Faces(review=True),
    count_from="parcels",
)
'''


async def test_one_file_adds_a_layer(
    settings: Settings,
    people: dict[str, int],
    conn: AsyncConnection,
    login: Callable[[httpx.AsyncClient, str], Awaitable[dict]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "manholes.py").write_text(MANHOLES)
    together = folder.read(folder.FOLDER, tmp_path)
    monkeypatch.setattr("gis_api.tiles.catalog", lambda: together)
    monkeypatch.setattr("gis_api.routes.layers.catalog", lambda: together)
    await conn.execute(
        "INSERT INTO parcels (code, category, area_m2, region_code, geom) VALUES ('井-1', 'public', 1, '370202001001', ST_Multi(ST_MakeEnvelope(120.38, 36.06, 120.381, 36.061, 4326)))"
    )
    await conn.commit()

    from gis_api.main import assemble

    application = assemble(settings)
    framework = application.app.framework
    async with framework.router.lifespan_context(framework), httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url="http://hdq.test", headers={"X-HDQ-Client": "1"}
    ) as client:
        await login(client, "shinan")
        row = next(row for row in (await client.get("/api/layers")).json()["layers"] if row["id"] == "manholes")
        assert row["deck"] == {"@@type": "MVTLayer", "id": "manholes", "getFillColor": [18, 52, 86, 200]}
        assert row["contract"]["count"] == 1 and row["visible"]["review"] and row["legend"][0]["label"] == "井盖"
        near = mapbox_vector_tile.decode((await client.get("/tiles/manholes/14/13670/6430.mvt")).content or b"")
        assert near["manholes"]["features"][0]["properties"] == {"code": "井-1"}
        await login(client, "laoshan")
        assert (await client.get("/tiles/manholes/14/13670/6430.mvt")).status_code == 204
