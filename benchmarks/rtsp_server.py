"""A small RTSP server on 127.0.0.1 for measuring: one H.264 clip, encoded once, over TCP to whoever asks, and three ways to go wrong.

`rtsp://127.0.0.1:PORT/NAME`: a name that begins with `stuck` stops sending while its connection stays, `garbage` sends random bytes, `silent` hangs up and
never answers again; each from the moment `bad` is set, well until then. It understands what a player asks (OPTIONS, DESCRIBE, SETUP, PLAY) and no more.
"""

import asyncio
import base64
import contextlib
import io
import os
import random
import struct
from dataclasses import dataclass, field

import av
import numpy as np

RATE = 10
PAYLOAD = 1400
GARBAGE_BYTES_S = 250_000


@dataclass(frozen=True, slots=True)
class Clip:
    """A loop of H.264 pictures as RTP payloads (RFC 6184): `pictures[n]` are the payloads of one; `sets`: the SPS and PPS for the SDP."""

    pictures: tuple[tuple[bytes, ...], ...]
    sets: tuple[bytes, bytes]


def clip(width: int = 640, height: int = 360, pictures: int = 50, key_every: int = 5) -> Clip:
    """A moving gradient at RATE pictures a second, a key frame every `key_every`."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "tune": "zerolatency", "x264-params": f"keyint={key_every}:min-keyint={key_every}:scenecut=0:slices=1"}
        y, x = np.mgrid[0:height, 0:width]
        texture = np.random.default_rng(1).integers(0, 60, (height, width, 1))
        for number in range(pictures):
            image = ((np.stack([x + 9 * number, y, x + y], axis=2) // 3) % 190 + texture).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    grouped: list[list[bytes]] = []
    sets: dict[int, bytes] = {}
    for unit in _units(buffer.getvalue()):
        kind = unit[0] & 31
        if kind in (7, 8):
            sets[kind] = unit
        elif kind in (1, 5):
            grouped.append([part for whole in ([sets[7], sets[8], unit] if kind == 5 else [unit]) for part in _payloads(whole)])
    return Clip(tuple(map(tuple, grouped)), (sets[7], sets[8]))


def _units(stream: bytes) -> list[bytes]:
    """NAL units of an Annex B stream."""
    return [part.rstrip(b"\0") for part in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if part]


def _payloads(unit: bytes) -> list[bytes]:
    if len(unit) <= PAYLOAD:
        return [unit]
    body, found = unit[1:], []
    for start in range(0, len(body), PAYLOAD):
        flags = (0x80 if start == 0 else 0) | (0x40 if start + PAYLOAD >= len(body) else 0)
        found.append(bytes([(unit[0] & 0xE0) | 28, flags | (unit[0] & 31)]) + body[start : start + PAYLOAD])
    return found


@dataclass(slots=True, eq=False)
class Server:
    """Serves `clip` while it is entered; `port` is chosen by the system. `bad`: whether the bad ones are bad by now."""

    clip: Clip
    bad: bool = False
    port: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task] = field(default_factory=set)

    async def __aenter__(self) -> "Server":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, name: str) -> str:
        """The address of a stream."""
        return f"rtsp://127.0.0.1:{self.port}/{name}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        playing: asyncio.Task | None = None
        try:
            while request := await self._request(reader):
                method, url, number = request
                name = url.rpartition(f":{self.port}/")[2].partition("/")[0]
                if self.bad and name.startswith("silent"):
                    await asyncio.Event().wait()
                if self.bad and name.startswith("stuck") and playing is not None:
                    continue
                writer.write(self._answer(method, url, number))
                if method == "PLAY" and playing is None:
                    playing = asyncio.create_task(self._play(name, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the player has gone, or the server ends
        finally:
            if playing is not None:
                playing.cancel()
            writer.close()
            self._tasks.discard(task)

    @staticmethod
    async def _request(reader: asyncio.StreamReader) -> tuple[str, str, str] | None:
        """Method, address and CSeq of the next request; what a player sends of RTCP between requests is passed over."""
        while first := await reader.read(1):
            if first == b"$":
                _, length = struct.unpack(">BH", await reader.readexactly(3))
                await reader.readexactly(length)
                continue
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, url, _ = (head[0] + "  ").split(" ", 2)
            number = next((line.partition(":")[2].strip() for line in head if line.lower().startswith("cseq")), "0")
            return method, url, number
        return None

    def _answer(self, method: str, url: str, number: str) -> bytes:
        lines, body = [f"CSeq: {number}"], ""
        if method == "OPTIONS":
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
        elif method == "DESCRIBE":
            sets = ",".join(base64.b64encode(unit).decode() for unit in self.clip.sets)
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                f"a=framerate:{RATE}\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\na=control:track1\r\n"
            )
            lines += ["Content-Type: application/sdp", f"Content-Base: {url}/", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            lines += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 7;timeout=60"]
        else:
            lines.append("Session: 7")
        return ("RTSP/1.0 200 OK\r\n" + "\r\n".join(lines) + "\r\n\r\n" + body).encode()

    async def _play(self, name: str, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        begun, sequence, dice = loop.time() + random.random() / RATE, 0, random.Random(name)
        with contextlib.suppress(ConnectionError):
            for number in range(10**9):
                if self.bad and name.startswith("garbage"):
                    writer.write(dice.randbytes(GARBAGE_BYTES_S // RATE))
                elif self.bad and name.startswith("silent"):
                    writer.close()
                    return
                elif not (self.bad and name.startswith("stuck")):
                    payloads = self.clip.pictures[number % len(self.clip.pictures)]
                    for place, payload in enumerate(payloads):
                        mark = 0x80 if place == len(payloads) - 1 else 0
                        packet = struct.pack(">BBHII", 0x80, 96 | mark, sequence & 0xFFFF, number * 90_000 // RATE & 0xFFFFFFFF, 7) + payload
                        writer.write(struct.pack(">BBH", 0x24, 0, len(packet)) + packet)
                        sequence += 1
                    self.sent[name] = self.sent.get(name, 0) + 1
                await writer.drain()
                await asyncio.sleep(max(begun + (number + 1) / RATE - loop.time(), 0))


async def serve() -> None:
    """A server as a process of its own: prints its port; a line on its input makes the bad ones bad, the end of its input ends it."""
    if hasattr(os, "sched_getaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    async with Server(clip()) as server:
        print(server.port, flush=True)
        while line := await asyncio.to_thread(input_line):
            server.bad = line.strip() == "bad"


def input_line() -> str:
    """A line of the standard input; empty at its end."""
    import sys

    return sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(serve())
