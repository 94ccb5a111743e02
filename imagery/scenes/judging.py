"""An analysis over a whole pair in blocks: as arrays of score and mask, or as the runs of the mask alone.

A pair seen through an index is judged pixel by pixel: what an analysis says of two codes it says of every pixel that has them. So the
analysis itself runs once, over the 256 × 256 pairs of codes, and the scene is looked up in what it said, in strips.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from imagery import engine
from imagery.engine import Block
from imagery.scenes import indices, pairs
from imagery.scenes.analyses import Analysis, Finding

if TYPE_CHECKING:
    from imagery.scenes.runs import Runs

STRIP = 512
"""Rows at once: those of the tiles that a prepared index is stored in."""
Run = Callable[[Callable[[Block], Any], Sequence[Block]], Iterator[tuple[Block, Any]]]
"""What carries out blocks: `engine.run`, told how many workers and what to do with progress."""
Table = tuple[np.ndarray, np.ndarray]


def prepare(pair: pairs.Pair, analysis: Analysis) -> tuple[pairs.Pair, object]:
    """The pair as the analysis reads it (its bands or its index, its radiometry), and what it must know of the whole before a block is judged."""
    pair = pair.only(analysis.bands) if analysis.bands else pair
    pair = pair if analysis.normalised else pair.raw()
    pair = pair.indexed(analysis.index) if analysis.index else pair
    if analysis.windowed:
        return pair, analysis.fit_windows([pair.read(window) for window in pairs.windows(pair.grid)])
    return pair, analysis.fit(*pairs.sample(pair)) if analysis.fits else None


def judge(pair: pairs.Pair, analysis: Analysis, fitted: object, run: Run = engine.run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score, mask and validity of the whole pair (rows, cols), judged in blocks that overlap by the analysis' margin."""
    shape = (pair.grid.height, pair.grid.width)
    score, mask, valid = np.full(shape, np.nan, np.float32), np.zeros(shape, bool), np.zeros(shape, bool)
    for block, (part, seen) in run(partial(_block, pair, analysis, fitted), engine.blocks(*shape, margin=analysis.margin_px)):
        score[block.outer], mask[block.outer], valid[block.outer] = part.score, part.mask, seen
    return score, mask, valid


def _block(pair: pairs.Pair, analysis: Analysis, fitted: object, block: Block) -> tuple[Finding, np.ndarray]:
    before, after, valid = pair.read(block.window)
    judged = analysis.run(before, after, valid, fitted)
    return Finding(judged.score[block.inner], judged.mask[block.inner]), valid[block.inner]


def marked(pair: pairs.Pair, analysis: Analysis, fitted: object, run: Run = engine.run) -> tuple["Runs", float]:
    """The mask of the whole pair as runs with their scores, and the share of the pair that is valid; the same as `judge` says."""
    from imagery.scenes import runs  # numba is half a second to read: not at every start

    if not pair.index or analysis.margin_px or analysis.windowed:
        score, mask, valid = judge(pair, analysis, fitted, run)
        return runs.runs_of(mask, score), float(valid.mean())
    strips = engine.blocks(pair.grid.height, pair.grid.width, size=STRIP, wide=pair.grid.width)
    found = {block.index: part for block, part in run(partial(_strip, pair, table(pair, analysis, fitted)), strips)}
    parts = [found[strip.index] for strip in strips]
    return runs.stacked([part for part, _ in parts]), sum(seen for _, seen in parts) / (pair.grid.height * pair.grid.width)


def told_apart(pair: pairs.Pair, analysis: Analysis, fitted: object, run: Run = engine.run) -> tuple["Runs", "Runs", float]:
    """As `marked`, for an analysis that itself explains away (`explains`): between the two, the runs of what reaches its threshold and is not in the mask."""
    from imagery.scenes import runs

    score, mask, valid = judge(pair, analysis, fitted, run)
    return runs.runs_of(mask, score), runs.runs_of((score >= analysis.threshold) & ~mask & valid, score), float(valid.mean())


def table(pair: pairs.Pair, analysis: Analysis, fitted: object) -> Table:
    """What the analysis says of each code before (rows) and after (columns): whether it is in the mask (256, 256) uint8, and the score float32."""
    before = np.repeat(indices.values()[:, None], 256, axis=1)[None]
    after = pair.normalisation.apply(np.repeat(indices.values()[None], 256, axis=0)[None])
    valid = np.isfinite(before[0]) & np.isfinite(after[0])
    judged = analysis.run(np.where(valid, before, 0), np.where(valid, after, 0), valid, fitted)
    return judged.mask.astype(np.uint8), judged.score


def _strip(pair: pairs.Pair, looked: Table, block: Block) -> tuple["Runs", int]:
    from imagery.scenes import runs

    return runs.looked_up(*pair.codes(block.window), *looked)
