"""What a connector is: one object that a file of `layers/connectors` exposes as CONNECTOR."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from layers.connecting.door import Door


@dataclass(frozen=True, slots=True)
class Ask:
    """What to read: the `collection` (its id as the source names it) at an address, so many features a page."""

    address: str
    collection: str
    page_size: int = 1000


@dataclass(frozen=True, slots=True)
class Collection:
    """A table of features that a source offers. `frame` as the source names it, None where it says nothing; `features` where it says how many."""

    id: str
    title: str
    frame: str | None = None
    features: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some features as GeoJSON objects, x (longitude, easting) first whatever the source sends, in `frame` (a name of grid.crs).

    `expected`: how many features the source says there are in all, None where it says nothing.
    """

    frame: str
    features: list[dict[str, Any]] = field(default_factory=list)
    expected: int | None = None


@runtime_checkable
class Connector(Protocol):
    """Reads one kind of source. Synchronous: advance it in a thread.

    `schemes`: those of its addresses, with their usual ports. Both methods raise InvalidInput for an answer that makes no sense, Unavailable for a
    source that does not answer, TooLarge beyond the door's limits, NotFound for a collection that is not there.
    """

    kind: str
    title: str
    title_en: str
    schemes: dict[str, int]

    def collections(self, address: str, door: Door) -> list[Collection]:
        """What the source offers."""
        ...

    def pages(self, ask: Ask, door: Door) -> Iterator[Page]:
        """All features, page by page: each once, and none missing."""
        ...
