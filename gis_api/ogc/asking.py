"""What requests of the open standards share: links, parameters as the standards write them, answers with their own media types."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request, Response

from gis_api.problems import MEDIA_TYPE, RESPONSES
from gis_api.wire.base import Problem
from grid.errors import InvalidQuery
from layers.cql2.tree import moment

GEOJSON = "application/geo+json"
REFUSALS = {
    **{status: RESPONSES[status] for status in (401, 403, 404, 413, 503)},
    400: {"model": Problem, "description": "查询有误 · invalid query", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
}
PRIVATE = {"Cache-Control": "private, no-store"}
LIMIT_MAX = 10_000


def root(request: Request) -> str:
    """Scheme and host of this server as the caller named it, without a slash at the end."""
    return str(request.base_url).rstrip("/")


def link(href: str, rel: str, kind: str = "application/json", title: str = "", **extra: Any) -> dict[str, Any]:
    """A link as OGC and STAC write it."""
    return {"href": href, "rel": rel, "type": kind} | ({"title": title} if title else {}) | extra


def address(request: Request, **changed: object) -> str:
    """The address of a request, with some parameters given anew (None: left out), fit for a header and for others to call."""
    kept = [(name, text) for name, text in request.query_params.multi_items() if name not in changed]
    query = urlencode([*kept, *((name, str(value)) for name, value in changed.items() if value is not None)])
    return f"{root(request)}{quote(request.scope['path'])}{'?' if query else ''}{query}"


def answer(body: Any, media_type: str = "application/json", headers: dict[str, str] | None = None) -> Response:
    """An answer with exactly this media type; text goes as it is."""
    content = body if isinstance(body, str | bytes) else json.dumps(body, ensure_ascii=False)
    made = Response(content.encode() if isinstance(content, str) else content, headers=PRIVATE | (headers or {}))
    made.headers["Content-Type"] = media_type
    return made


def only(request: Request, known: Iterable[str]) -> list[tuple[str, str]]:
    """The parameters that are none of `known` (they may name attributes); a known one given twice is refused."""
    named = set(known)
    seen: set[str] = set()
    others = []
    for name, text in request.query_params.multi_items():
        if name in seen:
            raise InvalidQuery(f"参数 {name[:60]!r} 出现两次 · a parameter is given twice", remedy="give it once")
        seen.add(name)
        if name not in named:
            others.append((name, text))
    return others


def nothing_else(request: Request, known: Iterable[str] = ()) -> None:
    """Refuses parameters that are not known."""
    others = only(request, known)
    if others:
        raise InvalidQuery(f"不认识的参数 {others[0][0][:60]!r} · an unknown parameter", remedy=f"known: {', '.join(known) or 'none'}")


def numbers(text: str) -> list[float]:
    """`120.3,36.0,120.4,36.1` as numbers; InvalidQuery otherwise."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InvalidQuery(f"{text[:80]!r} 不是逗号分开的数 · are no numbers separated by commas", remedy="bbox=120.3,36.0,120.4,36.1") from error


def span(text: str | None) -> tuple[datetime | None, datetime | None]:
    """`datetime` of OGC and STAC: a moment, or two with a slash, either open. A date stands for its whole day.

    >>> [str(end) for end in span("2026-11-22/..")]
    ['2026-11-22 00:00:00+00:00', 'None']
    >>> span("2026-11-22T00:00:00Z")[0] == span("2026-11-22T00:00:00Z")[1]
    True
    """
    if text is None:
        return None, None
    ends = text.split("/")
    if len(ends) > 2:
        raise InvalidQuery(f"datetime {text[:60]!r} 多于两端 · has more than two ends", remedy="2026-11-01T00:00:00Z/..")
    found: list[datetime | None] = []
    for number, end in enumerate(ends if len(ends) == 2 else ends * 2):
        if end in ("", "..") and len(ends) == 2:
            found.append(None)
            continue
        day = len(end) == 10
        at = moment(end, "date" if day else "timestamp")
        found.append(at + timedelta(days=1, microseconds=-1) if day and number == 1 and at.year < 9999 else at)
    if found[0] and found[1] and found[0] > found[1]:
        raise InvalidQuery(f"datetime {text[:60]!r} 起晚于止 · begins after its end", remedy="swap the ends")
    return found[0], found[1]


def now() -> str:
    """The moment as OGC writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
