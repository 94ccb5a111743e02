"""The coastline: what of the union of the districts touches no neighbouring city, with chainage, and setback zones on its landward side."""

import numpy as np
import shapely
from scipy.spatial import cKDTree

from gis_api.demo import plane
from gis_api.demo.districts import Land
from grid.world.coast import CoastPiece, Setback

PIECE_M = 2000.0
NEIGHBOUR_M = 400.0
SETBACKS = (
    (100.0, "核心退缩区", "退缩线 100 米：除公共服务与防灾设施外不得新建（示例条款，非官方）"),
    (200.0, "一般退缩区", "退缩线 200 米：新建建筑须经海岸带专项论证（示例条款，非官方）"),
)
# stretches of built shore: name, lon, lat, radius in metres
HARBOURS = (
    ("小港", 120.306, 36.080, 1500), ("大港", 120.320, 36.095, 2200), ("前湾港", 120.225, 36.010, 4500), ("董家口港", 119.780, 35.605, 5000),
    ("奥帆中心", 120.392, 36.056, 900), ("红岛", 120.260, 36.185, 2500), ("女岛港", 120.880, 36.375, 1200), ("积米崖港", 120.060, 35.905, 1200),
)  # fmt: skip


def shoreline(land: Land) -> list[shapely.LineString]:
    """Coast lines in plane metres, the mainland's first (from the Yantai border in the north-east to the Rizhao border), then the islands'."""
    parts = [p for p in shapely.get_parts(land.whole) if p.area > 20_000]
    main = max(parts, key=lambda p: p.area)
    away = shapely.difference(main.exterior, shapely.buffer(land.neighbours, NEIGHBOUR_M))
    lines = [line for line in shapely.get_parts(shapely.line_merge(shapely.multilinestrings(shapely.get_parts(away)))) if line.length > 3000]
    lines.sort(key=lambda line: -line.length)
    longest = lines[0]
    if shapely.get_x(shapely.get_point(longest, 0)) < shapely.get_x(shapely.get_point(longest, -1)):
        longest = shapely.reverse(longest)
    islands = sorted((p for p in parts if p is not main), key=lambda p: -p.area)
    return [longest, *(shapely.LineString(p.exterior.coords) for p in islands)]


def pieces(land: Land) -> list[CoastPiece]:
    """The coast cut every two kilometres; chainage runs on along each line."""
    codes = sorted(land.districts)
    borders = shapely.segmentize(shapely.boundary([land.districts[c] for c in codes]), 100)
    points, owner = shapely.get_coordinates(borders, return_index=True)
    tree = cKDTree(points)
    harbours = [(*plane.xy(lon, lat), radius) for _, lon, lat, radius in HARBOURS]
    rows: list[CoastPiece] = []
    for number, line in enumerate(shoreline(land)):
        name = "青岛大陆岸线" if number == 0 else f"海岛岸线 {number:02d}"
        count = max(round(line.length / PIECE_M), 1)
        steps = np.linspace(0, line.length, count + 1)
        for start, end in zip(steps[:-1], steps[1:], strict=True):
            part = _cut(line, start, end)
            middle = shapely.get_coordinates(part.interpolate(0.5, normalized=True))[0]
            built = any(np.hypot(middle[0] - x, middle[1] - y) < radius for x, y, radius in harbours)
            region = codes[owner[tree.query(middle)[1]]]
            rows.append(CoastPiece(name, round(start, 1), round(end, 1), "artificial" if built else "natural", region, True, plane.to_degrees(part)))
    return rows


def setbacks(land: Land, coast: list[CoastPiece]) -> list[Setback]:
    """One zone a district and distance: within so many metres of its coast, on its land."""
    rows: list[Setback] = []
    for code in sorted({piece.region_code for piece in coast}):
        lines = plane.to_plane(np.array([p.geom for p in coast if p.region_code == code], dtype=object))
        for distance, name, clause in SETBACKS:
            zone = shapely.intersection(shapely.union_all(shapely.buffer(shapely.simplify(lines, 2.0), distance, quad_segs=4)), land.districts[code])
            rows.append(Setback(name, distance, clause, code, True, plane.polygonal(plane.to_degrees(zone))))
    return [row for row in rows if not row.geom.is_empty]


def _cut(line: shapely.LineString, start: float, end: float) -> shapely.LineString:
    coordinates = shapely.get_coordinates(line)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(coordinates, axis=0).T))])
    inner = coordinates[(along > start) & (along < end)]
    tips = shapely.get_coordinates(shapely.line_interpolate_point(line, [start, end]))
    return shapely.LineString(np.vstack([tips[:1], inner, tips[1:]]))
