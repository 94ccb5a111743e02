"""Does a field or drone photo prove a patch: position, accuracy and azimuth cone must truly see it, over terrain and past buildings, and time and hash must fit.

The world is 2.5-dimensional: ground heights and upright buildings with flat tops; trees, walls and vehicles are not in it. Lines of sight run from the lens to points of
the patch TARGET_M above its ground, against the curvature of the Earth less refraction (k = 0.13). Position and azimuth are uncertain, so poses are drawn round the
stated one and the photo counts when it sees the patch in at least CONFIDENT of those in which a person can stand.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from grid.casework.sight import Eyes, Scene, seen
from grid.geometry import destination, inverse

SEEN = 0.1
"""Share of the patch that must be in view."""
CONFIDENT = 0.5
DRAWS = 64
WORST_ACCURACY_M = 100.0
CLOCK_SLACK = timedelta(minutes=5)
WALK_M = 300.0
GOOD_VIEW = 0.4


class Ground(Protocol):
    """Heights of the ground in metres, NaN where unknown."""

    def elevation(self, lon: NDArray, lat: NDArray) -> NDArray:
        """At WGS84 degrees; arrays in, array of their shape out."""
        ...


class LevelGround:
    """Level ground everywhere, for places without a terrain model."""

    def elevation(self, lon: NDArray, lat: NDArray) -> NDArray:
        """Zero."""
        return np.zeros(np.broadcast(lon, lat).shape)


@dataclass(frozen=True, slots=True)
class Shot:
    """What a photo says of itself: `accuracy_m` the radius that holds the true place in 68 % (what phones report), `azimuth_deg` of its middle clockwise from true north with
    its standard error, `fov_deg` its horizontal opening, `lens_m` above the ground, `far_m` beyond which nothing in it counts."""

    lon: float
    lat: float
    accuracy_m: float
    azimuth_deg: float
    taken_at: datetime
    sha256: str
    azimuth_sigma_deg: float = 10.0
    fov_deg: float = 66.0
    lens_m: float = 1.6
    far_m: float = 500.0


@dataclass(frozen=True, slots=True)
class Stand:
    """Where to stand and look: degrees, azimuth clockwise from true north, how far from the photo's place, the share of the patch in view from there."""

    lon: float
    lat: float
    azimuth_deg: float
    distance_m: float
    seen: float


@dataclass(frozen=True, slots=True)
class Proof:
    """`counts`: the photo proves the patch. `reason`: seen, hash, early, late, accuracy, far, azimuth, building, terrain or uncertain. `seen`: share of the patch
    in view from the stated pose; `probability`: share of the likely poses that see it; `stand`: where to go instead, None when it counts or no such place is known."""

    counts: bool
    reason: str
    text: str
    text_en: str
    seen: float
    probability: float
    stand: Stand | None = None


def judge(
    shot: Shot,
    patch: shapely.Geometry,
    since: datetime,
    until: datetime,
    stored_sha256: str,
    buildings: NDArray[np.object_],
    heights_m: NDArray[np.float64],
    ground: Ground,
    accessible: NDArray[np.float64] | None = None,
) -> Proof:
    """Judges a photo against a polygon (EPSG:4326). `since`, `until`: when it must have been taken (aware). `buildings`: polygons with their heights above ground.

    `accessible`: (n, 2) lon, lat of places one may stand on, such as points along roads; None: anywhere outside buildings. Buildings on the patch itself hide nothing of it.
    """
    scene = Scene.around(shot.lon, shot.lat, patch, buildings, heights_m, ground)
    if refused := _refused(shot, since, until, stored_sha256):
        return Proof(False, *refused, 0.0, 0.0, None if refused[0] in ("hash", "late") else _stand(shot, scene, accessible))
    stated = seen(scene, Eyes(np.zeros((1, 2)), np.array([shot.lens_m]), np.array([shot.azimuth_deg]), shot.fov_deg, shot.far_m))
    share = float(stated.visible.mean())
    shares = _draws(shot, scene) if shot.accuracy_m > 0 or shot.azimuth_sigma_deg > 0 else np.array([share])
    probability = float(np.mean(shares >= SEEN)) if len(shares) else 0.0
    if probability >= CONFIDENT:
        zh, en = f"照片可见图斑（约 {max(share, float(np.median(shares))):.0%}）", f"the photo sees the patch (about {max(share, float(np.median(shares))):.0%} of it)"
        return Proof(True, "seen", zh, en, share, probability)
    return Proof(False, *_why(shot, scene, stated, share), share, probability, _stand(shot, scene, accessible))


def _refused(shot: Shot, since: datetime, until: datetime, stored_sha256: str) -> tuple[str, str, str] | None:
    """What rules a photo out whatever it shows."""
    if shot.sha256 != stored_sha256:
        return "hash", "照片内容与拍摄时的哈希不符，已被改动或换过", "the bytes do not match the hash taken with the photo: changed or swapped"
    if shot.taken_at < since:
        return "early", f"拍摄于 {shot.taken_at:%Y-%m-%d %H:%M}，早于变化发生", f"taken {shot.taken_at:%Y-%m-%d %H:%M}, before the change"
    if shot.taken_at > until + CLOCK_SLACK:
        return "late", f"拍摄时间 {shot.taken_at:%Y-%m-%d %H:%M} 晚于收到的时间，设备时钟有误", f"taken {shot.taken_at:%Y-%m-%d %H:%M}, after it was received: the clock is wrong"
    if not shot.accuracy_m <= WORST_ACCURACY_M:
        return "accuracy", f"定位精度 {shot.accuracy_m:.0f} 米，太差", f"the position is only good to {shot.accuracy_m:.0f} m"
    return None


def _draws(shot: Shot, scene: Scene) -> NDArray[np.float64]:
    """Share of the patch in view from poses drawn round the stated one (the same each time), those inside buildings left out."""
    half = np.random.default_rng(20240607).standard_normal((3, DRAWS // 2))
    noise = np.concatenate([half, -half], axis=1)
    places = (noise[:2] * shot.accuracy_m / 1.5096).T
    free = ~scene.indoors(places, shot.lens_m)
    eyes = Eyes(places[free], np.full(free.sum(), shot.lens_m), shot.azimuth_deg + noise[2, free] * shot.azimuth_sigma_deg, shot.fov_deg, shot.far_m)
    return seen(scene, eyes).visible.mean(axis=1)


def _why(shot: Shot, scene: Scene, stated, share: float) -> tuple[str, str, str]:
    """The reason a photo does not see the patch, from its stated pose."""
    if not stated.near.any():
        return "far", f"距图斑约 {stated.distance_m.min():.0f} 米，太远", f"about {stated.distance_m.min():.0f} m from the patch: too far"
    if share >= SEEN:
        return "uncertain", "按定位与方位误差，不能确定拍到图斑", "with its errors of position and azimuth it may well miss the patch"
    if (stated.near & stated.cone).mean() < SEEN:
        turn = float((stated.bearing_deg - shot.azimuth_deg + 180.0) % 360.0 - 180.0)
        side, side_en = ("右", "right") if turn >= 0 else ("左", "left")
        return "azimuth", f"镜头没有朝向图斑，请向{side}转约 {abs(turn):.0f}°", f"it does not face the patch: turn {side_en} by about {abs(turn):.0f}°"
    if (stated.near & stated.cone & stated.walled).sum() >= (stated.near & stated.cone & stated.hilled).sum():
        return "building", "图斑被建筑遮挡", "a building hides the patch"
    return "terrain", "图斑被地形遮挡", "the ground hides the patch"


def _stand(shot: Shot, scene: Scene, accessible: NDArray[np.float64] | None) -> Stand | None:
    """The nearest place that sees the patch well; failing that, the one that sees most of it, if enough."""
    places = scene.around_patch(WALK_M) if accessible is None else scene.plane(accessible[:, 0], accessible[:, 1])
    places = places[~scene.indoors(places, shot.lens_m)] if len(places) else places
    if not len(places):
        return None
    towards = np.degrees(np.arctan2(scene.middle[0] - places[:, 0], scene.middle[1] - places[:, 1])) % 360.0
    shares = seen(scene, Eyes(places, np.full(len(places), shot.lens_m), towards, shot.fov_deg, shot.far_m)).visible.mean(axis=1)
    away = np.hypot(places[:, 0], places[:, 1])
    good = shares >= GOOD_VIEW
    best = int(np.argmin(np.where(good, away, np.inf))) if good.any() else int(np.argmax(shares))
    if shares[best] < SEEN:
        return None
    turn = float(np.degrees(np.arctan2(places[best, 0], places[best, 1])))
    lon, lat = destination(shot.lon, shot.lat, turn, float(away[best]))
    azimuth, _ = inverse(lon, lat, *scene.middle_degrees)
    return Stand(lon, lat, azimuth, float(away[best]), float(shares[best]))
