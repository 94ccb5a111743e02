"""Labelled pictures, the scores of a model on them, and training: repeatable, from safe weights only, scored on what was kept apart."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gis_api.commands import evaluate, models
from grid.errors import InvalidInput, NotFound
from imagery.cameras import carried, labelled, scoring, trained, training, weights
from imagery.cameras.engines import Box, Engine
from imagery.cameras.labelled import Labelled
from tests.imagery.cameras.conftest import jpeg, picture

RUN = CliRunner()
WHITE = (40, 30, 72, 62)


def data(folder: Path, count: int = 4, classes: tuple[str, ...] = ("smoke", "fire")) -> Path:
    """A data set in YOLO's layout: a white square on noise in each picture, somewhere else each time."""
    for part in ("train", "valid"):
        for kind in ("images", "labels"):
            (folder / part / kind).mkdir(parents=True)
        for number in range(count):
            left, top = 8 + 13 * number, 8 + 9 * number
            image = picture(((left, top, left + 32, top + 32),), width=128, height=128, seed=number)
            (folder / part / "images" / f"{number}.jpg").write_bytes(jpeg(image))
            (folder / part / "labels" / f"{number}.txt").write_text(f"0 {(left + 16) / 128} {(top + 16) / 128} 0.25 0.25\n", "utf-8")
    (folder / "data.yaml").write_text(json.dumps({"names": list(classes), "download": "touch harmed"}), "utf-8")
    return folder


def test_yolo_and_voc_say_the_same_box_and_outlines_become_boxes(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(picture((WHITE,), 200, 100)))
    (tmp_path / "a.txt").write_text("1 0.28 0.46 0.16 0.32\n1 0.2 0.3 0.36 0.3 0.36 0.62 0.2 0.62\n", "utf-8")
    first, outline = labelled.read_pictures(tmp_path, tmp_path, ("x", "smoke"))[0].boxes
    assert first == Labelled("smoke", 0.28, 0.46, 0.16, 0.32)
    assert [outline.x, outline.y, outline.width, outline.height] == pytest.approx([0.28, 0.46, 0.16, 0.32])
    (tmp_path / "a.txt").unlink()
    voc = "<annotation><size><width>200</width><height>100</height></size><object><name>smoke</name><bndbox><xmin>40</xmin><ymin>30</ymin><xmax>72</xmax><ymax>62</ymax></bndbox></object></annotation>"
    (tmp_path / "a.xml").write_text(voc, "utf-8")
    (same,) = labelled.read_pictures(tmp_path, tmp_path, ())[0].boxes
    assert [same.x, same.y, same.width, same.height] == pytest.approx([0.28, 0.46, 0.16, 0.32]) and same.label == "smoke"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "0 0.5 0.5", "line 1"),
        ("a.txt", "7 0.5 0.5 0.1 0.1", "class 7"),
        ("a.txt", "0 320 240 60 60", "line 1"),
        ("a.xml", "<annotation><object><name>smoke</name></object></annotation>", "Pascal VOC"),
        ("a.xml", '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><annotation>&e;</annotation>', "Pascal VOC"),
    ],
)
def test_a_label_that_cannot_be_read_is_refused_with_its_file(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(picture()))
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(InvalidInput, match=said) as refused:
        labelled.read_pictures(tmp_path, tmp_path, ("smoke",))
    assert name in refused.value.detail and refused.value.remedy


def test_folders_without_pictures_or_description_are_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no pictures"):
        labelled.read_pictures(tmp_path, tmp_path, ("smoke",))
    with pytest.raises(NotFound, match=r"data\.yaml"):
        labelled.read_dataset(tmp_path, "train")


def test_each_label_is_matched_once_and_by_the_best_box() -> None:
    truth = (Labelled("smoke", 0.5, 0.5, 0.2, 0.2),)
    near, twin, other = Box(40, 40, 60, 60, 0.9, "smoke"), Box(41, 40, 61, 60, 0.8, "smoke"), Box(40, 40, 60, 60, 0.7, "fire")
    assert scoring.matched((near, twin, other), truth, (100, 100), 0.5) == [True, False, False]
    assert scoring.matched((Box(52, 40, 72, 60, 0.9, "smoke"),), truth, (100, 100), 0.5) == [False]
    assert scoring.matched((Box(52, 40, 72, 60, 0.9, "smoke"),), truth, (100, 100), 0.2) == [True]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30), st.integers(1, 40))
def test_average_precision_stays_a_share_and_one_more_right_box_never_lowers_it(found: list[tuple[float, bool]], more: int) -> None:
    labels = sum(right for _, right in found) + more
    before = scoring.average_precision(found, labels)
    assert 0 <= before <= 1
    assert scoring.average_precision([(2.0, True), *found], labels) >= before - 1e-12


def test_a_model_is_scored_on_labelled_and_unlabelled_pictures(tmp_path: Path, white_model: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(picture(((128, 128, 192, 192),), 512, 512)))
    (tmp_path / "a.txt").write_text(f"0 {160 / 512} {160 / 512} 0.125 0.125", "utf-8")
    (tmp_path / "b.txt").write_text("", "utf-8")
    pictures = labelled.read_pictures(tmp_path, tmp_path, ("smoke", "fire"))
    assert [picture.boxes is None for picture in pictures] == [False, False, True]
    found = scoring.score(Engine(white_model, ("smoke", "fire")), pictures, threshold=0.3)
    assert found.recall == 1.0 and found.precision == pytest.approx(1 / 3, abs=1e-4) and found.silent_boxes == 1 and found.unlabelled == 1
    assert found.empty_frames == 2 and found.false_alarms_per_frame == 1.0 and found.alarming_frames == 1.0
    assert found.frame_recall == 1.0 and found.frame_precision == pytest.approx(1 / 3, abs=1e-4)
    assert found.by_class.keys() == {"smoke"} and 0.3 < found.map50 <= 1.0
    told = RUN.invoke(evaluate.group, ["detect", "--images", str(tmp_path), "--labels", str(tmp_path), "--weights", str(white_model), "--threshold", "0.3"])
    assert told.exit_code == 0, told.output
    figures = json.loads(told.output.splitlines()[-1])
    assert {"recall", "precision", "map50", "ms_per_frame"} <= figures.keys() and figures["recall"] == 1.0


def test_a_folder_that_nobody_labelled_tells_false_alarms_and_no_recall(tmp_path: Path, white_model: Path) -> None:
    for name, boxes in {"a": ((128, 128, 192, 192), (320, 320, 384, 384)), "b": (), "c": ()}.items():
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(picture(boxes, 512, 512)))
    told = RUN.invoke(evaluate.group, ["detect", "--images", str(tmp_path), "--weights", str(white_model), "--threshold", "0.3"])
    assert told.exit_code == 0, told.output
    figures = json.loads(told.output.splitlines()[-1])
    assert figures["recall"] is None and figures["map50"] is None and figures["precision"] == figures["frame_precision"] == 0.0
    assert figures["empty_frames"] == 3 and figures["false_alarms_per_frame"] == pytest.approx(2 / 3, abs=1e-4) and figures["alarming_frames"] == pytest.approx(1 / 3, abs=1e-4)


def test_recipes_that_cannot_be_and_unsafe_starts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="side 100"):
        training.Recipe(side=100)
    (tmp_path / "bad.pt").write_bytes(b"no archive")
    with pytest.raises(InvalidInput):
        training.train(data(tmp_path / "data"), tmp_path / "bad.pt", tmp_path / "out.pt", training.Recipe(), config_dir=tmp_path / "cfg")
    assert not (tmp_path / "out.pt").exists()


def test_training_again_gives_the_same_weights_which_are_registered_with_their_score(tmp_path: Path) -> None:
    try:
        start = carried.starting_point(None)
    except NotFound as reason:
        pytest.skip(reason.detail)
    folder, registry = data(tmp_path / "data"), tmp_path / "models"
    recipe, heard = training.Recipe(epochs=1, side=64, batch=2, threads=1), []
    model, first = trained.train_and_register(registry, "street-litter", folder, start, recipe, licence="CC0", progress=lambda epoch, losses: heard.append((epoch, losses)))
    assert model.card.classes == ("smoke", "fire") and model.card.imgsz == 64 and model.card.licence == "CC0"
    assert "on 4 pictures kept apart" in model.card.notes and "seed 0" in model.card.provenance
    assert heard[0][0] == 1 and "loss" in heard[0][1]
    assert weights.find_model(registry, "street-litter") == model and weights.load_engine(model).side == 64
    second = trained.in_its_process(folder, start, tmp_path / "again.pt", recipe, registry / ".ultralytics")
    assert first["weights_sha256"] == second["weights_sha256"] and first["pictures"] == 4
    assert not (folder / "harmed").exists() and not Path("harmed").exists()
    assert sorted(path.name for path in (folder / "train").iterdir()) == ["images", "labels"], "nothing is written beside the data"


def test_the_command_trains_and_says_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def short(registry, model_id, dataset, start, recipe, **rest):
        seen.update(id=model_id, recipe=recipe)
        return trained_model, {"epochs": recipe.epochs}

    card = weights.Card("street-litter", ("smoke",), "a" * 64, "CC0", "", "onnx", 64, (), "", "mAP50 0.5 on 4 pictures kept apart")
    trained_model = weights.Model(card, tmp_path)
    monkeypatch.setattr(trained, "train_and_register", short)
    monkeypatch.setenv("HDQ_DATA_DIR", str(tmp_path / "hdq"))
    start = tmp_path / "start.pt"
    start.write_bytes(np.zeros(1, np.uint8).tobytes())
    told = RUN.invoke(models.group, ["train", "street-litter", str(data(tmp_path / "data")), "--epochs", "3", "--start", str(start)])
    assert told.exit_code == 0, told.output
    assert json.loads(told.output.splitlines()[-1]) == {"epochs": 3} and seen["recipe"].epochs == 3 and "mAP50 0.5" in told.output
