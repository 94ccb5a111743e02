"""Detectors of the street: a lorry alone is no finding, an open load is soil that shows, and what has no weights says so and takes any by class name."""

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from grid.sensing import rules
from grid.sensing.rule import Signal
from imagery.cameras import frames, loads, weights
from imagery.cameras.detectors import detectors, standing
from imagery.cameras.detectors.muck_loads import FULL
from imagery.cameras.engines import Box
from tests.imagery.cameras.conftest import write_model

STREET = "cameras/street-garbage/valid/images"
TRUCKS = {"000217": ((45, 65, 124, 141), (0, 65, 48, 141)), "000250": ((485, 0, 639, 208),), "000458": ((354, 321, 639, 525),), "000617": ((466, 278, 527, 328),)}
"""What COCO weights call a truck in 160 real pictures; no load of soil among them, one brown and rusty body."""

RUSTY = "000458"


def street(folder: Path, number: str) -> np.ndarray:
    (file,) = folder.glob(f"{number}*")
    return frames.decode(file.read_bytes())


def lorry(load: np.ndarray | None) -> tuple[np.ndarray, Box]:
    """A blue lorry of 220 × 160 pixels with a load behind its sideboards."""
    image = np.full((160, 220, 3), (40, 80, 160), np.uint8)
    if load is not None:
        image[12:70, 10:210] = cv2.resize(load, (200, 58))
    return image, Box(0, 0, 220, 160, 0.8, "truck")


def test_bare_earth_of_a_real_street_as_a_load_is_seen_and_cloth_and_paint_are_not(real_data) -> None:
    picture = street(real_data(STREET), "000217")
    assert loads.open_load(*lorry(picture[330:420, 20:200])) > FULL
    assert loads.open_load(*lorry(None)) == 0.0
    for cloth in ((60, 110, 70), (30, 30, 34), (120, 120, 120), (150, 110, 70)):
        assert loads.open_load(*lorry(np.full((20, 20, 3), cloth, np.uint8))) < 0.1
    assert loads.open_load(picture, Box(0, 0, 30, 30, 0.8, "truck")) is None, "too small to tell"


def test_of_real_trucks_without_a_load_only_the_rusty_one_deceives_and_none_opens_an_alert(real_data) -> None:
    detector, said = detectors()["muck-loads"], {}
    for number, boxes in TRUCKS.items():
        picture = street(real_data(STREET), number)
        said[number] = max(0.8 * detector.weigh(picture, Box(*box, 0.8, "truck")) for box in boxes)
    assert {number for number, score in said.items() if score >= detector.threshold} == {RUSTY}
    best = Signal("muck_truck", datetime(2026, 11, 23, tzinfo=UTC), 120.38, 36.07, score=detector.chance(1.0))
    assert detector.chance(1.0) <= 0.5 and not rules.every()["muck_truck"].opens([best]).opens


def test_a_real_lorry_is_found_and_is_the_zone_s_business_only(real_data, tmp_path: Path) -> None:
    detector = detectors()["trucks"]
    engine = weights.load_engine(weights.open_model(tmp_path / "models", str(real_data("weights/coco-yolo11n-int8-openvino"))))
    (box, *_) = detector.find(street(real_data(STREET), "000250"), engine)
    assert detector.kinds[box.label] == "muck_truck" and box.left > 450
    assert detector.only_zones and detector.in_zone == "muck_truck" in rules.every()
    assert detectors()["muck-loads"].find(street(real_data(STREET), "000250"), engine) == ()


@pytest.mark.parametrize(("detector_id", "label", "kind", "code"), [
    ("road-spill", "mud", "road_spill", "01005"), ("road-water", "puddle", "road_water", "04002"), ("street-vending", "goods", "street_vending", "05001"),
])  # fmt: skip
def test_any_weights_that_know_the_class_serve(tmp_path: Path, detector_id: str, label: str, kind: str, code: str) -> None:
    detector = detectors()[detector_id]
    assert standing(detector, tmp_path / "none").model is None
    write_model(tmp_path / "m.onnx", labels=(label, "sky"))
    weights.add_model(tmp_path / "models", tmp_path / "m.onnx", model_id=detector.models[0], licence="", provenance="")
    entry = standing(detector, tmp_path / "models")
    found = detector.find(np.full((96, 96, 3), 255, np.uint8), weights.load_engine(entry.model))
    assert found and {detector.kinds[box.label] for box in found} == {kind}
    assert rules.every()[kind].category_code == code
