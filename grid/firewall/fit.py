"""Which reading of the coordinates fits what is known: chances of nearness by decoys, and a mixture over the rows.

A row that is read rightly lies nearer to known things (its building, its road, its boundary) than by accident. "By accident" is measured for
each row where it stands: the same row moved in `DECOYS` random directions by 0.25–2 km. Its chance of nearness is uniform for a wrong reading
and small for the right one (density a·p^(a−1), a fitted to the set). Each row follows one reading or none; shares are fitted by EM, and a
reading joins when the likelihood gains more than it does from any of the decoys, taken as readings themselves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grid.firewall.rulers import Ruler

Floats = NDArray[np.float64]
Place = tuple[Floats, Floats]

DECOYS = 40
FEW_DECOYS = 16
_NEAREST_M, _FARTHEST_M = 250.0, 2000.0
_CAP_M = 600.0
_FLOOR_M = 0.02
_TAIL = 4
_STRAY = 0.1
_SHAPES = (0.045, 0.065, 0.1, 0.16, 0.25, 0.4, 0.6)
_ROUNDS = 25
_EXACT, _LOOSE, EXACT_SHAPE = (2.5, 1.0), (6.0, 3.0), 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """Vertices that speak for rows: the row of each (from 0, ascending) and its weight, so that a row's weights add up to its independent parts."""

    owner: NDArray[np.int64]
    weight: Floats
    rows: int


def decoys(seed: int, count: int = DECOYS) -> Floats:
    """Random shifts of shape (count, 2) in metres east and north."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0.0, 2.0 * np.pi, count)
    return rng.uniform(_NEAREST_M, _FARTHEST_M, count)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def chances(ruler: Ruler, base: Place, places: list[Place], shifts: Floats) -> tuple[Floats, Floats, Floats]:
    """Chances of being that near by accident, (vertex, reading) and (vertex, decoy), and the distances in metres (vertex, reading).

    `base`: where the rows stand, around which the decoys lie. A place that is NaN has chance 1; so has nothing near anywhere about ½.
    """
    lon, lat = base
    east = 1.0 / (111_320.0 * np.cos(np.radians(lat)))
    moved = np.column_stack([ruler.metres(lon + dx * east, lat + dy / 110_950.0) for dx, dy in shifts])
    metres = np.column_stack([ruler.metres(*place) for place in places]) if places else np.empty((len(lon), 0))
    ordered = np.sort(np.minimum(moved, _CAP_M), axis=1)
    readings = _chance(np.minimum(metres, _CAP_M), ordered, ruler.dimension, 0)
    readings[~np.isfinite(metres)] = 1.0
    return readings, _chance(np.minimum(moved, _CAP_M), ordered, ruler.dimension, 1), metres


def _chance(metres: Floats, ordered: Floats, dimension: int, own: int) -> Floats:
    """Rank among the sorted decoys (`own`: 1 if the distance is itself one of them), ties halved; below the few nearest by the law of nearness."""
    count = ordered.shape[1] - own
    chance = np.empty_like(metres)
    for column in range(metres.shape[1]):
        d = metres[:, column, None]
        rank = (ordered < d).sum(axis=1) + 0.5 * ((ordered == d).sum(axis=1) - own)
        chance[:, column] = (rank + 0.5) / (count + 0.5)
    tail = ordered[:, _TAIL - 1, None]
    law = (_TAIL / (count + 1.0)) * ((metres + _FLOOR_M) / (tail + _FLOOR_M)) ** dimension
    return np.clip(np.where((metres < tail) & (tail < _CAP_M), law, chance), 1e-8, 1.0)


def beside(base: Place, places: list[Place], shifts: Floats, within_m: float = 300.0) -> NDArray[np.bool_]:
    """(reading, decoy): whether the decoy's shift is within `within_m` of how the reading moves the rows in the middle."""
    lon, lat = base
    found = np.zeros((len(places), len(shifts)), dtype=bool)
    for row, (x, y) in enumerate(places):
        moved = np.column_stack([(x - lon) * 111_320.0 * np.cos(np.radians(lat)), (y - lat) * 110_950.0])
        moved = moved[np.isfinite(moved).all(axis=1)]
        if len(moved):
            found[row] = np.hypot(*(shifts - np.median(moved, axis=0)).T) < within_m
    return found


def thinned(place: Place, cell_m: float) -> NDArray[np.int64]:
    """Indexes of one row for each cell of a grid."""
    lon, lat = (np.nan_to_num(v) for v in place)
    cells = np.column_stack([np.floor(lon * 90_000.0 / cell_m), np.floor(lat * 111_000.0 / cell_m)])
    return np.sort(np.unique(cells, axis=0, return_index=True)[1])


def ratios(chance: Floats, sample: Sample, shape: float) -> Floats:
    """Log likelihood ratios (row, reading): read so against lying there by accident."""
    density = (1.0 - _STRAY) * shape * chance ** (shape - 1.0) + _STRAY
    weighed = sample.weight[:, None] * np.log(density)
    summed = np.zeros((sample.rows, chance.shape[1]))
    np.add.at(summed, sample.owner, weighed)
    return summed


def mixture(ratio: Floats) -> tuple[float, Floats, Floats]:
    """EM over readings and none: log likelihood above that of pure accident, shares (none last), posteriors (row, reading or none)."""
    full = np.column_stack([np.minimum(ratio, 500.0), np.zeros(len(ratio))])
    top = full.max(axis=1, keepdims=True)
    heights = np.exp(full - top)
    share = np.full(full.shape[1], 1.0 / full.shape[1])
    for _ in range(_ROUNDS):
        joint = heights * share
        share = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
    joint = heights * share
    total = joint.sum(axis=1, keepdims=True)
    return float((np.log(total) + top).sum()), share, joint / total


@dataclass(frozen=True, slots=True)
class Fit:
    """What one reference says: the chosen readings (indexes), their shares, the log likelihood above accident, and for each reading that joined
    its gain beside the best gain of a decoy. `shape` is the fitted exponent: near 0 for exact fits, near 1 when the reference says nothing."""

    chosen: tuple[int, ...]
    shares: tuple[float, ...]
    likelihood: float
    shape: float
    gains: tuple[tuple[int, float, float], ...]


def fit(readings: Floats, moved: Floats, sample: Sample, start: list[int], beside: NDArray[np.bool_], apart: NDArray[np.int64]) -> Fit:
    """Begins with the readings `start` and lets others join while they gain enough nats plus a multiple of the best decoy's gain.

    `beside` of shape (reading, decoy): decoys that land near where the reading does, which tell nothing about accident.
    `apart`: rows far enough from each other to err on their own; without exact fits they alone must gain enough too, for neighbours err together.
    Where rows fit exactly (surveyed middles, the same outlines) one row that fits elsewhere is no accident: less gain is asked for there.
    """
    tables = {shape: ratios(np.column_stack([readings, moved]), sample, shape) for shape in _SHAPES}
    width = readings.shape[1]
    chosen, gains = list(start), []

    def best(columns: list[int], rows: NDArray[np.int64] | slice = slice(None)) -> tuple[float, float]:
        return max((mixture(tables[shape][rows][:, columns])[0], shape) for shape in _SHAPES)

    likelihood, shape = best(chosen)
    while len(chosen) < len(start) + 3:
        rivals = [(best([*chosen, column])[0] - likelihood, column) for column in range(width) if column not in chosen]
        if not rivals:
            break
        gain, column = max(rivals)
        least, per_decoy = _EXACT if best([*chosen, column])[1] <= EXACT_SHAPE else _LOOSE
        if gain <= least or (least == _LOOSE[0] and best([*chosen, column], apart)[0] - best(chosen, apart)[0] <= least):
            break
        nearby = [s for s in _SHAPES if 0.4 <= s / shape <= 2.5]
        decoy = max(max(mixture(tables[s][:, [*chosen, width + j]])[0] for s in nearby) - likelihood for j in np.flatnonzero(~beside[column]))
        if gain <= least + per_decoy * max(decoy, 0.0):
            break
        chosen.append(column)
        gains.append((column, gain, max(decoy, 0.0)))
        likelihood, shape = best(chosen)
    _, shares, _ = mixture(tables[shape][:, chosen])
    return Fit(tuple(chosen), tuple(float(s) for s in shares), likelihood, shape, tuple(gains))
