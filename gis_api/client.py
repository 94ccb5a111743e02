"""Serves the built client from frontend/dist: hashed assets for ever, the page itself fresh, and the page for every face's address."""

from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

FACES = frozenset({"", "field", "review", "wall", "admin", "login"})
TYPES = {
    ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".html": "text/html; charset=utf-8", ".json": "application/json",
    ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".ico": "image/x-icon", ".woff2": "font/woff2",
    ".woff": "font/woff", ".webmanifest": "application/manifest+json", ".wasm": "application/wasm", ".map": "application/json", ".txt": "text/plain; charset=utf-8",
}  # fmt: skip


class Client:
    """ASGI application over a folder of built files; knows only file names it finds there, so no path leads out of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}
        self._built: float = -1.0

    def _find(self, path: str) -> Path | None:
        index = self._folder / "index.html"
        built = index.stat().st_mtime if index.exists() else 0.0
        if built != self._built:
            self._files = {str(file.relative_to(self._folder)): file for file in self._folder.rglob("*") if file.is_file()} if built else {}
            self._built = built
        name = path.strip("/")
        if name in self._files:
            return self._files[name]
        return self._files.get("index.html") if name.partition("/")[0] in FACES else None

    def knows(self, path: str) -> bool:
        """Whether a path is a file of the client or the address of a face."""
        return self._find(path) is not None or path.strip("/").partition("/")[0] in FACES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers GET and HEAD; compressed siblings (name.br, name.gz) are sent to those who take them."""
        file = self._find(scope["path"])
        answer: Response
        if file is None:
            answer = PlainTextResponse("客户端尚未构建，请运行 ./hdq up · the client is not built yet: run ./hdq up\n", 503)
        else:
            hashed = file.parent.name == "assets"
            headers = {"Cache-Control": "public, max-age=31536000, immutable" if hashed else "no-cache", "Vary": "Accept-Encoding"}
            accepted = Headers(scope=scope).get("accept-encoding", "")
            for coding, suffix in (("br", ".br"), ("gzip", ".gz")):
                sibling = self._files.get(str(file.relative_to(self._folder)) + suffix)
                if coding in accepted and sibling is not None:
                    headers["Content-Encoding"] = coding
                    answer = FileResponse(sibling, headers=headers, media_type=TYPES.get(file.suffix, "application/octet-stream"))
                    break
            else:
                answer = FileResponse(file, headers=headers, media_type=TYPES.get(file.suffix, "application/octet-stream"))
        await answer(scope, receive, send)
