"""How well a change score agrees with known truth."""

from dataclasses import asdict, dataclass

import numpy as np

from grid.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Agreement over judged pixels. Rates in 0…1; 0 where a rate has no denominator; `auc` by rank, ties counted half."""

    auc: float
    precision: float
    recall: float
    f1: float
    iou: float
    changed: int
    unchanged: int

    def as_dict(self) -> dict[str, float]:
        """Plain figures, rates rounded to six places."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


def judge(score: np.ndarray, mask: np.ndarray, changed: np.ndarray, unchanged: np.ndarray) -> Accuracy:
    """Compares a score (higher = more changed, NaN = not judged) and its mask with truth; all of one shape.

    >>> judge(np.array([.9, .8, .2, .1]), np.array([1, 0, 1, 0], bool), np.array([1, 1, 0, 0], bool), np.array([0, 0, 1, 1], bool))
    Accuracy(auc=1.0, precision=0.5, recall=0.5, f1=0.5, iou=0.3333333333333333, changed=2, unchanged=2)
    """
    judged = (changed | unchanged) & np.isfinite(score)
    truth, said = changed[judged], mask[judged]
    positives = int(truth.sum())
    negatives = int(truth.size - positives)
    if positives == 0 or negatives == 0:
        raise InvalidInput(
            f"the truth has {positives} changed and {negatives} unchanged pixels where the score is valid",
            remedy="both kinds are needed: check the truth raster and its coding",
        )
    _, which, count = np.unique(score[judged], return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[which]  # ties share the middle of their ranks
    auc = (ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    hit, false, missed = int((said & truth).sum()), int((said & ~truth).sum()), int((~said & truth).sum())
    return Accuracy(
        auc=float(auc),
        precision=hit / (hit + false) if hit + false else 0.0,
        recall=hit / positives,
        f1=2 * hit / (2 * hit + false + missed),
        iou=hit / (hit + false + missed),
        changed=positives,
        unchanged=negatives,
    )
