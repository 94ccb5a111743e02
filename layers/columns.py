"""The rows of a layer as columns in memory: what the encoder draws tiles from. Read by COPY BINARY through the layer's own statement, ordered by z18 tile.

Coordinates stay the doubles of the database (16 bytes a vertex) and boxes the float32 of PostGIS, so that every decision falls as it does in ST_AsMVTGeom; 270,000 buildings
take 41 MiB. Everything here is synchronous and runs in a thread: COPY hands out a message a row, which would keep an event loop busy for a second.
"""

import json
import struct
from dataclasses import dataclass, field

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from grid.errors import TooLarge
from layers import rows, strokes, tiles
from layers.spec import LayerSpec

SORT_ZOOM = 18
SIDE = 2 * tiles.HALF / 2**SORT_ZOOM
WORLD = (-tiles.HALF, -tiles.HALF, tiles.HALF, tiles.HALF)
MAX_COPY_BYTES = 1 << 29
"""A layer that needs more to be read stays with SQL."""

_KINDS = {16: rows.BOOL, 20: rows.INT8, 21: rows.INT2, 23: rows.INT4, 25: rows.TEXT, 700: rows.FLOAT4, 701: rows.FLOAT8}
_JSONB = 3802
_JSON = -1


@dataclass(slots=True)
class Store:
    """Columns of one length n, ordered: rows larger than a z18 tile first (`large` of them), the others by `key` (z18 tile of the box's centre, y · 2^18 + x).

    `names` are the properties of features, `attributes` what each comes from: a jsonb attribute gives several.
    `parts_of`, `rings_of`, `ends` are the first part of a row, the first ring of a part, the end of a ring in `xy` (EPSG:3857); `codes` (n, columns) index `values`, which is
    `values_at`-delimited bytes of MVT values, -1 for NULL; `regions` index `region_codes` (None: the layer is public). `dead` rows have been replaced by a later store.
    """

    names: tuple[str, ...]
    attributes: tuple[str, ...]
    ids: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    box: NDArray[np.float32]
    key: NDArray[np.int64]
    large: int
    parts_of: NDArray[np.int32]
    rings_of: NDArray[np.int32]
    ends: NDArray[np.int32]
    xy: NDArray[np.float64]
    clearance: NDArray[np.float32]
    codes: NDArray[np.int32]
    values: NDArray[np.uint8]
    values_at: NDArray[np.int32]
    values_of: tuple[int, ...]
    regions: NDArray[np.int32]
    region_codes: tuple[str, ...] | None
    dead: NDArray[np.uint8]
    largest: int
    _allowed: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """Bytes that the columns hold."""
        return sum(getattr(self, name).nbytes for name in self.__slots__ if isinstance(getattr(self, name), np.ndarray))

    def allowed(self, prefix: str) -> NDArray[np.uint8]:
        """By region: whether a caller of this scope prefix sees its rows. An empty or non-numeric prefix sees nothing."""
        found = self._allowed.get(prefix)
        if found is None:
            codes = ("",) if self.region_codes is None else self.region_codes
            sees = [bool(prefix) and (self.region_codes is None or (prefix.isdigit() and code.startswith(prefix))) for code in codes]
            if len(self._allowed) > 1000:
                self._allowed.clear()
            found = self._allowed[prefix] = np.array(sees, np.uint8)
        return found

    def values_among(self, names: tuple[str, ...]) -> NDArray[np.int32]:
        """Codes of all values that some properties have anywhere in the store."""
        ends = np.cumsum(self.values_of)
        return np.concatenate([np.zeros(0, np.int32), *(np.arange(end - size, end, dtype=np.int32) for name, size, end in zip(self.names, self.values_of, ends, strict=True) if name in names)])

    def ranges(self, wide: tiles.Bounds) -> NDArray[np.int64]:
        """(from, to) of the rows that may touch a box of EPSG:3857."""
        west, south, east, north = wide
        low_x, high_x = (int((v + tiles.HALF) // SIDE) for v in (west - SIDE / 2, east + SIDE / 2))
        low_y, high_y = (int((tiles.HALF - v) // SIDE) for v in (north + SIDE / 2, south - SIDE / 2))
        if high_y - low_y > 2000:
            return np.array([[0, len(self)]], np.int64)
        line = np.arange(max(low_y, 0), min(high_y, 2**SORT_ZOOM - 1) + 1, dtype=np.int64) << SORT_ZOOM
        small = self.key[self.large :]
        found = np.stack([small.searchsorted(line + max(low_x, 0)), small.searchsorted(line + min(high_x, 2**SORT_ZOOM - 1), "right")], axis=1) + self.large
        found = found[found[:, 0] < found[:, 1]]
        return np.concatenate([[[0, self.large]], found]).astype(np.int64) if self.large else found.astype(np.int64)

    def kill(self, wide: tiles.Bounds, ids: NDArray[np.int64]) -> None:
        """Marks the rows that a later store replaces: those that touch a box, and those of these ids."""
        west, south, east, north = wide
        touched = (self.box[:, 0] <= east) & (self.box[:, 2] >= west) & (self.box[:, 1] <= north) & (self.box[:, 3] >= south)
        touched |= np.isin(self.ids, ids)
        dead = self.dead.copy()
        dead[touched] = 1
        self.dead = dead


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of features: its name, the layer's attribute it comes from, its expression and its kind."""

    name: str
    attribute: str
    expression: sql.Composable
    kind: int


def _parameters(spec: LayerSpec, z: int, box: tiles.Bounds) -> dict:
    found = {"wide": tiles.ewkb(box, 3857), "degrees": tiles.ewkb(tiles.degrees(box), 4326), "z": z, "scope": "%", "prefix": ""}
    if dataset := tiles.DATASET.fullmatch(spec.id):
        found["dataset"] = dataset.group(1)
    return found


def _described(connection: psycopg.Connection, spec: LayerSpec, source: sql.Composable, given: dict) -> list[Attribute]:
    """Name, expression and kind of every attribute; the members of a jsonb attribute become attributes, as in ST_AsMVT."""
    if not spec.attributes:
        return []
    chosen = sql.SQL(", ").join(map(sql.Identifier, spec.attributes))
    cursor = connection.execute(sql.SQL("SELECT {} FROM ({}) AS source LIMIT 0").format(chosen, source), given)
    found: list[Attribute] = []
    for column in cursor.description:
        name = sql.Identifier(column.name)
        if column.type_code == _JSONB:
            keys = connection.execute(
                sql.SQL("SELECT DISTINCT key FROM ({}) AS source, jsonb_object_keys({}) AS key ORDER BY key").format(source, name), given
            ).fetchall()
            found += [Attribute(key, column.name, sql.SQL("({} -> {})::text").format(name, sql.Literal(key)), _JSON) for (key,) in keys]
        elif column.type_code in _KINDS:
            found.append(Attribute(column.name, column.name, name, _KINDS[column.type_code]))
        else:
            found.append(Attribute(column.name, column.name, sql.SQL("{}::text").format(name), rows.TEXT))
    return found


def read(connection: psycopg.Connection, spec: LayerSpec, z: int, box: tiles.Bounds = WORLD) -> Store:
    """The rows of a layer as they are drawn at a zoom, whoever may see them, that touch a box of EPSG:3857.

    Raises TooLarge beyond MAX_COPY_BYTES, and ValueError for a geometry collection: such layers stay with SQL.
    """
    source, given = sql.SQL(spec.sql_at(z).strip()), _parameters(spec, z, box)
    attributes = _described(connection, spec, source, given)
    region = sql.SQL("''") if spec.public else sql.Identifier("region_code")
    shape = sql.SQL("ST_AsBinary(ST_Force2D(geom_3857), 'NDR')")
    chosen = sql.SQL(", ").join([sql.SQL("id::bigint"), shape, region, *(item.expression for item in attributes)])
    query = sql.SQL("COPY (SELECT {} FROM ({}) AS source WHERE NOT ST_IsEmpty(geom_3857)) TO STDOUT (FORMAT BINARY)").format(chosen, source)
    blocks = bytearray()
    with connection.cursor().copy(query, given) as copy:
        for block in copy:
            blocks += block
            if len(blocks) > MAX_COPY_BYTES:
                raise TooLarge(f"图层 {spec.id} 超过 {MAX_COPY_BYTES >> 20} MB · the layer takes more than {MAX_COPY_BYTES >> 20} MB to read", remedy="SQL draws it")
    return _store(np.frombuffer(blocks, np.uint8), attributes, spec.public)


def _store(buffer: NDArray[np.uint8], attributes: list[Attribute], public: bool) -> Store:
    start, length = rows.split(buffer, 3 + len(attributes))
    kind, counts = rows.measure(buffer, start[:, 1].copy())
    if not kind.all():
        raise ValueError("a geometry collection among the rows")
    whole = rows.shapes(buffer, start[:, 1].copy(), np.arange(len(kind)), kind, counts)
    box, key = _boxes(rows.boxes(*whole))
    del whole
    order = np.argsort(key, kind="stable")
    parts_of, rings_of, ends, xy = rows.shapes(buffer, start[:, 1].copy(), order, kind, counts)
    codes = np.empty((len(order), len(attributes)), np.int32)
    known, sizes = [np.zeros(1, np.int32)], []
    joined: list[NDArray[np.uint8]] = []
    base = bytes_before = 0
    for number, item in enumerate(attributes):
        begin, size = start[:, 3 + number].copy(), length[:, 3 + number].copy()
        code, first = rows.dictionary(buffer, begin, size)
        if item.kind == _JSON:
            code, encoded, at = _json_values(buffer, code, begin[first], size[first])
        else:
            encoded, at = rows.values(buffer, begin[first], size[first], item.kind)
        codes[:, number] = np.where(code < 0, -1, code + base)[order]
        joined.append(encoded)
        known.append(at[1:] + bytes_before)
        sizes.append(len(at) - 1)
        base += len(at) - 1
        bytes_before += len(encoded)
    region, first = rows.dictionary(buffer, start[:, 2].copy(), length[:, 2].copy())
    region_codes = tuple(bytes(buffer[start[r, 2] : start[r, 2] + length[r, 2]]).decode() for r in first)
    vertices = np.diff(ends[rings_of[parts_of]]) if len(order) else np.zeros(1, np.int64)
    return Store(
        names=tuple(item.name for item in attributes),
        attributes=tuple(item.attribute for item in attributes),
        ids=rows.integers(buffer, start[:, 0].copy(), length[:, 0].copy())[order],
        kinds=kind[order],
        box=box[order],
        key=key[order],
        large=int((key < 0).sum()),
        parts_of=parts_of,
        rings_of=rings_of,
        ends=ends,
        xy=xy,
        clearance=strokes.clearances(kind[order], parts_of, rings_of, ends, xy, strokes.SMALL_VERTICES),
        codes=codes,
        values=np.concatenate(joined) if joined else np.zeros(0, np.uint8),
        values_at=np.concatenate(known).astype(np.int32),
        values_of=tuple(sizes),
        regions=np.zeros(len(order), np.int32) if public else region[order],
        region_codes=None if public else region_codes,
        dead=np.zeros(len(order), np.uint8),
        largest=int(vertices.max(initial=1)) + 2 * int(np.diff(rings_of[parts_of]).max(initial=1)),
    )


def _boxes(exact: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes widened to float32 as PostGIS stores them, and the sorting key: -1 for a row larger than a z18 tile."""
    box = exact.astype(np.float32)
    for column, side in ((0, -np.inf), (1, -np.inf), (2, np.inf), (3, np.inf)):
        wrong = box[:, column] > exact[:, column] if side < 0 else box[:, column] < exact[:, column]
        box[wrong, column] = np.nextafter(box[wrong, column], np.float32(side))
    limit = 2**SORT_ZOOM - 1
    x = np.clip(((exact[:, 0] + exact[:, 2]) / 2 + tiles.HALF) // SIDE, 0, limit).astype(np.int64)
    y = np.clip((tiles.HALF - (exact[:, 1] + exact[:, 3]) / 2) // SIDE, 0, limit).astype(np.int64)
    large = (exact[:, 2] - exact[:, 0] > SIDE - 4) | (exact[:, 3] - exact[:, 1] > SIDE - 4)
    return box, np.where(large, -1, y << SORT_ZOOM | x)


def _json_values(buffer: NDArray[np.uint8], code: NDArray[np.int32], start: NDArray, length: NDArray) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int32]]:
    """Values of a member of a jsonb attribute: text, true and false, whole numbers and others; null, objects and lists are left out, as in ST_AsMVT."""
    encoded, kept = [], np.full(len(start) + 1, -1, np.int32)
    for number, (begin, size) in enumerate(zip(start.tolist(), length.tolist(), strict=True)):
        value = json.loads(bytes(buffer[begin : begin + size]))
        if value is None or isinstance(value, dict | list):
            continue
        kept[number] = len(encoded)
        encoded.append(mvt_value(value))
    at = np.concatenate([[0], np.cumsum([len(item) for item in encoded])]).astype(np.int32)
    return kept[code], np.frombuffer(b"".join(encoded), np.uint8).copy(), at


def varint(number: int) -> bytes:
    """An unsigned whole number as protocol buffers write it.

    >>> varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def mvt_value(value: str | bool | int | float) -> bytes:
    """A value of a layer with its tag and length.

    >>> mvt_value("a").hex(), mvt_value(True).hex(), mvt_value(-1).hex()
    ('22030a0161', '22023801', '22023001')
    """
    if isinstance(value, bool):
        body = bytes((0x38, value))
    elif isinstance(value, str):
        text = value.encode()
        body = b"\x0a" + varint(len(text)) + text
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        body = b"\x28" + varint(value) if value >= 0 else b"\x30" + varint(-value * 2 - 1)
    else:
        body = b"\x19" + struct.pack("<d", value)
    return b"\x22" + varint(len(body)) + body


def sample() -> Store:
    """One row of every kind of value, a multipolygon with a hole near Qingdao: what compiles the readers without a database."""
    ring = [(13400000.0, 4310000.0), (13400100.0, 4310000.0), (13400100.0, 4310100.0), (13400000.0, 4310100.0), (13400000.0, 4310000.0)]
    hole = [(x * 0.5 + 6700025.0, y * 0.5 + 2155025.0) for x, y in reversed(ring)]
    rings = b"".join(struct.pack("<I", len(points)) + b"".join(struct.pack("<dd", *point) for point in points) for points in (ring, hole))
    shape = struct.pack("<BII", 1, 6, 1) + struct.pack("<BII", 1, 3, 2) + rings
    given = [struct.pack(">q", 1), shape, b"1", b"text", struct.pack(">i", 3), b"1"]
    row = struct.pack(">h", len(given)) + b"".join(struct.pack(">i", len(item)) + item for item in given)
    attributes = [Attribute(name, name, sql.SQL(""), kind) for name, kind in (("a", rows.TEXT), ("b", rows.INT4), ("c", _JSON))]
    return _store(np.frombuffer(bytearray(bytes(rows.HEADER_BYTES) + row + b"\xff\xff"), np.uint8), attributes, public=False)
