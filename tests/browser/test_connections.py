"""The data administrator lets a dataset follow a source: a look at what it offers, the first run, a run that fails, in both languages."""

import socket

import pytest
from playwright.sync_api import expect

from grid.settings import Settings
from tests.browser.scene import cut_texts
from tests.conftest import Live
from tests.layers.answering import answering, as_json, ogc_api, wells


@pytest.fixture
def source():
    """A server of OGC API Features with 25 wells."""
    with answering(lambda path, query: serve(path, query)) as found:
        serve = ogc_api(lambda: found, wells(25))
        yield found


@pytest.fixture
def city(tmp_path, database_url, people, source):
    """Server and worker over an empty city that may ask the source."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = Live(Settings(data_dir=tmp_path / "hdq", database_url=database_url, port=port, demo=True, connector_hosts=source.host))
    running.start("server")
    running.start("worker")
    try:
        running.wait()
        yield running
    finally:
        running.stop()


def test_a_source_is_looked_at_followed_and_fails_aloud(sign_in, source, shot, api):
    page = sign_in("shuju", 1440, 900)
    page.goto("/admin?tab=imports")
    expect(page.locator('[data-testid="connections"]')).to_be_visible(timeout=60_000)
    page.click('[data-testid="connection-add"]')
    page.select_option('[data-testid="connection-kind"]', "ogc_features")
    page.fill('[data-testid="connection-address"]', "http://10.9.9.9/ogc")
    sign_in.watched.faults.clear()
    page.click('[data-testid="connection-check"]')
    expect(page.locator('[data-testid="connection-problem"]')).to_contain_text("10.9.9.9")
    sign_in.watched.faults[:] = [fault for fault in sign_in.watched.faults if "422" not in fault]
    page.fill('[data-testid="connection-address"]', source.address)
    page.click('[data-testid="connection-check"]')
    expect(page.locator("#connection-collections option")).to_have_count(1)
    page.fill('[data-testid="connection-collection"]', "wells")
    expect(page.locator('[data-testid="connection-sample"]')).to_contain_text("EPSG:4326")
    expect(page.locator('[data-testid="connection-title"]')).to_have_value("井")
    page.fill('[data-testid="connection-key"]', "code")
    shot(page, "connections-new")
    page.click('[data-testid="connection-save"]')
    state = page.locator('[data-testid^="connection-state-"]')
    expect(state).to_have_attribute("data-state", "ok", timeout=60_000)
    shot(page, "connections-good")
    assert cut_texts(page) == []

    source.answer = lambda path, query: as_json({}, 404)
    page.locator('[data-testid^="connection-run-"]').click()
    expect(state).to_have_attribute("data-state", "failed", timeout=60_000)
    client = api("shuju")
    (made,) = client.get("/api/connections").json()["connections"]
    assert client.get(f"/api/datasets/{made['dataset_id']}").json()["feature_count"] == 25
    page.locator('[data-testid="connections"]').scroll_into_view_if_needed()
    shot(page, "connections-failed")
