"""The web application, assembled: tiles ahead of the framework, then guards, then the resources of gis_api/routes, then the client's files."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version as version_of

from fastapi import APIRouter, FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from gis_api import logs, problems, routes, supervisor
from gis_api.basic import Basic
from gis_api.client import Client
from gis_api.guard import Guard
from gis_api.idempotency import Idempotency
from gis_api.sse import Hub
from gis_api.tiles import TileApp
from grid import discovery
from grid.database import make_pool
from grid.errors import Unavailable
from grid.settings import ROOT, Settings
from layers.basemaps.upstream import serving

DESCRIPTION = """
海东青: an air–space–ground situational map for city governance.

Sign in with `POST /api/login`; the session is a cookie. Every write wants the header `X-HDQ-Client: 1` or an `Idempotency-Key`. Errors are
problem documents (RFC 9457) that name the value and the remedy. Coordinates are degrees, longitude before latitude (EPSG:4326, taken as CGCS2000).
Everything is limited to the caller's region: what lies outside is not found.
"""


def discover() -> list[APIRouter]:
    """The `router` of every file in gis_api/routes. A file without one, or one that cannot be imported, stops the start with its name."""
    found = []
    for loaded in discovery.modules(routes.__name__, routes.__path__):
        if not isinstance(getattr(loaded, "router", None), APIRouter):
            raise TypeError(f"{loaded.__file__} exposes no APIRouter named router")
        found.append(loaded.router)
    return found


def make_app(settings: Settings) -> FastAPI:
    """The framework's part: routes, problems, pool and live stream. `settings.database_url` must be set."""
    if settings.database_url is None:
        raise Unavailable("the server has no database", remedy="start it with hdq up, or set HDQ_DATABASE_URL")
    pool = make_pool(settings.database_url, size=settings.pool_size, statement_timeout_ms=settings.statement_timeout_ms)
    hub = Hub(pool, settings.database_url)
    tiles = TileApp(settings)
    basemaps = serving(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await pool.open(wait=False)
        await hub.start()
        await tiles.startup()
        yield
        await tiles.shutdown()
        await basemaps.close()
        await hub.stop()
        await pool.close(timeout=5)

    app = FastAPI(
        title="海东青 Haidongqing",
        summary="城市治理空天地一体态势图 · situational map for city governance",
        description=DESCRIPTION,
        version=version_of("haidongqing"),
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses={422: problems.RESPONSES[422]},
        separate_input_output_schemas=False,
    )
    app.state.pool, app.state.hub, app.state.tiles, app.state.settings, app.state.basemaps = pool, hub, tiles, settings, basemaps
    problems.install(app)
    for router in discover():
        app.include_router(router)
    app.add_middleware(GZipMiddleware, minimum_size=1400, compresslevel=4)
    return app


class Doors:
    """The whole ASGI application: tiles, rasters' tiles and files by path, everything else through the framework."""

    def __init__(self, app: FastAPI) -> None:
        self.framework = app
        self._api: ASGIApp = Idempotency(app, app.state)
        self._basic = Basic(app.state, self._choose)
        self._tiles: ASGIApp = app.state.tiles
        self._client = Client(ROOT / "frontend" / "dist")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Programs that show a name and a password at each request become sessions first; a tile asked for with a cookie takes the shortest way."""
        if scope["type"] == "http" and scope["path"].startswith("/tiles/") and any(name == b"cookie" for name, _ in scope["headers"]):
            return await self._tiles(scope, receive, send)
        await self._basic(scope, receive, send)

    async def _choose(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Chooses by path; the longest way is the framework's."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith("/tiles/"):
                return await self._tiles(scope, receive, send)
            if scope["method"] in ("GET", "HEAD") and not path.startswith(("/api/", "/rasters/", "/ogc", "/stac")) and self._client.knows(path):
                return await self._client(scope, receive, send)
        return await self._api(scope, receive, send)


def assemble(settings: Settings) -> ASGIApp:
    """The application as it is served, guards outermost."""
    return Guard(Doors(make_app(settings)), max_upload_bytes=settings.max_upload_mb * 2**20)


def application() -> ASGIApp:
    """Factory for the HTTP server: settings from the environment, logs to run/server.jsonl."""
    supervisor.die_with_parent()
    settings = Settings()
    logs.configure(settings, "server")
    return assemble(settings)
