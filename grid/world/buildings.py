"""Building footprints: hundreds of thousands of rows, loaded by COPY in Hilbert order."""

from dataclasses import dataclass, fields

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry

from grid.database import Scope
from grid.errors import NotFound
from grid.world.bulk import copy_columns

USES = ("residential", "commercial", "office", "industrial", "public", "education", "medical", "warehouse")


@dataclass(frozen=True, slots=True)
class Building:
    """One building; `height_m` above ground, `floors` and `households` counted, `geom` a Polygon (EPSG:4326)."""

    id: int
    name: str
    address: str
    use: str
    height_m: float
    floors: int
    households: int
    region_code: str
    cell_code: str | None
    simulated: bool
    geom: BaseGeometry


@dataclass(frozen=True, slots=True)
class Buildings:
    """Many buildings as columns of one length (object arrays of text and polygons, numeric arrays)."""

    name: NDArray[np.object_]
    address: NDArray[np.object_]
    use: NDArray[np.object_]
    height_m: NDArray[np.float64]
    floors: NDArray[np.int64]
    households: NDArray[np.int64]
    region_code: NDArray[np.object_]
    cell_code: NDArray[np.object_]
    simulated: NDArray[np.bool_]
    geom: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.geom)


def hilbert(lon: NDArray[np.float64], lat: NDArray[np.float64], order: int = 16) -> NDArray[np.uint64]:
    """Position of points along a Hilbert curve over their own bounding box (Warren, 2013): neighbours on the map become neighbours on disk.

    >>> hilbert(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0]), order=1).tolist()
    [0, 1, 2, 3]
    >>> hilbert(np.array([]), np.array([])).tolist()
    []
    """
    if not len(lon):
        return np.empty(0, dtype=np.uint64)
    side = (1 << order) - 1
    spread = max(float(np.ptp(lon)), float(np.ptp(lat)), 1e-12)
    x = ((lon - lon.min()) / spread * side).astype(np.int64)
    y = ((lat - lat.min()) / spread * side).astype(np.int64)
    key = np.zeros(len(x), dtype=np.uint64)
    for bit in range(order - 1, -1, -1):
        rx, ry = (x >> bit) & 1, (y >> bit) & 1
        key = (key << np.uint64(2)) | ((3 * rx) ^ ry).astype(np.uint64)
        turn = ry == 0
        flip = turn & (rx == 1)
        x, y = np.where(flip, side - x, x), np.where(flip, side - y, y)
        x, y = np.where(turn, y, x), np.where(turn, x, y)
    return key


async def load(connection: AsyncConnection, buildings: Buildings, first_id: int = 1) -> int:
    """Appends buildings in Hilbert order of their centres, numbered from `first_id` in that order. Returns how many."""
    bounds = shapely.bounds(buildings.geom)
    order = np.argsort(hilbert((bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2), kind="stable")
    columns = {f.name: getattr(buildings, f.name)[order] for f in fields(buildings)}
    return await copy_columns(connection, "buildings", {"id": np.arange(first_id, first_id + len(order)), **columns})


async def get(connection: AsyncConnection, building_id: int, scope: Scope) -> Building:
    """One building of a scope. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(Building)) as cursor:
        await cursor.execute(
            """
            SELECT id, name, address, use, height_m, floors, households, region_code, cell_code, simulated, geom
            FROM buildings WHERE id = %(id)s AND region_code LIKE %(scope)s
            """,
            {"id": building_id, "scope": scope.like},
        )
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"no building {building_id}")
    return found


async def count(connection: AsyncConnection) -> int:
    """How many buildings there are."""
    cursor = await connection.execute("SELECT count(*) FROM buildings")
    return (await cursor.fetchone())[0]
