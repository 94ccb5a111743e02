"""Sequences of boxes: one detection is a rumour, three in five minutes at one place of the picture are a finding.

Pure: earlier detections come in, the joined ones go out, so the state of a track is what the database already holds and a restarted worker
continues where the killed one stopped. A track is named by the id of its first detection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from grid.errors import InvalidInput

Fractions = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Run:
    """When boxes make a finding. `need` detections within `within`, the median of their scores ≥ `median_score`.

    A box joins a track of its kind whose box next in time is at most `join` (share of the frame, gap between the edges) apart and `forget` away.
    A track that goes on is reported again after `again`.
    """

    need: int = 3
    within: timedelta = timedelta(minutes=5)
    join: float = 0.05
    forget: timedelta = timedelta(hours=2)
    median_score: float = 0.0
    again: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        if self.need < 1 or self.join < 0 or self.within <= timedelta(0) or self.forget < self.within:
            raise InvalidInput(f"序列规则无效 · sequence rule {self}", remedy="need ≥ 1, join ≥ 0, 0 < within ≤ forget")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One stored detection. `box`: left, top, right, bottom as fractions of the frame; `track`: 0 until it joined one; `confirmed`: reported as a finding."""

    id: int
    frame_id: int
    kind: str
    score: float
    box: Fractions
    recorded_at: datetime
    track: int = 0
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """What a new detection became: a member of `track`; `complete` when its sequence is; `report`: it is to be handed in as a finding now.

    `since`: when the track began; `members`: its detections of the completing time, this one included, in order of time.
    """

    sighting: Sighting
    track: int
    complete: bool
    report: bool
    since: datetime
    members: tuple[Sighting, ...]


def join(earlier: Sequence[Sighting], new: Sequence[Sighting], rule: Run) -> tuple[Joined, ...]:
    """Joins the `new` detections of one frame to the tracks of `earlier` ones of the same camera and detector; order of `new` is kept.

    A track takes at most one box a frame: the nearest pair first. Frames may come late: what was seen before and after counts alike.
    """
    if not new:
        return ()
    at = new[0].recorded_at
    if any(sighting.recorded_at != at for sighting in new):
        raise InvalidInput("同一帧的检测时间不一致 · detections of one frame carry different times", remedy="join one frame at a time")
    tracks: dict[int, list[Sighting]] = {}
    for sighting in earlier:
        if sighting.track and abs(at - sighting.recorded_at) <= rule.forget and sighting.frame_id != new[0].frame_id:
            tracks.setdefault(sighting.track, []).append(sighting)
    nearest = {track: min(members, key=lambda member: (abs(at - member.recorded_at), -member.id)) for track, members in tracks.items()}
    pairs = sorted(
        (gap(sighting.box, near.box), -overlap(sighting.box, near.box), track, index)
        for index, sighting in enumerate(new)
        for track, near in nearest.items()
        if near.kind == sighting.kind
    )
    taken: dict[int, int] = {}
    used: set[int] = set()
    for distance, _, track, index in pairs:
        if distance <= rule.join and index not in taken and track not in used:
            taken[index] = track
            used.add(track)
    return tuple(_judge(sighting, tracks.get(taken.get(index, 0), []), rule) for index, sighting in enumerate(new))


def _judge(sighting: Sighting, members: list[Sighting], rule: Run) -> Joined:
    """The window of `rule.within` around the new detection that holds most of its track decides."""
    ordered = sorted([*members, sighting], key=lambda member: (member.recorded_at, member.id))
    windows = [[member for member in ordered[start:] if member.recorded_at - ordered[start].recorded_at <= rule.within] for start in range(len(ordered))]
    best = max((window for window in windows if sighting in window), key=len)
    complete = len(best) >= rule.need and median(member.score for member in best) >= rule.median_score
    lately = any(member.confirmed and abs(sighting.recorded_at - member.recorded_at) < rule.again for member in members)
    return Joined(
        sighting=sighting,
        track=members[0].track if members else sighting.id,
        complete=complete,
        report=complete and not lately,
        since=ordered[0].recorded_at,
        members=tuple(best),
    )


def gap(one: Fractions, other: Fractions) -> float:
    """Distance between the edges of two boxes as a share of the frame; 0 when they touch or overlap.

    >>> gap((0.1, 0.1, 0.2, 0.2), (0.15, 0.15, 0.3, 0.3))
    0.0
    >>> round(gap((0.1, 0.1, 0.2, 0.2), (0.23, 0.24, 0.3, 0.3)), 3)
    0.05
    >>> gap((0.0, 0.0, 0.0, 0.0), (1.0, 0.0, 1.0, 0.0))
    1.0
    """
    across = max(one[0] - other[2], other[0] - one[2], 0.0)
    down = max(one[1] - other[3], other[1] - one[3], 0.0)
    return (across**2 + down**2) ** 0.5


def overlap(one: Fractions, other: Fractions) -> float:
    """Intersection over union; 0 for empty boxes.

    >>> overlap((0, 0, 1, 1), (0, 0, 1, 1)), overlap((0, 0, 0, 0), (0, 0, 0, 0))
    (1.0, 0.0)
    """
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared)
