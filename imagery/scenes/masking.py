"""A scene's mask as an item that links its scene: asked for when the scene comes in, made in a process of its own, kept once."""

import asyncio
import os
from functools import partial
from pathlib import Path

from psycopg import AsyncConnection

from grid import events
from grid.database import Scope, rows
from imagery.engine import isolated
from imagery.scenes import items, masks, veils
from imagery.scenes.catalogue import Scene
from imagery.scenes.items import Item
from imagery.scenes.raster import file_hash
from imagery.scenes.veils import Veil

SOURCES = {"sentinel-2": "Sen2Cor SCL", "landsat": "QA_PIXEL (CFMask)"}
"""Whose mask a product brings, by the beginning of its collection."""


def item_id(scene_id: str) -> str:
    """The id of the item of a scene's mask."""
    return f"{scene_id}.mask"


def sun_of(scene: Scene) -> masks.Sun | None:
    """Where the sun stood, as far as the scene says."""
    azimuth, elevation = (scene.properties.get(f"view:sun_{name}") for name in ("azimuth", "elevation"))
    return masks.Sun(float(azimuth), float(elevation)) if isinstance(azimuth, int | float) and isinstance(elevation, int | float) else None


async def lacking(connection: AsyncConnection, scope: Scope) -> list[str]:
    """Ids of scenes inside the scope without a mask item."""
    found = await rows(
        connection,
        """
        SELECT s.id FROM scenes AS s WHERE s.region_code LIKE %(scope)s
            AND NOT EXISTS (SELECT 1 FROM stac_items AS i WHERE i.collection = 'hdq-masks' AND i.derived_from @> ARRAY[s.id]) ORDER BY s.taken_at DESC, s.id
        """,
        {"scope": scope.like},
    )
    return [row["id"] for row in found]


def make(path: Path, bands: tuple[str, ...], sun: masks.Sun | None) -> tuple[Veil, str] | None:
    """The mask of a scene's file with its SHA-256, made where it is not there; None for a scene that has none and cannot be masked."""
    found = veils.beside(path, bands, sun)
    return None if found is None else (veils.told(found), file_hash(found))


def _gently(path: Path, bands: tuple[str, ...], sun: masks.Sun | None) -> tuple[Veil, str] | None:
    os.nice(10)
    return make(path, bands, sun)


async def run(data_dir: Path, scene: Scene) -> Item | None:
    """Makes a scene's mask in a process of its own, at low priority, and gives its item; raises what masking and `isolated` raise."""
    path = scene.path(data_dir)
    made = await asyncio.to_thread(partial(isolated, _gently, path, scene.band_names, sun_of(scene), seconds=1800.0))
    if made is None:
        return None
    veil, sha256 = made
    maker = next((name for start, name in SOURCES.items() if scene.collection.startswith(start)), "制作方 · its maker")
    names = {"maker": maker, "hdq": "s2cloudless" if set(masks.S2) <= set(scene.band_names) else "HOT"}
    return Item(
        id=item_id(scene.id), collection=items.MASKS, title=f"云与云影 · cloud and shadow: {scene.title}", taken_at=scene.taken_at, region_code=scene.region_code,
        simulated=scene.simulated, geom=scene.geom, derived_from=(scene.id,), file=veil.path.relative_to(data_dir / "scenes").as_posix(), sha256=sha256,
        properties={
            "hdq:said_by": list(veil.said_by), "hdq:methods": [names[one] for one in veil.said_by], "hdq:mask_version": masks.VERSION,
            "hdq:shares": veil.shares, "eo:cloud_cover": round(100 * veil.shares["cloud"], 2),
        },
    )  # fmt: skip


async def store(connection: AsyncConnection, item: Item) -> None:
    """Stores the item of a mask and tells of it."""
    await items.put(connection, item)
    summary = {"collection": item.collection, "derived_from": list(item.derived_from), "shares": item.properties["hdq:shares"]}
    await events.publish(connection, "scene.masked", item.derived_from[0], item.region_code, summary)
