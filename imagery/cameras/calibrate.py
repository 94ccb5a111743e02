"""A camera's calibration from control points: which place on the ground a pixel shows, with an honest covariance.

The camera is physical: place, height, azimuth, pitch, roll, focal length and one radial distortion over a plane that may slope, with wide
priors (so three or four points do not bend it), and for boxes of vehicles the share of the box's height at which the surveyed point (an
antenna, say) appears. What the camera cannot explain (bumps, drifting receivers) is a field over the ground that varies over the size of the scene
itself, with an exponential covariance: a Gaussian process, its amplitude, length and noise averaged by their marginal likelihood. The
covariance of a prediction is that of the camera, of the field, of the noise, and of the disagreement between the averaged models; from 20 points
on it is stretched so that nine in ten of the points given lie inside when each is predicted by the others (leverages in closed form).

Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, 2.7 (explicit basis functions).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from grid.errors import InvalidInput

Array = NDArray[np.float64]

NAMES = ("east_m", "north_m", "height_m", "azimuth", "pitch", "roll", "log_focal", "k1", "slope_east", "slope_north", "lift")
"""Parameters of a camera in order: metres, radians, slopes as rise over run; `lift`: share of a box's height above its foot."""

_STEPS = np.array([0.01, 0.01, 0.01, 1e-5, 1e-5, 1e-5, 1e-5, 1e-4, 1e-5, 1e-5, 1e-4])
_SCALE = np.array([5.0, 5.0, 1.0, 0.1, 0.05, 0.02, 0.1, 0.05, 0.01, 0.01, 0.1])
_HORIZON = 1e-3
_NOISE_M = 0.02
_EXTENT_M = 0.1
_AMPLITUDES = (0.7, 1.4, 2.1)
_LENGTHS = (1.3, 2.6)
_NOISES = (0.15, 0.4)
LEAST = 4
STRETCHED = 20
CHI90 = 4.605
"""A round 2-D Gaussian's squared distance that holds 90 %: 2 ln 10."""


@dataclass(frozen=True, slots=True)
class Points:
    """Control points: `boxes` (n × 4: left, top, right, bottom in pixels; a marked pixel is a box of no size) and `ground` (n × 2: east, north in m).

    `width`, `height`: of the picture in pixels. `focal_px`: of the lens where it is known, else None.
    """

    boxes: Array
    ground: Array
    width: int
    height: int
    focal_px: float | None = None

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.ground), 4) or self.ground.shape[1:] != (2,) or not (np.isfinite(self.boxes).all() and np.isfinite(self.ground).all()):
            raise InvalidInput(
                f"控制点无效 · control points of shape {self.boxes.shape} and {self.ground.shape}", remedy="n × 4 pixels and n × 2 metres, all finite"
            )

    def __len__(self) -> int:
        return len(self.ground)

    def only(self, chosen: Array) -> "Points":
        """The points that a mask or indices choose."""
        return Points(self.boxes[chosen], self.ground[chosen], self.width, self.height, self.focal_px)


@dataclass(frozen=True, slots=True)
class _Member:
    """One model of the average: its camera, and what is needed to predict with it. `factor`: inverse of the covariance of the residuals."""

    weight: float
    camera: Array
    spread: Array
    amplitude: float
    length: float
    noise: float
    at: Array
    factor: Array
    residual: Array
    slopes: Array


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted camera. `origin`: east, north (m) that its members are relative to; `rms_m`: of the control points about the camera alone;
    `stretch`: by which covariances are multiplied."""

    origin: Array
    width: int
    height: int
    rms_m: float
    stretch: float
    members: tuple[_Member, ...]

    @property
    def camera(self) -> dict[str, float]:
        """The likeliest values of NAMES, `east_m` and `north_m` in the frame of the control points."""
        best = max(self.members, key=lambda member: member.weight).camera
        return dict(zip(NAMES, best.tolist(), strict=True)) | {"east_m": float(best[0] + self.origin[0]), "north_m": float(best[1] + self.origin[1])}

    @property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return float(np.exp(self.camera["log_focal"]))

    def drawn(self, noise: Array) -> Array:
        """Cameras (draws × NAMES, `east_m` and `north_m` from `origin`) that the likeliest model allows, by normal draws (NAMES × draws); no noise is the best one."""
        best = max(self.members, key=lambda member: member.weight)
        return best.camera + (np.linalg.cholesky(self.stretch * best.spread + 1e-12 * np.eye(len(NAMES))) @ noise).T

    def place(self, boxes) -> tuple[Array, Array]:
        """East, north (n × 2, m) of boxes (n × 4 pixels) and their covariances (n × 2 × 2, m²): of a point that would be surveyed there as those given were."""
        boxes = np.atleast_2d(np.asarray(boxes, float))
        means, covariances = zip(*(self._member(member, boxes) for member in self.members), strict=True)
        weights = np.array([member.weight for member in self.members])
        mean = np.einsum("m,mnk->nk", weights, np.stack(means))
        off = np.stack(means) - mean
        covariance = np.einsum("m,mnij->nij", weights, np.stack(covariances) + off[..., :, None] * off[..., None, :])
        return mean + self.origin, self.stretch * covariance

    def _member(self, member: _Member, boxes: Array) -> tuple[Array, Array]:
        at, slopes = _linear(member.camera, boxes, self.width, self.height)
        cross = _field(at, member.at, member.amplitude, member.length)
        gain = cross @ member.factor
        left = slopes - np.einsum("nm,mkp->nkp", gain, member.slopes)
        own = member.amplitude**2 + member.noise**2 - np.einsum("nm,nm->n", gain, cross)
        return at + gain @ member.residual, left @ member.spread @ left.transpose(0, 2, 1) + own[:, None, None] * np.eye(2)


def calibrate(points: Points) -> Calibration:
    """The calibration from 4 points or more. Raises InvalidInput for fewer, and for points from which no camera can be found."""
    if len(points) < (LEAST if points.focal_px is None else LEAST - 1):
        raise InvalidInput(f"控制点太少：{len(points)} · only {len(points)} control points", remedy=f"give at least {LEAST}, spread over the picture")
    origin = points.ground.mean(axis=0)
    ground = points.ground - origin
    extent = float(np.sqrt((ground**2).sum(axis=1).mean()))
    if extent < _EXTENT_M:
        raise InvalidInput(f"控制点都在同一处：相距仅 {extent:.2f} 米 · the control points lie on one place", remedy="spread them over the ground before the lens")
    mean, sigma = _prior(points)
    camera = _start(points.boxes, ground, points.width, points.height, mean, sigma)
    at = ground_of(camera, points.boxes, points.width, points.height)
    rms = max(float(np.sqrt(((at - ground) ** 2).sum() / 2 / max(1, len(points) - 3))), _NOISE_M)
    tried = [
        _member(points, ground, camera, mean, sigma, rms * amplitude, extent * length, max(rms * noise, _NOISE_M))
        for amplitude in _AMPLITUDES
        for length in _LENGTHS
        for noise in _NOISES
    ]
    fitted = [member for member in tried if np.isfinite(member[0])]
    if not fitted:
        raise _none_found()
    weights = np.exp(np.array([evidence for evidence, _ in fitted]) - max(evidence for evidence, _ in fitted))
    weights = weights / weights.sum()
    members = tuple(_Member(float(w), *rest) for w, (_, rest) in zip(weights, fitted, strict=True) if w > 1e-3)
    whole = sum(member.weight for member in members)
    members = tuple(_Member(m.weight / whole, *(getattr(m, name) for name in _Member.__slots__[1:])) for m in members)
    return Calibration(origin, points.width, points.height, rms, _stretch(max(members, key=lambda member: member.weight), mean, sigma), members)


def _stretch(member: _Member, mean: Array, sigma: Array) -> float:
    """What brings nine in ten of the points into the 90 % region that the others give them: 1 for fewer than 20 points, else 1/3 to 3."""
    count = len(member.at)
    if count < STRETCHED:
        return 1.0
    basis = member.slopes.reshape(2 * count, -1)
    whole = np.kron(np.linalg.inv(member.factor), np.eye(2)) + (basis * sigma**2) @ basis.T
    inverse = np.linalg.inv(whole)
    off = member.residual.ravel() + basis @ (member.camera - mean)
    pull = (inverse @ off).reshape(count, 2)
    blocks = inverse.reshape(count, 2, count, 2)[np.arange(count), :, np.arange(count), :]
    distance = np.sort(np.einsum("ni,nij,nj->n", pull, np.linalg.inv(blocks), pull))
    return float(np.clip(distance[min(count, int(np.ceil(0.9 * (count + 1)))) - 1] / CHI90, 1 / 3, 3.0))


def _prior(points: Points) -> tuple[Array, Array]:
    """Middles and sigmas of NAMES: a mast of 2 to 20 m, a level picture, ground that slopes by 2 %, a lens between wide and long."""
    focal = np.log(points.focal_px or points.width)
    boxed = (points.boxes[:, 3] > points.boxes[:, 1]).any()
    mean = np.array([0, 0, 8.0, 0, -0.2, 0, focal, 0, 0, 0, 0.25 if boxed else 0.0])
    known = points.focal_px is not None
    return mean, np.array([1e3, 1e3, 6.0, 10, 1, 0.03, 0.02 if known else 0.4, 0.02 if known else 0.1, 0.02, 0.02, 0.25 if boxed else 1e-6])


def ground_of(camera: Array, boxes: Array, width: int, height: int) -> Array:
    """East, north where rays through the boxes' points meet the plane; a ray at or over the horizon goes very far."""
    east, north, up, azimuth, pitch, roll, log_focal, k1, slope_east, slope_north, lift = camera
    x = ((boxes[:, 0] + boxes[:, 2]) / 2 - width / 2) / np.exp(log_focal)
    y = (height / 2 - boxes[:, 3] + lift * (boxes[:, 3] - boxes[:, 1])) / np.exp(log_focal)
    stretch = 1 + k1 * (x * x + y * y)
    x, y = x * stretch, y * stretch
    right, above = np.cos(roll) * x + np.sin(roll) * y, np.cos(roll) * y - np.sin(roll) * x
    ahead, rise = np.cos(pitch) - above * np.sin(pitch), np.sin(pitch) + above * np.cos(pitch)
    to_east, to_north = np.sin(azimuth) * ahead + np.cos(azimuth) * right, np.cos(azimuth) * ahead - np.sin(azimuth) * right
    sinking = np.maximum(slope_east * to_east + slope_north * to_north - rise, _HORIZON)
    length = (up - slope_east * east - slope_north * north) / sinking
    return np.stack([east + length * to_east, north + length * to_north], axis=1)


def _linear(camera: Array, boxes: Array, width: int, height: int) -> tuple[Array, Array]:
    """Ground places, and how they change with each parameter (n × 2 × parameters), by central differences."""
    slopes = np.empty((len(boxes), 2, len(camera)))
    for k, step in enumerate(_STEPS):
        more, less = camera.copy(), camera.copy()
        more[k] += step
        less[k] -= step
        slopes[:, :, k] = (ground_of(more, boxes, width, height) - ground_of(less, boxes, width, height)) / (2 * step)
    return ground_of(camera, boxes, width, height), slopes


def _start(boxes: Array, ground: Array, width: int, height: int, mean: Array, sigma: Array) -> Array:
    """The best of fits begun all around the points, from two heights; far misses count little, so a wrong point does not steer the start."""
    best = None
    for camera in _around(ground, mean):

        def misfit(parameters: Array) -> Array:
            off = np.clip(ground_of(parameters, boxes, width, height) - ground, -1e3, 1e3)
            return np.concatenate([off.ravel(), (parameters - mean) / sigma])

        fit = least_squares(misfit, camera, x_scale=_SCALE, max_nfev=300)
        if best is None or fit.cost < best.cost:
            best = fit
    if best is None or not np.isfinite(best.x).all() or best.x[2] <= 0:
        raise _none_found()
    return best.x


def _none_found() -> InvalidInput:
    return InvalidInput(
        "控制点定不出相机 · no camera can be found from these control points", remedy="check that pixels and places are paired, and not on one line"
    )


def _around(ground: Array, mean: Array) -> Iterator[Array]:
    back = 2.0 * max(float(np.sqrt((ground**2).sum(axis=1).mean())), 1.0)
    for azimuth in np.arange(0, 2 * np.pi, np.pi / 6):
        for height in (4.0, 12.0):
            camera = mean.copy()
            camera[:5] = -back * np.sin(azimuth), -back * np.cos(azimuth), height, azimuth, -np.arctan2(height, back)
            yield camera


def _field(a: Array, b: Array, amplitude: float, length: float) -> Array:
    return amplitude**2 * np.exp(-np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2)) / length)


def _member(points: Points, ground: Array, camera: Array, mean: Array, sigma: Array, amplitude: float, length: float, noise: float) -> tuple[float, tuple]:
    """Logarithm of the marginal likelihood (Laplace), and the fields of a member after its weight, by Gauss-Newton steps from `camera`."""
    camera, boxes = camera.copy(), points.boxes
    for _ in range(3):
        at, slopes = _linear(camera, boxes, points.width, points.height)
        covariance = _field(at, at, amplitude, length) + noise**2 * np.eye(len(at))
        factor = np.linalg.inv(covariance)
        precision = np.diag(1 / sigma**2) + np.einsum("nkp,nm,mkq->pq", slopes, factor, slopes, optimize=True)
        camera = camera + np.linalg.solve(precision, (mean - camera) / sigma**2 + np.einsum("nkp,nm,mk->p", slopes, factor, ground - at, optimize=True))
    at, slopes = _linear(camera, boxes, points.width, points.height)
    residual = ground - at
    fit = np.einsum("nk,nm,mk->", residual, factor, residual) + (((camera - mean) / sigma) ** 2).sum()
    evidence = -0.5 * fit - np.linalg.slogdet(covariance)[1] - 0.5 * np.linalg.slogdet(precision)[1]
    return float(evidence), (camera, np.linalg.inv(precision), amplitude, length, noise, at, factor, residual, slopes)
