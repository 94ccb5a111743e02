"""A second look at each patch with all bands: what the season, a residual shift, a thin cloud or a shadow explains is said so and not reported.

An index sees two bands; its patches are looked at again with every band that both scenes have:

- season: the same transition (before like this, after like that) is common among ground of that kind, and in many places of the scene. Ploughed and
  harvested fields are; a building site is not. Class-conditional anomaly of change: Schaum & Stocker, 1997; Theiler & Perkins, 2006.
- shift: moving after by under a pixel makes most of the difference vanish. Local co-registration adjustment: Theiler & Wohlberg, IEEE TGRS 50(8), 2012.
- cloud: blue rose (or fell) as much as red and the infrared with it: what lies in the air is white (Zhang, Guindon & Cihlar, RSE 82, 2002).
- faint: a patch of fewer than six pixels whose best pixel is under one and a half times the threshold: mixed pixels of borders are.
- shadow: all bands changed by one factor (Zhu & Woodcock, RSE 118, 2012).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import Transformer
from rasterio.features import rasterize
from scipy.spatial import cKDTree

from imagery.scenes.pairs import Pair, windows
from imagery.scenes.polygonize import Polygon

REASONS = {
    "season": ("季节或耕作", "season or tillage"),
    "shift": ("配准残差", "residual misregistration"),
    "cloud": ("薄云", "thin cloud"),
    "shadow": ("阴影", "shadow"),
    "faint": ("面积小且不明显", "too faint for its size"),
    "tide": ("潮位", "tide"),
}
"""What may explain a patch, zh and en."""
TILE, MARGIN = 512, 24
RIM_PX = 8
"""How far from what is masked the rim of a cloud or of a shadow may still be in the air."""
ALIKE = (0.15, 0.2, 0.25)
"""Root mean square of log reflectance over bands within which two pixels are of one kind: about 15 %, more where so few are alike."""
FEWEST = 150
COMMON = 0.05
"""Share of ground of one kind from which a transition is the season's."""
SAMPLES = 60_000
SMALL, SURE = 6, 1.5
MIXED = 16
"""Pixels of a patch up to which most are mixed with what lies about it: only its two surest are asked what they were and are."""
MOST_SHIFTED = 600
"""Pixels of a patch above which no shift of a pixel can explain it."""


@dataclass(frozen=True, slots=True)
class Seasons:
    """What the ground of a pair did: logs (samples, bands) before and after, and the place (a part of the scene) of each sample."""

    before: np.ndarray
    after: np.ndarray
    place: np.ndarray
    floor: np.ndarray
    tree: cKDTree

    def common(self, before: np.ndarray, after: np.ndarray) -> bool:
        """Whether the transition from `before` to `after` (bands,) is common among ground like `before`, in at least four places and a quarter of them."""
        was = _logs(before, self.floor)
        for alike in ALIKE:
            radius = alike * np.sqrt(len(before))
            like = np.array(self.tree.query_ball_point(was, radius), np.intp)
            if like.size >= FEWEST:
                break
        else:
            return False
        same = like[((self.after[like] - _logs(after, self.floor)) ** 2).sum(axis=1) <= radius**2]
        if same.size < max(10, COMMON * like.size):
            return False
        there = np.bincount(self.place[like])
        done = np.bincount(self.place[same], minlength=len(there))
        return int((done > 0).sum()) >= max(4, 0.25 * int((there >= 10).sum()))


def _logs(pixels: np.ndarray, floor: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(pixels, floor))


def seasons(pair: Pair) -> Seasons | None:
    """Samples of up to nine windows of a pair, each of four places; None for a pair too small to tell a season from a change."""
    from scipy import ndimage

    old, new, place = [], [], []
    found = windows(pair.grid)
    step = max(1, round(np.sqrt(len(found) * found[0][2] * found[0][3] / SAMPLES)))
    for number, window in enumerate(found):
        before, after, valid = pair.read(window)
        valid = ndimage.binary_erosion(valid, iterations=RIM_PX, border_value=1)
        before, after, valid = (part[..., ::step, ::step] for part in (before, after, valid))
        rows, cols = np.nonzero(valid)
        old.append(before[:, rows, cols])
        new.append(after[:, rows, cols])
        place.append(4 * number + 2 * (rows >= valid.shape[0] / 2) + (cols >= valid.shape[1] / 2))
    before, after = np.concatenate(old, axis=1).T, np.concatenate(new, axis=1).T
    if len(found) < 4 or len(before) < 1000:
        return None
    floor = np.maximum(0.5 * np.quantile(before, 0.02, axis=0), 1e-6)
    logs = _logs(before, floor)
    return Seasons(logs, _logs(after, floor), np.concatenate(place), floor, cKDTree(logs))


def explain(pair: Pair, found: Sequence[Polygon], reasons: Collection[str], threshold: float) -> dict[int, str]:
    """Which of the patches (by their place in `found`) one of `reasons` explains; `threshold` is the score at which their analysis begins.

    `pair` with all bands, after in the radiometry of before. Reads the parts of the pair that hold patches once, in tiles.
    """
    from scipy import ndimage

    if not found:
        return {}
    project = Transformer.from_crs("EPSG:4326", pair.grid.crs, always_xy=True).transform
    back = ~pair.grid.transform
    onto = [back.a, back.b, back.d, back.e, back.c, back.f]
    shapes = [shapely.affinity.affine_transform(shapely.transform(one.geom, project, interleaved=False), onto) for one in found]
    tiles: dict[tuple[int, int], list[int]] = {}
    for number, shape in enumerate(shapes):
        west, north, east, south = shape.bounds
        tiles.setdefault((int((north + south) / 2) // TILE, int((west + east) / 2) // TILE), []).append(number)
    history = seasons(pair) if "season" in reasons else None
    masked = pair.before.mask is not None or pair.after.mask is not None
    explained: dict[int, str] = {}
    for (down, across), numbers in sorted(tiles.items()):
        top, left = max(0, down * TILE - MARGIN), max(0, across * TILE - MARGIN)
        bottom, right = min(pair.grid.height, (down + 1) * TILE + MARGIN), min(pair.grid.width, (across + 1) * TILE + MARGIN)
        before, after, valid = pair.read((top, left, bottom - top, right - left))
        burnt = [(shapely.affinity.translate(shapes[number], -left, -top), place) for place, number in enumerate(numbers, 1)]
        labels = rasterize(burnt, valid.shape, dtype=np.int32)
        rim = ndimage.binary_dilation(~valid, iterations=RIM_PX) if masked else np.zeros_like(valid)
        for place, box in enumerate(ndimage.find_objects(labels, len(numbers)), 1):
            one = found[numbers[place - 1]]
            if "faint" in reasons and one.pixels < SMALL and one.peak < SURE * threshold:
                explained[numbers[place - 1]] = "faint"
                continue
            if box is None:
                continue
            at = tuple(slice(max(0, side.start - 3), side.stop + 3) for side in box)
            own = (labels[at] == place) & valid[at]
            if own.any():
                why = _why(pair, before[:, *at], after[:, *at], own, history, reasons, bool(rim[at][own].any()))
                if why:
                    explained[numbers[place - 1]] = why
    return explained


def _why(
    pair: Pair, before: np.ndarray, after: np.ndarray, own: np.ndarray, history: Seasons | None, reasons: Collection[str], rim: bool
) -> str:
    change = ((after - before) / pair.normalisation.noise[:, None, None]) ** 2
    sure = change.mean(axis=0)
    core = own & (sure >= (np.median(sure[own]) if own.sum() > MIXED else np.sort(sure[own])[-2:].min()))
    was, now = before[:, core].mean(axis=1), after[:, core].mean(axis=1)
    by_name = {name: (float(one), float(other)) for name, one, other in zip(pair.bands, was, now, strict=True)}
    noise = dict(zip(pair.bands, pair.normalisation.noise, strict=True))
    if "cloud" in reasons and (whitened(by_name, noise) or whitened({name: two[::-1] for name, two in by_name.items()}, noise)):
        return "cloud"
    if "shadow" in reasons and dimmed(by_name):
        return "shadow"
    if history is not None and (history.common(was, now) or (rim and veiled(history, was, now))):
        return "season"
    if "shift" in reasons and own.sum() <= MOST_SHIFTED and left_after_moving(before, after, _around(own), pair.normalisation.noise) < 0.35:
        return "shift"
    return ""


def _around(own: np.ndarray) -> np.ndarray:
    """A patch and two pixels about it: a true change moves from the patch into them, a shifted border vanishes from both."""
    from scipy import ndimage

    return ndimage.binary_dilation(own, np.ones((3, 3)), iterations=2)


def veiled(history: Seasons, was: np.ndarray, now: np.ndarray) -> bool:
    """Whether the season explains what was seen after through the rim of a shadow."""
    seen = [now / (1 - share) for share in (0.12, 0.25, 0.4)]
    return any(history.common(was, clear) for clear in seen)


def whitened(by_name: dict[str, tuple[float, float]], noise: dict[str, float]) -> bool:
    """Whether something white came over ground: per band (before, after). False without blue, red and near infrared.

    >>> quiet = dict.fromkeys(("blue", "red", "nir"), 20.0)
    >>> whitened({"blue": (300, 1200), "red": (360, 1250), "nir": (3200, 3700)}, quiet), whitened({"blue": (600, 1700), "red": (800, 2400), "nir": (2900, 2800)}, quiet)
    (True, False)
    """
    if not {"blue", "red", "nir"} <= by_name.keys():
        return False
    rise = {name: after - before for name, (before, after) in by_name.items()}
    return rise["blue"] >= 3 * noise["blue"] and rise["blue"] >= 0.85 * rise["red"] and rise["nir"] >= 0.3 * rise["blue"]


def dimmed(by_name: dict[str, tuple[float, float]]) -> bool:
    """Whether the light was dimmed, or came back: all bands from red on by nearly one factor. False with fewer than three of them.

    >>> dimmed({"red": (800, 330), "nir": (2900, 1000), "swir1": (2000, 640)}), dimmed({"red": (360, 480), "nir": (3200, 1050), "swir1": (1500, 1900)})
    (True, False)
    """
    ratios = [after / before for name, (before, after) in by_name.items() if name in ("red", "nir", "swir1", "swir2") and before > 0 and after > 0]
    if len(ratios) < 3:
        return False
    logs = np.log(ratios)
    return bool(abs(logs.mean()) >= 0.25 and logs.std() <= 0.15 * abs(logs.mean()))


def left_after_moving(before: np.ndarray, after: np.ndarray, own: np.ndarray, noise: np.ndarray) -> float:
    """The least share of the squared difference over `own` (rows, cols) that is left when after (bands, rows, cols) moves by up to 0.8 pixels."""
    scale = noise[:, None, None]
    padded = np.pad(after, ((0, 0), (1, 1), (1, 1)), mode="edge")

    def moved(south: float, east: float) -> np.ndarray:
        rows, cols = (1 + int(np.floor(step)) for step in (south, east))
        down, across = south - np.floor(south), east - np.floor(east)
        tall, wide = before.shape[1:]
        part = lambda row, col: padded[:, row : row + tall, col : col + wide]  # noqa: E731
        upper = (1 - across) * part(rows, cols) + (across * part(rows, cols + 1) if across else 0)
        lower = ((1 - across) * part(rows + 1, cols) + (across * part(rows + 1, cols + 1) if across else 0)) if down else 0
        return (1 - down) * upper + down * lower

    def left(south: float, east: float) -> float:
        return float((((moved(south, east) - before) / scale)[:, own] ** 2).mean())

    whole = left(0.0, 0.0)
    steps = (-0.8, -0.4, 0.0, 0.4, 0.8)
    return min(left(south, east) for south in steps for east in steps) / whole if whole > 0 else 1.0
