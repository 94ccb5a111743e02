"""Every detector that the folder holds, and the rules of the folder itself."""

import sys
from pathlib import Path

import numpy as np
import pytest

from grid.discovery import Broken
from imagery.cameras import carried, privacy, weights
from imagery.cameras.detectors import Detector, detectors, standing, standings
from imagery.cameras.detectors.crowd import LEAST, gather
from imagery.cameras.engines import Box
from tests.imagery.cameras.conftest import picture, write_model

ALL = sorted(detectors())
KINDS = {"forest_fire", "smoke", "garbage", "muck_truck", "crowd", "water", "boat", "vehicle", "person", "machinery", "road_spill", "road_water", "street_vending", "other"}


@pytest.mark.parametrize("detector_id", ALL)
def test_a_detector_is_complete_and_finds_boxes_inside_the_frame(detector_id: str, tmp_path: Path) -> None:
    detector = detectors()[detector_id]
    assert detector.id == detector_id
    assert set(detector.kinds.values()) <= KINDS
    assert detector.version and not detector.title.isascii() and detector.title_en.isascii()
    write_model(tmp_path / "m.onnx", labels=(*detector.kinds, "unrelated"))
    engine = weights.load_engine(weights.add_model(tmp_path / "models", tmp_path / "m.onnx", model_id=detector.models[0], licence="", provenance=""))
    for shape in ((240, 320), (32, 500)):
        found = detector.find(np.full((*shape, 3), 255, np.uint8), engine)
        assert all(0 <= box.left < box.right <= shape[1] and 0 <= box.top < box.bottom <= shape[0] for box in found)
        assert all(box.label in detector.kinds and detector.threshold <= box.score <= 1 for box in found)
    assert detector.find(picture(), engine) == ()
    assert standing(detector, tmp_path / "models").model.card.id == detector.models[0]


@pytest.mark.parametrize("detector_id", ALL)
def test_chances_rise_with_the_score(detector_id: str) -> None:
    chances = [detectors()[detector_id].chance(score) for score in np.linspace(0, 1, 21)]
    assert chances == sorted(chances)
    assert 0 <= chances[0] <= chances[-1] <= 1


@pytest.mark.parametrize("detector_id", ALL)
def test_without_weights_it_is_listed_with_reason_and_remedy(detector_id: str, tmp_path: Path) -> None:
    (entry,) = [entry for entry in standings(tmp_path / "none") if entry.detector.id == detector_id]
    assert entry.model is None
    assert entry.reason and entry.remedy.startswith("hdq models add")


def test_a_new_file_is_served_and_a_wrong_one_stops_the_start(tmp_path: Path, monkeypatch) -> None:
    import imagery.cameras.detectors as folder

    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    head = "from imagery.cameras.detectors import Detector\n"
    body = "Detector(id={id!r}, version='1', title='试', title_en='Trial', models=('coco',), kinds={{'car': 'vehicle'}}, scenes=frozenset({{'street'}}), threshold=0.5)\n"
    cases = {
        "trial": (f"{head}DETECTOR = {body.format(id='trial')}", None),
        "twice": (f"{head}DETECTOR = {body.format(id='vehicles')}", "is taken by another file"),
        "typed": ("DETECTOR = 3\n", "DETECTOR is 3"),
        "broken": ("import nothing_of_that_name\n", "ModuleNotFoundError"),
    }
    for name, (text, wrong) in cases.items():
        file = tmp_path / f"zz_{name}.py"
        file.write_text(text)
        detectors.cache_clear()
        try:
            if wrong is None:
                assert isinstance(detectors()["trial"], Detector)
                with pytest.raises(TypeError):
                    detectors()["trial"] = None
            else:
                with pytest.raises(Broken, match=wrong):
                    detectors()
        finally:
            file.unlink()
            sys.modules.pop(f"imagery.cameras.detectors.zz_{name}", None)
            detectors.cache_clear()


def test_a_crowd_is_one_box_around_people_who_stand_together() -> None:
    people = tuple(Box(20.0 * n, 100, 20.0 * n + 15, 140, 0.5 + n / 100, "person") for n in range(LEAST))
    stray = Box(600, 100, 615, 140, 0.9, "person")
    (crowd,) = gather((*people, stray), (480, 640))
    assert (crowd.left, crowd.right, crowd.label) == (0, 20 * (LEAST - 1) + 15, "person")
    assert gather(people[1:], (480, 640)) == ()
    assert gather((), (480, 640)) == ()


def test_without_a_model_for_people_the_whole_picture_is_made_unrecognisable(tmp_path: Path) -> None:
    image = picture()
    assert privacy.people_engine(tmp_path, 1) is None
    hidden = privacy.blurred(image, None)
    assert hidden.shape == image.shape
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) <= 64 * 64


def test_persons_are_pixelated_and_the_rest_is_left_alone() -> None:
    image = picture()
    hidden = privacy.pixelated(image, [(100, 50, 140, 150), (-20, -20, 10, 10), (400, 400, 500, 500)])
    assert len(np.unique(hidden[50:150, 100:140].reshape(-1, 3), axis=0)) <= 36
    assert (hidden[:, 150:] == image[:, 150:]).all()
    assert (image != hidden).any()


def test_smoke_of_real_towers_is_found_as_often_as_the_detector_says(real_data, tmp_path: Path) -> None:
    """Every twentieth labelled frame; the figure for all 240 stands in the detector's `measured`."""
    from defusedxml import ElementTree

    from imagery.cameras import frames

    labelled = sorted(real_data("cameras/hpwren-smoke/labelled").glob("*.jpeg"))[::20]
    taken = {entry.id: entry for entry in carried.take_from_data(tmp_path / "models", real_data("weights").parent)}
    detector, engine, hits = detectors()["smoke-fire"], weights.load_engine(taken["smoke-fire"].model), 0
    for file in labelled:
        corners = ElementTree.parse(file.with_suffix(".xml")).find(".//bndbox")
        left, top, right, bottom = (int(corners.find(name).text) for name in ("xmin", "ymin", "xmax", "ymax"))
        for box in detector.find(frames.decode(file.read_bytes()), engine):
            width, height = min(box.right, right) - max(box.left, left), min(box.bottom, bottom) - max(box.top, top)
            shared = max(width, 0) * max(height, 0)
            if shared / (box.width * box.height + (right - left) * (bottom - top) - shared) > 0.3:
                hits += 1
                break
    assert hits / len(labelled) >= 0.65
