"""Where drones' photos and videos looked: kept with pose and accuracy, on the map, inside the region; and scenes sent in parts, without a connection held."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import httpx
import mapbox_vector_tile
import numpy as np
import pytest
from rasterio.transform import from_origin

from grid.database import make_pool
from grid.settings import Settings
from imagery.scenes import catalogue, footprints, tiles
from imagery.scenes.raster import write_geotiff
from tests.imagery.scenes.test_drones import DJI, WRAP, _jpeg
from tests.imagery.scenes.test_video import srt

POSE = (
    'd:GpsLatitude="36.06" d:GpsLongitude="120.38" d:AbsoluteAltitude="+120.0" d:RelativeAltitude="+100.0" d:GimbalYawDegree="+30.0" d:GimbalPitchDegree="-90.0" '
    'd:GimbalRollDegree="0.0" d:CalibratedFocalLength="400" d:CalibratedOpticalCenterX="200" d:CalibratedOpticalCenterY="150"'
)
WHEN = "2026-09-15T10:45:00+08:00"


def photo(path: Path, pose: str = POSE) -> bytes:
    return _jpeg(path, WRAP.format(DJI.format(pose))).read_bytes()


async def test_a_photo_lies_on_the_ground_with_pose_and_accuracy(app_client: httpx.AsyncClient, login, settings: Settings, tmp_path: Path) -> None:
    content = photo(tmp_path / "a.jpg")
    send = lambda body=content, **said: app_client.post("/api/drone/frames", files={"file": ("DJI_0001.JPG", body, "image/jpeg")}, data=said)  # noqa: E731
    await login(app_client, "linye")
    assert (await send(datetime=WHEN)).status_code == 403
    await login(app_client, "shuju")
    assert (await send()).status_code == 422
    made = await send(datetime=WHEN)
    assert made.status_code == 201, made.text
    item = made.json()
    pose = item["properties"]
    assert item["collection"] == "drone-frames" and pose["view:azimuth"] == pytest.approx(30, abs=0.1) and pose["hdq:pitch_deg"] == pytest.approx(-90) and pose["hdq:pose"] == "assumed"
    assert "level ground" in pose["hdq:ground"] and 3 < pose["hdq:accuracy_m"] < 40
    west, south, east, north = item["bbox"]
    assert (east - west) * 89_000 == pytest.approx(100 * np.cos(np.radians(30)) + 75 * np.sin(np.radians(30)), rel=0.03)
    assert (await send(datetime=WHEN)).json()["id"] == item["id"]
    assert (await send(photo(tmp_path / "b.jpg", POSE.replace("GimbalPitchDegree", "Other")), datetime=WHEN)).status_code == 422

    place = tiles.WEB_MERCATOR.tile(120.38, 36.06, 16)
    drawn = mapbox_vector_tile.decode((await app_client.get(f"/tiles/drone_frames/16/{place.x}/{place.y}.mvt")).content)["drone_frames"]["features"]
    assert sorted(one["geometry"]["type"] for one in drawn) == ["Point", "Polygon"] and {one["properties"]["kind"] for one in drawn} == {"photo"}
    assert [one["id"] for one in (await app_client.get("/stac/search?collections=drone-frames")).json()["features"]] == [item["id"]]
    shown = await app_client.get(f"/api/evidence/{pose['hdq:evidence']}")
    assert shown.status_code == 200 and shown.headers["content-type"] == "image/svg+xml"
    await login(app_client, "laoshan")
    assert not (await app_client.get(f"/tiles/drone_frames/16/{place.x}/{place.y}.mvt")).content and (await app_client.get(f"/api/items/{item['id']}")).status_code == 404


async def test_a_video_leaves_the_footprints_of_its_frames(app_client: httpx.AsyncClient, login) -> None:
    await login(app_client, "shuju")
    said = {"begun": WHEN, "focal_px": "800", "width": "640", "height": "480", "takeoff_m": "10", "every_s": "2"}
    send = lambda **more: app_client.post("/api/drone/videos", files={"file": ("DJI_0001.SRT", srt(), "text/plain")}, data=said | more)  # noqa: E731
    made = await send()
    assert made.status_code == 201, made.text
    frames = made.json()["features"]
    assert [frame["properties"]["hdq:at_s"] for frame in frames] == [0, 2, 4, 6, 8, 10] and frames[1]["properties"]["datetime"] == "2026-09-15T02:45:02Z"
    assert all(frame["properties"]["hdq:accuracy_m"] > 3 for frame in frames)
    assert [frame["id"] for frame in (await send()).json()["features"]] == [frame["id"] for frame in frames]
    for wrong in ({"every_s": "0.1"}, {"begun": "2026-09-15T10:45:00"}, {"begun": "9999-12-31T23:59:59Z"}):
        assert (await send(**wrong)).status_code == 422, wrong


@pytest.mark.parametrize(("name", "shown"), [("..", ""), ("飞" * 300 + ".JPG", "飞" * 251 + ".JPG"), ("夜航/a\x00.JPG", "a.JPG")])
async def test_any_name_that_a_sender_gives_is_shown_and_never_a_path(app_client: httpx.AsyncClient, login, tmp_path: Path, name: str, shown: str) -> None:
    await login(app_client, "shuju")
    for path, content, said in (("frames", photo(tmp_path / "a.jpg"), {"datetime": WHEN}), ("videos", srt(), {"begun": WHEN, "focal_px": "800", "every_s": "10"})):
        parts = [f'name="{key}"\r\n\r\n{value}'.encode() for key, value in said.items()] + [f'name="file"; filename="{name}"\r\n\r\n'.encode() + content]
        body = b"".join(b"--x\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--x--\r\n"
        made = await app_client.post(f"/api/drone/{path}", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert made.status_code == 201, made.text
        item = made.json()["features"][0] if path == "videos" else made.json()
        assert item["properties"]["hdq:source"] == (shown or {"frames": "photo.jpg", "videos": "video.srt"}[path])


def test_the_terrain_is_the_ground_where_its_datum_fits(tmp_path: Path) -> None:
    (tmp_path / "terrain").mkdir()
    write_geotiff(tmp_path / "terrain" / "hill.tif", np.full((1, 50, 50), 60, np.float32), from_origin(120.3, 36.1, 0.002, 0.002), "EPSG:4326")
    for height, relative, word in ((160, 100, "hill.tif"), (160, 20, "level"), (160, None, "hill.tif"), (30, 20, "level")):
        assert word in footprints.ground_under(tmp_path, 120.34, 36.05, height, relative)[1]
    with pytest.raises(footprints.InvalidInput, match="no terrain there"):
        footprints.ground_under(tmp_path, 121.0, 36.05, 100, None)


async def test_a_scene_comes_in_parts_and_holds_no_connection_while_it_is_decoded(
    app_client: httpx.AsyncClient, login, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await login(app_client, "suanfa")
    content = write_geotiff(tmp_path / "a.tif", np.full((1, 64, 64), 9, np.uint8), from_origin(263_000, 3_994_000, 10, 10), "EPSG:32651").read_bytes()
    begun = await app_client.post("/api/uploads", data={"name": "a.tif", "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    assert begun.status_code == 201, begun.text
    address, half = begun.headers["location"], len(content) // 2
    say = {"upload": begun.json()["id"], "datetime": WHEN, "id": "parts"}
    for start, part in ((0, content[:half]), (half, content[half:])):
        if start:
            assert (await app_client.post("/api/scenes", data=say | {"bands": "gray"})).status_code == 409
            assert (await app_client.head(address)).headers["upload-offset"] == str(half)
        sent = await app_client.patch(address, content=part, headers={"Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"})
        assert sent.status_code == 204, sent.text
    assert (await app_client.post("/api/scenes", data=say | {"bands": "red,nir"})).status_code == 422
    made = await app_client.post("/api/scenes", data=say | {"bands": "gray"})
    assert made.status_code == 201 and (await app_client.head(address)).status_code == 404 and not list((settings.data_dir / "datasets").glob(".part-*"))
    assert (await app_client.post("/api/scenes", data={"datetime": WHEN})).status_code == 422

    seen = []
    async with make_pool(settings.database_url, size=2) as pool:

        def decoding(function, *arguments, **limits):
            seen.append(pool.get_stats()["pool_available"])
            return function(*arguments)

        monkeypatch.setattr(catalogue, "isolated", decoding)
        await catalogue.register_apart(pool.connection, settings.data_dir, tmp_path / "a.tif", taken_at=datetime(2026, 9, 1, tzinfo=UTC), bands=("gray",), scene_id="apart")
        assert seen == [pool.get_stats()["pool_size"]]
        with pytest.raises(catalogue.NotFound, match="outside your region"):
            await catalogue.register_apart(
                pool.connection, settings.data_dir, tmp_path / "a.tif", taken_at=datetime(2026, 9, 1, tzinfo=UTC), bands=("gray",), scene_id="theirs", scope=catalogue.Scope("370212")
            )
    assert not list((settings.data_dir / "scenes").glob("theirs*"))
