"""Frames that a demo tower sees when no recorded ones are at hand: sky, ridges, a rising plume of smoke, drawn by us and written on the picture as 模拟."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from gis_api.demo import plane

WIDTH, HEIGHT = 1280, 960


def tower_frame(name: str, minute: int, view: str = "") -> Image.Image:
    """The view of the tower `name` after `minute` minutes of burning; 0 is before the fire. The same arguments give the same pixels.
    `view`: another tower whose hills it looks at; the name then gives the caption and the sensor's noise."""
    dice = plane.dice(f"tower {view or name}")
    image, crest = _hills(dice)
    if minute > 0:
        image = _plume(image, dice, *_stand(dice, crest), minute)
    image += plane.dice(f"grain {name} {minute}").normal(0, 2.2, image.shape)
    picture = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.text((18, 14), f"SIMULATED FRAME  {name}", fill=(255, 255, 255), font=ImageFont.load_default(22))
    return picture


def foot(name: str) -> tuple[float, float]:
    """Where the smoke of the tower `name` stands, as shares of the picture's width and height."""
    dice = plane.dice(f"tower {name}")
    column, row = _stand(dice, _hills(dice)[1])
    return column / WIDTH, row / HEIGHT


def _stand(dice: np.random.Generator, crest: np.ndarray) -> tuple[int, float]:
    """Column and row of the foot of the smoke: on the slope below a crest."""
    column = int(WIDTH * dice.uniform(0.3, 0.7))
    return column, float(crest[column]) + 70


def _hills(dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sky and five ridges one behind the other (rows, columns, 3), and the rows of the crest of the middle one."""
    rows = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)[0]
    sky_top, sky_low = np.array([96, 146, 205.0]), np.array([204, 222, 236.0])
    share = np.clip(rows / (0.55 * HEIGHT), 0, 1)[..., None]
    image = sky_top * (1 - share) + sky_low * share
    clouds = _noise(dice, 60) + 0.5 * _noise(dice, 25)
    image += (np.clip(clouds - 0.3, 0, 1.5) * 13 * (1 - share[..., 0]))[..., None]
    horizon = None
    for depth in range(5):
        level = HEIGHT * (0.40 + 0.085 * depth)
        crest = level - _profile(dice, 26 + 22 * depth, 180 / (1 + 0.4 * depth))
        haze = 0.78 - 0.17 * depth
        leaf = np.array([52, 78, 46.0]) * (0.75 + 0.1 * depth)
        texture = _noise(dice, 1.2 + 0.5 * depth) * (4 + 5 * depth) + _noise(dice, 9) * (3 + 3 * depth)
        colour = (leaf + texture[..., None]) * (1 - haze) + np.array([178, 199, 219.0]) * haze
        image = np.where((rows > crest[None, :])[..., None], colour, image)
        horizon = crest if depth == 2 else horizon
    return image, horizon


def write_sequence(folder: Path, name: str, minutes: tuple[int, ...] = (1, 2, 3)) -> Path:
    """Writes the frames of a tower as JPEG files into `folder` (made anew when it holds none) and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, minute in enumerate(minutes):
        target = folder / f"{number:03d}.jpg"
        if not target.exists():
            tower_frame(name, minute).save(target, quality=92)
    return folder


def _plume(image: np.ndarray, dice: np.random.Generator, column: int, row: float, minute: int) -> np.ndarray:
    """Grey-white smoke that leaves the slope at a column and row and leans with the wind."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    rise = row - rows
    tall = 150 + 75 * minute
    lean = dice.uniform(0.25, 0.5) * dice.choice([-1, 1])
    centre = column + lean * np.maximum(rise, 0) ** 1.12 / 1.3
    wide = 12 + 0.30 * np.maximum(rise, 0) + 5 * minute
    body = np.exp(-(((columns - centre) / wide) ** 2)) * (rise > -8) * np.clip(1.15 - rise / tall, 0, 1)
    billow = np.clip(0.75 + 0.42 * _noise(dice, 14) + 0.25 * _noise(dice, 5), 0, 1.4)
    opacity = np.clip(body * billow * 1.25, 0, 0.95)[..., None]
    shade = 196 + 26 * _noise(dice, 10)[..., None] + np.clip(rise / 8, 0, 24)[..., None]
    return image * (1 - opacity) + shade * np.array([1.0, 1.0, 1.02]) * opacity


def _profile(dice: np.random.Generator, height: float, scale: float) -> np.ndarray:
    line = sum(ndimage.gaussian_filter1d(dice.normal(0, 1, WIDTH + 400), scale / k)[200:-200] * np.sqrt(scale / k) / k for k in (1, 2.5, 7, 20))
    return line * height / 1.2


def _noise(dice: np.random.Generator, scale: float) -> np.ndarray:
    small = max(int(scale / 3), 1)
    field = ndimage.gaussian_filter(dice.normal(0, 1, (HEIGHT // small + 2, WIDTH // small + 2)), scale / small)
    field = ndimage.zoom(field, small, order=1)[:HEIGHT, :WIDTH] if small > 1 else field[:HEIGHT, :WIDTH]
    return (field / field.std()).astype(np.float32)
