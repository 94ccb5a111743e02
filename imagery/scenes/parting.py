"""Where a scene's values part into two groups, e.g. water and land, found from their histogram alone."""

from dataclasses import dataclass

import numpy as np

BINS = 256


@dataclass(frozen=True, slots=True)
class Parting:
    """`border`: the minimum-error threshold; `middle`: half-way between the means of the two groups, which feels no imbalance of their sizes.

    `gain`: how much better two normal groups describe the values than one (0 or less: there is one group).
    """

    border: float
    middle: float
    gain: float

    def two(self, least: float = 0.05) -> bool:
        """Whether there are two groups at all."""
        return self.gain >= least


def part(values: np.ndarray) -> Parting | None:
    """Minimum-error thresholding: Kittler & Illingworth, Pattern Recognition 19(1), 1986. None for fewer than 100 values or all alike.

    >>> found = part(np.r_[np.random.default_rng(0).normal(0, 1, 9000), np.random.default_rng(1).normal(8, 1, 1000)])
    >>> found.two(), 3 < found.border < 6, 3.5 < found.middle < 4.5
    (True, True, True)
    >>> part(np.random.default_rng(0).normal(0, 1, 9000)).two(), part(np.ones(500))
    (False, None)
    """
    values = values[np.isfinite(values)]
    if values.size < 100:
        return None
    low, high = np.quantile(values, (0.0005, 0.9995))
    if not high > low:
        return None
    counts, edges = np.histogram(values, BINS, range=(low, high))
    middles, share = (edges[1:] + edges[:-1]) / 2, counts / counts.sum()
    below, first, second = np.cumsum(share), np.cumsum(share * middles), np.cumsum(share * middles**2)
    above = 1 - below
    mean, square = first[-1], second[-1]
    whole = 1 + np.log(max(square - mean**2, 1e-12))
    usable = (below >= 0.01) & (above >= 0.01)
    if not usable.any():
        return None
    p, q = np.where(usable, below, 0.5), np.where(usable, above, 0.5)
    spread_below = np.maximum(second / p - (first / p) ** 2, 1e-12)
    spread_above = np.maximum((square - second) / q - ((mean - first) / q) ** 2, 1e-12)
    cost = 1 + p * np.log(spread_below) + q * np.log(spread_above) - 2 * (p * np.log(p) + q * np.log(q))
    cost = np.where(usable, cost, np.inf)
    best = int(np.argmin(cost))
    middle = (first[best] / below[best] + (mean - first[best]) / above[best]) / 2
    return Parting(float(edges[best + 1]), float(middle), float(whole - cost[best]))
