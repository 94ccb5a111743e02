"""Clean rows as PostgreSQL's binary COPY (manual, COPY "Binary Format"), a batch at once: no Python object a row but its WKB."""

import struct
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from layers.reading.pipeline import Piece

COLUMNS = ("dataset_id", "id", "properties", "label", "region_code", "geom")
HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TAIL = b"\xff\xff"
_MIDDLE = np.dtype([("id", ">i8"), ("length", ">i4"), ("version", "u1")])


class Packer:
    """Rows of one dataset: `pack` gives the bytes of a piece, in the order of COLUMNS."""

    def __init__(self, dataset_id: str, codes: np.ndarray) -> None:
        name = dataset_id.encode()
        self._begin = struct.pack(">hi", len(COLUMNS), len(name)) + name + struct.pack(">i", 8)
        self._codes = pa.array([struct.pack(">i", len(code)) + code.encode() for code in codes.tolist()], pa.binary())

    def pack(self, piece: Piece) -> memoryview:
        """The rows of a piece; empty for none."""
        total = len(piece.numbers)
        if not total:
            return memoryview(b"")
        middle = np.empty(total, dtype=_MIDDLE)
        middle["id"], middle["version"] = piece.numbers, 1
        middle["length"] = np.asarray(pc.binary_length(piece.documents)) + 1
        wkb = piece.wkb if piece.wkb is not None else pa.array(shapely.to_wkb(piece.geometries, output_dimension=2, byte_order=1).tolist(), pa.binary())
        wkb = wkb.cast(pa.binary())
        labels = piece.labels.cast(pa.binary())
        rows = pc.binary_join_element_wise(
            pa.scalar(self._begin, pa.binary()),
            _fixed(middle),
            piece.documents,
            _lengths(labels),
            labels,
            self._codes.take(pa.array(piece.regions)),
            _lengths(wkb),
            wkb,
            pa.scalar(b"", pa.binary()),
        )
        _, offsets, data = rows.buffers()
        ends = np.frombuffer(offsets, dtype=np.int32)[rows.offset : rows.offset + total + 1]
        return memoryview(data)[int(ends[0]) : int(ends[-1])]


def _lengths(values: pa.Array) -> pa.Array:
    return _fixed(np.asarray(pc.binary_length(values)).astype(">i4"))


def _fixed(values: np.ndarray) -> pa.Array:
    """Each element's bytes as an Arrow binary."""
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.dtype.itemsize
    return pa.BinaryArray.from_buffers(pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(values))])


def unpack(data: bytes | memoryview) -> Iterator[tuple[int, bytes, bytes]]:
    """(number, attributes as JSON, WKB) of each row that `pack` wrote."""
    at, body = 0, bytes(data)
    while at < len(body):
        (fields,) = struct.unpack_from(">h", body, at)
        at += 2
        values = []
        for _ in range(fields):
            (length,) = struct.unpack_from(">i", body, at)
            values.append(body[at + 4 : at + 4 + length])
            at += 4 + length
        yield int.from_bytes(values[1], "big"), values[2][1:], values[5]
