"""The observability ledger: where every sensor could have seen, each minute, so that silence can be told from blindness.

A look is a clear view (polygon), a span of time and a power (share of such things that are found there). It is written on the management grids it covers:
for each grid, kind of sensor and day of the city (Asia/Shanghai) 1,440 bytes, each the best share of the grid seen × power in that minute, 255 for all.
Camera frames that were examined, drones and workers on their way and satellite passes make looks; a camera that sent nothing, or nothing
usable, makes none: it says nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import AsyncConnection
from shapely.geometry.base import BaseGeometry

from grid.database import Scope, row, rows
from grid.errors import InvalidInput
from grid.sensing.likelihood import Silence

MINUTES = 1440
CITY = ZoneInfo("Asia/Shanghai")
POWER = {"camera": 0.6, "drone": 0.7, "person": 0.5, "satellite": 0.3}
"""Share of events in clear view that one look finds, by kind of sensor: to start from, until verdicts teach better."""
NEAR_M = {"person": 60.0, "drone": 150.0}
LEAST_FRAMES = 3
SETTLE = timedelta(minutes=3)
MOST = timedelta(hours=6)
KEPT = timedelta(days=31)

_POSE = "md5(ROW(cameras.geom, cameras.height_m, cameras.azimuth_deg, cameras.hfov_deg, cameras.range_m)::text)"
_SEES = f"coalesce((SELECT c.view FROM camera_clear_views c WHERE c.camera_id = cameras.id AND c.pose = {_POSE}), cameras.view)"

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Look:
    """A clear view (EPSG:4326) of a kind of sensor from `first` to `last` (aware), both minutes included; `power` 0–1."""

    sensor_kind: str
    view: BaseGeometry
    first: datetime
    last: datetime
    power: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.power <= 1.0 or self.last < self.first or self.first.tzinfo is None or self.last.tzinfo is None:
            raise InvalidInput(f"观察记录无效 · look {self.sensor_kind} {self.first}–{self.last}, power {self.power}", remedy="aware times in order, a power from 0 to 1")


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """A day of the ledger. `seen`: grids × minutes, 0–255, the best of the kinds asked for; `age_h`: hours since anybody looked, at most `KEPT`, NaN for never."""

    day: date
    codes: list[str]
    names: list[str]
    seen: Bytes
    age_h: NDArray[np.float64]

    def every(self, minutes: int) -> Bytes:
        """The best of each stretch of `minutes` (a divisor of 1,440)."""
        return self.seen.reshape(len(self.codes), MINUTES // minutes, minutes).max(axis=2)


def minute_of(at: datetime) -> tuple[date, int]:
    """Day and minute in the city.

    >>> minute_of(datetime(2026, 11, 22, 16, 0, 30, tzinfo=UTC))
    (datetime.date(2026, 11, 23), 0)
    """
    there = at.astimezone(CITY)
    return there.date(), 60 * there.hour + there.minute


async def note(connection: AsyncConnection, looks: Sequence[Look]) -> int:
    """Writes looks; one noted twice changes nothing. Returns how many rows (grid, kind, day) they touched."""
    if not looks:
        return 0
    shares = await rows(
        connection,
        """
        SELECT k.number, cells.code, cells.region_code, ST_Area(ST_Intersection(cells.geom, k.view)) / ST_Area(cells.geom) AS share
        FROM unnest(%(numbers)s::int[], %(views)s::geometry[]) AS k (number, view)
        JOIN cells ON cells.geom && k.view AND ST_Intersects(cells.geom, k.view) AND cells.valid @> hdq_today() AND cells.kind = 'management'
        """,
        {"numbers": list(range(len(looks))), "views": [shapely.set_srid(look.view, 4326) for look in looks]},
    )
    marks: dict[tuple[date, str, str], tuple[str, Bytes]] = {}
    for found in shares:
        look = looks[found["number"]]
        value = int(round(255 * min(1.0, found["share"]) * look.power))
        if value:
            for day, first, last in _spans(look.first, look.last):
                _, held = marks.setdefault((day, found["code"], look.sensor_kind), (found["region_code"], np.zeros(MINUTES, np.uint8)))
                held[first : last + 1] = np.maximum(held[first : last + 1], value)
    await _merge(connection, marks)
    return len(marks)


def _spans(first: datetime, last: datetime) -> list[tuple[date, int, int]]:
    day, begin = minute_of(first)
    until, end = minute_of(last)
    spans = []
    while day < until:
        spans.append((day, begin, MINUTES - 1))
        day, begin = day + timedelta(days=1), 0
    return [*spans, (day, begin, end)]


async def _merge(connection: AsyncConnection, marks: Mapping[tuple[date, str, str], tuple[str, Bytes]]) -> None:
    """The larger of what is there and what is new, minute by minute."""
    keys = sorted(marks)
    columns = {"days": [k[0] for k in keys], "codes": [k[1] for k in keys], "kinds": [k[2] for k in keys]}
    held = await rows(
        connection,
        """
        SELECT day, cell_code, sensor_kind, minutes FROM ledger
        JOIN unnest(%(days)s::date[], %(codes)s::text[], %(kinds)s::text[]) AS k (d, c, s) ON day = d AND cell_code = c AND sensor_kind = s
        ORDER BY day, cell_code, sensor_kind FOR UPDATE OF ledger
        """,
        columns,
    )
    before = {(r["day"], r["cell_code"], r["sensor_kind"]): np.frombuffer(r["minutes"], np.uint8) for r in held}
    whole = [np.maximum(marks[key][1], before[key]) if key in before else marks[key][1] for key in keys]
    newest = [int(np.flatnonzero(minutes)[-1]) for minutes in whole]
    await connection.execute(
        """
        INSERT INTO ledger (day, cell_code, sensor_kind, region_code, last_at, minutes)
        SELECT * FROM unnest(%(days)s::date[], %(codes)s::text[], %(kinds)s::text[], %(regions)s::text[], %(lasts)s::timestamptz[], %(minutes)s::bytea[])
        ON CONFLICT (day, cell_code, sensor_kind) DO UPDATE SET minutes = excluded.minutes, last_at = excluded.last_at
        """,
        columns
        | {
            "regions": [marks[key][0] for key in keys],
            "lasts": [datetime(k[0].year, k[0].month, k[0].day, tzinfo=CITY) + timedelta(minutes=m) for k, m in zip(keys, newest, strict=True)],
            "minutes": [minutes.tobytes() for minutes in whole],
        },
    )


async def gather(connection: AsyncConnection, since: datetime, until: datetime) -> list[Look]:
    """The looks of a stretch of time (since included, until not): frames examined of cameras in order, units' trails, scenes.

    A scene counts when it is registered, hours after it was taken; its look is of the minute when it was taken, `KEPT` ago at most.
    """
    found = await rows(
        connection,
        f"""
        SELECT 'camera' AS kind, {_SEES} AS view, date_trunc('minute', frames.recorded_at) AS at
        FROM frames JOIN cameras ON cameras.id = frames.camera_id
        WHERE frames.state = 'done' AND cameras.state = 'online' AND cameras.view IS NOT NULL AND frames.recorded_at >= %(since)s AND frames.recorded_at < %(until)s
        GROUP BY cameras.id, 3
        UNION ALL
        SELECT CASE units.kind WHEN 'drone' THEN 'drone' ELSE 'person' END,
               ST_Buffer(ST_Collect(p.geom)::geography, CASE units.kind WHEN 'drone' THEN %(drone)s ELSE %(person)s END)::geometry,
               date_trunc('minute', p.recorded_at)
        FROM unit_positions p JOIN units ON units.id = p.unit_id
        WHERE p.recorded_at >= %(since)s AND p.recorded_at < %(until)s
        GROUP BY units.id, units.kind, 3
        UNION ALL
        SELECT 'satellite', geom, date_trunc('minute', taken_at) FROM scenes
        WHERE created_at >= %(since)s AND created_at < %(until)s AND taken_at >= %(oldest)s AND taken_at < %(until)s
        """,
        {"since": since, "until": until, "oldest": until - KEPT, **NEAR_M},
    )
    return [Look(r["kind"], r["view"], r["at"], r["at"], POWER[r["kind"]]) for r in found if not r["view"].is_empty]


async def write(connection: AsyncConnection, now: datetime) -> int:
    """Notes what was looked at since the last time (at most 6 h back) until 3 min ago, so that late frames count; forgets days over 31 old."""
    mark = await row(connection, "SELECT written_until FROM ledger_mark WHERE one FOR UPDATE")
    until = (now - SETTLE).astimezone(UTC).replace(second=0, microsecond=0)
    since = max(mark["written_until"] if mark else until - MOST, until - MOST)
    if since >= until:
        return 0
    touched = await note(connection, await gather(connection, since, until))
    await connection.execute(
        "INSERT INTO ledger_mark (written_until) VALUES (%(until)s) ON CONFLICT (one) DO UPDATE SET written_until = excluded.written_until", {"until": until}
    )
    await connection.execute("DELETE FROM ledger WHERE day < %(day)s", {"day": (now - KEPT).astimezone(CITY).date()})
    return touched


async def heat(connection: AsyncConnection, scope: Scope, day: date, kinds: Sequence[str] = (), now: datetime | None = None) -> Heat:
    """A day for today's management grids inside the scope, in order of code; `kinds` of sensors, none named: all."""
    cells = await rows(
        connection,
        """
        SELECT code, name, (SELECT max(last_at) FROM ledger WHERE cell_code = cells.code) AS last_at FROM cells
        WHERE region_code LIKE %(scope)s AND valid @> hdq_today() AND kind = 'management' ORDER BY code
        """,
        {"scope": scope.like},
    )
    cursor = connection.cursor(binary=True)
    await cursor.execute(
        "SELECT cell_code, minutes FROM ledger WHERE day = %(day)s AND region_code LIKE %(scope)s AND (%(kinds)s::text[] = '{}' OR sensor_kind = ANY(%(kinds)s))",
        {"day": day, "scope": scope.like, "kinds": list(kinds)},
    )
    codes = [r["code"] for r in cells]
    seen = await asyncio.to_thread(_best, codes, await cursor.fetchall())
    present = now or datetime.now(UTC)
    ages = [np.nan if r["last_at"] is None else max(0.0, (present - r["last_at"]).total_seconds() / 3600) for r in cells]
    return Heat(day, codes, [r["name"] for r in cells], seen, np.array(ages, float))


def _best(codes: Sequence[str], held: Sequence[tuple[str, bytes]]) -> Bytes:
    """The best of each grid and minute (grids × minutes), from rows of (grid, its minutes as one kind of sensor saw it)."""
    number = {code: i for i, code in enumerate(codes)}
    seen = np.zeros((len(codes), MINUTES), np.uint8)
    for code, minutes in held:
        if code in number:
            np.maximum(seen[number[code]], np.frombuffer(minutes, np.uint8), out=seen[number[code]])
    return seen


async def silences(connection: AsyncConnection, area: BaseGeometry, first: datetime, last: datetime, algorithms: Sequence[str]) -> list[Silence]:
    """Cameras in order that examined three frames or more with one of the algorithms from `first` to `last`, whose view meets the area, and that reported nothing then."""
    found = await rows(
        connection,
        f"""
        SELECT cameras.id, sees.view FROM cameras CROSS JOIN LATERAL (SELECT {_SEES} AS view) AS sees
        WHERE cameras.state = 'online' AND cameras.view && %(area)s AND ST_Intersects(sees.view, %(area)s) AND cameras.detectors && %(algorithms)s
          AND (SELECT count(*) FROM frames WHERE camera_id = cameras.id AND state = 'done' AND recorded_at BETWEEN %(first)s AND %(last)s) >= %(least)s
          AND NOT EXISTS (SELECT FROM observations WHERE camera_id = cameras.id AND recorded_at BETWEEN %(first)s AND %(last)s)
        ORDER BY cameras.id LIMIT 16
        """,
        {"area": shapely.set_srid(area, 4326), "algorithms": list(algorithms), "first": first, "last": last, "least": LEAST_FRAMES},
    )
    return [Silence(f"camera:{r['id']}", r["view"], POWER["camera"]) for r in found]


@dataclass(frozen=True, slots=True)
class Unclipped:
    """A high camera whose clear view is not known for its pose. Degrees and metres; `height_m` of the lens above the ground."""

    id: int
    pose: str
    lon: float
    lat: float
    height_m: float
    azimuth_deg: float
    hfov_deg: float
    range_m: float


async def unclipped(connection: AsyncConnection) -> list[Unclipped]:
    """High cameras that have no clear view for the pose they have now."""
    found = await rows(
        connection,
        f"""
        SELECT id, {_POSE} AS pose, ST_X(geom) AS lon, ST_Y(geom) AS lat, height_m, azimuth_deg, hfov_deg, range_m FROM cameras
        WHERE kind = 'tower' AND NOT EXISTS (SELECT FROM camera_clear_views c WHERE c.camera_id = cameras.id AND c.pose = {_POSE}) ORDER BY id
        """,
    )
    return [Unclipped(**r) for r in found]


async def clip(connection: AsyncConnection, camera: Unclipped, view: BaseGeometry) -> None:
    """Keeps what a camera sees clearly (EPSG:4326 polygons) in the pose it was asked for."""
    await connection.execute(
        """
        INSERT INTO camera_clear_views (camera_id, pose, view) VALUES (%(id)s, %(pose)s, ST_Multi(%(view)s::geometry))
        ON CONFLICT (camera_id) DO UPDATE SET pose = excluded.pose, view = excluded.view
        """,
        {"id": camera.id, "pose": camera.pose, "view": shapely.set_srid(view, 4326)},
    )
