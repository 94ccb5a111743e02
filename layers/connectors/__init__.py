"""The kinds of sources that are read on a schedule: a file of this folder exposes CONNECTOR. Adding a file adds a kind; nothing else lists them."""

from functools import cache
from types import MappingProxyType

from grid import discovery
from layers.connecting.spec import Connector


@cache
def connectors() -> MappingProxyType[str, Connector]:
    """All kinds, by name, read once a process. Raises Broken that names the file."""
    return MappingProxyType(discovery.things(__name__, __path__, "CONNECTOR", Connector, key="kind"))
