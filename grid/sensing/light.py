"""Under what light something was seen: day, dusk or night, by the height of the sun."""

from datetime import UTC, datetime
from math import asin, atan2, cos, degrees, radians, sin

CONDITIONS = ("day", "dusk", "night")
DAY_DEG, NIGHT_DEG = 6.0, -6.0
"""Above the first the sun stands clear of roofs and ridges; below the second (civil twilight's end) cameras see by lamps."""


def sun_deg(at: datetime, lon: float, lat: float) -> float:
    """Height of the sun above the horizon in degrees, to about half a degree, without refraction (low-precision formulae of the Astronomical Almanac).

    `at` has a zone; lon, lat in degrees.

    >>> round(sun_deg(datetime(2026, 6, 21, 4, tzinfo=UTC), 120.4, 36.1)), round(sun_deg(datetime(2026, 12, 21, 16, tzinfo=UTC), 120.4, 36.1))
    (77, -77)
    """
    days = at.astimezone(UTC).timestamp() / 86400 + 2440587.5 - 2451545.0
    mean = radians((357.528 + 0.9856003 * days) % 360)
    ecliptic = radians((280.460 + 0.9856474 * days + 1.915 * sin(mean) + 0.020 * sin(2 * mean)) % 360)
    tilt = radians(23.439 - 4e-7 * days)
    declination = asin(sin(tilt) * sin(ecliptic))
    ascension = degrees(atan2(cos(tilt) * sin(ecliptic), cos(ecliptic)))
    sidereal = (280.46062 + 360.98564737 * days + lon) % 360
    hour = radians(sidereal - ascension)
    return degrees(asin(sin(radians(lat)) * sin(declination) + cos(radians(lat)) * cos(declination) * cos(hour)))


def condition(at: datetime, lon: float, lat: float) -> str:
    """day, dusk or night at a place and time.

    >>> [condition(datetime(2026, 3, 20, hour, tzinfo=UTC), 120.4, 36.1) for hour in (4, 10, 16)]
    ['day', 'dusk', 'night']
    """
    height = sun_deg(at, lon, lat)
    return "day" if height >= DAY_DEG else "night" if height < NIGHT_DEG else "dusk"
