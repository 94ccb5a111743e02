"""Turn a PyTorch YOLO checkpoint into OpenVINO IR, once, in a process of its own: `python -m imagery.cameras.convert`.

A .pt file is a pickle: loading one can run any code. Here its list of globals is read first without running it (pickletools), every name
must be on the allow-list, and torch then loads with `weights_only=True`, which builds nothing outside that list. The server itself never
imports torch or ultralytics; this is the one place that does, and the one place that disarms them.
"""

import argparse
import importlib
import importlib.util
import json
import os
import pickletools
import sys
import zipfile
from pathlib import Path

from grid.errors import HdqError, InvalidInput, Unavailable

ALLOWED_MODULES = ("torch.nn.modules.", "ultralytics.nn.modules.")
ALLOWED_GLOBALS = frozenset(
    {
        "collections.OrderedDict",
        "__builtin__.set",
        "builtins.set",
        "torch.FloatStorage",
        "torch.HalfStorage",
        "torch.BFloat16Storage",
        "torch.LongStorage",
        "torch.IntStorage",
        "torch.BoolStorage",
        "torch.Size",
        "torch.device",
        "torch.float32",
        "torch.float16",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor_v2",
        "ultralytics.nn.tasks.DetectionModel",
        "ultralytics.utils.IterableSimpleNamespace",
        "ultralytics.utils.loss.v8DetectionLoss",
        "ultralytics.utils.tal.TaskAlignedAssigner",
    }
)
PICKLE_LIMIT = 16 * 2**20
"""Bytes of the pickle itself (tensors lie beside it); a YOLO checkpoint's is about 0.2 MB."""

_libraries: list[object] = []


def globals_of(path: Path) -> frozenset[str]:
    """Dotted names that unpickling `path` would import; nothing is executed. Raises InvalidInput when it is no torch zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            inner = [entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl")]
            if len(inner) != 1 or inner[0].file_size > PICKLE_LIMIT:
                raise InvalidInput(
                    f"{path.name} holds {len(inner)} pickles, or one over {PICKLE_LIMIT} bytes: not a torch checkpoint",
                    remedy="Give an .onnx file or an OpenVINO folder instead.",
                )
            payload = archive.read(inner[0])
        names, recent = set(), []
        for opcode, argument, _ in pickletools.genops(payload):
            if opcode.name in ("GLOBAL", "INST"):
                names.add(argument.replace(" ", ".", 1))
            elif opcode.name == "STACK_GLOBAL":
                names.add(".".join(recent[-2:]) if len(recent) >= 2 else "?")
            elif opcode.name.startswith("EXT"):
                names.add(f"copyreg extension {argument}")
            elif isinstance(argument, str):
                recent.append(argument)
            elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
                recent.append("?")
    except (zipfile.BadZipFile, ValueError, OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path.name} is no torch checkpoint: {error}", remedy="Old raw pickles are refused; give an .onnx file or an OpenVINO folder."
        ) from error
    return frozenset(names)


def refuse_unsafe(path: Path, extra: frozenset[str] = frozenset()) -> frozenset[str]:
    """The globals of `path` when each is on the allow-list or in `extra`; InvalidInput naming the others when not."""
    names = globals_of(path)
    foreign = sorted(name for name in names if name not in ALLOWED_GLOBALS and name not in extra and not name.startswith(ALLOWED_MODULES))
    if foreign:
        raise InvalidInput(
            f"{path.name} would run code on loading: it names {', '.join(foreign[:5])}",
            remedy="Pickled weights with foreign classes are refused. Export the model to ONNX where you trust it and add that file.",
        )
    return names


def import_ultralytics(config_dir: Path, *, threads: int = 2, gpu: bool = False):
    """The ultralytics package, disarmed: offline, no auto-install, safe loading, own settings folder, `threads` threads, no GPU unless asked for.

    Also mends torchvision 0.28.0 beside a CPU build of torch ("operator torchvision::nms does not exist"), and only that.
    """
    config_dir.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        YOLO_OFFLINE="1",
        YOLO_AUTOINSTALL="false",
        YOLO_CONFIG_DIR=str(config_dir),
        YOLO_VERBOSE="false",
        ULTRALYTICS_SAFE_LOAD="1",
    )
    if not gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    try:
        import torch

        _mend_torchvision(torch)
        import ultralytics
        from ultralytics.utils import SETTINGS
    except ImportError as error:
        raise Unavailable(f"Cannot convert .pt weights: {error}", remedy="Install torch, torchvision and ultralytics (`hdq up` does).") from error
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if SETTINGS.get("sync", False):
        SETTINGS.update({"sync": False})
    return ultralytics


def _mend_torchvision(torch) -> None:
    try:
        importlib.import_module("torchvision")
        return
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

    def nms(dets, scores, iou_threshold):
        from ultralytics.utils.nms import TorchNMS

        return TorchNMS.nms(dets, scores, iou_threshold)

    library.impl("nms", nms, "CompositeExplicitAutograd")
    _libraries.append(library)
    torchvision = importlib.import_module("torchvision")
    # its own wrapper first asks for the compiled operators, which this build lacks: nms is served by the registered one
    if hasattr(torchvision, "ops"):
        torchvision.ops.nms = torchvision.ops.boxes.nms = nms


def convert(source: Path, target: Path, *, config_dir: Path, classes_from: Path | None = None, side: int = 640) -> dict:
    """Writes `target`/model.xml and .bin (fp16 weights) from checkpoint `source`; returns {"classes": [...], "imgsz": side}.

    `classes_from`: a Python file of an installed package with the layer classes that the checkpoint pickled under `__main__`.
    """
    extra: dict[str, object] = {}
    if classes_from is not None:
        wanted = {name for name in globals_of(source) if name.startswith("__main__.")}
        refuse_unsafe(source, frozenset(wanted))
    else:
        refuse_unsafe(source)
    ultralytics = import_ultralytics(config_dir)
    import openvino
    import torch

    if classes_from is not None:
        spec = importlib.util.spec_from_file_location("carried_layers", classes_from)
        carried = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(carried)
        for name in wanted:
            layer = getattr(carried, name.removeprefix("__main__."), None)
            if not (isinstance(layer, type) and issubclass(layer, torch.nn.Module)):
                raise InvalidInput(f"{source.name} wants {name}, which {classes_from.name} does not define", remedy="Install the package's own version.")
            extra[name] = layer
        torch.serialization.add_safe_globals([(layer, name) for name, layer in extra.items()])
    model = ultralytics.YOLO(str(source), task="detect")
    network = model.model.float().eval()
    network.fuse(verbose=False)
    for module in network.modules():
        if isinstance(module, ultralytics.nn.modules.Detect):
            module.export, module.format, module.dynamic = True, "openvino", False
    example = torch.zeros(1, 3, side, side)
    with torch.no_grad():
        network(example)
        traced = torch.jit.trace(network, example, strict=False)
    target.mkdir(parents=True, exist_ok=True)
    openvino.save_model(openvino.convert_model(traced, example_input=example, input=[1, 3, side, side]), target / "model.xml", compress_to_fp16=True)
    return {"classes": [str(model.names[i]) for i in sorted(model.names)], "imgsz": side}


def main() -> int:
    """Prints one JSON object as its last line: the result, or {"error", "remedy"} with exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m imagery.cameras.convert", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--config-dir", type=Path, required=True)
    parser.add_argument("--classes-from", type=Path)
    parser.add_argument("--side", type=int, default=640)
    given = parser.parse_args()
    try:
        result = convert(given.source, given.target, config_dir=given.config_dir, classes_from=given.classes_from, side=given.side)
    except HdqError as error:
        print(json.dumps({"error": error.detail, "remedy": error.remedy}))
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
