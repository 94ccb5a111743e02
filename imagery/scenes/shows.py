"""What a scene may be shown as: the allow-list of band combinations, band maths and hillshade. A client names one; it never sends an expression.

An index is (sum of its upper bands − sum of its lower ones) / (sum of all), −1…1, drawn in a scale of colours.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from grid.errors import InvalidInput

SCALES = {
    "green": ((0, (120, 80, 40)), (0.35, (225, 205, 150)), (0.55, (215, 225, 130)), (0.75, (90, 165, 60)), (1, (10, 80, 30))),
    "blue": ((0, (140, 110, 70)), (0.5, (245, 240, 225)), (0.65, (150, 200, 235)), (1, (10, 60, 140))),
    "heat": ((0, (30, 70, 120)), (0.45, (235, 235, 225)), (0.7, (235, 150, 70)), (1, (150, 20, 20))),
}
"""Colours (red, green, blue) at places from 0 to 1; linear between."""
ALTITUDE_DEG, AZIMUTH_DEG = 45.0, 315.0
"""Where a hillshade's light comes from: above the horizon, clockwise from north."""


@dataclass(frozen=True, slots=True)
class Show:
    """One way to show a scene. `upper` and `lower`: bands of an index; `plain`: three bands as red, green, blue; neither: a hillshade of `height`."""

    id: str
    title: str
    title_en: str
    source: str
    plain: tuple[str, ...] = ()
    upper: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    scale: str = ""
    span: tuple[float, float] = (-1.0, 1.0)

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that it needs, in the order in which `colours` takes them."""
        return self.plain or self.upper + self.lower or ("height",)

    @property
    def legend(self) -> tuple[tuple[float, str], ...]:
        """Value and colour (#rrggbb) of each step of its scale; empty where there is none."""
        low, high = self.span
        return tuple((round(low + place * (high - low), 3), "#{:02x}{:02x}{:02x}".format(*colour)) for place, colour in SCALES.get(self.scale, ()))


SHOWS = {
    one.id: one
    for one in (
        Show("true_colour", "真彩色", "True colour", "red, green, blue as they are", plain=("red", "green", "blue")),
        Show("false_colour", "标准假彩色", "False colour, vegetation red", "near infrared, red, green", plain=("nir", "red", "green")),
        Show("shortwave", "短波红外合成", "Shortwave infrared", "swir2, nir, red", plain=("swir2", "nir", "red")),
        Show("ndvi", "植被指数 NDVI", "Vegetation index NDVI", "Rouse et al., NASA SP-351, 1974", upper=("nir",), lower=("red",), scale="green", span=(-0.2, 0.9)),
        Show("ndwi", "水体指数 NDWI", "Water index NDWI", "McFeeters, Int. J. Remote Sensing 17(7), 1996", upper=("green",), lower=("nir",), scale="blue"),
        Show("mndwi", "改进水体指数 MNDWI", "Water index MNDWI", "Xu, Int. J. Remote Sensing 27(14), 2006", upper=("green",), lower=("swir1",), scale="blue"),
        Show("nbr", "燃烧指数 NBR", "Burn ratio NBR", "Key & Benson, USDA RMRS-GTR-164, 2006", upper=("nir",), lower=("swir2",), scale="green"),
        Show("ndbi", "建筑指数 NDBI", "Built-up index NDBI", "Zha, Gao & Ni, Int. J. Remote Sensing 24(3), 2003", upper=("swir1",), lower=("nir",), scale="heat", span=(-0.6, 0.6)),
        Show("bsi", "裸土指数 BSI", "Bare soil index BSI", "Rikimaru, Roy & Miyatake, Tropical Ecology 43(1), 2002", upper=("swir1", "red"), lower=("nir", "blue"), scale="heat", span=(-0.6, 0.6)),
        Show("hillshade", "山体阴影", "Hillshade", "Horn, Proc. IEEE 69(1), 1981"),
    )
}


def get(show_id: str) -> Show:
    """The show of an id. InvalidInput lists those there are."""
    if show_id not in SHOWS:
        raise InvalidInput(f"no way to show a scene as {show_id[:40]!r}", remedy=f"one of: {', '.join(SHOWS)}")
    return SHOWS[show_id]


def fitting(names: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of the shows that a scene with these bands has.

    >>> fitting(("red", "nir")), fitting(("height",))
    (('ndvi',), ('hillshade',))
    """
    return tuple(one.id for one in SHOWS.values() if set(one.bands) <= set(names))


def colours(show: Show, pixels: np.ndarray, cell_m: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """An index or hillshade as (rows, cols, 3) uint8, and where it has a value, (rows, cols) bool.

    `pixels` (bands, rows, cols) in the order of `show.bands`; `cell_m`: width and height of a pixel on the ground, metres.
    """
    values = pixels.astype(np.float32)
    if not show.upper:
        shade = hillshade(values[0], cell_m)
        return np.repeat(shade[..., None], 3, axis=2), np.isfinite(values[0])
    above, below = values[: len(show.upper)].sum(axis=0), values[len(show.upper) :].sum(axis=0)
    total = above + below
    known = np.isfinite(total) & (total > 0)
    low, high = show.span
    place = ((above - below) / np.where(known, total, 1) - low) / (high - low)
    return _table(show.scale)[(np.clip(np.where(known, place, 0), 0, 1) * 255).astype(np.uint8)], known


def hillshade(heights: np.ndarray, cell_m: tuple[float, float]) -> np.ndarray:
    """Light on a surface (rows, cols) of heights in metres, 0…255; level ground is 180, unknown ground is taken as level.

    >>> int(hillshade(np.zeros((4, 4), np.float32), (1, 1))[1, 1])
    180
    """
    if min(heights.shape) < 2:
        return np.full(heights.shape, 180, np.uint8)
    down, across = np.gradient(np.nan_to_num(heights), cell_m[1], cell_m[0])
    slope, aspect = np.arctan(np.hypot(across, down)), np.arctan2(down, -across)
    light = np.radians(360.0 - AZIMUTH_DEG + 90.0)
    bright = np.sin(np.radians(ALTITUDE_DEG)) * np.cos(slope) + np.cos(np.radians(ALTITUDE_DEG)) * np.sin(slope) * np.cos(light - aspect)
    return np.rint(255 * np.clip(bright, 0, 1)).astype(np.uint8)


@lru_cache(maxsize=8)
def _table(scale: str) -> np.ndarray:
    """256 colours of a scale, (256, 3) uint8."""
    places = [place for place, _ in SCALES[scale]]
    steps = np.linspace(0, 1, 256)
    return np.stack([np.rint(np.interp(steps, places, [colour[channel] for _, colour in SCALES[scale]])) for channel in range(3)], axis=1).astype(np.uint8)
