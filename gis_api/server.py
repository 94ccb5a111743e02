"""The HTTP server process: granian in front of gis_api.main."""

from granian import Granian
from granian.constants import Interfaces

from gis_api import supervisor
from grid.settings import Settings

KILL_AFTER_S = 5


def serve(settings: Settings) -> None:
    """Runs until told to end. One worker: the live stream's hub and the sign-in throttle are of one process."""
    Granian(
        "gis_api.main:application",
        factory=True,
        interface=Interfaces.ASGI,
        address=settings.host,
        port=settings.port,
        workers=1,
        websockets=False,
        backlog=1024,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_AFTER_S,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    supervisor.die_with_parent()
    serve(Settings())
