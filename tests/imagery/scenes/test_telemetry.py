"""DJI subtitles of every dialect in the shared folder, and the broken ones by line."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.errors import HdqError, InvalidInput, NotFound, UnsupportedMedia
from imagery.scenes import telemetry

FILES = {
    "matrice_300.srt": (381, "DJI Matrice (lat, lon)", -6.1120, 36.6146, 0.3, 11.0),
    "mavic_2_style.SRT": (468, "DJI [key: value]", 149.0251, -20.2533, None, 11.0),
    "mavic_mini.SRT": (117, "DJI GPS(lon, lat)", -121.7458, 48.0771, 200.7, 11.0),
    "old_format.SRT": (468, "DJI GPS(lon, lat)", 149.0251, -20.2533, 1.9, 11.0),
    "p4_rtk.SRT": (55, "DJI H, G.PRY", -58.851745, -34.237922, 85.8, 0.11),
}


@pytest.mark.parametrize("name", FILES)
def test_every_dialect_is_read_whole(real_data: Callable[[str], Path], name: str) -> None:
    count, dialect, lon, lat, above, rounding = FILES[name]
    track = telemetry.read_srt(real_data(f"drone/dji-srt/{name}"))
    assert (len(track.rows), track.dialect) == (count, dialect)
    first = track.rows[0]
    assert (first.lon, first.lat, first.relative_m) == (lon, lat, above)
    assert track.rounding_m == pytest.approx(rounding, rel=0.02)
    assert all(row.lon is not None and abs(row.lon - lon) < 0.1 and abs(row.lat - lat) < 0.1 for row in track.rows)


def test_pose_clock_and_span(real_data: Callable[[str], Path]) -> None:
    row = telemetry.read_srt(real_data("drone/dji-srt/p4_rtk.SRT")).rows[1]
    assert (row.pitch_deg, row.roll_deg, row.yaw_deg, row.satellites) == (-24.4, 0.0, 110.5, 15)
    assert (row.line, row.start_s, row.end_s, row.clock) == (5, 1.0, 2.0, None)
    row = telemetry.read_srt(real_data("drone/dji-srt/mavic_2_style.SRT")).rows[0]
    assert row.clock == datetime(2017, 8, 5, 14, 11, 51, 393000) and row.start_s is None


def test_the_empty_file_is_refused_by_name(real_data: Callable[[str], Path]) -> None:
    with pytest.raises(InvalidInput, match=r"broken_empty\.SRT is empty \(0 bytes") as refusal:
        telemetry.read_srt(real_data("drone/dji-srt/broken_empty.SRT"))
    assert "again" in refusal.value.remedy


def test_the_cut_file_is_refused_by_line(real_data: Callable[[str], Path]) -> None:
    with pytest.raises(InvalidInput, match=r"from line 115 of broken_incomplete\.SRT is cut") as refusal:
        telemetry.read_srt(real_data("drone/dji-srt/broken_incomplete.SRT"))
    assert "delete the lines from 115 to 117" in refusal.value.remedy


def test_the_remedy_works(real_data: Callable[[str], Path]) -> None:
    lines = real_data("drone/dji-srt/broken_incomplete.SRT").read_text().splitlines()
    assert len(telemetry.parse("\n".join(lines[:114]).encode()).rows) == 19


def test_a_newer_dialect_with_gimbal() -> None:
    entry = (
        '1\n00:00:00,000 --> 00:00:00,033\n<font size="28">FrameCnt: 1, DiffTime: 33ms\n2024-05-01 09:10:11.123\n[iso: 100] [shutter: 1/500.0] '
        "[latitude: 36.123456] [longitude: 120.654321] [rel_alt: 80.500 abs_alt: 112.250] [gb_yaw: -10.5 gb_pitch: -45.0 gb_roll: 0.0] </font>\n"
    )
    row = telemetry.parse(entry.encode()).rows[0]
    assert (row.lon, row.lat, row.relative_m, row.height_m) == (120.654321, 36.123456, 80.5, 112.25)
    assert (row.yaw_deg, row.pitch_deg, row.roll_deg, row.clock) == (349.5, -45.0, 0.0, datetime(2024, 5, 1, 9, 10, 11, 123000))


def test_no_fix_is_no_place_and_nonsense_is_refused(tmp_path: Path) -> None:
    head = "1\n00:00:00,000 --> 00:00:01,000\n"
    assert telemetry.parse(f"{head}GPS(0.0000,0.0000,0) BAROMETER:1.0\n".encode()).rows[0].lon is None
    for body, error, words in (
        ("GPS(190.0,20.0,9) BAROMETER:1\n", InvalidInput, "longitude 190"),
        ("2024.13.40 25:00:00\nGPS(19.0,20.0,9)\n", InvalidInput, "2024.13.40"),
        ("subtitles of a film\n\n2\n00:00:02,000 --> 00:00:03,000\nwords\n", UnsupportedMedia, "names no place"),
        ("x" * 5000, InvalidInput, "5,000 characters"),
        ("GPS(19.0,20.0,9)\n\n2\n00:00:00,000 --> 00:00:01,000\nGPS(19.0,20.0,9)\n", None, ""),
        ("GPS(19.0,20.0,9)\n\nnonsense\nGPS(19.0,20.0,9)\n", UnsupportedMedia, "no entry number"),
    ):
        if error is None:
            assert len(telemetry.parse((head + body).encode()).rows) == 2
            continue
        with pytest.raises(error, match=words):
            telemetry.parse((head + body).encode())
    back = f"1\n00:00:05,000 --> 00:00:06,000\nGPS(19.0,20.0,9)\n\n2\n{head[2:]}GPS(19.0,20.0,9)\n"
    with pytest.raises(InvalidInput, match="time goes back at line 5"):
        telemetry.parse(back.encode())
    with pytest.raises(UnsupportedMedia, match="no text"):
        telemetry.parse(b"\0\0\0\x18ftypmp42")
    with pytest.raises(NotFound):
        telemetry.read_srt(tmp_path / "none.srt")


@settings(max_examples=200, deadline=500)
@given(st.text(alphabet="0123456789\n ,.:->()[]GPSlatitudeongM°/", max_size=600))
def test_hostile_text_is_read_or_refused(text: str) -> None:
    try:
        said = bool(telemetry.parse(text.encode()).rows)
    except HdqError as refusal:
        said = bool(refusal.remedy)
    assert said
