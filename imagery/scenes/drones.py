"""What a drone's photo says of itself: time, place, height and gimbal from EXIF and XMP, with accuracies, and its frame for the ground.

XMP goes before EXIF where both speak (DJI writes its fused position and more digits there). DJI's names: drone-dji:GpsLatitude, GpsLongitude (also
GpsLongtitude), AbsoluteAltitude (above the drone's own datum: EGM96 or the ellipsoid, by model and RTK setting: not told apart in the file),
RelativeAltitude (above the take-off), GimbalYawDegree (clockwise from true north), GimbalPitchDegree (−90 straight down), GimbalRollDegree,
RtkStdLon, RtkStdLat, RtkStdHgt (m), CalibratedFocalLength and CalibratedOpticalCenterX, Y (pixels of the whole sensor: scaled to the
picture, which must be of its shape). Times: EXIF without an offset is the camera's own clock and stays naive.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from PIL import Image

from grid.errors import InvalidInput, NotFound, TooLarge, UnsupportedMedia
from imagery.scenes.georeference import Frame, Lens, look

MOST_BYTES = 512 << 20
MOST_XMP = 1 << 20
DJI = "{http://www.dji.com/drone-dji/1.0/}"
TIFF = "{http://ns.adobe.com/tiff/1.0/}"
XMP_TIME = "{http://ns.adobe.com/xap/1.0/}CreateDate"
EXIF, GPS = 0x8769, 0x8825
FILM_DIAGONAL_MM = 43.267
SHAPES = (5 / 4, 4 / 3, 3 / 2, 16 / 9)
POSITION_M, HEIGHT_M, GIMBAL_DEG = 3.0, 8.0, 2.0
"""One standard deviation where a file states none: GNSS without correction, its height on a datum that is not said, a gimbal led by a compass."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture and its pose; None where the file does not say. Pixels, degrees, metres; yaw 0–360 clockwise from true north, pitch above the
    horizontal; `taken` aware only when the file names its zone; sigmas one standard deviation, `accuracy`: "stated" by the file or "assumed"."""

    name: str
    maker: str
    model: str
    width: int
    height: int
    taken: datetime | None
    lon: float | None
    lat: float | None
    height_m: float | None
    relative_m: float | None
    yaw_deg: float | None
    pitch_deg: float | None
    roll_deg: float | None
    focal_px: float | None
    centre_px: tuple[float, float] | None
    position_sigma_m: float
    height_sigma_m: float
    angle_sigma_deg: float
    accuracy: str

    def frame(self) -> Frame:
        """Its frame for `georeference`. Raises InvalidInput that names what is missing."""
        needed = {"position": self.lon, "height": self.height_m, "gimbal yaw": self.yaw_deg, "gimbal pitch": self.pitch_deg, "focal length": self.focal_px}
        missing = [word for word, value in needed.items() if value is None]
        if missing:
            raise InvalidInput(
                f"{self.name} 缺少位姿 · {self.name} does not say: {', '.join(missing)}", remedy="give the drone's original file: edited and chat copies lose them"
            )
        x, y = self.centre_px or (self.width / 2, self.height / 2)
        return Frame(
            self.name,
            Lens(self.width, self.height, self.focal_px, self.focal_px, x, y),
            self.lon,
            self.lat,
            self.height_m,
            look(self.yaw_deg, self.pitch_deg, self.roll_deg or 0.0),
            self.position_sigma_m,
            self.height_sigma_m,
            self.angle_sigma_deg,
        )


def read_photo(path: Path) -> Photo:
    """The pose of a JPEG or TIFF; pixels are not decoded. Raises NotFound, TooLarge, UnsupportedMedia, InvalidInput (damaged, out of range)."""
    if not path.is_file():
        raise NotFound(f"没有文件 · no file {path.name}", remedy="give a drone's JPEG or TIFF")
    if path.stat().st_size > MOST_BYTES:
        raise TooLarge(f"{path.name}: {path.stat().st_size:,} bytes", remedy=f"at most {MOST_BYTES:,}")
    try:
        with Image.open(path, formats=["JPEG", "TIFF"]) as picture:
            width, height = picture.size
            tags = picture.getexif()
            exif, gps = tags.get_ifd(EXIF), tags.get_ifd(GPS)
            packet = picture.info.get("xmp") or tags.get(700) or b""
    except Image.UnidentifiedImageError as error:
        raise UnsupportedMedia(f"{path.name} 不是 JPEG 或 TIFF · neither JPEG nor TIFF", remedy="give the drone's picture as it wrote it") from error
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, EOFError, OverflowError, MemoryError, Image.DecompressionBombError) as error:
        raise InvalidInput(f"{path.name} 已损坏 · {path.name} is damaged: {error}", remedy="copy it from the drone's card again") from error
    words = _xmp(packet, path.name)
    lon, lat = _place(words, gps, path.name)
    focal, centre = _focal(words, exif, width, height)
    stated = [_number(words.get(f"{DJI}RtkStd{axis}")) for axis in ("Lon", "Lat", "Hgt")]
    error_m = _number(gps.get(31))
    position, position_stated = POSITION_M, True
    if None not in stated[:2] and 0 < math.hypot(*stated[:2]) < 100:
        position = max(math.hypot(*stated[:2]) / math.sqrt(2), 0.01)
    elif error_m is not None and 0 < error_m < 10_000:
        position = error_m
    else:
        position_stated = False
    absolute = _number(words.get(f"{DJI}AbsoluteAltitude"))
    if absolute is None and _number(gps.get(6)) is not None:
        absolute = _number(gps[6]) * (-1 if gps.get(5) in (1, b"\x01") else 1)
    yaw, pitch, roll = (_number(words.get(f"{DJI}Gimbal{axis}Degree")) for axis in ("Yaw", "Pitch", "Roll"))
    if yaw is None and str(gps.get(16, "")).strip("\0 ") == "T":
        yaw = _number(gps.get(17))
    return Photo(
        path.name,
        _text(tags.get(271) or words.get(f"{TIFF}Make")),
        _text(tags.get(272) or words.get(f"{TIFF}Model")),
        width,
        height,
        _taken(words, exif, gps),
        lon,
        lat,
        absolute if absolute is None or abs(absolute) < 20_000 else None,
        _number(words.get(f"{DJI}RelativeAltitude")),
        None if yaw is None else yaw % 360,
        pitch if pitch is None or -180 <= pitch <= 180 else None,
        roll,
        focal,
        centre,
        position,
        max(stated[2], 0.02) if stated[2] and stated[2] < 100 else HEIGHT_M,
        GIMBAL_DEG,
        "stated" if position_stated else "assumed",
    )


def _xmp(packet: bytes | str | tuple, name: str) -> dict[str, str]:
    """Attributes and plain elements of the XMP packet's descriptions, by qualified name. A damaged packet is refused: half a pose is none."""
    content = bytes(packet) if isinstance(packet, tuple) else packet.encode() if isinstance(packet, str) else packet
    if len(content) > MOST_XMP:
        raise TooLarge(f"{name}: XMP {len(content):,} bytes", remedy=f"at most {MOST_XMP:,}")
    start, end = content.find(b"<x:xmpmeta"), content.rfind(b"</x:xmpmeta>")
    if start < 0:
        return {}
    try:
        root: Element = fromstring(content[start : end + 12] if end > start else content[start:])
    except (ParseError, DefusedXmlException, ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} 的 XMP 无法读取 · the XMP of {name} cannot be read: {error}", remedy="give the drone's original file") from error
    words: dict[str, str] = {}
    for description in root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"):
        for key, value in (*description.attrib.items(), *((child.tag, child.text or "") for child in description if not len(child))):
            words.setdefault(key, value[:200])
    return words


def _number(value: object) -> float | None:
    """A finite number, or None. EXIF's rationals, DJI's "+12.30"."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _text(value: object) -> str:
    return str(value or "").replace("\0", "").strip()[:80]


def _place(words: dict[str, str], gps: dict[int, object], name: str) -> tuple[float | None, float | None]:
    """Longitude and latitude of WGS84, None without a fix (DJI writes 0, 0). Raises InvalidInput out of range."""
    lat = _number(words.get(f"{DJI}GpsLatitude", words.get(f"{DJI}Latitude")))
    lon = _number(words.get(f"{DJI}GpsLongitude", words.get(f"{DJI}GpsLongtitude", words.get(f"{DJI}Longitude"))))
    if lat is None or lon is None:
        lat, lon = _sexagesimal(gps.get(2), gps.get(1), "S"), _sexagesimal(gps.get(4), gps.get(3), "W")
    if lat is None or lon is None or (lat == 0 and lon == 0):
        return None, None
    if abs(lat) > 90 or abs(lon) > 180:
        raise InvalidInput(f"{name} 的经纬度超出范围 · longitude {lon:g}, latitude {lat:g} of {name}", remedy="degrees of WGS84; correct the file's GPS tags")
    return lon, lat


def _sexagesimal(parts: object, letter: object, negative: str) -> float | None:
    if not isinstance(parts, tuple) or len(parts) != 3:
        return None
    numbers = [_number(part) for part in parts]
    if None in numbers:
        return None
    value = numbers[0] + numbers[1] / 60 + numbers[2] / 3600
    return -value if _text(letter).upper() == negative else value


def _taken(words: dict[str, str], exif: dict[int, object], gps: dict[int, object]) -> datetime | None:
    """EXIF's original time with its offset, else XMP's with a zone, else the GPS's UTC, else the camera's own clock, or XMP's (naive)."""
    clock = _instant(_text(exif.get(36867)).replace(":", "-", 2) + _text(exif.get(36881)))
    if clock is not None and clock.tzinfo is not None:
        return clock
    zoned = _instant(_text(words.get(XMP_TIME)))
    if zoned is not None and zoned.tzinfo is not None:
        return zoned
    times = gps.get(7)
    day = _instant(_text(gps.get(29)).replace(":", "-") + "T00:00:00+00:00")
    if day is not None and isinstance(times, tuple) and len(times) == 3 and None not in (numbers := [_number(part) for part in times]):
        seconds = numbers[0] * 3600 + numbers[1] * 60 + numbers[2]
        if 0 <= seconds < 86_401:
            return day.astimezone(UTC) + timedelta(seconds=seconds)
    return clock or zoned


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _focal(words: dict[str, str], exif: dict[int, object], width: int, height: int) -> tuple[float | None, tuple[float, float] | None]:
    """Focal length and centre in pixels of this picture: DJI's calibration scaled to it, else the film-equivalent length; None for a picture of
    another shape than the sensor (cut out), or zoomed, whose focal length nobody can tell."""
    focal, *centre = (_number(words.get(f"{DJI}Calibrated{key}")) for key in ("FocalLength", "OpticalCenterX", "OpticalCenterY"))
    if focal and focal > 0 and None not in centre and min(centre) > 0:
        across, down = width / (2 * centre[0]), height / (2 * centre[1])
        return (focal * across, (centre[0] * across, centre[1] * across)) if abs(across - down) < 0.05 * across else (None, None)
    film, zoom, shape = _number(exif.get(41989)), _number(exif.get(41988)) or 1.0, max(width, height) / min(width, height)
    if not film or not 1 <= film <= 5000 or zoom > 1 or min(abs(shape - known) for known in SHAPES) > 0.02:
        return None, None
    return film * float(np.hypot(width, height)) / FILM_DIAGONAL_MM, None
