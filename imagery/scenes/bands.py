"""Names of spectral bands: ours, those of STAC, and what files call them."""

import re
from dataclasses import dataclass

from grid.errors import InvalidInput

STAC = {"swir1": "swir16", "swir2": "swir22"}
"""Ours -> STAC eo:common_name, where they differ."""

KNOWN = frozenset(
    {
        "coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "nir09", "cirrus", "swir1", "swir2", "pan", "thermal",
        "vv", "vh", "hh", "hv", "gray", "alpha", "height",
    }
)  # fmt: skip

ALIASES = {
    "swir16": "swir1", "swir22": "swir2", "near infrared": "nir", "nearinfrared": "nir", "rededge": "rededge1", "grey": "gray",
    "elevation": "height", "dem": "height", "dsm": "height", "dtm": "height",
    "b01": "coastal", "b02": "blue", "b03": "green", "b04": "red", "b05": "rededge1", "b06": "rededge2", "b07": "rededge3", "b08": "nir",
    "b8a": "nir08", "b09": "nir09", "b10": "cirrus", "b11": "swir1", "b12": "swir2",
}  # fmt: skip

BY_COUNT = {
    1: ("gray",),
    3: ("red", "green", "blue"),
    4: ("blue", "green", "red", "nir"),
    6: ("blue", "green", "red", "nir", "swir1", "swir2"),
    13: ("coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "nir09", "cirrus", "swir1", "swir2"),
}
"""What a file without names most likely holds: grey, RGB, aerial four bands, Landsat 4–7 reflective, Sentinel-2 L1C."""


@dataclass(frozen=True, slots=True)
class Band:
    """A band of a scene; `index` counts from 1 in the file."""

    name: str
    index: int

    @property
    def common_name(self) -> str:
        """The name that STAC gives it."""
        return STAC.get(self.name, self.name)


def named(text: str) -> str | None:
    """Our name for what a file calls a band, or None.

    >>> named("B4 NIR"), named("swir22"), named("B11"), named("Layer 7")
    ('nir', 'swir2', 'swir1', None)
    """
    words = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    for candidate in (words, *reversed(words.split())):
        if candidate in KNOWN:
            return candidate
        padded = re.sub(r"^b(\d)$", r"b0\1", candidate)
        if candidate in ALIASES or padded in ALIASES:
            return ALIASES.get(candidate) or ALIASES[padded]
    return None


def bands_of(count: int, given: tuple[str, ...] = (), descriptions: tuple[str | None, ...] = ()) -> tuple[Band, ...]:
    """The bands of a file with `count` of them: as `given`, else as its descriptions say, else as files of so many bands usually are.

    InvalidInput when the names are unknown, double, of another number, or not to be guessed.
    """
    if given:
        names = tuple(named(text) for text in given)
        if None in names:
            raise InvalidInput(f"unknown band {given[names.index(None)]!r}", remedy=f"one of: {', '.join(sorted(KNOWN))}")
    else:
        names = tuple(named(text or "") for text in descriptions)
        if None in names or len(set(names)) != count:
            names = BY_COUNT.get(count, ())
    if not names:
        raise InvalidInput(f"the raster has {count} bands without names", remedy="name them in file order, e.g. bands=blue,green,red,nir,swir1")
    if len(names) != count or len(set(names)) != count:
        raise InvalidInput(f"the raster has {count} bands but the names are {', '.join(map(str, names))}", remedy="name each band once, in file order")
    return tuple(Band(name, number) for number, name in enumerate(names, 1))
