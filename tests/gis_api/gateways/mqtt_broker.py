"""A broker for one subscriber, as MQTT 3.1.1 has it: it sends a message of QoS 1 until that is acknowledged, over as many connections as it takes."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14


class Broker:
    """`inflight` holds what was sent and not acknowledged; `subscribed` the filters asked for, of which the first `refusals` are refused; `signed_in` user
    names and passwords."""

    def __init__(self) -> None:
        self.inflight: dict[int, bytes] = {}
        self.subscribed: list[str] = []
        self.refusals = 0
        self.signed_in: list[tuple[str, str]] = []
        self.clean: list[bool] = []
        self.acknowledged = 0
        self._mid = 0
        self._writer: asyncio.StreamWriter | None = None

    def publish(self, topic: str, body: bytes, qos: int = 1) -> None:
        """Sends a message, or keeps it until the subscriber is there."""
        name = topic.encode()
        head = struct.pack(">H", len(name)) + name
        if qos:
            self._mid += 1
            self.inflight[self._mid] = head + struct.pack(">H", self._mid) + body
            self._send(PUBLISH << 4 | 2, self.inflight[self._mid])
        else:
            self._send(PUBLISH << 4, head + body)

    def cut(self) -> None:
        """Ends the connection without a word."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    def _send(self, first: int, body: bytes) -> None:
        if self._writer is not None:
            self._writer.write(bytes([first]) + _length(len(body)) + body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends."""
        try:
            while True:
                kind = (await reader.readexactly(1))[0] >> 4
                body = await reader.readexactly(await _size(reader))
                if kind == CONNECT:
                    self._connect(writer, body)
                elif kind == SUBSCRIBE:
                    length = struct.unpack_from(">H", body, 2)[0]
                    self.subscribed.append(body[4 : 4 + length].decode())
                    refused = len(self.subscribed) <= self.refusals
                    self._send(SUBACK << 4, body[:2] + (b"\x80" if refused else body[4 + length : 5 + length]))
                    for held in list(self.inflight.values()):
                        self._send(PUBLISH << 4 | 0b1010, held)
                elif kind == PUBACK:
                    self.inflight.pop(struct.unpack(">H", body)[0], None)
                    self.acknowledged += 1
                elif kind == PINGREQ:
                    self._send(PINGRESP << 4, b"")
                elif kind == DISCONNECT:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            if self._writer is writer:
                self._writer = None
            writer.close()

    def _connect(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        flags, at, words = body[7], 10, []
        while at + 2 <= len(body):
            length = struct.unpack_from(">H", body, at)[0]
            words.append(body[at + 2 : at + 2 + length].decode())
            at += 2 + length
        self.signed_in.append(tuple((words + ["", ""])[1:3]))
        self.clean.append(bool(flags & 2))
        self._writer = writer
        self._send(CONNACK << 4, bytes([1 if len(self.signed_in) > 1 and not flags & 2 else 0, 0]))


def _length(size: int) -> bytes:
    digits = b""
    while True:
        size, digit = divmod(size, 128)
        digits += bytes([digit | (0x80 if size else 0)])
        if not size:
            return digits


async def _size(reader: asyncio.StreamReader) -> int:
    size = 0
    for place in range(4):
        digit = (await reader.readexactly(1))[0]
        size |= (digit & 0x7F) << 7 * place
        if not digit & 0x80:
            return size
    raise ConnectionError("a length of more than four digits")


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Broker, int]]:
    """A broker and its port on the loopback."""
    broker = Broker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    try:
        yield broker, server.sockets[0].getsockname()[1]
    finally:
        broker.cut()
        server.close()
