"""The observability ledger: which grids were looked at, minute by minute, and how old the last look is."""

import asyncio
from datetime import UTC, date, datetime
from typing import Literal

import numpy as np
from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection
from pydantic import Field

from gis_api.auth import Caller, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.wire.base import Wire
from grid.errors import InvalidInput
from grid.sensing import ledger

router = APIRouter(prefix="/api/ledger", tags=["ledger"], responses=RESPONSES)


class LedgerCell(Wire):
    """One management grid."""

    code: str
    name: str
    age_h: float | None = Field(description="hours since anybody looked; null: not within 31 days")
    seen: list[int] = Field(description="for each stretch of the day the best share of the grid in clear view × power, 0–255")


class LedgerDay(Wire):
    """A day of the city (Asia/Shanghai), from midnight to midnight."""

    day: date
    minutes: int = Field(description="length of a stretch in minutes")
    cells: list[LedgerCell]


@router.get("")
async def ledger_day(
    day: date | None = Query(None, description="day in the city; today when absent"),
    minutes: int = Query(15, ge=1, le=60, description="length of a stretch: a divisor of 60"),
    kind: list[Literal["camera", "drone", "person", "satellite", "device"]] = Query(default=[], description="kinds of sensor; none: all"),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> LedgerDay:
    """The heat map of the management grids of the caller's region: who could have seen what, when."""
    if 60 % minutes:
        raise InvalidInput(f"时段须能整除一小时 · {minutes} minutes do not divide an hour", remedy="1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60")
    found = await ledger.heat(connection, caller.scope, day or ledger.minute_of(datetime.now(UTC))[0], kind)
    return await asyncio.to_thread(_day, found, minutes)


def _day(found: ledger.Heat, minutes: int) -> LedgerDay:
    stretches = found.every(minutes).tolist()
    ages = [None if np.isnan(age) else round(float(age), 2) for age in found.age_h]
    cells = [LedgerCell.model_construct(code=c, name=n, age_h=a, seen=s) for c, n, a, s in zip(found.codes, found.names, ages, stretches, strict=True)]
    return LedgerDay.model_construct(day=found.day, minutes=minutes, cells=cells)
