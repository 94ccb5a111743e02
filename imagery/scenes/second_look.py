"""A second look at each patch with all bands: what the season, a residual shift, a thin cloud or a shadow explains is said so and not reported.

An index sees two bands; its patches are looked at again with every band that both scenes have:

- season: the same transition (before like this, after like that) is common among ground of that kind, and in many places of the scene. Ploughed and
  harvested fields are; a building site is not. Class-conditional anomaly of change: Schaum & Stocker, 1997; Theiler & Perkins, 2006. A building on a
  field that was harvested is part of the field's patch: what such a patch holds that is not the season's is cut out of it and judged by itself.
- shift: moving after by under a pixel makes most of the difference vanish. Local co-registration adjustment: Theiler & Wohlberg, IEEE TGRS 50(8), 2012.
- cloud: blue rose (or fell) as much as red and the infrared with it: what lies in the air is white (Zhang, Guindon & Cihlar, RSE 82, 2002), and has
  no edge: it lies beside what is masked, or over the ground about the patch too.
- faint: a patch of fewer than six pixels whose best pixel is under one and a half times the threshold: mixed pixels of borders are; one of fewer than
  fifty under 1.4 times: the tail of what the threshold parts.
- shadow: all bands changed by one factor (Zhu & Woodcock, RSE 118, 2012).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from pyproj import Transformer
from rasterio import Affine
from rasterio.features import rasterize
from scipy.spatial import cKDTree

from imagery.scenes.pairs import Pair, windows
from imagery.scenes.polygonize import Polygon, polygons

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
MOST_PIXELS = 16_000_000
"""Of a window: a patch that needs a larger one is not looked at again."""
RIM_PX = 8
"""How far from what is masked the rim of a cloud or of a shadow may still be in the air."""
ALIKE = (0.15, 0.2, 0.25)
"""Root mean square of log reflectance over bands within which two pixels are of one kind: about 15 %, more where so few are alike."""
FEWEST = 150
COMMON, CLOSE, CLOSELY = 0.05, 0.12, 0.025
"""Share of ground of one kind from which a transition is the season's; and the share from which it is where kinds are told apart more closely."""
SAMPLES = 60_000
SMALL, SURE = 6, 1.5
RAGGED, LESS_SURE = 50, 1.4
UNUSUAL = 0.02
"""Share of ground of one kind below which what became of a pixel is not what became of its field."""
LIKE_MOST = 2000
GREEN, THROUGH = 0.4, 0.7
"""NDVI of what grows, and the share of its near infrared less red that a thin cloud leaves."""
DEEPEST = 1.6
"""Log of the most that a shadow takes of the infrared; water takes more."""
RING_PX = 5
BEYOND, AT_RIM = 0.3, 0.1
"""Share of a patch's whitening that a cloud shows in the ring about it too; beside what is masked less is enough."""
SHARES = (0.7, 1.0, 1.5, 2.0)
"""How much of the dimming about a patch may lie over the patch itself."""
PARALLEL = 0.9
"""Cosine between what mixed pixels did and what the ground did that they are mixed with."""
LEAST = 3
MIXED = 16
"""Pixels of a patch up to which most are mixed with what lies about it: only its two surest are asked what they were and are."""
MOST_SHIFTED = 600
"""Pixels of a patch above which no shift of a pixel can explain it."""


@dataclass(frozen=True, slots=True)
class Seasons:
    """What the ground of a pair did: logs (bands, samples) before and (samples, bands) after, and the place (a part of the scene) of each sample."""

    before: np.ndarray
    after: np.ndarray
    place: np.ndarray
    floor: np.ndarray

    def common(self, before: np.ndarray, after: np.ndarray) -> bool:
        """Whether the transition from `before` to `after` (bands,) is common among ground like `before`, in at least four places and a quarter of them."""
        like, radius, squared = self._like(before)
        if like.size < FEWEST:
            return False
        away = ((self.after[like] - _logs(after, self.floor)) ** 2).sum(axis=1)
        same = like[away <= radius**2]
        if same.size < max(10, COMMON * like.size):
            return False
        close = CLOSE**2 * len(before)
        closest = squared[like] <= close
        if closest.sum() >= FEWEST and (away[closest] <= close).sum() < CLOSELY * closest.sum():
            return False
        there = np.bincount(self.place[like])
        done = np.bincount(self.place[same], minlength=len(there))
        return int((done > 0).sum()) >= max(4, 0.25 * int((there >= 10).sum()))

    def unusual(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Which pixels of a patch, (bands, pixels) before and after, did not go the way that ground like the whole patch goes: (pixels,) bool."""
        like, _, _ = self._like(np.median(before, axis=1))
        if like.size < FEWEST:
            return np.zeros(before.shape[1], bool)
        like = like[:: -(-like.size // LIKE_MOST)]
        logs = _logs(after.T, self.floor)
        near = cKDTree(self.after[like]).query_ball_point(logs, ALIKE[0] * np.sqrt(len(before)), return_length=True)
        return near < UNUSUAL * like.size

    def _like(self, before: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        squared = np.zeros(len(self.place), np.float32)
        for band, was in zip(self.before, _logs(before, self.floor), strict=True):
            squared += (band - np.float32(was)) ** 2
        for alike in ALIKE:
            radius = alike * np.sqrt(len(before))
            like = np.flatnonzero(squared <= radius**2)
            if like.size >= FEWEST:
                break
        return like, radius, squared


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
    return Seasons(np.ascontiguousarray(_logs(before, floor).T, np.float32), _logs(after, floor).astype(np.float32), np.concatenate(place), floor)


@dataclass(frozen=True, slots=True)
class Explained:
    """`why`: the reason for each explained patch by its place in what was looked at; `within`: what such patches hold that is not explained."""

    why: dict[int, str]
    within: tuple[Polygon, ...]


def explain(pair: Pair, found: Sequence[Polygon], reasons: Collection[str], threshold: float, minimum_area_m2: float = 0.0) -> Explained:
    """Which of the patches one of `reasons` explains, and the parts of them, from `minimum_area_m2` on, that it does not; `threshold` is the score at
    which their analysis begins. Parts have the scores of their patch.

    `pair` with all bands, after in the radiometry of before. Reads the parts of the pair that hold patches once, in tiles.
    """
    from scipy import ndimage

    if not found:
        return Explained({}, ())
    project = Transformer.from_crs("EPSG:4326", pair.grid.crs, always_xy=True).transform
    back = ~pair.grid.transform
    onto = [back.a, back.b, back.d, back.e, back.c, back.f]
    shapes = [shapely.affinity.affine_transform(shapely.transform(one.geom, project, interleaved=False), onto) for one in found]
    tiles: dict[tuple[int, int, int], list[int]] = {}
    for number, shape in enumerate(shapes):
        west, north, east, south = shape.bounds
        tile = int((north + south) / 2) // TILE, int((west + east) / 2) // TILE
        wide = east - west > TILE or south - north > TILE
        tiles.setdefault((*tile, number if wide else -1), []).append(number)
    history = seasons(pair) if "season" in reasons else None
    masked = pair.before.mask is not None or pair.after.mask is not None
    explained: dict[int, str] = {}
    within: list[Polygon] = []
    for (down, across, _), numbers in sorted(tiles.items()):
        west, north, east, south = shapely.total_bounds([shapes[number] for number in numbers])
        top, left = max(0, min(down * TILE, int(north)) - MARGIN), max(0, min(across * TILE, int(west)) - MARGIN)
        bottom = min(pair.grid.height, max((down + 1) * TILE, int(south) + 1) + MARGIN)
        right = min(pair.grid.width, max((across + 1) * TILE, int(east) + 1) + MARGIN)
        if (bottom - top) * (right - left) > MOST_PIXELS:
            continue  # too large to be one season's or one cloud's: it stays reported
        before, after, valid = pair.read((top, left, bottom - top, right - left))
        burnt = [(shapely.affinity.translate(shapes[number], -left, -top), place) for place, number in enumerate(numbers, 1)]
        labels = rasterize(burnt, valid.shape, dtype=np.int32)
        rim = ndimage.binary_dilation(~valid, iterations=RIM_PX) if masked else np.zeros_like(valid)
        for place, box in enumerate(ndimage.find_objects(labels, len(numbers)), 1):
            one = found[numbers[place - 1]]
            if "faint" in reasons and faint(one, threshold):
                explained[numbers[place - 1]] = "faint"
                continue
            if box is None:
                continue
            at = tuple(slice(max(0, side.start - RING_PX - 1), side.stop + RING_PX + 1) for side in box)
            own = (labels[at] == place) & valid[at]
            if own.any():
                why = _why(pair, before[:, *at], after[:, *at], valid[at], own, history, reasons, rim[at])
                if why:
                    explained[numbers[place - 1]] = why
                if why == "season" and own.sum() >= 2 * SMALL:
                    parts = _parts(pair, before[:, *at], after[:, *at], valid[at], own, history, reasons, rim[at])
                    corner = pair.grid.transform @ Affine.translation(left + at[1].start, top + at[0].start)
                    cut = polygons(parts, parts.astype(np.float32), corner, pair.grid.crs, minimum_area_m2=minimum_area_m2) if parts.any() else []
                    within += [replace(part, score=one.score, peak=one.peak) for part in cut]
    return Explained(explained, tuple(within))


def _parts(
    pair: Pair, before: np.ndarray, after: np.ndarray, valid: np.ndarray, own: np.ndarray, history: Seasons, reasons: Collection[str], rim: np.ndarray
) -> np.ndarray:
    """What of a patch that the season explains no reason explains, (rows, cols) bool."""
    from scipy import ndimage

    left = np.zeros_like(own)
    if _wet(pair.bands, before[:, own]):
        return left
    left[own] = history.unusual(before[:, own], after[:, own])
    pieces, count = ndimage.label(left, np.ones((3, 3)))
    kept = np.zeros_like(own)
    for number in range(1, count + 1):
        piece = pieces == number
        if piece.sum() >= LEAST and not _why(pair, before, after, valid, piece, history, reasons, rim):
            kept |= piece
    return kept


def _why(
    pair: Pair, before: np.ndarray, after: np.ndarray, valid: np.ndarray, own: np.ndarray, history: Seasons | None, reasons: Collection[str], rim: np.ndarray
) -> str:
    change = ((after - before) / pair.normalisation.noise[:, None, None]) ** 2
    sure = change.mean(axis=0)
    core = own & (sure >= (np.median(sure[own]) if own.sum() > MIXED else np.sort(sure[own])[-2:].min()))
    was, now = before[:, core].mean(axis=1), after[:, core].mean(axis=1)
    by_name = {name: (float(one), float(other)) for name, one, other in zip(pair.bands, was, now, strict=True)}
    noise = dict(zip(pair.bands, pair.normalisation.noise, strict=True))
    beside = bool(rim[own].any())
    for seen in (by_name, {name: two[::-1] for name, two in by_name.items()}) if "cloud" in reasons else ():
        if whitened(seen, noise) and (shines_through(seen) or _beyond(pair, before, after, valid, own, by_name["blue"], AT_RIM if beside else BEYOND)):
            return "cloud"
    if "shadow" in reasons and dimmed(by_name):
        return "shadow"
    if history is not None and (history.common(was, now) or (beside and veiled(history, was, now))):
        return "season"
    if history is not None and own.sum() > MIXED and history.common(np.median(before[:, own], axis=1), np.median(after[:, own], axis=1)):
        return "season"
    if history is not None and _of_a_border(pair, before, after, valid, own, history):
        return "season"
    over = _over(pair, before, after, valid, own)
    if history is not None and over.any():
        for share in SHARES:
            if history.common(was * np.exp(share * np.maximum(over, 0)), now * np.exp(-share * np.minimum(over, 0))):
                return "shadow" if "shadow" in reasons else "season"
    if "shift" in reasons and own.sum() <= MOST_SHIFTED and left_after_moving(before, after, _around(own), pair.normalisation.noise) < 0.35:
        return "shift"
    return ""


def _of_a_border(pair: Pair, before: np.ndarray, after: np.ndarray, valid: np.ndarray, own: np.ndarray, history: Seasons) -> bool:
    """Whether a patch is a line of mixed pixels: ground beside it changed in the same direction and by more, as the season does."""
    from scipy import ndimage

    square = np.ones((3, 3))
    if ndimage.binary_opening(own, np.ones((2, 2))).sum() >= 0.5 * own.sum():
        return False
    beside = ndimage.binary_dilation(own, square, iterations=2) & ~own & valid
    scale = pair.normalisation.noise[:, None]
    change, near = ((after[:, own] - before[:, own]) / scale).mean(axis=1), (after[:, beside] - before[:, beside]) / scale
    size, sizes = np.linalg.norm(change), np.linalg.norm(near, axis=0)
    alike = np.where(sizes >= size, change @ near / np.maximum(size * sizes, 1e-9), -1.0)
    return any(
        history.common(before[:, beside][:, at], after[:, beside][:, at]) for at in np.argsort(-alike, kind="stable")[:LEAST] if alike[at] >= PARALLEL
    )


def _over(pair: Pair, before: np.ndarray, after: np.ndarray, valid: np.ndarray, own: np.ndarray) -> np.ndarray:
    """What lies over the ground about a patch as a shadow does: log of light after over light before per band; zeros where nothing does."""
    ring = _ring(own) & valid
    none = np.zeros(len(pair.bands))
    if ring.sum() < LEAST * SMALL:
        return none
    was, now = np.median(before[:, ring], axis=1), np.median(after[:, ring], axis=1)
    by_name = {name: (float(one), float(other)) for name, one, other in zip(pair.bands, was, now, strict=True)}
    return np.log(now / was) if dimmed(by_name, least=0.08, even=0.35) else none


def _ring(own: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    square = np.ones((3, 3))
    return ndimage.binary_dilation(own, square, iterations=RING_PX) & ~ndimage.binary_dilation(own, square, iterations=2)


def _wet(bands: tuple[str, ...], before: np.ndarray) -> bool:
    """Whether most of a patch, (bands, pixels), was water: what stands there now is fill or a bared flat, which other analyses judge by the tide."""
    return {"green", "nir"} <= set(bands) and float(np.median(before[bands.index("green")] - before[bands.index("nir")])) > 0


def _beyond(
    pair: Pair, before: np.ndarray, after: np.ndarray, valid: np.ndarray, own: np.ndarray, blue: tuple[float, float], least: float
) -> bool:
    """Whether the ground about a patch whitened too: the medians of its bands, blue by `least` of the patch's own (before, after). A harvest about a
    site brightens as well, but red more than blue and near infrared not at all. So it is where nothing about the patch is seen."""
    ring = _ring(own) & valid
    if ring.sum() < LEAST * SMALL:
        return True
    rise = dict(zip(pair.bands, np.median(after[:, ring] - before[:, ring], axis=1), strict=True))
    share = rise["blue"] / (blue[1] - blue[0])
    return bool(share >= least and abs(rise["blue"]) >= 0.85 * abs(rise["red"]) and rise["nir"] / rise["blue"] >= 0.3)


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
    against = any(rise[name] < -2 * noise[name] for name in ("swir1", "swir2") if name in rise)
    return rise["blue"] >= 3 * noise["blue"] and rise["blue"] >= 0.85 * rise["red"] and rise["nir"] >= 0.3 * rise["blue"] and not against


def shines_through(by_name: dict[str, tuple[float, float]]) -> bool:
    """Whether what grows is still green under what whitened it, per band (clear, whitened): a thin cloud leaves most of near infrared less red.

    >>> shines_through({"red": (396, 1120), "nir": (2810, 3419)}), shines_through({"red": (858, 1933), "nir": (2634, 2966)})
    (True, False)
    """
    (red, red_now), (nir, nir_now) = by_name["red"], by_name["nir"]
    return nir - red >= GREEN * (nir + red) and nir_now - red_now >= THROUGH * (nir - red)


def faint(one: Polygon, threshold: float) -> bool:
    """Whether a patch's best pixel is too near the threshold of its score for so few pixels."""
    return one.peak < threshold * (SURE if one.pixels < SMALL else LESS_SURE if one.pixels < RAGGED else 0.0)


def dimmed(by_name: dict[str, tuple[float, float]], least: float = 0.25, even: float = 0.15) -> bool:
    """Whether the light was dimmed, or came back: the infrared bands by nearly one factor, down to a fifth, and red, which the sky still lights, by
    as much or less. False without red and two of them.

    >>> dimmed({"red": (800, 330), "nir": (2900, 1000), "swir1": (2000, 640)}), dimmed({"red": (360, 480), "nir": (3200, 1050), "swir1": (1500, 1900)})
    (True, False)
    """
    logs = {name: np.log(after / before) for name, (before, after) in by_name.items() if before > 0 and after > 0}
    infrared = [logs[name] for name in ("nir", "swir1", "swir2") if name in logs]
    if "red" not in logs or len(infrared) < 2:
        return False
    fell = np.mean(infrared)
    return bool(least <= abs(fell) <= DEEPEST and np.std(infrared) <= even * abs(fell) and 0.3 <= logs["red"] / fell <= 1.3)


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
