"""Run a YOLO detect head on the CPU: OpenVINO where it is installed, ONNX Runtime otherwise.

The serving process imports neither torch nor ultralytics: importing the two takes 4–14 s and about 600 MB a process, and their own
loop is not thread safe. Pre- and post-processing are the published ones (letterbox with 114, class-aware non-maximum suppression), so
boxes equal those of `ultralytics.YOLO(path, task='detect')`; a test compares them.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from grid.errors import InvalidInput, Unavailable

SIDE_LIMIT = 2048
"""Largest model input side in pixels; a larger one would take seconds a frame on a CPU."""

_FIRST_USE = threading.Lock()
"""OpenVINO's Python binding fills its static tables at first use and waits for the interpreter while it holds their guard: two threads that use it for
the first time at once block each other, and the whole process, for ever. So engines are built and first run one after another."""

CANDIDATES = 3000
"""Boxes that enter suppression, best first: a hostile or broken model cannot make it quadratic in 8400."""


@dataclass(frozen=True, slots=True)
class Box:
    """One detection in pixels of the frame: left, top, right, bottom (x right, y down), score 0–1, class name of the model."""

    left: float
    top: float
    right: float
    bottom: float
    score: float
    label: str

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes before suppression, best first: `corners` n×4 pixels of the frame (left, top, right, bottom), `scores` n, `kinds` n class numbers."""

    corners: np.ndarray
    scores: np.ndarray
    kinds: np.ndarray


class Runner(Protocol):
    """A compiled model: float32 1×3×S×S in, float32 1×(4+classes)×anchors out."""

    name: str

    def __call__(self, tensor: np.ndarray) -> np.ndarray: ...


class OpenvinoRunner:
    """Reads OpenVINO IR (.xml) and ONNX alike. In float32, whatever the CPU offers: in bfloat16, its choice where there is AMX, boxes move by a fifth of
    themselves (IoU 0.78 of a real plume) for 0.6 of the time."""

    name = "openvino"

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        core = openvino.Core()
        exact = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(core.read_model(path), "CPU", exact)
        self.input_shape = tuple(compiled.inputs[0].shape)
        self._request = compiled.create_infer_request()

    def __call__(self, tensor: np.ndarray) -> np.ndarray:
        return next(iter(self._request.infer([tensor]).values())).copy()


class OnnxRunner:
    """Reads ONNX only; several times slower than OpenVINO on the same CPU (see benchmarks/frames.py)."""

    name = "onnxruntime"

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0]
        self.input_shape = tuple(self._input.shape)

    def __call__(self, tensor: np.ndarray) -> np.ndarray:
        return self._session.run(None, {self._input.name: tensor})[0]


class Engine:
    """One loaded model. Calls from several threads run one after another (the compiled request is not shareable)."""

    def __init__(self, path: Path, labels: Sequence[str], *, threads: int = 2, runtime: str | None = None) -> None:
        """`path`: .xml (OpenVINO IR with its .bin beside it) or .onnx; `labels`: class names in the model's order."""
        with _FIRST_USE:
            self._build(path, labels, threads, runtime)

    def _build(self, path: Path, labels: Sequence[str], threads: int, runtime: str | None) -> None:
        self.labels = tuple(labels)
        self._runner = _runner(path, threads, runtime)
        shape = self._runner.input_shape
        if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or not isinstance(shape[2], int) or not 32 <= shape[2] <= SIDE_LIMIT:
            raise InvalidInput(
                f"Model {path.name} takes input {shape}, not 1×3×S×S with a fixed S of 32 to {SIDE_LIMIT}",
                remedy="Export a square YOLO detect model with a fixed image size.",
            )
        self.side = int(shape[2])
        self._lock = threading.Lock()
        output = self._runner(np.zeros((1, 3, self.side, self.side), np.float32))
        if output.ndim != 3 or output.shape[1] != 4 + len(self.labels):
            raise InvalidInput(
                f"Model {path.name} answers with shape {output.shape}; {len(self.labels)} classes need (1, {4 + len(self.labels)}, anchors)",
                remedy="Give the class names of this model in its own order, and export it without built-in suppression (nms=False).",
            )

    @property
    def runtime(self) -> str:
        return self._runner.name

    def boxes(self, image: np.ndarray, threshold: float, *, overlap: float = 0.5, limit: int = 100) -> tuple[Box, ...]:
        """Boxes with score ≥ `threshold`, best first. `image`: H×W×3 uint8 RGB; `overlap`: IoU above which the weaker of a class goes."""
        found = self.candidates(image, threshold)
        chosen = suppress(found.corners, found.kinds, overlap, limit)
        return tuple(Box(*(float(v) for v in found.corners[i]), float(found.scores[i]), self.labels[found.kinds[i]]) for i in chosen)

    def candidates(self, image: np.ndarray, threshold: float) -> Candidates:
        """All that the head says with score ≥ `threshold`, CANDIDATES at most. `image`: H×W×3 uint8 RGB. Raises InvalidInput."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise InvalidInput(f"A frame must be H×W×3 uint8, got {image.shape} {image.dtype}", remedy="Decode it with imagery.cameras.frames.")
        tensor, scale, left, top = _letterbox(image, self.side)
        with self._lock:
            output = self._runner(tensor)
        return _decode(output[0], image.shape[:2], scale, left, top, threshold)


def _runner(path: Path, threads: int, runtime: str | None):
    known = {"openvino": OpenvinoRunner, "onnxruntime": OnnxRunner}
    wanted = [runtime] if runtime else list(known)
    if path.suffix == ".xml":
        wanted = [name for name in wanted if name == "openvino"]
    missing = []
    for name in wanted:
        if name not in known:
            raise InvalidInput(f"Unknown runtime {name!r}", remedy=f"Use one of {', '.join(known)}.")
        try:
            return known[name](path, threads)
        except ImportError as error:
            missing.append(f"{name}: {error}")
        except (RuntimeError, ValueError) as error:
            raise InvalidInput(
                f"{path.name} cannot be loaded by {name}: {str(error).splitlines()[0]}",
                remedy="The file is damaged or no such model: add it again with `hdq models add`.",
            ) from error
    raise Unavailable(
        f"No runtime for {path.name}: {'; '.join(missing) or 'OpenVINO files need openvino'}",
        remedy="Install openvino or onnxruntime (`hdq up` does).",
    )


def _letterbox(image: np.ndarray, side: int) -> tuple[np.ndarray, float, int, int]:
    """Scaled to fit a square of `side`, centred on grey 114, as float32 1×3×side×side; with the scale and the two paddings in pixels."""
    height, width = image.shape[:2]
    scale = min(side / height, side / width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    left = round((side - new_width) / 2 - 0.1)
    top = round((side - new_height) / 2 - 0.1)
    canvas = np.full((side, side, 3), 114, np.uint8)
    resized = image if (new_width, new_height) == (width, height) else cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    canvas[top : top + new_height, left : left + new_width] = resized
    tensor = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], dtype=np.float32)
    tensor /= 255.0
    return tensor, scale, left, top


def _decode(output: np.ndarray, shape: tuple[int, int], scale: float, left: int, top: int, threshold: float) -> Candidates:
    """`output`: (4+classes)×anchors, centre x, centre y, width, height in model pixels, then one score a class."""
    scores = output[4:]
    kinds = scores.argmax(axis=0)
    best = scores[kinds, np.arange(scores.shape[1])]
    keep = np.flatnonzero((best >= threshold) & np.isfinite(output[:4]).all(axis=0))
    keep = keep[np.argsort(-best[keep], kind="stable")][:CANDIDATES]
    centre, half, best, kinds = output[:2, keep], output[2:4, keep] / 2, best[keep], kinds[keep]
    low, high = centre - half, centre + half
    height, width = shape
    corners = np.stack(
        [
            np.clip((low[0] - left) / scale, 0, width),
            np.clip((low[1] - top) / scale, 0, height),
            np.clip((high[0] - left) / scale, 0, width),
            np.clip((high[1] - top) / scale, 0, height),
        ]
    ).T
    return Candidates(corners, best, kinds)


def suppress(corners: np.ndarray, kinds: np.ndarray, overlap: float, limit: int) -> list[int]:
    """Greedy non-maximum suppression within each class; `corners` n×4, best score first."""
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    alive = area > 0
    chosen: list[int] = []
    for i in range(len(corners)):
        if not alive[i]:
            continue
        chosen.append(i)
        if len(chosen) == limit:
            break
        side = np.minimum(corners[i, 2:], corners[i + 1 :, 2:]) - np.maximum(corners[i, :2], corners[i + 1 :, :2])
        shared = np.prod(np.clip(side, 0, None), axis=1)
        union = area[i] + area[i + 1 :] - shared
        alive[i + 1 :] &= ~((shared > overlap * union) & (kinds[i + 1 :] == kinds[i]))
    return chosen
