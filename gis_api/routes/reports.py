"""What grid workers send: pictures, and reports that arrive exactly once."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, File, Form, Response, UploadFile
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.routes.cases import summary
from gis_api.wire.cases import EvidenceOut, ReportIn, ReportOut
from grid import evidence, jobs
from grid.casework import cases, deadlines, reports
from grid.database import point
from grid.errors import InvalidInput, TooLarge
from grid.settings import Settings

router = APIRouter(prefix="/api", tags=["reports"], responses=RESPONSES)


@router.post("/evidence", status_code=201)
async def add_evidence(
    file: Annotated[UploadFile, File(description="JPEG, PNG or WebP, at most 32 MB")],
    kind: Annotated[Literal["photo"], Form()] = "photo",
    taken_at: Annotated[datetime | None, Form()] = None,
    lon: Annotated[float | None, Form(ge=-180, le=180, allow_inf_nan=False)] = None,
    lat: Annotated[float | None, Form(ge=-90, le=90, allow_inf_nan=False)] = None,
    accuracy_m: Annotated[float | None, Form(gt=0, le=100_000, allow_inf_nan=False)] = None,
    azimuth_deg: Annotated[float | None, Form(ge=0, lt=360, allow_inf_nan=False)] = None,
    caller: Caller = Depends(may("report", "handle", "verify")),
    connection: AsyncConnection = Depends(database),
    settings: Settings = Depends(settings_of),
) -> EvidenceOut:
    """Stores a photo under its content hash; people see only its blurred derivative, which a job makes. Sending it again is the same photo."""
    if (lon is None) != (lat is None):
        raise InvalidInput("only one of lon and lat was sent", remedy="send both, or neither")
    content = await file.read(evidence.MAX_BYTES + 1)
    if len(content) > evidence.MAX_BYTES:
        raise TooLarge(f"the picture has more than {evidence.MAX_BYTES:,} bytes", remedy="send a smaller picture")
    picture = await evidence.store(
        connection,
        settings.data_dir,
        content,
        kind=kind,
        region_code=caller.scope.prefix,
        taken_at=taken_at,
        place=point(lon, lat) if lon is not None and lat is not None else None,
        accuracy_m=accuracy_m,
        azimuth_deg=azimuth_deg,
        properties={"by": caller.id},
    )
    await jobs.enqueue(connection, "blur", {"sha256": picture.sha256}, queueing_lock=f"blur:{picture.sha256}", priority=5)
    return EvidenceOut(sha256=picture.sha256, media_type=picture.media_type, width=picture.width, height=picture.height)


PENDING = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 240"><rect width="320" height="240" fill="#8894A6"/>
<text x="160" y="118" font-size="18" fill="#fff" text-anchor="middle" font-family="sans-serif">正在脱敏</text>
<text x="160" y="144" font-size="13" fill="#fff" text-anchor="middle" font-family="sans-serif">being blurred</text></svg>"""
"""Stands for a picture whose blurred copy is being made; event evidence.shown says when to ask again."""


@router.get(
    "/evidence/{sha256}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "image/png": {}, "image/webp": {}, "image/svg+xml": {}}, "description": "the blurred derivative; an SVG that says so while it is being made"}},
)  # fmt: skip
async def show_evidence(
    sha256: str, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> Response:
    """The derivative of a picture that the caller may see; 404 outside the caller's region."""
    found = await evidence.shown(connection, settings.data_dir, sha256, caller.scope)
    if found is None:
        return Response(PENDING, media_type="image/svg+xml", headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
    content, media_type = found
    return Response(content, media_type=media_type, headers={"Cache-Control": "private, max-age=86400, immutable", "Vary": "Cookie", "X-Content-Type-Options": "nosniff"})


@router.post("/reports", status_code=201)
async def add_report(
    body: ReportIn, response: Response, caller: Caller = Depends(may("report")), connection: AsyncConnection = Depends(database)
) -> ReportOut:
    """Files a report and opens its case in the grid it lies in. The same client_key again answers 200 with the same case."""
    if body.recorded_at.tzinfo is None:
        raise InvalidInput(f"recorded_at {body.recorded_at.isoformat()} has no time zone", remedy="end it with Z or +08:00")
    filed = await reports.file(
        connection,
        caller.scope,
        caller.id,
        reports.Report(
            client_key=body.client_key,
            category_code=body.category_code,
            lon=body.position.lon,
            lat=body.position.lat,
            accuracy_m=body.position.accuracy_m,
            recorded_at=body.recorded_at,
            note=body.note,
            evidence=tuple(body.evidence),
        ),
    )
    if filed.repeated:
        response.status_code = 200
    case = await cases.get(connection, caller.scope, filed.case_id)
    return ReportOut(
        report_id=filed.report_id,
        case=summary(case, await deadlines.load_calendar(connection), datetime.now(UTC)),
        repeated=filed.repeated,
    )
