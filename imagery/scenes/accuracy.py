"""How well a change score agrees with known truth."""

from dataclasses import asdict, dataclass

import numpy as np

from grid.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Agreement over judged pixels. Rates in 0…1; 0 where a rate has no denominator.

    `auc` by rank, ties counted half; None where the truth is all of one kind. `best_f1`: of the score's best threshold, chosen with the truth,
    which no analysis may do. `false_share`: of the unchanged, how much was called changed.
    """

    auc: float | None
    precision: float
    recall: float
    f1: float
    iou: float
    best_f1: float
    false_share: float
    changed: int
    unchanged: int

    def as_dict(self) -> dict[str, float | None]:
        """Plain figures, rates rounded to six places."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


def judge(score: np.ndarray, mask: np.ndarray, changed: np.ndarray, unchanged: np.ndarray) -> Accuracy:
    """Compares a score (higher = more changed, NaN = not judged) and its mask with truth; all of one shape. InvalidInput without any truth.

    >>> yes = np.array([1, 1, 0, 0], bool)
    >>> judge(np.array([.9, .8, .2, .1]), np.array([1, 0, 1, 0], bool), yes, ~yes)  # doctest: +NORMALIZE_WHITESPACE
    Accuracy(auc=1.0, precision=0.5, recall=0.5, f1=0.5, iou=0.3333333333333333, best_f1=1.0, false_share=0.5, changed=2, unchanged=2)
    """
    judged = (changed | unchanged) & np.isfinite(score)
    truth, said = changed[judged], mask[judged]
    positives = int(truth.sum())
    negatives = int(truth.size - positives)
    if truth.size == 0:
        raise InvalidInput("the truth has no changed and no unchanged pixels where the score is valid", remedy="check the truth raster and its coding")
    _, which, count = np.unique(score[judged], return_inverse=True, return_counts=True)
    auc = None
    if positives and negatives:
        ranks = (np.cumsum(count) - (count - 1) / 2)[which]  # ties share the middle of their ranks
        auc = float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))
    right = np.cumsum(np.bincount(which, weights=truth, minlength=count.size)[::-1])
    hit, false, missed = int((said & truth).sum()), int((said & ~truth).sum()), int((~said & truth).sum())
    return Accuracy(
        auc=auc,
        precision=hit / (hit + false) if hit + false else 0.0,
        recall=hit / positives if positives else 0.0,
        f1=2 * hit / (2 * hit + false + missed) if hit + false + missed else 0.0,
        iou=hit / (hit + false + missed) if hit + false + missed else 0.0,
        best_f1=float((2 * right / (np.cumsum(count[::-1]) + positives)).max()),
        false_share=false / negatives if negatives else 0.0,
        changed=positives,
        unchanged=negatives,
    )
