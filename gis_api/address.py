"""Where the server answers: the port asked for, or the first free one from the default on; remembered while it runs."""

import json
import socket

from gis_api import supervisor
from grid.errors import Conflict
from grid.settings import Settings

TRIES = 50


def is_free(host: str, port: int) -> bool:
    """Whether a server could bind here now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose(settings: Settings) -> Settings:
    """Settings with a port that is free, or the one the running server holds. A port named by HDQ_PORT is taken or refused, never replaced."""
    remembered = _remembered(settings)
    asked = "port" in settings.model_fields_set
    if remembered and supervisor.standing(settings, "server").alive and (not asked or remembered == settings.port):
        return settings.model_copy(update={"port": remembered})
    if asked:
        if not is_free(settings.host, settings.port):
            raise Conflict(f"端口 {settings.port} 已被占用 · port {settings.port} is taken", remedy="stop what uses it, or choose another HDQ_PORT")
        port = settings.port
    else:
        wanted = [remembered] if remembered else []
        port = next((port for port in [*wanted, *range(settings.port, settings.port + TRIES)] if is_free(settings.host, port)), 0)
        if not port:
            raise Conflict(f"端口 {settings.port}–{settings.port + TRIES} 都被占用 · all are taken", remedy="choose a free one with HDQ_PORT")
    (supervisor.run_folder(settings) / "address.json").write_text(json.dumps({"host": settings.host, "port": port}))
    return settings.model_copy(update={"port": port})


def _remembered(settings: Settings) -> int | None:
    try:
        written = json.loads((supervisor.run_folder(settings) / "address.json").read_text())
        return int(written["port"]) if written["host"] == settings.host else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def address_of(settings: Settings) -> str:
    """The URL that people open."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{_remembered(settings) or settings.port}"
