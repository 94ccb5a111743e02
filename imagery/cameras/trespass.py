"""What the zones of a camera make of one frame: who has been inside long enough, how many are, what crossed a line. One transaction with the frame."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import median

import numpy as np
from psycopg import AsyncConnection

from grid.database import rows
from grid.sensing.observations import Finding
from grid.world import camera_controls, camera_zones, zone_visits
from grid.world.camera_zones import Zone
from grid.world.cameras import Camera
from imagery.cameras import stands, zones
from imagery.cameras.detectors import Detector
from imagery.cameras.engines import Box
from imagery.cameras.motion import Motion, motion
from imagery.cameras.stands import Stand
from imagery.cameras.tracking import Joined, Sighting
from imagery.cameras.zones import Outline, Stay

CROWD = 0
"""The track that a crowd's stay is written under: it is of nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """The zones that a camera watches at a moment, each as it is in its picture; those of which it sees nothing are left out. `where`: None without zones.
    `any`: whether it has a zone at all, at whatever hours."""

    where: Stand | None
    zones: tuple[tuple[Zone, Outline], ...]
    any: bool

    @property
    def detectors(self) -> tuple[str, ...]:
        """Ids of the detectors that they need."""
        return tuple(dict.fromkeys(zone.detector for zone, _ in self.zones))


@dataclass(frozen=True, slots=True)
class Trespass:
    """What a zone makes a finding of: the detection `number` of the frame (its box, or all that are inside), how sure and how long it is inside, how it moves."""

    zone: Zone
    number: int
    joined: Joined
    box: Box
    inside: float
    stay: Stay
    count: int
    visible: float
    motion: Motion | None


async def watched(connection: AsyncConnection, data_dir: Path, camera: Camera, at: datetime, size: tuple[int, int] | None = None) -> Watched:
    """The zones of a camera at a moment. `size`: width and height of the picture where it is not that of the register."""
    of_camera = await camera_zones.of_camera(connection, camera.id)
    active = [zone for zone in of_camera if zone.active(at)]
    if not active:
        return Watched(None, (), bool(of_camera))
    control = await camera_controls.of_camera(connection, camera.id)
    where = await asyncio.to_thread(stands.stand, data_dir, camera, *(size or (camera.image_width, camera.image_height)), control)
    outlines = [(zone, await asyncio.to_thread(stands.outline, where, zone)) for zone in active]
    return Watched(where, tuple((zone, outline) for zone, outline in outlines if not outline.best.is_empty), True)


async def trespasses(
    connection: AsyncConnection, camera: Camera, watched: Watched, detector: Detector, joined: Sequence[Joined], boxes: Sequence[Box], earlier: Sequence[Sighting]
) -> list[Trespass]:
    """What the zones say of the new detections of one frame (`joined` with their `boxes`); stays and crossings are written, each stay is told once per
    `rule.again` while it lasts."""
    found: list[Trespass] = []
    for zone, outline in watched.zones:
        mine = [(n, each, box) for n, (each, box) in enumerate(zip(joined, boxes, strict=True)) if zone.watches(detector.id, box.label)]
        if not mine:
            continue
        if zone.purpose == "crowd":
            crowd = await _crowd(connection, camera, watched, detector, zone, outline, mine, earlier)
            found += [crowd] if crowd else []
            continue
        for number, each, box in mine:
            track = sorted((s for s in earlier if s.track == each.track and s.recorded_at <= each.sighting.recorded_at), key=lambda s: (s.recorded_at, s.id))
            track = [s for s in [*track, each.sighting] if zone.active(s.recorded_at)]
            if zone.purpose == "count":
                await _count(connection, camera, watched, zone, outline, each, track)
                continue
            lone = await _lone(connection, camera, watched, detector, zone, outline, (number, each, box), track)
            found += [lone] if lone else []
    return found


async def _lone(
    connection: AsyncConnection, camera: Camera, watched: Watched, detector: Detector, zone: Zone, outline: Outline, new: tuple[int, Joined, Box], track: list[Sighting]
) -> Trespass | None:
    number, each, box = new
    pose, rule, at = watched.where.pose, detector.rule, each.sighting.recorded_at
    held = zones.inside(outline, [s.box for s in track], pose.width, pose.height)
    stay = zones.stay([s.recorded_at for s in track], [bool(h >= zones.INSIDE) for h in held], rule.within)
    if stay is None:
        return None
    stay = stay.begun(await zone_visits.stayed(connection, zone.id, camera.id, each.track, stay.since, at))
    inside = track[-stay.sightings :]
    if stay.sightings < rule.need or stay.seconds < zone.min_dwell_s or median(s.score for s in inside) < rule.median_score:
        return None
    if not await zone_visits.reported(connection, zone.id, camera.id, each.track, at, again_s=rule.again.total_seconds()):
        return None
    going = await asyncio.to_thread(lambda: motion(stands.eye(watched.where), [s.box for s in inside], [s.recorded_at for s in inside]))
    return Trespass(zone, number, each, box, float(np.median(held[-stay.sightings :])), stay, 1, outline.visible, going)


async def _crowd(
    connection: AsyncConnection,
    camera: Camera,
    watched: Watched,
    detector: Detector,
    zone: Zone,
    outline: Outline,
    mine: Sequence[tuple[int, Joined, Box]],
    earlier: Sequence[Sighting],
) -> Trespass | None:
    """The crowd in a zone: `least` or more inside in every frame of the stay, but for one."""
    pose, rule, at = watched.where.pose, detector.rule, mine[0][1].sighting.recorded_at
    kinds = {detector.kinds[name] for name in zone.classes or detector.kinds}
    now = zones.inside(outline, [each.sighting.box for _, each, _ in mine], pose.width, pose.height)
    before = [s for s in earlier if s.kind in kinds and s.recorded_at < at]
    then = zones.inside(outline, [s.box for s in before], pose.width, pose.height)
    counts: dict[int, int] = {}
    for sighting, chance in zip(before, then, strict=True):
        counts[sighting.frame_id] = counts.get(sighting.frame_id, 0) + int(chance >= zones.INSIDE)
    looked = await rows(
        connection,
        "SELECT id, recorded_at FROM frames WHERE camera_id = %(camera)s AND state = 'done' AND recorded_at BETWEEN %(from)s AND %(at)s AND recorded_at < %(at)s ORDER BY recorded_at",
        {"camera": camera.id, "from": at - rule.forget, "at": at},
    )
    looked = [frame for frame in looked if zone.active(frame["recorded_at"])]
    inside = [(n, each, box) for (n, each, box), chance in zip(mine, now, strict=True) if chance >= zones.INSIDE]
    full = [counts.get(frame["id"], 0) >= zone.least for frame in looked] + [len(inside) >= zone.least]
    stay = zones.stay([frame["recorded_at"] for frame in looked] + [at], full, rule.within)
    if stay is None:
        return None
    stay = stay.begun(await zone_visits.stayed(connection, zone.id, camera.id, CROWD, stay.since, at))
    if stay.sightings < rule.need or stay.seconds < zone.min_dwell_s:
        return None
    if not await zone_visits.reported(connection, zone.id, camera.id, CROWD, at, again_s=rule.again.total_seconds()):
        return None
    boxes = [box for _, _, box in inside]
    around = Box(
        min(b.left for b in boxes), min(b.top for b in boxes), max(b.right for b in boxes), max(b.bottom for b in boxes), median(b.score for b in boxes), boxes[0].label
    )
    sure = float(np.sort(now)[::-1][min(zone.least, len(now)) - 1])
    number, each, _ = inside[0]
    return Trespass(zone, number, each, around, sure, stay, len(inside), outline.visible, None)


async def _count(connection: AsyncConnection, camera: Camera, watched: Watched, zone: Zone, outline: Outline, each: Joined, track: list[Sighting]) -> None:
    pose = watched.where.pose
    over = zones.crossings(outline.best, [s.box for s in track], pose.width, pose.height)
    if over and over[-1][0] == len(track) - 1:
        await zone_visits.crossed(connection, zone.id, camera.id, each.track, track[-1].recorded_at, forward=over[-1][1])


def finding(plain: Finding, of: Trespass) -> Finding:
    """The finding of a trespass, from that of its box: the zone's event, as sure as the box is what it looks like and stands inside."""
    going = of.motion
    told = {
        "id": of.zone.id,
        "name": of.zone.name,
        "version": of.zone.version,
        "purpose": of.zone.purpose,
        "inside": round(of.inside, 3),
        "dwell_s": round(of.stay.seconds, 1),
        "since": of.stay.since.isoformat(),
        "count": of.count,
        "visible": round(of.visible, 3),
        "motion": going
        and {
            "speed_ms": round(going.speed_ms, 2),
            "speed_sigma_ms": round(going.speed_sigma_ms, 2),
            "course_deg": None if going.course_deg is None else round(going.course_deg, 1),
            "course_sigma_deg": None if going.course_sigma_deg is None else round(going.course_sigma_deg, 1),
        },
    }
    return replace(
        plain,
        source_event_id=f"{plain.source_event_id}:zone{of.zone.id}",
        kind=of.zone.kind,
        score=plain.score * of.inside,
        properties=plain.properties | {"zone": told},
        simulated=plain.simulated or of.zone.simulated,
    )
