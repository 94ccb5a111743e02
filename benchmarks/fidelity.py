"""How like two vector tiles of one layer are: features, properties, shapes. Used by benchmarks.tiles and the tests of the encoder."""

from dataclasses import dataclass, field

import numpy as np
import shapely
from mapbox_vector_tile.Mapbox import vector_tile_pb2
from numpy.typing import NDArray


@dataclass
class Likeness:
    """What a comparison of many tiles found. `only` counts features of one side alone; `invalid` polygons of ours; `iou` by polygon, sampled."""

    tiles: int = 0
    features: int = 0
    only_ours: int = 0
    only_theirs: int = 0
    properties_differ: int = 0
    invalid: int = 0
    winding: int = 0
    iou: list[float] = field(default_factory=list)
    apart: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of a tile: kind (1 point, 2 line, 3 polygon), properties and rings, lines or points as arrays of (x, y)."""

    kind: int
    properties: dict
    rings: tuple[NDArray[np.int64], ...]


def parse(body: bytes) -> dict[int, Feature]:
    """The features of a tile of one layer, by id; empty bytes give none. Raises ValueError when an id stands twice."""
    if not body:
        return {}
    (layer,) = vector_tile_pb2.tile.FromString(body).layers
    kinds = ("string_value", "float_value", "double_value", "int_value", "uint_value", "sint_value", "bool_value")
    values = [next((getattr(value, kind) for kind in kinds if value.HasField(kind)), None) for value in layer.values]
    keys = list(layer.keys)
    found: dict[int, Feature] = {}
    for feature in layer.features:
        if feature.id in found:
            raise ValueError(f"feature {feature.id} stands twice")
        tags = list(feature.tags)
        found[feature.id] = Feature(feature.type, {keys[k]: values[v] for k, v in zip(tags[::2], tags[1::2], strict=True)}, _rings(list(feature.geometry)))
    return found


def _rings(commands: list[int]) -> tuple[NDArray[np.int64], ...]:
    rings: list[list[tuple[int, int]]] = []
    x = y = at = 0
    while at < len(commands):
        word, count = commands[at] & 7, commands[at] >> 3
        at += 1
        if word == 7:
            continue
        if word == 1:
            rings.append([])
        for _ in range(count):
            dx, dy = commands[at], commands[at + 1]
            x += (dx >> 1) ^ -(dx & 1)
            y += (dy >> 1) ^ -(dy & 1)
            at += 2
            rings[-1].append((x, y))
    return tuple(np.array(ring, np.int64) for ring in rings)


def polygon(feature: Feature) -> shapely.Geometry:
    """The (multi)polygon of a feature: a ring of positive area begins a part (y points down), the others are its holes."""
    parts: list[list[NDArray]] = []
    for ring in feature.rings:
        if signed(ring) > 0 or not parts:
            parts.append([ring])
        else:
            parts[-1].append(ring)
    polygons = [shapely.Polygon(shell, holes) for shell, *holes in parts]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def signed(ring: NDArray[np.int64]) -> float:
    """Signed area of an open ring."""
    x, y = ring.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2


def compare(a: dict[int, Feature], b: dict[int, Feature], into: Likeness, *, sample: int = 300) -> None:
    """Adds what two tiles, ours and theirs, have in common; overlaps of at most `sample` polygons, drawn evenly."""
    both = [number for number in a if number in b]
    into.tiles += 1
    into.features += len(b)
    into.only_ours += len(a) - len(both)
    into.only_theirs += len(b) - len(both)
    into.properties_differ += sum(a[number].properties != b[number].properties for number in both)
    if a and a[next(iter(a))].kind == 3:
        shapes = np.array([polygon(feature) for feature in a.values()])
        into.invalid += int((~shapely.is_valid(shapes)).sum())
        into.winding += sum(signed(feature.rings[0]) <= 0 for feature in a.values())
    step = max(1, len(both) // sample)
    for number in both[::step]:
        if a[number].kind == 3:
            mine, other = polygon(a[number]), shapely.make_valid(polygon(b[number]))
            union = shapely.area(shapely.union(shapely.make_valid(mine), other))
            into.iou.append(float(shapely.area(shapely.intersection(shapely.make_valid(mine), other)) / union) if union else 0.0)
        elif a[number].kind == 2:
            into.apart.append(float(shapely.hausdorff_distance(shapely.MultiLineString([*a[number].rings]), shapely.MultiLineString([*b[number].rings]))))
        else:
            into.apart.append(float(shapely.hausdorff_distance(shapely.MultiPoint(np.concatenate(a[number].rings)), shapely.MultiPoint(np.concatenate(b[number].rings)))))
