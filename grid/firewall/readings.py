"""Ways to read the numbers of a file: frame, axes, zone prefix, and a map distortion on top. One of them is declared, another may be true."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grid import crs, distortions

Floats = NDArray[np.float64]

_UNDO = {"GCJ-02": distortions.gcj02_to_wgs84, "BD-09": distortions.bd09_to_wgs84}
_REDO = {"+GCJ-02": distortions.wgs84_to_gcj02, "+BD-09": distortions.wgs84_to_bd09}
_PLAIN = ("EPSG:4326", "EPSG:4490")

GROSS = (
    "EPSG:4326",
    "EPSG:4528",
    "EPSG:4549",
    "EPSG:4527",
    "EPSG:4529",
    "EPSG:4548",
    "EPSG:4550",
    "EPSG:4498",
    "EPSG:4499",
    "EPSG:4507",
    "EPSG:4508",
    "EPSG:3857",
    "EPSG:32650",
    "EPSG:32651",
)
"""Frames that are tried on rows which lie outside the city as declared, the likelier first. 4507 and 4508: 6° zones without prefix."""
_STRIPPED = ("EPSG:4549", "EPSG:4548", "EPSG:4550")


@dataclass(frozen=True, slots=True)
class Reading:
    """Numbers as a place: axes swapped back, the millions of the easting (a zone prefix) taken off, the frame, then a distortion.

    `then` is empty, GCJ-02 or BD-09 (the distortion is still in: it is undone), +GCJ-02 or +BD-09 (it was undone once too often: it is redone).
    `heights`: the datum that heights truly are above, 1985 or ellipsoidal, where it is not the declared one; it moves no place.
    """

    crs: str
    swapped: bool = False
    stripped: bool = False
    then: str = ""
    heights: str = ""

    @property
    def key(self) -> str:
        """One word for it, as stored and sent: EPSG:4528, swapped:EPSG:4326, bare:EPSG:4549, EPSG:4528|GCJ-02.

        >>> Reading("EPSG:4528", then="GCJ-02").key, Reading("EPSG:4326", swapped=True).key
        ('EPSG:4528|GCJ-02', 'swapped:EPSG:4326')
        """
        return ("swapped:" if self.swapped else "") + ("bare:" if self.stripped else "") + self.crs + (f"|{self.then}" if self.then else "") + (f"^{self.heights}" if self.heights else "")

    @property
    def kind(self) -> str:
        """What went wrong if this is true and another was declared: gcj02, bd09, overcorrected, swapped, prefix, web_mercator, degrees, zone."""
        if self.then or self.crs in _UNDO:
            word = self.then or self.crs
            return "overcorrected" if word in _REDO else {"GCJ-02": "gcj02", "BD-09": "bd09"}[word]
        if self.swapped:
            return "swapped"
        if self.stripped:
            return "prefix"
        return {"EPSG:3857": "web_mercator", **dict.fromkeys(_PLAIN, "degrees")}.get(self.crs, "zone")

    def place(self, xs: ArrayLike, ys: ArrayLike) -> tuple[Floats, Floats]:
        """Lon and lat in storage degrees; NaN where the reading makes no sense.

        >>> lon, lat = Reading("EPSG:4549", stripped=True).place([40534467.46], [3993055.81])
        >>> round(float(lon[0]), 6), round(float(lat[0]), 6)
        (120.3826, 36.0671)
        """
        x, y = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
        if self.swapped:
            x, y = y, x
        if self.stripped:
            x = np.where(x >= 1e6, x % 1e6, np.nan)
        lon, lat = crs.to_storage((x, y), self.crs)
        if self.then:
            lon, lat = (_UNDO.get(self.then) or _REDO[self.then])(lon, lat)
        return lon, lat


def parse(key: str) -> Reading:
    """The reading of a key; raises UnknownCrs for a frame we do not know.

    >>> parse("swapped:EPSG:4326") == Reading("EPSG:4326", swapped=True), parse("EPSG:4528|+GCJ-02").then
    (True, '+GCJ-02')
    >>> parse("EPSG:4528^ellipsoidal").heights
    'ellipsoidal'
    """
    plain, _, heights = key.partition("^")
    head, _, then = plain.partition("|")
    swapped, stripped = head.startswith("swapped:"), "bare:" in head
    if then not in ("", *_UNDO, *_REDO) or heights not in ("", "1985", "ellipsoidal"):
        crs.name(key)
    return Reading(crs.name(head.removeprefix("swapped:").removeprefix("bare:")), swapped, stripped, then, heights)


def near(declared: Reading) -> list[Reading]:
    """Readings that move a place by hundreds of metres and no more: distortions forgotten, undone twice, or undone where there was none.

    >>> [r.key for r in near(Reading("GCJ-02"))]
    ['EPSG:4326', 'BD-09', 'EPSG:4326|+GCJ-02']
    """
    plain = declared.crs in _PLAIN or declared.crs in _UNDO
    if not plain:
        return [Reading(declared.crs, declared.swapped, declared.stripped, then) for then in ("GCJ-02", "BD-09", "+GCJ-02", "+BD-09") if then != declared.then]
    found = [Reading(frame, declared.swapped) for frame in ("EPSG:4326", "GCJ-02", "BD-09")]
    found += [Reading("EPSG:4326", declared.swapped, then=then) for then in ("+GCJ-02", "+BD-09")]
    mine = "EPSG:4326" if declared.crs in _PLAIN else declared.crs
    return [r for r in found if not (r.crs == mine and not r.then) and not (mine in _UNDO and r.then and r.then[1:] != mine)]


@lru_cache(maxsize=1)
def far() -> tuple[Reading, ...]:
    """Readings that move a place by kilometres or across the country: other frames, swapped axes, prefixes; the likelier first."""
    straight = [Reading(frame) for frame in GROSS]
    swapped = [Reading(frame, swapped=True) for frame in GROSS]
    bare = [Reading(frame, stripped=True) for frame in _STRIPPED]
    return (*straight[:2], swapped[0], *straight[2:], *bare, *swapped[1:])


def same(a: Reading, b: Reading) -> bool:
    """Whether two readings are one: WGS84 and CGCS2000 degrees count as one frame; a zone with its prefix taken off is the bare zone."""

    def plain(r: Reading) -> Reading:
        frame = "EPSG:4326" if r.crs in _PLAIN else r.crs
        return Reading(frame, r.swapped, r.stripped, r.then)

    return plain(a) == plain(b)
