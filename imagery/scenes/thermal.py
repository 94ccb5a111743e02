"""Radiometric JPEG: degrees Celsius of every pixel where the maker's format is openly documented, else a refusal that says why.

FLIR (APP1 "FLIR": an FFF container). Layout: ExifTool's FLIR tags (exiftool.org/TagNames/FLIR.html): record 1 raw words, record 32 camera constants.
Method: the measurement formula of FLIR's user manuals; W(T) = R1 / (R2 (exp(B / T) − F)) − O, T in kelvin, and the sensor sees
    raw = ε τ ω W(object) + (1 − ε) τ ω W(reflected) + (1 − τ) ω W(air) + (1 − ω) W(window),
ω the window's transmission, τ that of the air at the distance d (Minkina & Dudzik, Infrared Thermography: Errors and Uncertainties, 2009, ch. 3):
    h = rh exp(1.5587 + 0.06939 t − 0.00027816 t² + 0.00000068455 t³),   τ = X exp(−√d (α₁ + β₁ √h)) + (1 − X) exp(−√d (α₂ + β₂ √h)).
Compared in tests with figures of the package flyr (another reading of the same tags).

DJI (APP3 raw words, APP4 parameters): what a word means is not published (OpenDroneMap left its reading unfinished, pull request
1670). DJI's own Thermal SDK knows: refused, never guessed.
"""

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from grid.errors import InvalidInput, NotFound, TooLarge, UnsupportedMedia

MOST_BYTES = 64 << 20
MOST_SEGMENTS = 4096
MOST_PIXELS = 4 << 20
MOST_RECORDS = 256
KELVIN = 273.15
FLIR = b"FLIR\0\x01"
ACCURACY_C = 2.0
ACCURACY_SHARE = 0.02
"""What FLIR states for its cameras: ±2 °C or ±2 % of the reading, whichever is more."""


@dataclass(frozen=True, slots=True)
class Scenery:
    """What the conversion believed of the scene: emissivity 0–1, metres, degrees Celsius, relative humidity 0–1, transmissions 0–1."""

    emissivity: float
    distance_m: float
    reflected_c: float
    air_c: float
    humidity: float
    window_c: float
    window: float


@dataclass(frozen=True, slots=True, eq=False)
class Thermogram:
    """`celsius`: rows × columns float32, NaN where the raw word is outside what the constants describe; `raw`: uint16 words of the sensor."""

    maker: str
    model: str
    celsius: np.ndarray
    raw: np.ndarray
    scenery: Scenery

    @property
    def accuracy_c(self) -> float:
        """Degrees, at the hottest pixel."""
        return max(ACCURACY_C, ACCURACY_SHARE * float(np.nanmax(np.abs(self.celsius))))


@dataclass(frozen=True, slots=True)
class _Constants:
    r1: float
    r2: float
    b: float
    f: float
    o: float
    alpha1: float
    alpha2: float
    beta1: float
    beta2: float
    x: float

    def word(self, celsius: float) -> float:
        """What the sensor gives for a black body."""
        return self.r1 / (self.r2 * (np.exp(self.b / (celsius + KELVIN)) - self.f)) - self.o

    def celsius(self, word: np.ndarray) -> np.ndarray:
        """Its inverse; NaN where there is none."""
        with np.errstate(all="ignore"):
            inner = self.r1 / (self.r2 * (word + self.o)) + self.f
            return np.where((word + self.o > 0) & (inner > 1), self.b / np.log(inner) - KELVIN, np.nan)

    def air(self, scenery: Scenery) -> float:
        """Transmission of the air between."""
        t = scenery.air_c
        wet = np.sqrt(max(0.0, scenery.humidity * np.exp(1.5587 + 0.06939 * t - 0.00027816 * t**2 + 0.00000068455 * t**3)))
        way = np.sqrt(max(0.0, scenery.distance_m))
        return float(
            self.x * np.exp(-way * (self.alpha1 + self.beta1 * wet)) + (1 - self.x) * np.exp(-way * (self.alpha2 + self.beta2 * wet))
        )


def read_thermal(path: Path, *, emissivity: float | None = None, distance_m: float | None = None) -> Thermogram:
    """Temperatures of a radiometric JPEG; `emissivity` and `distance_m` replace what the operator had set in the camera.

    Raises NotFound, TooLarge, UnsupportedMedia (no JPEG, no radiometry, or DJI's), InvalidInput (damaged, constants out of range).
    """
    parts = _parts(path)
    if maker(parts) == "FLIR":
        return _flir(path.name, [body for marker, body in parts if marker == 0xE1 and body[:6] == FLIR], emissivity, distance_m)
    if maker(parts) == "DJI":
        words = sum(len(body) for marker, body in parts if marker == 0xE3) // 2
        raise UnsupportedMedia(
            f"{path.name} 是大疆热像（{words:,} 个原始值），其温度换算未公开 · "
            f"{path.name} is a DJI R-JPEG of {words:,} raw words; DJI does not publish what a word means",
            remedy="用大疆 Thermal SDK（dji_irp -a measure）或热分析工具导出温度 TIFF 后再导入 · "
            "export temperatures with DJI's Thermal SDK (dji_irp -a measure) or Thermal Analysis Tool as TIFF and give that",
        )
    raise UnsupportedMedia(
        f"{path.name} 没有辐射测温数据 · {path.name} holds no radiometric data: a picture in false colours has no temperatures",
        remedy="give the camera's original radiometric JPEG, not an edited or exported copy",
    )


def is_radiometric(path: Path) -> bool:
    """Whether a JPEG carries a sensor's raw words, whoever made it. Raises as `read_thermal` for what is no whole JPEG."""
    return maker(_parts(path)) is not None


def maker(parts: list[tuple[int, bytes]]) -> str | None:
    """FLIR, DJI, or None for a picture without raw words."""
    if any(marker == 0xE1 and body[:6] == FLIR for marker, body in parts):
        return "FLIR"
    dji = any(marker == 0xE1 and body[:4] == b"Exif" and b"DJI\0" in body[:4096] for marker, body in parts)
    return "DJI" if dji and any(marker == 0xE3 for marker, _ in parts) else None


def _parts(path: Path) -> list[tuple[int, bytes]]:
    if not path.is_file():
        raise NotFound(f"没有文件 · no file {path.name}", remedy="give a radiometric JPEG")
    if path.stat().st_size > MOST_BYTES:
        raise TooLarge(f"{path.name}: {path.stat().st_size:,} bytes", remedy=f"at most {MOST_BYTES:,}")
    return segments(path.read_bytes(), path.name)


def segments(content: bytes, name: str) -> list[tuple[int, bytes]]:
    """Marker and body of the segments before a JPEG's pixels. Raises UnsupportedMedia (no JPEG), InvalidInput (cut or too many)."""
    if content[:2] != b"\xff\xd8":
        raise UnsupportedMedia(f"{name} 不是 JPEG · {name} begins with {content[:4]!r}", remedy="give a JPEG as the camera wrote it")
    found, at = [], 2
    while len(found) < MOST_SEGMENTS:
        while content[at : at + 2] == b"\xff\xff":
            at += 1
        if at + 4 > len(content) or content[at] != 0xFF:
            break
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == 0xDA:
            return found
        if length < 2 or at + 2 + length > len(content):
            break
        found.append((marker, content[at + 4 : at + 2 + length]))
        at += 2 + length
    raise InvalidInput(f"{name} 在第 {at} 字节处损坏 · {name} is damaged at byte {at} of {len(content)}", remedy="copy the file from the camera again")


def _flir(name: str, chunks: list[bytes], emissivity: float | None, distance_m: float | None) -> Thermogram:
    def damaged(what: str) -> InvalidInput:
        return InvalidInput(f"{name} 的 FLIR 数据损坏 · FLIR data of {name}: {what}", remedy="copy the file from the camera again, without editing it")

    if any(len(chunk) < 8 for chunk in chunks):
        raise damaged("a chunk without a head")
    pieces = {chunk[6]: chunk[8:] for chunk in chunks}
    if sorted(pieces) != list(range(chunks[0][7] + 1)):
        raise damaged(f"chunks {sorted(pieces)} of {chunks[0][7] + 1}")
    whole = b"".join(pieces[index] for index in sorted(pieces))
    if whole[:4] != b"FFF\0" or len(whole) < 0x40:
        raise damaged("no FFF head")
    order = ">" if 100 <= struct.unpack_from(">I", whole, 0x14)[0] < 200 else "<"
    start, count = struct.unpack_from(order + "II", whole, 0x18)
    if count > MOST_RECORDS or start + 32 * count > len(whole):
        raise damaged(f"a list of {count} records at byte {start} of {len(whole)}")
    records: dict[int, bytes] = {}
    for index in range(count):
        kind, offset, length = struct.unpack_from(order + "H10xII", whole, start + 32 * index)
        if kind in (1, 32) and kind not in records:
            if length == 0 or offset + length > len(whole):
                raise damaged(f"record {kind} of {length} bytes at {offset} of {len(whole)}")
            records[kind] = whole[offset : offset + length]
    if records.keys() != {1, 32} or len(records[1]) < 0x22 or len(records[32]) < 0x310:
        raise damaged(f"records {sorted(records)}: raw words (1) and camera constants (32) are needed")
    constants, scenery, model = _camera(records[32], damaged)
    if emissivity is not None or distance_m is not None:
        scenery = Scenery(
            scenery.emissivity if emissivity is None else emissivity,
            scenery.distance_m if distance_m is None else distance_m,
            scenery.reflected_c,
            scenery.air_c,
            scenery.humidity,
            scenery.window_c,
            scenery.window,
        )
    if not (0.01 <= scenery.emissivity <= 1 and 0 <= scenery.distance_m <= 10_000 and 0.01 <= scenery.window <= 1):
        raise InvalidInput(
            f"{name} 的测温参数超出范围 · emissivity {scenery.emissivity:g}, distance {scenery.distance_m:g} m, window {scenery.window:g} of {name}",
            remedy="give emissivity (0.01–1) and distance_m (0–10,000) yourself",
        )
    raw = _words(records[1], name, damaged)
    return Thermogram("FLIR", model, _celsius(raw, constants, scenery), raw, scenery)


def _camera(record: bytes, damaged) -> tuple[_Constants, Scenery, str]:
    """Constants, what the operator set, and the model, from record 32 (byte order of its own)."""
    order = "<" if record[:2] == b"\x02\x00" else ">"

    def real(offset: int) -> float:
        return float(struct.unpack_from(order + "f", record, offset)[0])

    constants = _Constants(
        real(0x58), real(0x30C), real(0x5C), real(0x60), float(struct.unpack_from(order + "i", record, 0x308)[0]),
        real(0x70), real(0x74), real(0x78), real(0x7C), real(0x80),
    )  # fmt: skip
    numbers = (constants.r1, constants.r2, constants.b, constants.f, constants.alpha1, constants.alpha2, constants.beta1, constants.beta2, constants.x)
    if not np.isfinite(numbers).all() or min(constants.r1, constants.r2, constants.b) <= 0 or abs(constants.f) > 100:
        raise damaged(f"Planck constants R1 {constants.r1:g}, R2 {constants.r2:g}, B {constants.b:g}, F {constants.f:g}")
    humidity, window = real(0x3C), real(0x34)
    scenery = Scenery(
        real(0x20), real(0x24), real(0x28) - KELVIN, real(0x2C) - KELVIN, humidity / 100 if humidity > 2 else humidity, real(0x30) - KELVIN, window or 1.0
    )
    warm = (scenery.reflected_c, scenery.air_c, scenery.window_c)
    if not np.isfinite((*warm, scenery.humidity, scenery.emissivity, scenery.distance_m)).all() or min(warm) < -KELVIN or max(warm) > 5000:
        raise damaged(f"scene settings {scenery}")
    model = record[0xD4:0xF4].split(b"\0")[0].decode("ascii", "replace").strip()
    return constants, scenery, model


def _words(record: bytes, name: str, damaged) -> np.ndarray:
    """Raw words from record 1: plain, or a PNG whose bytes are swapped."""
    order = "<" if record[:2] == b"\x02\x00" else ">"
    width, height = struct.unpack_from(order + "HH", record, 2)
    if width * height > MOST_PIXELS or not width or not height:
        raise TooLarge(f"{name}: {width} × {height} 像素 · pixels", remedy=f"1 to {MOST_PIXELS:,}")
    body = record[0x20:]
    if body[:8] == b"\x89PNG\r\n\x1a\n":
        try:
            with Image.open(io.BytesIO(body), formats=["PNG"]) as picture:
                if picture.size != (width, height) or not picture.mode.startswith("I"):
                    raise damaged(f"a PNG {picture.size} {picture.mode} in place of {width} × {height} words")
                return np.asarray(picture).astype(np.uint16).byteswap()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise damaged(f"its PNG of raw words: {error}") from error
    if len(body) < width * height * 2:
        raise damaged(f"{len(body):,} bytes for {width} × {height} words (or a compression of its own)")
    return np.frombuffer(body, order + "u2", width * height).reshape(height, width).astype(np.uint16)


def _celsius(raw: np.ndarray, constants: _Constants, scenery: Scenery) -> np.ndarray:
    """The measurement formula solved for the object."""
    air, window, emissivity = constants.air(scenery), scenery.window, scenery.emissivity
    if not 0 < air <= 1.001:
        raise InvalidInput(
            f"大气透过率 {air:g} 不合理 · the air's transmission is {air:g} at {scenery.distance_m:g} m", remedy="give distance_m yourself, in metres"
        )
    other = (1 - emissivity) * air * window * constants.word(scenery.reflected_c) + (1 - air) * window * constants.word(scenery.air_c)
    if window < 1:
        other += (1 - window) * constants.word(scenery.window_c)
    return constants.celsius((raw - other) / (emissivity * air * window)).astype(np.float32)
