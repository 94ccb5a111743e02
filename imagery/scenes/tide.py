"""The tidal stage of a scene, metres above the height datum: given at registration, or predicted by the constituents that the operator supplies.

h(t) = Z0 + Σ f A cos(V(t) + u − g): V from the mean longitudes of moon, sun, perigee and node (Meeus, Astronomical Algorithms, chapters 25 and 47), f and
u the nodal corrections of 18.6 years (Doodson & Warburg, Admiralty Manual of Tides, 1941, as in Pugh, Tides, Surges and Mean Sea-Level, 1987, table 4:3).
Weather is not in it: the error that a station states is the surge's. No station comes with the product.
"""

import math
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from grid.errors import InvalidInput
from grid.geometry import inverse

PROPERTY, SOURCE, SIGMA, SIMULATED = "hdq:tide_m", "hdq:tide_source", "hdq:tide_sigma_m", "hdq:tide_simulated"
"""STAC properties of a scene: the water level when it was taken, metres above the height datum (1985 国家高程基准); who says so, in words; its standard
error in metres; whether the constituents are made up."""
BOUND_M = 10.0
MOST_BYTES = 1 << 20
GIVEN = "登记时给定 · given at registration"
EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC)
CONSTITUENTS = MappingProxyType(
    {
        "M2": ((2, -2, 2, 0, 0.0), "M2"), "S2": ((2, 0, 0, 0, 0.0), ""), "N2": ((2, -3, 2, 1, 0.0), "M2"), "K2": ((2, 0, 2, 0, 0.0), "K2"),
        "K1": ((1, 0, 1, 0, 90.0), "K1"), "O1": ((1, -2, 1, 0, 270.0), "O1"), "P1": ((1, 0, -1, 0, 270.0), ""), "Q1": ((1, -3, 1, 1, 270.0), "O1"),
        "M4": ((4, -4, 4, 0, 0.0), "M4"), "MS4": ((4, -2, 2, 0, 0.0), "M2"), "SA": ((0, 0, 1, 0, 0.0), ""),
    }
)  # fmt: skip
"""Of each: multiples of mean solar time (15° an hour from midnight, UTC), of s, h and p (mean longitudes of moon, sun and lunar perigee), a constant in
degrees; and whose nodal correction it takes."""


@dataclass(frozen=True, slots=True)
class Station:
    """Where tides are known: degrees, `z0_m` the mean level above the height datum, amplitude (m) and phase lag g (degrees, of UTC) of each constituent;
    it speaks for scenes within `reach_km`, with a standard error of `sigma_m`; a `simulated` one only for simulated scenes."""

    name: str
    lon: float
    lat: float
    z0_m: float
    sigma_m: float
    reach_km: float
    source: str
    simulated: bool
    constituents: tuple[tuple[str, float, float], ...]

    def level(self, at: datetime) -> float:
        """Predicted water level at a moment (aware), metres above the height datum."""
        days = (at - EPOCH).total_seconds() / 86_400
        solar = 15.0 * ((at.astimezone(UTC) - at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds() / 3600)
        moon, sun, perigee, node = longitudes(days)
        total = self.z0_m
        for name, amplitude, lag in self.constituents:
            (time, *multiples, constant), corrected = CONSTITUENTS[name]
            factor, shift = nodal(corrected, node)
            angle = time * solar + sum(count * part for count, part in zip(multiples, (moon, sun, perigee), strict=True)) + constant
            total += factor * amplitude * math.cos(math.radians(angle + shift - lag))
        return total


def longitudes(days: float) -> tuple[float, float, float, float]:
    """Mean longitudes of moon, sun, lunar perigee and ascending node, degrees (not reduced), so many days after noon of 1 January 2000."""
    return 218.3165 + 13.17639648 * days, 280.4661 + 0.98564736 * days, 83.3535 + 0.11140353 * days, 125.0445 - 0.05295377 * days


def nodal(name: str, node: float) -> tuple[float, float]:
    """Factor of the amplitude and shift of the phase (degrees) for the node's longitude; none for solar constituents.

    >>> [round(nodal(name, 0.0)[0], 3) for name in ("M2", "O1", "K1", "")], round(nodal("M2", 180.0)[0], 3)
    ([0.963, 1.181, 1.112, 1.0], 1.037)
    """
    cos, sin = (lambda n: math.cos(math.radians(n * node))), (lambda n: math.sin(math.radians(n * node)))
    if name in ("M2", "M4"):
        times = 1 if name == "M2" else 2
        return (1 - 0.037 * cos(1)) ** times, times * -2.1 * sin(1)
    if name == "K2":
        return 1.024 + 0.286 * cos(1) + 0.008 * cos(2), -17.7 * sin(1) + 0.7 * sin(2)
    if name == "K1":
        return 1.006 + 0.115 * cos(1) - 0.009 * cos(2), -8.9 * sin(1) + 0.7 * sin(2)
    if name == "O1":
        return 1.009 + 0.187 * cos(1) - 0.015 * cos(2), 10.8 * sin(1) - 1.3 * sin(2) + 0.2 * sin(3)
    return 1.0, 0.0


def read(path: Path) -> tuple[Station, ...]:
    """The stations of a TOML file (docs/scenes.md). Raises InvalidInput that names the station and the value that is wrong."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"over {MOST_BYTES:,} bytes")
        given = tomllib.loads(path.read_text(encoding="utf-8"))["stations"]
        return tuple(_station(one) for one in given)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"潮汐文件 {path.name} 无法使用 · the tide file {path.name}: {type(error).__name__} {error}", remedy="see docs/scenes.md, 潮位") from error


def _station(one: dict) -> Station:
    name = str(one["name"])[:80]
    rows = []
    for row in one["constituents"]:
        kind, amplitude, lag = str(row["name"]).upper(), float(row["amplitude_m"]), float(row["phase_deg"])
        if kind not in CONSTITUENTS or not 0 <= amplitude <= BOUND_M or not -360 <= lag <= 360:
            raise ValueError(f"station {name!r}: {kind} {amplitude} m, {lag}°; known are {', '.join(CONSTITUENTS)}")
        hours = float(one.get("phase_zone_hours", 0.0))
        (time, moon, sun, perigee, _), _ = CONSTITUENTS[kind]
        speed = 15 * time + (moon * 13.17639648 + sun * 0.98564736 + perigee * 0.11140353) / 24
        rows.append((kind, amplitude, (lag - speed * hours) % 360))
    lon, lat, z0, sigma, reach = (float(one.get(key, usual)) for key, usual in (("lon", "nan"), ("lat", "nan"), ("z0_m", 0.0), ("sigma_m", 0.3), ("reach_km", 50.0)))
    if not (abs(lon) <= 180 and abs(lat) <= 90 and abs(z0) <= BOUND_M and 0 < sigma <= BOUND_M and 0 < reach <= 500 and rows):
        raise ValueError(f"station {name!r}: lon {lon}, lat {lat}, z0_m {z0}, sigma_m {sigma}, reach_km {reach}, {len(rows)} constituents")
    return Station(name, lon, lat, z0, sigma, reach, str(one.get("source", ""))[:300], bool(one.get("simulated", False)), tuple(rows))


def foretold(stations: tuple[Station, ...], lon: float, lat: float, at: datetime, *, simulated: bool) -> dict:
    """Properties of a scene whose level nobody gave: by the nearest station that speaks for that place; none where none does."""
    near = [(inverse(lon, lat, one.lon, one.lat)[1] / 1000, one) for one in stations if simulated or not one.simulated]
    km, station = min(((km, one) for km, one in near if km <= one.reach_km), key=lambda pair: pair[0], default=(0.0, None))
    if station is None:
        return {}
    made = "模拟 simulated · " if station.simulated else ""
    names = " ".join(name for name, _, _ in station.constituents)
    said = f"{made}推算：{station.name}，{km:.0f} km，{names} · predicted; {station.source}".rstrip("; ")
    return {PROPERTY: round(station.level(at), 2), SOURCE: said, SIGMA: station.sigma_m, SIMULATED: station.simulated}


def stage(properties: dict) -> float | None:
    """The water level of a scene's properties, None where it was not given. InvalidInput for what is no height of water.

    >>> stage({"hdq:tide_m": -1.25}), stage({})
    (-1.25, None)
    """
    given = properties.get(PROPERTY)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not -BOUND_M <= given <= BOUND_M:
        raise InvalidInput(f"the water level {given!r} of a scene is no height in metres", remedy=f"give {PROPERTY} as a number from −{BOUND_M:g} to {BOUND_M:g}")
    return float(given)
