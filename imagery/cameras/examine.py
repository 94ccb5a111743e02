"""Look at one accepted frame: detectors, sequences, places, the copy that may be shown, and what is found goes to intake. What is written is one transaction."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
import shapely
import structlog
from psycopg import AsyncConnection

from grid import evidence
from grid.database import row, rows
from grid.errors import HdqError, Unavailable
from grid.sensing import intake, shadow_rows
from grid.sensing.observations import Finding
from grid.settings import Settings
from grid.world import cameras
from grid.world.cameras import Camera
from imagery.cameras import frames, health, health_reference, on_trial, privacy, trespass
from imagery.cameras.detectors import Standing, detectors, named
from imagery.cameras.engines import Box
from imagery.cameras.locate import Place, locate
from imagery.cameras.stands import stand
from imagery.cameras.tracking import Joined, Sighting, join
from imagery.cameras.weights import load_engine, models_dir

LOG = structlog.get_logger("cameras")
EVIDENCE_FRAMES = 3
REMEMBERED = 2000
"""Earlier sightings of a camera and detector that a frame is joined to; how long a stay in a zone lasts is kept beside them, in `zone_visits`."""

POLAR_M = 100.0
"""A place known to this (90 %) needs no table of what the terrain says of each distance."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of a frame: boxes stored, findings handed in, and detectors that could not run with the reason."""

    frame_id: int
    boxes: int
    findings: int
    unavailable: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the pixels say. `shown`: JPEG bytes that people may see, None when there is nothing to show; `took_ms`: by detector and version."""

    width: int
    height: int
    boxes: tuple[tuple[Standing, Box], ...]
    shown: bytes | None
    faults: tuple[health.Fault, ...]
    thumb: health.Thumb
    took_ms: dict[tuple[str, str], float]


async def detect_frame(connection: AsyncConnection, settings: Settings, frame_id: int) -> Examined | None:
    """Examines a queued frame; None when it is not queued any more or another worker was faster. Commits before it looks, so that no transaction
    waits for the detector; what it writes then is the caller's to commit.

    A killed worker writes nothing: the frame stays queued and its job runs again, so nothing is lost and nothing doubled. A frame dropped while
    it was looked at counts as looked at. One that cannot be read, or for which no detector has weights, becomes `failed` with the reason.
    """
    frame = await row(connection, "SELECT id, camera_id, sha256, recorded_at FROM frames WHERE id = %(id)s AND state = 'queued'", {"id": frame_id})
    if frame is None:
        return None
    camera = await cameras.get(connection, frame["camera_id"])
    asked = _asked(camera, await trespass.watched(connection, settings.data_dir, camera, frame["recorded_at"]))
    assigned = _assigned(camera, models_dir(settings.data_dir), asked)
    trials = await shadow_rows.versions(connection, [entry.detector.id for entry in assigned], camera.region_code)
    await connection.commit()
    wanted, pairs = on_trial.arranged(assigned, trials, models_dir(settings.data_dir))
    missing = tuple(f"{entry.detector.id}: {entry.reason}" for entry in wanted if entry.model is None)
    seen, reason = None, ""
    try:
        if asked and all(entry.model is None for entry in wanted):
            raise Unavailable("没有可用的算法 · no detector of this camera can run: " + "; ".join(missing), remedy="hdq models")
        wanted += tuple(pair.candidate for pair in pairs)
        seen = await asyncio.to_thread(_look, settings, frame["sha256"], tuple(entry for entry in wanted if entry.model))
    except HdqError as error:
        LOG.error("frame failed", frame=frame_id, camera=camera.code, reason=error.detail)
        reason = error.detail
    if await row(connection, "SELECT id FROM frames WHERE id = %(id)s AND state IN ('queued', 'dropped') FOR UPDATE", {"id": frame_id}) is None:
        return None
    if seen is None:
        await _finish(connection, frame_id, "failed", reason)
        return Examined(frame_id, 0, 0, missing)
    camera = await cameras.get(connection, camera.id)
    if seen.shown is not None:
        await evidence.set_shown(connection, frame["sha256"], await asyncio.to_thread(evidence.write_bytes, settings.data_dir, seen.shown))
    findings = []
    watched = await trespass.watched(connection, settings.data_dir, camera, frame["recorded_at"], (seen.width, seen.height))
    for entry in wanted:
        mine = [box for other, box in seen.boxes if other is entry]
        if mine:
            findings += await _follow(connection, settings, camera, frame, entry, mine, seen, watched)
    await _finish(connection, frame_id, "done", None)
    if findings:
        await cameras.hold(connection, camera.id)
        await intake.accept(connection, findings)
    await _wellbeing(connection, camera, frame, seen)
    await shadow_rows.record(connection, [on_trial.run(pair, camera, frame["recorded_at"], seen.boxes, seen.took_ms) for pair in pairs])
    return Examined(frame_id, len(seen.boxes), len(findings), missing)


def _asked(camera: Camera, watched: trespass.Watched) -> tuple[str, ...]:
    """Ids of the camera's own detectors and of those that its zones need. One without any of its own has all that suit its kind, unless it is a stream
    that is followed for its zones only: then none while they rest."""
    for_zones_only = camera.stream is not None and watched.any
    own = camera.detectors or ([] if for_zones_only else [each.id for each in detectors().values() if camera.kind in each.scenes and not each.only_zones])
    return (*own, *watched.detectors)


def _assigned(camera: Camera, directory: Path, asked: tuple[str, ...]) -> tuple[Standing, ...]:
    """The detectors asked for; one that does not exist is left out and said."""
    found = {name: named(name, directory) for name in asked}
    absent = [name for name, entry in found.items() if entry is None]
    if absent:
        LOG.warning("unknown detectors", camera=camera.code, detectors=absent)
    return tuple(entry for entry in found.values() if entry is not None)


def _look(settings: Settings, sha256: str, wanted: tuple[Standing, ...]) -> _Seen:
    image = frames.decode(evidence.read_bytes(settings.data_dir, sha256))
    boxes, took_ms = [], {}
    for entry in wanted:
        engine, began = load_engine(entry.model, settings.detector_threads), time.perf_counter()
        boxes += [(entry, box) for box in entry.detector.find(image, engine) if box.width > 0 and box.height > 0]
        took_ms[entry.detector.id, entry.label] = 1000 * (time.perf_counter() - began)
    shown = None
    if boxes:
        shown = frames.encode(privacy.blurred(image, privacy.people_engine(models_dir(settings.data_dir), settings.detector_threads)))
    thumb = health.thumb(image)
    return _Seen(image.shape[1], image.shape[0], tuple(boxes), shown, health.faults(thumb), thumb, took_ms)


async def _follow(
    connection: AsyncConnection, settings: Settings, camera: Camera, frame: dict, entry: Standing, boxes: list[Box], seen: _Seen, watched: trespass.Watched
) -> list[Finding]:
    """Stores the boxes of one detector, joins them to its earlier ones and returns what is now a finding, by itself or in a zone."""
    detector, card = entry.detector, entry.model.card
    earlier, pictures = await _earlier(connection, camera.id, entry, frame["recorded_at"])
    new = []
    for box in boxes:
        fractions = _fractions(box, seen.width, seen.height)
        stored = await row(
            connection,
            """
            INSERT INTO detections (frame_id, camera_id, recorded_at, detector, model_version, model_hash, class, kind, score, box)
            VALUES (%(frame)s, %(camera)s, %(at)s, %(detector)s, %(version)s, %(hash)s, %(class)s, %(kind)s, %(score)s, %(box)s) RETURNING id
            """,
            {
                "frame": frame["id"],
                "camera": camera.id,
                "at": frame["recorded_at"],
                "detector": detector.id,
                "version": detector.version,
                "hash": card.sha256,
                "class": box.label,
                "kind": detector.kinds[box.label],
                "score": box.score,
                "box": list(fractions),
            },
        )
        new.append(Sighting(stored["id"], frame["id"], detector.kinds[box.label], box.score, fractions, frame["recorded_at"]))
    pictures[frame["id"]] = frame["sha256"]
    joined = join(earlier, new, detector.rule)
    await connection.cursor().executemany(
        "UPDATE detections SET track_id = %(track)s, confirmed = %(report)s WHERE id = %(id)s",
        [{"id": each.sighting.id, "track": each.track, "report": each.report} for each in joined],
    )
    inside = () if entry.beside else await trespass.trespasses(connection, camera, watched, detector, joined, boxes, earlier)
    reported = [] if detector.only_zones else [(number, each, box) for number, (each, box) in enumerate(zip(joined, boxes, strict=True)) if each.report]
    if not reported and not inside:
        return []
    where = watched.where or await asyncio.to_thread(stand, settings.data_dir, camera, seen.width, seen.height)
    far_m = float(np.clip(camera.range_m * 1.5, 50, 35_000))

    async def placed(number: int, each: Joined, box: Box) -> Finding:
        place = await asyncio.to_thread(locate, where.pose, (box.left, box.top, box.right, box.bottom), where.terrain, far_m=far_m)
        return _finding(camera, frame, entry, number, each, box, place, pictures)

    alone = [await placed(number, each, box) for number, each, box in reported]
    return alone + [trespass.finding(await placed(each.number, each.joined, each.box), each) for each in inside]


async def _earlier(connection: AsyncConnection, camera_id: int, entry: Standing, at: datetime) -> tuple[list[Sighting], dict[int, str]]:
    """The last REMEMBERED sightings of a camera by one version of a detector within the rule's memory, and the picture (SHA-256) of each frame."""
    rule = entry.detector.rule
    found = await rows(
        connection,
        """
        SELECT d.id, d.frame_id, d.kind, d.score, d.box, d.recorded_at, d.track_id, d.confirmed, f.sha256
        FROM detections d JOIN frames f ON f.id = d.frame_id
        WHERE d.camera_id = %(camera)s AND d.detector = %(detector)s AND d.model_hash = %(hash)s AND d.recorded_at BETWEEN %(from)s AND %(until)s AND d.track_id IS NOT NULL
        ORDER BY d.recorded_at DESC, d.id LIMIT %(most)s
        """,
        {"camera": camera_id, "detector": entry.detector.id, "hash": entry.model.card.sha256, "from": at - rule.forget, "until": at + rule.forget, "most": REMEMBERED},
    )
    sightings = [Sighting(r["id"], r["frame_id"], r["kind"], r["score"], tuple(r["box"]), r["recorded_at"], r["track_id"], r["confirmed"]) for r in found]
    return sightings, {r["frame_id"]: r["sha256"] for r in found}


def _fractions(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    return tuple(float(np.clip(value, 0, 1)) for value in (box.left / width, box.top / height, box.right / width, box.bottom / height))


def _finding(camera, frame: dict, entry: Standing, number: int, each: Joined, box: Box, place: Place, pictures: dict[int, str]) -> Finding:
    last = each.members[-EVIDENCE_FRAMES:]
    score = float(median(member.score for member in each.members))
    return Finding(
        source=f"camera:{camera.code}",
        source_event_id=f"{frame['sha256']}:{round(frame['recorded_at'].timestamp() * 1000)}:{entry.detector.id}:{number}{f':{entry.model.card.id}' if entry.beside else ''}",
        sensor_kind="camera",
        kind=each.sighting.kind,
        class_name=box.label,
        score=entry.detector.chance(score),
        recorded_at=frame["recorded_at"].astimezone(UTC),
        place=shapely.set_srid(shapely.Point(place.lon, place.lat), 4326),
        accuracy_m=min(place.accuracy_m, 100_000.0),
        algorithm=entry.detector.id,
        model_version=entry.label,
        model_hash=entry.model.card.sha256,
        footprint=place.footprint,
        camera_id=camera.id,
        bearing_deg=place.bearing_deg,
        bearing_sigma_deg=float(np.clip(place.bearing_sigma_deg, 0.001, 90.0)),
        evidence=tuple(dict.fromkeys(pictures[member.frame_id] for member in last)),
        boxes=tuple({"evidence": pictures[member.frame_id], "box": list(member.box), "class": box.label, "score": round(member.score, 4)} for member in last),
        properties={
            "track": each.track,
            "since": each.since.astimezone(UTC).isoformat(),
            "detections": len(each.members),
            "score": round(score, 4),
            "located": place.kind,
            "distance_m": round(place.distance_m, 1),
            "candidates": [{"near_m": round(c.near_m, 1), "far_m": round(c.far_m, 1), "share": round(c.share, 3)} for c in place.candidates],
            "covariance_m2": [round(value, 2) for value in place.covariance] if place.covariance else None,
            "polar": place.polar.as_json() if place.polar is not None and place.accuracy_m > POLAR_M else None,
        },
        simulated=camera.simulated,
    )


async def _finish(connection: AsyncConnection, frame_id: int, state: str, error: str | None) -> None:
    await connection.execute(
        "UPDATE frames SET state = %(state)s, error = %(error)s, detected_at = clock_timestamp() WHERE id = %(id)s",
        {"id": frame_id, "state": state, "error": error},
    )


async def _wellbeing(connection: AsyncConnection, camera: Camera, frame: dict, seen: _Seen) -> None:
    """Writes the camera's last frame and what its picture says of its health; a camera marked moved stays so until its pose is corrected."""
    newest = camera.last_frame_at is None or frame["recorded_at"] > camera.last_frame_at
    changes: dict[str, object] = {"last_frame_at": frame["recorded_at"]} if newest else {}
    if newest and camera.state != "moved":
        shown_again = (camera.stream or "").startswith("replay:")
        if not shown_again and await _repeats(connection, frame):
            changes["state"] = "frozen"
        elif seen.faults:
            changes["state"] = seen.faults[0].value
        else:
            elsewhere = None if shown_again else await health_reference.judge(connection, camera.id, seen.thumb, frame["recorded_at"])
            changes["state"] = elsewhere.value if elsewhere else "online"
    if changes:
        await cameras.update(connection, camera.id, **changes)


async def _repeats(connection: AsyncConnection, frame: dict, times: int = 3) -> bool:
    """Whether this picture and the `times` before it are the same bytes: a sensor's noise never repeats, so the encoder hangs."""
    found = await rows(
        connection,
        "SELECT sha256 FROM frames WHERE camera_id = %(camera)s AND recorded_at < %(at)s ORDER BY recorded_at DESC LIMIT %(times)s",
        {"camera": frame["camera_id"], "at": frame["recorded_at"], "times": times},
    )
    return len(found) == times and all(r["sha256"] == frame["sha256"] for r in found)
