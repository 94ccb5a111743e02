"""The audit stream: five of a hundred findings below the threshold come before a person all the same, drawn by lot and stored with their propensity.

Without it the system would only learn from what it chose to show (a camera once thought bad would never be looked at again); with it each verdict
has a known propensity, and 1 / propensity is its weight in learning.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Draw:
    """Whether a finding comes before a person, with which propensity, and whether by lot alone."""

    shown: bool
    propensity: float
    audit: bool


def lot(key: str) -> float:
    """A number in [0, 1) that stays the same for a key and cannot be guessed from its neighbours (SHA-256).

    >>> 0 <= lot("alert:1") < 1, lot("alert:1") == lot("alert:1"), lot("alert:1") == lot("alert:2")
    (True, True, False)
    """
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7]) / 2**56


def draw(chance: float, threshold: float, number: float, share: float = SHARE) -> Draw:
    """A finding at or above the threshold is shown for certain; one below it when its lot falls into the share.

    >>> draw(0.7, 0.4, 0.99), draw(0.2, 0.4, 0.04), draw(0.2, 0.4, 0.5)
    (Draw(shown=True, propensity=1.0, audit=False), Draw(shown=True, propensity=0.05, audit=True), Draw(shown=False, propensity=0.05, audit=False))
    """
    if chance >= threshold:
        return Draw(True, 1.0, False)
    return Draw(number < share, share, number < share)


def draws(chance: np.ndarray, threshold: np.ndarray | float, number: np.ndarray, share: float = SHARE) -> tuple[np.ndarray, np.ndarray]:
    """The same of many: (shown, propensity)."""
    above = chance >= threshold
    return above | (number < share), np.where(above, 1.0, share)
