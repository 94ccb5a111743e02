"""Scenes as a STAC API sees them: collections with their extents, and the search over items (STAC API 1.0.0, core, collections, item search)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pystac
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from shapely.geometry.base import BaseGeometry

from grid.database import Scope, rows
from grid.errors import NotFound
from imagery.scenes import catalogue, items
from imagery.scenes.catalogue import Scene, of_row, to_stac
from imagery.scenes.items import Item


@dataclass(frozen=True, slots=True)
class SceneCollection:
    """The scenes of one origin: how many the caller may see, their box in degrees, first and last moment."""

    id: str
    count: int
    bbox: tuple[float, float, float, float]
    first: datetime
    last: datetime
    simulated: bool
    gsd_m: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; empty and None mean anything. `since` ≤ taken ≤ `until`; `area` in EPSG:4326 is touched."""

    ids: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    area: BaseGeometry | None = None
    limit: int = 10
    offset: int = 0


async def collections(connection: AsyncConnection, scope: Scope) -> list[SceneCollection]:
    """The origins of which the caller may see a scene, by name."""
    found = await rows(
        connection,
        """
        SELECT collection AS id, count(*) AS count, min(taken_at) AS first, max(taken_at) AS last, bool_and(simulated) AS simulated,
            array_agg(DISTINCT gsd_m) FILTER (WHERE gsd_m IS NOT NULL) AS gsd_m,
            ST_XMin(ST_Extent(geom)) AS w, ST_YMin(ST_Extent(geom)) AS s, ST_XMax(ST_Extent(geom)) AS e, ST_YMax(ST_Extent(geom)) AS n
        FROM (
            SELECT collection, taken_at, simulated, gsd_m, geom, region_code FROM scenes
            UNION ALL SELECT collection, taken_at, simulated, NULL, geom, region_code FROM stac_items
        ) AS shown WHERE region_code LIKE %(scope)s GROUP BY collection ORDER BY collection
        """,
        {"scope": scope.like},
    )
    return [SceneCollection(r["id"], r["count"], (r["w"], r["s"], r["e"], r["n"]), r["first"], r["last"], r["simulated"], tuple(r["gsd_m"] or ())) for r in found]


async def collection(connection: AsyncConnection, scope: Scope, collection_id: str) -> SceneCollection:
    """One of them. Raises NotFound."""
    for found in await collections(connection, scope):
        if found.id == collection_id:
            return found
    raise NotFound(f"没有影像集合 · no collection of scenes {collection_id[:80]!r}", remedy="GET /stac/collections lists them")


async def search(connection: AsyncConnection, scope: Scope, wanted: Search) -> tuple[list[Scene | Item], int]:
    """A page of scenes and of the items beside them inside the scope, newest picture first, and how many there are in all."""
    where = """
        WHERE region_code LIKE %(scope)s
          AND (%(ids)s::text[] IS NULL OR id = ANY(%(ids)s)) AND (%(collections)s::text[] IS NULL OR collection = ANY(%(collections)s))
          AND (%(since)s::timestamptz IS NULL OR taken_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR taken_at <= %(until)s)
          AND (%(area)s::geometry IS NULL OR ST_Intersects(geom, %(area)s::geometry))
    """
    parameters = {
        "scope": scope.like, "ids": list(wanted.ids) or None, "collections": list(wanted.collections) or None, "since": wanted.since, "until": wanted.until,
        "area": wanted.area, "limit": wanted.limit, "offset": wanted.offset,
    }  # fmt: skip
    page = await rows(
        connection,
        f"""
        SELECT id, beside, count(*) OVER () AS matched FROM (
            SELECT id, taken_at, false AS beside FROM scenes {where} UNION ALL SELECT id, taken_at, true FROM stac_items {where}
        ) AS shown ORDER BY taken_at DESC, id LIMIT %(limit)s OFFSET %(offset)s
        """,
        parameters,
    )
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT * FROM scenes WHERE region_code LIKE %(scope)s AND id = ANY(%(ids)s)", {"scope": scope.like, "ids": [one["id"] for one in page if not one["beside"]]})
        scenes = {found["id"]: of_row(found) for found in await cursor.fetchall()}
    beside = await items.among(connection, scope, [one["id"] for one in page if one["beside"]])
    found = [(beside if one["beside"] else scenes).get(one["id"]) for one in page]
    return [one for one in found if one is not None], page[0]["matched"] if page else 0


async def one(connection: AsyncConnection, scope: Scope, item_id: str) -> Scene | Item:
    """The scene or, where there is none of this id, the item beside the scenes. NotFound."""
    known = await items.among(connection, scope, [item_id])
    return known[item_id] if item_id in known else await catalogue.get(connection, scope, item_id)


def item(scene: Scene | Item, root: str) -> dict[str, Any]:
    """A scene or an item beside it as the item of the API at `root`/stac: absolute links to itself, its collection, the API, and the scenes it comes
    from. Bands stand with the tiles, as STAC 1.1 wants."""
    made = items.to_stac(scene, root) if isinstance(scene, Item) else to_stac(scene, root)
    home = f"{root}/stac"
    here = f"{home}/collections/{scene.collection}"
    made["links"] = [
        {"rel": "self", "href": f"{here}/items/{scene.id}", "type": "application/geo+json"},
        {"rel": "root", "href": home, "type": "application/json"},
        {"rel": "parent", "href": here, "type": "application/json"},
        {"rel": "collection", "href": here, "type": "application/json"},
        *(link for link in made["links"] if link["rel"] != "self"),
    ]
    if "bands" in made["properties"]:
        tiles = next(link["href"] for link in made["links"] if link["rel"] == "xyz")
        made["assets"]["tiles"] = {"href": tiles, "type": "image/png", "title": "XYZ", "roles": ["data", "tiles"], "bands": made["properties"].pop("bands")}
    return made


def described(found: SceneCollection, root: str) -> dict[str, Any]:
    """A collection of the API."""
    home = f"{root}/stac"
    here = f"{home}/collections/{found.id}"
    said = "模拟影像 · simulated pictures" if found.simulated else "影像 · scenes"
    made = pystac.Collection(
        id=found.id,
        title=found.id,
        description=f"{said}: {found.count}",
        extent=pystac.Extent(pystac.SpatialExtent([list(found.bbox)]), pystac.TemporalExtent([[found.first, found.last]])),
        license="other",
        extra_fields={"hdq:simulated": found.simulated},
    ).to_dict(include_self_link=False)
    made["links"] = [
        {"rel": "self", "href": here, "type": "application/json"},
        {"rel": "root", "href": home, "type": "application/json"},
        {"rel": "parent", "href": home, "type": "application/json"},
        {"rel": "items", "href": f"{here}/items", "type": "application/geo+json"},
    ]
    if found.gsd_m:
        made["summaries"] = {"gsd": sorted(found.gsd_m)}
    return made
