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
        running.wait()
        yield running
    finally:
        running.stop()


def test_leaving_a_map_with_the_pen_down_shows_the_next_tab(sign_in):
    page = sign_in("admin", 1440, 900)
    for tab, begin in (("zones", ("zone-on-map", "zone-add")), ("subscriptions", ("subscription-add", "subscription-draw"))):
        page.goto(f"/admin?tab={tab}")
        for button in begin:
            page.locator(f'[data-testid="{button}"]').click(timeout=20_000)
        pen = page.locator('[data-testid="area-map"][data-pen="draw"][data-ready="true"]')
        expect(pen).to_be_visible(timeout=20_000)
        for x, y in ((120, 120), (260, 150), (240, 260)):
            pen.click(position={"x": x, "y": y})
        page.click('[data-testid="tab-cameras"]')
        expect(page.locator('[data-testid="cameras"]')).to_be_visible()
        expect(page.locator('[data-testid="area-map"]')).to_have_count(0)
