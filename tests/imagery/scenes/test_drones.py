"""What drone pictures say of themselves, and how far their own pose lies from the reconstruction's."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from gis_api.__main__ import app
from grid.errors import HdqError, InvalidInput, NotFound, TooLarge, UnsupportedMedia
from grid.geometry import GEOD
from imagery.scenes import drones, georeference
from imagery.terrain import load_terrain

WRAP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}</rdf:RDF></x:xmpmeta>'
DJI = '<rdf:Description xmlns:d="http://www.dji.com/drone-dji/1.0/" {}/>'


def _jpeg(path: Path, xmp: str = "", exif: Image.Exif | None = None, size: tuple[int, int] = (400, 300)) -> Path:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, "JPEG", exif=exif or Image.Exif(), xmp=xmp.encode() if xmp else b"")
    path.write_bytes(buffer.getvalue())
    return path


EXPECTED = {
    "thermal/DJI_H20T.jpg": ("DJI", "ZH20T", -79.7649628, 40.5637811, 221.404, 32.5, -10.5),
    "thermal/h20n_gps_gimbal.jpg": ("DJI", "ZH20N", 114.007268015, 22.596196357, 90.337, 253.4, -32.9),
    "thermal/m30t_1.jpg": ("DJI", "M30T", None, None, None, None, None),
    "thermal/m3t_1.jpg": ("DJI", "M3T", None, None, None, None, None),
    "thermal/FLIR_AX8.jpg": ("FLIR Systems AB", "FLIR AX8", None, None, None, None, None),
    "thermal/FLIR_E40.jpg": ("FLIR Systems AB", "FLIR E40", None, None, None, None, None),
    "photo/dji_fc6310_gps_gimbal.jpg": ("DJI", "FC6310", -94.34875833, 45.03799167, 422.55, 111.3, -88.0),
    "photo/oblique_highway.jpeg": ("Canon", "Canon EOS 5D Mark II", None, None, None, None, None),
    "odm/images/100_0005_0142.tif": ("DJI", "FC6310R", 120.95135295, 24.67986947, 186.44, 357.9, -60.0),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_maker_is_read(real_data: Callable[[str], Path], name: str) -> None:
    photo = drones.read_photo(real_data(f"drone/{name}"))
    maker, model, *pose = EXPECTED[name]
    assert (photo.maker, photo.model) == (maker, model)
    found = (photo.lon, photo.lat, photo.height_m, photo.yaw_deg, photo.pitch_deg)
    assert [value is None for value in found] == [value is None for value in pose]
    assert all(value is None or abs(value - true) < 1e-6 for value, true in zip(found, pose, strict=True))
    assert photo.taken is not None


def test_zone_of_the_time_is_said_only_where_the_file_says_it(real_data: Callable[[str], Path]) -> None:
    zoned = drones.read_photo(real_data("drone/thermal/h20n_gps_gimbal.jpg")).taken
    assert zoned == datetime(2022, 3, 24, 17, 37, 59, tzinfo=timezone(timedelta(hours=8)))
    assert drones.read_photo(real_data("drone/photo/dji_fc6310_gps_gimbal.jpg")).taken == datetime(2020, 6, 4, 22, 10, 30)


def test_what_a_picture_does_not_say_is_named(real_data: Callable[[str], Path]) -> None:
    with pytest.raises(InvalidInput, match="does not say: focal length"):
        drones.read_photo(real_data("drone/photo/dji_fc6310_gps_gimbal.jpg")).frame()
    with pytest.raises(InvalidInput, match="position, height, gimbal yaw, gimbal pitch, focal length"):
        drones.read_photo(real_data("drone/photo/oblique_highway.jpeg")).frame()


def test_own_pose_lies_within_its_stated_accuracy(real_data: Callable[[str], Path], record_property) -> None:
    """The gimbal's own angles and RTK place against the pose of the reconstruction, at nine points of each picture."""
    surface = load_terrain(real_data("drone/odm/odm_dem/dsm.tif"), sigma_m=0.5)
    solved = georeference.read_opensfm(real_data("drone/odm/opensfm/reconstruction.json"), grid="EPSG:32651")
    x, y = (part.ravel() for part in np.meshgrid([300, 684, 1068], [250, 456, 662]))
    apart, stated = [], []
    for name, frame in solved.items():
        photo = drones.read_photo(real_data(f"drone/odm/images/{name}.tif"))
        assert photo.accuracy == "stated" and photo.position_sigma_m < 0.05
        own, true = georeference.ground(photo.frame(), surface, x, y), georeference.ground(frame, surface, x, y)
        known = np.isfinite(own.lon) & np.isfinite(true.lon)
        apart += GEOD.inv(own.lon[known], own.lat[known], true.lon[known], true.lat[known])[2].tolist()
        stated += own.accuracy_m[known].tolist()
    record_property("own pose", f"median {np.median(apart):.2f} m, stated {np.median(stated):.2f} m")
    print(f"own pose: median {np.median(apart):.2f} p95 {np.quantile(apart, 0.95):.2f} m, stated accuracy median {np.median(stated):.2f} m")
    assert (np.array(apart) <= np.array(stated)).mean() >= 0.85


def test_exif_alone_gives_place_and_utc(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[271], exif[272] = "Maker", "Model"
    exif.get_ifd(0x8825).update(
        {1: "S", 2: (36.0, 6.0, 36.0), 3: "W", 4: (120.0, 30.0, 0.0), 5: b"\x01", 6: 12.5, 7: (1.0, 2.0, 3.0), 29: "2024:05:06", 31: 4.5}
    )
    exif.get_ifd(0x8769).update({41989: 24})
    photo = drones.read_photo(_jpeg(tmp_path / "a.jpg", exif=exif))
    assert (photo.lon, photo.lat, photo.height_m) == (-120.5, pytest.approx(-36.11), -12.5)
    assert photo.taken == datetime(2024, 5, 6, 1, 2, 3, tzinfo=UTC)
    assert (photo.position_sigma_m, photo.accuracy) == (4.5, "stated")
    assert photo.focal_px == pytest.approx(24 * 500 / 43.267)


def test_rtk_calibration_and_the_misspelt_longitude(tmp_path: Path) -> None:
    pose = (
        'd:GpsLatitude="36.1" d:GpsLongtitude="120.4" d:AbsoluteAltitude="+80.5" d:GimbalYawDegree="-90.0" d:GimbalPitchDegree="-90.0" d:GimbalRollDegree="0" '
        'd:RtkStdLon="0.02" d:RtkStdLat="0.02" d:RtkStdHgt="0.05" d:CalibratedFocalLength="3000" d:CalibratedOpticalCenterX="2010" d:CalibratedOpticalCenterY="1490"'
    )
    photo = drones.read_photo(_jpeg(tmp_path / "a.jpg", WRAP.format(DJI.format(pose))))
    assert (photo.lon, photo.yaw_deg, photo.height_sigma_m) == (120.4, 270.0, 0.05)
    assert photo.position_sigma_m == pytest.approx(0.02)
    assert photo.focal_px == pytest.approx(3000 * 400 / 4020) and photo.centre_px == pytest.approx((200.0, 1490 * 400 / 4020))
    assert photo.frame().height_m == 80.5
    cut = drones.read_photo(_jpeg(tmp_path / "b.jpg", WRAP.format(DJI.format(pose)), size=(300, 300)))
    assert cut.focal_px is None


def test_what_is_damaged_or_hostile_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "b">]>' + WRAP.format(DJI.format(""))
    assert drones.read_photo(_jpeg(tmp_path / "doctype-outside.jpg", bomb)).lon is None
    inside = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>&b;</a></x:xmpmeta>'
    for name, xmp in (("entity", inside), ("cut", "<x:xmpmeta><open></x:xmpmeta>"), ("deep", "<x:xmpmeta xmlns:x='a'>" + "<a>" * 5000 + "</x:xmpmeta>")):
        with pytest.raises(InvalidInput, match="XMP"):
            drones.read_photo(_jpeg(tmp_path / f"{name}.jpg", xmp))
    with pytest.raises(InvalidInput, match="latitude 91"):
        drones.read_photo(_jpeg(tmp_path / "far.jpg", WRAP.format(DJI.format('d:GpsLatitude="91" d:GpsLongitude="9"'))))
    nowhere = drones.read_photo(_jpeg(tmp_path / "zero.jpg", WRAP.format(DJI.format('d:GpsLatitude="0" d:GpsLongitude="0" d:GimbalYawDegree="nan"'))))
    assert nowhere.lon is None and nowhere.yaw_deg is None
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(UnsupportedMedia):
        drones.read_photo(tmp_path / "text.jpg")
    with pytest.raises(NotFound):
        drones.read_photo(tmp_path / "none.jpg")
    with pytest.raises(TooLarge):
        drones._xmp(b"<x:xmpmeta" + b" " * (2 << 20), "long")


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(2, 1200), st.integers(0, 255)), min_size=1, max_size=10))
def test_hostile_heads_are_read_or_refused(real_data: Callable[[str], Path], tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(real_data("drone/photo/dji_fc6310_gps_gimbal.jpg").read_bytes()[:20_000])
    for offset, value in changes:
        content[offset] = value
    path = tmp_path / "hostile.jpg"
    path.write_bytes(content)
    try:
        photo = drones.read_photo(path)
        said = photo.lat is None or abs(photo.lat) <= 90
    except HdqError as refusal:
        said = bool(refusal.remedy)
    assert said


def test_command_prints_a_line_a_file_and_ends_with_1_where_one_is_refused(real_data: Callable[[str], Path]) -> None:
    run = CliRunner()
    files = [real_data(f"drone/{name}") for name in ("thermal/FLIR_E40.jpg", "thermal/m30t_1.jpg", "dji-srt/p4_rtk.SRT")]
    answer = run.invoke(app, ["photo", *map(str, files)])
    heat, dji, track = (json.loads(line) for line in answer.stdout.splitlines())
    assert answer.exit_code == 0
    assert heat["thermal"]["max_c"] == pytest.approx(24.67, abs=0.05) and "Thermal SDK" in dji["thermal"]["remedy"]
    assert (track["rows"], track["track"][0]["yaw_deg"]) == (55, 110.4)
    answer = run.invoke(app, ["photo", str(real_data("drone/dji-srt/broken_incomplete.SRT")), str(files[2])])
    assert answer.exit_code == 1
    refused, whole = (json.loads(line) for line in answer.stdout.splitlines())
    assert "line 115" in refused["refused"] and whole["rows"] == 55


def test_command_lays_a_frame_on_the_ground(real_data: Callable[[str], Path]) -> None:
    folder = real_data("drone/odm")
    picture, model, poses = folder / "images" / "100_0005_0142.tif", folder / "odm_dem" / "dsm.tif", folder / "opensfm" / "reconstruction.json"
    answer = CliRunner().invoke(app, ["photo", str(picture), "--surface", str(model), "--reconstruction", str(poses)])
    said = json.loads(answer.stdout)["ground"]
    assert said["middle"] == pytest.approx([120.951332, 24.680301], abs=2e-6) and said["accuracy_m"] < 1.0
    assert said["axes"].startswith("grid of EPSG:32651") and said["outline"]["type"] == "Polygon"
