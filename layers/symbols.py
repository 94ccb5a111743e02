"""The shapes that stand for things on the map, drawn once into one white picture (an atlas); layers tint them."""

import io
from functools import cache

from PIL import Image, ImageDraw

SIDE = 64
NAMES = ("diamond", "triangle", "circle", "ring", "square", "arrow", "drone", "person")
URL = "/api/symbols.png"
MAPPING = {name: {"x": number * SIDE, "y": 0, "width": SIDE, "height": SIDE, "anchorY": SIDE // 2, "mask": True} for number, name in enumerate(NAMES)}
"""deck.gl icon mapping: pixels in the atlas, y down."""


@cache
def atlas() -> bytes:
    """The picture as PNG: white on nothing, a row of squares of SIDE pixels, edges smoothed by drawing four times as large."""
    k = 4
    sheet = Image.new("L", (SIDE * len(NAMES), SIDE))
    for number, name in enumerate(NAMES):
        tile = Image.new("L", (SIDE * k, SIDE * k))
        _draw(ImageDraw.Draw(tile), name, SIDE * k / 64)
        sheet.paste(tile.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (number * SIDE, 0))
    picture = Image.new("RGBA", sheet.size, (255, 255, 255, 0))
    picture.putalpha(sheet)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _draw(pen: ImageDraw.ImageDraw, name: str, k: float) -> None:
    def scaled(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x * k, y * k) for x, y in points]

    def disc(x: float, y: float, radius: float, fill: int = 255) -> None:
        pen.ellipse([(x - radius) * k, (y - radius) * k, (x + radius) * k, (y + radius) * k], fill=fill)

    match name:
        case "diamond":
            pen.polygon(scaled((32, 3), (61, 32), (32, 61), (3, 32)), fill=255)
        case "triangle":
            pen.polygon(scaled((32, 6), (61, 57), (3, 57)), fill=255)
        case "circle":
            disc(32, 32, 25)
        case "ring":
            disc(32, 32, 25)
            disc(32, 32, 14, 0)
        case "square":
            pen.rounded_rectangle([10 * k, 10 * k, 54 * k, 54 * k], 8 * k, fill=255)
        case "arrow":
            pen.polygon(scaled((32, 4), (55, 58), (32, 46), (9, 58)), fill=255)
        case "drone":
            for x, y in ((14, 14), (50, 14), (14, 50), (50, 50)):
                pen.line(scaled((32, 32), (x, y)), fill=255, width=int(6 * k))
                disc(x, y, 11)
                disc(x, y, 5, 0)
            disc(32, 32, 9)
        case "person":
            disc(32, 18, 12)
            pen.pieslice([10 * k, 32 * k, 54 * k, 84 * k], 180, 360, fill=255)
