"""Which pixels did not change between two dates, found without knowing the radiometry of either.

Iteratively reweighted multivariate alteration detection: Nielsen, IEEE Trans. Image Processing 16(2), 2007; the use of its
no-change probabilities for relative normalisation: Canty & Nielsen, Remote Sensing of Environment 112(3), 2008.
"""

from dataclasses import dataclass

import numpy as np

from grid.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Normalisation:
    """after × gain + offset has the radiometry of before, per band; `noise` is the spread of the difference in most pixels
    (1.4826 × its median absolute deviation: the standard deviation without change, as long as most pixels did not change).

    Shapes (bands,); units are those of the before scene. `unchanged`: weighted share of the sample that counts as unchanged.
    """

    gain: np.ndarray
    offset: np.ndarray
    noise: np.ndarray
    unchanged: float

    def apply(self, after: np.ndarray) -> np.ndarray:
        """(bands, rows, cols) of the after scene in the radiometry of the before scene, float32."""
        shape = (-1, *([1] * (after.ndim - 1)))
        return (after * self.gain.reshape(shape) + self.offset.reshape(shape)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Alteration:
    """The transformation of IR-MAD for a pair: differences of canonical variates, each divided by its no-change variance.

    `middle` and `scale` (2 × bands, 1) standardise before over after; `left`, `right` (bands, bands) hold a variate a column; `variance`
    (bands,) is 2 (1 − canonical correlation); `weights` (samples,) the no-change probability of each sample that was fitted on.
    """

    middle: np.ndarray
    scale: np.ndarray
    left: np.ndarray
    right: np.ndarray
    variance: np.ndarray
    weights: np.ndarray

    def distance(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Sum of squared standardised variates of (bands, …) pixels: chi-square with `bands` degrees of freedom where nothing changed."""
        shape = before.shape[1:]
        both = (np.concatenate([before, after]).reshape(len(self.middle), -1) - self.middle) / self.scale
        bands = len(self.variance)
        variates = self.left.T @ both[:bands] - self.right.T @ both[bands:]
        return (variates**2 / self.variance[:, None]).sum(axis=0).reshape(shape)


def fit_alteration(before: np.ndarray, after: np.ndarray, *, rounds: int = 30, tolerance: float = 1e-3, least_share: float = 0.1) -> Alteration:
    """IR-MAD over samples. Inputs (bands, samples), any linear units; affine changes of either have no effect.

    The iteration stops before fewer than `least_share` of the samples count as unchanged (it can collapse onto a few identical pixels).
    Raises InvalidInput with fewer than 30 samples a band. Bands that are constant or copies of others are ridged, not refused.
    """
    import scipy.linalg  # half a second to read: not at every start
    from scipy.special import chdtrc

    bands, samples = before.shape
    if samples < 30 * bands:
        raise InvalidInput(f"{samples} valid pixels are too few to compare {bands} bands", remedy="choose scenes that overlap more")
    both = np.concatenate([before, after]).astype(np.float64)
    middle, scale = both.mean(axis=1, keepdims=True), both.std(axis=1, keepdims=True)
    scale = np.where(scale > 0, scale, 1)
    both = (both - middle) / scale
    weights = np.ones(samples)
    previous = np.zeros(bands)
    found = None
    for _ in range(rounds):
        mean = (both @ weights / weights.sum())[:, None]
        centred = both - mean
        covariance = (centred * weights) @ centred.T / weights.sum() + 1e-6 * np.eye(2 * bands)
        first, second, cross = covariance[:bands, :bands], covariance[bands:, bands:], covariance[:bands, bands:]
        carried = np.linalg.solve(second, cross.T)
        squared, left = scipy.linalg.eigh(cross @ carried, first)
        correlation = np.sqrt(np.clip(squared, 0, 1 - 1e-9))
        right = carried @ left
        right /= np.sqrt(np.maximum((right * (second @ right)).sum(axis=0), 1e-12))
        variates = left.T @ centred[:bands] - right.T @ centred[bands:]
        variance = 2 * (1 - correlation)
        proposed = np.maximum(chdtrc(bands, (variates**2 / variance[:, None]).sum(axis=0)), 1e-9)
        collapsed = proposed.mean() < least_share
        if found is None or not collapsed:
            found = Alteration(middle + mean * scale, scale, left, right, variance, weights if collapsed else proposed)
        if collapsed:
            break
        weights = proposed
        if np.abs(correlation - previous).max() < tolerance:
            break
        previous = correlation
    return found


def fit_normalisation(before: np.ndarray, after: np.ndarray) -> Normalisation:
    """Matches mean and spread of the unchanged pixels, band by band. Inputs (bands, samples) of valid pixels."""
    weights = fit_alteration(before, after).weights
    total = weights.sum()
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    old_mean, new_mean = old @ weights / total, new @ weights / total
    old_spread = np.sqrt((old - old_mean[:, None]) ** 2 @ weights / total)
    new_spread = np.sqrt((new - new_mean[:, None]) ** 2 @ weights / total)
    gain = np.where(new_spread > 0, old_spread / np.where(new_spread > 0, new_spread, 1), 1.0)
    offset = old_mean - gain * new_mean
    left_over = new * gain[:, None] + offset[:, None] - old
    noise = 1.4826 * np.median(np.abs(left_over - np.median(left_over, axis=1, keepdims=True)), axis=1)
    floor = 1e-3 * np.maximum(old_spread, np.finfo(np.float32).tiny)
    return Normalisation(gain, offset, np.maximum(noise, floor), float(total / weights.size))
