"""The tidal stage of a scene: given at registration, as metres above the height datum."""

from grid.errors import InvalidInput

PROPERTY = "hdq:tide_m"
"""STAC property of a scene: the water level when it was taken, metres above the height datum (1985 国家高程基准)."""
BOUND_M = 10.0


def stage(properties: dict) -> float | None:
    """The water level of a scene's properties, None where it was not given. InvalidInput for what is no height of water.

    >>> stage({"hdq:tide_m": -1.25}), stage({})
    (-1.25, None)
    """
    given = properties.get(PROPERTY)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not -BOUND_M <= given <= BOUND_M:
        raise InvalidInput(f"the water level {given!r} of a scene is no height in metres", remedy=f"give {PROPERTY} as a number from −{BOUND_M:g} to {BOUND_M:g}")
    return float(given)
