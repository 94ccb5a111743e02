"""Whether the installation is well, what it holds, and figures for a monitoring system."""

import psycopg
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from gis_api import standing
from gis_api.auth import Caller, signed_in
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.status import Health, Status
from grid.settings import Settings

router = APIRouter(prefix="/api", tags=["status"])


@router.get("/health", responses={503: {"model": Health, "description": "数据库没有应答 · the database does not answer"}})
async def health(request: Request, response: Response) -> Health:
    """Whether the parts answer; open to all, so that a load balancer may ask. 503 only when the database is down."""
    try:
        async with request.app.state.pool.connection(timeout=3) as connection:
            return standing.health(await standing.checks(connection, request.app.state.settings))
    except (psycopg.OperationalError, PoolTimeout) as error:
        response.status_code = 503
        return standing.unreachable(error)


@router.get("/status", responses={401: RESPONSES[401]})
async def status(
    request: Request, connection: AsyncConnection = Depends(database), caller: Caller = Depends(signed_in), settings: Settings = Depends(settings_of)
) -> Status:
    """Counts inside the caller's region, queue depth, versions and health."""
    return await standing.gather(connection, settings, caller.scope.like, f"{request.url.scheme}://{request.url.netloc}")


@router.get("/metrics", response_class=PlainTextResponse, responses={401: RESPONSES[401]})
async def metrics(
    request: Request, connection: AsyncConnection = Depends(database), caller: Caller = Depends(signed_in), settings: Settings = Depends(settings_of)
) -> Response:
    """The same in the Prometheus text format."""
    found = await standing.gather(connection, settings, caller.scope.like)
    registry = CollectorRegistry()
    rows = Gauge("hdq_rows", "Rows by table", ["table"], registry=registry)
    jobs = Gauge("hdq_jobs", "Jobs by state", ["state"], registry=registry)
    cases = Gauge("hdq_cases", "Cases by state", ["state"], registry=registry)
    parts = Gauge("hdq_part_up", "1 when a part answers", ["part"], registry=registry)
    streams = Gauge("hdq_live_streams", "Open live streams of this process", registry=registry)
    for table, number in found.counts.items():
        rows.labels(table).set(number)
    for state, number in found.queue.items():
        jobs.labels(state).set(number)
    for state, number in found.cases_by_state.items():
        cases.labels(state).set(number)
    for check in found.health.checks:
        parts.labels(check.name).set(check.ok)
    streams.set(request.app.state.hub.subscribers)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
