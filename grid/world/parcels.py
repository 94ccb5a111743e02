"""Land parcels 地块 with their category, and the permits that rest on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import AsyncConnection
from shapely.geometry.base import BaseGeometry

from grid.database import rows
from grid.world.bulk import copy_columns

CATEGORIES = ("farmland", "orchard", "forest", "residential", "commercial", "industrial", "public", "transport", "water", "green", "bare")
PERMIT_KINDS = ("construction", "land_use", "felling", "sea_use")
_NAMES = ("code", "category", "basic_farmland", "owner", "area_m2", "region_code", "simulated", "geom")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel; `area_m2` geodesic; `basic_farmland` 永久基本农田, which nothing may be built on."""

    code: str
    category: str
    basic_farmland: bool
    owner: str
    area_m2: float
    region_code: str
    simulated: bool
    geom: BaseGeometry
    since: date = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit on the parcel `parcel_code` from `since` to `until` (exclusive)."""

    number: str
    kind: str
    parcel_code: str
    since: date
    until: date
    simulated: bool


async def load(connection: AsyncConnection, parcels: Sequence[Parcel], permits: Sequence[Permit]) -> int:
    """Appends parcels and the permits on them. Returns how many rows."""
    if not parcels:
        return 0
    columns = {name: [getattr(p, name) for p in parcels] for name in _NAMES}
    stored = await copy_columns(connection, "parcels", {**columns, "valid": [f"[{p.since:%Y-%m-%d},)" for p in parcels]})
    if not permits:
        return stored
    found = await rows(connection, "SELECT id, code FROM parcels WHERE code = ANY(%(codes)s)", {"codes": [p.parcel_code for p in permits]})
    ids = {r["code"]: r["id"] for r in found}
    return stored + await copy_columns(
        connection,
        "permits",
        {
            "number": [p.number for p in permits],
            "kind": [p.kind for p in permits],
            "parcel_id": [ids[p.parcel_code] for p in permits],
            "valid": [f"[{p.since:%Y-%m-%d},{p.until:%Y-%m-%d})" for p in permits],
            "simulated": [p.simulated for p in permits],
        },
    )
