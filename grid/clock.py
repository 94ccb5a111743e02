"""The city's own time: instants are stored aware, and people read them in Asia/Shanghai, which has no daylight saving time."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")


def today() -> date:
    """The day it is in the city."""
    return datetime.now(ZONE).date()
