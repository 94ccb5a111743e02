"""What an unsupervised baseline says of the places that an index marked: IR-MAD beside every index (Nielsen, IEEE TIP 16(2), 2007)."""

from typing import TYPE_CHECKING

import numpy as np

from imagery.scenes import analyses, pairs

if TYPE_CHECKING:
    from imagery.scenes.runs import Runs

BASELINE = "irmad"
FEWEST = 200
"""Marked pixels below which a share says nothing."""


def agreement(pair: pairs.Pair, found: "Runs", analysis_id: str) -> dict | None:
    """How much of what `found` (runs on the pair's grid) marks the baseline marks too, and how much of all it marks.

    Looked at in the windows that show the pair (`pairs.windows`) and nine more where the mask is densest, with all common bands. `lift` is the
    ratio of the two shares: 1 means that the baseline knows nothing of what the index found. None for the baseline itself, for one common band,
    and where fewer than 200 marked pixels are seen.
    """
    if analysis_id == BASELINE or len(pair.bands) < 2:
        return None
    analysis = analyses.get(BASELINE)
    pair = pair if analysis.normalised else pair.raw()
    spread = pairs.windows(pair.grid)
    seen = [pair.read(window) for window in spread]
    samples = [np.concatenate([one[scene][:, one[2]][:, ::8] for one in seen], axis=1) for scene in (0, 1)]
    if samples[0].shape[1] < FEWEST:
        return None
    fitted = analysis.fit(*samples)
    marked = both = wide = judged = 0
    dense = _dense(found, pair.grid)
    for window, (before, after, valid) in [*zip(spread, seen, strict=True), *((window, pair.read(window)) for window in dense if window not in spread)]:
        inside = found.painted(window) & valid
        differs = analysis.run(before, after, valid, fitted).mask
        marked, both = marked + int(inside.sum()), both + int((differs & inside).sum())
        if window in spread:
            wide, judged = wide + int(differs.sum()), judged + int(valid.sum())
    if marked < FEWEST:
        return None
    share, everywhere = both / marked, wide / max(judged, 1)
    return {"analysis": BASELINE, "agrees": round(share, 4), "everywhere": round(everywhere, 4), "lift": round(share / max(everywhere, 1e-4), 2), "pixels": marked}


def _dense(found: "Runs", grid: pairs.Grid, most: int = 9) -> list[tuple[int, int, int, int]]:
    """Windows of a plain tiling with the most marked pixels, most first."""
    tile = pairs.TILE
    counts = found.counted(tile)
    order = np.argsort(-counts, axis=None)[:most]
    places = [(int(row), int(col)) for row, col in zip(*np.unravel_index(order, counts.shape), strict=True) if counts[row, col]]
    return [(row * tile, col * tile, min(tile, grid.height - row * tile), min(tile, grid.width - col * tile)) for row, col in places]
