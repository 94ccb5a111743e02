"""A pyramid of encoded tiles in one file: a cloud-optimised BigTIFF (WebP, compression 50001) in Web Mercator, whose blocks are XYZ tiles.

GDAL and everything that stands on it reads it as any other raster; here its directory is read once, and a tile is its bytes in the file.
Only files that `write` made are read: what differs from them is refused. Layout: TIFF 6.0, BigTIFF, GeoTIFF 1.1 (OGC 19-008).
"""

import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from grid.errors import InvalidInput

SIDE = 256
HALF_WORLD_M = 20_037_508.342789244
HEADER = struct.Struct("<2sHHHQ")
ENTRY = struct.Struct("<HHQQ")
MOST_LEVELS, MOST_TILES = 24, 1 << 24
SHORT, LONG, ASCII, DOUBLE, LONG8 = 3, 4, 2, 12, 16
KIND = {SHORT: "<u2", LONG: "<u4", ASCII: "S1", DOUBLE: "<f8", LONG8: "<u8"}
WIDTH, HEIGHT, COMPRESSION, DESCRIPTION, OFFSETS, COUNTS = 256, 257, 259, 270, 324, 325
WEBP = 50001
GEO_KEYS = (1, 1, 1, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 3857)


@dataclass(frozen=True, slots=True)
class Extent:
    """The tiles of one zoom: columns `x` … `x + wide - 1` and rows `y` … `y + tall - 1`, y from the north."""

    z: int
    x: int
    y: int
    wide: int
    tall: int

    def up(self) -> "Extent":
        """The same area one zoom further out; even numbers are needed.

        >>> Extent(5, 4, 6, 4, 2).up()
        Extent(z=4, x=2, y=3, wide=2, tall=1)
        """
        if (self.x | self.y | self.wide | self.tall) % 2:
            raise InvalidInput(f"{self} does not end where tiles of zoom {self.z - 1} do", remedy="widen it to even numbers")
        return Extent(self.z - 1, self.x // 2, self.y // 2, self.wide // 2, self.tall // 2)


def pyramid(extent: Extent, levels: int) -> list[Extent]:
    """The extent and those of `levels` - 1 zooms further out."""
    found = [extent]
    while len(found) < levels:
        found.append(found[-1].up())
    return found


def write(path: Path, extent: Extent, levels: int, tile: Callable[[Extent], Iterator[bytes]], about: dict) -> None:
    """Writes the file: `tile` gives the WebP blocks of a level, row by row, empty bytes where there is nothing. `about` goes into its description.

    Directories first, then the blocks from the coarsest level to the finest.
    """
    chain = pyramid(extent, levels)
    tables = [(np.zeros(level.wide * level.tall, "<u8"), np.zeros(level.wide * level.tall, "<u4")) for level in chain]
    with path.open("wb") as file:
        file.seek(len(_directories(chain, tables, about)))
        for level, (offsets, counts) in reversed(list(zip(chain, tables, strict=True))):
            for number, block in enumerate(tile(level)):
                if block:
                    offsets[number], counts[number] = file.tell(), len(block)
                    file.write(block)
        file.seek(0)
        file.write(_directories(chain, tables, about))


def _directories(chain: list[Extent], tables: list[tuple[np.ndarray, np.ndarray]], about: dict) -> bytes:
    made = bytearray(HEADER.pack(b"II", 43, 8, 0, 16))
    for number, (level, (offsets, counts)) in enumerate(zip(chain, tables, strict=True)):
        tags = [
            (254, LONG, [1 if number else 0]), (WIDTH, LONG, [level.wide * SIDE]), (HEIGHT, LONG, [level.tall * SIDE]), (258, SHORT, [8] * 4),
            (COMPRESSION, SHORT, [WEBP]), (262, SHORT, [2]), (277, SHORT, [4]), (284, SHORT, [1]), (322, LONG, [SIDE]), (323, LONG, [SIDE]),
            (OFFSETS, LONG8, offsets), (COUNTS, LONG, counts), (338, SHORT, [2]), (339, SHORT, [1] * 4),
        ]  # fmt: skip
        if number == 0:
            tile_m = 2 * HALF_WORLD_M / 2**level.z
            corner = level.x * tile_m - HALF_WORLD_M, HALF_WORLD_M - level.y * tile_m
            text = json.dumps(about | {"z": level.z, "x": level.x, "y": level.y}, ensure_ascii=True).encode() + b"\x00"
            tags += [
                (DESCRIPTION, ASCII, np.frombuffer(text, "S1")), (33550, DOUBLE, [tile_m / SIDE, tile_m / SIDE, 0.0]),
                (33922, DOUBLE, [0.0, 0.0, 0.0, *corner, 0.0]), (34735, SHORT, GEO_KEYS),
            ]  # fmt: skip
        _directory(made, sorted(tags, key=lambda tag: tag[0]), last=number == len(chain) - 1)
    return bytes(made)


def _directory(made: bytearray, tags: list[tuple], *, last: bool) -> None:
    """Appends a directory and, behind it, the values that do not fit into its entries."""
    place = len(made) + 8 + ENTRY.size * len(tags) + 8
    entries, values = bytearray(struct.pack("<Q", len(tags))), bytearray()
    for tag, kind, numbers in tags:
        data = np.asarray(numbers, KIND[kind]).tobytes()
        count = len(data) // np.dtype(KIND[kind]).itemsize
        if len(data) <= 8:
            entries += ENTRY.pack(tag, kind, count, int.from_bytes(data.ljust(8, b"\x00"), "little"))
        else:
            entries += ENTRY.pack(tag, kind, count, place + len(values))
            values += data + b"\x00" * (-len(data) % 8)
    made += entries + struct.pack("<Q", 0 if last else place + len(values)) + values


@dataclass(frozen=True, slots=True)
class Level:
    """One zoom of an open file: where its blocks lie; a count of 0 is a tile without anything."""

    extent: Extent
    offsets: np.ndarray
    counts: np.ndarray


class Blocks:
    """An open file of tiles; safe between threads, closed with the last reference to it."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidInput for a file that `write` did not make or that is not whole."""
        self.path = path
        self._file = path.open("rb", buffering=0)
        self.about, levels = _read(self._file, path)
        self.levels = {level.extent.z: level for level in levels}

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """The WebP of a tile as it stands in the file, empty where there is nothing; None for a zoom that the file does not have.

        Raises InvalidInput when the file has been cut or overwritten there.
        """
        level = self.levels.get(z)
        if level is None:
            return None
        col, row = x - level.extent.x, y - level.extent.y
        if not (0 <= col < level.extent.wide and 0 <= row < level.extent.tall):
            return b""
        number = row * level.extent.wide + col
        count = int(level.counts[number])
        if count == 0:
            return b""
        block = os.pread(self._file.fileno(), count, int(level.offsets[number]))
        if len(block) != count or block[:4] != b"RIFF" or int.from_bytes(block[4:8], "little") + 8 != count:
            raise InvalidInput(f"{self.path.name!r} is damaged at tile {z}/{x}/{y}", remedy="delete it: it is made anew from its scene")
        return block


def _read(file: BinaryIO, path: Path) -> tuple[dict, list[Level]]:
    size = os.fstat(file.fileno()).st_size

    def take(offset: int, length: int) -> bytes:
        if offset + length > size or length > 8 * MOST_TILES:
            raise ValueError(f"{length} bytes at {offset} of {size}")
        return os.pread(file.fileno(), length, offset)

    try:
        magic, version, wide, zero, place = HEADER.unpack(take(0, HEADER.size))
        if (magic, version, wide, zero) != (b"II", 43, 8, 0):
            raise ValueError("no BigTIFF of ours")
        levels: list[Level] = []
        about: dict = {}
        while place:
            tags, place = _tags(take, place)
            if not levels:
                about = json.loads(b"".join(tags[DESCRIPTION].tolist()))
                extent = Extent(about["z"], about["x"], about["y"], int(tags[WIDTH][0]) // SIDE, int(tags[HEIGHT][0]) // SIDE)
            else:
                extent = levels[-1].extent.up()
            offsets, counts = tags[OFFSETS].astype(np.int64), tags[COUNTS].astype(np.int64)
            tiles = extent.wide * extent.tall
            if len(offsets) != tiles or len(counts) != tiles or tags[COMPRESSION][0] != WEBP or (extent.wide * SIDE, extent.tall * SIDE) != (tags[WIDTH][0], tags[HEIGHT][0]):
                raise ValueError(f"level {len(levels)} is not a level of WebP tiles")
            if (offsets < 0).any() or (offsets + counts > size).any() or len(levels) >= MOST_LEVELS:
                raise ValueError(f"level {len(levels)} reaches beyond the file")
            levels.append(Level(extent, offsets, counts))
    except (ValueError, KeyError, TypeError, IndexError, struct.error, InvalidInput) as error:
        raise InvalidInput(f"{path.name!r} is no whole file of published tiles: {error}", remedy="delete it: it is made anew from its scene") from error
    return about, levels


def _tags(take: Callable[[int, int], bytes], place: int) -> tuple[dict[int, np.ndarray], int]:
    """The values of a directory by tag, and where the next one lies (further on, or 0)."""
    (count,) = struct.unpack("<Q", take(place, 8))
    if not 0 < count <= 64:
        raise ValueError(f"{count} tags")
    raw = take(place + 8, ENTRY.size * count + 8)
    tags = {}
    for number in range(count):
        tag, kind, values, where = ENTRY.unpack_from(raw, number * ENTRY.size)
        if kind not in KIND or values > MOST_TILES:
            raise ValueError(f"tag {tag} of kind {kind} with {values} values")
        length = values * np.dtype(KIND[kind]).itemsize
        data = where.to_bytes(8, "little")[:length] if length <= 8 else take(where, length)
        tags[tag] = np.frombuffer(data, KIND[kind])
    (following,) = struct.unpack_from("<Q", raw, ENTRY.size * count)
    if following and following <= place:
        raise ValueError("the directories go in a circle")
    return tags, following
