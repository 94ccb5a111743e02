"""A drone's video on the ground: poses by time, footprints, and what moves."""

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from skimage.measure import label, regionprops

from grid.errors import InvalidInput
from grid.geometry import area_m2, inverse
from imagery.cameras import frames
from imagery.cameras.engines import Box
from imagery.scenes.georeference import Lens, ground
from imagery.scenes.orthos import Model
from imagery.scenes.telemetry import parse, read_srt
from imagery.scenes.video import Mount, course, findings, follow, looks, place, pose, watch
from imagery.terrain import GEOD, flat
from tests.imagery.scenes.test_orthos import Reds

LENS = Lens(640, 480, 800.0, 800.0, 320.0, 240.0)
START = (120.40, 36.10)
SURFACE = flat(10.0, sigma_m=0.5)


def srt(rows: int = 11, *, speed: float = 5.0, azimuth: float = 90.0, pitch: float = -90.0, yaw: float = 0.0, gimbal: bool = True) -> bytes:
    """A flight at 50 m above take-off, one row a second, in DJI's newer words."""
    entries = []
    for second in range(rows):
        lon, lat, _ = GEOD.fwd(*START, azimuth, speed * second)
        turn = f" [gb_yaw: {yaw} gb_pitch: {pitch} gb_roll: 0.0]" if gimbal else ""
        entries.append(
            f"{second + 1}\n00:00:{second:02d},000 --> 00:00:{second + 1:02d},000\n"
            f"[latitude: {lat:.8f}] [longitude: {lon:.8f}] [rel_alt: 50.0 abs_alt: 60.0]{turn}\n"
        )
    return "\n".join(entries).encode()


def test_frames_are_joined_to_rows_by_time() -> None:
    track, mount = parse(srt()), Mount(LENS, takeoff_m=10.0)
    camera = pose(track, mount, 2.5)
    azimuth, distance = inverse(*START, camera.lon, camera.lat)
    assert (azimuth, distance) == (pytest.approx(90, abs=0.2), pytest.approx(12.5, abs=0.02)) and camera.height_m == pytest.approx(60)
    assert inverse(*START, (late := pose(track, Mount(LENS, 10.0, delay_s=1.0), 2.5)).lon, late.lat)[1] == pytest.approx(17.5, abs=0.02)
    for at in (-1.0, 12.0, 60.0):
        with pytest.raises(InvalidInput, match="no telemetry at"):
            pose(track, mount, at)


def test_angles_turn_the_short_way_round() -> None:
    text = srt(2).decode().replace("gb_yaw: 0.0", "gb_yaw: 350.0", 1).replace("gb_yaw: 0.0", "gb_yaw: 10.0", 1)
    up = -pose(parse(text.encode()), Mount(LENS, 10.0), 0.5).rotation[1]
    assert math.degrees(math.atan2(up[0], up[1])) == pytest.approx(0, abs=0.01)


def test_footprint_of_a_level_flight() -> None:
    """50 m over level ground with a focal length of 800 pixels: 640 × 480 pixels are 40 × 30 m."""
    (seen,) = looks(parse(srt()), Mount(LENS, 10.0), SURFACE, [0.0])
    assert area_m2(seen.footprint) == pytest.approx(40 * 30, rel=0.01)
    west, south, east, north = seen.footprint.bounds
    assert inverse(west, south, east, south)[1] == pytest.approx(40, rel=0.01) and seen.footprint.contains(shapely.Point(START))
    assert 5 < seen.accuracy_m < 12, "GNSS, and two degrees of gimbal at 50 m"


def test_without_a_gimbal_the_course_is_the_heading_and_less_is_known() -> None:
    track = parse(srt(gimbal=False, azimuth=45.0))
    camera = pose(track, Mount(LENS, 10.0), 5.0)
    ahead = -camera.rotation[1]
    assert math.degrees(math.atan2(ahead[0], ahead[1])) == pytest.approx(45, abs=1) and camera.angle_sigma_deg > 15
    with pytest.raises(InvalidInput, match="yaw"):
        pose(parse(srt(gimbal=False, speed=0.0)), Mount(LENS, 10.0), 5.0)
    assert pose(parse(srt(gimbal=False, speed=0.0)), Mount(LENS, 10.0, yaw_deg=0.0), 5.0).angle_sigma_deg < 3


def film(cars: dict[str, tuple[float, float, float, float]], *, pitch: float, seconds: int = 9) -> list[tuple[float, np.ndarray]]:
    """Pictures twice a second of red squares on the ground: (east, north) in metres at the start, and their speeds (east, north) in m/s."""
    track, mount, pictures = parse(srt(pitch=pitch, speed=3.0)), Mount(LENS, 10.0), []
    x, y = np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5)
    for at in np.arange(0, seconds, 0.5):
        place_ = ground(pose(track, mount, float(at)), SURFACE, x[::4, ::4], y[::4, ::4])
        azimuth, _, distance = GEOD.inv(np.full(place_.lon.size, START[0]), np.full(place_.lon.size, START[1]), place_.lon.ravel(), place_.lat.ravel())
        east, north = (np.array(distance) * f(np.radians(azimuth)) for f in (np.sin, np.cos))
        image = np.full((120, 160, 3), 90, np.uint8)
        for e, n, ve, vn in cars.values():
            here = (np.abs(east - e - ve * at) < 1.5) & (np.abs(north - n - vn * at) < 1.5)
            image[here.reshape(120, 160)] = (200, 20, 20)
        pictures.append((float(at), image.repeat(4, 0).repeat(4, 1)))
    return pictures


@pytest.mark.parametrize(("pitch", "north"), [(-90.0, 0.0), (-45.0, 52.0)])
def test_what_moves_is_told_from_what_stands(pitch: float, north: float) -> None:
    cars = {"parked": (10.0, north + 5.0, 0.0, 0.0), "driving": (0.0, north - 6.0, 4.0, 0.5)}
    track = parse(srt(pitch=pitch, speed=3.0))
    seen, trails = watch(film(cars, pitch=pitch), track, Mount(LENS, 10.0), SURFACE, Reds(), threshold=0.5)
    assert len(seen) == 18 and all(look.footprint.area > 0 for look in seen)
    driving, parked = sorted((trail for trail in trails if len(trail.places) >= 6), key=lambda trail: -trail.speed_m_s)
    assert driving.moves and driving.speed_m_s == pytest.approx(math.hypot(4, 0.5), abs=0.3)
    assert driving.heading_deg == pytest.approx(math.degrees(math.atan2(4, 0.5)), abs=4)
    assert not parked.moves and parked.heading_deg is None
    azimuth, distance = inverse(*START, parked.places[-1].lon, parked.places[-1].lat)
    off = math.hypot(distance * math.sin(math.radians(azimuth)) - 10.0, distance * math.cos(math.radians(azimuth)) - north - 5.0)
    assert off < (0.3 if pitch == -90 else 2.0) < parked.places[-1].accuracy_m
    (told,) = findings("clip", trails, Model("reds", "1.0", "b" * 64), {"car": "vehicle"}, datetime(2026, 9, 1, tzinfo=UTC))
    assert told.kind == "vehicle" and told.properties["moves"] and told.accuracy_m > 3


def test_a_trail_is_not_handed_to_another_thing() -> None:
    track, mount = parse(srt(speed=0.0)), Mount(LENS, 10.0)
    def at(second: float, x: float, label: str) -> list:
        return place(pose(track, mount, second), SURFACE, second, [Box(x - 10, 230, x + 10, 250, 0.9, label)])

    trails = follow([at(0.0, 100, "car"), at(0.5, 104, "car"), at(1.0, 600, "car"), at(1.5, 604, "person"), at(6.0, 100, "car")])
    assert [len(trail.places) for trail in trails] == [2, 1, 1, 1]


@pytest.mark.parametrize("name", ["p4_rtk.SRT", "mavic_mini.SRT"])
def test_telemetry_of_makers(real_data, name: str) -> None:
    track = read_srt(real_data("drone/dji-srt") / name)
    mount = Mount(Lens(1920, 1080, 1500.0, 1500.0, 960.0, 540.0), takeoff_m=0.0, pitch_deg=-90.0, yaw_deg=0.0)
    (seen,) = looks(track, mount, flat(0.0), [track.rows[1].start_s])
    assert 10 < seen.accuracy_m < 500 and shapely.Point(track.rows[1].lon, track.rows[1].lat).distance(seen.footprint) < 0.02
    assert area_m2(seen.footprint) > 1000


def test_a_real_clip_with_made_telemetry(real_data) -> None:
    """The clip stands over a car park; its telemetry is made: a drone that hovers at 12 m. Red cars drive through."""
    clip: Path = real_data("video/car-detection.mp4")
    track = parse(srt(40, speed=0.0).replace(b"rel_alt: 50.0", b"rel_alt: 12.0"))
    mount = Mount(Lens(768, 432, 800.0, 800.0, 384.0, 216.0), takeoff_m=10.0)
    pictures = [(frame.number / 12.5, frame.image) for frame in frames.video(clip, key_frames=False) if frame.number % 3 == 0]

    class Cars(Reds):
        def boxes(self, image: np.ndarray, threshold: float, *, overlap: float = 0.5, limit: int = 100) -> tuple[Box, ...]:
            values = image.astype(int)
            found = regionprops(label((values[..., 0] > 120) & (values[..., 0] - values[..., 1] > 60)))
            return tuple(Box(one.bbox[1], one.bbox[0], one.bbox[3], one.bbox[2], 0.9, "car") for one in found if one.area > 3000)

    seen, trails = watch(pictures, track, mount, SURFACE, Cars(), threshold=0.5)
    assert len(seen) == len(pictures) and area_m2(seen[0].footprint) == pytest.approx(768 * 432 * (12 / 800) ** 2, rel=0.02)
    (moving,) = [trail for trail in trails if trail.moves and len(trail.places) >= 6]
    assert 1 < moving.speed_m_s < 4 and (moving.heading_deg + 180) % 360 == pytest.approx(180, abs=30), "up the picture, which is north"


def test_the_flown_line() -> None:
    assert course(parse(srt())).length > 0 and course(parse(srt(speed=0.0))) is None
