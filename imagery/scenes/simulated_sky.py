"""What stands between a simulated ground and its picture: sun, clouds, their shadows, haze, the sensor. Deterministic; nothing here is an observation."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

HAZE = np.array([1.0, 0.72, 0.5, 0.22, 0.06, 0.03], np.float32)
"""Additive path radiance per band (blue to swir2), relative to blue: about the fourth power of wavelength, softened by aerosol."""
CLOUD = np.array([0.62, 0.62, 0.63, 0.66, 0.52, 0.42], np.float32)
"""Reflectance of an opaque cloud per band."""
SHADOW = np.array([0.46, 0.42, 0.38, 0.33, 0.30, 0.28], np.float32)
"""Light left in a shadow per band: the sky still shines, mostly blue."""


@dataclass(frozen=True, slots=True)
class Sky:
    """A sky over a scene. `cloud_share` of the ground under cloud, bases `base_m` high; sun clockwise from north and above the horizon, degrees;
    `haze` of the densest place in blue, reflectance × 10,000; `gain` of the sensor; `shift_px` (east, south) by which the picture lies off."""

    cloud_share: float = 0.0
    base_m: float = 1200.0
    sun_azimuth: float = 150.0
    sun_elevation: float = 50.0
    haze: float = 0.0
    gain: float = 1.0
    shift_px: tuple[float, float] = (0.0, 0.0)


def noise(random: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    """A smooth field (rows, cols) of mean 0 and spread 1 whose features are `scale` pixels wide; wide ones are drawn coarse and stretched."""
    coarse = max(1, int(scale // 4))
    small = tuple(-(-side // coarse) + 2 for side in shape)
    field = ndimage.gaussian_filter(random.standard_normal(small, dtype=np.float32), scale / coarse, mode="wrap")
    field /= max(float(field.std()), 1e-6)
    if coarse > 1:
        field = ndimage.zoom(field, coarse, order=1)
    return field[: shape[0], : shape[1]]


def clouds(random: np.random.Generator, shape: tuple[int, int], sky: Sky, resolution_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Opacity of clouds and depth of their shadows on the ground, (rows, cols) 0…1."""
    if not sky.cloud_share:
        return np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    unit = 10 / resolution_m
    field = noise(random, shape, 28 * unit) + 0.35 * noise(random, shape, 7 * unit)
    least = np.quantile(field, 1 - sky.cloud_share)
    opacity = np.clip((field - least) / 0.35 + 0.25, 0, 1) * (field >= least - 0.05)
    opacity = ndimage.gaussian_filter(opacity, 1.2 * unit).astype(np.float32)
    throw = sky.base_m / np.tan(np.radians(sky.sun_elevation)) / resolution_m
    azimuth = np.radians(sky.sun_azimuth)
    shadow = ndimage.shift(opacity, (throw * np.cos(azimuth), -throw * np.sin(azimuth)), order=1, mode="grid-wrap")
    return opacity, ndimage.gaussian_filter(shadow, 1.0 * unit)


def picture(
    random: np.random.Generator, ground: np.ndarray, sky: Sky, *, fine: int, resolution_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """(bands, rows × fine, cols × fine) reflectance × 10,000 -> what a sensor stores of it, (bands, rows, cols) uint16, and where no cloud and
    no shadow deeper than a twentieth stands (rows, cols) bool, both where the picture was taken (not yet off by the shift).
    """
    shape = ground.shape[1:]
    opacity, shadow = clouds(random, shape, sky, resolution_m / fine)
    thick = noise(random, shape, 160 * fine) if sky.haze else np.zeros(shape, np.float32)
    veil = sky.haze * np.clip(0.55 + 0.25 * thick, 0, 1)
    seen = np.empty((len(ground), shape[0] // fine, shape[1] // fine), np.uint16)
    for band, light in enumerate(ground):
        light = light * (1 - shadow * (1 - SHADOW[band])) + veil * HAZE[band]
        light = light * (1 - opacity) + 10_000 * CLOUD[band] * opacity
        light = ndimage.gaussian_filter(light, 0.55 * fine, mode="nearest")
        if any(sky.shift_px):
            light = ndimage.shift(light, (sky.shift_px[1] * fine, sky.shift_px[0] * fine), order=1, mode="nearest")
        light = light.reshape(seen.shape[1], fine, seen.shape[2], fine).mean(axis=(1, 3))
        light = light * sky.gain * random.normal(1, 0.012, light.shape) + random.normal(0, 22, light.shape)
        seen[band] = np.clip(np.round(light), 1, 10_000)
    hidden = np.maximum(opacity, shadow).reshape(seen.shape[1], fine, seen.shape[2], fine).max(axis=(1, 3))
    return seen, hidden < 0.05
