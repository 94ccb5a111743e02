"""Walk 5 by hand on the wall: figures, a fire, its card, dispatch, units on their way; at every size of wall."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FOREST
from tests.browser.scene import fire, overlaps

PANELS = (".wall-left", ".wall-alerts", ".wall-time")


def new_alert(page: Page, client, key: str) -> str:
    """The row of the alert that a finding opened."""
    for _ in range(600):
        found = [o for o in client.get("/api/observations", params={"limit": 100}).json()["items"] if o["source_event_id"] == key]
        if found and found[0].get("alert_id"):
            return f'[data-testid="alert-{found[0]["alert_id"]}"]'
        page.wait_for_timeout(50)
    raise AssertionError("the finding opened no alert")


def test_a_fire_comes_to_the_wall_and_units_are_sent(sign_in, api, shot):
    page = sign_in("zhihui", 1920, 1080)
    expect(page.locator('[data-testid^="figure-"]')).to_have_count(5)
    expect(page.locator('[data-testid="stream-health"]')).to_be_visible()
    row = new_alert(page, api("zhihui"), fire(api("suanfa"), *FOREST))
    expect(page.locator(row)).to_be_visible(timeout=60_000)
    page.click(f"{row} button")
    card = page.locator('[data-testid="alert-card"]')
    expect(card).to_contain_text("疑似火情")
    expect(card).to_contain_text("±")
    expect(page.locator('[data-testid="package"] li')).to_have_count(3)
    assert "s=alert:" in page.url
    shot(page, "wall-card")
    page.click('[data-testid="dispatch"]')
    orders = page.locator('[data-testid^="order-"]')
    expect(orders).to_have_count(3)
    expect(page.locator('[data-testid^="order-"][data-state="acknowledged"], [data-testid^="order-"][data-state="moving"]').first).to_be_visible(timeout=60_000)
    expect(page.locator('[data-testid^="order-"][data-state="moving"]').first).to_be_visible(timeout=60_000)
    page.wait_for_timeout(4000)
    shot(page, "wall-dispatched")
    page.go_back()
    assert overlaps(page, *PANELS) == []


def test_the_map_draws_the_city_and_says_so(sign_in, shot):
    page = sign_in("zhihui", 1920, 1080)
    page.wait_for_function("() => window.__hdq?.map && window.__hdq.layers && window.__hdq.layers().length > 3", timeout=60_000)
    page.wait_for_timeout(3000)
    assert page.evaluate("() => window.__hdq.problems") == []
    expect(page.locator('[data-testid="simulated"]').first).to_be_visible()
    shot(page, "wall")


@pytest.mark.parametrize(("width", "height"), [(3840, 1080), (3840, 2160), (5760, 1080)])
def test_the_wall_fits_every_wall(sign_in, shot, width: int, height: int):
    page = sign_in("zhihui", width, height)
    expect(page.locator('[data-testid^="figure-"]')).to_have_count(5, timeout=60_000)  # software WebGL draws eight million pixels first
    page.wait_for_timeout(2500)
    shot(page, f"wall-{width}x{height}")
    assert overlaps(page, *PANELS) == []


def test_times_are_shanghais_whatever_the_browsers_zone(sign_in):
    page = sign_in("zhihui", 1920, 1080)
    shown = page.locator('[data-testid="clock"]').inner_text()
    hours = page.evaluate("() => new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Shanghai', hour: '2-digit' }).format(new Date())")
    assert re.search(rf"\b{hours}:", shown)


def test_english_is_complete(sign_in, shot):
    page = sign_in("zhihui", 1920, 1080)
    page.get_by_role("button", name="EN", exact=True).click()
    expect(page.locator('[data-testid="figures"]')).to_contain_text("Open alerts")
    shot(page, "wall-en")
