"""Map sheets: one page that says what it shows, in the frame asked for, of what its reader may see; text stays text."""

import json
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pypdfium2
import pytest

from grid.database import connect
from grid.settings import Settings
from layers import exports, sheet
from layers.catalog import catalog

LON, LAT = 120.3826, 36.0671
HOSTILE = '#read("/etc/passwd") $x^2$ *粗* \\ <b> ```'


@pytest.fixture
def stocked(settings: Settings, people: dict[str, int]) -> Settings:
    """A simulated dataset of twelve squares, two of them in 崂山, with a title and a class that look like markup."""
    style = {"field": "类", "kind": "categories", "other": "#6A7280", "classes": [{"value": "甲", "label": "#eval(\"1+1\") $a$ 甲类", "color": "#6F86AE"}, {"value": "乙", "label": "乙类", "color": "#A68B62"}]}
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(
            """
            INSERT INTO datasets (id, title, geometry_type, declared_crs, source_name, source_sha256, attributes, feature_count, region_code, extent, format, crs_origin, style, simulated, owner, licence)
            VALUES ('parks', %s, 'Polygon', 'EPSG:4326', 'a.geojson', 'abcdef0123456789', %s, 12, '3702', ST_MakeEnvelope(120.3, 36.0, 120.7, 36.3, 4326), 'geojson', 'declared', %s, true, '园林局', '内部')
            """,
            [HOSTILE, json.dumps([{"name": "类", "type": "text"}, {"name": "层数", "type": "integer"}]), json.dumps(style)],
        )
        for number in range(1, 13):
            west = LON + number / 1000
            connection.execute(
                "INSERT INTO dataset_features (dataset_id, id, properties, label, region_code, geom) VALUES ('parks', %s, %s, '', %s, ST_MakeEnvelope(%s, %s, %s, %s, 4326))",
                [number, json.dumps({"类": "甲" if number % 2 else "乙", "层数": number}), "370212" if number > 10 else "370202", west, LAT, west + 0.0006, LAT + 0.0006],
            )
    return settings


async def made(client: httpx.AsyncClient, settings: Settings, **wanted: object) -> dict:
    """Asks for a sheet, makes it as the worker does, and gives what the export says then."""
    asked = await client.post("/api/exports", json={"layer": "dataset_parks", "format": "pdf", "reason": "规划用图", **wanted})
    assert asked.status_code == 202, asked.text
    connection = await connect(settings.database_url)
    async with connection:
        await exports.make(connection, catalog(), settings.data_dir, UUID(asked.json()["id"]))
    return (await client.get(f"/api/exports/{asked.json()['id']}")).json()


async def read(client: httpx.AsyncClient, found: dict, folder: Path) -> tuple[int, str, tuple[float, float]]:
    """Pages, words and size (points) of a finished sheet."""
    assert found["state"] == "done", found
    answer = await client.get(found["file"])
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/pdf"
    document = pypdfium2.PdfDocument(answer.content)
    return len(document), document[0].get_textpage().get_text_range().replace("\r\n", "\n"), document[0].get_size()


def flat(text: str) -> str:
    return "".join(text.split())


async def test_a_sheet_is_one_page_that_says_what_it_shows(app_client: httpx.AsyncClient, login, stocked: Settings, tmp_path: Path):
    await login(app_client, "linye")
    found = await made(app_client, stocked, filter="层数 > 3", title="某区公园分布图", crs="EPSG:4528")
    pages, words, size = await read(app_client, found, tmp_path)
    text = flat(words)
    assert pages == 1 and found["row_count"] == 9 and size == pytest.approx((841.9, 595.3), abs=0.1)
    wanted = ["某区公园分布图", "图例", "乙类", "CGCS2000", "EPSG:4528", "北", "1:", "园林局", "内部使用", "模拟数据", "打印时间", "数据时间", "abcdef012345", "linye", found["id"], "层数>3", "规划用图", "第1页,共1页"]
    assert [word for word in wanted if word not in text.replace("，", ",")] == []
    assert "40535000" in text and "3993" in text
    _, _, large = await read(app_client, await made(app_client, stocked, paper="A3"), tmp_path)
    assert large == pytest.approx((1190.6, 841.9), abs=0.1)


@pytest.mark.parametrize("frame, sign", [("EPSG:4326", "120°23′"), ("EPSG:4490", "120°23′"), ("EPSG:3857", "13402")])
async def test_the_frame_stands_along_its_edge(app_client: httpx.AsyncClient, login, stocked: Settings, tmp_path: Path, frame: str, sign: str):
    await login(app_client, "linye")
    _, words, _ = await read(app_client, await made(app_client, stocked, crs=frame), tmp_path)
    assert sign in flat(words) and frame in words


async def test_text_that_looks_like_markup_stays_text(app_client: httpx.AsyncClient, login, stocked: Settings, tmp_path: Path):
    await login(app_client, "linye")
    _, words, _ = await read(app_client, await made(app_client, stocked, title=HOSTILE, reason='#import "x" $ \\'), tmp_path)
    text = flat(words)
    assert '#read("/etc/passwd")$x^2$*粗*' in text and '#eval("1+1")$a$甲类' in text and '#import"x"$' in text and "root:" not in text


async def test_a_sheet_shows_what_its_reader_may_see(app_client: httpx.AsyncClient, login, stocked: Settings, tmp_path: Path):
    await login(app_client, "laoshan")
    found = await made(app_client, stocked, filter="层数 > 0 OR TRUE")
    _, words, _ = await read(app_client, found, tmp_path)
    assert found["row_count"] == 2 and "市南" not in words
    await login(app_client, "linye")
    assert (await app_client.get(found["file"])).status_code == 404


async def test_more_than_is_drawn_is_said(app_client: httpx.AsyncClient, login, stocked: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sheet, "DRAWN_MAX", 4)
    await login(app_client, "linye")
    found = await made(app_client, stocked)
    _, words, _ = await read(app_client, found, tmp_path)
    assert found["row_count"] == 12 and "本图未绘出全部要素" in flat(words) and "Notallfeaturesaredrawn" in flat(words)
    _, words, _ = await read(app_client, await made(app_client, stocked, filter="层数 > 100"), tmp_path)
    assert "没有要素符合条件" in flat(words)


async def test_shifted_sheets_are_public_ones(app_client: httpx.AsyncClient, login, stocked: Settings, tmp_path: Path):
    await login(app_client, "linye")
    for layer in ("dataset_parks", "buildings"):
        refused = await app_client.post("/api/exports", json={"layer": layer, "format": "pdf", "crs": "GCJ-02", "reason": "宣传"})
        assert refused.status_code == 422 and "GCJ-02" in refused.json()["detail"]
    _, words, _ = await read(app_client, await made(app_client, stocked, layer="districts", crs="GCJ-02"), tmp_path)
    assert "仅供公开展示" in flat(words) and "公开PUBLIC" in flat(words)


@pytest.mark.parametrize("change", [{"paper": "A0"}, {"title": "长" * 81}])
async def test_a_sheet_that_cannot_be_is_refused(app_client: httpx.AsyncClient, login, stocked: Settings, change: dict):
    await login(app_client, "linye")
    answer = await app_client.post("/api/exports", json={"layer": "dataset_parks", "format": "pdf", "reason": "规划用图", **change})
    assert answer.status_code == 422
