"""GeoJSON (RFC 7946) and GeoJSONSeq (RFC 8142), feature by feature: brackets are found by their bytes, so that only one batch is ever parsed.

A FeatureCollection's text is cut at its features; what remains is a small document of its own, which must be sound JSON too.
"""

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from grid.errors import InvalidInput, TooLarge
from layers.reading.batches import BYTES, MAX_DEPTH, ROWS, Batch, Counter, Header, Opened, objects, parse, size_of

_BLOCK = 1 << 20
_MAX_FEATURE = 256 * 1024**2
_UNREADABLE = "几何无法解析（坐标缺失、含 NaN 或非数字）· unreadable geometry"
_STRUCTURE = np.zeros(256, dtype=bool)
_STRUCTURE[list(b'"{}[]')] = True
_KINDS = {
    "Point": (shapely.GeometryType.POINT, 0),
    "MultiPoint": (shapely.GeometryType.MULTIPOINT, 1),
    "LineString": (shapely.GeometryType.LINESTRING, 1),
    "MultiLineString": (shapely.GeometryType.MULTILINESTRING, 2),
    "Polygon": (shapely.GeometryType.POLYGON, 2),
    "MultiPolygon": (shapely.GeometryType.MULTIPOLYGON, 3),
}


def open_collection(path: Path) -> Opened:
    """A FeatureCollection or one Feature; a `crs` member (GeoJSON 2008) is passed on, wherever it stands."""
    named = _named(path)
    return Opened(Header("GeoJSON", named, implied=True), _batches(_Splitter(path), size_of(path)))


def open_sequence(path: Path) -> Opened:
    """A feature a line, or between record separators (0x1E)."""
    return Opened(Header("GeoJSONSeq", implied=True), _batches(_Lines(path), size_of(path)))


def looks_like_sequence(head: bytes) -> bool:
    """Whether text begins with a whole feature on a line of its own, followed by another.

    >>> looks_like_sequence(b'{"type":"Feature"}\\n{"type":"Feature"}'), looks_like_sequence(b'{"type":"FeatureCollection"}')
    (True, False)
    """
    if head.startswith(b"\x1e"):
        return True
    lines = head.lstrip().split(b"\n", 2)
    return len(lines) > 1 and lines[0].rstrip().endswith(b"}") and lines[1].lstrip().startswith(b"{") and b'"Feature"' in lines[0]


def _named(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(1 << 16)
        file.seek(max(0, path.stat().st_size - (1 << 16)))
        tail = file.read()
    if b'"crs"' not in head and b'"crs"' not in tail:
        return None
    splitter = _Splitter(path)
    for _ in splitter.pieces():
        pass
    named = splitter.rest.get("crs") if isinstance(splitter.rest, dict) else None
    properties = named.get("properties") if isinstance(named, dict) else None
    return str(properties["name"]) if isinstance(properties, dict) and properties.get("name") else None


class _Scan:
    """Nesting of brackets outside strings, block by block; a hostile depth costs no memory."""

    def __init__(self) -> None:
        self.depth = 0
        self.quoted = False
        self.carry = b""

    def feed(self, block: bytes) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
        """Places, signs and depth after each bracket outside strings of a block. Raises InvalidInput beyond 64 levels."""
        text = self.carry + block
        shift = len(self.carry)
        slashes = len(text) - len(text.rstrip(b"\\"))
        self.carry = b"\\" if slashes % 2 else b""
        if b"\\" in text:
            text = text.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        codes = np.frombuffer(text, dtype=np.uint8)
        places = np.flatnonzero(_STRUCTURE[codes])
        signs = codes[places]
        quotes = signs == 0x22
        inside = ((np.cumsum(quotes) + self.quoted) & 1).astype(bool)
        brackets = ~inside & ~quotes
        if len(inside):
            self.quoted = bool(inside[-1])
        places, signs = places[brackets] - shift, signs[brackets]
        levels = self.depth + np.cumsum(np.where((signs == 0x5B) | (signs == 0x7B), 1, -1))
        if len(levels):
            if levels.max() > MAX_DEPTH:
                raise InvalidInput(f"JSON 嵌套超过 {MAX_DEPTH} 层 · JSON nested deeper than {MAX_DEPTH}", remedy="检查文件 · check the file")
            self.depth = int(levels[-1])
        return places, signs, levels


class _Splitter:
    """The texts of the features of a collection. `rest` is, at the end, the document without them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rest: Any = None
        self.offset = 0

    def pieces(self) -> Iterator[bytes]:
        """Every feature's text. Raises InvalidInput where the document is damaged."""
        scan, held, count = _Scan(), b"", 0
        outside: list[bytes] = []
        inside = over = False
        with self.path.open("rb") as file:
            block = file.read(_BLOCK).removeprefix(b"\xef\xbb\xbf")
            while block:
                base = len(held)
                places, signs, levels = scan.feed(block)
                text = held + block
                places = places + base
                at = 0
                if not inside and not over:
                    for k in np.flatnonzero((signs == 0x5B) & (levels == 2)):
                        if re.search(rb'"features"\s*:\s*$', text[max(0, int(places[k]) - 200) : int(places[k])]):
                            inside, at = True, int(places[k]) + 1
                            outside.append(text[:at])
                            break
                if inside:
                    relevant = (places >= at) & (((signs == 0x7B) & (levels == 3)) | ((signs == 0x7D) & (levels == 2)) | ((signs == 0x5D) & (levels == 1)))
                    begun = -1
                    for place, sign in zip(places[relevant].tolist(), signs[relevant].tolist(), strict=True):
                        if sign == 0x7B:
                            self._between(text[at:place], count)
                            begun = place
                        elif sign == 0x7D:
                            if begun < 0:  # it began in an earlier block: `held` starts with it
                                begun = at
                            yield text[begun : place + 1].lstrip(b" \t\r\n,")
                            count, at, begun = count + 1, place + 1, -1
                        else:
                            self._between(text[at:place], count)
                            inside, over, at = False, True, place
                            break
                if inside:
                    held = text[at:]
                    if len(held) > _MAX_FEATURE:
                        raise TooLarge("单个要素过大 · one feature is too large", remedy=f"至多 {_MAX_FEATURE:,} 字节 · at most {_MAX_FEATURE:,} bytes")
                else:
                    held = b""
                    outside.append(text[at:])
                    if sum(map(len, outside)) > _MAX_FEATURE:
                        raise TooLarge("要素之外的内容过大 · too much outside of the features", remedy="检查文件 · check the file")
                self.offset = file.tell()
                block = file.read(_BLOCK)
        try:
            self.rest = json.loads(b"".join(outside)) if not inside else None
        except (ValueError, RecursionError) as damage:
            raise _damaged(count, damage) from damage
        if inside:
            raise _damaged(count, ValueError("the file ends inside its features"))
        if not count and isinstance(self.rest, dict) and self.rest.get("type") == "Feature":
            yield b"".join(outside)

    def _between(self, gap: bytes, count: int) -> None:
        if gap not in (b",", b"", b",\n", b"\n", b", ") and gap.strip() not in (b",", b""):
            raise _damaged(count, ValueError(f"unexpected {gap[:40]!r}"))


class _Lines:
    """The texts of a sequence."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0

    def pieces(self) -> Iterator[bytes]:
        """Every text between separators that is not blank."""
        with self.path.open("rb") as file:
            first = file.read(1)
            file.seek(0)
            separator = b"\x1e" if first == b"\x1e" else b"\n"
            held = b""
            while block := file.read(_BLOCK):
                *whole, held = (held + block).split(separator)
                if len(held) > _MAX_FEATURE:
                    raise TooLarge("单个要素过大 · one feature is too large", remedy=f"至多 {_MAX_FEATURE:,} 字节 · at most {_MAX_FEATURE:,} bytes")
                self.offset = file.tell()
                yield from (text for text in whole if text.strip())
            if held.strip():
                yield held


def _batches(source: _Splitter | _Lines, size: int) -> Iterator[Batch]:
    counter, waiting, weight = Counter(), [], 0
    for text in source.pieces():
        waiting.append(text)
        weight += len(text)
        if len(waiting) >= ROWS or weight >= BYTES:
            counter.add(len(waiting))
            yield _batch(waiting, counter.rows - len(waiting), source.offset / size)
            waiting, weight = [], 0
    if waiting:
        counter.add(len(waiting))
        yield _batch(waiting, counter.rows - len(waiting), 1.0)


def _batch(texts: list[bytes], before: int, done: float) -> Batch:
    shapes, records, ids = [], [], []
    for text in texts:
        try:
            feature = orjson.loads(text)
        except ValueError:
            feature = _tolerant(text, before + len(records))
        found = feature if isinstance(feature, dict) else {}
        shape, properties, own = found.get("geometry"), found.get("properties"), found.get("id")
        shapes.append(shape if isinstance(shape, dict) else None)
        records.append(properties if isinstance(properties, dict) else {})
        ids.append(None if own is None else str(own))
    faults: dict[int, str] = {}
    return Batch(shapes_of(shapes, faults), records, faults=faults, ids=ids, done=min(done, 1.0))


def _tolerant(text: bytes, row: int) -> Any:
    """What orjson refuses and people still send: NaN, lone surrogates, whole numbers beyond 64 bits."""
    try:
        if _depth(text) > MAX_DEPTH:
            raise InvalidInput(f"JSON 嵌套超过 {MAX_DEPTH} 层 · JSON nested deeper than {MAX_DEPTH}", remedy="检查文件 · check the file")
        return json.loads(text)
    except ValueError as damage:
        raise _damaged(row, damage) from damage


def _damaged(rows: int, damage: Exception) -> InvalidInput:
    what = " ".join(str(damage).split())[:120]
    return InvalidInput(f"JSON 在第 {rows + 1} 行要素处损坏 · JSON is damaged at feature {rows + 1}: {what}", remedy="重新导出文件 · export the file again")


def _depth(text: bytes) -> int:
    """Deepest nesting of brackets outside strings, up to one past the limit."""
    try:
        levels = _Scan().feed(text)[2]
    except InvalidInput:
        return MAX_DEPTH + 1
    return int(levels.max()) if len(levels) else 0


def shapes_of(found: list[dict | None], faults: dict[int, str]) -> NDArray[np.object_]:
    """GeoJSON geometries to shapes, with Z where all of a kind have it, all of one kind at once; what no reader understands is None and a fault.

    >>> faults = {}
    >>> [g.geom_type for g in shapes_of([{"type": "Point", "coordinates": [1, 2, 3]}, {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}], faults)], faults
    (['Point', 'LineString'], {})
    >>> shapes_of([{"type": "Point", "coordinates": ["1", 2]}, None], faults).tolist(), list(faults)
    ([None, None], [0])
    """
    shapes = np.full(len(found), None, dtype=object)
    groups: dict[str, list[int]] = {}
    for i, shape in enumerate(found):
        if shape is not None:
            groups.setdefault(str(shape.get("type")), []).append(i)
    for kind, members in groups.items():
        try:
            shapes[members] = _alike(kind, [found[i]["coordinates"] for i in members])
        except (KeyError, TypeError, ValueError, shapely.errors.GEOSException):
            wrong: dict[int, str] = {}
            shapes[members] = parse([json.dumps(found[i]) for i in members], shapely.from_geojson, _UNREADABLE, wrong)
            faults.update({members[i]: reason for i, reason in wrong.items()})
    return shapes


def _alike(kind: str, coordinates: list) -> NDArray[np.object_]:
    """Shapes of one kind from their nested lists. Raises where any is not as regular as most are."""
    code, depth = _KINDS[kind]
    offsets, level = [], coordinates
    for _ in range(depth):
        if not all(type(part) is list for part in level):
            raise ValueError("not nested as its type says")
        counts = np.fromiter(map(len, level), dtype=np.int64, count=len(level))
        offsets.append(np.concatenate([[0], np.cumsum(counts)]))
        level = list(chain.from_iterable(level))
    xy = np.array(level)
    if xy.ndim != 2 or xy.shape[1] not in (2, 3) or xy.dtype.kind not in "if":
        raise ValueError("not pairs of numbers")
    points = np.ascontiguousarray(xy, dtype=np.float64)
    return objects(list(shapely.points(points))) if depth == 0 else shapely.from_ragged_array(code, points, tuple(reversed(offsets)))
