"""The data administrator's imports by hand: a file in parts over a broken line and a reload, a look at the changes, bad rows taken away, suspicious coordinates put right."""

import json
import re

import numpy as np
from playwright.sync_api import Locator, Page, expect

from grid import crs
from tests.browser.scene import cut_texts

OVER = re.compile("staged|failed|done|held|fixed")
CARD = '[data-testid="import-job"]'


def table(rows: int, *, changed: int = 0, filler: str = "") -> bytes:
    """Lamps in a raster over the west of the city; the first `changed` of another height, row 3 without a number."""
    lines = ["code,name,height,lon,lat,note"]
    for i in range(rows):
        lon = "无" if i == 2 else f"{120.30 + (i % 60) * 0.002:.6f}"
        lines.append(f"L{i},路灯{i},{9 if i < changed else 8},{lon},{36.06 + i // 60 * 0.0004:.6f},{filler}")
    return "\n".join(lines).encode()


def choose(page: Page, name: str, content: bytes) -> None:
    page.locator('[data-testid="import-file"]').set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})


def settled(job: Locator, state: str) -> None:
    """The import comes to rest in a state; any other is shown with what it says."""
    expect(job).to_have_attribute("data-state", OVER, timeout=60_000)
    assert job.get_attribute("data-state") == state, job.inner_text()


def test_a_file_becomes_a_layer_and_is_updated_by_key(sign_in, api, shot):
    page = sign_in("shuju", 1440, 900)
    page.goto("/admin?tab=imports")
    expect(page.locator('[data-testid="new-import"]')).to_be_visible()
    page.wait_for_timeout(500)
    shot(page, "imports-empty")
    assert cut_texts(page) == []

    parts = {"sent": 0}

    def line(route):
        parts["sent"] += 1
        if parts["sent"] > 3:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/uploads/*", line)
    content = table(3000, filler="x" * 300)
    choose(page, "路灯.csv", content)
    page.fill('[data-testid="import-key"]', "code")
    page.select_option('[data-testid="import-frame"]', "EPSG:4490")
    page.fill('input[name="owner"]', "城管局照明处")
    page.click('[data-testid="import-begin"]')
    sending = page.locator('[data-testid="sending"]')
    expect(sending).to_have_attribute("data-stage", "offline", timeout=60_000)
    shot(page, "imports-offline")
    page.click('[data-testid="sending-pause"]')
    expect(sending).to_have_attribute("data-stage", "paused")
    page.unroute("**/api/uploads/*")
    page.reload()
    expect(sending).to_have_attribute("data-stage", "asleep")
    shot(page, "imports-asleep")
    sign_in.watched.faults[:] = [fault for fault in sign_in.watched.faults if "ERR_CONNECTION_RESET" not in fault]
    page.locator('[data-testid="sending-choose"]').set_input_files({"name": "路灯.csv", "mimeType": "text/csv", "buffer": content})
    job = page.locator(CARD).first
    settled(job, "staged")
    expect(job.locator('[data-testid="change-new"]')).to_contain_text("2,999")
    page.click('[data-testid="job-commit"]')
    expect(job).to_have_attribute("data-state", "done", timeout=60_000)
    job.locator('[data-testid="bad-rows"] summary').click()
    expect(job.locator('[data-testid="bad-rows"]')).to_contain_text("坐标不是数字")
    with page.expect_download() as taken:
        page.click('[data-testid="bad-rows-download"]')
    assert '\n3,"坐标不是数字' in taken.value.path().read_text("utf-8-sig")
    shot(page, "imports-done")

    choose(page, "路灯改.csv", table(3010, changed=7, filler="x" * 300))
    page.select_option('[data-testid="import-mode"]', "upsert")
    lamps = next(d for d in api("shuju").get("/api/datasets").json() if d["title"] == "路灯")
    assert (lamps["owner"], lamps["key"], lamps["crs"]) == ("城管局照明处", "code", "EPSG:4490")
    page.select_option('[data-testid="import-target"]', lamps["id"])
    expect(page.locator('[data-testid="import-key"]')).to_have_value("code")
    page.click('[data-testid="import-begin"]')
    expect(job).to_contain_text("路灯改.csv", timeout=60_000)
    settled(job, "failed")
    job.locator('[data-testid="again-EPSG:4326"]').click()
    expect(page.locator(CARD).nth(1)).to_contain_text("路灯改.csv", timeout=60_000)
    settled(job, "staged")
    expect(job.locator('[data-testid="change-new"]')).to_contain_text("10")
    expect(job.locator('[data-testid="change-changed"]')).to_contain_text("6")
    expect(job.locator('[data-testid="change-unchanged"]')).to_contain_text("2,993")
    shot(page, "imports-preview")
    assert cut_texts(page) == []
    page.click('[data-testid="job-cancel"]')
    expect(job).to_have_attribute("data-state", "cancelled")
    assert api("shuju").get(f"/api/datasets/{lamps['id']}").json()["version"] == 1


def test_what_lies_wrong_is_refused_or_held_and_put_right(sign_in, api, shot):
    page = sign_in("shuju", 1440, 900)
    page.goto("/admin?tab=imports")
    desk = api("shuju")
    items = desk.get("/ogc/collections/buildings/items", params={"limit": 4000}).raise_for_status().json()["features"][::8]
    points = [np.mean(np.array(f["geometry"]["coordinates"][0]), axis=0)[:2].tolist() for f in items if f["geometry"]["type"] == "Polygon"]
    shifted = np.column_stack(crs.from_storage((np.array(points)[:, 0], np.array(points)[:, 1]), "GCJ-02")).round(7).tolist()
    features = [{"type": "Feature", "properties": {"code": f"P{i}"}, "geometry": {"type": "Point", "coordinates": p}} for i, p in enumerate(shifted)]
    choose(page, "点位.geojson", json.dumps({"type": "FeatureCollection", "features": features}).encode())
    page.select_option('[data-testid="import-frame"]', "EPSG:4490")
    page.click('[data-testid="import-begin"]')
    job = page.locator(CARD).first
    expect(job).to_contain_text("点位.geojson", timeout=60_000)
    settled(job, "staged")
    page.click('[data-testid="job-commit"]')
    expect(job).to_have_attribute("data-state", "held", timeout=60_000)
    expect(job.locator('[data-testid="shift-map"]')).to_be_visible(timeout=60_000)
    page.wait_for_timeout(2500)
    job.scroll_into_view_if_needed()
    shot(page, "imports-held")
    job.locator('[data-testid="verdict-fix"]').click()
    expect(job.locator('[data-testid="verdict"]')).to_contain_text("已修正发布", timeout=60_000)
    expect(job).to_have_attribute("data-state", "fixed")
    shot(page, "imports-fixed")

    wrong = [{**f, "geometry": {"type": "Point", "coordinates": f["geometry"]["coordinates"][::-1]}} for f in features]
    choose(page, "颠倒.geojson", json.dumps({"type": "FeatureCollection", "features": wrong}).encode())
    page.select_option('[data-testid="import-frame"]', "EPSG:4490")
    page.click('[data-testid="import-begin"]')
    expect(job).to_contain_text("颠倒.geojson", timeout=60_000)
    expect(job).to_have_attribute("data-state", "failed", timeout=60_000)
    expect(job.locator('[data-testid="refusal"]')).to_be_visible()
    shot(page, "imports-refused")
    job.locator('[data-testid^="again-"]').first.click()
    expect(page.locator(CARD).first).to_have_attribute("data-state", "staged", timeout=60_000)
    page.locator('[data-testid="job-cancel"]').first.click()
