"""Where a drone's pictures look: the frame of a photo, and those of a video by its telemetry, on the ground, kept as items with pose and accuracy.

The ground is the terrain model of the data folder under the lens, where the heights of both agree; else level ground at the height of the take-off,
which the item says. An item's outline is what the border of the picture meets; `hdq:accuracy_m` is the radius of 90 % of the frame's middle.
"""

import hashlib
import math
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import shapely
from psycopg import AsyncConnection

from grid import events
from grid.database import Scope
from grid.errors import InvalidInput, NotFound
from grid.world import places
from imagery.scenes import drones, georeference, items, telemetry, video
from imagery.scenes.georeference import Frame
from imagery.scenes.items import Item
from imagery.terrain import Terrain, flat, kept, models

DATUM_M = 40.0
"""A lens whose height above take-off and above the terrain below it differ by more is not in the terrain's datum, or took off on another level."""
LEVEL_SIGMA_M = 10.0
MOST_FRAMES = 2000


def ground_under(data_dir: Path, lon: float, lat: float, height_m: float, relative_m: float | None) -> tuple[Terrain, str]:
    """The ground for a lens (degrees, metres as its file says), and what it is in words. Raises InvalidInput where neither is known."""
    for model in models(data_dir, lon, lat):
        terrain = kept(model)
        below = float(terrain.elevation(lon, lat))
        if math.isfinite(below) and below < height_m and (relative_m is None or abs(height_m - below - relative_m) <= DATUM_M):
            return terrain, f"地形 · terrain {model[0].name}"
    if relative_m is None:
        raise InvalidInput("照片没有对地高度，也没有地形 · no height above take-off, and no terrain there", remedy="put a terrain model (GeoTIFF) into data/terrain, or give the drone's original file")
    return flat(height_m - relative_m, sigma_m=LEVEL_SIGMA_M), "起飞点水平面 · level ground at the take-off"


def _item(item_id: str, title: str, frame: Frame, ground: Terrain, taken_at: datetime, simulated: bool, about: dict) -> Item:
    outline = georeference.outline(frame, ground)
    shape = outline if outline.geom_type == "Polygon" else outline.convex_hull
    middle = georeference.ground(frame, ground, frame.lens.width / 2, frame.lens.height / 2)
    right, _, ahead = frame.rotation
    pose = {
        "hdq:lon": round(frame.lon, 8), "hdq:lat": round(frame.lat, 8), "hdq:height_m": round(frame.height_m, 2),
        "view:azimuth": round(math.degrees(math.atan2(-right[1], right[0])) % 360, 2), "hdq:pitch_deg": round(math.degrees(math.asin(float(np.clip(ahead[2], -1, 1)))), 2),
        "hdq:hfov_deg": round(2 * math.degrees(math.atan(frame.lens.width / 2 / frame.lens.focal_x)), 2),
        "hdq:position_sigma_m": round(frame.position_sigma_m, 2), "hdq:height_sigma_m": round(frame.height_sigma_m, 2), "hdq:angle_sigma_deg": round(frame.angle_sigma_deg, 2),
        "hdq:accuracy_m": round(float(middle.accuracy_m), 1) if np.isfinite(middle.accuracy_m) else None,
    }  # fmt: skip
    return Item(item_id, items.FRAMES, title, taken_at, "", simulated, shapely.set_srid(shapely.force_2d(shape), 4326), properties=pose | about)


def _believable(at: datetime) -> None:
    if not 1990 <= at.year <= 2100:
        raise InvalidInput(f"没有 {at.year} 年的无人机画面 · no drone's picture is of {at.isoformat()}", remedy="a year from 1990 to 2100")


def of_photo(photo: drones.Photo, data_dir: Path, sha256: str, *, taken_at: datetime | None = None, simulated: bool = False) -> Item:
    """The item of a photo with its pose; `taken_at` (aware) where the file names no zone. Raises InvalidInput for what is missing."""
    taken = taken_at or photo.taken
    if taken is None or taken.tzinfo is None:
        raise InvalidInput(f"{photo.name} 没有带时区的时间 · {photo.name} names no time with a zone", remedy="give its time, e.g. datetime=2026-09-15T10:45:00+08:00")
    _believable(taken)
    frame = photo.frame()
    ground, said = ground_under(data_dir, frame.lon, frame.lat, frame.height_m, photo.relative_m)
    about = {
        "hdq:kind": "photo", "hdq:source": photo.name, "hdq:evidence": sha256, "platform": f"{photo.maker} {photo.model}".strip() or "drone",
        "hdq:ground": said, "hdq:pose": photo.accuracy, "hdq:relative_m": photo.relative_m,
    }  # fmt: skip
    return _item(f"frame-{sha256[:24]}", photo.name, frame, ground, taken, simulated, about)


def of_video(
    track: telemetry.Track, mount: video.Mount, name: str, begun: datetime, *, every_s: float = 5.0, surface: Terrain | None = None, simulated: bool = False
) -> list[Item]:
    """Items of a video's frames, one each `every_s` seconds from `begun` (aware). Times without a pose, or that look above the ground, are left out.

    Raises InvalidInput where no frame has a footprint, or more than 2,000 would have one.
    """
    _believable(begun)
    spans = [row.end_s or row.start_s for row in track.rows if row.start_s is not None]
    length = max(spans, default=0.0)
    if length / every_s > MOST_FRAMES:
        raise InvalidInput(f"{length / every_s:.0f} frames", remedy=f"at most {MOST_FRAMES:,}: give a larger step than {every_s:g} s")
    key = hashlib.sha256(f"{name} {begun.isoformat()} {track.rows[0]} {len(track.rows)} {mount}".encode()).hexdigest()[:16]
    made, reason = [], InvalidInput(f"{name}: no rows with times", remedy="give the .SRT that the drone wrote beside the video")
    ground, said = (surface, "给定的表面模型 · the surface model given") if surface is not None else (flat(mount.takeoff_m, sigma_m=LEVEL_SIGMA_M), "起飞点水平面 · level ground at the take-off")
    for number in range(int(length / every_s) + 1):
        at_s = number * every_s
        try:
            camera = video.pose(track, mount, at_s)
            about = {"hdq:kind": "video", "hdq:source": name, "hdq:at_s": round(at_s, 2), "hdq:ground": said, "hdq:pose": "assumed", "platform": track.dialect}
            made.append(_item(f"video-{key}-{number:05d}", f"{name} {at_s:.0f} s", camera, ground, begun + timedelta(seconds=at_s), simulated, about))
        except InvalidInput as error:
            reason = error
    if not made:
        raise reason
    return made


async def keep(connection: AsyncConnection, scope: Scope, found: list[Item]) -> list[Item]:
    """Stores items in the regions where the middle of their frames lies, and tells of them once. NotFound for one outside the scope: then none is stored."""
    middles = [item.geom.representative_point() for item in found]
    located = await places.locate_many(connection, [point.x for point in middles], [point.y for point in middles])
    stored = [replace(item, region_code=place.region_code) for item, place in zip(found, located, strict=True)]
    for item in stored:
        if not scope.covers(item.region_code):
            raise NotFound(f"画面位于 {item.region_code}，不在辖区 · the frame lies in {item.region_code}, outside your region", remedy="send pictures of your own region")
        await items.put(connection, item)
    if stored:
        await events.publish(connection, "scene.framed", stored[0].id, stored[0].region_code, {"frames": len(stored), "kind": stored[0].properties["hdq:kind"]})
    known = await items.among(connection, scope, [item.id for item in stored])
    return [known[item.id] for item in stored]
