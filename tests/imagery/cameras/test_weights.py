"""Models on disk: added whole or not at all, verified when loaded, and no pickle runs code."""

import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from grid.errors import Conflict, InvalidInput, NotFound
from imagery.cameras import carried, convert, frames, weights
from imagery.cameras.engines import Engine
from tests.imagery.cameras.conftest import picture, write_model

GIVEN = {"licence": "none", "provenance": "test"}


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_an_added_model_is_listed_with_its_own_class_names_and_loads_once(registry: Path, white_model: Path) -> None:
    model = weights.add_model(registry, white_model, model_id="white", **GIVEN)
    assert weights.list_models(registry) == (model,)
    assert (model.card.classes, model.card.format, model.card.imgsz) == (("smoke", "fire"), "onnx", 64)
    assert weights.load_engine(model) is weights.load_engine(weights.find_model(registry, "white"))
    assert weights.add_model(registry, white_model, model_id="white", **GIVEN) == model
    assert [path.name for path in registry.iterdir()] == ["white"]


def test_other_weights_under_a_known_id_are_a_conflict_unless_replaced(registry: Path, white_model: Path, tmp_path: Path) -> None:
    weights.add_model(registry, white_model, model_id="white", **GIVEN)
    other = tmp_path / "other.onnx"
    write_model(other, labels=("smoke",))
    with pytest.raises(Conflict):
        weights.add_model(registry, other, model_id="white", **GIVEN)
    assert weights.add_model(registry, other, model_id="white", replace=True, **GIVEN).card.classes == ("smoke",)


def test_changed_bytes_are_refused_when_loaded(registry: Path, white_model: Path) -> None:
    model = weights.add_model(registry, white_model, model_id="white", **GIVEN)
    model.entry.write_bytes(model.entry.read_bytes() + b"x")
    with pytest.raises(InvalidInput, match="hash"):
        weights.load_engine(model)


@pytest.mark.parametrize("classes", [("one",), ("a", "b", "c")])
def test_class_names_must_fit_the_output(registry: Path, white_model: Path, classes: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="classes need"):
        weights.add_model(registry, white_model, model_id="white", classes=classes, **GIVEN)
    assert list(registry.iterdir()) == []


@pytest.mark.parametrize(("name", "content"), [("x.onnx", b"garbage"), ("x.onnx", b""), ("x.pt", b"garbage"), ("x.txt", b"x")])
def test_files_that_are_no_model_leave_nothing_behind(registry: Path, tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        weights.add_model(registry, path, model_id="bad", **GIVEN)
    assert caught.value.remedy
    assert weights.list_models(registry) == ()
    assert not registry.exists() or [entry for entry in registry.iterdir() if entry.name != ".ultralytics"] == []


@pytest.mark.parametrize("model_id", ["", "../evil", "Ü", "a b", "/etc", "x"])
def test_ids_are_plain(registry: Path, white_model: Path, model_id: str) -> None:
    with pytest.raises(InvalidInput):
        weights.add_model(registry, white_model, model_id=model_id, **GIVEN)
    with pytest.raises(NotFound):
        weights.find_model(registry, model_id)


class Canary:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_that_would_run_code_is_refused_and_touches_nothing(registry: Path, tmp_path: Path) -> None:
    canary, bad = tmp_path / "canary", tmp_path / "bad.pt"
    for protocol in (0, 2, 4):
        with zipfile.ZipFile(bad, "w") as archive:
            archive.writestr("bad/data.pkl", pickle.dumps({"model": Canary(canary)}, protocol))
        assert convert.globals_of(bad) & {"io.open", "_io.open", "builtins.open", "__builtin__.open"}
        with pytest.raises(InvalidInput, match="would run code"):
            weights.add_model(registry, bad, model_id="bad", **GIVEN)
    assert not canary.exists()
    assert weights.list_models(registry) == ()


def test_a_global_hidden_in_the_memo_is_refused(tmp_path: Path) -> None:
    """STACK_GLOBAL whose names come from the memo cannot be read without running it, so it counts as foreign."""
    hidden = tmp_path / "hidden.pt"
    program = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x8c\x07torch.a\x94000h\x00h\x01\x93\x8c\x04true\x85R."
    with zipfile.ZipFile(hidden, "w") as archive:
        archive.writestr("hidden/data.pkl", program)
    with pytest.raises(InvalidInput):
        convert.refuse_unsafe(hidden)


def test_the_registry_says_why_a_carried_model_is_absent(registry: Path, tmp_path: Path) -> None:
    assert carried.take_from_data(registry, None) == ()
    (tmp_path / "data" / "weights").mkdir(parents=True)
    taken = carried.take_from_data(registry, tmp_path / "data")
    assert {entry.id for entry in taken} == {"coco", "smoke-fire"}
    assert all(entry.model is None and entry.reason and entry.remedy for entry in taken)


def test_weights_of_the_shared_data_are_taken_and_see_a_bus(registry: Path, real_data) -> None:
    taken = {entry.id: entry for entry in carried.take_from_data(registry, real_data("weights").parent)}
    assert all(entry.model for entry in taken.values())
    engine = weights.load_engine(taken["coco"].model)
    assert len(engine.labels) == 80
    from importlib import util

    bus = Path(util.find_spec("ultralytics").submodule_search_locations[0]) / "assets" / "bus.jpg"
    boxes = engine.boxes(frames.decode(bus.read_bytes()), 0.25)
    assert boxes[0].label == "bus"
    assert boxes[0].score == pytest.approx(0.93, abs=0.02)
    assert sum(box.label == "person" for box in boxes) >= 3


def test_package_checkpoints_name_nothing_foreign_but_the_layers_their_package_defines() -> None:
    names = {}
    for model in carried.IN_PACKAGES:
        path = carried.package_file(model.holder, model.file)
        if path is None:
            pytest.skip(f"package {model.holder} is not installed")
        names[model.id] = convert.globals_of(path)
    assert convert.refuse_unsafe(carried.package_file("railway_obstacle_detector", "best.pt"))
    foreign = {name for name in names["smoke-fire"] if name.startswith("__main__.")}
    assert foreign == {"__main__.FasterNetC2f", "__main__.FasterNetBlock", "__main__.PartialConv2d"}
    with pytest.raises(InvalidInput, match="FasterNetBlock"):
        convert.refuse_unsafe(carried.package_file("fire_detector", "models/light_yolov8_flame.pt"))


def test_a_package_checkpoint_with_layers_of_its_own_is_converted_outside_this_process(registry: Path, monkeypatch) -> None:
    monkeypatch.setattr(carried, "IN_PACKAGES", tuple(model for model in carried.IN_PACKAGES if model.id == "smoke-fire"))
    before = "torch" in sys.modules
    (taken,) = carried.take_from_packages(registry)
    if carried.package_file("fire_detector", "models") is None:
        assert taken.model is None
        assert "fire_detector" in taken.reason
        return
    assert taken.model is not None, taken.reason
    assert (taken.model.card.classes, taken.model.card.format) == (("smoke", "fire"), "openvino")
    assert ("torch" in sys.modules) is before
    assert Engine(taken.model.entry, taken.model.card.classes).boxes(np.zeros((480, 640, 3), np.uint8), 0.25) == ()
    assert carried.take_from_packages(registry)[0] == taken


def test_torchvision_without_its_operators_is_mended_and_only_then(tmp_path: Path) -> None:
    """A torchvision built for another torch fails at import exactly like the stand-in below."""
    fake = tmp_path / "torchvision"
    fake.mkdir()
    (fake / "__init__.py").write_text(
        "import torch\n@torch.library.register_fake('torchvision::nms')\ndef meta(dets, scores, iou_threshold):\n    return dets.new_empty(0)\n__version__ = '0.28.0'\n"
    )
    program = (
        "from pathlib import Path; from imagery.cameras.convert import import_ultralytics\n"
        f"import_ultralytics(Path({str(tmp_path / 'config')!r}))\n"
        "import torch, torchvision\n"
        "print(torchvision.__version__, torch.ops.torchvision.nms(torch.tensor([[0., 0, 9, 9], [0, 0, 9, 9]]), torch.tensor([.9, .8]), .5).tolist())\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env={"PYTHONPATH": f"{tmp_path}:{root}", "PATH": "/usr/bin"}
    )
    assert done.stdout.strip().splitlines()[-1:] == ["0.28.0 [0]"], done.stderr[-800:]


def test_the_same_boxes_as_ultralytics(registry: Path, real_data, tmp_path: Path) -> None:
    """Our pre- and post-processing against the library's own, on real pictures, both in float32; in a process of its own, for it imports torch."""
    folder = real_data("weights/coco-yolo11n-int8-openvino")
    copied = tmp_path / "yolo11n_openvino_model"
    copied.mkdir()
    for file in folder.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    program = (
        "import sys, json; from pathlib import Path; import numpy as np; import openvino\n"
        "from imagery.cameras.convert import import_ultralytics\n"
        "from imagery.cameras import frames, weights\n"
        "compiled = openvino.Core.compile_model\n"
        "def exact(self, model, device_name=None, config=None):\n"
        "    return compiled(self, model, device_name, {**(config or {}), 'INFERENCE_PRECISION_HINT': 'f32'})\n"
        "openvino.Core.compile_model = exact\n"
        f"ultralytics = import_ultralytics(Path({str(tmp_path / 'config')!r}))\n"
        f"engine = weights.load_engine(weights.add_model(Path({str(registry)!r}), Path({str(copied)!r}), model_id='coco', licence='', provenance=''))\n"
        f"theirs = ultralytics.YOLO({str(copied)!r}, task='detect')\n"
        "worst = 0.0\n"
        "for name in ('bus.jpg', 'zidane.jpg'):\n"
        "    image = frames.decode((Path(ultralytics.__file__).parent / 'assets' / name).read_bytes())\n"
        "    (r,) = theirs.predict(image[..., ::-1], conf=0.3, iou=0.5, verbose=False, rect=False)\n"
        "    a = sorted((engine.labels[int(c)], *map(float, b)) for b, c in zip(r.boxes.xyxy, r.boxes.cls))\n"
        "    b = sorted((x.label, x.left, x.top, x.right, x.bottom) for x in engine.boxes(image, 0.3, overlap=0.5))\n"
        "    assert [x[0] for x in a] == [x[0] for x in b], (a, b)\n"
        "    worst = max(worst, max(abs(p - q) for x, y in zip(a, b) for p, q in zip(x[1:], y[1:])))\n"
        "print(json.dumps(worst))\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=170, cwd=root)
    assert done.returncode == 0, done.stderr[-1500:]
    worst = float(done.stdout.strip().splitlines()[-1])
    assert worst < 0.5, f"{worst} pixels"


def test_golden_frames_give_the_same_boxes_whichever_engine_serves(real_data) -> None:
    """Real plumes through OpenVINO and ONNX Runtime: the same classes and scores, IoU of 0.98 at least (bfloat16, OpenVINO's own choice, gave 0.78)."""
    pictures = sorted(real_data("cameras/hpwren-smoke/labelled").glob("*.jpeg"))[:2]
    model = real_data("weights/fire-smoke/light_yolov8_flame.onnx")
    one, other = (Engine(model, ("smoke", "fire"), runtime=name) for name in ("openvino", "onnxruntime"))
    seen = 0
    for file in pictures:
        image = frames.decode(file.read_bytes())
        a, b = one.boxes(image, 0.2), other.boxes(image, 0.2)
        assert [x.label for x in a] == [x.label for x in b]
        for x, y in zip(a, b, strict=True):
            shared = max(0.0, min(x.right, y.right) - max(x.left, y.left)) * max(0.0, min(x.bottom, y.bottom) - max(x.top, y.top))
            assert shared / (x.width * x.height + y.width * y.height - shared) >= 0.98 and abs(x.score - y.score) < 0.005
        seen += len(a)
    assert seen


def test_pictures_of_any_shape_go_through(registry: Path, white_model: Path) -> None:
    engine = Engine(white_model, ("smoke", "fire"))
    for shape in ((16, 2000), (2000, 16), (64, 64), (480, 640)):
        assert all(box.right <= shape[1] and box.bottom <= shape[0] for box in engine.boxes(np.full((*shape, 3), 255, np.uint8), 0.2))
    with pytest.raises(InvalidInput):
        engine.boxes(np.zeros((10, 10), np.uint8), 0.2)
    with pytest.raises(InvalidInput):
        engine.boxes(picture().astype(np.float32), 0.2)
    (found,) = engine.boxes(picture(((80, 120, 120, 160),)), 0.5)
    assert (found.left, found.top, found.right, found.bottom) == pytest.approx((80, 120, 120, 160), abs=1)
    assert found.label == "smoke"
    (same,) = Engine(white_model, ("smoke", "fire"), runtime="onnxruntime").boxes(picture(((80, 120, 120, 160),)), 0.5)
    assert same.score == pytest.approx(found.score, abs=0.01)


def test_threads_that_use_the_runtime_for_the_first_time_at_once_do_not_block_each_other(white_model: Path) -> None:
    """Seen once in a worker: two threads inside OpenVINO's first call, each waiting for what the other held."""
    program = (
        "import threading; from pathlib import Path; import numpy as np\n"
        "from imagery.cameras.engines import Engine\n"
        "barrier, done = threading.Barrier(4), []\n"
        "def work():\n"
        "    barrier.wait()\n"
        f"    engine = Engine(Path({str(white_model)!r}), ('smoke', 'fire'))\n"
        "    done.append(engine.boxes(np.zeros((64, 64, 3), np.uint8), 0.5))\n"
        "threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]\n"
        "[thread.start() for thread in threads]; [thread.join(60) for thread in threads]\n"
        "print(len(done), flush=True)\n"
    )
    root = Path(__file__).resolve().parents[3]
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90, cwd=root)
        assert done.stdout.strip() == "4", done.stderr[-500:]
