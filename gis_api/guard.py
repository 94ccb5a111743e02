"""What holds for every request: security headers, no writes from other sites, no bodies beyond the limit (counted, not believed)."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gis_api.problems import of_error
from grid.errors import Forbidden, InvalidInput, TooLarge

JSON_MAX = 16 * 2**20
PART_MAX = 33 * 2**20
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
READ_BY_POST = frozenset({"/stac/search"})
"""Questions too long for an address: nothing is written, so programs that know only the standard may ask them."""
BY_DIGEST = "/VIID/"
"""Where devices prove themselves at each message and no cookie counts: another site's page can send nothing in a person's name."""
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "media-src 'self' blob:",
        "manifest-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=()",
}


class Guard:
    """Outermost ASGI layer."""

    def __init__(self, app: ASGIApp, max_upload_bytes: int) -> None:
        self.app, self._max_upload = app, max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a sound request on and adds the headers to its answer."""
        if scope["type"] != "http" or (scope["path"].startswith("/tiles/") and scope["method"] in ("GET", "HEAD")):
            return await self.app(scope, receive, send)  # tiles carry these headers ready made: gis_api.tiles.GUARDED

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            return await of_error(refusal)(scope, receive, with_headers)
        limit = self._limit(scope)
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, f"请求超过 {limit // 2**20} MB · the body exceeds {limit // 2**20} MB")
            return message

        try:
            await self.app(scope, counted if scope["method"] in WRITES else receive, with_headers)
        except HTTPException as error:
            if error.status_code != 413:
                raise
            await of_error(TooLarge(error.detail, remedy="split it, or raise HDQ_MAX_UPLOAD_MB"))(scope, receive, with_headers)

    def _limit(self, scope: Scope) -> int:
        kind = Headers(scope=scope).get("content-type", "")
        if kind.startswith("application/offset+octet-stream"):
            return PART_MAX
        return self._max_upload + 2**20 if kind.startswith("multipart/") else min(JSON_MAX, self._max_upload)

    def _refusal(self, scope: Scope) -> Forbidden | InvalidInput | TooLarge | None:
        if b"\0" in scope.get("raw_path", b"") or "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
            return InvalidInput("地址含有空字符 · the address holds a NUL character", remedy="remove it")
        if scope["method"] not in WRITES:
            return None
        headers = Headers(scope=scope)
        if scope["path"] not in READ_BY_POST and not scope["path"].startswith(BY_DIGEST) and "x-hdq-client" not in headers and "idempotency-key" not in headers:
            return Forbidden("写请求缺少 X-HDQ-Client 或 Idempotency-Key · a write without X-HDQ-Client or Idempotency-Key", remedy="send the header X-HDQ-Client: 1")
        length = headers.get("content-length", "0")
        limit = self._limit(scope)
        if length.isdigit() and int(length) > limit:
            return TooLarge(f"请求 {int(length)} 字节，上限 {limit} · {int(length)} bytes exceed {limit}", remedy="split it, or raise HDQ_MAX_UPLOAD_MB")
        return None
