"""The cameras' doors: scope, roles, frames that are sent, models and detectors."""

from datetime import UTC, datetime, timedelta

from imagery.cameras import weights
from tests.imagery.cameras.conftest import jpeg, picture


async def test_cameras_are_listed_inside_the_scope_only_and_never_tell_their_stream(app_client, login, make_camera) -> None:
    camera = await make_camera(region_code="370212", stream="rtsp://u:canary@10.0.0.1/x")
    await make_camera(region_code="370202", kind="street")
    await login(app_client, "laoshan")
    answer = await app_client.get("/api/cameras")
    assert [found["id"] for found in answer.json()] == [camera.id]
    assert "canary" not in answer.text
    assert answer.json()[0]["stale"] is True
    detail = (await app_client.get(f"/api/cameras/{camera.id}")).json()
    assert (detail["lon"], detail["frames"], detail["streaming"]) == (120.6, [], True)
    await login(app_client, "shinan")
    assert (await app_client.get(f"/api/cameras/{camera.id}")).status_code == 404
    assert [found["kind"] for found in (await app_client.get("/api/cameras", params={"kind": "street"})).json()] == ["street"]
    assert (await app_client.get("/api/cameras", params={"bbox": "36,120,37,121"})).status_code == 422


async def test_a_sent_frame_is_accepted_once_and_shown_with_its_state(app_client, login, make_camera) -> None:
    camera = await make_camera()
    await login(app_client, "suanfa")
    at = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    file = {"file": ("f.jpg", jpeg(picture()), "image/jpeg")}
    first = await app_client.post(f"/api/cameras/{camera.id}/frames", files=file, data={"recorded_at": at})
    again = await app_client.post(f"/api/cameras/{camera.id}/frames", files=file, data={"recorded_at": at})
    assert (first.status_code, first.json()["repeated"], again.json()["repeated"]) == (202, False, True)
    assert first.json()["frame_id"] == again.json()["frame_id"]
    (frame,) = (await app_client.get(f"/api/cameras/{camera.id}")).json()["frames"]
    assert (frame["state"], frame["sha256"], frame["boxes"]) == ("queued", first.json()["sha256"], 0)


async def test_bad_frames_and_wrong_people_get_a_problem(app_client, login, make_camera) -> None:
    camera = await make_camera()
    whole = jpeg(picture())
    await login(app_client, "suanfa")
    for content, data, status in (
        (whole[:3000], {}, 422),
        (b"no picture", {}, 415),
        (whole, {"recorded_at": "2026-11-22T08:00:00"}, 422),
        (whole, {"recorded_at": "2999-01-01T00:00:00Z"}, 422),
    ):
        answer = await app_client.post(f"/api/cameras/{camera.id}/frames", files={"file": ("f.jpg", content, "image/jpeg")}, data=data)
        assert answer.status_code == status, answer.text
        assert answer.json()["remedy"]
    missing = await app_client.post("/api/cameras/999999/frames", files={"file": ("f.jpg", whole, "image/jpeg")})
    assert missing.status_code == 404
    await login(app_client, "linye")
    assert (await app_client.post(f"/api/cameras/{camera.id}/frames", files={"file": ("f.jpg", whole, "image/jpeg")})).status_code == 403
    assert (await app_client.get(f"/api/cameras/{camera.id}")).json()["frames"] == []


async def test_models_and_detectors_tell_what_runs_and_what_does_not(app_client, login, settings, white_model) -> None:
    assert (await app_client.get("/api/models")).status_code == 401
    weights.add_model(weights.models_dir(settings.data_dir), white_model, model_id="smoke-fire", licence="none", provenance="test")
    await login(app_client, "suanfa")
    (model,) = (await app_client.get("/api/models")).json()
    assert (model["id"], model["classes"], model["licence"]) == ("smoke-fire", ["smoke", "fire"], "none")
    found = {entry["id"]: entry for entry in (await app_client.get("/api/detectors")).json()}
    assert found["smoke-fire"]["available"] and found["smoke-fire"]["model_sha256"] == model["sha256"]
    assert not found["street-litter"]["available"]
    assert "hdq models add" in found["street-litter"]["remedy"]


async def test_a_file_of_cameras_names_streams_of_allowed_hosts_only_and_needs_the_right(app_client, login, make_camera) -> None:
    await make_camera()
    lines = ["code,lon,lat,azimuth_deg,stream,owner", *(f"3702120000132000000{n},120.6,36.2,{n},{stream},水务局" for n, stream in enumerate(("", "file:/etc/passwd", "rtsp://10.0.0.1/x")))]
    file = {"file": ("cameras.csv", "\n".join(lines).encode(), "text/csv")}
    await login(app_client, "suanfa")
    assert (await app_client.post("/api/cameras/import", files=file)).status_code == 403
    await login(app_client, "admin")
    answer = await app_client.post("/api/cameras/import", files=file)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["added"], [refused["line"] for refused in answer.json()["refused"]]) == (1, [2, 3])
    assert [found["owner"] for found in (await app_client.get("/api/cameras")).json()] == ["", "水务局"]
    assert (await app_client.post("/api/cameras/import", files={"file": ("x.csv", b"", "text/csv")})).status_code == 422
