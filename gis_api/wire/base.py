"""What every resource on the wire shares."""

from pydantic import BaseModel, ConfigDict, Field


class Wire(BaseModel):
    """Base of every shape: unknown fields in a request are refused by name."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Position(Wire):
    """Lon and lat in degrees (EPSG:4326, CGCS2000), with its accuracy: radius in metres that holds the truth 9 times of 10."""

    lon: float = Field(ge=-180, le=180, allow_inf_nan=False, examples=[120.3826])
    lat: float = Field(ge=-90, le=90, allow_inf_nan=False, examples=[36.0671])
    accuracy_m: float = Field(gt=0, le=100_000, allow_inf_nan=False, examples=[15.0])


class Place(Position):
    """A position in words: 区 · 街道 · 网格."""

    region_code: str = Field(examples=["370202001001"])
    cell_code: str | None = Field(None, examples=["370202001001001"])
    name: str = Field(examples=["市南区 · 香港中路街道 · 网格 012"])


class Problem(BaseModel):
    """RFC 9457 problem document; `remedy` says what to do, further members name the offending values."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/invalid-input"])
    title: str
    status: int
    detail: str
    remedy: str = ""
