"""The frames that a map is handed out in: OGC URIs, axis order, digits. CRS84 is longitude first, every EPSG URI is in EPSG's own order.

Storage is EPSG:4326 taken as CGCS2000 (see grid.crs): going out to CGCS2000 frames never shifts a datum.
"""

import re
from dataclasses import dataclass

import numpy as np
import shapely
from psycopg import sql
from shapely.geometry.base import BaseGeometry

from grid import crs
from grid.errors import InvalidQuery

RADIUS = 6378137.0
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame: its URI, EPSG code, whether its first axis points north, decimals worth writing (1 cm or finer)."""

    uri: str
    epsg: int
    north_first: bool
    digits: int

    @property
    def name(self) -> str:
        """EPSG:4490; CRS84 is EPSG:4326 here."""
        return f"EPSG:{self.epsg}"

    def expression(self, geometry: sql.Composable, srid: int) -> sql.Composed:
        """SQL of a geometry (EPSG:3857 or 4326) in this frame, in its axis order. CGCS2000 takes the numbers of storage as they are."""
        shape: sql.Composable = geometry
        if srid != self.epsg:
            if srid != 4326:
                shape = sql.SQL("ST_Transform({}, 4326)").format(shape)
            if self.epsg in (4490, 4528):
                shape = sql.SQL("ST_SetSRID({}, 4490)").format(shape)
            if self.epsg in (4528, 3857):
                shape = sql.SQL("ST_Transform({}, {})").format(shape, sql.Literal(self.epsg))
        shape = sql.SQL("ST_ForcePolygonCCW({})").format(shape)
        return sql.SQL("ST_FlipCoordinates({})").format(shape) if self.north_first else sql.Composed([shape])

    def to_storage(self, shape: BaseGeometry) -> BaseGeometry:
        """A shape that a caller wrote in this frame and its axis order, in storage degrees; raises InvalidQuery outside the world."""
        if self.north_first:
            shape = shapely.transform(shape, lambda points: points[:, ::-1])
        if self.epsg in (4528, 3857):
            side = max(shape.bounds[2] - shape.bounds[0], shape.bounds[3] - shape.bounds[1])
            shape = crs.to_storage(shapely.segmentize(shape, max(side / 50, 1.0)) if side else shape, self.epsg)
        points = shapely.get_coordinates(shape)
        if not np.isfinite(points).all() or (np.abs(points[:, 0]) > 180).any() or (np.abs(points[:, 1]) > 90).any():
            order = "纬度（北）在前 · latitude or northing first" if self.north_first else "经度（东）在前 · longitude or easting first"
            raise InvalidQuery(f"坐标超出 {self.uri} 的范围 · coordinates outside the frame {self.uri}", remedy=order)
        return shapely.set_srid(shape, 4326)


CRS84 = Frame("http://www.opengis.net/def/crs/OGC/1.3/CRS84", 4326, False, 7)
FRAMES: dict[str, Frame] = {frame.uri: frame for frame in (CRS84, *(Frame(f"{EPSG}{code}", code, crs.north_first(code), 3 if code in (4528, 3857) else 7) for code in (4326, 4490, 4528, 3857)))}
_SHORT = re.compile(r"\[?(?:EPSG|http://www\.opengis\.net/def/crs/EPSG/0)[:/](\d{4,5})\]?", re.IGNORECASE)


def frame(text: str) -> Frame:
    """The frame of a URI or a CURIE ([EPSG:4490]); raises InvalidQuery that lists the known.

    >>> frame("http://www.opengis.net/def/crs/EPSG/0/4490").north_first, frame("[OGC:CRS84]").north_first, frame("EPSG:3857").epsg
    (True, False, 3857)
    """
    if text in FRAMES:
        return FRAMES[text]
    if text.strip("[]").upper() in ("CRS84", "OGC:CRS84", "OGC:1.3:CRS84"):
        return CRS84
    found = _SHORT.fullmatch(text)
    if found and f"{EPSG}{found[1]}" in FRAMES:
        return FRAMES[f"{EPSG}{found[1]}"]
    raise InvalidQuery(f"坐标系 {text[:100]!r} 不提供 · the frame is not offered", remedy=f"one of {', '.join(FRAMES)}")


def in_metres(shape: BaseGeometry) -> BaseGeometry:
    """A shape of storage in EPSG:3857; long edges are broken every 0.01° so that they bend as they do in degrees."""
    length = float(shapely.length(shape))
    bent = shapely.segmentize(shape, max(0.01, length / 5000)) if length else shape

    def forward(points: np.ndarray) -> np.ndarray:
        lat = np.clip(points[:, 1], -85.06, 85.06)
        return np.column_stack([np.radians(points[:, 0]) * RADIUS, RADIUS * np.log(np.tan(np.pi / 4 + np.radians(lat) / 2))])

    return shapely.set_srid(shapely.transform(bent, forward), 3857)
