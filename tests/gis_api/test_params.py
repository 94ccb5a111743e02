"""Boxes and windows; when the request's transaction commits."""

from datetime import UTC, datetime

import pytest
from fastapi import APIRouter, Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from gis_api.main import discover
from gis_api.params import database, parse_bbox, window
from grid.errors import InvalidInput


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "nan,1,2,3", "1,inf,2,3", "2,1,1,3", "1,1,1,1", "-181,0,0,1", "0,-91,1,0", "1,2,3,4,5"])
def test_bad_boxes_are_refused_with_their_text(text):
    with pytest.raises(InvalidInput):
        parse_bbox(text)


def test_swapped_axes_are_named():
    with pytest.raises(InvalidInput, match="swapped"):
        parse_bbox("36.0,120.3,36.1,120.4")


def test_a_time_without_zone_is_refused_and_others_become_utc():
    with pytest.raises(InvalidInput, match="time zone"):
        window(datetime(2026, 1, 1), None)
    with pytest.raises(InvalidInput, match="before"):
        window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    assert window(datetime.fromisoformat("2026-01-01T08:00:00+08:00"), None).since == datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_write_is_committed_before_its_answer_is_sent(app_client):
    """Seen from inside the answer's own sending: another connection finds the row when the first byte leaves."""
    framework = app_client._transport.app.app.framework
    router = APIRouter()

    @router.post("/api/probe/{code}")
    async def probe(code: str, connection=Depends(database)) -> dict:
        await connection.execute("INSERT INTO audit (action, entity) VALUES ('probe', %(code)s)", {"code": code})
        if code == "broken":
            raise InvalidInput("broken on purpose")
        return {}

    framework.include_router(router)
    seen = []

    async def watching(scope, receive, send):
        async def look(message):
            if message["type"] == "http.response.start" and scope["type"] == "http":
                async with framework.state.pool.connection() as other:
                    cursor = await other.execute("SELECT entity FROM audit WHERE action = 'probe'")
                    seen.append([line[0] for line in await cursor.fetchall()])
            await send(message)

        await framework(scope, receive, look)

    transport = type(app_client._transport)(watching)
    async with type(app_client)(transport=transport, base_url="http://hdq.test") as client:
        assert (await client.post("/api/probe/kept")).status_code == 200
        assert (await client.post("/api/probe/broken")).status_code == 422
    assert seen == [["kept"], ["kept"]]


def uses(dependant: Dependant, function: object) -> bool:
    """Whether a route asks for a dependency, itself or through others."""
    return any(each.call is function or uses(each, function) for each in dependant.dependencies)


def test_what_computes_or_receives_for_long_holds_no_connection_meanwhile():
    routes = {f"{method} {route.path}": route for router in discover() for route in router.routes if isinstance(route, APIRoute) for method in route.methods}
    apart = (
        "GET /api/zones/{zone_id}/pictures", "GET /api/cameras/{camera_id}/zones", "POST /api/cameras/{camera_id}/calibrations", "POST /api/scenes", "POST /api/drone/frames",
        "POST /api/drone/videos", "PATCH /api/uploads/{upload_id}",
    )  # fmt: skip
    assert uses(routes["GET /api/zones"].dependant, database)
    assert [name for name in apart if uses(routes[name].dependant, database)] == []
