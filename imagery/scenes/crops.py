"""Crops by the year of their greenness: type from when a field greens, peaks and ripens, growth against the field's own years.

A series of NDVI means per parcel (clouds out) is laid on an even grid of days by a Whittaker smoother that leans to the upper envelope, since what
clouds leave behind is always too low (Eilers, Analytical Chemistry 75(14), 2003; weights as Atzberger & Eilers, Int. J. Digital Earth 4(5),
2011). Seasons are the rises above a fifth of the year's amplitude (as TIMESAT takes them: Jönsson & Eklundh, Computers & Geosciences 30(8),
2004). The classes are those of Jiaodong's calendar, by rules that a person can read and not by training: winter wheat greens up in March, peaks
from mid April to mid May and is bare in June; summer maize peaks from late July to mid September; spring maize and peanuts peak in July or
August without wheat before; orchards and forest stay green. Classes with alike calendars (maize, peanuts, sweet potato) are not told apart.

Growth: the area under the curve up to the day, against the same field's earlier years at the same day (as the vegetation condition index sets a place
against its own record: Kogan, Advances in Space Research 15(11), 1995), in its own standard deviations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from grid.errors import InvalidInput

STEP_DAYS = 5
SMOOTH = 30.0
FEWEST = 8
LONGEST_GAP = 45
LOW, AMPLITUDE = 0.3, 0.2
"""NDVI below which a field is bare, and the least swing of a season."""
CROPS = {
    "double": ("冬小麦—夏玉米", "winter wheat, then a summer crop"),
    "winter": ("冬小麦", "winter wheat"),
    "summer": ("夏季作物", "one summer crop (maize, peanuts, sweet potato)"),
    "evergreen": ("园地或林地", "orchard or trees"),
    "fallow": ("撂荒或裸地", "fallow or bare"),
    "other": ("其他节律", "another calendar"),
}


@dataclass(frozen=True, slots=True)
class Season:
    """A rise and fall of greenness: days of start, peak and end (where the curve crosses a fifth of its amplitude), peak NDVI."""

    start: date
    peak: date
    end: date
    height: float


@dataclass(frozen=True, slots=True)
class Year:
    """A field in a calendar year: `crop` one of CROPS, its seasons, and the smoothed curve every five days from 1 January (NDVI, float32)."""

    crop: str
    seasons: tuple[Season, ...]
    curve: np.ndarray


@dataclass(frozen=True, slots=True)
class Growth:
    """How a field stands on a day: area under its curve this year (NDVI · days), the mean and standard deviation of its `years` earlier ones, and
    `sigmas` above (+) or below (−) them; None with fewer than three earlier years."""

    on: date
    greenness: float
    mean: float
    spread: float
    years: int
    sigmas: float | None

    @property
    def word(self) -> tuple[str, str]:
        """Better, as usual or worse than the field's own years, zh and en."""
        if self.sigmas is None:
            return ("历史不足", "too few years")
        return ("偏差", "worse than usual") if self.sigmas < -1 else ("偏好", "better than usual") if self.sigmas > 1 else ("正常", "as usual")


def year(days: Sequence[date], values: Sequence[float], of: int) -> Year:
    """Type of a field in the year `of`, from NDVI means (−1…1, NaN for clouds) of scenes on `days`; those up to 45 days outside the year help its ends.

    Raises InvalidInput where the year has fewer than eight values or a gap of more than 45 days from March to October: a missing May reads as no wheat.
    """
    curve = smooth(days, values, of)
    seasons = _seasons(curve, of)
    return Year(_crop(curve, seasons), seasons, curve)


def smooth(days: Sequence[date], values: Sequence[float], of: int, until: date | None = None) -> np.ndarray:
    """The curve every five days of a year (73 values), NaN after `until`. Raises as `year` does, up to `until`."""
    if len(days) != len(values):
        raise InvalidInput(f"{len(days)} days and {len(values)} values", remedy="one value a day")
    first, last = date(of, 1, 1), min(until or date(of, 12, 31), date(of, 12, 31))
    known = sorted((day, float(value)) for day, value in zip(days, values, strict=True) if np.isfinite(value))
    if wrong := next((value for _, value in known if not -1 <= value <= 1), None):
        raise InvalidInput(f"NDVI {wrong}", remedy="values from −1 to 1")
    known = [(day, value) for day, value in known if first - timedelta(days=LONGEST_GAP) <= day <= last + timedelta(days=LONGEST_GAP if until is None else 0)]
    inside = [day for day, _ in known if first <= day <= last]
    season = [date(of, 3, 1), *(day for day in inside if date(of, 3, 1) < day < min(last, date(of, 10, 31))), min(last, date(of, 10, 31))]
    gap = max((later - earlier).days for earlier, later in zip(season, season[1:], strict=False)) if season[-1] > season[0] else 0
    if len(inside) < min(FEWEST, 2 + (last - first).days // 30) or gap > LONGEST_GAP:
        raise InvalidInput(f"{of} 年有效影像 {len(inside)} 期，最长间隔 {gap} 天 · {len(inside)} clear scenes in {of}, longest gap {gap} days", remedy=f"at least {FEWEST} a year, no gap above {LONGEST_GAP} days from March to October")
    grid = np.arange(-LONGEST_GAP, 365 + LONGEST_GAP, STEP_DAYS)
    sums, counts = np.zeros(len(grid)), np.zeros(len(grid))
    for day, value in known:
        place = int(np.clip(round(((day - first).days + LONGEST_GAP) / STEP_DAYS), 0, len(grid) - 1))
        sums[place], counts[place] = sums[place] + value, counts[place] + 1
    target = np.where(counts > 0, sums / np.maximum(counts, 1), 0)
    weights = counts.copy()
    bend = np.diff(np.eye(len(grid)), 2, axis=0)
    for _ in range(3):
        curve = np.linalg.solve(np.diag(weights) + SMOOTH / STEP_DAYS * bend.T @ bend, weights * target)
        weights = counts * np.where(target >= curve - 0.02, 1.0, 0.2)
    inner = curve[(grid >= 0) & (grid < 365)]
    inner[STEP_DAYS * np.arange(len(inner)) > (last - first).days] = np.nan
    return inner.astype(np.float32)


def _seasons(curve: np.ndarray, of: int) -> tuple[Season, ...]:
    low, high = float(np.nanmin(curve)), float(np.nanmax(curve))
    if high - low < AMPLITUDE:
        return ()
    from scipy.signal import find_peaks

    peaks, found = find_peaks(np.concatenate([[low], curve, [low]]), prominence=max(AMPLITUDE, 0.2 * (high - low)), height=LOW)
    seasons = []
    for number, padded in enumerate(peaks):
        peak = int(padded) - 1
        left, right = (int(np.clip(found[side][number] - 1, 0, len(curve) - 1)) for side in ("left_bases", "right_bases"))
        start = _crossing(curve, peak, left, -1)
        end = _crossing(curve, peak, right, 1)
        day = lambda index: date(of, 1, 1) + timedelta(days=int(index) * STEP_DAYS)  # noqa: E731
        seasons.append(Season(day(start), day(peak), day(end), float(curve[peak])))
    return tuple(seasons)


def _crossing(curve: np.ndarray, peak: int, base: int, step: int) -> int:
    """Where the curve, walked from its peak, falls below a fifth of its rise from the base."""
    level = curve[base] + 0.2 * (curve[peak] - curve[base])
    place = peak
    while place != base and 0 < place < len(curve) - 1 and curve[place] > level:
        place += step
    return place


def _crop(curve: np.ndarray, seasons: Sequence[Season]) -> str:
    growing = curve[12:61]  # March to October
    if np.nanmax(growing) < LOW + 0.1:
        return "fallow"
    months = np.array([season.peak.timetuple().tm_yday for season in seasons])
    spring, summer = bool(((months >= 95) & (months <= 145)).any()), bool(((months >= 185) & (months <= 265)).any())
    dip = float(np.nanmin(curve[29:39]))  # 25 May to 10 July: harvest
    if spring and summer and dip < 0.45:
        return "double"
    if spring and dip < 0.45:
        return "winter"
    if np.nanmin(curve[24:55]) >= 0.45:
        return "evergreen"
    if summer:
        return "summer"
    return "other"


def growth(series: Mapping[int, tuple[Sequence[date], Sequence[float]]], on: date) -> Growth:
    """How the field stands on a day against its own earlier years; `series`: year to (days, NDVI means). Years that cannot be drawn up to that day of the
    year are left out; the year of `on` itself must be. Raises InvalidInput as `smooth` does."""
    def under(of: int) -> float:
        curve = smooth(*series[of], of, until=date(of, on.month, min(on.day, 28)))
        return float(np.nansum(np.maximum(curve, 0)) * STEP_DAYS)

    if on.year not in series:
        raise InvalidInput(f"没有 {on.year} 年的序列 · no series of {on.year}", remedy="add scenes of this year")
    now, past = under(on.year), []
    for of in sorted(series):
        if of < on.year:
            try:
                past.append(under(of))
            except InvalidInput:
                continue
    mean, spread = (float(np.mean(past)), float(np.std(past, ddof=1))) if len(past) > 1 else (float(past[0]) if past else float("nan"), float("nan"))
    sigmas = (now - mean) / max(spread, 0.02 * mean, 1e-6) if len(past) >= 3 else None
    return Growth(on, now, mean, spread, len(past), sigmas)
