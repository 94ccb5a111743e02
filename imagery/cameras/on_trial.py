"""Versions of an algorithm at work in the camera: the live one in place of the shipped weights, and a candidate beside it on the same frames.

A version is `WEIGHTS / CODE` (`Standing.label`): weights by their id in the registry, the code's own version. A candidate of other code or of weights that
are not here cannot run; the trial then rests, and the standing version goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from grid.sensing import light
from grid.sensing.shadow_rows import ShadowRun, Versions
from grid.world.cameras import Camera
from imagery.cameras.detectors import Standing
from imagery.cameras.engines import Box
from imagery.cameras.tracking import overlap
from imagery.cameras.weights import Model, list_models

LOG = structlog.get_logger("cameras")

ALIKE = 0.3
"""IoU from which boxes of two versions are of one thing: below the usual half, since smoke and litter have no sharp edge."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate and the standing version on the same frames."""

    rollout_id: int
    standing: Standing
    candidate: Standing


def arranged(wanted: Sequence[Standing], trials: Mapping[str, Versions], directory: Path) -> tuple[tuple[Standing, ...], tuple[Pair, ...]]:
    """The entries to run, live versions in place, and candidates beside those they are on trial against. `trials`: by detector id."""
    if not trials:
        return tuple(wanted), ()
    present = {model.card.id: model for model in list_models(directory)}
    running, pairs = [], []
    for entry in wanted:
        told = trials.get(entry.detector.id)
        if told is None:
            running.append(entry)
            continue
        live = _model(entry, told.live, present) if told.live else None
        now = replace(entry, model=live, reason="", remedy="") if live else entry
        running.append(now)
        model = _model(entry, told.candidate, present) if told.candidate and told.rollout_id else None
        if model and now.model and now.label == told.standing:
            pairs.append(Pair(told.rollout_id, now, Standing(entry.detector, model, beside=True)))
        elif told.candidate:
            LOG.warning("version on trial cannot run here", algorithm=entry.detector.id, standing=told.standing, candidate=told.candidate, running=now.label)
    return tuple(running), tuple(pairs)


def _model(entry: Standing, version: str, present: Mapping[str, Model]) -> Model | None:
    """The weights of a version of this detector's code that know one of its classes."""
    weights, _, code = version.rpartition(" / ")
    model = present.get(weights)
    return model if model and code == entry.detector.version and set(model.card.classes) & set(entry.detector.kinds) else None


def compared(standing: Sequence[Box], candidate: Sequence[Box], pair: Pair) -> tuple[int, int, int]:
    """Things in one frame: (both saw, only the standing version, only the candidate), the best overlap of a kind first."""
    kinds = pair.standing.detector.kinds
    near = sorted(
        ((overlap(_corners(one), _corners(other)), i, j) for i, one in enumerate(standing) for j, other in enumerate(candidate) if kinds[one.label] == kinds[other.label]),
        reverse=True,
    )
    mine: set[int] = set()
    theirs: set[int] = set()
    for share, i, j in near:
        if share >= ALIKE and i not in mine and j not in theirs:
            mine.add(i)
            theirs.add(j)
    return len(mine), len(standing) - len(mine), len(candidate) - len(theirs)


def run(pair: Pair, camera: Camera, at: datetime, boxes: Sequence[tuple[Standing, Box]], took_ms: Mapping[tuple[str, str], float]) -> ShadowRun:
    """What the two said of a camera's frame at `at`. `boxes`: of all entries; `took_ms`: by detector id and version."""
    said = [[box for entry, box in boxes if entry is side] for side in (pair.standing, pair.candidate)]
    spent = [took_ms[side.detector.id, side.label] for side in (pair.standing, pair.candidate)]
    return ShadowRun(pair.rollout_id, camera.id, at, light.condition(at, camera.lon, camera.lat), *compared(*said, pair), *spent)


def _corners(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom
