"""How near places come to things that are known: reference layers as points or lines, and distances to them in metres."""

from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEP_M = 30.0
_LAT_M = 110_950.0
_LON_M = 111_320.0


@dataclass(frozen=True, slots=True)
class Reference:
    """Known things in storage degrees (EPSG:4326, lon before lat): `points` of shape (n, 2), or `lines` as an array of shapely lines.

    `name` says what they are (buildings, roads, districts, coast); `titles` are the words for it, zh-CN and English.
    """

    name: str
    points: Floats | None = None
    lines: NDArray[np.object_] | None = field(default=None, repr=False)
    titles: tuple[str, str] = ("", "")


def outlines(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """The lines of polygons and lines, one part each; points are left out.

    >>> len(outlines(np.array([shapely.box(0, 0, 1, 1), shapely.Point(0, 0)], dtype=object)))
    1
    """
    parts = shapely.get_parts(shapes)
    dimension = shapely.get_dimensions(parts)
    return np.concatenate([shapely.get_parts(shapely.boundary(parts[dimension == 2])), parts[dimension == 1]])


class Ruler:
    """Distances in metres to one reference, on a plane true at `middle_lat`; 1 % off at 60 km north or south of it, which nearness forgives.

    `dimension` is 2 for points (the chance of one within d grows with d²) and 1 for lines (with d).
    """

    def __init__(self, reference: Reference, middle_lat: float) -> None:
        self.name = reference.name
        self.titles = reference.titles
        self._scale = np.array([_LON_M * np.cos(np.radians(middle_lat)), _LAT_M])
        if reference.points is not None:
            self.dimension = 2
            self._segments = None
            from scipy.spatial import cKDTree

            self._tree = cKDTree(np.asarray(reference.points, dtype=np.float64) * self._scale)
            return
        self.dimension = 1
        xy, owner = shapely.get_coordinates(reference.lines, return_index=True)
        xy = xy * self._scale
        joined = owner[1:] == owner[:-1]
        start, end = xy[:-1][joined], xy[1:][joined]
        pieces = np.maximum(1, np.ceil(np.hypot(*(end - start).T) / _STEP_M)).astype(np.int64)
        segment = np.repeat(np.arange(len(start)), pieces)
        first = np.repeat(np.cumsum(pieces) - pieces, pieces)
        along = ((np.arange(len(segment)) - first + 0.5) / pieces[segment])[:, None]
        self._segments = (start, end, segment)
        from scipy.spatial import cKDTree

        self._tree = cKDTree(start[segment] + along * (end - start)[segment])

    def __len__(self) -> int:
        return self._tree.n

    def metres(self, lon: Floats, lat: Floats) -> Floats:
        """Distance of each place to the nearest known thing; infinite where the place is NaN or nothing is known."""
        places = np.column_stack([lon, lat]) * self._scale
        found = np.full(len(places), np.inf)
        sound = np.isfinite(places).all(axis=1)
        if not sound.any() or not self._tree.n:
            return found
        near = places[sound]
        metres, at = self._tree.query(near, k=1 if self._segments is None else min(2, self._tree.n))
        if self._segments is None:
            found[sound] = metres
            return found
        start, end, segment = self._segments
        best = np.full(len(near), np.inf)
        for column in np.reshape(at, (len(near), -1)).T:
            a, b = start[segment[column]], end[segment[column]]
            run = b - a
            length = np.maximum((run**2).sum(axis=1), 1e-12)
            share = np.clip(((near - a) * run).sum(axis=1) / length, 0.0, 1.0)
            best = np.minimum(best, np.hypot(*(near - a - share[:, None] * run).T))
        found[sound] = best
        return found


def around(references: list[Reference], west: float, south: float, east: float, north: float, margin_deg: float = 0.05) -> list[Reference]:
    """The part of each reference in and around a box in degrees; those with nothing there are left out."""
    box = (west - margin_deg, south - margin_deg, east + margin_deg, north + margin_deg)
    found = []
    for reference in references:
        if reference.points is not None:
            lon, lat = np.asarray(reference.points, dtype=np.float64).T
            kept = (lon >= box[0]) & (lat >= box[1]) & (lon <= box[2]) & (lat <= box[3])
            if kept.any():
                found.append(Reference(reference.name, points=reference.points[kept], titles=reference.titles))
        elif reference.lines is not None and len(reference.lines):
            cut = shapely.clip_by_rect(reference.lines, *box)
            cut = cut[~shapely.is_empty(cut)]
            if len(cut):
                found.append(Reference(reference.name, lines=shapely.get_parts(cut), titles=reference.titles))
    return found
