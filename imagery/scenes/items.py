"""STAC items beside the scenes: masks and results, which link the scenes they come from, and frames of drones."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pystac
import shapely
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from grid.database import Scope
from grid.errors import NotFound

MASKS, RESULTS, FRAMES = "hdq-masks", "hdq-results", "drone-frames"
"""The collections, as the table's check names them."""
MEDIA = {".tif": pystac.MediaType.COG, ".geojson": pystac.MediaType.GEOJSON}
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
MASK_CLASSES = ((0, "nodata"), (1, "clear"), (2, "cloud"), (3, "shadow"))
MASK_REASONS = ((1, "cloud_maker"), (2, "shadow_maker"), (4, "cloud_hdq"), (8, "shadow_hdq"))


@dataclass(frozen=True, slots=True)
class Item:
    """An item. `derived_from`: ids of scenes; `file` relative to data_dir/scenes, None where rows of other tables are the result; `geom` EPSG:4326."""

    id: str
    collection: str
    title: str
    taken_at: datetime
    region_code: str
    simulated: bool
    geom: shapely.Polygon
    derived_from: tuple[str, ...] = ()
    file: str | None = None
    sha256: str | None = None
    properties: dict = field(default_factory=dict)
    created_at: datetime | None = None

    def path(self, data_dir: Path) -> Path:
        """Where its file lies. NotFound for one that has none."""
        if self.file is None:
            raise NotFound(f"条目没有文件 · the item {self.id!r} has no file", remedy="follow its links")
        return data_dir / "scenes" / self.file


async def put(connection: AsyncConnection, item: Item) -> None:
    """Stores an item; one of this id is replaced."""
    await connection.execute(
        """
        INSERT INTO stac_items (id, collection, title, taken_at, derived_from, file, sha256, properties, region_code, simulated, geom)
        VALUES (%(id)s, %(collection)s, %(title)s, %(taken_at)s, %(derived_from)s, %(file)s, %(sha256)s, %(properties)s::jsonb, %(region)s, %(simulated)s, %(geom)s)
        ON CONFLICT (id) DO UPDATE SET (collection, title, taken_at, created_at, derived_from, file, sha256, properties, region_code, simulated, geom)
            = (EXCLUDED.collection, EXCLUDED.title, EXCLUDED.taken_at, now(), EXCLUDED.derived_from, EXCLUDED.file, EXCLUDED.sha256, EXCLUDED.properties,
               EXCLUDED.region_code, EXCLUDED.simulated, EXCLUDED.geom)
        """,
        {
            "id": item.id, "collection": item.collection, "title": item.title, "taken_at": item.taken_at, "derived_from": list(item.derived_from),
            "file": item.file, "sha256": item.sha256, "properties": json.dumps(item.properties, ensure_ascii=False, allow_nan=False),
            "region": item.region_code, "simulated": item.simulated, "geom": shapely.set_srid(item.geom, 4326),
        },
    )  # fmt: skip


def of_row(found: dict) -> Item:
    """The item of a row of the table, all columns as psycopg gives them."""
    return Item(**{**found, "derived_from": tuple(found["derived_from"])})


async def get(connection: AsyncConnection, scope: Scope, item_id: str) -> Item:
    """An item inside the scope; NotFound otherwise."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT * FROM stac_items WHERE region_code LIKE %(scope)s AND id = %(id)s", {"scope": scope.like, "id": item_id})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"没有条目 · no item {item_id[:80]!r}", remedy="GET /stac/search lists them")
    return of_row(found)


async def among(connection: AsyncConnection, scope: Scope, ids: Sequence[str]) -> dict[str, Item]:
    """Those of these ids that lie inside the scope."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT * FROM stac_items WHERE region_code LIKE %(scope)s AND id = ANY(%(ids)s)", {"scope": scope.like, "ids": list(ids)})
        return {found["id"]: of_row(found) for found in await cursor.fetchall()}


async def derived_from(connection: AsyncConnection, scope: Scope, scene_id: str, limit: int = 500) -> list[Item]:
    """What was derived from a scene, newest first."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT * FROM stac_items WHERE region_code LIKE %(scope)s AND derived_from @> ARRAY[%(scene)s::text] ORDER BY created_at DESC, id LIMIT %(limit)s",
            {"scope": scope.like, "scene": scene_id, "limit": limit},
        )
        return [of_row(found) for found in await cursor.fetchall()]


def to_stac(item: Item, root: str = "") -> dict[str, Any]:
    """The item as a STAC 1.1 Item (dict of JSON values), with a link of rel derived_from for each scene that it comes from."""
    made = pystac.Item(
        id=item.id, geometry=shapely.geometry.mapping(item.geom), bbox=list(item.geom.bounds), datetime=item.taken_at, collection=item.collection,
        stac_extensions=[CLASSIFICATION] if item.collection == MASKS else [],
        properties=item.properties
        | {"title": item.title, "created": item.created_at and item.created_at.isoformat(), "hdq:simulated": item.simulated, "hdq:region_code": item.region_code},
    )  # fmt: skip
    made.add_link(pystac.Link("self", f"{root}/api/items/{item.id}", media_type="application/geo+json"))
    for scene in item.derived_from:
        made.add_link(pystac.Link("derived_from", f"{root}/api/scenes/{scene}", media_type="application/geo+json", title=scene))
    for rel, href in item.properties.get("hdq:links", {}).items():
        made.add_link(pystac.Link(rel, f"{root}{href}"))
    if item.file is not None:
        about: dict[str, Any] = {"hdq:sha256": item.sha256}
        if item.collection == MASKS:
            bands = [{"name": "classes", "classification:classes": [{"value": value, "name": name} for value, name in MASK_CLASSES]}]
            if item.properties.get("hdq:said_by") == ["maker", "hdq"]:
                bands.append({"name": "reasons", "classification:bitfields": [_bit(value, name) for value, name in MASK_REASONS]})
            about["bands"] = bands
        made.add_asset("data", pystac.Asset(f"{root}/api/items/{item.id}/file", media_type=MEDIA.get(Path(item.file).suffix), roles=["data"], extra_fields=about))
    if item.collection == MASKS:
        made.add_link(pystac.Link("xyz", f"{root}/rasters/{item.derived_from[0]}/{{z}}/{{x}}/{{y}}.png?show=mask", media_type="image/png", title=item.title))
    return json.loads(json.dumps(made.to_dict(include_self_link=True, transform_hrefs=False), default=str))


def _bit(value: int, name: str) -> dict[str, Any]:
    return {"name": name, "offset": value.bit_length() - 1, "length": 1, "classes": [{"value": 0, "name": "no"}, {"value": 1, "name": "yes"}]}
