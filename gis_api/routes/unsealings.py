"""Sealed originals of evidence: asked for with a reason, allowed by a second person, opened by the asker until it expires."""

from fastapi import APIRouter, Depends, Response
from psycopg import AsyncConnection

from gis_api.auth import Caller, may
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.unsealing import UnsealingDecision, UnsealingIn, UnsealingOut
from grid import unsealing
from grid.settings import Settings

router = APIRouter(prefix="/api", tags=["evidence"], responses=RESPONSES)


def _out(found: unsealing.Unsealing, caller: Caller) -> UnsealingOut:
    same = UnsealingOut.model_fields.keys() - {"mine"}
    return UnsealingOut(**{name: getattr(found, name) for name in same}, mine=found.asked_by == caller.id)


@router.post("/evidence/{sha256}/unsealings", status_code=201)
async def ask_for_original(sha256: str, body: UnsealingIn, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)) -> UnsealingOut:
    """Asks to see an original; another person decides. Audited."""
    return _out(await unsealing.ask(connection, caller.scope, caller.id, sha256, body.reason, body.minutes), caller)


@router.get("/unsealings")
async def list_unsealings(caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)) -> list[UnsealingOut]:
    """Requests about evidence of the caller's region, newest first."""
    return [_out(found, caller) for found in await unsealing.page(connection, caller.scope)]


@router.post("/unsealings/{unsealing_id}/decision")
async def decide_unsealing(unsealing_id: int, body: UnsealingDecision, caller: Caller = Depends(may("dispatch")), connection: AsyncConnection = Depends(database)) -> UnsealingOut:
    """Allows or refuses it, once, and never one's own. Audited."""
    return _out(await unsealing.decide(connection, caller.scope, caller.id, unsealing_id, approve=body.approve, note=body.note), caller)


@router.get(
    "/unsealings/{unsealing_id}/original",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "image/png": {}, "image/webp": {}}, "description": "the original"}},
)
async def open_original(
    unsealing_id: int, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> Response:
    """The original, for the asker, until it expires; each time is counted and audited."""
    content, media_type = await unsealing.opened(connection, settings.data_dir, caller.scope, caller.id, unsealing_id)
    return Response(content, media_type=media_type, headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
