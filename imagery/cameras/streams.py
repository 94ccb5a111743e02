"""Live cameras of allowed hosts: RTSP, RTMP, HLS and snapshots become frames, paced before anything is decoded.

A camera is looked at every few seconds, so only key frames are decoded, and of those only the ones that are due; a stream that sends none (gradual
refresh) is decoded whole. Addresses are held to one strict spelling, because FFmpeg's idea of a host must be ours. Every blocking call runs under
FFmpeg's interrupt timeout or a socket's; what does not return all the same is left behind by `streams_feed`.
"""

import io
import ipaddress
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin

from grid.errors import Forbidden, HdqError, InvalidInput, TooLarge
from imagery.cameras import frames
from imagery.cameras.frames import Frame, StreamFailed

OPEN_SECONDS = 10.0
READ_SECONDS = 10.0
BROKEN_LIMIT = 50
"""Packets in a row that decode to nothing before a stream counts as garbage."""

BLANK_SECONDS = 45.0
"""Of packets without a picture: longer than cameras leave between key frames."""

SNAPSHOT_S = 10.0
PLAYLIST_BYTES = 2**20
SEGMENT_BYTES = 64 * 2**20
REMEDY = "check the camera, its address and the network"
_ADDRESS = re.compile(
    r"(?P<scheme>rtsps?|rtmps?|https?)://(?:[^\s@/?#\\\x00-\x1f]+@)?(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?)(?::(?P<port>\d{1,5}))?"
    r"(?:[/?][!-~]*)?"
)
_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_OPTIONS = {
    "rtsp": {
        "rtsp_transport": "tcp",
        "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls,srtp,crypto",
        "format_whitelist": "rtsp,sdp,rtp",
        "probesize": "500000",
        "analyzeduration": "2000000",
        "fpsprobesize": "0",
    },
    "rtmp": {"protocol_whitelist": "rtmp,rtmps,tcp,tls", "format_whitelist": "flv,live_flv", "probesize": "500000", "analyzeduration": "2000000"},
}


class Pace:
    """At most one a period in the long run. A moment too early counts when it is nearer to the due time than the next would be, so that a source
    whose own period is the same loses none to jitter.

    >>> pace = Pace(2.0)
    >>> [pace.due(at) for at in (0.0, 0.9, 1.99, 4.01, 5.0, 6.0)]
    [True, False, True, True, False, True]
    """

    def __init__(self, every_s: float) -> None:
        self.every_s, self._next = every_s, float("-inf")

    def due(self, now: float) -> bool:
        """Whether one is due at `now` (seconds of any steady clock); counts it when so."""
        if now < self._next - self.every_s / 10:
            return False
        self._next = max(self._next + self.every_s, now + self.every_s / 2) if self._next > now - self.every_s else now + self.every_s
        return True


def check_address(address: str, hosts: frozenset[str]) -> str:
    """The address as it may be shown, without user and password. Raises InvalidInput for a spelling that is not plain, Forbidden for a host not allowed.

    `hosts`: host, host:port, or network (10.20.0.0/16), the last for addresses written as numbers; no name is resolved here.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise InvalidInput(f"视频源地址无效 · {address.partition(':')[0][:12]!r}… is no plain stream address", remedy="scheme://[user:password@]host[:port]/path")
    host, port = found["host"].lower(), int(found["port"] or _PORTS[found["scheme"]])
    if not (host in hosts or f"{host}:{port}" in hosts or _in_network(host.strip("[]"), hosts)):
        raise Forbidden(f"视频源主机不在允许名单 · {host}:{port} is no allowed stream host", remedy="add it to HDQ_STREAM_HOSTS if it may be asked")
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('@')[2] if '@' in re.split('[/?]', rest)[0] else rest}"


def _in_network(host: str, hosts: frozenset[str]) -> bool:
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any("/" in entry and number in ipaddress.ip_network(entry) for entry in hosts)


def open_stream(
    stream: str,
    *,
    hosts: frozenset[str] = frozenset(),
    every_s: float = 0.0,
    since: datetime | None = None,
    on_refused: frames.Refused | None = None,
    glances: bool = False,
) -> Iterator[Frame]:
    """Frames of `stream` as a camera's row names it. Raises InvalidInput for any other spelling, Forbidden for a host that is not in `hosts`.

    `folder:PATH` pictures that a camera drops there, recorded at the files' times, those before `since` left out; `file:PATH` a video file whose first
    frame was recorded at its modification time; `replay:PATH?hold=3&limit=20` a folder or video shown as if it were live; `rtsp(s)://`, `rtmp(s)://` a
    camera; `hls:https://…/live.m3u8` a playlist; `snapshot:http://…/now.jpg` a picture fetched anew each time. Live ones give a frame each `every_s` at most.
    `glances`: JPEGs of folders and snapshots come undecoded, with their thumb.
    """
    kind, _, rest = stream.partition(":")
    if kind == "folder":
        return frames.folder(Path(rest), since=since, on_refused=on_refused, glances=glances)
    if kind == "file":
        return frames.video(Path(rest))
    if kind == "replay":
        return frames.replay(rest)
    if kind in ("rtsp", "rtsps", "rtmp", "rtmps"):
        return live(stream, check_address(stream, hosts), every_s=every_s)
    if kind == "hls" and rest.startswith("http"):
        return playlist(rest, hosts, every_s=every_s)
    if kind == "snapshot" and rest.startswith("http"):
        return snapshots(rest, hosts, every_s=max(every_s, 1.0), glances=glances)
    raise InvalidInput(
        f"视频源写法不支持 · stream {stream[:12]!r}… has no known scheme", remedy="folder:PATH, file:PATH, replay:PATH, rtsp://, rtmp://, hls:https:// or snapshot:https://"
    )


def live(
    url: str, name: str, *, every_s: float = 0.0, key_frames: bool = True, open_seconds: float = OPEN_SECONDS, read_seconds: float = READ_SECONDS
) -> Iterator[Frame]:
    """Frames of an RTSP (over TCP) or RTMP camera, recorded at the time of their arrival; only `name` appears in `source` and in errors.

    Raises StreamFailed when it does not open in `open_seconds`, sends nothing for `read_seconds`, no picture for 45 s, garbage, or ends.
    """
    container = frames.opened(url, name, _OPTIONS[url[:4]], (open_seconds, read_seconds))
    with container:
        stream = frames.video_stream(container, name)
        stream.codec_context.thread_count = 1
        packets = container.demux(stream)
        yield from _pictures(packets, stream.codec_context, name, every_s, key_frames, read_seconds)
    raise StreamFailed(f"视频流已结束 · {name} ended", remedy="the watcher opens it again")


def _pictures(packets: Iterator, context, name: str, every_s: float, key_frames: bool, read_seconds: float) -> Iterator[Frame]:
    import av

    pace, whole, number, broken = Pace(every_s), not key_frames, 0, 0
    seen = keyed = time.monotonic()
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.EOFError):
            return
        except (av.error.FFmpegError, OSError) as error:
            raise StreamFailed(f"视频流中断 · {name} stopped after {number} frames: {type(error).__name__}", remedy=REMEDY) from None
        now = time.monotonic()
        keyed = now if packet.is_keyframe else keyed
        if not whole and now - keyed > read_seconds:
            whole = True
            context.flags |= av.codec.context.Flags.output_corrupt  # a gradual refresh begins with a damaged picture
        pictures = []
        try:
            if whole:
                pictures = packet.decode()
            elif packet.is_keyframe:
                seen = now
                if pace.due(now):
                    pictures = context.decode(packet) + context.decode(None)
                    context.flush_buffers()
                    broken += not pictures
        except (av.error.FFmpegError, OSError):
            broken += 1
        if broken >= BROKEN_LIMIT:
            raise StreamFailed(f"视频流数据无效 · {name} sends garbage: {broken} undecodable packets in a row", remedy=REMEDY)
        if now - seen > BLANK_SECONDS:
            raise StreamFailed(f"视频流无画面 · {name} gave no picture for {BLANK_SECONDS:g} s", remedy=REMEDY)
        for picture in pictures[-1:]:
            seen, broken = now, 0
            if whole and not pace.due(now):
                continue
            frames.within(picture.width, picture.height)
            yield Frame(picture.to_ndarray(format="rgb24"), datetime.now(UTC), number, name)
            number += 1


def snapshots(
    url: str, hosts: frozenset[str], *, every_s: float = SNAPSHOT_S, sleep: Callable[[float], None] = time.sleep, glances: bool = False
) -> Iterator[Frame]:
    """A picture fetched every `every_s`; one that is the same bytes as before is given again, for a frozen camera must be told from an absent one.

    Raises StreamFailed when the host does not answer with a picture in time; redirects are not followed.
    """
    name = check_address(url, hosts)
    number = 0
    while True:
        content = _fetched(url, name, frames.MAX_BYTES)
        yield frames.of_bytes(content, datetime.now(UTC), number, name, glances=glances)
        number += 1
        sleep(every_s)


def playlist(url: str, hosts: frozenset[str], *, every_s: float = 0.0, sleep: Callable[[float], None] = time.sleep) -> Iterator[Frame]:
    """Frames of an HLS camera: the newest segment of its first variant, key frames only, then the next; recorded at their arrival.

    Each address in a playlist must be of an allowed host. Raises Forbidden, StreamFailed; an encrypted playlist is refused.
    """
    name, pace, number, done, idle = check_address(url, hosts), Pace(every_s), 0, "", 0
    lines = _playlist(url, name)
    if any(line.startswith("#EXT-X-STREAM-INF") for line in lines):
        url = urljoin(url, next((line for line in lines if not line.startswith("#")), ""))
        check_address(url, hosts)
    while True:
        lines = _playlist(url, name)
        if any(line.startswith("#EXT-X-KEY") and "METHOD=NONE" not in line for line in lines):
            raise StreamFailed(f"播放列表已加密 · {name} is encrypted", remedy="ask the camera for its RTSP address")
        segments = [urljoin(url, line) for line in lines if not line.startswith("#")]
        target = next((float(line.partition(":")[2]) for line in lines if re.fullmatch(r"#EXT-X-TARGETDURATION:\d{1,3}", line)), 5.0)
        if not segments or segments[-1] == done:
            idle += 1
            if idle > 6 or "#EXT-X-ENDLIST" in lines:
                raise StreamFailed(f"视频流已结束 · {name} gives no new segment", remedy="the watcher opens it again")
            sleep(max(target / 2, 0.5))
            continue
        done, idle = segments[-1], 0
        check_address(done, hosts)
        for image in _segment(_fetched(done, name, SEGMENT_BYTES), name):
            if pace.due(time.monotonic()):
                yield Frame(image, datetime.now(UTC), number, name)
                number += 1


def _playlist(url: str, name: str) -> list[str]:
    text = _fetched(url, name, PLAYLIST_BYTES).decode("utf-8", "replace").lstrip("\ufeff")
    if not text.startswith("#EXTM3U"):
        raise StreamFailed(f"不是播放列表 · {name} is no HLS playlist", remedy=REMEDY)
    return [line.strip() for line in text.splitlines() if line.strip()]


def _segment(content: bytes, name: str) -> Iterator:
    options = {"protocol_whitelist": "", "format_whitelist": "mpegts"}
    with frames.opened(io.BytesIO(content), name, options, (OPEN_SECONDS, READ_SECONDS)) as container:
        stream = frames.video_stream(container, name)
        yield from (frame.image for frame in frames.pictures(container, stream, name, True, lambda _: datetime.now(UTC)))


def _fetched(url: str, name: str, limit: int) -> bytes:
    """The body of a 200 answer in one piece, of `limit` bytes at most, within OPEN_SECONDS + READ_SECONDS whatever the host does."""
    import httpx

    until = time.monotonic() + OPEN_SECONDS + READ_SECONDS
    parts, size = [], 0
    try:
        with httpx.stream("GET", url, timeout=READ_SECONDS, follow_redirects=False, trust_env=False) as answer:
            if answer.status_code != 200:
                raise StreamFailed(f"视频源不可用 · {name} answered {answer.status_code}", remedy=REMEDY)
            for part in answer.iter_raw():
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise TooLarge(f"视频源内容过大 · {name} sent more than {limit:,} bytes", remedy="check the camera's address")
                if time.monotonic() > until:
                    raise StreamFailed(f"视频源过慢 · {name} took longer than {OPEN_SECONDS + READ_SECONDS:g} s", remedy=REMEDY)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise StreamFailed(f"视频源不可用 · {name} did not answer: {type(error).__name__}", remedy=REMEDY) from None
    return b"".join(parts)


def of_network(stream: str) -> bool:
    """Whether a stream is asked over the network; the others are paths of this machine, which only its operator may name."""
    return stream.partition(":")[0] in ("rtsp", "rtsps", "rtmp", "rtmps", "hls", "snapshot")


def judged(stream: str, hosts: frozenset[str]) -> HdqError | None:
    """Why a network stream may not be opened, None when it may."""
    kind, _, rest = stream.partition(":")
    try:
        check_address(rest if kind in ("hls", "snapshot") else stream, hosts)
    except HdqError as error:
        return error
    return None
