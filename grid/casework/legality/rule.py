"""Rules of legality, one YAML file each in rules/: which register forbids what, which permits excuse it, by which clause.

A file says words and values only. Tables and columns come from the allow-list (registers.py); values travel as parameters. A file that
cannot be read, names what is not allowed or gives a value of another type stops the start with its name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import yaml

from grid.casework.legality.registers import REGISTERS
from grid.world.parcels import PERMIT_KINDS

OUTCOMES = ("lawful", "suspect", "verify", "context")
FOLDER = Path(__file__).parent / "rules"
_WORD = re.compile(r"[a-z][a-z0-9_]{1,59}")
_FIELDS = {
    "id": str, "version": str, "title": str, "title_en": str, "register": str, "where": dict, "excused_by": list,
    "open": str, "excused": str, "least_m2": float, "clause": str, "said": dict, "said_en": dict,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """`kinds` of change it judges (None: any but `except_kinds`); rows of `register` that satisfy `where` (column -> allowed values) are touched or not.

    Ground under a permit of a kind in `excused_by` gives the verdict `excused`, other ground `open`, from `least_m2` (geodesic m²) upwards.
    """

    id: str
    version: str
    title: str
    title_en: str
    kinds: frozenset[str] | None
    except_kinds: frozenset[str]
    register: str
    where: Mapping[str, tuple]
    excused_by: tuple[str, ...]
    open: str
    excused: str
    least_m2: float
    clause: str
    said: Mapping[str, str]
    said_en: Mapping[str, str]

    def judges(self, kind: str) -> bool:
        """Whether it has a say on a kind of change."""
        return kind not in self.except_kinds if self.kinds is None else kind in self.kinds


def discover(*folders: Path) -> Mapping[str, Rule]:
    """All rules of the folders, by id. Raises RuntimeError naming the file at fault."""
    found: dict[str, Rule] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.yaml"))):
        try:
            rule = read(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValueError, OSError, yaml.YAMLError) as error:
            raise RuntimeError(f"legality rule {path}: {error}") from error
        if rule.id in found:
            raise RuntimeError(f"legality rule {path} repeats the id {rule.id!r}")
        found[rule.id] = rule
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def every() -> Mapping[str, Rule]:
    """The rules of this product, by id."""
    return discover(FOLDER)


def read(given: object) -> Rule:
    """A rule from what a file holds. Raises ValueError naming the field at fault."""
    if not isinstance(given, dict):
        raise ValueError("a rule is a mapping of fields")
    if unknown := sorted(set(given) - set(_FIELDS) - {"kinds", "except"}):
        raise ValueError(f"unknown field {unknown[0]!r}")
    for name, kind in _FIELDS.items():
        value = given.get(name)
        right = isinstance(value, (int, float)) and not isinstance(value, bool) if kind is float else isinstance(value, kind)
        if not right:
            raise ValueError(f"{name} must be of type {kind.__name__}, it is {value!r}")
    if not _WORD.fullmatch(given["id"]):
        raise ValueError(f"id {given['id']!r} is not lower case letters, digits and _")
    if given["register"] not in REGISTERS:
        raise ValueError(f"register {given['register']!r} is not one of {sorted(REGISTERS)}")
    for name in ("open", "excused"):
        if given[name] not in OUTCOMES:
            raise ValueError(f"{name} {given[name]!r} is not one of {OUTCOMES}")
    if wrong := [kind for kind in given["excused_by"] if kind not in PERMIT_KINDS]:
        raise ValueError(f"excused_by {wrong[0]!r} is not one of {PERMIT_KINDS}")
    if given["least_m2"] < 0:
        raise ValueError(f"least_m2 {given['least_m2']} is below 0")
    if not (given["title"] and given["title_en"] and given["clause"] and given["version"]):
        raise ValueError("title, title_en, version and clause must not be empty")
    return Rule(
        **{name: given[name] for name in ("id", "version", "title", "title_en", "register", "open", "excused", "clause")},
        kinds=None if given.get("kinds") == "any" else _kinds("kinds", given.get("kinds")),
        except_kinds=_kinds("except", given.get("except", []), empty=given.get("kinds") != "any"),
        where=MappingProxyType({column: _values(given["register"], column, value) for column, value in given["where"].items()}),
        excused_by=tuple(given["excused_by"]),
        least_m2=float(given["least_m2"]),
        said=_said("said", given["said"]),
        said_en=_said("said_en", given["said_en"]),
    )


def _kinds(name: str, given: object, empty: bool = False) -> frozenset[str]:
    if not isinstance(given, list) or not (given or name == "except") or not all(isinstance(kind, str) and _WORD.fullmatch(kind) for kind in given):
        raise ValueError(f"{name} must be a list of kinds of change, it is {given!r}")
    if name == "except" and given and empty:
        raise ValueError("except goes with kinds: any")
    return frozenset(given)


def _values(register: str, column: object, given: object) -> tuple:
    columns = REGISTERS[register].columns
    if column not in columns:
        raise ValueError(f"where: {column!r} is not a column of {register} that may be asked: {sorted(columns)}")
    values = tuple(given) if isinstance(given, list) else (given,)
    if not values or any(type(value) is not columns[column] for value in values):
        raise ValueError(f"where: {column} must be of type {columns[column].__name__}, it is {given!r}")
    return values


def _said(name: str, given: dict) -> Mapping[str, str]:
    if set(given) != {"open", "excused"} or not all(isinstance(text, str) and text for text in given.values()):
        raise ValueError(f"{name} must hold a text for open and for excused")
    return MappingProxyType(dict(given))
