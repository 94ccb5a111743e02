"""Walks 2 and 3 by hand on the desk: judge, undo, swipe two vintages; a file becomes a layer, or is refused with candidates."""

import json

from playwright.sync_api import expect

from tests.browser.scene import cut_texts, fire, overlaps
from tests.browser.test_wall import new_alert

GARDEN = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "properties": {"name": f"口袋公园{i}", "面积": 800 + i}, "geometry": {"type": "Point", "coordinates": [120.39 + i / 500, 36.07]}}
        for i in range(12)
    ],
}


def test_an_alert_is_judged_undone_and_judged_again(sign_in, api, shot):
    page = sign_in("linye", 1440, 900)
    row = new_alert(page, api("zhihui"), fire(api("suanfa"), 120.55, 36.25))
    expect(page.locator(row)).to_be_visible(timeout=60_000)
    page.click(f"{row} button")
    expect(page.locator('[data-testid="evidence"]')).to_contain_text("viirs-active-fire")
    expect(page.locator('[data-testid="why"]')).to_be_visible()
    shot(page, "review")
    assert overlaps(page, ".review-queue", ".review-map", ".review-evidence") == []
    assert cut_texts(page) == []
    page.keyboard.press("x")
    expect(page.locator('[data-testid="reasons"]')).to_be_visible()
    page.click('[data-testid="reason-cloud"]')
    expect(page.locator('[data-testid="undo-bar"]')).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator('[data-testid="undo-bar"]')).to_have_count(0)
    expect(page.locator(row)).to_be_visible()
    page.click(f"{row} button")
    page.keyboard.press("a")
    expect(page.locator('[data-testid="undo-bar"]')).to_be_visible()
    cases = api("zhihui").get("/api/cases", params={"alert_id": int(row.split("-")[-1].split('"')[0])}).json()["items"]
    assert sorted(case["state"] for case in cases) == ["filed"]


def test_a_changed_patch_is_swiped_between_two_dates(sign_in, api, shot):
    desk = api("linye")
    page = sign_in("linye", 1440, 900)
    for _ in range(900):
        alerts = desk.get("/api/alerts", params={"limit": 200}).json()["items"]
        patches = [a for a in alerts if a["kind"] in ("vegetation_loss", "construction", "burn_scar", "land_change") and len(a["place"]["region_code"]) > 4]
        if patches:
            break
        page.wait_for_timeout(100)
    assert patches, "the surveys of the demo opened no alert within 90 s"
    page.goto(f"/review?s=alert:{patches[0]['id']}")
    page.click('[data-testid="compare"]')
    expect(page.locator('[data-testid="swipe"]')).to_be_visible()
    expect(page.locator(".swipe-before")).to_contain_text("20")
    divider = page.locator('[data-testid="swipe-divider"]')
    divider.focus()
    page.keyboard.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "52")
    assert "swipe=0.52" in page.url
    page.wait_for_timeout(2500)
    shot(page, "review-swipe")
    expect(page.locator('[data-testid="legality"]')).to_be_visible()


def test_a_file_becomes_a_layer_or_is_refused_with_candidates(sign_in, shot):
    page = sign_in("shuju", 1440, 900)
    page.goto("/review")
    page.click('[data-testid="open-import"]')
    swapped = json.loads(json.dumps(GARDEN))
    for feature in swapped["features"]:
        feature["geometry"]["coordinates"].reverse()
    dialog = page.locator('[data-testid="import-dialog"]')
    dialog.locator('input[type="file"]').set_input_files({"name": "公园.geojson", "mimeType": "application/geo+json", "buffer": json.dumps(swapped).encode()})
    page.click('[data-testid="import-send"]')
    expect(page.locator('[data-testid="import-problem"]')).to_be_visible()  # the first file a server reads also starts its reader
    expect(page.locator('[data-testid^="candidate-"]').first).to_be_visible()
    shot(page, "review-import-refused")
    sign_in.watched.faults[:] = [fault for fault in sign_in.watched.faults if "422" not in fault]
    page.locator('[data-testid^="candidate-"]').first.click()
    expect(page.locator('[data-testid="import-done"]')).to_be_visible()
    page.locator('[data-testid="import-done"] .btn-primary').click()
    page.wait_for_timeout(2500)
    page.click('[data-testid="open-layers"]')
    expect(page.locator(".review-layers")).to_contain_text("公园")
    shot(page, "review-imported")


def test_words_from_data_stay_words(sign_in, api):
    admin = api("shuju")
    evil = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"name": '<img src=x onerror="window.__pwned=1">'}, "geometry": {"type": "Point", "coordinates": [120.38, 36.07]}}
    ]}  # fmt: skip
    answer = admin.post("/api/datasets", files={"file": ("e.geojson", json.dumps(evil).encode())}, data={"title": '<img src=x onerror="window.__pwned=1">', "crs": "EPSG:4326"})
    assert answer.status_code == 201, answer.text
    page = sign_in("shuju", 1440, 900)
    page.goto("/review?panel=layers")
    expect(page.locator(".review-layers")).to_contain_text("<img src=x")
    assert page.evaluate("() => window.__pwned") is None
