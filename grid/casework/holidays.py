"""Days that differ from the week: public holidays and make-up work days, from a file in which each day says whose word it is.

`holidays.csv` comes with the product: 2026 by the State Council's notice 国办发明电〔2025〕7号, 2027 only the fixed days of the law until its notice is
out. HDQ_HOLIDAYS names a city's own file instead.
"""

import csv
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from psycopg import AsyncConnection

from grid.database import rows
from grid.errors import InvalidInput

NATIONAL = Path(__file__).with_name("holidays.csv")
COLUMNS = ("day", "works", "name", "provenance")


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day that works, or does not, against the rule of the week."""

    day: date
    works: bool
    name: str
    provenance: str


def read(file: Path) -> list[Holiday]:
    """The days of a CSV file (UTF-8: day, works 0 or 1, name, provenance), by day. InvalidInput names the line that is wrong."""
    found: dict[date, Holiday] = {}
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file}: {error}", remedy="name a CSV file in UTF-8 in HDQ_HOLIDAYS") from error
    for number, line in enumerate(csv.DictReader(text.splitlines()), 2):
        try:
            day = Holiday(date.fromisoformat(line["day"]), {"0": False, "1": True}[line["works"]], line["name"].strip(), line["provenance"].strip())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(f"{file.name}, line {number}: {error!r}", remedy=f"columns {','.join(COLUMNS)}; day as 2026-10-01, works 0 or 1") from error
        if day.day in found or not day.provenance:
            raise InvalidInput(f"{file.name}, line {number}: {'the day stands twice' if day.day in found else 'no provenance'}", remedy="each day once, with its source")
        found[day.day] = day
    return [found[day] for day in sorted(found)]


async def replace(connection: AsyncConnection, days: list[Holiday]) -> bool:
    """Makes these the calendar, in the caller's transaction; False when they are it already."""
    if [Holiday(**line) for line in await rows(connection, "SELECT day, works, name, provenance FROM holidays ORDER BY day")] == days:
        return False
    await connection.execute("DELETE FROM holidays")
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO holidays (day, works, name, provenance) VALUES (%(day)s, %(works)s, %(name)s, %(provenance)s)", [asdict(day) for day in days])
    return True
