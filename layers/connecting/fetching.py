"""What a source says becomes a file: GeoJSONSeq, a page in memory at a time, whole or not at all. The import door reads the file like any other."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from grid import crs
from grid.errors import InvalidInput, TooLarge
from layers.connecting.door import Door
from layers.connecting.spec import Ask, Collection, Connector, Page

NAME = "features.geojsonl"
PREVIEWED = 5


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file of features in a frame, x first."""

    frame: str
    features: int


@dataclass(frozen=True, slots=True)
class Preview:
    """A dry run: what is offered and, of one collection, the frame, its size where the source says it, and the first features."""

    collections: list[Collection]
    frame: str | None = None
    features: int | None = None
    sample: tuple[dict[str, Any], ...] = ()


def fetch(connector: Connector, ask: Ask, door: Door, path: Path, *, key: str | None = None) -> Fetched:
    """Writes all features to `path`. `key` "id": a feature's own id becomes its attribute `id` where it has none.

    Raises what the connector raises, TooLarge beyond the door's limits, and InvalidInput for an answer that is not whole: a page that comes twice, two
    frames, other features than the source counts, none at all. Slow and synchronous: in a thread.
    """
    features, frame, expected, last = 0, None, None, b""
    with path.open("wb") as file:
        for page in _bounded(connector.pages(ask, door), door):
            lines = [orjson.dumps(_plain(feature, key)) + b"\n" for feature in page.features]
            text = b"".join(lines)
            if lines and (digest := hashlib.blake2b(text, digest_size=16).digest()) == last:
                raise InvalidInput(f"来源两次给出同一页 · the source gives the same page twice (after {features} features)", remedy="来源不支持分页：加大每页数量 · it ignores paging: a larger page_size")
            last = digest if lines else last
            if frame is not None and page.frame != frame:
                raise InvalidInput(f"来源中途更换坐标系 · the source changes its frame midway: {frame}, {page.frame}", remedy="联系来源的管理方 · ask who runs it")
            frame, features = page.frame, features + len(lines)
            expected = page.expected if page.expected is not None else expected
            if features > door.limits.features:
                raise TooLarge(f"来源超过 {door.limits.features:,} 个要素 · the source has more than {door.limits.features:,} features", remedy="分集合接入 · connect parts of it")
            file.write(text)
    if frame is None or not features:
        raise InvalidInput("来源没有要素 · the source has no features", remedy="检查集合；原有数据保留不动 · check the collection; what is here stays as it is")
    if expected is not None and expected != features:
        raise InvalidInput(f"来源声称 {expected} 个要素，实得 {features} · the source counts {expected} features and gave {features}", remedy="不完整的数据不会写入，下次再试 · nothing partial is stored; it is tried again")
    return Fetched(crs.name(frame), features)


def look(connector: Connector, address: str, collection: str, door: Door) -> Preview:
    """A dry run: one short page at most. Raises what the connector raises."""
    offered = connector.collections(address, door)
    if not collection:
        return Preview(offered)
    page = next(iter(connector.pages(Ask(address, collection, PREVIEWED), door)), None)
    if page is None:
        return Preview(offered)
    return Preview(offered, page.frame, page.expected, tuple(_plain(feature, None) for feature in page.features[:PREVIEWED]))


def _bounded(pages: Iterator[Page], door: Door) -> Iterator[Page]:
    yield from islice(pages, door.limits.pages)
    if next(pages, None) is not None:
        raise TooLarge(f"来源超过 {door.limits.pages:,} 页 · the source has more than {door.limits.pages:,} pages", remedy="加大每页数量 · a larger page_size")


def _plain(feature: Any, key: str | None) -> dict[str, Any]:
    """A feature without what is not of it; what is none becomes one without a place, which the import door reports by its number."""
    found = feature if isinstance(feature, dict) else {}
    properties = found.get("properties") if isinstance(found.get("properties"), dict) else {}
    own = found.get("id")
    if key == "id" and own is not None and "id" not in properties:
        properties = {"id": own, **properties}
    plain = {"type": "Feature", "geometry": found.get("geometry"), "properties": properties}
    return plain if own is None else {**plain, "id": own}
