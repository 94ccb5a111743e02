"""A source on the loopback for tests of connectors: what it answers is a function of the path and the query."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Source:
    """A running source: its address, what was asked, and what it answers (change `answer` at any time)."""

    address: str
    answer: Callable[[str, dict[str, str]], Answer]
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    @property
    def host(self) -> str:
        """As HDQ_CONNECTOR_HOSTS names it."""
        return urlsplit(self.address).netloc


def as_json(body: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer; `content_crs` becomes Content-Crs."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Content-Type": "application/geo+json", **named}, json.dumps(body).encode()


def as_xml(body: str, status: int = 200) -> Answer:
    """An XML answer."""
    return status, {"Content-Type": "application/gml+xml"}, body.encode()


@contextmanager
def answering(answer: Callable[[str, dict[str, str]], Answer]) -> Iterator[Source]:
    """Runs a source on a free port of the loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            source.asked.append((parts.path, query, dict(self.headers.items())))
            status, headers, body = source.answer(parts.path, query)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    source = Source(f"http://127.0.0.1:{server.server_port}", answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield source
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wells(count: int) -> list[tuple[int, float, float]]:
    """(number, lon, lat) of wells inside the city."""
    return [(i + 1, round(120.37 + 0.0007 * (i % 25), 6), round(36.056 + 0.0005 * (i // 25 % 24), 6)) for i in range(count)]


def features(some: list[tuple[int, float, float]], *, swapped: bool = False) -> list[dict[str, Any]]:
    """Wells as GeoJSON features."""
    return [
        {"type": "Feature", "id": n, "geometry": {"type": "Point", "coordinates": [y, x] if swapped else [x, y]}, "properties": {"code": f"w{n}", "depth": n % 9}}
        for n, x, y in some
    ]


def ogc_api(source: Callable[[], Source], some: list[tuple[int, float, float]], *, crs: str | None = None) -> Callable[[str, dict[str, str]], Answer]:
    """A server of OGC API Features with one collection `wells`."""

    def answer(path: str, query: dict[str, str]) -> Answer:
        if path == "/collections":
            return as_json({"collections": [{"id": "wells", "title": "井", "storageCrs": "http://www.opengis.net/def/crs/EPSG/0/4490"}]})
        if path != "/collections/wells/items":
            return as_json({"code": "NotFound"}, 404)
        start, size = int(query.get("offset", 0)), int(query["limit"])
        page = features(some[start : start + size], swapped=crs is not None)
        links = [{"rel": "next", "href": f"{source().address}/collections/wells/items?limit={size}&offset={start + size}"}] if start + size < len(some) else []
        body = {"type": "FeatureCollection", "features": page, "links": links, "numberMatched": len(some), "numberReturned": len(page)}
        return as_json(body, **({"content_crs": f"<{crs}>"} if crs else {}))

    return answer
