"""What tiles are measured against: servers as processes, one bare HTTP connection, pgbench, tipg, nginx and the load that wrk makes."""

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg

from gis_api.auth import COOKIE, token_hash
from grid.database import Scope
from grid.settings import ROOT
from layers import tiles
from layers.catalog import catalog

SPEC = catalog().layers["buildings"]
CITY = Scope("37")


class Wire:
    """One kept-alive HTTP/1.1 connection with nothing around it: what is measured is the server."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self.port = port
        self.used = -1e9
        self.head = f"Host: 127.0.0.1:{port}\r\nAccept-Encoding: gzip\r\n{f'Cookie: {COOKIE}={cookie}' if cookie else 'X-None: 1'}\r\n\r\n"

    def get(self, path: str) -> tuple[float, int]:
        """Milliseconds and bytes of the body; anything but 200 and 204 stops the run."""
        took, _, body = self.ask(path)
        return took, len(body)

    def ask(self, path: str) -> tuple[float, bytes, bytes]:
        """Milliseconds, head (lower case) and body as it was sent. A connection that was idle for long is opened anew first: servers close those."""
        if time.monotonic() - self.used > 5:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=120)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.perf_counter()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n{self.head}".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        size = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), None)
        if size is not None:
            while len(body) < size:
                body += self._more()
        elif b"transfer-encoding: chunked" in lines:
            while not body.endswith(b"0\r\n\r\n"):
                body += self._more()
        took = (time.perf_counter() - started) * 1000
        self.used = time.monotonic()
        if b" 200" not in lines[0] and b" 204" not in lines[0]:
            raise SystemExit(f"{path}: {lines[0].decode()}: {body[:300]!r}")
        return took, head.lower(), body

    def _more(self) -> bytes:
        found = self.socket.recv(262_144)
        if not found:
            raise SystemExit("the server closed the connection")
        return found


def free_port() -> int:
    """A port of the loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(command: list[str], port: int, **environment: str) -> Iterator[None]:
    """A server as its own process, up when its port answers, ended with the block."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log, cwd=ROOT)
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                if process.poll() is not None:
                    log.seek(0)
                    raise SystemExit(f"{command} ended: {log.read().decode()[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(15)


class Pgbench:
    """The product's own statement on one connection of pgbench, tile after tile."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        (folder / "lookup.sql").write_text(self._lookup(9))

    def _lookup(self, z: int) -> str:
        return f"\\set n :n + 1\nSELECT tile, wide, degrees FROM hdq_bench.addresses WHERE z = {z} AND n = :n \\gset\n"

    def run(self, z: int, number: int, *, whole: bool = False) -> list[float]:
        """Milliseconds of each of the zoom's tiles; the first pass over the list, which prepares, is thrown away."""
        text = tiles.statement(SPEC, z, whole=whole).decode()
        for name in ("tile", "wide", "degrees"):
            text = text.replace(f"%({name})s::geometry", f"%({name})s").replace(f"%({name})s", f":{name}::geometry")
        text = text.replace("%(z)s", str(z)).replace("%(scope)s", f"'{CITY.like}'").replace("%(prefix)s", f"'{CITY.prefix}'").replace("%%", "%")
        script = self.folder / f"z{z}.sql"
        script.write_text(self._lookup(z).replace(":n + 1", f":n % {number} + 1") + " ".join(text.split()) + ";\n")
        lookup = self.folder / "lookup.sql"
        lookup.write_text(self._lookup(z).replace(":n + 1", f":n % {number} + 1"))
        idle = statistics.median(self._log(lookup, 200))
        return [max(0.01, took - idle) for took in self._log(script, 6 + number)[6:]]

    def _log(self, script: Path, transactions: int) -> list[float]:
        prefix = self.folder / f"log{secrets.token_hex(4)}"
        command = ["pgbench", "-n", "-M", "prepared", "-c", "1", "-t", str(transactions), "-D", "n=0", "-f", str(script), "-l", f"--log-prefix={prefix}", self.url]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode:
            raise SystemExit(f"pgbench: {ran.stderr[-2000:]}")
        (log,) = self.folder.glob(f"{prefix.name}.*")
        return [int(line.split()[2]) / 1000 for line in log.read_text().splitlines()]


def tipg_path(tile: tiles.Tile, *, same_rows: bool, whole: bool = False) -> str:
    """Where tipg answers for a tile with our attributes: over the register, or over the very rows that we draw. `whole`: as ?detail=all carries."""
    far = tile.z <= 15
    collection = f"hdq_bench.level_{tile.z}" if far and same_rows else "public.buildings"
    names = ("use,height_m,count" if same_rows and not whole else "use,height_m") if far else "use,height_m,name,address,floors,households"
    return f"/collections/{collection}/tiles/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}?geom-column=geom_3857&properties={names}"


def _with_a_host(url: str) -> str:
    """The same address with the folder of the socket as its host: tipg's settings refuse an empty one."""
    before, _, after = url.partition("@/")
    database, _, folder = after.partition("?host=")
    return f"{before}@{quote(folder, safe='')}/{database}" if folder else url




@contextlib.contextmanager
def signed_in(connection: psycopg.Connection) -> Iterator[str]:
    """The token of a session that sees the whole city, gone with the block."""
    token = secrets.token_urlsafe(32)
    staff = connection.execute(
        "INSERT INTO staff (username, name, role, region_code, password_hash) VALUES (%s, 'benchmark', 'auditor', %s, '-') RETURNING id", [f"bench-{token[:8]}", CITY.prefix]
    ).fetchone()[0]
    try:
        connection.execute("INSERT INTO sessions (token_hash, staff_id, expires_at) VALUES (%s, %s, now() + interval '2 hours')", [token_hash(token), staff])
        yield token
    finally:
        connection.execute("DELETE FROM sessions WHERE staff_id = %s", [staff])
        connection.execute("DELETE FROM staff WHERE id = %s", [staff])


def product(url: str, folder: str, **settings: str) -> tuple[int, contextlib.AbstractContextManager[None]]:
    """A server of the product, and its port."""
    port = free_port()
    return port, server([sys.executable, "-m", "gis_api.server"], port, HDQ_DATABASE_URL=url, HDQ_PORT=str(port), HDQ_DATA_DIR=f"{folder}/{port}", **settings)


def tipg(url: str) -> tuple[int, contextlib.AbstractContextManager[None]]:
    """tipg with its cap of features raised and our buffer, and its port."""
    port = free_port()
    return port, server(
        [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "tipg.main:app"],
        port,
        DATABASE_URL=_with_a_host(url),
        TIPG_MAX_FEATURES_PER_TILE="10000000",
        TIPG_TILE_BUFFER=str(tiles.BUFFER),
        TIPG_DB_SCHEMAS='["public", "hdq_bench"]',
        TIPG_DB_TABLES=json.dumps(["public.buildings", *(f"hdq_bench.level_{level}" for level in range(9, 16))]),
        TIPG_DB_SPATIAL_EXTENT="FALSE",
        TIPG_DB_DATETIME_EXTENT="FALSE",
    )


def nginx(folder: Path) -> tuple[int, contextlib.AbstractContextManager[None]]:
    """nginx over the files of a folder, already compressed, one worker, no log; and its port."""
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"""
        worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; events {{ worker_connections 1024; }}
        {"user root;" if os.geteuid() == 0 else ""}
        http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=10000;
            client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
            types {{ application/vnd.mapbox-vector-tile mvt; }}
            server {{ listen 127.0.0.1:{port}; root {folder}/files; add_header Content-Encoding gzip; }} }}
        """
    )
    return port, server(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], port)


def load(port: int, paths: list[str], folder: Path, cookie: str, seconds: int) -> float:
    """Requests a second that wrk gets from a server over 16 connections, path after path; anything but 2xx stops the run."""
    script = folder / "paths.lua"
    given = ", ".join(json.dumps(path) for path in paths)
    script.write_text(
        f"local paths = {{ {given} }}\nlocal n = 0\nlocal headers = {{ ['Accept-Encoding'] = 'gzip', ['Cookie'] = '{COOKIE}={cookie}' }}\n"
        "request = function() n = n % #paths + 1 return wrk.format('GET', paths[n], headers) end\n"
    )
    said = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(said)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])


def absent(*programs: str) -> list[str]:
    """Which programs this machine lacks."""
    return [program for program in programs if shutil.which(program) is None]
