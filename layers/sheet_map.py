"""The picture of features as SVG, in millimetres or pixels of a window: paths grouped by how they are painted, points in the shapes of the legend.

Only numbers and #rrggbb colours enter the picture; no text of the data does.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from layers.colours import Paint, Painter
from layers.paint import LegendEntry

PATHS_EACH = 400
"""Features that share one path element."""
_MARKS = {
    "diamond": lambda r: f"m0 {-1.25 * r:.2f}l{1.25 * r:.2f} {1.25 * r:.2f}l{-1.25 * r:.2f} {1.25 * r:.2f}l{-1.25 * r:.2f} {-1.25 * r:.2f}z",
    "triangle": lambda r: f"m0 {-1.2 * r:.2f}l{1.15 * r:.2f} {2.1 * r:.2f}h{-2.3 * r:.2f}z",
    "square": lambda r: f"m{-0.9 * r:.2f} {-0.9 * r:.2f}h{1.8 * r:.2f}v{1.8 * r:.2f}h{-1.8 * r:.2f}z",
}


@dataclass(frozen=True, slots=True)
class Pens:
    """Units of the picture that a pixel of the screen is, for line widths and for radii; a filled area smaller than `least` has no outline, which would hide its colour."""

    line: float = 0.16
    radius: float = 0.2
    least: float = 1.6


def disc(radius: float) -> str:
    """A circle around the pen's place, as path commands."""
    return f"m{-radius:.2f} 0a{radius:.2f} {radius:.2f} 0 1 0 {2 * radius:.2f} 0a{radius:.2f} {radius:.2f} 0 1 0 {-2 * radius:.2f} 0z"


def mark(shape: str, radius: float) -> str:
    """A point's mark by the name of its legend shape; a circle for those that are none."""
    return _MARKS.get(shape, disc)(radius)


def outline(shape: shapely.Geometry) -> str:
    """Lines and rings of a shape as path commands; shells and holes turn opposite ways, so that holes stay open under the nonzero rule."""
    parts: list[str] = []
    for part in shapely.get_parts(shape):
        if part.geom_type == "GeometryCollection":
            parts.append(outline(part))
        elif part.geom_type == "Polygon" and not part.is_empty:
            turned = shapely.orient_polygons(part)
            parts += [_run(shapely.get_coordinates(ring)[:-1], "z") for ring in (turned.exterior, *turned.interiors)]
        elif part.geom_type in ("LineString", "LinearRing") and not part.is_empty:
            parts.append(_run(shapely.get_coordinates(part), ""))
    return "".join(parts)


def _run(points: NDArray[np.float64], end: str) -> str:
    return f"M{'L'.join(f'{x:.2f} {y:.2f}' for x, y in points.tolist())}{end}" if len(points) > 1 else ""


class Drawing:
    """Collects features and gives them back as SVG elements. `drawn` counts what is in the window, `hits` how many of these had each colour."""

    def __init__(self, painter: Painter, legend: tuple[LegendEntry, ...], pens: Pens) -> None:
        self._painter, self._pens = painter, pens
        self._shapes = {entry.color.upper(): entry.shape for entry in legend}
        self._groups: dict[tuple[Paint, int], list[str]] = {}
        self.drawn = 0
        self.hits: Counter[str] = Counter()

    def add(self, shapes: NDArray[np.object_], rows: Iterable[Mapping[str, Any]]) -> None:
        """Features in units of the picture with their properties; what is empty is not in the window."""
        for shape, row in zip(shapes, rows, strict=True):
            if shape is None or shape.is_empty:
                continue
            paint = self._painter.paint(row)
            dimension = int(shapely.get_dimensions(shape))
            if dimension == 2 and paint.fill and paint.fill[1] > 0.2 and _small(shape, self._pens.least):
                paint = replace(paint, line=None)
            text = outline(shape) if dimension else self._points(shape, paint)
            if text:
                self.drawn += 1
                self.hits.update({part[0].upper() for part in (paint.fill, paint.line) if part})
                self._groups.setdefault((paint, dimension), []).append(text)

    def _points(self, shape: shapely.Geometry, paint: Paint) -> str:
        known = self._shapes.get((paint.fill or paint.line or ("", 0))[0].upper(), "circle")
        sign = mark(known, max(1.5, paint.radius) * self._pens.radius)
        return "".join(f"M{x:.2f} {y:.2f}{sign}" for x, y in shapely.get_coordinates(shape).tolist())

    def svg(self) -> str:
        """Areas first, then lines, then points."""
        made: list[str] = []
        for (paint, dimension), texts in sorted(self._groups.items(), key=lambda item: -item[0][1]):
            style = _style(paint, dimension, self._pens)
            if style:
                made += [f'<path {style} d="{"".join(texts[at : at + PATHS_EACH])}"/>' for at in range(0, len(texts), PATHS_EACH)]
        return "".join(made)


def _small(shape: shapely.Geometry, least: float) -> bool:
    west, south, east, north = shape.bounds
    return max(east - west, north - south) < least


def _style(paint: Paint, dimension: int, pens: Pens) -> str:
    fill = paint.fill if dimension != 1 else None
    line = paint.line or (paint.fill if dimension == 1 else None)
    if fill is None and line is None:
        return ""
    text = f'fill="{fill[0]}" fill-opacity="{max(fill[1], 0.75) if dimension == 0 else fill[1]}"' if fill else 'fill="none"'
    if line and not (dimension == 0 and fill):
        text += f' stroke="{line[0]}" stroke-opacity="{line[1]}" stroke-width="{max(0.08, min(paint.width, 6) * pens.line):.2f}" stroke-linejoin="round" stroke-linecap="round"'
    elif dimension == 0:
        text += ' stroke="#FFFFFF" stroke-width="0.1"'
    return text


def path(shapes: NDArray[np.object_], fill: str | None, stroke: str | None = None, width: float = 0.1, more: str = "") -> str:
    """Shapes of one look as path elements."""
    texts = [text for shape in shapes if shape is not None and not shape.is_empty and (text := outline(shape))]
    pen = f' stroke="{stroke}" stroke-width="{width:.2f}" stroke-linejoin="round" stroke-linecap="round"' if stroke else ""
    return "".join(f'<path fill="{fill or "none"}"{pen} {more} d="{"".join(texts[at : at + PATHS_EACH])}"/>' for at in range(0, len(texts), PATHS_EACH))


def picture(width: float, height: float, ground: str, *parts: str) -> str:
    """A whole SVG document of these elements."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"><rect width="{width:g}" height="{height:g}" fill="{ground}"/>{"".join(parts)}</svg>'
