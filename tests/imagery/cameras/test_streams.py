"""Live streams: only of allowed hosts, each behind its own queue, and bad ones disturb nobody."""

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from benchmarks.rtsp_server import Server, clip
from grid.database import make_pool, rows
from grid.errors import Forbidden, HdqError, InvalidInput, TooLarge
from grid.settings import Settings
from imagery.cameras import streams
from imagery.cameras.frames import Frame, StreamFailed
from imagery.cameras.streams_feed import LEFT_BEHIND, Feed
from imagery.cameras.watch import Watcher
from tests.imagery.cameras.conftest import jpeg, picture

HERE = frozenset({"127.0.0.1"})


@functools.cache
def small():
    return clip(160, 96, pictures=20)


async def test_six_streams_of_which_one_sticks_one_sends_garbage_and_one_is_silent(conn, settings, make_camera) -> None:
    """Three real RTSP streams come on at their pace; the three bad ones alone are opened again, and are offline."""

    def opened(address: str, *, hosts: frozenset[str], every_s: float, **_) -> Iterator[Frame]:
        return streams.live(address, streams.check_address(address, hosts), every_s=every_s, open_seconds=2.0, read_seconds=2.0)

    stop = asyncio.Event()
    chosen = settings.model_copy(update={"stream_hosts": "127.0.0.1"})
    async with Server(small()) as server, make_pool(settings.database_url, size=4) as pool:
        server.bad = True
        names = ("stuck", "garbage", "silent", "well0", "well1", "well2")
        made = {name: (await make_camera(stream=server.url(name))).id for name in names}
        watcher = Watcher(chosen, pool, stop, open_stream=opened, every_s={"tower": 0.5, "street": 0.5}, rest_s=(0.1, 0.2))
        running = asyncio.create_task(watcher.run())
        try:
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline:
                await asyncio.sleep(0.2)
                taken = dict((r["camera_id"], r["n"]) for r in await rows(conn, "SELECT camera_id, count(*) AS n FROM frames GROUP BY 1"))
                offline = {r["id"] for r in await rows(conn, "SELECT id FROM cameras WHERE state = 'offline'")}
                await conn.rollback()
                if len(offline) == 3 and all(taken.get(made[name], 0) >= 4 for name in names[3:]):
                    break
        finally:
            stop.set()
            await asyncio.wait_for(running, 60)
    assert offline == {made[name] for name in names[:3]}
    assert set(taken) == {made[name] for name in names[3:]} and min(taken.values()) >= 4
    assert set(watcher.restarts) == offline


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("rtsp://127.0.0.1/x", None),
        ("rtsp://user:pa%40ss@cam.example.cn:8554/x", None),
        ("rtsp://10.20.3.4/x?channel=1&subtype=0", None),
        ("hls:https://cam.example.cn:8554/live.m3u8", None),
        ("rtsp://10.21.3.4/x", Forbidden),
        ("rtsp://cam.example.cn/x", Forbidden),
        ("rtsp://evil.cn/127.0.0.1", Forbidden),
        ("rtsp://127.0.0.1@evil.cn/x", Forbidden),
        ("rtsp://evil.cn#@127.0.0.1/", InvalidInput),
        ("rtsp://evil.cn\\@127.0.0.1/", InvalidInput),
        ("rtsp://a@evil.cn@127.0.0.1/", InvalidInput),
        ("rtsp://127.0.0.1/x\r\nDESCRIBE rtsp://evil.cn", InvalidInput),
        ("rtsp://127.0.0.1 /x", InvalidInput),
        ("hls:file:///etc/passwd", InvalidInput),
        ("snapshot:https://2130706433/x", Forbidden),
    ],
)
def test_only_allowed_hosts_in_plain_spelling_are_asked(address: str, error) -> None:
    hosts = Settings(stream_hosts="127.0.0.1, cam.example.cn:8554,10.20.0.0/16").allowed_streams
    found = streams.judged(address, hosts)
    assert found is None if error is None else isinstance(found, error)
    if error is not None:
        with pytest.raises(error):
            next(streams.open_stream(address, hosts=hosts))


def test_no_host_is_allowed_unless_it_is_named_and_a_wrong_name_stops_the_start() -> None:
    assert isinstance(streams.judged("rtsp://127.0.0.1/x", Settings().allowed_streams), Forbidden)
    for wrong in ("10.20.0.1/16", "rtsp://x", "a b/c"):
        with pytest.raises(ValueError):
            Settings(stream_hosts=wrong)
    assert "secret" not in streams.check_address("rtsp://u:secret@127.0.0.1:554/a@b", HERE)


async def test_a_slow_taker_gets_the_newest_frames_and_a_recording_waits() -> None:
    def many(**_) -> Iterator[Frame]:
        for number in range(30):
            yield Frame(np.zeros((16, 16, 3), np.uint8), datetime.now(UTC), number, "x")

    live, recorded = Feed(bound=3), Feed(bound=3, drop=False)
    assert [frame.number async for frame in recorded.frames(many)] == list(range(30)) and recorded.dropped == 0
    taken = []
    async with contextlib.aclosing(live.frames(many)) as shown:
        async for frame in shown:
            taken.append(frame.number)
            await asyncio.sleep(0.02)
    assert taken[-3:] == [27, 28, 29] and live.dropped == 30 - len(taken)


async def test_a_read_that_never_returns_is_left_behind_and_not_piled_up() -> None:
    released = threading.Event()

    def stuck() -> Iterator[Frame]:
        released.wait(30)
        yield from ()

    feed = Feed(stall_s=0.05)
    reasons = []
    for _ in range(LEFT_BEHIND + 1):
        with pytest.raises(StreamFailed) as caught:
            await anext(feed.frames(stuck, "塔 1"))
        reasons.append(caught.value.detail)
    assert ["卡死" in reason for reason in reasons] == [False] * LEFT_BEHIND + [True]
    released.set()


async def test_key_frames_come_the_due_ones_or_all_pictures_where_none_is_a_key() -> None:
    def read(url: str, count: int, **how) -> tuple[float, Frame]:
        stream = streams.live(url, "well", **({"open_seconds": 3.0, "read_seconds": 3.0} | how))
        found = [next(stream) for _ in range(count)]
        stream.close()
        return (found[-1].recorded_at - found[1].recorded_at).total_seconds(), found[0]

    async with Server(small()) as server, Server(clip(160, 96, pictures=60, key_every=60)) as refreshing:
        keys, paced, whole, keyless = await asyncio.gather(
            asyncio.to_thread(read, server.url("well"), 5),
            asyncio.to_thread(read, server.url("well"), 3, every_s=1.0),
            asyncio.to_thread(read, server.url("well"), 10, key_frames=False),
            asyncio.to_thread(read, refreshing.url("well"), 10, read_seconds=1.0),
        )
    assert keys[0] > 0.9 and paced[0] > 0.8 and whole[0] < 1.5 and keyless[0] < 3
    assert keys[1].image.shape == (96, 160, 3) and keys[1].image.std() > 10


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """A web server on 127.0.0.1 that answers with what the dictionary holds."""
    held: dict[str, bytes] = {}

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = held.get(self.path)
            self.send_response(404 if content is None else 302 if content.startswith(b"Location") else 200)
            if content and content.startswith(b"Location"):
                self.send_header("Location", content.partition(b" ")[2].decode())
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_) -> None:
            """Keeps the test's output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", held
    server.shutdown()
    server.server_close()


def test_snapshots_are_fetched_anew_and_what_is_none_is_refused(web) -> None:
    root, held = web
    held["/now.jpg"] = jpeg(picture(seed=1))
    stream = streams.open_stream(f"snapshot:{root}/now.jpg", hosts=HERE, every_s=0.0)
    assert next(stream).content == held["/now.jpg"]
    for content, error in ((b"x" * 100, HdqError), (b"Location http://127.0.0.1:1/", StreamFailed), (b"\0" * (32 * 2**20 + 1), TooLarge)):
        held["/bad"] = content
        with pytest.raises(error):
            next(streams.snapshots(f"{root}/bad", HERE))
    with pytest.raises(StreamFailed):
        next(streams.snapshots(f"{root}/absent", HERE))


def segment(path: Path, grey: int) -> bytes:
    """One second of MPEG-TS."""
    import av

    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"g": "5", "preset": "ultrafast", "tune": "zerolatency"}
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((120, 160, 3), grey, np.uint8), format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def test_a_playlist_gives_its_newest_segments_and_never_leaves_the_allowed_hosts(web, tmp_path: Path) -> None:
    root, held = web
    held["/live.m3u8"] = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/list.m3u8\n"
    held["/low/list.m3u8"] = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nold.ts\n#EXTINF:1,\nnew.ts\n"
    held["/low/new.ts"] = segment(tmp_path / "a.ts", 200)
    held["/low/next.ts"] = segment(tmp_path / "b.ts", 90)
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        held["/low/list.m3u8"] = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nnew.ts\n#EXTINF:1,\nnext.ts\n#EXT-X-ENDLIST\n"

    shown = []
    with pytest.raises(StreamFailed):
        for frame in streams.playlist(f"{root}/live.m3u8", HERE, sleep=sleep):
            shown.append(round(frame.image.mean(), -1))
    assert shown == [200, 200, 90, 90] and slept == [0.5]
    for text, error in (
        (b"#EXTM3U\n#EXTINF:1,\nhttp://evil.cn/x.ts\n", Forbidden),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", InvalidInput),
        (b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://evil.cn/x.m3u8\n", Forbidden),
        (b"#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:1,\nx.ts\n", StreamFailed),
        (b"<html>", StreamFailed),
    ):
        held["/bad.m3u8"] = text
        with pytest.raises(error):
            next(streams.playlist(f"{root}/bad.m3u8", HERE))
