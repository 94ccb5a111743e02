"""The patches of the review desk by hand: stepped through with keys, compared, cut, judged and taken back; what runs can be seen."""

import time

import pytest
from playwright.sync_api import Page, expect
from shapely.geometry import shape

from tests.browser.scene import cut_texts, overlaps

WAIT_S = 90.0
"""How long the demo's surveys may take to find patches."""
"""What a map drawn without a graphics card may take before it answers."""


@pytest.fixture
def patches(api):
    """At least two undecided patches, as the list shows them."""
    desk, until = api("linye"), time.monotonic() + WAIT_S
    while time.monotonic() < until:
        found = desk.get("/api/patches", params={"state": "open", "limit": 500}).json()["features"]
        if len(found) > 1:
            return found
        time.sleep(0.2)
    pytest.fail(f"the surveys of the demo found no two patches within {WAIT_S:.0f} s")


def draw(page: Page, *places: tuple[float, float]) -> None:
    """Clicks places (longitude, latitude) on the map, each once the one before it stands. (The canvas itself may be moved under a held picture.)"""
    for lon, lat in places:
        before = page.locator('[data-testid="patch-edit"] [role="status"]').inner_text()
        spot = page.evaluate(
            "([lon, lat]) => { const map = window.__hdq.maps.review, at = map.project([lon, lat]), box = map.getCanvasContainer().getBoundingClientRect(); return [box.x + at.x, box.y + at.y]; }",
            [lon, lat],
        )
        page.mouse.click(*spot)
        expect(page.locator('[data-testid="patch-edit"] [role="status"]')).not_to_have_text(before)


def test_patches_are_stepped_through_and_compared(sign_in, patches, shot):
    page = sign_in("linye", 1440, 900)
    page.goto("/review?tab=patches")
    expect(page.locator('[data-testid="patch-queue"] li')).to_have_count(len(patches))
    page.keyboard.press("j")
    first = page.locator('[data-testid="patch-queue"] li[data-chosen]')
    expect(first).to_have_count(1)
    expect(page.locator('[data-testid="patch"]')).to_contain_text("亩")
    expect(page.locator('[data-testid="series"] svg')).to_be_visible()
    was = page.url
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != was)
    shot(page, "review-patches")
    assert overlaps(page, ".review-queue", ".review-map", ".review-evidence") == []
    assert cut_texts(page) == []
    page.click('[data-testid="compare"]')
    swipe = page.locator('[data-testid="swipe"]')
    expect(swipe).to_have_attribute("data-mode", "swipe")
    page.keyboard.press("2")
    expect(swipe).to_have_attribute("data-mode", "blink")
    expect(page.locator(".swipe-after")).to_be_visible()
    page.keyboard.press("b")
    expect(page.locator(".swipe-before")).to_be_visible()
    expect(page.locator(".swipe-after")).to_be_hidden()
    page.keyboard.press("3")
    expect(swipe).to_have_attribute("data-mode", "beside")
    with page.expect_response(lambda answer: "/rasters/" in answer.url and "show=ndvi" in answer.url) as tile:
        page.select_option('[data-testid="show"]', "ndvi")
    assert tile.value.ok
    expect(page.locator('[data-testid="show-legend"]')).to_be_visible()
    assert "show=ndvi" in page.url and "mode=beside" in page.url
    with page.expect_response(lambda answer: "/rasters/" in answer.url and "show=mask" in answer.url) as tile:
        page.keyboard.press("m")
    assert tile.value.ok
    expect(page.locator('[data-testid="compare-mask"]')).to_have_attribute("aria-pressed", "true")
    assert overlaps(page, ".swipe-before", ".swipe-after", ".swipe-tools") == []
    shot(page, "review-beside")


def test_a_patch_is_cut_and_a_part_judged_and_taken_back(sign_in, api, patches, shot):
    whole = max((p for p in patches if p["properties"]["simulated"]), key=lambda p: p["properties"]["area_m2"])
    west, _, east, _ = shape(whole["geometry"]).bounds
    lat = shape(whole["geometry"]).representative_point().y
    page = sign_in("linye", 1440, 900)
    page.goto(f"/review?tab=patches&s=patch:{whole['id']}")
    page.wait_for_function("(lon) => { const map = window.__hdq?.maps.review; return map && Math.abs(map.getCenter().lng - lon) < 0.001 && !map.isMoving(); }", arg=whole["properties"]["lon"])
    page.click('[data-testid="edit-split"]')
    draw(page, (west - 0.0008, lat), (east + 0.0008, lat))
    page.fill('[data-testid="edit-reason"]', "两处分属不同地块")
    page.click('[data-testid="edit-send"]')
    page.wait_for_url(lambda url: str(whole["id"]) not in url.split("patch")[-1])
    desk = api("linye")
    parts = [p for p in desk.get("/api/patches", params={"limit": 500, "state": "open"}).json()["features"] if whole["id"] in p["properties"]["parents"]]
    assert len(parts) >= 2 and sum(p["properties"]["area_m2"] for p in parts) == pytest.approx(whole["properties"]["area_m2"], rel=1e-5)
    part = parts[0]["id"]
    page.goto(f"/review?tab=patches&s=patch:{part}")
    expect(page.locator('[data-testid="patch-steps"]')).to_contain_text("切分而来")
    page.keyboard.press("x")
    page.click('[data-testid="reason-seasonal"]')
    expect(page.locator('[data-testid="undo-bar"]')).to_be_visible()
    assert desk.get(f"/api/patches/{part}").json()["patch"]["properties"]["state"] == "dismissed"
    page.keyboard.press("u")
    expect(page.locator('[data-testid="undo-bar"]')).to_have_count(0)
    expect(page.locator(f'[data-testid="patch-{part}"]')).to_be_visible()
    assert desk.get(f"/api/patches/{part}").json()["patch"]["properties"]["state"] == "open"
    shot(page, "review-part")
