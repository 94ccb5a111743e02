"""Whether sights can be of one thing: how far the best place for all of them falls below what each of them likes best.

Distance alone joins what only looks near: a camera that sees two fires in two directions has both within its own uncertainty of range, and the only
place that both wedges leave is the mast's own foot. Here the sights' likelihoods (`grid.sensing.likelihood`) are added, with the weights of the
posterior, on places along every bearing; under one thing with the stated errors twice the loss is a chi-square of as many degrees as there are
bearings beyond the place (Bar-Shalom & Li 1995, gating).
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import gammaincinv

from grid.sensing import posterior
from grid.sensing.likelihood import Z90, Grid, Plane, Sight, of_sight, plain

KEPT = 0.997
"""Share of true companies of sights that the gate lets pass, were their errors what they say."""
NEAR_M = 100.0
"""Nothing that a bearing shows stands nearer to its mast than this, unless the sight itself puts it there."""
_ALONG = 160
_ASIDE = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
_REACH = 9.0


def together(sights: Sequence[Sight]) -> bool:
    """Whether the sights can be of one thing: their loss is no larger than chance makes it in all but 3 of 1,000 cases."""
    loss = contradiction(sights)
    return loss == 0.0 or loss <= float(gammaincinv(max(1.0, np.ceil(posterior.weights(posterior.newest(sights)).sum()) - 1.0), KEPT))


def contradiction(sights: Sequence[Sight]) -> float:
    """The loss (natural logarithms, 0 and up) of the best common place of sights; 0 where fewer than two, or none that is a bearing.

    >>> west = Sight("camera:1", 120.60, 36.20, 800.0, 0.7, mast=(120.58, 36.20), bearing_deg=90.0, bearing_sigma_deg=0.5)
    >>> contradiction([west]), contradiction([west, west]) < 0.1
    (0.0, True)
    >>> from dataclasses import replace
    >>> contradiction([west, replace(west, bearing_deg=60.0)]) > 100.0
    True
    """
    sights = posterior.newest(sights)
    if len(sights) < 2 or not any(s.is_bearing for s in sights):
        return 0.0
    plane = Plane.about(sights)
    x, y = np.concatenate([_places(plane, s) for s in sights], axis=1)
    shapes = [None if s.footprint is None or s.is_bearing else plain(plane.shape(s.footprint)) for s in sights]
    logs = np.stack([of_sight(plane, s, shape, x, y, 0.0) for s, shape in zip(sights, shapes, strict=True)])
    return float(-(posterior.weights(sights) @ (logs - logs.max(axis=1, keepdims=True))).max())


def _places(plane: Plane, sight: Sight) -> Grid:
    """East and north (2 × n, m) of places that a sight likes, and of some about them."""
    if not sight.is_bearing:
        x, y = plane.metres(sight.lon, sight.lat)
        return np.array([[x], [y]])
    mx, my = plane.metres(*sight.mast)
    if sight.polar is not None:
        table = sight.polar.log.max(axis=0)
        least, most = sight.polar.distances()[table > table.max() - _REACH][[0, -1]]
    else:
        x, y = plane.metres(sight.lon, sight.lat)
        known, along = max(float(np.hypot(x - mx, y - my)), 1.0), 3.0 * sight.accuracy_m / Z90
        least, most = max(known - along, min(NEAR_M, known)), known + along
    azimuth = np.radians(sight.bearing_deg + _ASIDE * sight.bearing_sigma_deg)[:, None]
    range_m = np.geomspace(least, most, _ALONG)[None, :]
    return np.stack([(mx + range_m * np.sin(azimuth)).ravel(), (my + range_m * np.cos(azimuth)).ravel()])
