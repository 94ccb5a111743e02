"""Finished tiles in memory: bounded by bytes, least recently used out first, forgotten when events say so."""

import gzip
import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import xxhash
from isal import igzip_lib, isal_zlib

from layers.tiles import BUFFER, Bounds, Tile

ENTRY_OVERHEAD = 400
"""Bytes of Python around an entry, so that ten thousand empty tiles count too."""

GZIP_HEAD = bytes.fromhex("1f8b08000000000000ff")
GZIP_END = b"\x03\x00"
"""An empty last block."""
STORED_MAX = 200
"""Shorter pieces are not worth a Huffman table."""

Key = tuple[str, int, int, int, str, bool]
"""(layer, z, x, y, scope prefix, whether all features are drawn)"""


@dataclass(frozen=True, slots=True)
class Packed:
    """A tile ready to be sent: gzip bytes (None for an empty tile), their strong tag, the size before compression, and the headers of the compressed answer."""

    body: bytes | None
    tag: str
    raw_bytes: int
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def plain(self) -> bytes:
        """The bytes before compression, for clients without gzip."""
        return gzip.decompress(self.body) if self.body else b""


def pack(raw: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Packed:
    """Compresses a tile once, by ISA-L at its level 1: a tenth of zlib's time. The same tile always gives the same bytes and tag.

    `headers` are those of any answer; the tile's own are added once, here.
    """
    if not raw:
        return Packed(None, "", 0)
    return _packed(igzip_lib.compress(raw, 1, igzip_lib.COMP_GZIP), len(raw), headers)


def _packed(body: bytes, raw_bytes: int, headers: tuple[tuple[bytes, bytes], ...]) -> Packed:
    tag = xxhash.xxh3_128_hexdigest(body)
    own = ((b"etag", f'"{tag}-gz"'.encode()), (b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode()))
    return Packed(body, tag, raw_bytes, (*headers, *own))


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a tile as a part of a gzip stream: deflate blocks up to a byte's end, and what the stream's end must tell of them."""

    deflated: bytes
    checksum: int
    size: int


def squeeze(raw: bytes | memoryview) -> Piece:
    """Compresses a part of a tile by itself, so that several threads may do so at once."""
    if len(raw) < STORED_MAX:
        return Piece(b"\x00" + struct.pack("<HH", len(raw), len(raw) ^ 0xFFFF) + bytes(raw), isal_zlib.crc32(raw), len(raw))
    stream = isal_zlib.compressobj(1, wbits=-15)
    return Piece(stream.compress(raw) + stream.flush(isal_zlib.Z_FULL_FLUSH), isal_zlib.crc32(raw), len(raw))


def join(pieces: Sequence[Piece], headers: tuple[tuple[bytes, bytes], ...] = ()) -> Packed:
    """A tile of pieces, one gzip stream (RFC 1952) of one member."""
    if not pieces:
        return Packed(None, "", 0)
    checksum = size = 0
    for piece in pieces:
        checksum, size = isal_zlib.crc32_combine(checksum, piece.checksum, piece.size), size + piece.size
    return _packed(b"".join([GZIP_HEAD, *(piece.deflated for piece in pieces), GZIP_END, struct.pack("<II", checksum, size & 0xFFFFFFFF)]), size, headers)


def touches(key: Key, boxes: list[Bounds]) -> bool:
    """Whether a tile, with its buffer, meets one of some boxes of EPSG:3857."""
    west, south, east, north = Tile(*key[1:4]).bounds(BUFFER)
    return any(box[0] <= east and box[2] >= west and box[1] <= north and box[3] >= south for box in boxes)


class TileCache:
    """A map from Key to Packed of at most `limit` bytes. One event loop uses it; nothing here awaits.

    A tile read before an event and finished after it must not be kept: `generation` before the read is handed to `put`.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = self.hits = self.misses = 0
        self._entries: OrderedDict[Key, tuple[Packed, float]] = OrderedDict()
        self._by_layer: dict[str, set[Key]] = {}
        self._generation: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def generation(self, layer: str) -> int:
        """Rises each time the layer is forgotten."""
        return self._generation.get(layer, 0)

    def get(self, key: Key, now: float) -> Packed | None:
        """The tile, unless it is absent or has outlived its time."""
        found = self._entries.get(key)
        if found is None or found[1] < now:
            self.misses += 1
            if found is not None:
                self._drop(key)
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: Key, tile: Packed, until: float, generation: int) -> bool:
        """Keeps a tile until a time; not when its layer was forgotten since `generation`, nor when it alone exceeds a tenth of the limit."""
        cost = len(tile.body or b"") + ENTRY_OVERHEAD
        if generation != self.generation(key[0]) or cost > self.limit // 10:
            return False
        if key in self._entries:
            self._drop(key)
        self._entries[key] = (tile, until)
        self._by_layer.setdefault(key[0], set()).add(key)
        self.size += cost
        while self.size > self.limit:
            self._drop(next(iter(self._entries)))
        return True

    def forget(self, layer: str, boxes: list[Bounds] | None = None) -> int:
        """Drops the tiles of a layer that touch boxes of EPSG:3857 (None: all); returns how many there were."""
        self._generation[layer] = self.generation(layer) + 1
        if boxes is not None:
            touched = [key for key in self._by_layer.get(layer, ()) if touches(key, boxes)]
            for key in touched:
                self._drop(key)
            return len(touched)
        keys = self._by_layer.pop(layer, set())
        for key in keys:
            self._drop(key)
        return len(keys)

    def clear(self) -> None:
        """Drops everything: what happened meanwhile is unknown."""
        for layer in {*self._by_layer, *self._generation}:
            self.forget(layer)

    def _drop(self, key: Key) -> None:
        tile, _ = self._entries.pop(key)
        self.size -= len(tile.body or b"") + ENTRY_OVERHEAD
        members = self._by_layer.get(key[0])
        if members:
            members.discard(key)
