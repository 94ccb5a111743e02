"""A database that listens on a socket file only, reached by TCP as a partner's server is: each connection of a port of the loopback is handed on, byte for byte."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from psycopg import conninfo


@contextlib.contextmanager
def by_tcp(url: str) -> Iterator[str]:
    """`host:port` at which the server of a libpq URL answers; its own where it listens on TCP already."""
    said = conninfo.conninfo_to_dict(url)
    host, port = str(said.get("host", "/tmp")), int(said.get("port", 5432))
    if not host.startswith("/"):
        yield f"{host}:{port}"
        return
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, f"{host}/.s.PGSQL.{port}"), daemon=True).start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, path: str) -> None:
    while True:
        try:
            near, _ = listening.accept()
        except OSError:
            return
        far = socket.socket(socket.AF_UNIX)
        far.connect(path)
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=_carry, args=(source, sink), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    for end in (sink, source):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
