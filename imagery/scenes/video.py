"""A drone's video and its telemetry: where each frame looks, and what moves on the ground.

Frames are joined to the subtitle rows by time from the video's beginning; between two rows the pose is interpolated (angles the short way round), and
what the row's step cannot say goes into the accuracy. Objects are placed by `georeference` and joined over frames on the ground, in metres (assignment of
least distance: Kuhn 1955; a gate at three standard errors of the prediction); a track moves when its speed, by least squares, is above what its
places' errors explain. The error that all frames share (take-off height, a compass that is off) moves a track as a whole and is not in its speed.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import shapely

from grid.errors import InvalidInput
from grid.sensing.observations import Finding
from imagery.cameras.engines import Box
from imagery.scenes.georeference import Frame, Lens, ground, look, outline
from imagery.scenes.orthos import Finder, Model
from imagery.scenes.telemetry import Row, Track
from imagery.terrain import GEOD, Terrain

LONGEST_GAP_S = 2.5
"""Between two telemetry rows; beyond it nobody knows where the drone was."""
GNSS_M, HEIGHT_M, GIMBAL_DEG, COURSE_DEG = 3.0, 5.0, 2.0, 20.0
"""One standard deviation: GNSS without correction, height above take-off by barometer, gimbal, and a heading taken from the course."""
SLOW_M = 2.0
"""Metres that the drone must have flown for its course to be a heading."""
GATE = 3.0
COASTING_S = 2.0
FASTEST_M_S = 40.0


@dataclass(frozen=True, slots=True)
class Mount:
    """What the telemetry does not say: the lens, the ground's height at the take-off (m, datum of the surface model), the gimbal's pitch (°, −90 straight
    down) and yaw where the rows have none (None: the course), and how much earlier (−) or later (+) than the video the rows are, in s."""

    lens: Lens
    takeoff_m: float
    pitch_deg: float = -90.0
    yaw_deg: float | None = None
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """One frame on the ground: `at_s` from the video's beginning, the `pose`, the footprint (EPSG:4326), and its `accuracy_m` (radius of 90 % of the
    frame's middle)."""

    at_s: float
    pose: Frame
    footprint: shapely.Polygon
    accuracy_m: float


@dataclass(frozen=True, slots=True)
class Placed:
    """An object in a frame: `lon`, `lat` of its foot, `accuracy_m` (radius of 90 %, all errors), `jitter_m`: the part that changes from frame to frame
    (one standard deviation along an axis), its box in pixels."""

    at_s: float
    lon: float
    lat: float
    accuracy_m: float
    jitter_m: float
    box: Box


@dataclass(slots=True)
class Trail:
    """An object over frames, in order of time. Speeds in m/s; `heading_deg` clockwise from true north, None while it is not known to move."""

    label: str
    places: list[Placed] = field(default_factory=list)
    east_m_s: float = 0.0
    north_m_s: float = 0.0
    sigma_m_s: float = math.inf

    @property
    def speed_m_s(self) -> float:
        """Over ground."""
        return math.hypot(self.east_m_s, self.north_m_s)

    @property
    def moves(self) -> bool:
        """Whether its speed is above three of its standard errors and half a metre a second."""
        return self.speed_m_s > max(0.5, GATE * self.sigma_m_s)

    @property
    def heading_deg(self) -> float | None:
        """Where it goes."""
        return math.degrees(math.atan2(self.east_m_s, self.north_m_s)) % 360 if self.moves else None


def pose(track: Track, mount: Mount, at_s: float) -> Frame:
    """The camera at a time of the video (s). Raises InvalidInput where the telemetry has no place, height or time then, or no heading can be told."""
    rows = [row for row in track.rows if row.start_s is not None and row.lon is not None]
    if not rows:
        raise InvalidInput("遥测没有时间段或位置 · the telemetry has no spans of time or no place", remedy="give the .SRT that the drone wrote beside the video")
    moment = at_s + mount.delay_s
    number = bisect_right([row.start_s for row in rows], moment)
    first, second = rows[max(0, number - 1)], rows[min(number, len(rows) - 1)]
    outside = max(first.start_s - moment, 0.0, moment - (second.end_s if second.end_s is not None and second is first else max(second.start_s, moment)))
    span = second.start_s - first.start_s
    if outside > 0.5 or span > LONGEST_GAP_S:
        raise InvalidInput(
            f"视频 {at_s:.1f} 秒处没有遥测 · no telemetry at {at_s:.1f} s: rows at {first.start_s:.1f} and {second.start_s:.1f} s",
            remedy="give the telemetry of this very video, or its delay in seconds",
        )
    share = min(max((moment - first.start_s) / span, 0.0), 1.0) if span > 0 else 0.0
    heights = [row.relative_m for row in (first, second)]
    if None in heights:
        raise InvalidInput(f"遥测第 {first.line} 行没有相对高度 · line {first.line} says no height above take-off", remedy="a dialect with rel_alt, H or BAROMETER")
    east, north = _metres(first, second)
    yaw, yaw_sigma = _yaw(track, rows, number, first, second, mount, share)
    pitch = _between(first.pitch_deg, second.pitch_deg, share)
    roll = _between(first.roll_deg, second.roll_deg, share)
    hover = math.hypot(east, north) * 0.1
    rounding = track.rounding_m / math.sqrt(12)
    return Frame(
        f"t={at_s:.2f}s", mount.lens, first.lon + share * (second.lon - first.lon), first.lat + share * (second.lat - first.lat),
        mount.takeoff_m + heights[0] + share * (heights[1] - heights[0]), look(yaw, mount.pitch_deg if pitch is None else pitch, roll or 0.0),
        math.sqrt(GNSS_M**2 + rounding**2 + hover**2), HEIGHT_M, math.hypot(GIMBAL_DEG, yaw_sigma),
    )  # fmt: skip


def _metres(first: Row, second: Row) -> tuple[float, float]:
    azimuth, _, distance = GEOD.inv(first.lon, first.lat, second.lon, second.lat)
    return distance * math.sin(math.radians(azimuth)), distance * math.cos(math.radians(azimuth))


def _between(first: float | None, second: float | None, share: float) -> float | None:
    if first is None or second is None:
        return None
    return first + share * ((second - first + 180) % 360 - 180)


def _yaw(track: Track, rows: Sequence[Row], number: int, first: Row, second: Row, mount: Mount, share: float) -> tuple[float, float]:
    """Heading of the gimbal in degrees and its error: as written, as given, or the course over the rows around."""
    written = _between(first.yaw_deg, second.yaw_deg, share)
    if written is not None:
        return written, 0.0
    if mount.yaw_deg is not None:
        return mount.yaw_deg, 0.0
    for reach in (1, 2, 4, 8):
        start, end = rows[max(0, number - 1 - reach)], rows[min(len(rows) - 1, number + reach)]
        east, north = _metres(start, end)
        if math.hypot(east, north) >= max(SLOW_M, 3 * track.rounding_m):
            return math.degrees(math.atan2(east, north)) % 360, COURSE_DEG
    raise InvalidInput(
        f"遥测第 {first.line} 行没有航向且无人机未移动 · line {first.line} says no yaw, and the drone did not fly to show one", remedy="give yaw_deg"
    )


def looks(track: Track, mount: Mount, surface: Terrain, times: Iterable[float]) -> Iterator[Look]:
    """Where frames at these times (s) look. Raises what `pose` and `outline` raise."""
    for at_s in times:
        camera = pose(track, mount, at_s)
        middle = ground(camera, surface, mount.lens.centre_x, mount.lens.centre_y)
        accuracy = float(middle.accuracy_m)
        yield Look(at_s, camera, outline(camera, surface), accuracy if math.isfinite(accuracy) else float("nan"))


def place(camera: Frame, surface: Terrain, at_s: float, boxes: Sequence[Box]) -> list[Placed]:
    """Boxes of a frame on the ground: by the middle of their foot, or by their middle when the camera looks down steeply (60° and more), where the
    side of a thing is not seen. Those that meet no known ground are left out."""
    if not boxes:
        return []
    down = math.degrees(math.asin(-camera.rotation[2, 2])) >= 60
    x = np.array([(box.left + box.right) / 2 for box in boxes])
    y = np.array([(box.top + box.bottom) / 2 if down else box.bottom for box in boxes])
    found, beside = ground(camera, surface, x, y), ground(camera, surface, x + 2.0, y)
    known = np.isfinite(found.lon) & np.isfinite(beside.lon)
    placed = []
    for number in np.flatnonzero(known):
        lon, lat = float(found.lon[number]), float(found.lat[number])
        pixel_m = GEOD.inv(lon, lat, float(beside.lon[number]), float(beside.lat[number]))[2] / 2
        box = boxes[number]
        jitter = math.hypot(0.05 * (box.width + box.height) / 2 * pixel_m, 0.3)
        placed.append(Placed(at_s, lon, lat, float(found.accuracy_m[number]), jitter, box))
    return placed


def follow(frames: Iterable[Sequence[Placed]]) -> list[Trail]:
    """Joins the objects of successive frames (in order of time) into trails, longest first."""
    from scipy.optimize import linear_sum_assignment

    trails: list[Trail] = []
    for seen in frames:
        if not seen:
            continue
        at = seen[0].at_s
        open_ = [trail for trail in trails if at - trail.places[-1].at_s <= COASTING_S]
        cost = np.full((len(open_), len(seen)), 1e6)
        for row, trail in enumerate(open_):
            for column, new in enumerate(seen):
                if new.box.label == trail.label:
                    apart, gate = _apart(trail, new)
                    cost[row, column] = apart if apart <= gate else 1e6
        taken = set()
        for row, column in zip(*linear_sum_assignment(cost), strict=True) if open_ else ():
            if cost[row, column] < 1e6:
                open_[row].places.append(seen[column])
                _fit(open_[row])
                taken.add(int(column))
        trails += [Trail(new.box.label, [new]) for column, new in enumerate(seen) if column not in taken]
    return sorted(trails, key=lambda trail: -len(trail.places))


def _apart(trail: Trail, new: Placed) -> tuple[float, float]:
    """Metres between a new place and where the trail should be, and the most that may be."""
    last = trail.places[-1]
    wait = new.at_s - last.at_s
    azimuth, _, distance = GEOD.inv(last.lon, last.lat, new.lon, new.lat)
    east, north = distance * math.sin(math.radians(azimuth)), distance * math.cos(math.radians(azimuth))
    known = math.isfinite(trail.sigma_m_s)
    drift = min(trail.sigma_m_s, FASTEST_M_S / GATE) if known else FASTEST_M_S / (2 * GATE)
    sigma = math.hypot(last.jitter_m, new.jitter_m, (drift + 1.0) * wait)
    return math.hypot(east - trail.east_m_s * wait, north - trail.north_m_s * wait), GATE * sigma


def _fit(trail: Trail, last: int = 20) -> None:
    """Speed by least squares over the last places; its error by what they scatter, at least by what they say of themselves."""
    places = trail.places[-last:]
    times = np.array([one.at_s for one in places]) - places[0].at_s
    azimuth, _, distance = GEOD.inv(*([getattr(places[0], name)] * len(places) for name in ("lon", "lat")), [p.lon for p in places], [p.lat for p in places])
    offsets = np.array(distance) * np.stack([np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))])
    centred = times - times.mean()
    spread = float((centred**2).sum())
    if spread <= 0:
        return
    speed = offsets @ centred / spread
    left = offsets - offsets.mean(axis=1, keepdims=True) - speed[:, None] * centred
    scatter = math.sqrt(float((left**2).sum()) / max(2 * len(places) - 4, 1)) if len(places) > 2 else 0.0
    trail.east_m_s, trail.north_m_s = (float(v) for v in speed)
    trail.sigma_m_s = max(scatter, float(np.mean([one.jitter_m for one in places]))) / math.sqrt(spread)


def watch(
    pictures: Iterable[tuple[float, np.ndarray]], track: Track, mount: Mount, surface: Terrain, finder: Finder, *, threshold: float,
    labels: frozenset[str] | None = None,
) -> tuple[list[Look], list[Trail]]:
    """Frames (s from the beginning, H×W×3 uint8 RGB of the lens' size, in order) to their footprints and the trails of what was found in them.

    Raises InvalidInput (a frame of another size) and what `pose` raises.
    """  # fmt: skip
    seen, found = [], []
    for at_s, image in pictures:
        if image.shape[:2] != (mount.lens.height, mount.lens.width):
            raise InvalidInput(f"frame at {at_s:.1f} s is {image.shape[1]} × {image.shape[0]}, the lens {mount.lens.width} × {mount.lens.height}", remedy="give the lens of this video")
        (here,) = looks(track, mount, surface, (at_s,))
        seen.append(here)
        boxes = [box for box in finder.boxes(image, threshold) if labels is None or box.label in labels]
        found.append(place(here.pose, surface, at_s, boxes))
    return seen, follow(found)


def findings(
    name: str, trails: Sequence[Trail], model: Model, kinds: Mapping[str, str], begun: datetime, *, moving_only: bool = True, fewest: int = 3,
    simulated: bool = False,
) -> list[Finding]:
    """Observations of trails of at least `fewest` places, each where it was last seen. `begun` aware: when the video began; `name` of the video."""  # fmt: skip
    made = []
    for number, trail in enumerate(trails):
        if trail.label not in kinds or len(trail.places) < fewest or (moving_only and not trail.moves):
            continue
        last = trail.places[-1]
        made.append(
            Finding(
                source=f"video-{name}", source_event_id=f"{model.id}-{model.sha256[:12]}-{number}-{last.at_s:.2f}", sensor_kind="drone",
                kind=kinds[trail.label], class_name=trail.label, score=float(np.median([one.box.score for one in trail.places])),
                recorded_at=begun + timedelta(seconds=last.at_s), place=shapely.Point(last.lon, last.lat), accuracy_m=round(last.accuracy_m, 2),
                algorithm=f"video-{model.id}", model_version=model.version, model_hash=model.sha256,
                properties={
                    "speed_m_s": round(trail.speed_m_s, 2), "speed_sigma_m_s": round(trail.sigma_m_s, 2) if math.isfinite(trail.sigma_m_s) else None,
                    "heading_deg": None if trail.heading_deg is None else round(trail.heading_deg, 1), "moves": trail.moves,
                    "sightings": len(trail.places), "first_s": trail.places[0].at_s, "last_s": last.at_s,
                },
                simulated=simulated,
            )
        )  # fmt: skip
    return made


def course(track: Track) -> shapely.LineString | None:
    """The flown line (EPSG:4326), None with fewer than two different places."""
    points = [(row.lon, row.lat) for row in track.rows if row.lon is not None]
    kept = points[:1] + [after for before, after in pairwise(points) if before != after]
    return shapely.set_srid(shapely.LineString(kept), 4326) if len(kept) > 1 else None
