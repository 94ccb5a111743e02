"""The only way out: hosts come from a list that the operator wrote, answers are bounded in bytes and time, redirects stay where they are, secrets by name.

An entry of the list is `host` (the usual port of the address's scheme) or `host:port`; no patterns. Nobody else's words choose where a request goes:
addresses in answers (the next page) pass the same test and must be of the host that was asked.
"""

import base64
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import httpx
import orjson

from grid.errors import InvalidInput, NotFound, TooLarge, Unavailable
from grid.settings import SECRET_PREFIX

_SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,39}")
_TELLING = re.compile(r"token|key|secret|pass|pwd|auth|sign|credential", re.IGNORECASE)
_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of one answer and of all; pages; features; seconds for a silent line, one answer and all of them; pauses before another try."""

    page_bytes: int = 32 * 2**20
    total_bytes: int = 2**30
    pages: int = 20_000
    features: int = 5_000_000
    silent_s: float = 20.0
    answer_s: float = 120.0
    total_s: float = 3600.0
    pauses_s: tuple[float, ...] = (1.0, 4.0)


def checked(address: str, schemes: Mapping[str, int], allowed: frozenset[str], setting: str = "HDQ_CONNECTOR_HOSTS") -> str:
    """The address, if it may be asked; `setting` names the list. Raises InvalidInput that names the value (never a credential in it) and the remedy."""
    if not allowed:
        raise InvalidInput("未启用：没有允许的主机 · this is off: no host is allowed", remedy=f"运维设置 {setting}=主机[:端口] · the operator sets {setting}=host[:port]")
    if len(address) > 500 or re.search(r"[\s\\\x00-\x1f\x7f]", address):
        raise InvalidInput("地址过长或含空白、反斜杠 · the address is too long, or holds blanks or backslashes", remedy="https://host/path")
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as wrong:
        raise InvalidInput("地址无法识别 · the address cannot be read", remedy="https://host/path") from wrong
    if parts.scheme not in schemes or not host:
        raise InvalidInput(f"地址须以 {'、'.join(s + '://' for s in schemes)} 开头 · the address starts with {' or '.join(s + '://' for s in schemes)}: {parts.scheme[:20]!r}", remedy=f"{next(iter(schemes))}://host/path")
    if "@" in parts.netloc or parts.fragment or any(_TELLING.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise InvalidInput(
            f"地址中不得有口令或锚点 · no credentials and no fragment in an address: {parts.scheme}://{host}/…",
            remedy=f"口令放在环境变量 {SECRET_PREFIX}名称，连接只写名称 · put it into {SECRET_PREFIX}NAME and name it as the secret",
        )
    place = _place(parts.scheme, host, port, schemes)
    if place not in {_place(parts.scheme, *_split(entry), schemes) for entry in allowed}:
        raise InvalidInput(f"主机不在允许名单中 · the host is not on the list: {place}", remedy=f"允许的：{', '.join(sorted(allowed))} · {setting}", host=place)
    return address


def _place(scheme: str, host: str, port: int | None, schemes: Mapping[str, int]) -> str:
    host = host.lower().rstrip(".")
    return f"{f'[{host}]' if ':' in host else host}:{port or schemes[scheme]}"


def _split(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and (not host.startswith("[") or host.endswith("]")):
        return host.strip("[]"), int(port)
    return entry.strip("[]"), None


def secret(name: str | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """What a named secret is. Raises InvalidInput for a name that cannot be one or is not set; the message holds the name only."""
    if not name:
        return None
    if not _SECRET_NAME.fullmatch(name):
        raise InvalidInput(f"口令名称须为大写字母、数字、下划线 · a secret's name is capitals, digits and _: {name[:40]!r}", remedy="PARTNER_GIS")
    found = environment.get(SECRET_PREFIX + name)
    if not found:
        raise InvalidInput(f"环境中没有 {SECRET_PREFIX}{name} · the environment has no such secret", remedy=f"运维设置 {SECRET_PREFIX}{name} 后重启 · the operator sets it and restarts")
    return found


def headers_of(found: str | None) -> dict[str, str]:
    """The header that a secret is sent in: `user:password`, `Bearer …`, `Basic …`, or a bare token as Bearer.

    >>> headers_of("reader:geheim"), headers_of("abc"), headers_of(None)
    ({'Authorization': 'Basic cmVhZGVyOmdlaGVpbQ=='}, {'Authorization': 'Bearer abc'}, {})
    """
    if found is None:
        return {}
    if found.startswith(("Bearer ", "Basic ")):
        return {"Authorization": found}
    if ":" in found:
        return {"Authorization": f"Basic {base64.b64encode(found.encode()).decode()}"}
    return {"Authorization": f"Bearer {found}"}


class Door:
    """Requests of one run. Not shared between threads; closed at its end."""

    def __init__(self, address: str, schemes: Mapping[str, int], allowed: frozenset[str], *, limits: Limits = Limits(), secret: str | None = None) -> None:
        self.address = checked(address, schemes, allowed)
        self.limits = limits
        self.secret = secret
        self._schemes, self._allowed = schemes, allowed
        self._origin = self._of(address)
        self._until = time.monotonic() + limits.total_s
        self._left = limits.total_bytes
        self._client: httpx.Client | None = None

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def _of(self, address: str) -> str:
        parts = urlsplit(address)
        return f"{parts.scheme}://{_place(parts.scheme, parts.hostname or '', parts.port, self._schemes)}"

    def remaining_s(self) -> float:
        """Seconds left of this run. Raises Unavailable when there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise Unavailable(f"来源在 {self.limits.total_s:.0f} 秒内没有读完 · the source was not read within {self.limits.total_s:.0f} s", remedy="缩小每页数量，或检查来源 · a smaller collection, or look at the source")
        return left

    def spend(self, size: int) -> None:
        """Counts bytes received. Raises TooLarge beyond the limit of a run."""
        self._left -= size
        if self._left < 0:
            raise TooLarge(f"来源超过 {self.limits.total_bytes:,} 字节 · the source exceeds {self.limits.total_bytes:,} bytes", remedy="HDQ_MAX_UPLOAD_MB")

    def with_query(self, path: str = "", **query: Any) -> str:
        """The address, a path below it and more of a query; what the address asks already stays unless it is asked again in any case of letters."""
        parts = urlsplit(self.address)
        fresh = {name: str(value) for name, value in query.items() if value is not None}
        known = {name.lower() for name in fresh}
        kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name.lower() not in known]
        return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + path if path else parts.path, urlencode([*kept, *fresh.items()]), ""))

    def next(self, link: str, base: str) -> str:
        """An address that an answer names, if it stays at this source. Raises InvalidInput."""
        target = urljoin(base, link)
        if self._of_safely(target) != self._origin:
            raise InvalidInput(f"来源指向别处，已拒绝 · the source points elsewhere, refused: {_shown(target)}", remedy="下一页与重定向须在同一主机 · next pages and redirects stay at the same scheme, host and port")
        return target

    def _of_safely(self, address: str) -> str | None:
        try:
            parts = urlsplit(address)
            return self._of(address) if parts.scheme in self._schemes and "@" not in parts.netloc and not re.search(r"[\s\\]", address) else None
        except ValueError:
            return None

    def json(self, url: str, what: str) -> dict[str, Any]:
        """An answer that is a JSON object; `what` it should be, for the message. Raises what `read` raises, and InvalidInput."""
        body, headers = self.read(url, "application/geo+json, application/json")
        return self.parsed(body, headers, what)

    @staticmethod
    def parsed(body: bytes, headers: Mapping[str, str], what: str) -> dict[str, Any]:
        """A body as a JSON object. Raises InvalidInput, which shows how the body begins."""
        try:
            found = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
        except ValueError as damage:
            begins = body[:60].decode("utf-8", "replace")
            raise InvalidInput(f"{what}不是 JSON（{headers.get('content-type', '')[:60]}）· is no JSON, it begins: {begins!r}", remedy="检查地址与种类 · check the address and the kind") from damage
        if not isinstance(found, dict):
            raise InvalidInput(f"{what}不是 JSON 对象 · is no JSON object", remedy="检查地址与种类 · check the address and the kind")
        return found

    def read(self, url: str, accept: str) -> tuple[bytes, httpx.Headers]:
        """An answer whole. A failure of the line or a 5xx is tried again. Raises Unavailable, InvalidInput, NotFound, TooLarge."""
        for pause in (*self.limits.pauses_s, None):
            try:
                return self._read(url, accept)
            except Unavailable:
                if pause is None or self.remaining_s() <= pause:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _read(self, url: str, accept: str) -> tuple[bytes, httpx.Headers]:
        if self._client is None:
            self._client = httpx.Client(trust_env=False, follow_redirects=False, timeout=self.limits.silent_s)
        for _ in range(_REDIRECTS + 1):
            until = time.monotonic() + min(self.limits.answer_s, self.remaining_s())
            headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "haidongqing-connector", **headers_of(self.secret)}
            try:
                with self._client.stream("GET", url, headers=headers) as answer:
                    if answer.is_redirect:
                        url = self.next(answer.headers.get("location", ""), url)
                        continue
                    self._status(answer, url)
                    return self._body(answer, until, url), answer.headers
            except (httpx.HTTPError, httpx.InvalidURL) as failure:
                raise Unavailable(f"来源没有应答 · the source does not answer: {_shown(url)} ({type(failure).__name__})", remedy="检查网络与来源是否运行 · check the line and whether the source runs") from failure
        raise InvalidInput(f"来源重定向超过 {_REDIRECTS} 次 · more than {_REDIRECTS} redirects: {_shown(url)}", remedy="写最终地址 · use the final address")

    def _body(self, answer: httpx.Response, until: float, url: str) -> bytes:
        if answer.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            raise InvalidInput(f"来源压缩了应答，未请求过 · the source compressed its answer unasked: {_shown(url)}", remedy="关闭来源的强制压缩 · switch its forced compression off")
        body = bytearray()
        for part in answer.iter_raw(1 << 16):
            body += part
            if len(body) > self.limits.page_bytes:
                raise TooLarge(f"一页超过 {self.limits.page_bytes:,} 字节 · one page exceeds {self.limits.page_bytes:,} bytes", remedy="减小每页数量 · a smaller page_size")
            if time.monotonic() > until:
                raise Unavailable(f"来源应答过慢 · the source answers too slowly: {_shown(url)}", remedy="减小每页数量 · a smaller page_size")
        self.spend(len(body))
        return bytes(body)

    @staticmethod
    def _status(answer: httpx.Response, url: str) -> None:
        status = answer.status_code
        if status >= 500 or status == 429:
            raise Unavailable(f"来源出错 · the source fails with {status}: {_shown(url)}", remedy="稍后再试，或联系来源的管理方 · later, or ask who runs it")
        if status in (401, 403):
            raise InvalidInput(f"来源拒绝访问 · the source refuses with {status}: {_shown(url)}", remedy=f"检查口令名称与 {SECRET_PREFIX}… · check the named secret")
        if status == 404:
            raise NotFound(f"来源没有此地址或集合 · the source has no such address or collection: {_shown(url)}", remedy="先检查连接，看有哪些集合 · check the connection: it lists the collections")
        if status != 200:
            raise InvalidInput(f"来源拒绝请求 · the source answers {status}: {_shown(url)}", remedy="检查地址、种类、集合 · check address, kind and collection")


def _shown(url: str) -> str:
    """An address without its query."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
    except ValueError:
        return "?"

