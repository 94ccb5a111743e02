"""Walk 1, through real HTTP and a real worker: real tower frames sent to a camera become a fire alert with evidence, in time and whatever is killed."""

import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from imagery.cameras import carried, weights

HOLD = 3


@pytest.fixture
def towers(live, people, real_data) -> list[int]:
    """Six towers far apart in 崂山, and the real weights in the registry."""
    taken = carried.take_from_data(weights.models_dir(live.settings.data_dir), real_data("weights").parent)
    assert all(entry.model for entry in taken), taken
    with psycopg.connect(live.settings.database_url) as connection:
        return [
            connection.execute(
                """
                INSERT INTO cameras (code, name, kind, ground_m, height_m, azimuth_deg, pitch_deg, hfov_deg, range_m, detectors, region_code, geom)
                VALUES (%s, %s, 'tower', 300, 30, 90, -4, 60, 8000, '{smoke-fire}', '370212', ST_SetSRID(ST_MakePoint(%s, %s), 4326)) RETURNING id
                """,
                [f"3702120001132{n:07d}", f"高点 {n}", 120.48 + 0.09 * (n % 3), 36.12 + 0.09 * (n // 3)],
            ).fetchone()[0]
            for n in range(6)
        ]


@pytest.fixture
def smoke(real_data) -> list[bytes]:
    """Real labelled tower frames that the detector sees well."""
    from imagery.cameras import frames
    from imagery.cameras.engines import Engine

    engine = Engine(real_data("weights/fire-smoke/light_yolov8_flame.onnx"), ("smoke", "fire"))
    found = []
    for file in sorted(real_data("cameras/hpwren-smoke/labelled").glob("*.jpeg")):
        content = Path(file).read_bytes()
        if any(box.score > 0.6 for box in engine.boxes(frames.decode(content), 0.5)):
            found.append(content)
        if len(found) == 6:
            return found
    raise AssertionError("the labelled frames hold fewer than six that the model sees well")


def send(client: httpx.Client, camera: int, content: bytes, at: datetime) -> dict:
    answer = client.post(f"/api/cameras/{camera}/frames", files={"file": ("f.jpg", content, "image/jpeg")}, data={"recorded_at": at.isoformat()})
    assert answer.status_code == 202, answer.text
    return answer.json()


def alerts(client: httpx.Client) -> list[dict]:
    return client.get("/api/alerts").json()["items"]


def until(condition, seconds: float = 30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not happen within {seconds} s")


def test_real_smoke_on_towers_raises_alerts(live, towers, smoke):
    client, viewer = live.login("suanfa"), live.login("laoshan")
    now = datetime.now(UTC)
    seconds = []
    for camera, content in zip(towers, smoke, strict=True):
        before = {alert["id"] for alert in alerts(viewer)}
        for number in range(HOLD - 1):
            frame = send(client, camera, content, now - timedelta(seconds=20 * (HOLD - number)))
            until(lambda frame=frame, camera=camera: state(client, camera, frame) == "done")
        assert {alert["id"] for alert in alerts(viewer)} == before
        began = time.monotonic()
        send(client, camera, content, datetime.now(UTC))
        until(lambda before=before: {alert["id"] for alert in alerts(viewer)} - before)
        seconds.append(time.monotonic() - began)
    detail = viewer.get(f"/api/alerts/{alerts(viewer)[0]['id']}").json()
    (observed,) = detail["observations"]
    assert (detail["kind"], observed["sensor_kind"], observed["camera_id"]) == ("forest_fire", "camera", towers[-1])
    assert len(observed["model_hash"]) == 64 and observed["algorithm"] == "smoke-fire" and observed["boxes"]
    assert observed["accuracy_m"] > 0 and observed["bearing_deg"] is not None
    picture = viewer.get(f"/api/evidence/{observed['evidence'][0]}")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    print(
        f"frame accepted -> alert row seen over HTTP, seconds: {[round(s, 2) for s in seconds]}, median of the warm ones {statistics.median(seconds[1:]):.2f}"
    )


def state(client: httpx.Client, camera: int, frame: dict) -> str:
    return next(entry["state"] for entry in client.get(f"/api/cameras/{camera}").json()["frames"] if entry["id"] == frame["frame_id"])


def test_a_worker_killed_again_and_again_loses_and_doubles_nothing(live, towers, smoke):
    client = live.login("suanfa")
    start = datetime.now(UTC) - timedelta(minutes=3)
    accepted = []
    for number in range(HOLD):
        for camera, content in zip(towers, smoke, strict=True):
            accepted.append(send(client, camera, content, start + timedelta(seconds=15 * number))["frame_id"])
        live.kill("worker")
        live.start("worker")
    with psycopg.connect(live.settings.database_url, autocommit=True) as connection:

        def counted(query: str) -> int:
            return connection.execute(query).fetchone()[0]

        until(lambda: counted("SELECT count(*) FROM frames WHERE state = 'done'") == len(accepted), 100)
        until(lambda: counted("SELECT count(DISTINCT camera_id) FROM observations") == len(towers), 60)
        assert counted("SELECT count(*) FROM frames") == len(set(accepted)) == len(accepted)
        assert counted("SELECT count(*) FROM (SELECT 1 FROM observations GROUP BY source, source_event_id HAVING count(*) > 1) AS doubled") == 0
        assert counted("SELECT count(*) FROM (SELECT 1 FROM detections GROUP BY frame_id, detector, box HAVING count(*) > 1) AS doubled") == 0
        until(lambda: counted("SELECT count(*) FROM observations WHERE fused_at IS NULL") == 0)
        assert counted("SELECT count(*) FROM alerts WHERE kind = 'forest_fire'") >= 1
