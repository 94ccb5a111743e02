"""A drawn suburb in half-metre pictures: what a new roof has that a new road and an old roof in another light have not."""

import numpy as np
import pytest

from imagery.scenes import roofs
from imagery.scenes.analyses.buildings_vhr import BuildingsVhr

SIDE = 192
BROWN, GREY, TEAL, SHADOW = ((150, 120, 90), (130, 130, 127), (150, 225, 220), (30, 28, 26))
HOUSE, ROAD, OLD = (slice(30, 70), slice(30, 78)), (slice(100, 124), slice(0, SIDE)), (slice(140, 176), slice(110, 160))


def suburb(*, shadows: bool) -> tuple[np.ndarray, np.ndarray]:
    """Before: brown ground and a roof in teal light. After: that roof in grey, a grey house and a grey road."""
    random = np.random.default_rng(6)
    scenes = [np.ones((3, SIDE, SIDE)) * np.array(BROWN)[:, None, None] for _ in range(2)]
    for scene, places in zip(scenes, (((OLD, TEAL),), ((OLD, GREY), (HOUSE, GREY), (ROAD, GREY))), strict=True):
        for place, colour in places:
            scene[(slice(None), *place)] = np.array(colour)[:, None, None]
            if shadows and place is not ROAD:
                scene[:, place[0].stop : place[0].stop + 5, place[1]] = np.array(SHADOW)[:, None, None]
    return tuple((scene * random.normal(1, 0.03, (1, SIDE, SIDE)) + random.normal(0, 2, scene.shape)).astype(np.float32) for scene in scenes)


def found(before: np.ndarray, after: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    return BuildingsVhr().examine(before, after, np.ones((SIDE, SIDE), bool) if valid is None else valid).mask


def test_the_house_is_found_to_its_corners_and_neither_road_nor_old_roof() -> None:
    mask, house = found(*suburb(shadows=True)), np.zeros((SIDE, SIDE), bool)
    house[HOUSE] = True
    assert (mask & house).sum() / (mask | house).sum() > 0.85
    assert not mask[ROAD].any() and not mask[OLD].any()


def test_where_nothing_throws_a_shadow_none_is_asked() -> None:
    """Under cloud the house stays, and the road with it; the old roof is old in any light."""
    mask = found(*suburb(shadows=False))
    assert mask[HOUSE].mean() > 0.75 and mask[ROAD].mean() > 0.7 and not mask[OLD].any()


def test_the_rim_of_a_scene_is_no_shadow() -> None:
    """Missing pixels are 0: dark, and alike at both dates, and neither speaks for a road or against a house."""
    valid = np.ones((SIDE, SIDE), bool)
    valid[:, :40] = False
    mask = found(*(np.where(valid, scene, 0) for scene in suburb(shadows=True)), valid)
    assert mask[HOUSE][:, 14:].mean() > 0.85 and not mask[ROAD].any() and not mask[~valid].any()


@pytest.mark.parametrize("turned", [0, 1, 2, 3])
def test_pieces_are_judged_alike_in_every_direction(turned: int) -> None:
    before, after = (np.rot90(scene, turned, (1, 2)).copy() for scene in suburb(shadows=True))
    grey = np.zeros((SIDE, SIDE), bool)
    for place in (HOUSE, ROAD, OLD):
        grey[place] = True
    grey = np.rot90(grey, turned).copy()
    kept = roofs.standing(grey, before, after, np.ones((SIDE, SIDE), bool), 65, 2)
    house = np.zeros((SIDE, SIDE), bool)
    house[HOUSE] = True
    assert np.array_equal(np.rot90(kept, -turned), house)
