"""OGC API Features (OGC 17-069r4): the landing page's address; pages by rel=next; coordinates as the Content-Crs header says, CRS84 without one."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from grid.errors import InvalidInput, NotFound
from layers.connecting.axes import named, x_first
from layers.connecting.door import Door
from layers.connecting.spec import Ask, Collection, Page

_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


class OgcFeatures:
    """Any server of OGC API Features part 1; part 2 where it says so by its header."""

    kind = "ogc_features"
    title = "OGC API 要素"
    title_en = "OGC API Features"
    schemes = {"https": 443, "http": 80}

    def collections(self, address: str, door: Door) -> list[Collection]:
        """The collections that hold features."""
        answer = door.json(door.with_query("/collections", f="json"), "集合列表 · the list of collections ")
        found = answer.get("collections")
        if not isinstance(found, list):
            raise InvalidInput("应答没有 collections · the answer has no collections", remedy="写 OGC API 的首页地址 · use the landing page's address")
        return [self._collection(each) for each in found if isinstance(each, dict) and isinstance(each.get("id"), str) and each.get("itemType", "feature") == "feature"]

    @staticmethod
    def _collection(each: dict[str, Any]) -> Collection:
        stored = each.get("storageCrs")
        return Collection(each["id"], str(each.get("title") or each["id"])[:200], stored if isinstance(stored, str) else None)

    def pages(self, ask: Ask, door: Door) -> Iterator[Page]:
        """Follows rel=next until there is none."""
        if not ask.collection:
            raise NotFound("没有写集合 · no collection is named", remedy="先检查连接，看有哪些集合 · check the connection: it lists them")
        url: str | None = door.with_query(f"/collections/{quote(ask.collection, safe='')}/items", limit=ask.page_size, f="json")
        seen: set[str] = set()
        while url is not None:
            if url in seen:
                raise InvalidInput("来源的分页循环 · the source's pages go round in a circle", remedy="联系来源的管理方 · ask who runs it")
            seen.add(url)
            body, headers = door.read(url, "application/geo+json, application/json")
            answer = door.parsed(body, headers, "要素页 · the page of features ")
            features = answer.get("features")
            if not isinstance(features, list):
                raise InvalidInput("应答没有 features · the answer has no features", remedy="检查集合 · check the collection")
            declared = headers.get("content-crs", "").strip("<> ") or _CRS84
            matched = answer.get("numberMatched")
            yield Page(named(declared)[0], x_first(features, declared), matched if type(matched) is int else None)
            link = self._next(answer)
            if link is not None and not features:
                raise InvalidInput("来源给出空页却还有下一页 · the source gives an empty page and yet another", remedy="联系来源的管理方 · ask who runs it")
            url = None if link is None else door.next(link, url)

    @staticmethod
    def _next(answer: dict[str, Any]) -> str | None:
        links = answer.get("links")
        for link in links if isinstance(links, list) else ():
            if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("href"), str):
                return link["href"]
        return None


CONNECTOR = OgcFeatures()
