"""hdq drone, as it is typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gis_api.__main__ import app
from tests.imagery.scenes.test_video import srt
from tests.imagery.scenes.test_volumes import cone, surface, write


def said(*arguments: str) -> tuple[int, list[dict]]:
    done = CliRunner().invoke(app, ["drone", *arguments])
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()]


def test_volume(tmp_path: Path) -> None:
    later = surface(2)
    heap = cone(later, 30, 30, 8, 4)
    code, lines = said("volume", str(write(tmp_path / "a.tif", surface(1))), str(write(tmp_path / "b.tif", later)))
    assert code == 0 and lines[0]["volume_m3"] == pytest.approx(heap, rel=0.05) and lines[0]["certain"] and lines[-1]["heaps"] == len(lines) - 1
    code, lines = said("volume", str(tmp_path / "a.tif"), str(tmp_path / "none.tif"))
    assert code == 1 and lines[0]["refused"]


def test_video(tmp_path: Path, real_data) -> None:
    clip = real_data("video/car-detection.mp4")
    (tmp_path / "v.srt").write_bytes(srt(40))
    code, lines = said("video", str(clip), str(tmp_path / "v.srt"), "--focal-px", "800", "--every-s", "10", "--takeoff-m", "10")
    assert code == 0 and [line["at_s"] for line in lines] == pytest.approx([0, 10, 20, 30], abs=0.1)
    (tmp_path / "v.srt").write_bytes(srt(3))
    code, lines = said("video", str(clip), str(tmp_path / "v.srt"), "--focal-px", "800", "--every-s", "10", "--takeoff-m", "10")
    assert code == 1 and "no telemetry at 10" in lines[-1]["refused"]
