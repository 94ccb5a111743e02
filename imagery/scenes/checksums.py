"""The checksums inside a deflated TIFF: each block ends with the Adler-32 of its bytes (RFC 1950).

GDAL stops reading a block once its pixels are full, before that checksum: measured on a COG, a third of single flipped bits decode without a word
into other pixels. So every block is inflated here to its very end.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from grid.errors import InvalidInput
from imagery.scenes.raster import MAGIC

DEFLATED = (8, 32946)
COMPRESSION, STRIP_OFFSETS, STRIP_COUNTS, TILE_OFFSETS, TILE_COUNTS = 259, 273, 279, 324, 325
KINDS = {3: "u2", 4: "u4", 16: "u8"}
MOST_DIRECTORIES, MOST_BLOCKS, MOST_BLOCK_BYTES = 64, 1 << 22, 1 << 28
CHUNK = 1 << 20

Take = Callable[[int, int], bytes]


def check_blocks(path: Path) -> int:
    """Inflates every deflated block of a TIFF, overviews too, and compares its checksum; how many blocks it did (0: not a TIFF, or compressed otherwise).

    Raises InvalidInput that names the first damaged block.
    """
    with path.open("rb", buffering=0) as file:
        if file.read(4) not in MAGIC:
            return 0
        size = os.fstat(file.fileno()).st_size

        def take(offset: int, length: int) -> bytes:
            if offset + length > size:
                raise ValueError(f"{length} bytes at {offset} of {size}")
            return os.pread(file.fileno(), length, offset)

        done = 0
        try:
            for directory, (offset, count) in _blocks(take):
                if count:
                    _inflate(take(offset, count), f"block at {offset} of picture {directory}")
                    done += 1
        except (ValueError, struct.error, zlib.error) as error:
            raise InvalidInput(f"{path.name!r} is truncated or damaged: {error}", remedy="fetch or export the file again") from error
    return done


def _inflate(block: bytes, where: str) -> None:
    stream, given, total = zlib.decompressobj(), block, 0
    try:
        while not stream.eof:
            part = stream.decompress(given, CHUNK)
            total += len(part)
            given = stream.unconsumed_tail
            if total > MOST_BLOCK_BYTES or (not part and not given and not stream.eof):
                raise ValueError(f"the {where} has no end")
    except zlib.error as error:
        raise ValueError(f"the checksum of the {where} does not fit ({str(error)[:60]})") from error


def _blocks(take: Take) -> Iterator[tuple[int, tuple[int, int]]]:
    """(directory, (offset, bytes)) of each block of the deflated pictures of a TIFF, classic or big, of either byte order."""
    head = take(0, 16)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", head, 2)[0] == 43
    (place,) = struct.unpack_from(f"{order}Q", head, 8) if big else struct.unpack_from(f"{order}I", head, 4)
    seen: set[int] = set()
    while place:
        if place in seen or len(seen) >= MOST_DIRECTORIES:
            raise ValueError("its directories go in a circle or are too many")
        seen.add(place)
        tags, place = _directory(take, place, order, big)
        if tags.get(COMPRESSION, np.ones(1)).item(0) not in DEFLATED:
            continue
        for starts, lengths in ((TILE_OFFSETS, TILE_COUNTS), (STRIP_OFFSETS, STRIP_COUNTS)):
            if starts in tags and lengths in tags:
                if tags[starts].size != tags[lengths].size:
                    raise ValueError("it has more places of blocks than lengths of them, or fewer")
                for pair in zip(tags[starts].tolist(), tags[lengths].tolist(), strict=True):
                    yield len(seen), pair


def _directory(take: Take, place: int, order: str, big: bool) -> tuple[dict[int, np.ndarray], int]:
    """The whole numbers of a directory by tag, and where the next one lies, 0 after the last."""
    wide = struct.Struct(f"{order}HHQ8s" if big else f"{order}HHI4s")
    (count,) = struct.unpack(f"{order}{'Q' if big else 'H'}", take(place, 8 if big else 2))
    first = place + (8 if big else 2)
    if count > 4096:
        raise ValueError(f"a directory has {count} entries")
    raw = take(first, count * wide.size)
    tags = {}
    for number in range(count):
        tag, kind, values, inside = wide.unpack_from(raw, number * wide.size)
        if tag not in (COMPRESSION, STRIP_OFFSETS, STRIP_COUNTS, TILE_OFFSETS, TILE_COUNTS) or kind not in KINDS:
            continue
        if values > MOST_BLOCKS:
            raise ValueError(f"tag {tag} has {values} values")
        length = values * np.dtype(KINDS[kind]).itemsize
        data = inside[:length] if length <= len(inside) else take(struct.unpack(f"{order}{'Q' if big else 'I'}", inside)[0], length)
        tags[tag] = np.frombuffer(data, np.dtype(KINDS[kind]).newbyteorder(order))
    end = struct.unpack(f"{order}{'Q' if big else 'I'}", take(first + count * wide.size, 8 if big else 4))[0]
    return tags, end
