"""The only opener of pictures and streams: an image folder, a video file or an RTSP camera becomes frames.

Limits hold on actual pixels. A cut-off picture is refused, not filled with grey. A stream that stalls, sends garbage or never opens ends
in StreamFailed after bounded time: every blocking call runs under FFmpeg's interrupt timeout and every loop under a deadline of its own.
"""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from grid.errors import HdqError, InvalidInput, NotFound, TooLarge, UnsupportedMedia

MAX_BYTES = 32 * 2**20
MAX_PIXELS = 60_000_000
MIN_SIDE = 16
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
VIDEO_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,h264,hevc,gif,flv"
OPEN_SECONDS = 10.0
READ_SECONDS = 10.0
GARBAGE_LIMIT = 50
"""Packets in a row that decode to nothing before a stream counts as garbage."""


class StreamFailed(HdqError):
    """A stream did not open, stalled, ended early or sent garbage."""

    title = "视频流不可用 · The stream failed"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a camera. `image`: H×W×3 uint8 RGB; `recorded_at`: aware UTC; `number`: from 0 in this stream; `source`: where from.

    `content`: the file's own bytes when the frame came from one, so that evidence keeps the original; None for video.
    """

    image: np.ndarray
    recorded_at: datetime
    number: int
    source: str
    content: bytes | None = None


def decode(content: bytes) -> np.ndarray:
    """Every pixel of a JPEG, PNG or WebP, upright (EXIF orientation applied), H×W×3 uint8 RGB.

    Raises TooLarge (bytes or pixels), UnsupportedMedia (another format), InvalidInput (cut off, damaged, smaller than 16 pixels a side).
    """
    if len(content) > MAX_BYTES:
        raise TooLarge(f"图片过大 · the picture has {len(content):,} bytes", remedy=f"send at most {MAX_BYTES:,} bytes")
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG", "WEBP"]) as picture:
            _within(picture.width, picture.height)
            picture.load()
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except UnidentifiedImageError as error:
        raise UnsupportedMedia("不是 JPEG、PNG 或 WebP 图片 · these bytes are no JPEG, PNG or WebP picture", remedy="send such a file") from error
    except Image.DecompressionBombError as error:
        raise TooLarge(f"图片像素过多 · {error}", remedy=f"send at most {MAX_PIXELS:,} pixels") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InvalidInput(f"图片损坏或不完整 · the picture is damaged or cut off: {error}", remedy="send the whole file again") from error


def encode(image: np.ndarray, quality: int = 90) -> bytes:
    """`image` (H×W×3 uint8 RGB) as JPEG bytes; the same pixels give the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def open_stream(stream: str, *, since: datetime | None = None, on_refused: Callable[[Path, HdqError], None] | None = None) -> Iterator[Frame]:
    """Frames of `stream` as a camera's row names it. Raises InvalidInput for any other spelling.

    `folder:PATH` pictures that a camera drops there, recorded at the files' times, those before `since` left out; `file:PATH` a video file whose first
    frame was recorded at its modification time; `rtsp://…`, `rtsps://…` a camera; `replay:PATH?hold=3&limit=20` a folder or video shown as if it were live, each
    picture `hold` times (a tower dwells on its preset), at most `limit` pictures.
    """
    kind, _, rest = stream.partition(":")
    if kind == "folder":
        return folder(Path(rest), since=since, on_refused=on_refused)
    if kind == "file":
        return video(Path(rest))
    if kind == "replay":
        return replay(rest)
    if kind in ("rtsp", "rtsps") and rest.startswith("//"):
        return rtsp(stream, key_frames=True)
    raise InvalidInput(f"视频源写法不支持 · stream {stream[:60]!r} has no known scheme", remedy="use folder:PATH, file:PATH, replay:PATH or rtsp://HOST/PATH")


Refused = Callable[[Path, HdqError], None]


def folder(path: Path, *, since: datetime | None = None, on_refused: Refused | None = None, settle_s: float = 1.0) -> Iterator[Frame]:
    """Pictures of a folder in the order of their modification times, which are when they were recorded.

    `since`: older ones are left out. Files younger than `settle_s` may still be written and are left for the next visit. A damaged picture raises
    its error, or goes to `on_refused` and is passed over.
    """
    if not path.is_dir():
        raise NotFound(f"图片文件夹不存在 · no image folder at {path}", remedy="check the camera's stream")
    floor = since.timestamp() - 0.001 if since else float("-inf")  # datetimes round to microseconds
    files = [(entry.stat().st_mtime, entry) for entry in path.iterdir() if entry.suffix.lower() in PICTURES and entry.is_file()]
    number = 0
    for modified, file in sorted(files):
        if modified < floor or time.time() - modified < settle_s:
            continue
        try:
            content, image = _picture(file)
        except HdqError as error:
            if on_refused is None:
                raise
            on_refused(file, error)
            continue
        yield Frame(image, datetime.fromtimestamp(modified, UTC), number, str(file), content)
        number += 1


def _picture(file: Path) -> tuple[bytes, np.ndarray]:
    if file.stat().st_size > MAX_BYTES:
        raise TooLarge(f"图片过大 · {file.name} has {file.stat().st_size:,} bytes", remedy=f"at most {MAX_BYTES:,} bytes")
    content = file.read_bytes()
    return content, decode(content)


def replay(address: str) -> Iterator[Frame]:
    """Recorded pictures or a video shown as if they happened now; `address`: PATH[?hold=N&limit=N] (defaults 3 and 20)."""
    name, _, query = address.partition("?")
    try:
        given = {key: int(value) for key, value in parse_qsl(query, strict_parsing=bool(query))}
    except ValueError:
        given = {"?": 0}
    hold, limit = given.pop("hold", 3), given.pop("limit", 20)
    if given or hold < 1 or limit < 1:
        raise InvalidInput(f"回放参数无效 · replay {query!r}", remedy="replay:PATH?hold=3&limit=20, both at least 1")
    path = Path(name)
    if path.is_dir():
        files = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in PICTURES and entry.is_file())
        shown: Iterator[tuple[np.ndarray, bytes | None]] = ((image, content) for content, image in map(_picture, files[:limit]))
    else:
        shown = ((frame.image, None) for frame in islice(video(path), limit))
    number = 0
    for image, content in shown:
        for _ in range(hold):
            yield Frame(image, datetime.now(UTC), number, f"replay:{path.name}", content)
            number += 1


def video(path: Path, *, start: datetime | None = None, key_frames: bool = True) -> Iterator[Frame]:
    """Frames of a local video file; nothing the file points at is followed. Raises NotFound, InvalidInput or StreamFailed."""
    if not path.is_file():
        raise NotFound(f"视频文件不存在 · no video file at {path}", remedy="check the camera's stream")
    begun = start if start is not None else datetime.fromtimestamp(path.stat().st_mtime, UTC)
    options = {"protocol_whitelist": "file", "format_whitelist": VIDEO_FORMATS}
    yield from _read(f"file:{path.resolve()}", path.name, options, key_frames, lambda seconds: begun + timedelta(seconds=seconds))


def rtsp(url: str, *, key_frames: bool = False, open_seconds: float = OPEN_SECONDS, read_seconds: float = READ_SECONDS) -> Iterator[Frame]:
    """Frames of an RTSP camera over TCP, recorded at the time of their arrival; user and password never appear in `source` or errors.

    Raises StreamFailed when it does not open in `open_seconds`, gives no picture for `read_seconds`, or ends.
    """
    if not url.startswith(("rtsp://", "rtsps://")):
        raise InvalidInput(f"不是 RTSP 地址 · {url[:20]!r} is no RTSP address", remedy="use rtsp://HOST:PORT/PATH")
    options = {
        "rtsp_transport": "tcp",
        "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls,srtp,crypto",
        "format_whitelist": "rtsp,sdp,rtp",
        "probesize": "500000",
        "analyzeduration": "2000000",
    }
    scheme, _, rest = url.partition("://")
    yield from _read(url, f"{scheme}://{rest.rpartition('@')[2]}", options, key_frames, lambda _: datetime.now(UTC), open_seconds, read_seconds)
    raise StreamFailed(f"视频流已结束 · {rest.rpartition('@')[2]} ended", remedy="the watcher opens it again")


def _read(
    address: str,
    name: str,
    options: dict[str, str],
    key_frames: bool,
    clock: Callable[[float], datetime],
    open_seconds: float = OPEN_SECONDS,
    read_seconds: float = READ_SECONDS,
) -> Iterator[Frame]:
    import av

    remedy = "check the camera, its address and the network"
    try:
        container = av.open(address, options=options, timeout=(open_seconds, read_seconds), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise StreamFailed(f"视频打不开 · {name} cannot be opened: {type(error).__name__}", remedy=remedy) from None  # FFmpeg's text holds the password
    with container:
        if not container.streams.video:
            raise StreamFailed(f"没有视频画面 · {name} carries no video", remedy=remedy)
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.skip_frame = "NONKEY" if key_frames else "DEFAULT"
        if stream.codec_context.width:
            _within(stream.codec_context.width, stream.codec_context.height)
        number, empty, seen = 0, 0, time.monotonic()
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                pictures = packet.decode()
            except (StopIteration, av.error.EOFError):
                break
            except av.error.InvalidDataError:
                pictures = []
                empty += 1
                if empty >= GARBAGE_LIMIT:
                    raise StreamFailed(f"视频流数据无效 · {name} sends garbage: {empty} undecodable packets in a row", remedy=remedy) from None
            except (av.error.FFmpegError, OSError) as error:
                raise StreamFailed(f"视频流中断 · {name} stopped after {number} frames: {type(error).__name__}", remedy=remedy) from None
            for picture in pictures:
                _within(picture.width, picture.height)
                at = clock(float(picture.time) if picture.time is not None else 0.0)
                yield Frame(picture.to_ndarray(format="rgb24"), at, number, name)
                number, empty, seen = number + 1, 0, time.monotonic()
            if not pictures and time.monotonic() - seen > max(read_seconds, 1.0) and not key_frames:
                raise StreamFailed(f"视频流无画面 · {name} gave no picture for {read_seconds:g} s", remedy=remedy)
        if number == 0:
            raise StreamFailed(f"没有可解码的画面 · {name} holds no frame that can be decoded", remedy=remedy)


def _within(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise TooLarge(f"图片像素过多 · the picture has {width} × {height} pixels", remedy=f"send at most {MAX_PIXELS:,} pixels")
    if width < MIN_SIDE or height < MIN_SIDE:
        raise InvalidInput(f"图片过小 · the picture has {width} × {height} pixels", remedy=f"send at least {MIN_SIDE} × {MIN_SIDE}")
