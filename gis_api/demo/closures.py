"""Water before the coast that is closed to boats, drawn on the map: the tower above the bay sees it. Its recordings are of elsewhere, so nothing is found there."""

import shapely
from psycopg import AsyncConnection

from grid.database import Scope
from grid.world import camera_zones
from grid.world.camera_zones import Draft

NO_GO = Draft(
    name="太清湾禁航区",
    purpose="forbidden",
    kind="boat_no_go",
    detector="boats",
    classes=("boat",),
    shape=shapely.Polygon([(120.606, 36.090), (120.614, 36.087), (120.6145, 36.106), (120.610, 36.110)]),
    min_dwell_s=30.0,
)


async def load(connection: AsyncConnection, city_code: str) -> None:
    """Draws the zone as the city."""
    await camera_zones.create(connection, Scope(city_code), None, NO_GO, simulated=True)
