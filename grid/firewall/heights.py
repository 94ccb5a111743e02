"""Heights above the 1985 datum (国家高程基准) given as heights above the ellipsoid, or the other way: some metres apart, everywhere alike.

Undulation: EGM96 (NGA, public domain) at nodes of 0.25° over Qingdao, bilinear between them; 0.5 m is what it is worth here. The 1985 datum
lies 0.25 ± 0.05 m above that geoid (Jiao, Wei et al. 2002, doi 10.1007/bf02826693).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Datum = Literal["1985", "ellipsoidal"]

UNCERTAINTY_M = 0.5
DATUM_ABOVE_GEOID_M = 0.25
_WEST, _SOUTH, _STEP = 119.25, 35.0, 0.25
_EGM96_M = np.array(
    [
        [2.43, 3.24, 3.90, 4.39, 4.83, 5.42, 6.27, 7.30, 8.31, 9.19],
        [2.51, 3.27, 3.82, 4.14, 4.39, 4.86, 5.69, 6.82, 7.99, 8.98],
        [2.52, 3.24, 3.75, 4.05, 4.30, 4.77, 5.61, 6.72, 7.86, 8.82],
        [2.45, 3.15, 3.70, 4.13, 4.58, 5.21, 6.07, 7.07, 8.03, 8.84],
        [2.30, 2.98, 3.63, 4.31, 5.07, 5.92, 6.82, 7.68, 8.41, 9.05],
        [2.07, 2.74, 3.52, 4.44, 5.46, 6.48, 7.38, 8.10, 8.68, 9.23],
        [1.79, 2.52, 3.41, 4.46, 5.57, 6.58, 7.40, 8.02, 8.55, 9.12],
        [1.55, 2.40, 3.36, 4.41, 5.43, 6.30, 7.00, 7.59, 8.15, 8.77],
        [1.38, 2.34, 3.32, 4.28, 5.17, 5.94, 6.61, 7.25, 7.90, 8.56],
        [1.21, 2.21, 3.14, 4.03, 4.87, 5.66, 6.43, 7.20, 7.95, 8.61],
        [0.96, 1.90, 2.77, 3.63, 4.51, 5.40, 6.30, 7.18, 8.00, 8.67],
    ]
)
_NEAR_M = 150.0
_LEAST_GAIN, _ROUNDS = 8.0, 60
_FEWEST = 8


@dataclass(frozen=True, slots=True)
class HeightVerdict:
    """`wrong[i]`: row i carries the other datum. `offset_m` between the two here; `scatter_m` of sound rows; `compared` rows had a known height near."""

    declared: Datum
    suspicious: bool
    wrong: NDArray[np.bool_]
    share: float
    offset_m: float
    scatter_m: float
    gain: float
    compared: int


def undulation_m(lon: ArrayLike, lat: ArrayLike) -> Floats:
    """Height of the 1985 datum's surface above the ellipsoid in metres: ellipsoidal = 1985 height + this. NaN beyond the table (Qingdao and its sea).

    >>> round(float(undulation_m(120.3826, 36.0671)), 1), bool(np.isnan(undulation_m(116.4, 39.9)))
    (5.9, True)
    """
    x = (np.asarray(lon, dtype=np.float64) - _WEST) / _STEP
    y = (np.asarray(lat, dtype=np.float64) - _SOUTH) / _STEP
    rows, columns = _EGM96_M.shape
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (y >= 0) & (x <= columns - 1) & (y <= rows - 1)
    x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
    i, j = np.minimum(y.astype(int), rows - 2), np.minimum(x.astype(int), columns - 2)
    u, v = x - j, y - i
    low = _EGM96_M[i, j] * (1 - u) + _EGM96_M[i, j + 1] * u
    high = _EGM96_M[i + 1, j] * (1 - u) + _EGM96_M[i + 1, j + 1] * u
    return np.where(inside, low * (1 - v) + high * v + DATUM_ABOVE_GEOID_M, np.nan)


def convert(heights: ArrayLike, lon: ArrayLike, lat: ArrayLike, source: Datum, target: Datum) -> Floats:
    """Heights from one datum to the other, in metres, good to `UNCERTAINTY_M`."""
    z = np.asarray(heights, dtype=np.float64)
    if source == target:
        return z
    return z + undulation_m(lon, lat) if target == "ellipsoidal" else z - undulation_m(lon, lat)


def judge_heights(heights: ArrayLike, lon: ArrayLike, lat: ArrayLike, declared: Datum, known: tuple[ArrayLike, ArrayLike, ArrayLike]) -> HeightVerdict:
    """Whether heights (metres, at storage degrees) are above the datum they are declared in, all or some, against `known` (lon, lat, 1985 height).

    A row counts where a known height lies within 150 m. Residuals follow one of two bells, the datum's offset apart, or are strays; the second
    bell must gain 8 nats and more than the same bell on the wrong side. Fewer than 8 such rows say nothing.
    """
    z, x, y = (np.asarray(v, dtype=np.float64) for v in (heights, lon, lat))
    seen_x, seen_y, seen_z = (np.asarray(v, dtype=np.float64) for v in known)
    wrong = np.zeros(len(z), dtype=bool)
    offset = undulation_m(x, y)
    scale = np.array([111_320.0 * np.cos(np.radians(36.2)), 110_950.0])
    usable = np.flatnonzero(np.isfinite(z) & np.isfinite(offset))
    nothing = HeightVerdict(declared, False, wrong, 0.0, float(np.median(offset[usable])) if len(usable) else float("nan"), float("nan"), 0.0, 0)
    if not len(usable) or not len(seen_z):
        return nothing
    from scipy.spatial import cKDTree

    metres, at = cKDTree(np.column_stack([seen_x, seen_y]) * scale).query(np.column_stack([x, y])[usable] * scale)
    rows, at = usable[metres <= _NEAR_M], at[metres <= _NEAR_M]
    if len(rows) < _FEWEST:
        return nothing
    side = 1.0 if declared == "1985" else -1.0
    residual = convert(z[rows], x[rows], y[rows], declared, "1985") - seen_z[at]
    alone = _bells(residual, None)
    right, mirrored = _bells(residual, side * offset[rows]), _bells(residual, -side * offset[rows])
    gain = right[0] - alone[0]
    suspicious = gain > _LEAST_GAIN and gain > 2.0 * max(mirrored[0] - alone[0], 0.0) and right[2] > 0.02
    if suspicious:
        wrong[rows[right[3] > 0.5]] = True
        if right[2] > 0.97:
            wrong[usable] = True
    return HeightVerdict(declared, suspicious, wrong, right[2], float(np.median(offset[rows])), right[1], gain, len(rows))


def _bells(residual: Floats, second: Floats | None) -> tuple[float, float, float, Floats]:
    """Bells of one width at 0 and at `second`, and strays over ±100 m: log likelihood, width in metres, share of the second, posterior of it."""
    centres = [np.zeros_like(residual)] + ([] if second is None else [second])
    best = None
    for width in (0.3, 1.0, 3.0):
        share = np.array([0.95 / len(centres)] * len(centres) + [0.05])
        for _ in range(_ROUNDS):
            bells = [np.exp(-0.5 * ((residual - c) / width) ** 2) / (width * np.sqrt(2 * np.pi)) for c in centres]
            joint = np.column_stack([*bells, np.full(len(residual), 1 / 200.0)]) * share
            total = np.maximum(joint.sum(axis=1), 1e-300)
            posterior = joint / total[:, None]
            share = posterior.mean(axis=0)
            spread = sum(p * (residual - c) ** 2 for p, c in zip(posterior.T, centres, strict=False)).sum()
            width = float(np.clip(np.sqrt(spread / max(posterior[:, :-1].sum(), 1e-9)), 0.1, 20.0))
        likelihood = float(np.log(total).sum())
        if best is None or likelihood > best[0]:
            best = (likelihood, width, float(share[1] / max(share[:-1].sum(), 1e-9)) if second is not None else 0.0, posterior[:, 1] if second is not None else np.zeros_like(residual))
    return best
