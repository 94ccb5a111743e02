"""Whether a scene shows the ground at all: one that is all cloud proves nothing, and must not be told as "no change"."""

from pathlib import Path

import numpy as np

from grid.errors import InvalidInput
from imagery.scenes.raster import open_raster
from imagery.scenes.sky import CLEAR, NODATA

LEAST_VISIBLE = 0.01
MOST_SIDE = 2048


class Hidden(InvalidInput):
    """Cloud and shadow hide the whole scene; `extra['visible_share']` (0…1) says how much is seen."""

    title = "看不见地面 · Nothing is visible"


def visible_share(mask: Path) -> float | None:
    """The share (0…1) of a scene's picture that its mask (classes of `sky`) calls clear; None where there is no picture at all."""
    with open_raster(mask) as dataset:
        shape = min(dataset.height, MOST_SIDE), min(dataset.width, MOST_SIDE)
        classes = dataset.read(1, out_shape=shape)
    seen = int(np.count_nonzero(classes != NODATA))
    return float(np.count_nonzero(classes == CLEAR) / seen) if seen else None


def must_show(name: str, mask: Path | None) -> None:
    """Raises Hidden, with the share, when less than a hundredth of a scene is in sight; a scene without a mask is taken as it is."""
    share = None if mask is None else visible_share(mask)
    if share is not None and share < LEAST_VISIBLE:
        raise Hidden(
            f"看不见地面，不能说“没有变化” · nothing is visible: {100 * (1 - share):.1f} % of {name} is cloud or shadow",
            remedy="换一个日期的影像 · choose a scene of another day",
            visible_share=round(share, 4),
        )
