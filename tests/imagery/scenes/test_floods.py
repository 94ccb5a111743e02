"""What water maps are known to mistake, drawn: an empty flood stays empty, water in every light is found."""

import numpy as np
import pytest

from imagery.scenes.analyses.flood_extent import FloodExtent
from imagery.scenes.analyses.flood_sar import FloodSar

SIDE = 128


def drawn(levels: tuple[float, ...], spread: float = 0.05) -> np.ndarray:
    """One cover, bands green, red, nir, swir2 as reflectance times 10,000."""
    return np.array(levels, np.float32)[:, None, None] * np.random.default_rng(1).normal(1, spread, (4, SIDE, SIDE)).astype(np.float32)


def parcels(mean_db: float, spread_db: float) -> np.ndarray:
    """VV and VH in dB of fields of 16 pixels with speckle of 4.4 looks."""
    random = np.random.default_rng(2)
    level = random.normal(mean_db, spread_db, (SIDE // 16, SIDE // 16)).repeat(16, 0).repeat(16, 1)
    return np.stack([level + offset + 10 * np.log10(random.gamma(4.4, 1 / 4.4, (SIDE, SIDE))) for offset in (3.5, -3.5)]).astype(np.float32)


def alone(analysis, scene: np.ndarray) -> np.ndarray:
    return analysis.examine(np.zeros_like(scene), scene, np.ones(scene.shape[1:], bool)).mask


@pytest.mark.parametrize(
    ("cover", "water"),
    [
        ((850, 800, 900, 850), False),  # asphalt
        ((600, 560, 600, 550), False),  # new asphalt
        ((900, 950, 1500, 900), False),  # wet soil
        ((1500, 1600, 1900, 1800), False),  # roofs
        ((480, 300, 900, 150), False),  # forest in shadow
        ((800, 600, 3200, 900), False),  # wheat
        ((1900, 1800, 2400, 1300), False),  # thin cloud
        ((700, 450, 250, 60), True),  # deep and clear
        ((1400, 1500, 900, 150), True),  # muddy
        ((1600, 1900, 1900, 350), True),  # mud that flows
    ],
)
def test_covers_are_told_apart_by_light(cover: tuple[float, ...], water: bool) -> None:
    assert alone(FloodExtent(), drawn(cover)).mean() == pytest.approx(float(water), abs=0.01)


@pytest.mark.parametrize("scene", [parcels(-10, 2), parcels(-12.6, 2.5), np.full((2, SIDE, SIDE), -11, np.float32)], ids=("town", "fields", "alike"))
def test_dry_ground_stays_dry_in_radar(scene: np.ndarray) -> None:
    assert alone(FloodSar(), scene).mean() < 0.002


@pytest.mark.parametrize("radius", [12, 40, 200])
def test_a_lake_of_any_share_is_found_in_radar(radius: int) -> None:
    """From 3 % of the scene to all of it."""
    row, column = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    lake = row**2 + column**2 < radius**2
    found = alone(FloodSar(), np.where(lake, parcels(-24, 0.1), parcels(-12, 1.5)))
    assert (found & lake).sum() / (found | lake).sum() > 0.85
