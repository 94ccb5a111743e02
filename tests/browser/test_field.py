"""Walk 4 by hand on the phone: four taps, three offline reports that arrive exactly once, a case to its end."""

import httpx
from playwright.sync_api import Page, expect

from tests.browser.scene import photo

SMALL = """
() => [...document.querySelectorAll('button')].filter((e) => e.offsetParent && !e.closest('.maplibregl-map')).map((e) => [e.innerText, e.getBoundingClientRect()])
      .filter(([, r]) => r.width > 0 && (r.height < 44 || r.width < 44)).map(([t, r]) => `${t} ${r.width}x${r.height}`)
"""


def phone(sign_in, username: str = "wangge", where: dict | None = None) -> Page:
    more = {"geolocation": where, "permissions": ["geolocation"]} if where else {}
    return sign_in(username, 360, 800, has_touch=True, is_mobile=True, device_scale_factor=2, **more)


def home(client: httpx.Client) -> dict:
    found = client.get("/api/me").json()["home"]
    return {"longitude": found["lon"], "latitude": found["lat"], "accuracy": 12}


def report(page: Page, kind: str = "01002") -> None:
    """Four taps: report (the camera opens and gives a picture), kind, send, done."""
    page.locator('[data-testid="report-camera"]').set_input_files(photo())
    page.tap(f'[data-testid="kind-{kind}"]')
    expect(page.locator('[data-testid="pin-note"]')).to_contain_text("12")
    page.tap('[data-testid="send"]')


def test_a_problem_is_reported_in_four_taps(sign_in, api, shot):
    client = api("wangge")
    page = phone(sign_in, where=home(client))
    expect(page.locator('[data-testid="tasks"]')).to_be_visible()
    assert page.evaluate(SMALL) == []
    page.locator('[data-testid="report-camera"]').set_input_files(photo())
    page.tap('[data-testid="kind-01002"]')
    page.wait_for_timeout(1500)
    shot(page, "field-report")
    assert page.evaluate(SMALL) == []
    page.tap('[data-testid="send"]')
    expect(page.locator('[data-testid="report-done"]')).to_contain_text("案件")
    shot(page, "field-done")
    page.tap('[data-testid="done"]')
    expect(page.locator('[data-testid^="task-"]').first).to_contain_text("暴露垃圾")
    shot(page, "field")
    page.tap('[data-testid="tab-map"]')
    expect(page.locator('[data-testid="field-locate"]')).to_be_visible()
    page.wait_for_timeout(2500)
    shot(page, "field-map")
    assert page.evaluate(SMALL) == []
    page.tap('[data-testid="field-layers"]')
    expect(page.locator('[data-testid="layer-cases"] .legend')).to_be_visible()
    shot(page, "field-layers")


def test_three_reports_without_a_signal_arrive_exactly_once(sign_in, api, shot):
    client = api("wangge")
    before = client.get("/api/cases", params={"limit": 1}).json()["total"]
    page = phone(sign_in, where=home(client))
    expect(page.locator('[data-testid="tasks"]')).to_be_visible()
    page.wait_for_function("() => navigator.serviceWorker.controller !== null || navigator.serviceWorker.ready", timeout=60_000)
    page.locator('[data-testid="report-camera"]').set_input_files(photo())
    expect(page.locator('[data-testid="kind-01002"]')).to_be_visible()
    page.locator(".field-back").first.tap()
    sign_in.watched.faults.clear()
    page.context.set_offline(True)
    for kind in ("01002", "01081", "01005"):
        page.locator('[data-testid="report-camera"]').set_input_files(photo())
        page.tap(f'[data-testid="kind-{kind}"]')
        page.tap('[data-testid="send"]')
        expect(page.locator('[data-testid="report-done"]')).to_be_visible()
        page.tap('[data-testid="done"]')
    expect(page.locator('[data-testid="outbox-note"]')).to_contain_text("3")
    shot(page, "field-offline")
    context = page.context
    page.close()
    context.set_offline(False)
    again = context.new_page()
    again.goto("/field")
    for _ in range(150):
        if client.get("/api/cases", params={"limit": 1}).json()["total"] >= before + 3:
            break
        again.wait_for_timeout(200)
    expect(again.locator('[data-testid="outbox-note"]')).to_have_count(0)
    again.wait_for_timeout(1500)
    assert client.get("/api/cases", params={"limit": 1}).json()["total"] == before + 3
    sign_in.watched.faults.clear()


KEPT = "() => caches.open('hdq-answers').then((c) => c.keys()).then((all) => all.map((r) => new URL(r.url).pathname))"
ASK = """
(face) => { history.replaceState(null, '', face); return fetch('/api/me').then((r) => r.headers.get('X-HDQ-Kept-At') ? 'kept' : 'fresh', () => 'none'); }
"""


def test_kept_answers_are_for_the_phone_and_say_that_they_are_old(sign_in, api):
    page = phone(sign_in, where=home(api("wangge")))
    expect(page.locator('[data-testid="tasks"]')).to_be_visible()
    page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=60_000)
    page.reload()
    for _ in range(400):
        if {"/api/me", "/api/categories"} <= set(page.evaluate(KEPT)) and "/api/tasks" in page.evaluate(KEPT):
            break
        page.wait_for_timeout(100)
    sign_in.watched.faults.clear()
    page.context.route("**/api/**", lambda route: route.abort())
    page.reload()
    expect(page.locator('[data-testid="state-stale"]').first).to_be_visible(timeout=60_000)
    assert page.evaluate(ASK, "/field") == "kept"
    assert page.evaluate(ASK, "/wall") == "none"
    assert page.evaluate(ASK, "/review") == "none"
    page.context.unroute_all()
    sign_in.watched.faults.clear()


def test_a_poor_position_is_said(sign_in, api):
    client = api("wangge")
    page = phone(sign_in, where=home(client) | {"accuracy": 180})
    page.locator('[data-testid="report-camera"]').set_input_files(photo())
    expect(page.locator('[data-testid="pin-note"]')).to_contain_text("180")
    expect(page.locator('[data-testid="pin-note"]')).to_have_class("field-pin-note field-soon")


def dispatched(sign_in, api) -> tuple[Page, dict]:
    """A case reported on a phone, which is given back, and sent by the desk to chuzhi."""
    worker = api("wangge")
    page = phone(sign_in, where=home(worker))
    report(page)
    expect(page.locator('[data-testid="report-done"]')).to_contain_text("案件")
    mine = worker.get("/api/tasks").json()
    case = max((task["case"] for task in mine), key=lambda item: item["id"])
    desk = api("linye")
    filed = desk.post(f"/api/cases/{case['id']}/steps", json={"action": "file", "version": 1}).json()
    handler = next(person for person in filed["handlers"] if person["id"] == api("chuzhi").get("/api/me").json()["id"])
    desk.post(f"/api/cases/{case['id']}/steps", json={"action": "dispatch", "version": 2, "handler_id": handler["id"]}).raise_for_status()
    return page, case


def test_a_case_is_handled_and_verified_on_two_phones(sign_in, api, shot):
    page, case = dispatched(sign_in, api)
    other = phone(sign_in, "chuzhi", home(api("wangge")))
    other.tap(f'[data-testid="task-{case["id"]}"]')
    other.tap('[data-testid="action-receive"]')
    other.tap('[data-testid="action-start"]')
    expect(other.locator('[data-testid="case-sheet"] em')).to_have_text("处置中")
    shot(other, "field-case")
    other.locator('[data-testid="photo-handle"]').set_input_files(photo())
    expect(other.locator('[data-testid="case-sheet"]')).to_contain_text("待核查")
    expect(other.locator('[data-testid="action-pass"]')).to_have_count(0)
    page.goto(f"/field?s=case:{case['id']}")
    page.tap('[data-testid="action-pass"]')
    expect(page.locator('[data-testid="case-sheet"]')).to_contain_text("已结案")
    shot(page, "field-closed")


def test_a_photo_given_too_early_or_without_a_signal_is_not_lost(sign_in, api):
    _, case = dispatched(sign_in, api)
    other = phone(sign_in, "chuzhi", home(api("wangge")))
    other.tap(f'[data-testid="task-{case["id"]}"]')
    other.tap('[data-testid="action-receive"]')
    expect(other.locator('[data-testid="action-start"]')).to_be_enabled()
    held, lost = [], []
    other.route("**/api/cases/*/steps", lambda route: held.append(route))
    other.route("**/api/evidence", lambda route: (lost.append(route), route.abort()))
    other.tap('[data-testid="action-start"]')
    expect(other.locator('[data-testid="action-handle"]')).to_be_disabled()
    other.locator('[data-testid="photo-handle"]').set_input_files(photo())
    other.unroute("**/api/cases/*/steps")
    held[0].continue_()
    retry = other.locator('[data-testid="state-failed"] button')
    expect(retry).to_be_visible()
    assert len(held) == len(lost) == 1
    expect(other.locator('[data-testid="case-sheet"] em')).to_have_text("处置中")
    other.unroute("**/api/evidence")
    retry.tap()
    expect(other.locator('[data-testid="case-sheet"]')).to_contain_text("待核查")
    expect(retry).to_have_count(0)
    sign_in.watched.faults.clear()
