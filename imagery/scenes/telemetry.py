"""Telemetry that drones write beside a video as subtitles (.SRT): rows of time, place, height and pose.

Dialects of DJI, told apart by their words, one entry a second or a frame:
- Mavic Pro, Phantom 4, Inspire: `HOME(lon,lat) 2017.07.03 10:15:03`, `GPS(lon,lat,satellites) BAROMETER:20.1` (or Hb:, Hs:);
- Mavic Mini, Phantom 4 RTK: `F/2.8, SS 30, GPS (lon, lat, satellites), D 221.2m, H 200.7m, F.PRY (…), G.PRY (pitch, roll, yaw)`;
- Matrice 300: `GPS(lat, lon, height M) BAROMETER:21.8M`: latitude first, known by the M;
- Mavic 2 and later: `[latitude : …] [longitude : …] [rel_alt: … abs_alt: …] [gb_yaw: … gb_pitch: … gb_roll: …]` (also `longtitude`, `altitude`).
Places are WGS84. Clock times are the drone's own: without a zone they stay naive. Compared with the samples of JuanIrache/DJI_SRT_Parser.
A file that is empty or cut is refused with the line: a track that silently ends early would read as a drone that was not there.
"""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from grid.errors import InvalidInput, NotFound, TooLarge, UnsupportedMedia

MOST_BYTES = 64 << 20
MOST_LINE = 2000
NUMBER = r"([-+]?\d{1,9}(?:\.\d{1,12})?)"
SPAN = re.compile(r"(\d{1,3}):(\d\d):(\d\d)[,.](\d{1,3}) --> (\d{1,3}):(\d\d):(\d\d)[,.](\d{1,3})")
CLOCK = re.compile(r"(\d{4})[.-](\d{1,2})[.-](\d{1,2}) (\d{1,2}):(\d\d):(\d\d)(?:[.,:](\d{1,3})(?!\d))?")
GPS = re.compile(rf"GPS ?\( ?{NUMBER}, ?{NUMBER}(?:, ?{NUMBER}(M?))? ?\)")
RELATIVE = re.compile(rf"(?:BAROMETER: ?|Hb: ?|\bH ){NUMBER}")
GIMBAL = re.compile(rf"G\.PRY \({NUMBER}°?, ?{NUMBER}°?, ?{NUMBER}°?\)")
KEY = re.compile(rf"(?<![A-Za-z_])([A-Za-z_]{{3,20}}) ?: ?{NUMBER}")
TAG = re.compile(r"<[^<>]{0,100}>")
UNLIKE = re.compile(r"(?:GPS|[Ll]atitude|HOME)")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry. `start_s`, `end_s`: seconds from the video's beginning, None where the file has no spans; `clock`: the drone's own, naive;
    `relative_m`: above the take-off; `height_m`: as the drone's GPS says, above its own datum; angles in degrees, yaw 0–360 clockwise from north,
    pitch above the horizontal. None where the dialect does not say; lon and lat None without a fix (DJI writes 0, 0)."""

    line: int
    start_s: float | None
    end_s: float | None
    clock: datetime | None
    lon: float | None
    lat: float | None
    relative_m: float | None
    height_m: float | None
    satellites: int | None
    yaw_deg: float | None
    pitch_deg: float | None
    roll_deg: float | None


@dataclass(frozen=True, slots=True)
class Track:
    """A whole telemetry file: its dialect in words, its rows in order, and the step of the written degrees in metres (coarser than the GPS itself)."""

    dialect: str
    rows: tuple[Row, ...]
    rounding_m: float


def read_srt(path: Path) -> Track:
    """The telemetry of a subtitle file. Raises NotFound, TooLarge, UnsupportedMedia (no subtitles), InvalidInput (empty, cut, out of range)."""
    if not path.is_file():
        raise NotFound(f"没有文件 · no file {path.name}", remedy="give an .SRT file of a drone's video")
    if path.stat().st_size > MOST_BYTES:
        raise TooLarge(f"{path.name}: {path.stat().st_size:,} bytes", remedy=f"at most {MOST_BYTES:,}; cut the flight in parts")
    return parse(path.read_bytes(), path.name)


def parse(content: bytes, name: str = "telemetry.srt") -> Track:
    """The same from bytes; `name` is used in messages."""
    if not content.strip():
        raise InvalidInput(f"{name} 是空文件 · {name} is empty ({len(content)} bytes, line 1)", remedy="copy it from the drone's card again, before it is formatted")
    if b"\0" in content[:4096]:
        raise UnsupportedMedia(f"{name} 不是文本 · {name} is no text file", remedy="give the .SRT subtitles, not the video")
    lines = content.decode("utf-8-sig", "replace").splitlines()
    rows, dialects, decimals = [], set(), 0
    for number, body in _entries(lines, name):
        row, dialect, places = _row(number, body, name, last=number + len(body) >= len(lines))
        rows.append(row)
        dialects.add(dialect)
        decimals = max(decimals, places)
    for one, other in zip(rows, rows[1:], strict=False):
        if one.start_s is not None and other.start_s is not None and other.start_s < one.start_s:
            raise InvalidInput(f"{name} 第 {other.line} 行时间倒退 · time goes back at line {other.line} of {name}", remedy="give one flight a file, in its order")
    return Track(" + ".join(sorted(dialects)), tuple(rows), 111_320.0 * 10.0**-decimals)


def _entries(lines: list[str], name: str):
    """Line number of the counter, and the lines after it, of each entry; blank lines stand between entries."""
    start = None
    for number, line in enumerate([*lines, ""], start=1):
        if len(line) > MOST_LINE:
            raise InvalidInput(f"{name} 第 {number} 行过长 · line {number} of {name} has {len(line):,} characters", remedy="give the subtitles as the drone wrote them")
        if line.strip() and start is None:
            start = number
        elif not line.strip() and start is not None:
            if not lines[start - 1].strip().isdigit():
                raise UnsupportedMedia(
                    f"{name} 第 {start} 行应为序号 · line {start} of {name} is no entry number: {lines[start - 1].strip()[:40]!r}",
                    remedy="give the .SRT subtitles as the drone wrote them",
                )
            yield start, lines[start : number - 1]
            start = None


def _row(number: int, body: list[str], name: str, *, last: bool) -> tuple[Row, str, int]:
    text = TAG.sub(" ", "\n".join(body))
    span, clock = SPAN.search(text), CLOCK.search(text)
    keys = {key.lower(): float(value) for key, value in KEY.findall(text)}
    gps = GPS.search(text)
    if gps is None and not {"latitude"} <= keys.keys() or gps is None and not {"longitude", "longtitude"} & keys.keys():
        cut = f"第 {number} 行起的条目不完整 · the entry from line {number} of {name} is cut: it names no place"
        if last or UNLIKE.search(text):
            raise InvalidInput(
                f"{name} {cut}",
                remedy=f"copy the file from the card again; if it is all there is, delete the lines from {number} to {number + len(body)}",
            )
        raise UnsupportedMedia(f"{name} {cut}", remedy="a drone's subtitles carry GPS(…) or [latitude: …] [longitude: …] in every entry")
    satellites = height = None
    if gps is not None:
        written = gps.group(1, 2)
        first, second = float(written[0]), float(written[1])
        metres = gps.group(4) == "M"
        lon, lat = (second, first) if metres else (first, second)
        if gps.group(3) is not None and metres:
            height = float(gps.group(3)) or None
        elif gps.group(3) is not None:
            satellites = int(float(gps.group(3)))
        dialect = "DJI Matrice (lat, lon)" if metres else "DJI H, G.PRY" if "G.PRY" in text else "DJI GPS(lon, lat)"
    else:
        lat, lon = keys["latitude"], keys.get("longitude", keys.get("longtitude", math.nan))
        written = (f"{lat}", f"{lon}")
        height = keys.get("abs_alt")
        dialect = "DJI [key: value]"
    if not (abs(lon) <= 180 and abs(lat) <= 90):
        raise InvalidInput(f"{name} 第 {number} 行经纬度超出范围 · entry at line {number} of {name}: longitude {lon}, latitude {lat}", remedy="degrees of WGS84")
    if lon == 0 and lat == 0:
        lon = lat = None
    relative = RELATIVE.search(text)
    above = float(relative.group(1)) if relative else keys.get("rel_alt", keys.get("altitude"))
    gimbal = GIMBAL.search(text)
    pitch, roll, yaw = (float(v) for v in gimbal.groups()) if gimbal else (keys.get(key) for key in ("gb_pitch", "gb_roll", "gb_yaw"))
    places = max(len(value.partition(".")[2]) for value in written)
    return (
        Row(
            number,
            _seconds(span.groups()[:4]) if span else None,
            _seconds(span.groups()[4:]) if span else None,
            _clock(clock, number, name) if clock else None,
            lon,
            lat,
            above,
            height,
            satellites,
            None if yaw is None else yaw % 360,
            pitch,
            roll,
        ),
        dialect,
        places,
    )


def _seconds(parts: tuple[str, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction) / 10 ** len(fraction)


def _clock(match: re.Match[str], number: int, name: str) -> datetime:
    year, month, day, hour, minute, second = (int(v) for v in match.groups()[:6])
    fraction = (match.group(7) or "").ljust(6, "0")
    try:
        return datetime(year, month, day, hour, minute, second, int(fraction))
    except ValueError as error:
        raise InvalidInput(f"{name} 第 {number} 行时间无效 · the clock of the entry at line {number} of {name}: {match.group(0)!r}", remedy=str(error)) from error
