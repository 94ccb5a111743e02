"""Pictures with labelled boxes: YOLO text files (class, centre, size as shares of the picture) or Pascal VOC XML (pixels)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from grid.errors import InvalidInput, NotFound

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One box: class name, centre and size as shares of the picture's width and height (x right, y down)."""

    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and its boxes; `boxes` None where nobody labelled it, () where it is labelled as empty."""

    path: Path
    boxes: tuple[Labelled, ...] | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled pictures of known classes, in name order."""

    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]


def read_dataset(folder: Path, part: str) -> Dataset:
    """A part (train, valid) of a folder in YOLO's layout: data.yaml with `names`, part/images and part/labels. Pictures without labels are left out.

    Raises NotFound, InvalidInput.
    """
    classes = _named(folder / "data.yaml")
    pictures = read_pictures(folder / part / "images", folder / part / "labels", classes)
    return Dataset(classes, tuple(picture for picture in pictures if picture.boxes is not None))


def classes_near(labels: Path) -> tuple[str, ...]:
    """The classes that a data.yaml names in the folder of the labels or in one of the two above it; () when there is none."""
    described = next((path for path in (folder / "data.yaml" for folder in (labels, labels.parent, labels.parent.parent)) if path.is_file()), None)
    return _named(described) if described else ()


def _named(described: Path) -> tuple[str, ...]:
    import yaml

    if not described.is_file():
        raise NotFound(f"there is no {described}", remedy="Give a folder with data.yaml, train/images and train/labels (YOLO layout).")
    try:
        names = (yaml.safe_load(described.read_text("utf-8")) or {}).get("names")
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
        raise InvalidInput(f"{described} is no YAML of a data set: {error}", remedy="It must hold names: [class, …].") from error
    classes = tuple(str(name) for name in (names.values() if isinstance(names, dict) else names or ()))
    if not classes:
        raise InvalidInput(f"{described} names no classes", remedy="It must hold names: [class, …].")
    return classes


def read_pictures(images: Path, labels: Path, classes: Sequence[str]) -> tuple[Picture, ...]:
    """The pictures of a folder with their labels (same stem, .txt or .xml); `classes` name the numbers of YOLO files.

    Raises NotFound when there is no picture, InvalidInput for a label that cannot be read, with its file and line.
    """
    found = sorted(path for path in images.iterdir() if path.suffix.lower() in PICTURES) if images.is_dir() else []
    if not found:
        raise NotFound(f"no pictures in {images}", remedy=f"Give a folder with {', '.join(PICTURES)} files.")
    return tuple(Picture(path, _boxes(labels, path.stem, classes)) for path in found)


def _boxes(labels: Path, stem: str, classes: Sequence[str]) -> tuple[Labelled, ...] | None:
    text, document = labels / f"{stem}.txt", labels / f"{stem}.xml"
    if text.is_file():
        return _from_text(text, classes)
    return _from_voc(document) if document.is_file() else None


def _from_text(path: Path, classes: Sequence[str]) -> tuple[Labelled, ...]:
    boxes = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            kind, values = int(words[0]), [float(word) for word in words[1:]]
            if len(values) > 4 and len(values) % 2 == 0:  # an outline x y x y …: its box
                xs, ys = values[::2], values[1::2]
                values = [(min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2, max(xs) - min(xs), max(ys) - min(ys)]
            if len(values) != 4 or not all(-0.01 <= value <= 1.01 for value in values):
                raise ValueError("not x y width height inside 0–1")
        except ValueError as error:
            raise InvalidInput(f"{path.name} line {number}: {error}", remedy="Each line: class x y width height, as shares of the picture.") from error
        if not 0 <= kind < len(classes):
            raise InvalidInput(f"{path.name} line {number}: class {kind}, there are {len(classes)}", remedy=f"Classes in order: {', '.join(classes)}.")
        boxes.append(Labelled(classes[kind], *values))
    return tuple(boxes)


def _from_voc(path: Path) -> tuple[Labelled, ...]:
    try:
        root = defusedxml.ElementTree.parse(path).getroot()
        wide, high = (float(root.findtext(f"size/{name}", "0")) for name in ("width", "height"))
        boxes = []
        for each in root.iter("object"):
            left, top, right, bottom = (float(each.findtext(f"bndbox/{name}", "nan")) for name in ("xmin", "ymin", "xmax", "ymax"))
            if not (left < right and top < bottom and wide > 0 and high > 0):
                raise ValueError(f"box {left:g} {top:g} {right:g} {bottom:g} in a picture of {wide:g} × {high:g}")
            boxes.append(Labelled(each.findtext("name", "?").strip(), (left + right) / 2 / wide, (top + bottom) / 2 / high, (right - left) / wide, (bottom - top) / high))
    except (defusedxml.ElementTree.ParseError, DefusedXmlException, ValueError, OSError) as error:
        raise InvalidInput(f"{path.name} is no Pascal VOC annotation: {error}", remedy="Give annotation/size and annotation/object/bndbox.") from error
    return tuple(boxes)
