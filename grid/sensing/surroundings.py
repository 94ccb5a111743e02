"""All that the evidence pane shows of one alert: its findings, the record behind them, who lives near, what happened here before."""

from dataclasses import dataclass
from datetime import datetime

import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid.database import Scope, row, rows
from grid.sensing import alerts, calibration, observations
from grid.sensing.alerts import Alert
from grid.sensing.calibration import Precision
from grid.sensing.observations import Observation

NEAR_M = 500.0
NEAR_DEG = NEAR_M / 80_000.0
HISTORY_DAYS = 365
MOST_OBSERVATIONS = 200


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two vintages behind a changed patch; area geodesic in m²."""

    before_scene: str
    after_scene: str
    before_at: datetime
    after_at: datetime
    area_m2: float
    analysis: str


@dataclass(frozen=True, slots=True)
class Past:
    """An alert or a case within 500 m in the last year. `type` alert or case."""

    type: str
    id: int
    title: str
    at: datetime
    state: str
    distance_m: float


@dataclass(frozen=True, slots=True)
class Detail:
    """An alert with everything around it. `observations`: the newest 200 inside the reader's scope, oldest first."""

    alert: Alert
    reasons: list[dict]
    legality: list[dict]
    region50: shapely.MultiPolygon | None
    region90: shapely.MultiPolygon | None
    observations: list[Observation]
    precision: list[Precision]
    comparison: Comparison | None
    buildings_500m: int
    households_500m: int
    history: list[Past]


async def detail(connection: AsyncConnection, scope: Scope, alert_id: int) -> Detail:
    """The evidence pane of one alert inside the scope. Raises NotFound. Counts of buildings ignore the scope: a fire does not stop at a border."""
    alert = await alerts.get(connection, scope, alert_id)
    shape = await row(connection, "SELECT reasons, legality, region50, region90 FROM alerts WHERE id = %(id)s", {"id": alert_id})
    near = await row(
        connection,
        """
        SELECT count(*)::int AS buildings, coalesce(sum(households), 0)::int AS households FROM buildings
        WHERE geom && ST_Expand(%(geom)s, %(degrees)s) AND ST_DWithin(geom::geography, %(geom)s::geography, %(metres)s)
        """,
        {"geom": alert.geom, "degrees": NEAR_DEG, "metres": NEAR_M},
    )
    return Detail(
        alert=alert,
        reasons=shape["reasons"],
        legality=shape["legality"],
        region50=shape["region50"],
        region90=shape["region90"],
        observations=(await observations.page(connection, scope, alert_id=alert_id, limit=MOST_OBSERVATIONS))[::-1],
        precision=await calibration.precision(connection, alert_id),
        comparison=await _comparison(connection, alert_id),
        buildings_500m=near["buildings"],
        households_500m=near["households"],
        history=await _history(connection, scope, alert),
    )


async def _comparison(connection: AsyncConnection, alert_id: int) -> Comparison | None:
    async with connection.cursor(row_factory=class_row(Comparison)) as cursor:
        await cursor.execute(
            """
            SELECT s.before_scene, s.after_scene, b.taken_at AS before_at, a.taken_at AS after_at, p.area_m2, s.analysis
            FROM alert_patches l JOIN patches p ON p.id = l.patch_id AND p.state NOT IN ('split', 'merged') JOIN surveys s ON s.id = p.survey_id
            JOIN scenes b ON b.id = s.before_scene JOIN scenes a ON a.id = s.after_scene
            WHERE l.alert_id = %(id)s ORDER BY a.taken_at DESC, p.id DESC LIMIT 1
            """,
            {"id": alert_id},
        )
        return await cursor.fetchone()


async def _history(connection: AsyncConnection, scope: Scope, alert: Alert) -> list[Past]:
    found = await rows(
        connection,
        """
        SELECT type, id, title, at, state, distance_m FROM (
            SELECT 'alert' AS type, id, title, opened_at AS at, state, ST_Distance(geom::geography, %(geom)s::geography) AS distance_m FROM alerts
            WHERE region_code LIKE %(scope)s AND id <> %(id)s AND geom && ST_Expand(%(geom)s, %(degrees)s)
            UNION ALL
            SELECT 'case', id, title, opened_at, state, ST_Distance(geom::geography, %(geom)s::geography) FROM cases
            WHERE region_code LIKE %(scope)s AND geom && ST_Expand(%(geom)s, %(degrees)s)
        ) past
        WHERE distance_m <= %(metres)s AND at > now() - make_interval(days => %(days)s) ORDER BY at DESC LIMIT 20
        """,
        {"geom": alert.geom, "id": alert.id, "scope": scope.like, "degrees": NEAR_DEG, "metres": NEAR_M, "days": HISTORY_DAYS},
    )
    return [Past(**r) for r in found]
