"""One message to one address: over HTTP, TCP or UDP, to the operator's list of hosts only, to the very address that was judged.

A name is resolved once and the connection goes to what it resolved to, so that a name cannot become another host in between. Where a name stands for an
address that is not public (10.…, 127.…, fe80:…), that address must be on the list too. Redirects are not followed, answers are not read.
"""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx

from grid.errors import InvalidInput
from layers.connecting.door import checked

SETTING = "HDQ_FEED_HOSTS"
SCHEMES = {
    "cloudevents": {"https": 443, "http": 80},
    "cap": {"https": 443, "http": 80},
    "cot": {"tcp": 8087, "udp": 8087},
}
TIMEOUT_S = 10.0
DATAGRAM_MAX = 60_000


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try went. `gone`: the receiver wants nothing any more (HTTP 410). `reason` is empty for success."""

    ok: bool
    reason: str = ""
    gone: bool = False


def allowed(form: str, address: str, hosts: frozenset[str]) -> str:
    """The address, if messages of this form may go there. Raises InvalidInput with the remedy."""
    return checked(address, SCHEMES[form], hosts, SETTING)


def public_or_listed(addresses: list[str], hosts: frozenset[str], name: str) -> str:
    """The first of a name's addresses; refused (InvalidInput) when any of them is not public and not on the list itself.

    >>> public_or_listed(["93.184.216.34"], frozenset({"example.cn"}), "example.cn")
    '93.184.216.34'
    """
    listed = {entry.rpartition(":")[0].strip("[]") if entry.rpartition(":")[2].isdigit() and (entry.count(":") == 1 or "]" in entry) else entry.strip("[]") for entry in hosts}
    for each in addresses:
        if not ipaddress.ip_address(each.partition("%")[0]).is_global and each not in listed:
            raise InvalidInput(f"{name} 指向非公网地址 · stands for an address that is not public: {each}", remedy=f"该地址也须列入 {SETTING} · list the address too", host=name)
    return addresses[0]


async def resolved(address: str, schemes: dict[str, int], hosts: frozenset[str]) -> tuple[str, int]:
    """The address (as numbers) and the port to connect to. Raises InvalidInput (not public), OSError (unknown name)."""
    parts = urlsplit(address)
    port = parts.port or schemes[parts.scheme]
    found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    return public_or_listed(list(dict.fromkeys(str(entry[4][0]) for entry in found)), hosts, parts.hostname or ""), port


async def send(form: str, address: str, body: bytes, headers: dict[str, str], hosts: frozenset[str], *, timeout_s: float = TIMEOUT_S) -> Answer:
    """Sends a body once. Whatever goes wrong comes back as an Answer with its reason, never an address's secrets."""
    try:
        number, port = await resolved(allowed(form, address, hosts), SCHEMES[form], hosts)
        parts = urlsplit(address)
        async with asyncio.timeout(timeout_s):
            if parts.scheme == "udp":
                return await _datagram(number, port, body)
            if parts.scheme == "tcp":
                return await _stream(number, port, body)
            return await _post(parts.geturl(), number, port, body, headers, timeout_s)
    except InvalidInput as refused:
        return Answer(False, refused.detail)
    except TimeoutError:
        return Answer(False, f"{timeout_s:.0f} 秒内没有应答 · no answer within {timeout_s:.0f} s")
    except (OSError, httpx.HTTPError) as broken:
        return Answer(False, f"连接失败 · the connection failed: {type(broken).__name__}")


async def _post(address: str, number: str, port: int, body: bytes, headers: dict[str, str], timeout_s: float) -> Answer:
    parts = urlsplit(address)
    to = urlunsplit((parts.scheme, f"[{number}]:{port}" if ":" in number else f"{number}:{port}", parts.path or "/", parts.query, ""))
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout_s) as client:
        request = client.build_request("POST", to, content=body, headers={**headers, "Host": parts.netloc}, extensions={"sni_hostname": parts.hostname})
        answer = await client.send(request, stream=True)
        await answer.aclose()
    if answer.is_success:
        return Answer(True)
    return Answer(False, f"HTTP {answer.status_code}", gone=answer.status_code == 410)


async def _stream(number: str, port: int, body: bytes) -> Answer:
    _, writer = await asyncio.open_connection(number, port)
    try:
        writer.write(body)
        await writer.drain()
    finally:
        writer.close()
    await writer.wait_closed()
    return Answer(True)


async def _datagram(number: str, port: int, body: bytes) -> Answer:
    if len(body) > DATAGRAM_MAX:
        return Answer(False, f"{len(body)} 字节不能用 UDP 发送 · {len(body)} bytes are too many for UDP")
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(number, port))
    transport.sendto(body)
    transport.close()
    return Answer(True)
