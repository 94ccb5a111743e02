"""The only opener of pictures, image folders and video files; `streams` opens live cameras with what stands here.

Limits hold on actual pixels. A cut-off picture is refused, not filled with grey. A video that never opens or sends garbage ends in StreamFailed
after bounded time: every blocking call runs under FFmpeg's interrupt timeout.
"""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qsl

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from grid.errors import HdqError, InvalidInput, NotFound, TooLarge, UnsupportedMedia
from imagery.cameras.glance import glance
from imagery.cameras.health import Thumb

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

    `content`: the file's own bytes when the frame came from one, so that evidence keeps the original; None for video. A frame that was only glanced at has
    its `thumb` and no image yet: `content` is decoded once it is known to be worth it.
    """

    image: np.ndarray | None
    recorded_at: datetime
    number: int
    source: str
    content: bytes | None = None
    thumb: Thumb | None = None


def of_bytes(content: bytes, recorded_at: datetime, number: int, source: str, *, glances: bool = False) -> Frame:
    """The frame of a picture's bytes: glanced at where that is asked for and possible, else decoded. Raises as `decode`."""
    seen = glance(content) if glances and len(content) <= MAX_BYTES else None
    return Frame(None if seen else decode(content), recorded_at, number, source, content, seen)


def decode(content: bytes) -> np.ndarray:
    """Every pixel of a JPEG, PNG or WebP, upright (EXIF orientation applied), H×W×3 uint8 RGB.

    Raises TooLarge (bytes or pixels), UnsupportedMedia (another format), InvalidInput (cut off, damaged, smaller than 16 pixels a side).
    """
    if len(content) > MAX_BYTES:
        raise TooLarge(f"图片过大 · the picture has {len(content):,} bytes", remedy=f"send at most {MAX_BYTES:,} bytes")
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG", "WEBP"]) as picture:
            within(picture.width, picture.height)
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


Refused = Callable[[Path, HdqError], None]


def folder(
    path: Path, *, since: datetime | None = None, on_refused: Refused | None = None, settle_s: float = 1.0, glances: bool = False
) -> Iterator[Frame]:
    """Pictures of a folder in the order of their modification times, which are when they were recorded.

    `since`: older ones are left out. Files younger than `settle_s` may still be written and are left for the next visit. A damaged picture raises
    its error, or goes to `on_refused` and is passed over. `glances`: JPEGs are glanced at only.
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
            frame = of_bytes(_content(file), datetime.fromtimestamp(modified, UTC), number, str(file), glances=glances)
        except HdqError as error:
            if on_refused is None:
                raise
            on_refused(file, error)
            continue
        yield frame
        number += 1


def _content(file: Path) -> bytes:
    if file.stat().st_size > MAX_BYTES:
        raise TooLarge(f"图片过大 · {file.name} has {file.stat().st_size:,} bytes", remedy=f"at most {MAX_BYTES:,} bytes")
    return file.read_bytes()


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
        shown: Iterator[tuple[np.ndarray, bytes | None]] = ((decode(content), content) for content in map(_content, files[:limit]))
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
    with opened(f"file:{path.resolve()}", path.name, options) as container:
        yield from pictures(container, video_stream(container, path.name), path.name, key_frames, lambda seconds: begun + timedelta(seconds=seconds))


def opened(address: str | BinaryIO, name: str, options: dict[str, str], timeout: tuple[float, float] = (OPEN_SECONDS, READ_SECONDS)):
    """A PyAV container of an address or of bytes; `timeout`: seconds to open, seconds a read may take. Raises StreamFailed, which tells `name` only."""
    import av

    try:
        return av.open(address, options=options, timeout=timeout, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        failed = type(error).__name__  # FFmpeg's text holds the password
    raise StreamFailed(f"视频打不开 · {name} cannot be opened: {failed}", remedy="check the camera, its address and the network")


def video_stream(container, name: str):
    """The first video stream of a container. Raises StreamFailed when there is none, TooLarge or InvalidInput for its size."""
    if not container.streams.video:
        raise StreamFailed(f"没有视频画面 · {name} carries no video", remedy="check the camera's stream")
    stream = container.streams.video[0]
    if stream.codec_context.width:
        within(stream.codec_context.width, stream.codec_context.height)
    return stream


def pictures(container, stream, name: str, key_frames: bool, clock: Callable[[float], datetime]) -> Iterator[Frame]:
    """Frames of a recording that ends; `clock`: seconds in it to when they were recorded. Raises StreamFailed when none can be decoded."""
    import av

    stream.thread_type = "AUTO"
    stream.codec_context.skip_frame = "NONKEY" if key_frames else "DEFAULT"
    number, empty = 0, 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            shown = packet.decode()
        except (StopIteration, av.error.EOFError):
            break
        except av.error.InvalidDataError:
            shown = []
            empty += 1
            if empty >= GARBAGE_LIMIT:
                raise StreamFailed(f"视频数据无效 · {name} is garbage: {empty} undecodable packets in a row", remedy="check the file") from None
        except (av.error.FFmpegError, OSError) as error:
            raise StreamFailed(f"视频中断 · {name} stopped after {number} frames: {type(error).__name__}", remedy="check the file") from None
        for picture in shown:
            within(picture.width, picture.height)
            yield Frame(picture.to_ndarray(format="rgb24"), clock(float(picture.time) if picture.time is not None else 0.0), number, name)
            number, empty = number + 1, 0
    if number == 0:
        raise StreamFailed(f"没有可解码的画面 · {name} holds no frame that can be decoded", remedy="check the file")


def within(width: int, height: int) -> None:
    """Raises TooLarge or InvalidInput for a picture of more than 60 million pixels or of less than 16 a side."""
    if width * height > MAX_PIXELS:
        raise TooLarge(f"图片像素过多 · the picture has {width} × {height} pixels", remedy=f"send at most {MAX_PIXELS:,} pixels")
    if width < MIN_SIDE or height < MIN_SIDE:
        raise InvalidInput(f"图片过小 · the picture has {width} × {height} pixels", remedy=f"send at least {MIN_SIDE} × {MIN_SIDE}")
