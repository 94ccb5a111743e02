"""The kinds of sources that are read on a schedule: a file of this folder exposes CONNECTOR. Adding a file adds a kind; nothing else lists them."""

import importlib
import pkgutil
from functools import cache
from types import MappingProxyType

from layers.connecting.spec import Connector


@cache
def connectors() -> MappingProxyType[str, Connector]:
    """All kinds, by name, read once a process. Raises TypeError or ValueError that name the file."""
    found: dict[str, Connector] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        connector = getattr(loaded, "CONNECTOR", None)
        if not isinstance(connector, Connector):
            raise TypeError(f"{loaded.__file__}: CONNECTOR is {type(connector).__name__}, not a Connector")
        if connector.kind in found:
            raise ValueError(f"{loaded.__file__}: kind {connector.kind!r} exists already")
        found[connector.kind] = connector
    return MappingProxyType(found)
