"""Active-fire rows of MODIS and VIIRS (NASA FIRMS CSV) as findings: a row is a pixel of scan × track, not a point.

Columns: latitude, longitude (pixel centre), brightness | bright_ti4 (K), scan and track (pixel size in km across and along the ground
track), acq_date, acq_time (HHMM UTC, leading zeros may be lost), satellite, instrument, confidence (0–100, or low/nominal/high),
version, frp (MW), daynight, and in archives type (0 vegetation, 1 volcano, 2 other static, 3 offshore).
https://www.earthdata.nasa.gov/data/tools/firms/active-fire-data-attributes-modis-c61

A row says heat. What it is, the registers and the rows before say: heat that comes back at one place on many days is a works or a flare (as VIIRS
Nightfire tells gas flares by persistence: Elvidge et al., Energies 9(1), 2016); heat on farmland, off forest, is straw that burns. In or near
forest a row stays a fire alarm whatever else it may be.
"""

import csv
import hashlib
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import shapely
from psycopg import AsyncConnection

from grid.database import rows
from grid.errors import InvalidInput, TooLarge
from grid.geometry import destination
from grid.sensing import intake
from grid.sensing.observations import Accepted, Finding

MOST_BYTES = 64 << 20
CHUNK = 1000
NEEDED = ("latitude", "longitude", "scan", "track", "acq_date", "acq_time", "confidence")
WORDS = {"l": 0.3, "low": 0.3, "n": 0.6, "nominal": 0.6, "h": 0.9, "high": 0.9}
SATELLITES = {"T": "Terra", "A": "Aqua", "N": "Suomi-NPP", "N20": "NOAA-20", "1": "NOAA-20", "N21": "NOAA-21", "2": "NOAA-21"}
STATIC_TYPES = ("1", "2", "3")
LASTING_DAYS, LASTING_SPAN, LASTING_M = 6, 30, 750.0
"""Earlier days with heat within so many metres, over a span of days within half a year, from which a source is a lasting one."""
HALF_YEAR = timedelta(days=180)
FARMED = 0.5
"""Share of a pixel that is farmland from which heat in it is straw."""
FOREST_M = 500.0
"""From forest: within it a row is a fire alarm."""
TRACK_AZIMUTH = {True: 191.0, False: 349.0}
"""Heading of the ground track by day (descending Terra) and by night; for polar orbits at mid latitudes, good to about 10 degrees."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that was left out: its number in the file (the header is row 1), the column, its value and what is wrong."""

    row: int
    column: str
    value: str
    detail: str


@dataclass(frozen=True, slots=True)
class Read:
    """Findings of the good rows inside the box, the bad rows, and how many good rows lay outside."""

    findings: tuple[Finding, ...]
    bad: tuple[Bad, ...]
    outside: int


class _Wrong(ValueError):
    def __init__(self, column: str, value: str, detail: str) -> None:
        super().__init__(detail)
        self.column, self.value = column, value


def read(content: bytes, *, bbox: tuple[float, float, float, float] | None = None, simulated: bool = False) -> Read:
    """Findings of a FIRMS CSV file; rows outside `bbox` (west, south, east, north in degrees) are counted, bad rows reported by number.

    Raises TooLarge beyond 64 MiB and InvalidInput when the file is no such table (not UTF-8, columns missing).
    """
    if len(content) > MOST_BYTES:
        raise TooLarge(f"{len(content)} bytes of fire rows", remedy=f"at most {MOST_BYTES}: send a smaller region or fewer days")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the fire rows are not UTF-8 text (byte {error.start})", remedy="send the CSV as FIRMS delivers it") from error
    table = csv.DictReader(io.StringIO(text))
    missing = [name for name in NEEDED if name not in (table.fieldnames or ())]
    if missing or not {"brightness", "bright_ti4"} & set(table.fieldnames or ()):
        raise InvalidInput(f"the table has no column {', '.join(missing) or 'brightness or bright_ti4'}", remedy="send a MODIS or VIIRS CSV of NASA FIRMS")
    findings, bad, outside = [], [], 0
    for number, row in _rows(table, bad):
        try:
            finding = _finding(row, simulated)
        except _Wrong as wrong:
            bad.append(Bad(number, wrong.column, wrong.value, str(wrong)))
            continue
        lon, lat = finding.place.x, finding.place.y
        if bbox is not None and not (bbox[0] <= lon <= bbox[2] and bbox[1] <= lat <= bbox[3]):
            outside += 1
        else:
            findings.append(finding)
    return Read(tuple(findings), tuple(bad), outside)


def _rows(table: csv.DictReader, bad: list[Bad]) -> Iterator[tuple[int, dict[str, str]]]:
    number = 1
    while True:
        number += 1
        try:
            row = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            bad.append(Bad(number, "", "", f"not a CSV row: {error}"))
            continue
        if None in row or None in row.values():
            bad.append(Bad(number, "", "", f"the row has not {len(table.fieldnames)} columns"))
            continue
        yield number, row


def _number(row: dict[str, str], column: str, least: float, most: float) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise _Wrong(column, row[column], f"must be a number from {least:g} to {most:g}")
    return value


def _finding(row: dict[str, str], simulated: bool) -> Finding:
    lat, lon = _number(row, "latitude", -90, 90), _number(row, "longitude", -180, 180)
    scan, track = _number(row, "scan", 0.1, 10), _number(row, "track", 0.1, 10)
    at = _time(row)
    satellite = SATELLITES.get(row.get("satellite", ""), row.get("satellite", "") or "unknown")
    viirs = "bright_ti4" in row
    kelvin = _number(row, "bright_ti4" if viirs else "brightness", 150, 1000)
    power = _number(row, "frp", 0, 1e6) if row.get("frp", "").strip() else None
    identity = f"{satellite}|{at:%Y%m%d%H%M}|{lat:.5f}|{lon:.5f}"
    return Finding(
        source=f"firms-{'viirs' if viirs else 'modis'}-{satellite.lower()}",
        source_event_id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        sensor_kind="satellite",
        kind="forest_fire",
        class_name="active_fire",
        score=_confidence(row["confidence"]),
        recorded_at=at,
        place=shapely.Point(lon, lat),
        accuracy_m=round(1000 * math.hypot(scan, track) / 2, 1),
        algorithm=f"firms-{'viirs' if viirs else 'modis'}",
        model_version=row.get("version", ""),
        footprint=footprint(lon, lat, scan, track, night=row.get("daynight", "D").strip().upper() == "N"),
        properties={
            "brightness_k": kelvin, "frp_mw": power, "scan_km": scan, "track_km": track, "confidence": row["confidence"].strip(),
            "satellite": satellite, "instrument": row.get("instrument") or ("VIIRS" if viirs else "MODIS"), "daynight": row.get("daynight", ""),
            **({"firms_type": row["type"].strip()} if row.get("type", "").strip() else {}),
        },
        simulated=simulated,
    )  # fmt: skip


def _time(row: dict[str, str]) -> datetime:
    clock = row["acq_time"].strip().replace(":", "").zfill(4)
    try:
        return datetime.strptime(f"{row['acq_date'].strip()} {clock}", "%Y-%m-%d %H%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise _Wrong("acq_time", f"{row['acq_date']} {row['acq_time']}", "must be a date YYYY-MM-DD and a time HHMM (UTC)") from error


def _confidence(text: str) -> float:
    """0…1 of a percentage or a word; FIRMS says low/nominal/high for VIIRS: taken as 0.3, 0.6, 0.9.

    >>> _confidence("84"), _confidence("n"), _confidence("high")
    (0.84, 0.6, 0.9)
    """
    word = text.strip().lower()
    if word in WORDS:
        return WORDS[word]
    try:
        percent = float(word)
    except ValueError:
        percent = math.nan
    if not 0 <= percent <= 100:
        raise _Wrong("confidence", text, "must be 0–100 or low, nominal, high")
    return percent / 100


def footprint(lon: float, lat: float, scan_km: float, track_km: float, *, night: bool = False) -> shapely.Polygon:
    """The pixel on the ground: `track_km` along the satellite's heading, `scan_km` across, centred at lon, lat (EPSG:4326)."""
    heading = TRACK_AZIMUTH[not night]
    corner = math.hypot(scan_km, track_km) * 500
    lean = math.degrees(math.atan2(scan_km, track_km))
    azimuths = np.array([heading + lean, heading + 180 - lean, heading + 180 + lean, heading - lean])
    lons, lats = destination(np.full(4, lon), np.full(4, lat), azimuths, np.full(4, corner))
    return shapely.Polygon(np.c_[lons, lats])


async def accept(
    connection: AsyncConnection, content: bytes, *, bbox: tuple[float, float, float, float] | None = None, simulated: bool = False
) -> tuple[list[Accepted], Read]:
    """Reads fire rows, tells what burns there, and hands them to intake in the caller's transaction; the same row twice is one observation."""
    found = read(content, bbox=bbox, simulated=simulated)
    told = await judge(connection, found.findings)
    accepted: list[Accepted] = []
    for start in range(0, len(told), intake.LARGEST_BATCH):
        accepted += await intake.accept(connection, told[start : start + intake.LARGEST_BATCH])
    return accepted, replace(found, findings=tuple(told))


async def judge(connection: AsyncConnection, findings: Sequence[Finding]) -> list[Finding]:
    """The same findings with the kind that the place and the days before give: forest_fire, straw_burning, or static_heat, which no rule alerts on.

    `properties` then say why: `farmland_share` of the pixel, `near_forest`, `heat_days` and `heat_span_days` of the half year before (days in UTC,
    rows of the same file counted too).
    """
    told: list[Finding] = []
    days = await _heat(connection, findings) if findings else []
    for start in range(0, len(findings), CHUNK):
        part = findings[start : start + CHUNK]
        pixels = [shapely.to_wkb(shapely.set_srid(one.footprint, 4326), hex=True, include_srid=True) for one in part]
        places = await rows(connection, _PLACES, {"pixels": pixels, "times": [one.recorded_at for one in part], "forest_m": FOREST_M})
        told += [_told(*three) for three in zip(part, places, days[start : start + CHUNK], strict=True)]
    return told


async def _heat(connection: AsyncConnection, findings: Sequence[Finding]) -> list[tuple[int, int]]:
    """Of each finding: on how many days (UTC) of the half year before its own there was heat nearby, and how many days lie between the first and last."""
    from scipy.spatial import cKDTree  # a quarter of a second to read: not at every start of a server

    lon, lat = np.array([one.place.x for one in findings]), np.array([one.place.y for one in findings])
    when = [one.recorded_at for one in findings]
    before = await rows(
        connection,
        """
        SELECT DISTINCT ST_X(geom) AS lon, ST_Y(geom) AS lat, (recorded_at AT TIME ZONE 'UTC')::date AS day FROM observations
        WHERE class = 'active_fire' AND sensor_kind = 'satellite' AND recorded_at BETWEEN %(first)s AND %(last)s
            AND geom && ST_Expand(ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326), 0.02)
        """,
        {"first": min(when) - HALF_YEAR, "last": max(when), "west": lon.min(), "south": lat.min(), "east": lon.max(), "north": lat.max()},
    )
    own = np.array([moment.astimezone(UTC).date().toordinal() for moment in when])
    days = np.concatenate([own, np.array([row["day"].toordinal() for row in before], int)])
    here = _round(lon, lat)
    tree = cKDTree(np.concatenate([here, _round(np.array([row["lon"] for row in before]), np.array([row["lat"] for row in before]))]))
    found = []
    for today, near in zip(own, tree.query_ball_point(here, LASTING_M), strict=True):
        past = np.unique(days[near])
        past = past[(past < today) & (past >= today - HALF_YEAR.days)]
        found.append((len(past), int(past[-1] - past[0]) if len(past) else 0))
    return found


def _round(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Places (degrees) as points of a sphere in metres: straight distances are those over ground for a few kilometres."""
    a, b = np.radians(lon.astype(float)), np.radians(lat.astype(float))
    return 6_371_000.0 * np.column_stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])


def _told(finding: Finding, place: dict, heat: tuple[int, int]) -> Finding:
    days, span = heat
    lasting = (days >= LASTING_DAYS and span >= LASTING_SPAN) or finding.properties.get("firms_type") in STATIC_TYPES
    farmed = place["farmland_share"] >= FARMED
    kind = finding.kind if place["near_forest"] else "static_heat" if lasting else "straw_burning" if farmed else finding.kind
    why = {"farmland_share": round(place["farmland_share"], 3), "near_forest": place["near_forest"], "heat_days": days, "heat_span_days": span}
    return replace(finding, kind=kind, properties=finding.properties | why)


_PLACES = """
SELECT coalesce((
        SELECT sum(ST_Area(ST_Intersection(p.geom, k.pixel))) / ST_Area(k.pixel) FROM parcels AS p
        WHERE p.category IN ('farmland', 'orchard') AND p.valid @> (k.at AT TIME ZONE 'Asia/Shanghai')::date AND p.geom && k.pixel AND ST_Intersects(p.geom, k.pixel)
    ), 0)::float AS farmland_share,
    EXISTS (
        SELECT FROM forest_zones AS f WHERE f.valid @> (k.at AT TIME ZONE 'Asia/Shanghai')::date AND f.geom && ST_Expand(k.pixel, %(forest_m)s / 80000.0)
            AND ST_DWithin(f.geom::geography, k.pixel::geography, %(forest_m)s)
    ) AS near_forest
FROM (
    SELECT pixel::geometry AS pixel, at, place FROM unnest(%(pixels)s::text[], %(times)s::timestamptz[]) WITH ORDINALITY AS given (pixel, at, place)
) AS k ORDER BY k.place
"""
