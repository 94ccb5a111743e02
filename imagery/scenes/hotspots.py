"""Active-fire rows of MODIS and VIIRS (NASA FIRMS CSV) as findings: a row is a pixel of scan × track, not a point.

Columns: latitude, longitude (pixel centre), brightness | bright_ti4 (K), scan and track (pixel size in km across and along the ground
track), acq_date, acq_time (HHMM UTC, leading zeros may be lost), satellite, instrument, confidence (0–100, or low/nominal/high),
version, frp (MW), daynight. https://www.earthdata.nasa.gov/data/tools/firms/active-fire-data-attributes-modis-c61
"""

import csv
import hashlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import shapely
from psycopg import AsyncConnection

from grid.errors import InvalidInput, TooLarge
from grid.geometry import destination
from grid.sensing import intake
from grid.sensing.observations import Accepted, Finding

MOST_BYTES = 64 << 20
NEEDED = ("latitude", "longitude", "scan", "track", "acq_date", "acq_time", "confidence")
WORDS = {"l": 0.3, "low": 0.3, "n": 0.6, "nominal": 0.6, "h": 0.9, "high": 0.9}
SATELLITES = {"T": "Terra", "A": "Aqua", "N": "Suomi-NPP", "N20": "NOAA-20", "1": "NOAA-20", "N21": "NOAA-21", "2": "NOAA-21"}
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
    """Reads fire rows and hands them to intake in the caller's transaction; the same row twice is one observation."""
    found = read(content, bbox=bbox, simulated=simulated)
    accepted: list[Accepted] = []
    for start in range(0, len(found.findings), intake.LARGEST_BATCH):
        accepted += await intake.accept(connection, found.findings[start : start + intake.LARGEST_BATCH])
    return accepted, found
