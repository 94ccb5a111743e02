"""A grid worker's report: made on the phone, perhaps without a signal, and stored exactly once under the phone's own key."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg import AsyncConnection

from grid.casework import cases, categories
from grid.database import Scope, point, row
from grid.errors import Conflict, InvalidInput
from grid.sensing import intake
from grid.sensing.observations import Finding
from grid.world import places

LATE = timedelta(days=30)
SKEW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Report:
    """What was seen: where (degrees, accuracy in metres), when (by the phone), pictures by content hash."""

    client_key: UUID
    category_code: str
    lon: float
    lat: float
    accuracy_m: float
    recorded_at: datetime
    note: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filed:
    """The report and its case; `repeated` when the same report had arrived before."""

    report_id: int
    case_id: int
    repeated: bool


async def file(connection: AsyncConnection, scope: Scope, staff_id: int, report: Report, *, simulated: bool = False) -> Filed:
    """Stores a report, its finding and its case in the caller's transaction; the same key again gives the first answer.

    Raises InvalidInput (category, time, place outside the caller's region, unknown picture) or Conflict (same key, other content).
    """
    now = datetime.now(UTC)
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))", {"key": f"report:{staff_id}:{report.client_key}"})
    known = await row(
        connection,
        "SELECT id, case_id, category_code, recorded_at FROM reports WHERE staff_id = %(staff)s AND client_key = %(key)s",
        {"staff": staff_id, "key": report.client_key},
    )
    if known is not None:
        if known["category_code"] != report.category_code or known["recorded_at"] != report.recorded_at:
            raise Conflict(f"report key {report.client_key} was used for another report", remedy="make a new key for a new report")
        return Filed(known["id"], known["case_id"], repeated=True)
    if report.recorded_at > now + SKEW or report.recorded_at < now - LATE:
        raise InvalidInput(
            f"recorded_at {report.recorded_at.isoformat()} is not within the last {LATE.days} days", remedy="correct the clock of the phone", server_time=now
        )
    category = await categories.get(connection, report.category_code)
    located = await places.locate(connection, report.lon, report.lat)
    if not scope.covers(located.region_code):
        raise InvalidInput(f"({report.lon}, {report.lat}) lies outside your region", remedy="move the pin into your own region", region_code=located.region_code)
    place = point(report.lon, report.lat)
    case_id = await cases.open_case(
        connection,
        cases.Opening(
            category_code=category.code,
            title=category.name,
            origin="report",
            place=place,
            accuracy_m=report.accuracy_m,
            description=report.note,
            reporter_id=staff_id,
            simulated=simulated,
            evidence=report.evidence,
            scope=scope,
        ),
        now,
        announce=False,
    )
    cursor = await connection.execute(
        """
        INSERT INTO reports (client_key, staff_id, category_code, note, evidence, accuracy_m, recorded_at, case_id, geom)
        VALUES (%(key)s, %(staff)s, %(category)s, %(note)s, %(evidence)s, %(accuracy)s, %(recorded)s, %(case)s, %(geom)s)
        RETURNING id
        """,
        {
            "key": report.client_key,
            "staff": staff_id,
            "category": category.code,
            "note": report.note,
            "evidence": list(report.evidence),
            "accuracy": report.accuracy_m,
            "recorded": report.recorded_at,
            "case": case_id,
            "geom": place,
        },
    )
    (report_id,) = await cursor.fetchone()
    accepted = await intake.accept(
        connection,
        [
            Finding(
                source=f"person:{staff_id}",
                source_event_id=str(report.client_key),
                sensor_kind="person",
                kind=category.event_kind,
                class_name=category.code,
                score=0.9,
                recorded_at=report.recorded_at,
                place=place,
                accuracy_m=report.accuracy_m,
                algorithm="grid-worker",
                model_version="1",
                evidence=report.evidence,
                properties={"case_id": case_id, "category": category.code, "note": report.note},
                simulated=simulated,
            )
        ],
    )
    await connection.execute("UPDATE reports SET observation_id = %(observation)s WHERE id = %(id)s", {"observation": accepted[0].id, "id": report_id})
    await cases.announce_opened(connection, case_id)
    return Filed(report_id, case_id, repeated=False)
