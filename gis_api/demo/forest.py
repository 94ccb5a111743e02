"""Forest compartments 林班: the generated slopes of Laoshan above the fields, and wooded hills elsewhere, cut into compartments."""

import numpy as np
import shapely
from rasterio.features import shapes
from rasterio.transform import from_bounds
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from gis_api.demo import plane, streets, terrain
from gis_api.demo.districts import Land
from grid import geometry
from grid.world.forest import ForestZone

TREE_LINE_M = 150.0
SPECIES = ("黑松", "赤松", "刺槐", "麻栎", "落叶松", "侧柏", "油松", "阔叶混交")
RISK = {"黑松": 5, "赤松": 5, "落叶松": 4, "油松": 5, "侧柏": 4, "刺槐": 3, "麻栎": 3, "阔叶混交": 2}
# name, lon, lat, radius in metres, district
HILLS = (
    ("浮山", 120.4240, 36.0930, 1300, "370202"), ("太平山", 120.3466, 36.0695, 560, "370202"), ("小珠山", 120.0900, 35.9700, 4200, "370211"),
    ("大珠山", 120.0300, 35.7800, 3600, "370211"), ("铁橛山", 119.8600, 35.8400, 3200, "370211"), ("藏马山", 119.8000, 35.7600, 3000, "370211"),
    ("三标山", 120.5300, 36.3050, 2200, "370214"), ("老虎山", 120.4420, 36.1610, 900, "370213"), ("马山", 120.4000, 36.3800, 900, "370215"),
    ("鹤山", 120.6500, 36.3900, 1500, "370215"), ("大泽山", 120.0300, 36.9600, 4500, "370283"), ("茶山", 120.1900, 36.9000, 2600, "370283"),
    ("艾山", 119.9300, 36.1300, 1500, "370281"), ("大青山", 120.4500, 37.0700, 1800, "370285"),
)  # fmt: skip


def wood(land: Land, ground: np.ndarray) -> BaseGeometry:
    """The forest of Laoshan in plane metres: ground above the tree line of fields, smoothed, on the district's land."""
    coarse = ndimage.uniform_filter(ground, 5)[::4, ::4]
    transform = from_bounds(terrain.WEST, terrain.SOUTH, terrain.EAST, terrain.NORTH, coarse.shape[1], coarse.shape[0])
    found = [shapely.geometry.shape(s) for s, value in shapes((coarse > TREE_LINE_M).astype(np.uint8), transform=transform) if value == 1]
    smooth = shapely.buffer(shapely.buffer(plane.to_plane(shapely.union_all(found)), -90), 90, quad_segs=4)
    return shapely.intersection(shapely.simplify(smooth, 12.0), land.districts["370212"])


def zones(land: Land, ground: np.ndarray) -> tuple[list[ForestZone], BaseGeometry]:
    """Compartments as rows, and all of them as one shape in plane metres."""
    dice = plane.dice("forest")
    areas = [("崂山", "370212", wood(land, ground), 85.0)]
    for name, lon, lat, radius, district in HILLS:
        x, y = plane.xy(lon, lat)
        turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        reach = radius * (1 + sum(dice.normal(0, 0.16 / k) * np.sin(k * turn + dice.uniform(0, 6.3)) for k in (1, 2, 3, 4, 6)))
        blob = shapely.Polygon(np.column_stack([x + reach * np.cos(turn), y + reach * np.sin(turn)]))
        areas.append((name, district, shapely.intersection(blob, land.districts[district]), 70.0))
    rows: list[ForestZone] = []
    for name, district, area, mean_ha in areas:
        if area.is_empty:
            continue
        pieces = streets.tessellate(area, max(int(area.area / 1e4 / mean_ha * 14), 3), dice)
        spots = shapely.get_coordinates(shapely.point_on_surface(pieces))
        labels = streets.group(spots, shapely.area(pieces), max(round(area.area / 1e4 / mean_ha), 1))
        for k in range(labels.max() + 1):
            shape = plane.polygonal(plane.to_degrees(shapely.union_all(pieces[labels == k])))
            species = str(dice.choice(SPECIES, p=(0.28, 0.16, 0.16, 0.12, 0.06, 0.07, 0.05, 0.1)))
            kind = str(dice.choice(("scenic", "public_welfare", "commercial"), p=(0.35, 0.5, 0.15) if name == "崂山" else (0.2, 0.45, 0.35)))
            code = f"{district}LB{len(rows) + 1:04d}"
            rows.append(ForestZone(code, f"{name}林班 {k + 1:03d}", kind, species, RISK[species], round(geometry.area_m2(shape) / 1e4, 2), district, True, shape))
    return rows, shapely.union_all([area for _, _, area, _ in areas])
