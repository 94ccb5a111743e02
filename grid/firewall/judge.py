"""The verdict on a source: is it where its declaration says, row by row, and if not, which reading of its numbers puts it in place."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grid import crs
from grid.firewall.fit import EXACT_SHAPE, FEW_DECOYS, Fit, Floats, Place, Sample, beside, chances, decoys, fit, mixture, ratios, thinned
from grid.firewall.readings import Reading, far, near, same
from grid.firewall.rulers import Reference, Ruler, around

SAMPLED_ROWS, SAMPLED_VERTICES = 1200, 2500
_ROW_VERTICES = 150
_INDEPENDENT_M = 300.0
_COMPACT_M = 500.0
_APART_M = {1: 600.0, 2: 200.0}
_MOST_GROSS = 3
_ABOUT_THE_CITY = 0.9
_ALTERNATIVE = 0.8
_WHOLE, _CERTAIN = 0.97, 0.9
_BEYOND_DOUBT = 2.0
_SEED = 20261122
_BLOCK = 20_000
_DEGREE_M = 100_000.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows that lie right under another reading. `share` of all rows; `gain` in nats of log likelihood over the declaration alone, and the best
    `decoy_gain` of random shifts beside it (None where the place alone tells); median distances in metres to the reference, and the shift."""

    kind: str
    reading: Reading
    rows: int
    share: float
    shift_m: float
    reference: str | None = None
    gain: float | None = None
    decoy_gain: float | None = None
    declared_m: float | None = None
    proposed_m: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`readings[choice[i]]` is how row i should be read, index 0 the declaration; `certain[i]` whether the evidence of the row itself says so.

    `spoke` names the reference that decided, `likelihood` its log likelihood above accident: near 0 nothing known lies near, and nothing is
    judged beyond gross displacement.
    """

    declared: Reading
    readings: tuple[Reading, ...]
    choice: NDArray[np.int8]
    certain: NDArray[np.bool_]
    findings: tuple[Finding, ...]
    spoke: str | None
    likelihood: float

    @property
    def suspicious(self) -> bool:
        """Whether any row should be read otherwise than declared."""
        return bool(self.findings)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the reference that explains most says of the sampled rows: `metres` of shape (vertex, column), `vertex_rows` the row of each."""

    ruler: Ruler
    fit: Fit
    metres: Floats
    vertex_rows: NDArray[np.int64]
    rows: NDArray[np.int64]
    posterior: Floats


def judge(shapes: NDArray[np.object_], declared: Reading, references: list[Reference], *, seed: int = _SEED) -> Verdict:
    """Judges shapes in the file's own coordinates (x before y as declared) against known things in storage degrees.

    Missing and empty shapes are left alone. Without references only gross displacement is found. Deterministic for a seed. Pure and slow
    (about a second for a city-wide set): call it in a thread.
    """
    n = len(shapes)
    anchors = shapely.get_coordinates(shapely.centroid(np.where(shapely.is_missing(shapes), shapely.Point(), shapes)))
    present = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    x, y = np.full(n, np.nan), np.full(n, np.nan)
    x[present], y[present] = anchors.T if len(anchors) else np.empty((2, 0))
    rng = np.random.default_rng(seed)

    at = declared.place(x, y)
    home = crs.in_city(*at, declared.crs)
    readings = [declared, *_gross(x, y, present & ~home, declared, at, int(present.sum()), rng)]
    choice = np.zeros(n, dtype=np.int8)
    based = home.copy()
    for index, reading in enumerate(readings[1:], 1):
        lost = ~based & present
        placed = reading.place(x[lost], y[lost])
        here = np.flatnonzero(lost)[crs.in_city(*placed, reading.crs)]
        choice[here], based[here] = index, True
    certain = based & (choice > 0)
    rows = np.flatnonzero(based)
    if not len(rows) or not references:
        return _verdict(declared, readings, choice, certain, x, y, None, [])

    columns = _columns(readings, choice, rows, x, y)
    base = _placed(readings, choice, x, y)
    corners = shapely.bounds(shapes[rows])
    ends = [_placed(readings, choice[rows], corners[:, i], corners[:, j]) for i, j in ((0, 1), (2, 3))]
    extent = tuple(float(f([v[k] for v in ends])) for f in (np.nanmin, np.nanmax) for k in (0, 1))
    look = _look(shapes, rows, choice, readings, columns, (x, y), base, references, extent, rng, seed)
    if look is None:
        return _verdict(declared, readings, choice, certain, x, y, None, [])
    fine = [i for i, _, _ in look.fit.gains]
    if fine:
        first = len(readings)
        readings += [columns[i] for i in fine]
        sampled, posterior = look.rows, look.posterior
        if len(sampled) < len(rows):
            sampled, posterior = rows, _all_rows(shapes, rows, readings, choice, (x, y), look, seed)
        _assign(choice, certain, sampled, posterior, first, look.fit)
    return _verdict(declared, readings, choice, certain, x, y, look, fine)


def _gross(x: Floats, y: Floats, away: NDArray[np.bool_], declared: Reading, at: Place, present: int, rng: np.random.Generator) -> list[Reading]:
    """Readings under which rows that lie outside the city would lie inside it; few, and only where the set is about the city."""
    where = np.flatnonzero(away)
    if not len(where):
        return []
    lon, lat = at[0][where], at[1][where]
    nonsense = ~(np.isfinite(lon) & np.isfinite(lat)) | (np.abs(lat) > 85.0) | ~crs.near_use(declared.crs, lon)
    picked = np.arange(len(where)) if len(where) <= 2000 else rng.choice(len(where), 2000, replace=False)
    xs, ys, nonsense = x[where[picked]], y[where[picked]], nonsense[picked]
    tried = [r for r in far() if not same(r, declared)]
    if declared.swapped:
        tried.append(Reading(declared.crs))
    covers = np.array([crs.in_city(*r.place(xs, ys), r.crs) for r in tried])
    found, left = [], np.ones(len(picked), dtype=bool)
    for _ in range(_MOST_GROSS):
        gains = (covers & left).sum(axis=1)
        best = int(np.argmax(gains))
        if gains[best] < max(1, 0.01 * len(picked)):
            break
        found.append((tried[best], float((covers[best] & left & nonsense).sum() / gains[best])))
        left &= ~covers[best]
    outside = len(where) * left.mean()
    about = 1.0 - outside / max(present, 1) >= _ABOUT_THE_CITY
    return [reading for reading, absurd in found if about or absurd > 0.5]


def _columns(readings: list[Reading], choice: NDArray[np.int8], rows: NDArray[np.int64], x: Floats, y: Floats) -> list[Reading]:
    """Readings to weigh against each other: those that place rows, their near ones, and other frames that place the same rows in the city too."""
    columns = list(readings)
    for index, reading in enumerate(readings):
        mine = rows[choice[rows] == index][:200]
        if not len(mine):
            continue
        others = near(reading) if index == 0 else near(reading)[:2]
        if reading.crs not in ("EPSG:4326", "EPSG:4490", "GCJ-02", "BD-09"):
            others += [r for r in far() if crs.in_city(*r.place(x[mine], y[mine]), r.crs).mean() >= _ALTERNATIVE]
        columns += [r for r in others if not any(_alike(r, c, x[mine], y[mine]) for c in columns)]
    return columns


def _alike(a: Reading, b: Reading, x: Floats, y: Floats) -> bool:
    """Whether two readings put these rows in the same places, to a metre."""
    if same(a, b):
        return True
    (lon, lat), (lon_b, lat_b) = a.place(x, y), b.place(x, y)
    apart = np.abs(lon - lon_b) + np.abs(lat - lat_b)
    return bool(np.isfinite(apart).any() and np.nanmax(apart) < 1e-5)


def _placed(readings: list[Reading], choice: NDArray[np.int8], x: Floats, y: Floats) -> Place:
    lon, lat = np.full(len(x), np.nan), np.full(len(x), np.nan)
    for index, reading in enumerate(readings):
        mine = choice == index
        lon[mine], lat[mine] = reading.place(x[mine], y[mine])
    return lon, lat


def _look(shapes, rows, choice, readings, columns, xy, base, references, extent, rng, seed) -> _Look | None:
    """Asks each reference with a sample of the rows; returns what the one that explains most says.

    One that fits exactly, two nats and more a row, leaves nothing to ask the others."""
    picked = np.sort(rng.choice(rows, SAMPLED_ROWS, replace=False)) if len(rows) > SAMPLED_ROWS else rows
    shifts = decoys(seed)
    start = list(range(len(readings)))
    best = None
    for whole in references:
        dimension = 1 if whole.points is None else 2
        vx, vy, sample, kept = _vertices(shapes[picked], dimension, readings, choice[picked], xy[0][picked], xy[1][picked])
        nearby = around([whole], *extent) if len(kept) else []
        if not nearby:
            continue
        ruler = Ruler(nearby[0], float(np.nanmean(base[1][picked])))
        at = _placed(readings, choice[picked][kept][sample.owner], vx, vy)
        places = [c.place(vx, vy) for c in columns]
        seen, moved, metres = chances(ruler, at, places, shifts)
        found = fit(seen, moved, sample, start, beside(at, places, shifts), thinned((base[0][picked[kept]], base[1][picked[kept]]), _APART_M[ruler.dimension]))
        if best is None or found.likelihood > best.fit.likelihood:
            _, _, posterior = mixture(ratios(seen, sample, found.shape)[:, list(found.chosen)])
            best = _Look(ruler, found, metres, picked[kept][sample.owner], picked[kept], posterior)
        if found.shape <= EXACT_SHAPE and found.likelihood > _BEYOND_DOUBT * sample.rows:
            break
    return best


def _vertices(shapes, dimension, readings, choice, x, y) -> tuple[Floats, Floats, Sample, NDArray[np.int64]]:
    """What of each row is measured: its middle for points of reference (compact rows only), its vertices for lines. In the file's coordinates."""
    unit = np.array([_DEGREE_M if r.crs in ("EPSG:4326", "EPSG:4490", "GCJ-02", "BD-09") else 1.0 for r in readings])[choice]
    bounds = shapely.bounds(shapes)
    extent = np.hypot(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1]) * unit
    if dimension == 2:
        kept = np.flatnonzero(extent < _COMPACT_M)
        return x[kept], y[kept], Sample(np.arange(len(kept)), np.ones(len(kept)), len(kept)), kept
    kept = np.flatnonzero(np.isfinite(extent))
    each = int(np.clip(SAMPLED_VERTICES // max(len(kept), 1), 4, _ROW_VERTICES))
    xy, owner = shapely.get_coordinates(shapes[kept], return_index=True)
    counts = np.bincount(owner, minlength=len(kept))
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    step = np.maximum(1, -(-counts // each))
    chosen = place % step[owner] == 0
    xy, owner = xy[chosen], owner[chosen]
    spoken = np.maximum(np.bincount(owner, minlength=len(kept)), 1)
    independent = np.maximum(1.0, shapely.length(shapes[kept]) * unit[kept] / _INDEPENDENT_M)
    return xy[:, 0], xy[:, 1], Sample(owner, np.minimum(1.0, independent / spoken)[owner], len(kept)), kept


def _all_rows(shapes, rows, readings, choice, xy, look: _Look, seed: int) -> Floats:
    """Posteriors of all rows with fewer decoys, at the shares that the sample found; rows of which nothing can be measured follow the shares."""
    shifts = decoys(seed + 1, FEW_DECOYS)
    share = np.array(look.fit.shares)
    posterior = np.tile(share, (len(rows), 1))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        vx, vy, sample, kept = _vertices(shapes[block], look.ruler.dimension, readings, choice[block], xy[0][block], xy[1][block])
        at = _placed(readings, choice[block][kept][sample.owner], vx, vy)
        seen, _, _ = chances(look.ruler, at, [r.place(vx, vy) for r in readings], shifts)
        ratio = np.column_stack([ratios(seen, sample, look.fit.shape), np.zeros(len(kept))])
        joint = np.exp(ratio - ratio.max(axis=1, keepdims=True)) * share
        posterior[start + kept] = joint / joint.sum(axis=1, keepdims=True)
    return posterior


def _assign(choice, certain, rows, posterior, first: int, found: Fit) -> None:
    """Gives each row its reading, in place: all rows the one that nearly all follow, else by its own posterior, nearness by accident left out."""
    shares = np.array(found.shares[:-1])
    shares = shares / max(shares.sum(), 1e-12)
    top = int(np.argmax(shares))
    if shares[top] >= _WHOLE and top >= first:
        choice[rows], certain[rows] = top, True
        return
    among = posterior[:, :-1] / np.maximum(posterior[:, :-1].sum(axis=1, keepdims=True), 1e-300)
    likeliest = np.argmax(among, axis=1)
    sure = among[np.arange(len(rows)), likeliest] >= _CERTAIN
    fine = likeliest >= first
    choice[rows[sure & fine]] = likeliest[sure & fine]
    certain[rows] = sure


def _verdict(declared, readings, choice, certain, x, y, look: _Look | None, fine: list[int]) -> Verdict:
    """`fine`: the columns of `look` that joined; they are the last of `readings`, in order."""
    total = max(int(np.isfinite(x).sum()), 1)
    first = len(readings) - len(fine)
    findings = []
    for index, reading in enumerate(readings[1:], 1):
        mine = np.flatnonzero(choice == index)
        if not len(mine):
            continue
        some = mine[:: max(1, len(mine) // 500)]
        shift = _apart(declared.place(x[some], y[some]), reading.place(x[some], y[some]))
        told = {}
        if look and index >= first:
            column, gain, decoy = look.fit.gains[index - first]
            of_mine = choice[look.vertex_rows] == index
            was, now = (float(np.median(look.metres[of_mine, c])) if of_mine.any() else None for c in (0, column))
            told = {"reference": look.ruler.name, "gain": gain, "decoy_gain": decoy, "declared_m": was, "proposed_m": now}
        findings.append(Finding(reading_kind(declared, reading), reading, len(mine), len(mine) / total, shift, **told))
    findings.sort(key=lambda f: -f.rows)
    return Verdict(declared, tuple(readings), choice, certain, tuple(findings), look.ruler.name if look else None, look.fit.likelihood if look else 0.0)


def box(shapes: NDArray[np.object_], verdict: Verdict) -> tuple[float, float, float, float] | None:
    """West, south, east, north in degrees of the rows that lie in the city as the verdict reads them; None where none does."""
    ends = shapely.bounds(shapes)
    low, high = (_placed(list(verdict.readings), verdict.choice, ends[:, i], ends[:, j]) for i, j in ((0, 1), (2, 3)))
    home = crs.in_city(*low, crs.STORAGE) | crs.in_city(*high, crs.STORAGE)
    if not home.any():
        return None
    lon, lat = (np.concatenate([low[k][home], high[k][home]]) for k in (0, 1))
    return float(np.nanmin(lon)), float(np.nanmin(lat)), float(np.nanmax(lon)), float(np.nanmax(lat))


def reading_kind(declared: Reading, true: Reading) -> str:
    """What went wrong, in one word: see `Reading.kind`; undone_twice where a distortion was declared that is not in the numbers.

    >>> reading_kind(Reading("GCJ-02"), Reading("EPSG:4326")), reading_kind(Reading("EPSG:4326"), Reading("GCJ-02"))
    ('overcorrected', 'gcj02')
    """
    if declared.crs in ("GCJ-02", "BD-09") and true.crs in ("EPSG:4326", "EPSG:4490") and not true.swapped and not true.then:
        return "overcorrected"
    return true.kind


def _apart(a: Place, b: Place) -> float:
    """Median distance in metres between pairs of places; infinite where one of them is nowhere on Earth."""
    east = (b[0] - a[0]) * 111_320.0 * np.cos(np.radians(b[1]))
    metres = np.hypot(east, (b[1] - a[1]) * 110_950.0)
    return float(np.median(np.where(np.isfinite(metres) & (np.abs(a[1]) <= 90.0), metres, np.inf)))
