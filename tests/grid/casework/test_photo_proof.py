"""Photos prove a patch only when they see it: each reason by hand, then simulated trials against a world that is marched through in half-metre steps."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from grid.casework import photo_proof
from grid.casework.photo_proof import LevelGround, Shot
from grid.geometry import GEOD, area_m2, destination, inverse

LON, LAT = 120.4, 36.1
SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
HASH = "a" * 64
NONE = np.empty(0, object), np.empty(0)


def at(x: float, y: float) -> tuple[float, float]:
    """Degrees of metres east and north of the middle."""
    return destination(LON, LAT, float(np.degrees(np.arctan2(x, y))), float(np.hypot(x, y)))


def shape(corners: np.ndarray) -> shapely.Polygon:
    return shapely.Polygon([at(x, y) for x, y in corners])


def square(x: float, y: float, half_x: float, half_y: float | None = None, turn: float = 0.0) -> np.ndarray:
    half_y = half_x if half_y is None else half_y
    c, s = np.cos(turn), np.sin(turn)
    return np.array([(x + dx * c - dy * s, y + dx * s + dy * c) for dx, dy in ((-half_x, -half_y), (half_x, -half_y), (half_x, half_y), (-half_x, half_y))])


PATCH = shape(square(0, 100, 15))


def shot(x: float = 0, y: float = 0, azimuth: float = 0, **more) -> Shot:
    lon, lat = at(x, y)
    return Shot(**{"lon": lon, "lat": lat, "accuracy_m": 0.0, "azimuth_deg": azimuth, "taken_at": datetime(2026, 3, 15, tzinfo=UTC), "sha256": HASH, "azimuth_sigma_deg": 0.0} | more)


def judged(of: Shot, buildings=NONE, ground=None, patch=PATCH, **more) -> photo_proof.Proof:
    return photo_proof.judge(of, patch, SINCE, UNTIL, HASH, *buildings, ground or LevelGround(), **more)


def blocks(*given: tuple[np.ndarray, float]) -> tuple[np.ndarray, np.ndarray]:
    polygons = np.empty(len(given), object)
    polygons[:] = [shape(corners) for corners, _ in given]
    return polygons, np.array([height for _, height in given])


WALL = blocks((square(0, 60, 40, 4), 10.0))


class Ridge:
    """A ridge 12 m high, 50 m north of the middle."""

    def elevation(self, lon, lat):
        lon, lat = np.broadcast_arrays(lon, lat)
        azimuth, distance = inverse(np.full(lon.shape, LON), np.full(lon.shape, LAT), lon, lat)
        return 12.0 * np.exp(-np.square((distance * np.cos(np.radians(azimuth)) - 50.0) / 12.0))


@pytest.mark.parametrize(
    "of, buildings, ground, reason",
    [
        (shot(), NONE, None, "seen"),
        (shot(azimuth=180), NONE, None, "azimuth"),
        (shot(azimuth=28), NONE, None, "seen"),
        (shot(azimuth=48), NONE, None, "azimuth"),
        (shot(y=-600), NONE, None, "far"),
        (shot(), WALL, None, "building"),
        (shot(y=-20, lens_m=60.0), WALL, None, "seen"),
        (shot(), blocks((square(60, 60, 15), 40.0)), None, "seen"),
        (shot(), blocks((square(0, 60, 40, 4), 0.4)), None, "seen"),
        (shot(), blocks((square(0, 100, 8), 30.0)), None, "seen"),
        (shot(), NONE, Ridge(), "terrain"),
        (shot(lens_m=60.0), NONE, Ridge(), "seen"),
        (shot(y=100), NONE, None, "seen"),
        (shot(sha256="b" * 64), NONE, None, "hash"),
        (shot(taken_at=SINCE - timedelta(days=1)), NONE, None, "early"),
        (shot(taken_at=UNTIL + timedelta(hours=1)), NONE, None, "late"),
        (shot(accuracy_m=400.0), NONE, None, "accuracy"),
        (shot(accuracy_m=float("nan")), NONE, None, "accuracy"),
    ],
)
def test_each_reason(of, buildings, ground, reason):
    proof = judged(of, buildings, ground)
    assert (proof.reason, proof.counts) == (reason, reason == "seen")
    assert proof.text and proof.text_en and (proof.stand is None) == (reason in ("seen", "hash", "late"))


def test_the_turn_is_named():
    assert "向右转约 90°" in judged(shot(azimuth=270)).text and "turn left by about 60°" in judged(shot(azimuth=60)).text_en


def test_the_hint_sees_the_patch_and_is_the_nearest_accessible_place():
    hidden = shot()
    proof = judged(hidden, WALL)
    stand = proof.stand
    again = Shot(stand.lon, stand.lat, 0.0, stand.azimuth_deg, hidden.taken_at, HASH, 0.0)
    assert judged(again, WALL).counts and stand.seen >= 0.4
    road = np.array([at(x, 30.0) for x in range(-200, 201, 20)])
    given = judged(hidden, WALL, accessible=road).stand
    seeing = [at(x, 30.0) for x in range(-200, 201, 20) if judged(Shot(*at(x, 30.0), 0.0, inverse(*at(x, 30.0), *at(0, 100))[0], hidden.taken_at, HASH, 0.0), WALL).seen >= 0.4]
    nearest = min(inverse(LON, LAT, *place)[1] for place in seeing)
    assert given.distance_m == pytest.approx(nearest, abs=0.1)
    assert judged(hidden, blocks((square(0, 40, 100, 4), 50.0)), accessible=road[:1]).stand is None or judged(hidden, WALL, accessible=np.empty((0, 2))).stand is None


def test_nothing_is_known_of_a_place_without_an_accessible_view():
    around = blocks((square(0, 70, 40, 3), 30.0), (square(0, 130, 40, 3), 30.0), (square(-37, 100, 3, 33), 30.0), (square(37, 100, 3, 33), 30.0))
    proof = judged(shot(), around, accessible=np.array([at(0, 0), at(50, 20)]))
    assert (proof.reason, proof.stand) == ("building", None)


class Hills:
    """Rolling ground, and the same in metres."""

    def __init__(self, dice: np.random.Generator) -> None:
        self.waves = [(dice.uniform(0.5, 5.0), dice.uniform(-0.03, 0.03), dice.uniform(-0.03, 0.03), dice.uniform(0, 6.3)) for _ in range(4)]

    def metres(self, x, y):
        return sum(height * np.sin(a * x + b * y + phase) for height, a, b, phase in self.waves)

    def elevation(self, lon, lat):
        tan, normal = np.tan(np.radians(LAT)), GEOD.a / np.sqrt(1 - GEOD.es * np.sin(np.radians(LAT)) ** 2)
        meridian = GEOD.a * (1 - GEOD.es) * (normal / GEOD.a) ** 3
        x = np.radians(lon - LON) * normal * np.cos(np.radians(LAT))
        y = np.radians(lat - LAT) * meridian + np.square(x) * tan / (2 * normal)
        return self.metres(x * (1 - y * tan / normal), y)


def truth(hills: Hills, given: list, patch: np.ndarray, x: float, y: float, azimuth: float, lens: float, dice: np.random.Generator) -> float:
    """Share of the patch in view, by walking each ray in half metres past solid blocks and over the ground: another method than the product's."""
    whole = shapely.Polygon(patch)
    west, south, east, north = whole.bounds
    points = dice.uniform((west, south), (east, north), (600, 2))
    points = points[shapely.contains_xy(whole, points[:, 0], points[:, 1])][:160]
    delta = points - (x, y)
    distance = np.hypot(*delta.T)
    off = (np.degrees(np.arctan2(delta[:, 0], delta[:, 1])) - azimuth + 180) % 360 - 180
    wanted = (distance <= 500) & (np.abs(off) <= 33)
    if not wanted.any():
        return 0.0
    t = (np.arange(int(distance[wanted].max() * 2)) + 0.5) / int(distance[wanted].max() * 2)
    px, py = (start + t * d[wanted, None] for start, d in ((x, delta[:, 0]), (y, delta[:, 1])))
    start = hills.metres(x, y) + lens
    pz = start + t * (hills.metres(*points[wanted].T) + 0.5 - start)[:, None]
    blocked = hills.metres(px, py) > pz + 0.05
    for corners, height in given:
        block = shapely.Polygon(corners)
        if not block.intersects(whole):
            shapely.prepare(block)
            blocked |= shapely.contains_xy(block, px, py) & (pz < hills.metres(*corners.mean(axis=0)) + height)
    return float((~blocked.any(axis=1)).sum() / len(points))


def trial(dice: np.random.Generator):
    """A block of streets, a patch, a person who stands outside buildings and looks somewhere, mostly towards the patch."""
    hills = Hills(dice)
    patch = square(*dice.uniform(-30, 30, 2), *dice.uniform(8, 30, 2), dice.uniform(0, 1.5))
    given = [(square(*dice.uniform(-180, 180, 2), *dice.uniform(5, 20, 2), dice.uniform(0, 1.5)), float(dice.uniform(3, 40))) for _ in range(int(dice.integers(0, 45)))]
    while True:
        turn, reach = dice.uniform(0, 2 * np.pi), dice.uniform(15, 220)
        x, y = reach * np.sin(turn), reach * np.cos(turn)
        if not any(shapely.Polygon(corners).buffer(1.0).contains(shapely.Point(x, y)) for corners, _ in given):
            break
    centre = patch.mean(axis=0)
    azimuth = np.degrees(np.arctan2(centre[0] - x, centre[1] - y)) + (dice.normal(0, 20) if dice.random() < 0.7 else dice.uniform(-180, 180))
    lens = 1.6 if dice.random() < 0.7 else float(dice.uniform(20, 90))
    return hills, given, patch, x, y, float(azimuth % 360), lens


TRIALS = {"none": 240, "bounded": 160, "normal": 160}
BAND = 0.04


def measured(noise: str, seed: int) -> dict[str, float]:
    """Precision and recall over trials; those whose true share lies within BAND of the limit are neither seen nor unseen and are counted apart."""
    dice = np.random.default_rng(seed)
    right = false = missed = none = open_ = 0
    for _ in range(TRIALS[noise]):
        hills, given, patch, x, y, azimuth, lens = trial(dice)
        share = truth(hills, given, patch, x, y, azimuth, lens, dice)
        if noise == "normal":
            shift, turn, accuracy, sigma = dice.normal(0, 15 / 1.5096, 2), dice.normal(0, 10), 15.0, 10.0
        elif noise == "bounded":
            angle, radius = dice.uniform(0, 2 * np.pi), 15 * np.sqrt(dice.random())
            shift, turn, accuracy, sigma = radius * np.array([np.sin(angle), np.cos(angle)]), dice.uniform(-10, 10), 12.0, 5.8
        else:
            shift, turn, accuracy, sigma = np.zeros(2), 0.0, 0.0, 0.0
        if abs(share - photo_proof.SEEN) < BAND and share > 0:
            open_ += 1
            continue
        of = shot(x + shift[0], y + shift[1], (azimuth + turn) % 360, lens_m=lens, accuracy_m=accuracy, azimuth_sigma_deg=sigma)
        counts = judged(of, blocks(*given) if given else NONE, hills, shape(patch), accessible=np.empty((0, 2))).counts
        seen = share >= photo_proof.SEEN
        right, false, missed, none = right + (counts and seen), false + (counts and not seen), missed + (seen and not counts), none + (not counts and not seen)
    told = {"trials": TRIALS[noise], "seen": right + missed, "unseen": false + none, "left_open": open_, "precision": right / (right + false), "recall": right / (right + missed)}
    print(f"photo proof, noise {noise}: {told}")
    return told


def test_without_noise_precision_and_recall_are_one():
    told = measured("none", 1)
    assert told["seen"] > 60 and told["unseen"] > 60 and told["left_open"] < 0.08 * told["trials"]
    assert (told["precision"], told["recall"]) == (1.0, 1.0)


@pytest.mark.parametrize("noise", ["bounded", "normal"])
def test_under_fifteen_metres_and_ten_degrees_the_figures_are_stated(noise):
    told = measured(noise, 2)
    assert told["precision"] > 0.85 and told["recall"] > 0.85


def test_the_same_photo_is_judged_the_same_and_a_patch_of_nothing_much_is_judged():
    of = shot(accuracy_m=15.0, azimuth_sigma_deg=10.0)
    assert judged(of) == judged(of)
    thin = shape(square(0, 100, 0.05))
    assert area_m2(thin) < 0.02 and judged(shot(), patch=thin).counts
