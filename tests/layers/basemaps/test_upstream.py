"""Base maps of others, against a fake 天地图: asked once, checked, kept, and never a word of the key."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from grid.errors import InvalidInput, NotFound, UpstreamFailed
from grid.settings import Settings
from layers.basemaps import pictures
from layers.basemaps.declared import declared, tianditu
from layers.basemaps.kept import Shelf
from layers.basemaps.upstream import FAILURES_MAX, Upstream
from tests.layers.basemaps.fake import Fake, capabilities, matrix_set, picture, serving

KEY = "canary-1f3a9c"
GOOGLE = {f"L{level:02}": 559082264.0287178 / 2**level for level in range(19)}


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serving() as running:
        yield running


@pytest.fixture
async def upstream(fake: Fake, tmp_path: Path) -> AsyncIterator[Upstream]:
    known = {each.id: each for each in tianditu(SecretStr(KEY), fake.url, "GS(2026)0000号")}
    made = Upstream(known, Shelf(tmp_path / "kept", 50 << 20), fresh_s=3600, patience_s=0.6)
    yield made
    await made.close()


def wmts(fake: Fake, tmp_path: Path, **more: object) -> Upstream:
    file = tmp_path / "basemaps.json"
    entry = {"id": "ortho", "title": "正射", "title_en": "Ortho", "kind": "wmts", "address": f"{fake.url}/wmts", "layer": "ortho", "key": KEY, **more}
    file.write_text(json.dumps({"basemap": [entry]}))
    return Upstream(declared(Settings(data_dir=tmp_path, basemaps=file)), Shelf(tmp_path / "kept", 50 << 20), fresh_s=3600, patience_s=2)


async def test_a_tile_is_asked_for_once_by_its_own_level_with_the_key(upstream: Upstream, fake: Fake):
    first = await upstream.tile("tianditu-vec", 12, 3411, 1611)
    again = await upstream.tile("tianditu-vec", 12, 3411, 1611)
    assert first.content == again.content == picture("vec 12/3411/1611") and first.media_type == "image/png"
    (asked,) = fake.tiles()
    assert {name: asked[name] for name in ("LAYER", "TILEMATRIXSET", "TILEMATRIX", "TILECOL", "TILEROW", "TK")} == {
        "LAYER": "vec", "TILEMATRIXSET": "w", "TILEMATRIX": "12", "TILECOL": "3411", "TILEROW": "1611", "TK": KEY,
    }  # fmt: skip


async def test_many_at_once_are_one_question(upstream: Upstream, fake: Fake):
    fake.delay_s = 0.1
    found = await asyncio.gather(*(upstream.tile("tianditu-img", 9, 426, 201) for _ in range(30)))
    assert len({tile.etag for tile in found}) == 1 and len(fake.asked) == 1


@pytest.mark.parametrize("z, x, y", [(0, 0, 0), (19, 0, 0), (3, 8, 0), (3, 0, -1), (-1, 0, 0), (5, 1 << 40, 0)])
async def test_levels_start_at_one_and_nothing_outside_is_asked_for(upstream: Upstream, fake: Fake, z: int, x: int, y: int):
    with pytest.raises(NotFound):
        await upstream.tile("tianditu-vec", z, x, y)
    assert fake.asked == []


@pytest.mark.parametrize("mood", ["html", "cut", "damaged", "large", "refused", "moved"])
async def test_what_is_no_whole_picture_is_neither_passed_on_nor_kept(upstream: Upstream, fake: Fake, tmp_path: Path, mood: str):
    fake.mood = mood
    with capture_logs() as logs, pytest.raises(UpstreamFailed) as refused:
        await upstream.tile("tianditu-vec", 5, 3, 4)
    said = f"{refused.value} {refused.value.remedy} {refused.value.extra} {logs} {upstream.problem('tianditu-vec')} {refused.value.__cause__!r}"
    assert KEY not in said and "wmts" not in said and logs
    assert [path for path in (tmp_path / "kept").rglob("*") if path.is_file()] == []
    with pytest.raises(UpstreamFailed):
        await upstream.tile("tianditu-vec", 5, 3, 4)
    assert len(fake.asked) == 1, "a failure is remembered, and a redirection is not followed"


async def test_the_type_is_that_of_the_bytes(upstream: Upstream, fake: Fake):
    fake.mood = "jpeg"
    assert (await upstream.tile("tianditu-img", 5, 3, 4)).media_type == "image/jpeg"


async def test_nothing_there_is_no_failure_and_asked_once(upstream: Upstream, fake: Fake):
    fake.mood = "absent"
    for _ in range(2):
        assert (await upstream.tile("tianditu-vec", 5, 3, 4)).content == b""
    assert len(fake.asked) == 1 and upstream.problem("tianditu-vec") is None


async def test_a_slow_source_is_left_after_the_patience_and_rests_after_some_failures(upstream: Upstream, fake: Fake):
    fake.delay_s = 1.5
    begun = time.monotonic()
    failed = await asyncio.gather(*(upstream.tile("tianditu-vec", 9, x, 4) for x in range(FAILURES_MAX)), return_exceptions=True)
    assert time.monotonic() - begun < 1.4 and {type(each) for each in failed} == {UpstreamFailed}
    asked, begun = len(fake.asked), time.monotonic()
    with pytest.raises(UpstreamFailed, match="resting"):
        await upstream.tile("tianditu-vec", 9, 100, 4)
    assert time.monotonic() - begun < 0.2 and len(fake.asked) == asked


async def test_an_old_tile_is_better_than_none(upstream: Upstream, fake: Fake, tmp_path: Path):
    fresh = await upstream.tile("tianditu-vec", 5, 3, 4)
    (kept,) = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    os.utime(kept, (time.time(), time.time() - 7200))
    fake.mood = "refused"
    stale = await upstream.tile("tianditu-vec", 5, 3, 4)
    assert stale.stale and stale.content == fresh.content
    kept.write_bytes(kept.read_bytes()[:-9])
    with pytest.raises(UpstreamFailed):
        await upstream.tile("tianditu-vec", 5, 3, 4)


def test_the_shelf_forgets_the_least_used_first(tmp_path: Path):
    shelf = Shelf(tmp_path, 10_000)
    for x in range(9):
        shelf.put("a", 3, x, 0, bytes(1000))
        os.utime(tmp_path / "a" / "3" / f"{x}_0", (1_000_000 + x, time.time()))
    assert shelf.get("a", 3, 0, 0) is not None
    shelf.put("a", 4, 0, 0, bytes(1500))
    kept = {path.name for path in tmp_path.rglob("*_0")}
    assert "0_0" in kept and "1_0" not in kept and sum(path.stat().st_size for path in tmp_path.rglob("*_0")) <= 8_000
    shelf.put("a", 5, 0, 0, bytes(20_000))
    assert shelf.get("a", 5, 0, 0) is None


async def test_capabilities_lead_to_levels_by_their_numbers_not_their_names(fake: Fake, tmp_path: Path):
    degrees = matrix_set("setGeo", "urn:ogc:def:crs:EPSG::4490", {"1": 2.958293554545656e8}, corner="90.0 -180.0")
    fake.capabilities = capabilities(f"{fake.url}/tiles?", degrees + matrix_set("setWeb", "urn:ogc:def:crs:EPSG:6.18.3:3857", GOOGLE))
    upstream = wmts(fake, tmp_path)
    await upstream.tile("ortho", 11, 1705, 805)
    asked = fake.tiles()[0]
    assert (asked["TILEMATRIX"], asked["TILEMATRIXSET"], asked["TK"]) == ("L11", "setWeb", KEY)
    await upstream.tile("ortho", 12, 3411, 1611)
    assert sum("GetCapabilities" in path for path in fake.asked) == 1
    await upstream.close()


async def test_scales_for_96_dots_to_the_inch_are_understood(fake: Fake, tmp_path: Path):
    levels = {str(level): 2.958293554545656e8 / 2 ** (level - 1) for level in range(1, 19)}
    fake.capabilities = capabilities("unused", matrix_set("setW", "urn:ogc:def:crs:EPSG::900913", levels, corner="-20037508.3427892 20037508.3427892"), rest=(
        f'<ResourceURL format="image/png" resourceType="tile" template="{fake.url}/rest/{{Style}}/{{TileMatrixSet}}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}.png"/>'
    ))  # fmt: skip
    upstream = wmts(fake, tmp_path)
    await upstream.tile("ortho", 11, 1705, 805)
    assert fake.asked[-1] == f"/rest/default/setW/11/805/1705.png?tk={KEY}"
    with pytest.raises(NotFound):
        await upstream.tile("ortho", 0, 0, 0)
    await upstream.close()


@pytest.mark.parametrize(
    "sets, word",
    [
        (matrix_set("setGeo", "urn:ogc:def:crs:EPSG::4490", {"1": 2.958e8}, corner="90.0 -180.0"), "Web Mercator"),
        (matrix_set("setBig", "urn:ogc:def:crs:EPSG::3857", GOOGLE, side=512), "Web Mercator"),
        (matrix_set("setOff", "urn:ogc:def:crs:EPSG::3857", GOOGLE, corner="0 4000000"), "Web Mercator"),
        (matrix_set("setOdd", "urn:ogc:def:crs:EPSG::3857", {"1": 250_000.0}), "Web Mercator"),
    ],
)
async def test_other_matrix_sets_are_refused_by_name(fake: Fake, tmp_path: Path, sets: str, word: str):
    fake.capabilities = capabilities(f"{fake.url}/tiles?", sets)
    upstream = wmts(fake, tmp_path)
    with pytest.raises(UpstreamFailed, match=word):
        await upstream.tile("ortho", 11, 1705, 805)
    assert fake.tiles() == []
    await upstream.close()


async def test_capabilities_lead_to_no_other_host(fake: Fake, tmp_path: Path):
    with serving() as canary:
        fake.capabilities = capabilities(f"{canary.url}/tiles?", matrix_set("setWeb", "urn:ogc:def:crs:EPSG::3857", GOOGLE))
        upstream = wmts(fake, tmp_path)
        with pytest.raises(UpstreamFailed, match="not among those configured"):
            await upstream.tile("ortho", 11, 1705, 805)
        assert canary.asked == []
        await upstream.close()
        allowed = wmts(fake, tmp_path, hosts=[canary.url.removeprefix("http://")])
        await allowed.tile("ortho", 11, 1705, 805)
        assert len(canary.asked) == 1
        await allowed.close()


@pytest.mark.parametrize("document", [b"<html>", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', b""])
async def test_capabilities_that_are_none_are_refused(fake: Fake, tmp_path: Path, document: bytes):
    fake.capabilities = document
    upstream = wmts(fake, tmp_path)
    with pytest.raises(UpstreamFailed, match="XML"):
        await upstream.tile("ortho", 11, 1705, 805)
    await upstream.close()


@pytest.mark.parametrize(
    "change, word",
    [
        ({"address": "https://webrd01.is.autonavi.com/{z}/{x}/{y}", "kind": "xyz"}, "GCJ-02"),
        ({"address": "file:///etc/passwd"}, "http"),
        ({"kind": "xyz"}, "needs"),
        ({"crs": "EPSG:4490"}, "crs"),
        ({"id": "../x"}, "id"),
        ({"id": "haidongqing"}, "our own"),
        ({"labels": "none"}, "overlay"),
        ({"secret": KEY}, "secret"),
    ],
)
def test_a_configuration_that_does_not_fit_stops_the_start_and_tells_no_key(fake: Fake, tmp_path: Path, change: dict, word: str):
    with pytest.raises(InvalidInput, match=word) as refused:
        wmts(fake, tmp_path, **change)
    assert KEY not in str(refused.value) and fake.url not in str(refused.value)


def test_toml_is_read_and_without_configuration_there_is_nothing(tmp_path: Path):
    assert declared(Settings(data_dir=tmp_path)) == {}
    file = tmp_path / "maps.toml"
    file.write_text('[[basemap]]\nid = "a"\ntitle = "甲"\ntitle_en = "A"\nkind = "xyz"\naddress = "https://maps.example/{z}/{x}/{y}.png"\n')
    found = declared(Settings(data_dir=tmp_path, basemaps=file, tianditu_key=SecretStr(KEY)))
    assert list(found) == ["tianditu-vec", "tianditu-img", "tianditu-ter", "tianditu-cva", "tianditu-cia", "a"]
    assert found["tianditu-vec"].allowed == {f"t{number}.tianditu.gov.cn" for number in range(8)}
    assert KEY not in repr(found) and KEY not in repr(Settings(data_dir=tmp_path, tianditu_key=SecretStr(KEY)))


def test_pictures_are_known_by_their_bytes():
    for form in ("PNG", "JPEG", "WEBP"):
        whole = picture("a", form)
        assert pictures.media_type(whole) == f"image/{form.lower()}"
        assert pictures.media_type(whole[: len(whole) // 2]) is None
    assert pictures.media_type(b"") is None and pictures.media_type(b"GIF89a") is None and pictures.media_type(pictures.PNG) is None
