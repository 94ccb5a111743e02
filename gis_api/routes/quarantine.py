"""Imports that the coordinate firewall holds back: shown with figures and shift vectors, then fixed, overridden or let go."""

from typing import Literal

from fastapi import APIRouter, Depends
from psycopg import AsyncConnection

from gis_api.auth import Caller, may
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.quarantine import DecisionIn, Finding, FlaggedRow, Quarantine, QuarantineDetail, ShiftVectors
from grid.settings import Settings
from layers import quarantine, release

router = APIRouter(prefix="/api/quarantine", tags=["datasets"], responses=RESPONSES)


def of(held: quarantine.Held) -> Quarantine:
    """A held file as it goes over the wire."""
    return Quarantine(**_members(held))


def _members(held: quarantine.Held) -> dict:
    same = ("id", "state", "title", "dataset_id", "source_name", "source_sha256", "declared_crs", "crs_origin", "row_count", "suspicious_rows", "likelihood")
    more = ("bbox", "region_code", "created_at", "decided_at", "reason")
    return {name: getattr(held, name) for name in (*same, *more)} | {
        "layer": f"dataset_{held.dataset_id}",
        "reference": held.spoke,
        "created_by": held.created_by_name,
        "decided_by": held.decided_by_name,
        "findings": [Finding.model_validate(f) for f in held.findings],
    }


@router.get("")
async def list_quarantine(
    state: Literal["held", "fixed", "overridden", "discarded"] | None = None, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database)
) -> list[Quarantine]:
    """Files held back in the caller's region, newest first; of one state or all."""
    return [of(held) for held in await quarantine.page(connection, caller.scope, state)]


@router.get("/{quarantine_id}")
async def show_quarantine(quarantine_id: int, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database)) -> QuarantineDetail:
    """One, with its first suspicious rows."""
    held = await quarantine.get(connection, caller.scope, quarantine_id)
    flagged = [FlaggedRow(row=row, reading=key) for row, key in await quarantine.rows(connection, caller.scope, quarantine_id)]
    return QuarantineDetail(**_members(held), flagged=flagged)


@router.get("/{quarantine_id}/vectors")
async def shift_vectors(quarantine_id: int, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database)) -> ShiftVectors:
    """A sample of the shifts that the fix would make, as GeoJSON, for the map."""
    features = []
    for vector in await quarantine.vectors(connection, caller.scope, quarantine_id):
        shape = {"type": "Point", "coordinates": vector.proposed}
        if vector.stored is not None:
            shape = {"type": "LineString", "coordinates": [vector.stored, vector.proposed]}
        features.append({"type": "Feature", "id": vector.row, "geometry": shape, "properties": {"row": vector.row, "reading": vector.reading}})
    return ShiftVectors(features=features)


@router.post("/{quarantine_id}/decision")
async def decide(
    quarantine_id: int,
    body: DecisionIn,
    caller: Caller = Depends(may("import")),
    connection: AsyncConnection = Depends(database),
    settings: Settings = Depends(settings_of),
) -> Quarantine:
    """Applies the proposed fix and publishes the layer, publishes it as declared for a reason, or discards it. The same decision twice is one; audited."""
    return of(await release.decide(connection, settings.data_dir, caller.scope, quarantine_id, body.decision, body.reason, caller.id))
