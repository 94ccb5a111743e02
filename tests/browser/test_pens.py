"""Maps with a pen are left while it is down: the face stays, and the next tab is drawn."""

import socket

import pytest
from playwright.sync_api import expect

from grid.settings import Settings
from tests.conftest import Live


@pytest.fixture
def city(tmp_path, database_url, people):
    """A server over an empty city whose subscriptions are on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = Live(Settings(data_dir=tmp_path / "hdq", database_url=database_url, port=port, demo=True, feed_hosts="127.0.0.1"))
    running.start("server")
    try:
        running.wait(worker=False)
        yield running
    finally:
        running.stop()


def test_leaving_a_map_with_the_pen_down_shows_the_next_tab(sign_in):
    page = sign_in("admin", 1440, 900)
    for tab, begin in (("zones", ("zone-on-map", "zone-add")), ("subscriptions", ("subscription-add", "subscription-draw"))):
        page.goto(f"/admin?tab={tab}")
        for button in begin:
            page.locator(f'[data-testid="{button}"]').click(timeout=60_000)
        pen = page.locator('[data-testid="area-map"][data-pen="draw"][data-ready="true"]')
        expect(pen).to_be_visible(timeout=60_000)
        for x, y in ((120, 120), (260, 150), (240, 260)):
            pen.click(position={"x": x, "y": y})
        page.click('[data-testid="tab-cameras"]')
        expect(page.locator('[data-testid="cameras"]')).to_be_visible()
        expect(page.locator('[data-testid="area-map"]')).to_have_count(0)


def test_a_counting_line_on_the_map_is_chosen_by_a_click(sign_in, api):
    line = {"type": "LineString", "coordinates": [[120.353, 36.12], [120.413, 36.12]]}
    made = api("admin").post("/api/zones", json={"name": "过线", "purpose": "count", "detector": "boats", "shape": line})
    made.raise_for_status()
    page = sign_in("admin", 1440, 900)
    page.goto("/admin?tab=zones")
    page.click('[data-testid="zone-on-map"]', timeout=60_000)
    ground = page.locator('[data-testid="area-map"][data-ready="true"]')
    expect(ground).to_be_visible(timeout=60_000)
    chosen = page.locator(f'[data-testid="zone-card-{made.json()["id"]}"][data-chosen="true"]')
    for _ in range(160):
        ground.click()
        page.wait_for_timeout(250)
        if chosen.count():
            break
    expect(chosen).to_be_visible()
