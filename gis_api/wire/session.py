"""Signing in and who one is, on the wire."""

from typing import Literal

from pydantic import Field

from gis_api.wire.base import Wire

Role = Literal["grid_worker", "inspector", "commander", "data_admin", "algorithm_operator", "system_admin", "auditor"]
Face = Literal["field", "review", "wall", "admin"]

DEMO_PASSWORD = "haidongqing-demo"
FACES: dict[Role, Face] = {
    "grid_worker": "field",
    "inspector": "review",
    "commander": "wall",
    "data_admin": "admin",
    "algorithm_operator": "admin",
    "system_admin": "admin",
    "auditor": "review",
}
"""The face each role works in."""


class LoginIn(Wire):
    """Name and password."""

    username: str = Field(min_length=1, max_length=64, examples=["linye"])
    password: str = Field(min_length=1, max_length=256, examples=["haidongqing-demo"])


class DemoAccount(Wire):
    """An account that the demo shows on the login page."""

    username: str
    password: str
    name: str
    role: Role
    face: Face = Field(description="the face this person works in")


class Home(Wire):
    """Where a person's map begins: lon and lat in degrees (EPSG:4326)."""

    lon: float
    lat: float
    zoom: float


class Me(Wire):
    """Who is signed in, and what they may do. Signed out: only `signed_in`, `demo` and, in the demo, the accounts."""

    signed_in: bool
    id: int | None = None
    username: str | None = None
    name: str | None = None
    role: Role | None = None
    face: Face | None = None
    region_code: str | None = Field(None, description="prefix of all this person may see", examples=["370202"])
    region_name: str | None = None
    cell_codes: list[str] = Field(default_factory=list)
    home: Home | None = Field(None, description="inside the person's own grids or region; unset where no region is loaded")
    permissions: list[str] = Field(default_factory=list)
    demo: bool
    simulated: bool = Field(description="whether this installation shows simulated things")
    accounts: list[DemoAccount] | None = None
