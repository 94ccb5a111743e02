"""Is a new version worse? A sequential test that may be read after every verdict, for canaries that end themselves.

A canary runs on a share of camera-hours drawn by lot, the standing version on the rest: same cameras, same weather, same reviewers, so that no history
has to stand in for a control. Two questions, each an e-process (a bet that cannot be expected to win while the new version is at least as good, so by
Ville's inequality its wealth ever reaches 1 / ALPHA with probability ALPHA at most, however often it is read):

- precision: verdicts in blocks of one new and up to twelve standing ones, the two-sample e-variable of Turner, Ly and Grünwald (2024), its alternative
  learnt from the blocks before (a posterior over base rates and odds ratios);
- yield: whether the true findings come from the new version's camera-hours less often than their share (a version that has become silent).

Their mean is an e-process as well. Pure: verdicts in, a state out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit, logit

from grid.sensing.audit_stream import lot

ALPHA = 0.05
"""A version that is not worse is rolled back with this probability at most, however long it runs."""

SHARE = 0.1
"""Camera-hours that a canary gets: few, so that a worse version harms few, and each of its verdicts is held against many of the standing one's."""

CONTROLS = 12
KEPT = 60
PRIOR = 100.0
"""How many verdicts the standing version's record is worth when the bet begins; a wrong record costs power, never validity."""

WAGERS = (0.8, 0.2)
"""Shares of the stake on precision and on yield."""

BASES = np.linspace(0.03, 0.97, 32)
SHIFTS = np.array([-0.6, -0.9])
"""Log odds ratios of precision, new over standing, that the bet looks for."""

_LOW = expit(logit(BASES)[:, None] + SHIFTS[None, :])
_LOG_LOW = (np.log(_LOW), np.log(1 - _LOW))
_LOG_BASE = (np.log(BASES), np.log(1 - BASES))

RATIOS = np.array([0.3, 0.5, 0.7])
"""Ratios of true findings per camera-hour, new over standing, that the bet looks for."""


def arm(salt: str, camera: str, hour: int, share: float = SHARE) -> bool:
    """Whether this camera's hour (hours since 1970) belongs to the canary: a lot that all machines draw alike.

    >>> arm("7", "camera:1", 490000, 0.0), arm("7", "camera:1", 490000, 1.0)
    (False, True)
    """
    return lot(f"rollout:{salt}:{camera}:{hour}") < share


@dataclass(slots=True)
class Trial:
    """The state of a canary's test; feed it verdicts in the order they were given. `share` of camera-hours is the new version's, `record` the
    precision of the standing version so far (None: not known)."""

    share: float = SHARE
    alpha: float = ALPHA
    record: float | None = None
    new: int = 0
    standing: int = 0
    new_true: int = 0
    standing_true: int = 0
    rolled_back_at: int | None = None
    _belief: np.ndarray = field(init=False)
    _precision: float = 0.0
    _yield: np.ndarray = field(default_factory=lambda: np.zeros(len(RATIOS)))
    _waiting: tuple[list[bool], list[bool]] = field(default_factory=lambda: ([], []))

    def __post_init__(self) -> None:
        known = 0.0 if self.record is None else PRIOR * (self.record * _LOG_BASE[0] + (1 - self.record) * _LOG_BASE[1])
        self._belief = np.zeros((len(BASES), len(SHIFTS))) + np.reshape(known, (-1, 1))

    @property
    def evidence(self) -> float:
        """The e-value: how many times a bet against the new version has multiplied its stake; roll back at 1 / alpha."""
        return float(WAGERS[0] * np.exp(min(self._precision, 700.0)) + WAGERS[1] * np.mean(np.exp(np.minimum(self._yield, 700.0))))

    @property
    def worse(self) -> bool:
        """Whether the evidence has ever reached 1 / alpha."""
        return self.rolled_back_at is not None

    def tell(self, is_new: bool, true: bool) -> bool:
        """Takes one verdict; returns whether the version is found worse (for good)."""
        if is_new:
            self.new += 1
            self.new_true += true
        else:
            self.standing += 1
            self.standing_true += true
        if true:
            part = self.share * RATIOS / (self.share * RATIOS + 1 - self.share)
            self._yield += np.log(part / self.share) if is_new else np.log((1 - part) / (1 - self.share))
        of_new, of_standing = self._waiting
        mine = of_new if is_new else of_standing
        mine.append(true)
        if len(of_standing) > KEPT:
            del of_standing[0]
        if of_new and of_standing:
            self._block(np.array(of_new, float), np.array(of_standing[:CONTROLS], float))
            self._waiting = ([], of_standing[CONTROLS:])
        if self.rolled_back_at is None and self.evidence >= 1 / self.alpha:
            self.rolled_back_at = self.new
        return self.worse

    def _block(self, new: np.ndarray, standing: np.ndarray) -> None:
        weight = np.exp(self._belief - self._belief.max())
        weight /= weight.sum()
        bad, good = float((weight * _LOW).sum()), float(weight.sum(axis=1) @ BASES)
        null = (len(new) * bad + len(standing) * good) / (len(new) + len(standing))
        self._precision += _log(new, bad) + _log(standing, good) - _log(new, null) - _log(standing, null)
        of_new, of_standing = new.sum(), standing.sum()
        self._belief += of_new * _LOG_LOW[0] + (len(new) - of_new) * _LOG_LOW[1]
        self._belief += (of_standing * _LOG_BASE[0] + (len(standing) - of_standing) * _LOG_BASE[1])[:, None]


def _log(truths: np.ndarray, probability: float) -> float:
    return float(truths.sum() * np.log(probability) + (len(truths) - truths.sum()) * np.log(1 - probability))


def judged(verdicts: Iterable[tuple[bool, bool]], share: float = SHARE, record: float | None = None) -> Trial:
    """The trial after these (is_new, true) verdicts, in their order."""
    trial = Trial(share, record=record)
    for is_new, true in verdicts:
        trial.tell(is_new, true)
    return trial
