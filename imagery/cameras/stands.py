"""Where a camera stands and on which ground: its pose in the datum of the terrain, and the eye that zones and speeds are judged by. Kept in memory."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import shapely

from grid.world.camera_controls import Control
from grid.world.camera_zones import Zone
from grid.world.cameras import Camera
from imagery.cameras import zones
from imagery.cameras.eyes import Eye, PoseEye, control_eye
from imagery.cameras.locate import Pose
from imagery.cameras.zones import Outline
from imagery.terrain import Model, Terrain, flat, kept, models

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Stand:
    """What decides how a camera sees the ground; equal stands have one eye. `model`: file of its terrain and when that was written (ns), None: level ground
    at `ground_m`. `control`: x, y, lon, lat of its control points one after the other, empty for none."""

    pose: Pose
    range_m: float
    ground_m: float
    model: Model | None
    control: tuple[float, ...]

    @property
    def terrain(self) -> Terrain:
        """The ground before it."""
        return kept(self.model) if self.model else flat(self.ground_m)


def stand(data_dir: Path, camera: Camera, width: int, height: int, control: Control | None = None) -> Stand:
    """The stand of a camera whose picture has this size. Reads the terrain once."""
    model = _model(data_dir, camera.lon, camera.lat)
    foot = float(kept(model).elevation(camera.lon, camera.lat)) if model else camera.ground_m
    pose = Pose(
        camera.lon,
        camera.lat,
        foot + max(camera.height_m, 0.5),
        camera.azimuth_deg,
        camera.pitch_deg,
        camera.hfov_deg,
        width,
        height,
        angle_sigma_deg=camera.pose_sigma_deg,
    )
    return Stand(pose, camera.range_m, camera.ground_m, model, control.numbers if control else ())


def terrain_at(data_dir: Path, lon: float, lat: float) -> Terrain | None:
    """The first terrain model in `data_dir`/terrain/*.tif that knows the height at a place, or None."""
    model = _model(data_dir, lon, lat)
    return kept(model) if model else None


def eye(of: Stand) -> Eye:
    """The eye of a stand: by its control points where it has some, else by its pose over the terrain that is kept."""
    if of.control:
        return control_eye(of.control, of.pose.width, of.pose.height, of.range_m)
    return PoseEye(of.pose, of.terrain, of.range_m)


def outline(of: Stand, zone: Zone) -> Outline:
    """What a zone is in the picture of a stand."""
    return zones.drawn(zone.picture) if zone.picture is not None else _projected(of, zone.geom.wkb)


@lru_cache(maxsize=1024)
def _projected(of: Stand, shape: bytes) -> Outline:
    return zones.projected(shapely.from_wkb(shape), eye(of))


async def worked_out(function: Callable[..., Found], *given: object) -> Found:
    """What a function of seconds finds of a camera. Two are at work at a time in a process, however many ask: call it without a database connection."""
    return await asyncio.get_running_loop().run_in_executor(_workers(), function, *given)


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, thread_name_prefix="stands")


def _model(data_dir: Path, lon: float, lat: float) -> Model | None:
    return next((model for model in models(data_dir, lon, lat) if np.isfinite(kept(model).elevation(lon, lat))), None)
