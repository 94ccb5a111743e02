"""The live stream of what happens inside the caller's region."""

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from gis_api.auth import COOKIE, session_scope
from gis_api.problems import RESPONSES
from grid.errors import InvalidInput, NotSignedIn, Unavailable

router = APIRouter(prefix="/api", tags=["events"])

STREAMS_MAX = 2000


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": "id: 42\nevent: alert.opened\ndata: {\"id\":42,\"kind\":\"alert.opened\",…}\n\n"}}},
        **{status: RESPONSES[status] for status in (401, 422, 503)},
    },
)
async def stream(
    request: Request,
    last_event_id: str | None = Header(None, description="id of the last event seen; the stream goes on right after it", max_length=32),
    last_id: str | None = Query(None, description="the same, for clients that cannot set the header", max_length=32),
) -> StreamingResponse:
    """Server-sent events (WHATWG): `hello` first, then every event of the caller's region once and in order; a comment every 10 s of silence.

    The stream ends within 30 s after the session does.
    """
    state = request.app.state
    token = request.cookies.get(COOKIE)
    scope = await session_scope(state.pool, token)
    if scope is None:
        raise NotSignedIn("没有有效的登录会话 · no live session", remedy="POST /api/login, then open the stream again")
    if state.hub.subscribers >= STREAMS_MAX:
        raise Unavailable(f"{STREAMS_MAX} 条实时流已满 · live streams are open already", remedy="try again in a moment", retry_after_s=10)
    given = last_event_id or last_id or None
    if given is not None and not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise InvalidInput(f"Last-Event-ID {given!r} 不是事件编号 · is not an event id", remedy="send the id of the last event seen, or none")

    async def still_allowed() -> bool:
        return await session_scope(state.pool, token) == scope

    return StreamingResponse(
        state.hub.stream(scope, None if given is None else int(given), still_allowed),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
