"""Pictures, cameras and models of the camera tests: small, made in memory, no network."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image
from psycopg import AsyncConnection

from grid.database import row
from grid.world import cameras
from grid.world.cameras import Camera

BRIGHT = 250


def picture(boxes: tuple[tuple[int, int, int, int], ...] = (), width: int = 320, height: int = 240, seed: int = 0) -> np.ndarray:
    """Noise with white rectangles (left, top, right, bottom): what the test model below finds."""
    image = np.random.default_rng(seed).integers(40, 90, (height, width, 3), dtype=np.uint8)
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = BRIGHT
    return image


def jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def write_model(path: Path, side: int = 64, cells: int = 8, labels: tuple[str, ...] = ("smoke", "fire")) -> None:
    """A real ONNX detect head without training: each of cells×cells anchors is a box of its cell, scored by how white the cell is.

    Output 1×(4+labels)×anchors as YOLO gives it; only the first label is ever scored.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    step = side // cells
    rows, columns = np.mgrid[0:cells, 0:cells]
    centres = np.stack([(columns.ravel() + 0.5) * step, (rows.ravel() + 0.5) * step, np.full(cells * cells, step), np.full(cells * cells, step)])
    others = np.zeros((1, len(labels) - 1, cells * cells), np.float32)
    nodes = [
        helper.make_node("AveragePool", ["images"], ["pooled"], kernel_shape=[step, step], strides=[step, step]),
        helper.make_node("ReduceMean", ["pooled"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Reshape", ["grey", "flat"], ["level"]),
        helper.make_node("Sub", ["level", "floor"], ["over"]),
        helper.make_node("Mul", ["over", "gain"], ["raised"]),
        helper.make_node("Clip", ["raised", "zero", "one"], ["score"]),
        helper.make_node("Concat", ["boxes", "score", *(["others"] if len(labels) > 1 else [])], ["output0"], axis=1),
    ]
    constants = {
        "flat": np.array([1, 1, cells * cells], np.int64),
        "floor": np.array(0.6, np.float32),
        "gain": np.array(2.4, np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "boxes": centres[None].astype(np.float32),
    } | ({"others": others} if len(labels) > 1 else {})
    graph = helper.make_graph(
        nodes,
        "white",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 4 + len(labels), cells * cells])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    entry = model.metadata_props.add()
    entry.key, entry.value = "names", json.dumps({str(i): label for i, label in enumerate(labels)}).replace('"', "'")
    onnx.save(model, path)


@pytest.fixture
def white_model(tmp_path: Path) -> Path:
    """The ONNX file of the test model: classes smoke, fire; finds white cells as smoke."""
    path = tmp_path / "white.onnx"
    write_model(path)
    return path


@pytest.fixture
def make_camera(conn: AsyncConnection) -> Callable:
    """Inserts a camera and gives it back; keyword arguments override its columns."""

    async def make(**changes: object) -> Camera:
        number = (await row(conn, "SELECT count(*) AS n FROM cameras"))["n"]
        await conn.execute(
            """
            INSERT INTO regions (code, level, name, geom)
            VALUES ('3702', 1, '青岛市', ST_Multi(ST_MakeEnvelope(119.5, 35.0, 121.5, 37.5, 4326))) ON CONFLICT DO NOTHING
            """
        )
        values = {
            "code": f"3702120001132{number:07d}",
            "name": f"塔 {number}",
            "kind": "tower",
            "ground_m": 0.0,
            "height_m": 30.0,
            "azimuth_deg": 90.0,
            "pitch_deg": -4.0,
            "hfov_deg": 60.0,
            "range_m": 5000.0,
            "pose_sigma_deg": 0.3,
            "image_width": 320,
            "image_height": 240,
            "stream": None,
            "detectors": ["smoke-fire"],
            "region_code": "3702",
            "geom": shapely.set_srid(shapely.Point(120.6, 36.2), 4326),
        } | changes
        names = ", ".join(values)
        found = await row(conn, f"INSERT INTO cameras ({names}) VALUES ({', '.join(f'%({name})s' for name in values)}) RETURNING id", values)
        await conn.commit()
        return await cameras.get(conn, found["id"])

    return make
