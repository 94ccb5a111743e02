"""Base maps through HTTP: signed-in callers only, choices without addresses, failures as problem documents, and our own map for other programs."""

import base64
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from pydantic import SecretStr

from gis_api import supervisor
from gis_api.main import assemble, make_app
from grid.errors import InvalidInput
from grid.settings import Settings
from tests.layers.basemaps.fake import Fake, picture, serving

KEY = "canary-77d0b2"
TILE = "/basemaps/tianditu-vec/12/3411/1611"


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serving() as running:
        yield running


@pytest.fixture
def settings(settings: Settings, fake: Fake) -> Settings:
    """天地图 is the fake."""
    return settings.model_copy(update={"tianditu_key": SecretStr(KEY), "tianditu_url": fake.url, "tianditu_approval": "GS(2026)0000号"})


@pytest.fixture
async def plain(settings: Settings, people: dict[str, int]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server without any base map configured."""
    application = assemble(settings.model_copy(update={"tianditu_key": None}))
    framework = application.app.framework
    async with framework.router.lifespan_context(framework):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://hdq.test", headers={"X-HDQ-Client": "1"}) as client:
            yield client


async def test_a_tile_comes_from_the_cache_the_second_time(app_client: httpx.AsyncClient, login, fake: Fake):
    await login(app_client, "wangge")
    first = await app_client.get(TILE)
    assert (first.status_code, first.headers["content-type"], first.content) == (200, "image/png", picture("vec 12/3411/1611"))
    assert "private" in first.headers["cache-control"]
    assert (await app_client.get(TILE, headers={"If-None-Match": first.headers["etag"]})).status_code == 304
    await login(app_client, "laoshan")
    assert (await app_client.get(TILE)).content == first.content and len(fake.asked) == 1


async def test_nobody_asks_without_a_session_and_programs_sign_in_by_basic(app_client: httpx.AsyncClient, fake: Fake):
    refused = await app_client.get(TILE)
    assert refused.status_code == 401 and fake.asked == []
    header = "Basic " + base64.b64encode(b"linye:haidongqing-demo").decode()
    assert (await app_client.get(TILE, headers={"Authorization": header})).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/basemaps/tianditu-vec/0/0/0", "/basemaps/tianditu-vec/19/1/1", "/basemaps/tianditu-vec/2/4/0", "/basemaps/tianditu-vec/2/-1/0", "/basemaps/none/2/1/1",
        "/basemaps/..%2f..%2fetc/2/1/1", "/basemaps/tianditu-vec/2/1/1%2f..%2f..", "/basemaps/tianditu-vec/2/1/1.png", "/basemaps/tianditu-vec/2/1/1%26tk=x",
        "/basemaps/tianditu-vec/2/99999999999999999999/1", "/basemaps/http:%2f%2f127.0.0.1/2/1/1",
    ],
)  # fmt: skip
async def test_paths_lead_nowhere_else(app_client: httpx.AsyncClient, login, fake: Fake, path: str):
    await login(app_client, "linye")
    assert (await app_client.get(path)).status_code in (404, 422)
    assert fake.asked == []


@pytest.mark.parametrize("mood", ["html", "refused", "cut"])
async def test_a_failure_is_a_problem_document_without_key_or_address(app_client: httpx.AsyncClient, login, fake: Fake, settings: Settings, mood: str):
    await login(app_client, "linye")
    fake.mood = mood
    failed = await app_client.get(TILE)
    assert (failed.status_code, failed.headers["content-type"]) == (502, "application/problem+json")
    choices = await app_client.get("/api/basemaps")
    assert choices.json()[1]["problem"] and (await app_client.get("/api/status")).status_code == 200
    seen = failed.text + str(failed.headers) + choices.text + (await app_client.get("/api/openapi.json")).text
    seen += "".join(file.read_bytes().decode("utf-8", "replace") for file in settings.data_dir.rglob("*") if file.is_file())
    assert KEY not in seen and fake.url not in seen


async def test_where_a_source_has_nothing_the_tile_is_transparent(app_client: httpx.AsyncClient, login, fake: Fake):
    await login(app_client, "linye")
    fake.mood = "absent"
    empty = await app_client.get(TILE)
    assert empty.status_code == 200 and empty.content.startswith(b"\x89PNG") and len(empty.content) < 2000


async def test_the_choices_say_what_must_stand_on_the_map(app_client: httpx.AsyncClient, login, fake: Fake):
    await login(app_client, "linye")
    found = (await app_client.get("/api/basemaps")).json()
    assert [each["id"] for each in found] == ["haidongqing", "tianditu-vec", "tianditu-img", "tianditu-ter"]
    assert [layer["tiles"] for layer in found[2]["layers"]] == ["/basemaps/tianditu-img/{z}/{x}/{y}", "/basemaps/tianditu-cia/{z}/{x}/{y}"]
    assert found[1]["attribution"].endswith("GS(2026)0000号") and found[1]["layers"][0]["min_zoom"] == 1
    assert fake.asked == [] and KEY not in str(found) and fake.url not in str(found)


async def test_without_configuration_there_is_our_own_map_and_nothing_else(plain: httpx.AsyncClient, login, fake: Fake):
    await login(plain, "linye")
    assert [each["id"] for each in (await plain.get("/api/basemaps")).json()] == ["haidongqing"]
    assert (await plain.get(TILE)).status_code == 404 and fake.asked == []


async def test_our_own_map_is_a_style_that_other_programs_can_load(app_client: httpx.AsyncClient, login):
    await login(app_client, "shinan")
    made = (await app_client.get("/basemaps/haidongqing/style.json")).json()
    assert made["version"] == 8 and {source["tiles"][0].partition("/tiles/")[0] for source in made["sources"].values()} == {"http://hdq.test"}
    assert (await app_client.get("/basemaps/haidongqing/style.json", params={"theme": "dark"})).json()["name"].endswith("dark")
    assert (await app_client.get("/basemaps/haidongqing/style.json", params={"theme": "pink"})).status_code == 422
    address = made["sources"]["districts"]["tiles"][0].format(z=10, x=853, y=402)
    assert (await app_client.get(address)).status_code in (200, 204)


def test_the_key_reaches_the_processes_and_no_printed_setting(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    for name, text in supervisor.environment(settings).items():
        monkeypatch.setenv(name, text)
    carried = Settings()
    assert carried.tianditu_key.get_secret_value() == KEY and carried.tianditu_url == settings.tianditu_url
    assert KEY not in f"{carried!r} {carried} {carried.model_dump()} {carried.model_dump_json()}"


def test_a_file_that_does_not_fit_stops_the_start(settings: Settings, tmp_path):
    file = tmp_path / "maps.toml"
    file.write_text(f'[[basemap]]\nid = "a"\nadress = "https://x/?tk={KEY}"\n')
    with pytest.raises(InvalidInput, match=r"HDQ_BASEMAPS: maps\.toml, basemap\.0") as refused:
        make_app(settings.model_copy(update={"basemaps": file}))
    assert KEY not in str(refused.value)
