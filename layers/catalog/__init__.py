"""The layers: a module of this folder exposes LAYER, or LAYERS for a family of them. Adding a file adds what it exposes; nothing else lists them."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from layers.deck import declared, expressions, fields
from layers.spec import GROUPS, LayerSpec, check

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Catalog:
    """All layers by id, in the order of their groups, and what the client draws of each ({} for parts of the base map)."""

    layers: MappingProxyType[str, LayerSpec]
    decks: MappingProxyType[str, dict]
    families: frozenset[str] = frozenset()
    """Ids of layers that came in a family: so many that jobs count them, not each reader of the catalogue."""

    def get(self, layer_id: str) -> LayerSpec | None:
        """The layer, or None."""
        return self.layers.get(layer_id)

    def __iter__(self) -> Iterator[LayerSpec]:
        return iter(self.layers.values())

    def __len__(self) -> int:
        return len(self.layers)


def read(*folders: Path) -> Catalog:
    """Imports every file of the folders and freezes the set.

    Raises TypeError or ValueError that name the file: no LAYER or LAYERS, one of another type, an id that exists already, or anything
    `layers.spec.check` and `layers.deck.declared` refuse. A file that cannot be imported stops the start with its name.
    """
    found: dict[str, tuple[LayerSpec, dict, Path]] = {}
    families: set[str] = set()
    for path in [path for folder in folders for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")]:
        members = _members(path)
        if len(members) > 1:
            families |= {spec.id for spec in members}
        for spec in members:
            if spec.id in found:
                raise ValueError(f"{path}: layer id {spec.id!r} exists already in {found[spec.id][2]}")
            try:
                check(spec)
                deck = declared(spec.deck(spec.url), spec.id) if spec.deck else {}
                absent = {name for text in expressions(deck) for name in fields(text)} - set(spec.attributes)
                if absent:
                    raise ValueError(f"expressions read {sorted(absent)}, which are not among the attributes")
            except ValueError as error:
                raise ValueError(f"{path}: {spec.id}: {error}") from error
            found[spec.id] = (spec, deck, path)
    rank = {group: number for number, (group, _, _) in enumerate(GROUPS)}
    ordered = sorted(found.values(), key=lambda item: (rank[item[0].group], item[0].order, item[2].name))
    return Catalog(
        MappingProxyType({spec.id: spec for spec, _, _ in ordered}), MappingProxyType({spec.id: deck for spec, deck, _ in ordered}), frozenset(families)
    )


@cache
def catalog() -> Catalog:
    """The layers of this folder, read once a process."""
    return read(FOLDER)


def _members(path: Path) -> tuple[LayerSpec, ...]:
    """What a file exposes: LAYERS, or the one LAYER."""
    module = _load(path)
    members = getattr(module, "LAYERS", None)
    if members is None:
        members = (getattr(module, "LAYER", None),)
    for spec in members:
        if not isinstance(spec, LayerSpec):
            raise TypeError(f"{path}: LAYER is {type(spec).__name__}, not a LayerSpec")
    return tuple(members)


def _load(path: Path) -> object:
    name = f"{__name__}.{path.stem}" if path.parent == FOLDER else f"hdq_layer_{path.stem}_{abs(hash(str(path))):x}"
    if name in sys.modules:
        return sys.modules[name]
    plan = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(plan)
    sys.modules[name] = module
    try:
        plan.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ImportError(f"{path} cannot be imported: {error}") from error
    return module
