"""Cameras, their frames, and the algorithms and models that look at them, on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from gis_api.wire.base import Wire


class CameraOut(Wire):
    """A camera, where it stands and looks. Azimuth clockwise from true north, pitch negative below the horizon. Its stream address is not told."""

    id: int
    code: str = Field(description="20 digits (GB/T 28181)", examples=["37021200011320000001"])
    name: str
    kind: Literal["tower", "street"]
    lon: float
    lat: float
    ground_m: float
    height_m: float
    azimuth_deg: float
    pitch_deg: float
    hfov_deg: float
    range_m: float
    pose_sigma_deg: float
    image_width: int
    image_height: int
    detectors: list[str]
    state: Literal["online", "offline", "frozen", "blurred", "dark", "moved", "wrong_pose"]
    last_frame_at: datetime | None
    stale: bool = Field(description="no frame for 30 minutes although it has a stream")
    streaming: bool
    region_code: str
    cell_code: str | None
    simulated: bool
    owner: str
    purpose: str
    retention_days: int = Field(description="how long its pictures may be kept")
    lens_mm: float | None = Field(description="focal length")


class PresetOut(Wire):
    """A pose that a pan-tilt-zoom camera can be sent to."""

    name: str
    azimuth_deg: float
    pitch_deg: float
    hfov_deg: float


class CameraDetail(CameraOut):
    """A camera with what it sees, its presets and its latest frames."""

    presets: list[PresetOut]

    view: dict[str, Any] | None = Field(description="GeoJSON of the ground it can see")
    frames: list["FrameOut"]


class FrameOut(Wire):
    """A frame that was accepted and what became of it."""

    id: int
    sha256: str
    recorded_at: datetime
    received_at: datetime
    state: Literal["queued", "done", "dropped", "failed"]
    detected_at: datetime | None
    error: str | None
    boxes: int


class FrameAccepted(Wire):
    """A frame is stored and will be examined once. `repeated`: this picture of this moment was accepted before."""

    frame_id: int
    sha256: str
    repeated: bool


class CameraRefused(Wire):
    """A row of a file that was left out, from 1 without the heading."""

    line: int
    code: str
    reason: str


class CamerasImported(Wire):
    """What became of a file of cameras; the first 100 refused rows are told."""

    added: int
    changed: int
    refused_count: int
    refused: list[CameraRefused]


class ModelOut(Wire):
    """Weights on disk and where they come from."""

    id: str
    classes: list[str]
    sha256: str
    source_sha256: str
    licence: str
    provenance: str
    format: Literal["openvino", "onnx"]
    imgsz: int
    notes: str


class DetectorOut(Wire):
    """A camera algorithm; unavailable ones say why and what to do."""

    id: str
    version: str
    title: str
    title_en: str
    scenes: list[str]
    kinds: dict[str, str] = Field(description="class of the model -> event kind", examples=[{"smoke": "smoke"}])
    threshold: float
    need: int = Field(description="detections that make a finding")
    within_s: float = Field(description="… in this many seconds")
    in_zone: str = Field(description="the event that its things make in a zone that forbids them", examples=["boat_no_go"])
    only_zones: bool = Field(description="outside zones it makes no findings")
    gathers: bool = Field(description="it finds groups of things, so zones that count refuse it")
    measured: str
    available: bool
    model: str | None
    model_sha256: str | None
    reason: str
    remedy: str
