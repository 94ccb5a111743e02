"""Where values part into two groups, whatever the sizes of the groups."""

import numpy as np
import pytest

from imagery.scenes.parting import part


@pytest.mark.parametrize("share", [0.03, 0.2, 0.5, 0.9])
def test_two_groups_of_any_size_part_between_their_means(share: float) -> None:
    random = np.random.default_rng(1)
    values = np.where(np.arange(20_000) < 20_000 * share, random.normal(0.5, 0.08, 20_000), random.normal(-0.3, 0.1, 20_000))
    found = part(values)
    assert found.two() and -0.05 < found.border < 0.35
    assert found.middle == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize("values", [np.random.default_rng(2).normal(0, 1, 5000), np.log(np.random.default_rng(3).gamma(4, 1, 5000))])
def test_one_group_is_not_parted(values: np.ndarray) -> None:
    assert not part(values).two()


def test_too_few_or_equal_values_say_nothing() -> None:
    assert part(np.arange(99.0)) is None and part(np.full(500, 3.0)) is None and part(np.full(500, np.nan)) is None
