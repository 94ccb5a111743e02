"""Public holidays and make-up work days: seed data with provenance (data/holidays.csv)."""

import csv
from datetime import date

from psycopg import AsyncConnection

from gis_api.demo.streets import DATA


async def load(connection: AsyncConnection) -> int:
    """Writes the seed days, replacing those that are there. Returns how many."""
    with (DATA / "holidays.csv").open(encoding="utf-8") as file:
        rows = [{**row, "day": date.fromisoformat(row["day"]), "works": row["works"] == "1"} for row in csv.DictReader(file)]
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO holidays (day, works, name, provenance) VALUES (%(day)s, %(works)s, %(name)s, %(provenance)s)
            ON CONFLICT (day) DO UPDATE SET works = EXCLUDED.works, name = EXCLUDED.name, provenance = EXCLUDED.provenance
            """,
            rows,
        )
    return len(rows)
