"""Readers of scenes as their makers deliver them, one file each: a module here exposes one `READER`.

A reader knows its product by content, never by the name of the folder it lies in, and gives one GeoTIFF on one grid with the time, the bands
and what else the product says. The folder is scanned once; a file that cannot be imported stops the start with its name.
"""

import math
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from grid import discovery
from grid.errors import InvalidInput, TooLarge, UnsupportedMedia
from imagery.scenes.raster import MAGIC

MOST_FILES = 5000
MOST_XML_BYTES = 64 << 20


class BrokenReader(discovery.Broken):
    """A file in this folder does not expose a sound READER."""

    title = "影像读取模块有误 · A reader of scenes cannot be loaded"


@dataclass(frozen=True, slots=True)
class Said:
    """What the sender says of a scene: `bands` in file order, or, of a product, which of its bands are wanted; `crs` in place of the file's own;
    `height_m` (ellipsoidal, metres) or `terrain` (a GeoTIFF of heights) on which a picture without a map grid is laid."""

    bands: tuple[str, ...] = ()
    crs: str = ""
    height_m: float | None = None
    terrain: Path | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader gives: `raster`, a GeoTIFF; empty strings and None where the product does not say.

    `classes`: a one-band uint8 GeoTIFF on the same grid with the classes of `imagery.scenes.masks`. `properties` are those of the STAC item.
    """

    raster: Path
    bands: tuple[str, ...] = ()
    taken_at: datetime | None = None
    scene_id: str = ""
    collection: str = ""
    title: str = ""
    properties: dict = field(default_factory=dict)
    classes: Path | None = None


class Reader(ABC):
    """Base of every reader. `last` ones are asked when no other knows the files."""

    id: ClassVar[str]
    title: ClassVar[str]
    title_en: ClassVar[str]
    last: ClassVar[bool] = False

    @abstractmethod
    def holds(self, files: tuple[Path, ...]) -> bool:
        """Whether these files are such a product: by names and first bytes; a raster is opened, but no pixel read."""

    @abstractmethod
    def read(self, files: tuple[Path, ...], workspace: Path, said: Said) -> Reading:
        """Reads the product; what it writes lies in `workspace`. Raises InvalidInput naming the file or value that is wrong, and what opening raises."""


@cache
def catalogue() -> MappingProxyType[str, Reader]:
    """Every reader in this folder by id, the last ones at the end."""
    found = discovery.things(__name__, __path__, "READER", Reader, broken=BrokenReader)
    return MappingProxyType(dict(sorted(found.items(), key=lambda pair: pair[1].last)))


def files_of(place: Path) -> tuple[Path, ...]:
    """The file, or the regular files in a folder and below, by path; links are not followed and not listed. TooLarge beyond `MOST_FILES`."""
    if not place.is_dir():
        return (place,)
    found: list[Path] = []
    for here, _, names in os.walk(place, followlinks=False):
        found += [path for name in names if not (path := Path(here) / name).is_symlink() and path.is_file()]
        if len(found) > MOST_FILES:
            raise TooLarge(f"{place.name!r} holds over {MOST_FILES} files", remedy="give the folder of one product")
    return tuple(sorted(found))


def tiffs(files: tuple[Path, ...]) -> list[Path]:
    """Those that begin as a TIFF does."""
    found = []
    for file in files:
        with file.open("rb") as opened:
            if opened.read(4) in MAGIC:
                found.append(file)
    return found


def of(files: tuple[Path, ...], name: str) -> Reader:
    """The reader that knows these files, sent as `name`. UnsupportedMedia when none does, InvalidInput when they are several products."""
    knowing = [reader for reader in catalogue().values() if not reader.last and reader.holds(files)]
    if len(knowing) > 1:
        raise InvalidInput(f"{name!r} holds several products: {', '.join(reader.title_en for reader in knowing)}", remedy="give one product at a time")
    for reader in (*knowing, *(reader for reader in catalogue().values() if reader.last and reader.holds(files))):
        return reader
    with files[0].open("rb") if files else open(os.devnull, "rb") as file:
        begins = file.read(4)
    said = f"{name!r} is not a GeoTIFF: it begins with {begins!r}" if len(files) == 1 else f"{name!r} holds {len(files)} files, but no product that is read here"
    raise UnsupportedMedia(said, remedy=f"send one of: {', '.join(reader.title_en for reader in catalogue().values())}")


def xml_of(path: Path) -> Element:
    """The root of an XML file, entities and outside references refused. InvalidInput names the file."""
    if path.stat().st_size > MOST_XML_BYTES:
        raise TooLarge(f"{path.name!r} has {path.stat().st_size} bytes of XML", remedy=f"at most {MOST_XML_BYTES}")
    try:
        return ElementTree.parse(path).getroot()
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise InvalidInput(f"{path.name!r} is no sound XML: {type(error).__name__}: {str(error)[:120]}", remedy="fetch the product again") from error


def every(root: Element, name: str) -> list[Element]:
    """The elements of a local name, at any depth, namespaces aside."""
    return [element for element in root.iter() if isinstance(element.tag, str) and element.tag.rpartition("}")[2] == name]


def text_of(root: Element, *names: str) -> str:
    """The text of the first element with one of these local names, in the order of the names; empty when there is none."""
    for name in names:
        for element in every(root, name):
            if element.text and element.text.strip():
                return element.text.strip()
    return ""


def number_of(root: Element, *names: str) -> float | None:
    """The same as a number, None when there is none. InvalidInput when it is not one."""
    found = text_of(root, *names)
    try:
        number = float(found) if found else None
        if number is not None and not math.isfinite(number):
            raise ValueError("not finite")
    except ValueError as error:
        raise InvalidInput(f"{names[0]} is {found[:40]!r}, not a number", remedy="fetch the product again") from error
    return number


def moment(text: str, zone: str = "+00:00") -> datetime:
    """A time of a product, in `zone` where it names none. InvalidInput otherwise.

    >>> moment("2026-05-03T02:45:51.024Z").isoformat(), moment("2026-05-03 10:45:51", "+08:00").isoformat()
    ('2026-05-03T02:45:51.024000+00:00', '2026-05-03T10:45:51+08:00')
    """
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return found if found.tzinfo else datetime.fromisoformat(f"{found.isoformat()}{zone}")
    except ValueError as error:
        raise InvalidInput(f"{text[:40]!r} is no time", remedy="fetch the product again, or say the time, e.g. 2026-05-03T10:45:00+08:00") from error


def existing(files: tuple[Path, ...], name: str, what: str) -> Path:
    """The file of that name (case aside). InvalidInput names it and what it is."""
    for file in files:
        if file.name.lower() == name.lower():
            return file
    raise InvalidInput(f"the product lacks {name!r} ({what})", remedy="copy the whole product again, or name the bands that are wanted, e.g. bands=red,nir")
