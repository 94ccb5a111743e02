"""Which cameras to look at next, when there is compute for few of them: expected yield per compute second, and a floor so that none is forgotten.

Events come to a camera at a rate (per hour) and stay to be seen for a while. A camera that was looked at `age` hours ago then holds
rate x stay x (1 - exp(-age / stay)) new ones; times the chance to see them now, over what a look costs, is its yield. The rate is the camera's record,
Gamma-Poisson, shrunk camera -> scene -> city, times what season, weather and hour do to its scene (learnt likewise), times what open alerts about it do.
Records are drawn from their posteriors (Thompson), so that little known cameras are tried. A fixed share of the compute goes to the longest unseen: that
bounds the age of every camera by (cost of all) / (share x compute).

Pure: arrays in, indices out.
"""

from dataclasses import dataclass, field

import numpy as np

FLOOR = 0.15
"""Share of the compute that goes to those longest unseen."""

STRENGTH_H = 48.0
"""Hours of exposure that the mean of its scene is worth to a camera."""

NEAR_OPEN = 3.0
"""How much likelier an event is where an alert is open (a fire goes on, rubbish is added to)."""


def pending(rate_h: np.ndarray, age_h: np.ndarray, stay_h: np.ndarray | float) -> np.ndarray:
    """New events expected to stand before a camera that was looked at `age_h` hours ago.

    >>> pending(np.array([0.5]), np.array([0.0]), 2.0).tolist(), pending(np.array([0.5]), np.array([1e9]), 2.0).tolist()
    ([0.0], [1.0])
    """
    return rate_h * stay_h * -np.expm1(-np.asarray(age_h) / stay_h)


@dataclass(slots=True)
class Tally:
    """Events found and hours of exposure (hours worth of arrivals looked at), as the posterior of a rate: Gamma about the parent's mean."""

    found: np.ndarray
    hours: np.ndarray

    @staticmethod
    def zeros(*shape: int) -> "Tally":
        """Nothing known."""
        return Tally(np.zeros(shape), np.zeros(shape))

    def mean(self, prior: np.ndarray | float, strength_h: float) -> np.ndarray:
        """Posterior mean of the rate per hour.

        >>> Tally(np.array([3.0]), np.array([52.0])).mean(0.25, 48.0).tolist()
        [0.15]
        """
        return (prior * strength_h + self.found) / (strength_h + self.hours)


@dataclass(slots=True)
class Watch:
    """What is known of `cameras`: `scene` code of each, seconds a look costs, how long events stay (hours), and the records.

    `slots`: number of distinct situations (season x weather x hour of day) whose effect is learnt for each scene.
    """

    scene: np.ndarray
    cost_s: np.ndarray
    stay_h: np.ndarray
    slots: int
    prior_h: float = 0.02
    age_h: np.ndarray = field(init=False)
    cameras: Tally = field(init=False)
    scenes: Tally = field(init=False)
    situations: Tally = field(init=False)

    def __post_init__(self) -> None:
        size, scenes = len(self.scene), int(self.scene.max()) + 1
        self.age_h = np.full(size, 24.0)
        self.cameras, self.scenes, self.situations = Tally.zeros(size), Tally.zeros(scenes), Tally.zeros(scenes, self.slots)

    def effect(self, slot: int) -> np.ndarray:
        """How many times the scene's mean rate its rate is in this situation, by scene; 1 while nothing is known.

        A situation's exposure is in hours at the expected rate of the cameras looked at, so that choosing good cameras in the evening does not make
        evenings look good.
        """
        return (self.situations.found[:, slot] + 4.0) / (self.situations.hours[:, slot] + 4.0)

    def rates(self, slot: int, rng: np.random.Generator | None = None) -> np.ndarray:
        """Rate per hour of each camera now: drawn from its posterior with `rng`, else its mean."""
        city = (self.scenes.found.sum() + self.prior_h * STRENGTH_H) / (self.scenes.hours.sum() + STRENGTH_H)
        of_scene = self.scenes.mean(city, STRENGTH_H)[self.scene]
        shape, hours = of_scene * STRENGTH_H + self.cameras.found, STRENGTH_H + self.cameras.hours
        rate = shape / hours if rng is None else rng.gamma(shape) / hours
        return rate * self.effect(slot)[self.scene]

    def worth(self, slot: int, seen: np.ndarray | float, open_near: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Events expected per compute second of a look now. `seen`: chance to see one now (light, weather); `open_near`: an alert is open there."""
        rate = self.rates(slot, rng) * np.where(open_near, NEAR_OPEN, 1.0)
        return pending(rate, self.age_h, self.stay_h) * seen / self.cost_s

    def choose(self, budget_s: float, worth: np.ndarray, floor: float = FLOOR, most: int | None = None) -> np.ndarray:
        """Cameras to look at within `budget_s` compute seconds, `most` of them at the utmost: the longest unseen for the floor's share of both, the
        worthiest for the rest. The longest unseen has its turn even where the floor's share would not pay for it, as long as the whole budget does."""
        most = len(worth) if most is None else most
        waiting = np.argsort(-self.age_h, kind="stable")
        oldest = _within(waiting, self.cost_s, floor * budget_s)[: int(np.ceil(floor * most))]
        if not len(oldest) and floor > 0:
            oldest = _within(waiting[:1], self.cost_s, budget_s)
        left = np.ones(len(worth), bool)
        left[oldest] = False
        ranked = np.argsort(-np.where(left, worth, -np.inf), kind="stable")[: int(left.sum())]
        return np.concatenate([oldest, _within(ranked, self.cost_s, budget_s - float(self.cost_s[oldest].sum()))])[:most]

    def looked(self, chosen: np.ndarray, found: np.ndarray, slot: int, seen: np.ndarray | float, step_h: float) -> None:
        """Enters what the looks found (new events for each of `chosen`) and lets `step_h` hours pass."""
        seen = np.broadcast_to(seen, self.scene.shape)[chosen]
        exposure = pending(np.ones(len(chosen)), self.age_h[chosen], self.stay_h[chosen]) * seen
        scene = self.scene[chosen]
        effect = self.effect(slot)[scene]
        usual = self.rates(slot)[chosen] / effect
        np.add.at(self.situations.found[:, slot], scene, found)
        np.add.at(self.situations.hours[:, slot], scene, exposure * usual)
        for tally, code in ((self.cameras, chosen), (self.scenes, scene)):
            np.add.at(tally.found, code, found)
            np.add.at(tally.hours, code, exposure * effect)
        self.age_h += step_h
        self.age_h[chosen] = step_h


def _within(order: np.ndarray, cost_s: np.ndarray, budget_s: float) -> np.ndarray:
    """The first of `order` whose costs fit into the budget."""
    return order[: int(np.searchsorted(np.cumsum(cost_s[order]), budget_s, side="right"))]
