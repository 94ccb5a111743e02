"""Pictures and streams: what opens, what is refused, and that nothing hangs."""

import io
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grid.errors import InvalidInput, NotFound, TooLarge, UnsupportedMedia
from imagery.cameras import frames, health, streams
from imagery.cameras.frames import StreamFailed
from tests.imagery.cameras.conftest import jpeg, picture


def clip(path: Path, pictures: int = 60) -> Path:
    """A 10 fps H.264 video whose picture n is grey n×4, a key frame every 5."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"g": "5", "preset": "ultrafast", "tune": "zerolatency"}
        for number in range(pictures):
            image = np.full((120, 160, 3), number * 4 % 255, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that claims width×height pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_a_whole_picture_is_decoded_upright() -> None:
    buffer = io.BytesIO()
    image = Image.fromarray(picture(((0, 0, 320, 40),)))
    exif = image.getexif()
    exif[0x0112] = 6  # turned a quarter clockwise
    image.save(buffer, "JPEG", exif=exif)
    upright = frames.decode(buffer.getvalue())
    assert upright.shape == (320, 240, 3)
    assert upright[:, 230].mean() > 200 > upright[:, 10].mean()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (jpeg(picture())[:4000], InvalidInput),
        (jpeg(picture())[:-40], InvalidInput),
        (b"", UnsupportedMedia),
        (b"GIF89a", UnsupportedMedia),
        (b"\xff\xd8\xff" + b"garbage" * 100, (InvalidInput, UnsupportedMedia)),
        (bomb(30_000, 30_000), TooLarge),
        (bomb(200_000, 200_000), TooLarge),
        (bomb(100, 100), InvalidInput),
        (jpeg(picture(width=8, height=8)), InvalidInput),
        (b"\0" * (frames.MAX_BYTES + 1), TooLarge),
    ],
    ids=["half", "tail", "empty", "gif", "garbage", "bomb", "huge bomb", "short png", "tiny", "bytes"],
)
def test_damaged_and_hostile_pictures_are_refused_with_a_remedy(content: bytes, error) -> None:
    with pytest.raises(error) as caught:
        frames.decode(content)
    assert caught.value.remedy


def test_a_folder_gives_settled_pictures_in_order_of_time_and_passes_over_damaged_ones(tmp_path: Path) -> None:
    start = time.time() - 600
    for number, name in enumerate(("b.jpg", "a.jpg", "broken.jpg", "new.jpg")):
        (tmp_path / name).write_bytes(jpeg(picture(seed=number))[: 500 if name == "broken.jpg" else None])
        if name != "new.jpg":
            os.utime(tmp_path / name, (start + number, start + number))
    (tmp_path / "notes.txt").write_text("x")
    refused = []
    shown = list(frames.folder(tmp_path, on_refused=lambda file, error: refused.append((file.name, type(error)))))
    assert [Path(frame.source).name for frame in shown] == ["b.jpg", "a.jpg"]
    assert [frame.number for frame in shown] == [0, 1]
    assert shown[0].recorded_at == datetime.fromtimestamp(start, UTC)
    assert refused == [("broken.jpg", InvalidInput)]
    later = list(frames.folder(tmp_path, since=shown[1].recorded_at, on_refused=lambda *_: None))
    assert [Path(frame.source).name for frame in later] == ["a.jpg"]
    with pytest.raises(InvalidInput):
        list(frames.folder(tmp_path))
    with pytest.raises(NotFound):
        list(frames.folder(tmp_path / "absent"))


def test_a_video_is_read_by_key_frames_or_whole(tmp_path: Path) -> None:
    path, start = clip(tmp_path / "clip.mp4"), datetime(2026, 11, 22, tzinfo=UTC)
    keys, whole = list(frames.video(path, start=start)), list(frames.video(path, start=start, key_frames=False))
    assert (len(keys), len(whole)) == (12, 60)
    assert keys[1].recorded_at - start == timedelta(seconds=0.5)
    assert whole[50].image.mean() == pytest.approx(200, abs=4)


def test_a_replay_holds_each_picture_and_records_it_now(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(picture(seed=number)))
    shown = list(streams.open_stream(f"replay:{tmp_path}?hold=2&limit=2"))
    assert len(shown) == 4
    assert shown[0].content == shown[1].content != shown[2].content
    assert abs((datetime.now(UTC) - shown[0].recorded_at).total_seconds()) < 30
    assert len(list(streams.open_stream(f"replay:{clip(tmp_path / 'clip.mp4')}?hold=1&limit=5"))) == 5


@pytest.mark.parametrize("stream", ["http://camera/x", "/etc/passwd", "replay:/tmp?hold=0", "replay:/tmp?x=1", "rtsp:camera", "concat:a|b", ""])
def test_other_spellings_of_streams_are_refused(stream: str) -> None:
    with pytest.raises(InvalidInput):
        next(streams.open_stream(stream))


@pytest.mark.parametrize("content", [b"\0" * 50_000, b"#EXTM3U\n#EXTINF:1\n/etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n", b""])
def test_garbage_and_playlists_are_no_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(StreamFailed):
        list(frames.video(path))


def test_a_cut_off_video_fails_or_gives_its_whole_frames(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(StreamFailed):
        list(frames.video(path))


@pytest.fixture
def rtsp_server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """An RTSP server on 127.0.0.1 that publishes clip.mp4 in a loop of its own length; the process and the address."""
    pytest.importorskip("aio_rtsp_toolkit", reason="the RTSP server of the tests is aio-rtsp-toolkit")
    folder = tmp_path / "published"
    folder.mkdir()
    clip(folder / "clip.mp4", pictures=600)
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    server = subprocess.Popen(
        [Path(sys.executable).with_name("rtsp-server"), "-d", folder, "-H", "127.0.0.1", "-p", str(ports[0]), "-cp", str(ports[1])],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", ports[0])) == 0:
                break
    yield server, f"rtsp://127.0.0.1:{ports[0]}/clip.mp4"
    os.kill(server.pid, signal.SIGCONT)
    server.kill()
    server.wait()


def test_rtsp_gives_frames_and_a_stalled_camera_ends_by_timeout(rtsp_server) -> None:
    server, address = rtsp_server
    stream = streams.live(address, "the tower", read_seconds=2.0)
    first, second = next(stream), next(stream)
    assert first.image.shape == (120, 160, 3)
    assert second.recorded_at >= first.recorded_at
    os.kill(server.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(StreamFailed):
        for _ in stream:
            pass
    assert time.monotonic() - began < 15


def test_a_silent_host_ends_by_timeout_and_errors_do_not_tell_the_password() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(StreamFailed) as caught:
            address = f"rtsp://admin:canary-secret@127.0.0.1:{silent.getsockname()[1]}/x"
            next(streams.live(address, streams.check_address(address, frozenset({"127.0.0.1"})), open_seconds=1.5, read_seconds=1.5))
    assert time.monotonic() - began < 10
    assert "canary-secret" not in str(caught.value) + str(caught.value.__cause__)


def test_health_tells_dark_blurred_frozen_and_well() -> None:
    well, other = health.thumb(picture(seed=1)), health.thumb(picture(seed=2))
    assert health.faults(well, other) == ()
    assert health.faults(well, well) == (health.Fault.FROZEN,)
    assert health.faults(health.thumb(np.full((240, 320, 3), 5, np.uint8))) == (health.Fault.DARK,)
    assert health.faults(health.thumb(np.full((240, 320, 3), 128, np.uint8))) == (health.Fault.BLURRED,)


def test_the_gate_passes_a_small_change_and_holds_back_noise() -> None:
    before = health.thumb(picture(seed=1))
    assert health.changed(before, None)
    noisy = np.clip(picture(seed=1).astype(int) + np.random.default_rng(3).integers(-4, 5, (240, 320, 3)), 0, 255).astype(np.uint8)
    assert not health.changed(health.thumb(noisy), before)
    assert health.changed(health.thumb(picture(((100, 100, 112, 112),), seed=1)), before)
