"""Buildings of a city that does not exist, for a database that has none: street blocks along a bay, in Hilbert order, the same at each run."""

import numpy as np
import psycopg
import shapely

from layers.generalise import hilbert

ORIGIN = (120.30, 36.05)
METRES = (90_000.0, 111_000.0)
"""Metres of a degree of longitude and latitude there, good to 1 %: enough for houses that stand nowhere."""

USES = ("residential", "commercial", "office", "industrial", "public", "education", "medical", "warehouse")
SHARES = (0.68, 0.12, 0.06, 0.04, 0.03, 0.03, 0.02, 0.02)


def fill(url: str, number: int, seed: int = 7) -> int:
    """Writes about `number` footprints into an empty register, marked simulated; returns how many."""
    random = np.random.default_rng(seed)
    block, per_block = 120.0, 24
    across = int(np.ceil(np.sqrt(number / per_block / 0.75)))
    x, y = (values.ravel() for values in np.meshgrid(np.arange(across), np.arange(across)))
    built = random.random(len(x)) < 0.75
    x, y = x[built], y[built]
    turn = 0.3 * np.sin(x / 19) + 0.3 * np.cos(y / 23)
    column, row = (values.ravel() for values in np.meshgrid(np.arange(6), np.arange(4)))
    pitch = np.array([(block - 16) / 6, (block - 16) / 4])
    centre = np.stack([(column - 2.5) * pitch[0], (row - 1.5) * pitch[1]], 1)[None] + np.zeros((len(x), 1, 1))
    half = pitch / 2 * random.uniform(0.55, 0.95, (*centre.shape[:2], 2))
    corners = centre[:, :, None] + half[:, :, None] * np.array([[-1, -1], [1, -1], [1, 0.2], [0.3, 0.2], [0.3, 1], [-1, 1]])
    spin = np.stack([np.stack([np.cos(turn), -np.sin(turn)], -1), np.stack([np.sin(turn), np.cos(turn)], -1)], -2)
    corners = np.einsum("bij,bnkj->bnki", spin, corners) + np.stack([x, y], 1)[:, None, None] * block
    rings = corners.reshape(-1, 6, 2)[:number] / METRES + ORIGIN
    shapes = shapely.set_srid(shapely.polygons(rings), 4326)
    shapes = shapes[np.argsort(hilbert(shapely.centroid(shapes)))]
    use = random.choice(USES, len(shapes), p=SHARES)
    height = np.round(np.clip(random.gamma(2.2, 9.0, len(shapes)), 3, 180), 1)
    region = 1 + (shapely.get_coordinates(shapely.centroid(shapes)) - ORIGIN) // 0.01
    with psycopg.connect(url) as connection:
        with connection.cursor().copy("COPY buildings (id, address, use, height_m, floors, households, region_code, geom) FROM STDIN") as copy:
            for n, (shape, kind, tall, (east, north)) in enumerate(zip(shapely.to_wkb(shapes, hex=True, include_srid=True), use, height.tolist(), region.astype(int), strict=True), 1):
                floors = max(1, round(tall / 3))
                copy.write_row((n, f"模拟路 {n % 400} 号", kind, tall, floors, floors * 2, f"370202{east:03d}{north:03d}", shape))
        connection.execute("ANALYZE buildings")
    return len(shapes)
