"""One file adds one thing: each module of a folder exposes one object under a fixed name. Read once, checked, and no second list anywhere."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import TypeVar

from grid.errors import HdqError

Thing = TypeVar("Thing")


class Broken(HdqError):
    """A file of a scanned folder cannot be imported, or does not expose what its folder is for."""

    title = "模块有误 · A module cannot be loaded"


def modules(package: str, folders: Iterable[str], broken: type[Broken] = Broken) -> Iterator[ModuleType]:
    """The modules of a package (its `__name__` and `__path__`) in the order of their names. Raises `broken` with the name of one that cannot be imported."""
    for found in sorted(pkgutil.iter_modules(folders), key=lambda module: module.name):
        name = f"{package}.{found.name}"
        try:
            yield importlib.import_module(name)
        except Exception as error:
            raise broken(f"{name}: {type(error).__name__}: {error}", remedy="mend the file or remove it") from error


def things(package: str, folders: Iterable[str], exposed: str, kind: type[Thing], *, key: str = "id", broken: type[Broken] = Broken) -> dict[str, Thing]:
    """What each module exposes as `exposed`, an object of `kind`, by its attribute `key`. Raises `broken`, naming the file: not importable, another type, a key taken."""
    found: dict[str, Thing] = {}
    for module in modules(package, folders, broken):
        thing = getattr(module, exposed, None)
        if not isinstance(thing, kind):
            raise broken(f"{module.__name__}.{exposed} is {thing!r}", remedy=f"make it an object of {kind.__name__}")
        own = getattr(thing, key)
        if own in found:
            raise broken(f"{module.__name__}: the {key} {own!r} is taken by another file", remedy=f"choose another {key}")
        found[own] = thing
    return found
