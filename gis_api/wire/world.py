"""Parcels, coast and components on the wire."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from gis_api.wire.base import Wire


class ParcelPermit(Wire):
    """A permit in force on a parcel."""

    number: str
    kind: str


class ParcelAt(Wire):
    """A parcel as it was on a day, by what was known at a time."""

    code: str
    category: str
    basic_farmland: bool
    owner: str
    area_m2: float
    region_code: str
    simulated: bool
    since: date
    until: date | None = Field(description="exclusive; null: still in force")
    known_from: datetime
    known_until: datetime | None = Field(description="when the register was corrected; null: it still says so")
    permits: list[ParcelPermit]


class CoastAt(Wire):
    """Where the coast is nearest to a place."""

    name: str
    distance_m: float
    chainage_m: float
    stake: str = Field(examples=["K12+345.6"], description="桩号")


class CoastPlace(Wire):
    """The place of a chainage, degrees."""

    name: str
    lon: float
    lat: float
    chainage_m: float
    stake: str


class ComponentClass(Wire):
    """A class of city components with how many stand in the caller's region today."""

    code: str = Field(examples=["01018"])
    major: str
    name: str
    name_en: str
    accuracy: Literal["A", "B", "C"]
    accuracy_m: float = Field(description="± metres that a survey of this class must reach")
    count: int
    impaired: int = Field(description="damaged, missing, moved or abandoned")
