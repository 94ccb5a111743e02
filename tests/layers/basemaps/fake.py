"""A fake 天地图 and WMTS on the loopback: coloured tiles with their numbers, and every kind of bad answer."""

import hashlib
import io
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from PIL import Image, ImageDraw

CORNER = "-20037508.342789244 20037508.342789244"


def picture(text: str, form: str = "PNG") -> bytes:
    """A 256-pixel tile in a colour of its own, with text on it."""
    shade = hashlib.blake2b(text.encode(), digest_size=3).digest()
    image = Image.new("RGB", (256, 256), tuple(96 + channel // 2 for channel in shade))
    drawn = ImageDraw.Draw(image)
    drawn.rectangle((0, 0, 255, 255), outline=(60, 60, 60))
    drawn.multiline_text((20, 100), text.replace(" ", "\n", 1), fill=(20, 20, 20), font_size=26)
    made = io.BytesIO()
    image.save(made, form)
    return made.getvalue()


def capabilities(address: str, sets: str, *, rest: str = "") -> bytes:
    """WMTS capabilities with the layer `ortho`."""
    links = "".join(f"<TileMatrixSetLink><TileMatrixSet>{name}</TileMatrixSet></TileMatrixSetLink>" for name in re.findall(r"<ows:Identifier>(set\w+)<", sets))
    return f"""<?xml version="1.0"?>
<Capabilities xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0">
<ows:OperationsMetadata><ows:Operation name="GetTile"><ows:DCP><ows:HTTP><ows:Get xlink:href="{address}"/></ows:HTTP></ows:DCP></ows:Operation></ows:OperationsMetadata>
<Contents><Layer><ows:Title>Ortho</ows:Title><ows:Identifier>ortho</ows:Identifier><Style isDefault="true"><ows:Identifier>default</ows:Identifier></Style>
<Format>image/png</Format>{links}{rest}</Layer>{sets}</Contents></Capabilities>""".encode()


def matrix_set(name: str, crs: str, levels: dict[str, float], corner: str = CORNER, side: int = 256) -> str:
    """A tile matrix set; `levels`: identifier to scale denominator."""
    matrices = "".join(
        f"<TileMatrix><ows:Identifier>{level}</ows:Identifier><ScaleDenominator>{scale}</ScaleDenominator><TopLeftCorner>{corner}</TopLeftCorner>"
        f"<TileWidth>{side}</TileWidth><TileHeight>{side}</TileHeight><MatrixWidth>1</MatrixWidth><MatrixHeight>1</MatrixHeight></TileMatrix>"
        for level, scale in levels.items()
    )
    return f"<TileMatrixSet><ows:Identifier>{name}</ows:Identifier><ows:SupportedCRS>{crs}</ows:SupportedCRS>{matrices}</TileMatrixSet>"


@dataclass
class Fake:
    """The server; `mood` decides how tiles are answered, `asked` holds each path and query it saw."""

    url: str = ""
    mood: str = "well"
    delay_s: float = 0.0
    capabilities: bytes = b""
    asked: list[str] = field(default_factory=list)

    def tiles(self) -> list[dict[str, str]]:
        """The queries of the tiles asked for."""
        return [{name.upper(): values[0] for name, values in parse_qs(urlsplit(path).query).items()} for path in self.asked if "GetCapabilities" not in path]

    def answer(self, path: str) -> tuple[int, str, bytes, dict[str, str]]:
        """Status, type, body and headers of a request."""
        if "GetCapabilities" in path or path.endswith(".xml"):
            return 200, "text/xml", self.capabilities, {}
        query = {name.upper(): values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        whole = picture(f"{query.get('LAYER', urlsplit(path).path[1:12])} {query.get('TILEMATRIX', '')}/{query.get('TILECOL', '')}/{query.get('TILEROW', '')}")
        return {
            "well": (200, "image/png", whole, {}),
            "jpeg": (200, "image/png", picture("jpeg", "JPEG"), {}),
            "html": (200, "image/png", f"<html>wrong key {path}</html>".encode(), {}),
            "cut": (200, "image/png", whole[:-30], {}),
            "damaged": (200, "image/png", whole[:60] + b"\0\0\0" + whole[63:], {}),
            "large": (200, "image/png", whole + bytes(2 << 20), {}),
            "refused": (403, "application/json", f'{{"msg":"key {path}"}}'.encode(), {}),
            "absent": (404, "text/plain", b"none", {}),
            "moved": (302, "text/plain", b"", {"Location": self.url + "/elsewhere"}),
        }[self.mood]


@contextmanager
def serving() -> Iterator[Fake]:
    """A fake on a free port of the loopback."""
    fake = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.asked.append(self.path)
            time.sleep(fake.delay_s)
            status, kind, body, headers = fake.answer(self.path)
            try:
                self.send_response(status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
