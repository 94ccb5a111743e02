"""Walk 4, through real HTTP and a real worker: a grid worker's report becomes a case that another person closes."""

import io
import time
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import psycopg
from PIL import Image, ImageDraw

PLACE = {"lon": 120.38, "lat": 36.062, "accuracy_m": 8.0}
CELL = "370202001001001"


def photo(words: str) -> bytes:
    """A JPEG nobody has sent before."""
    image = Image.new("RGB", (640, 480), (120, 130, 110))
    ImageDraw.Draw(image).text((20, 20), f"{words} {uuid4()}", fill=(255, 255, 255))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def send_photo(client: httpx.Client, words: str) -> str:
    answer = client.post("/api/evidence", files={"file": ("a.jpg", photo(words), "image/jpeg")}, data={"taken_at": datetime.now(UTC).isoformat(), **PLACE})
    assert answer.status_code == 201, answer.text
    return answer.json()["sha256"]


def step(client: httpx.Client, case: dict, action: str, **more) -> dict:
    answer = client.post(f"/api/cases/{case['id']}/steps", json={"action": action, "version": case["version"], **more})
    assert answer.status_code == 200, f"{action}: {answer.text}"
    return answer.json()


def until(check, seconds: float = 20.0):
    """Asks again until the answer is true; what it was then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


def test_a_report_becomes_a_case_that_another_person_closes(live, people):
    with psycopg.connect(live.settings.database_url) as connection:
        connection.execute(
            "INSERT INTO cells (code, name, region_code, geom) VALUES (%s, '网格 001', '370202001001', ST_Multi(ST_MakeEnvelope(120.37, 36.055, 120.39, 36.07, 4326)))",
            [CELL],
        )
    worker, handler, desk, elsewhere = (live.login(name) for name in ("wangge", "chuzhi", "linye", "laoshan"))

    before = send_photo(worker, "before")
    report = {
        "client_key": str(uuid4()),
        "category_code": "01002",
        "position": PLACE,
        "recorded_at": datetime.now(UTC).isoformat(),
        "note": "花坛边暴露垃圾",
        "evidence": [before],
    }
    first = worker.post("/api/reports", json=report, headers={"Idempotency-Key": report["client_key"]})
    assert first.status_code == 201, first.text
    again = worker.post("/api/reports", json=report)
    assert again.status_code == 200 and again.json()["repeated"] and again.json()["case"]["id"] == first.json()["case"]["id"]

    case = desk.get(f"/api/cases/{first.json()['case']['id']}").json()
    assert case["state"] == "reported" and case["place"]["cell_code"] == CELL and case["place"]["name"].startswith("市南区")
    assert case["number"].startswith("370202") and case["due_at"] > case["opened_at"] and case["remaining_s"] is not None

    shown = until(lambda: (a := desk.get(f"/api/evidence/{before}")).headers["content-type"] == "image/jpeg" and a)
    assert shown.status_code == 200 and elsewhere.get(f"/api/evidence/{before}").status_code == 404
    assert elsewhere.get(f"/api/cases/{case['id']}").status_code == 404

    offered = {action["action"] for action in case["actions"]}
    assert {"file", "reject", "cancel"} == offered
    illegal = desk.post(f"/api/cases/{case['id']}/steps", json={"action": "pass", "version": case["version"]})
    assert illegal.status_code == 409 and illegal.headers["content-type"].startswith("application/problem+json") and illegal.json()["remedy"]

    case = step(desk, case, "file")
    assert any(person["id"] == people["chuzhi"] for person in case["handlers"])
    case = step(desk, case, "dispatch", handler_id=people["chuzhi"])
    task = next(task for task in handler.get("/api/tasks", params={"lon": 120.38, "lat": 36.06}).json() if task["case"]["id"] == case["id"])
    assert task["next_action"]["action"] == "receive" and 0 < task["distance_m"] < 500
    case = step(handler, case, "receive")
    case = step(handler, case, "start")
    case = step(handler, case, "handle", evidence=[send_photo(handler, "after")])
    own = handler.post(f"/api/cases/{case['id']}/steps", json={"action": "pass", "version": case["version"]})
    assert own.status_code == 409 and not handler.get(f"/api/cases/{case['id']}").json()["actions"]
    case = step(worker, case, "pass")
    assert case["state"] == "closed" and case["actions"] == [] and len(case["evidence"]) == 2
    assert [taken["action"] for taken in case["steps"]] == ["open", "file", "dispatch", "receive", "start", "handle", "pass"]

    with psycopg.connect(live.settings.database_url) as connection:
        kinds = [kind for (kind,) in connection.execute("SELECT kind FROM events WHERE entity_id = %s AND kind LIKE 'case.%%' ORDER BY id", [str(case["id"])])]
    assert kinds == ["case.opened"] + ["case.changed"] * 6


def test_a_report_that_cannot_be_is_refused_and_leaves_nothing(live, people):
    worker = live.login("wangge")
    report = {"client_key": str(uuid4()), "category_code": "01002", "position": PLACE, "recorded_at": datetime.now(UTC).isoformat()}
    for change, status, named in (
        ({"category_code": "42424"}, 422, "42424"),
        ({"position": {**PLACE, "lon": 121.9}}, 422, "outside your region"),
        ({"position": {**PLACE, "lat": 120.0}}, 422, "lat"),
        ({"recorded_at": "2031-01-01T00:00:00Z"}, 422, "2031"),
        ({"evidence": ["f" * 64]}, 422, "f" * 64),
    ):
        refused = worker.post("/api/reports", json={**report, **change})
        assert refused.status_code == status and named in refused.text, refused.text
    cut = worker.post("/api/evidence", files={"file": ("a.jpg", photo("cut")[:4000], "image/jpeg")})
    assert cut.status_code == 422 and cut.json()["remedy"]
    text = worker.post("/api/evidence", files={"file": ("a.jpg", b"<svg onload=alert(1)>", "image/jpeg")})
    assert text.status_code == 415
    assert live.login("shenji").post("/api/reports", json=report).status_code == 403
    with psycopg.connect(live.settings.database_url) as connection:
        assert connection.execute("SELECT (SELECT count(*) FROM cases) + (SELECT count(*) FROM reports) + (SELECT count(*) FROM evidence)").fetchone() == (0,)
