"""Illegal-building candidates 疑似违建: footprints of now against the buildings that are known and the permits in force.

A footprint drawn from a newer picture (or a building detected as new) is known where a building on record covers it, within a tolerance for how two
drawings of one building differ (ISO 19157 calls it absolute external positional accuracy); what remains is new building, and what of that no
permit of construction or land use covers on the day is the candidate. A candidate is a question for a person: registers lag, and permits are
drawn by parcel.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import shapely
from psycopg import AsyncConnection

from grid.database import rows
from grid.errors import InvalidInput
from grid.sensing import intake
from grid.sensing.observations import Accepted, Finding

MOST = 50_000
CHUNK = 2000
EXCUSES = ("construction", "land_use")
SLIVER = 0.15
"""Share of a footprint that is new below which it is a known building drawn a little differently."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A footprint (EPSG:4326): its area and what of it is new, and new without a permit, geodesic m²; `standing`: "known", "permitted" or "candidate";
    `extension`: beside or on a known building; `permits`: numbers in force under it; `rest`: the new part without a permit, None unless a candidate."""

    footprint: shapely.Geometry
    standing: Literal["known", "permitted", "candidate"]
    area_m2: float
    new_m2: float
    unpermitted_m2: float
    extension: bool
    permits: tuple[str, ...]
    rest: shapely.Geometry | None


async def judge(
    connection: AsyncConnection, footprints: Sequence[shapely.Geometry], on: date, *, tolerance_m: float = 2.0, least_m2: float = 15.0
) -> list[Judged]:
    """Every footprint in its order, against buildings on record now and permits in force `on` that day by what is known now.

    `tolerance_m`: how far two drawings of one building lie apart; `least_m2`: new ground below it is not a building. Raises InvalidInput (more than
    50,000, not polygons, tolerance or area out of range).
    """
    if len(footprints) > MOST or not 0 <= tolerance_m <= 20 or not 1 <= least_m2 <= 1e6:
        raise InvalidInput(
            f"{len(footprints)} footprints, tolerance {tolerance_m} m, least {least_m2} m²", remedy=f"at most {MOST:,} footprints, 0–20 m and 1–1,000,000 m²"
        )
    wrong = next((number for number, shape in enumerate(footprints) if shape.geom_type not in ("Polygon", "MultiPolygon") or not shape.is_valid), None)
    if wrong is not None:
        raise InvalidInput(f"第 {wrong + 1} 个轮廓不是有效多边形 · footprint {wrong + 1} is no valid polygon", remedy="give polygons that do not cross themselves")
    judged: list[Judged] = []
    for start in range(0, len(footprints), CHUNK):
        part = footprints[start : start + CHUNK]
        found = await rows(
            connection,
            _JUDGE,
            {
                "shapes": [shapely.to_wkb(shapely.set_srid(shapely.force_2d(shape), 4326), hex=True, include_srid=True) for shape in part],
                "on": on, "tolerance": tolerance_m, "degrees": (tolerance_m + 1) / 80_000, "kinds": list(EXCUSES),
            },
        )  # fmt: skip
        judged += [_judged(shape, row, least_m2) for shape, row in zip(part, found, strict=True)]
    return judged


def _judged(shape: shapely.Geometry, row: dict, least_m2: float) -> Judged:
    new, bare = row["new_m2"], row["unpermitted_m2"]
    if new < max(least_m2, SLIVER * row["area_m2"]):
        standing = "known"
    elif bare < least_m2:
        standing = "permitted"
    else:
        standing = "candidate"
    return Judged(
        shape, standing, row["area_m2"], new, bare, bool(row["beside"]), tuple(row["permits"] or ()), row["rest"] if standing == "candidate" else None
    )


_JUDGE = """
SELECT ST_Area(k.shape::geography) AS area_m2, ST_Area(fresh.shape::geography) AS new_m2, ST_Area(rest.shape::geography) AS unpermitted_m2,
    known.beside, permitted.numbers AS permits, rest.shape AS rest
FROM (SELECT shape::geometry AS shape, place FROM unnest(%(shapes)s::text[]) WITH ORDINALITY AS given (shape, place)) AS k
CROSS JOIN LATERAL (
    SELECT ST_Union(ST_Buffer(b.geom::geography, %(tolerance)s)::geometry) AS shape, count(*) > 0 AS beside FROM buildings AS b
    WHERE b.geom && ST_Expand(k.shape, %(degrees)s) AND ST_DWithin(b.geom::geography, k.shape::geography, %(tolerance)s)
) AS known
CROSS JOIN LATERAL (SELECT CASE WHEN known.shape IS NULL THEN k.shape ELSE ST_Difference(k.shape, known.shape) END AS shape) AS fresh
CROSS JOIN LATERAL (
    SELECT ST_Union(p.geom) AS shape, array_agg(DISTINCT r.number ORDER BY r.number) AS numbers FROM parcels AS p JOIN permits AS r ON r.parcel_id = p.id
    WHERE r.kind = ANY(%(kinds)s) AND r.valid @> %(on)s::date AND p.valid @> %(on)s::date AND p.geom && k.shape AND ST_Intersects(p.geom, k.shape)
) AS permitted
CROSS JOIN LATERAL (
    SELECT ST_CollectionExtract(CASE WHEN permitted.shape IS NULL THEN fresh.shape ELSE ST_Difference(fresh.shape, permitted.shape) END, 3) AS shape
) AS rest
ORDER BY k.place
"""


def findings(
    judged: Sequence[Judged], *, source: str, seen_at: datetime, accuracy_m: float, algorithm: str, model_version: str, score: float = 0.6,
    sensor_kind: str = "drone", simulated: bool = False,
) -> list[Finding]:
    """The candidates as findings of kind `illegal_structure`. `seen_at` aware: when the picture was taken; `accuracy_m`: radius of 90 % of the
    footprints' place; `score` 0–1."""  # fmt: skip
    return [
        Finding(
            source=source, source_event_id=hashlib.sha256(one.footprint.normalize().wkb).hexdigest()[:32], sensor_kind=sensor_kind, kind="illegal_structure",
            class_name="extension" if one.extension else "building", score=score, recorded_at=seen_at, place=one.rest.representative_point(),
            accuracy_m=accuracy_m, algorithm=algorithm, model_version=model_version, footprint=one.footprint,
            properties={"area_m2": round(one.unpermitted_m2, 1), "footprint_m2": round(one.area_m2, 1), "new_m2": round(one.new_m2, 1), "extension": one.extension, "permits": list(one.permits)[:20]},
            simulated=simulated,
        )
        for one in judged
        if one.standing == "candidate"
    ]  # fmt: skip


async def report(connection: AsyncConnection, judged: Sequence[Judged], **about: Any) -> list[Accepted]:
    """Hands the candidates (`findings`, with what it asks for) to the one door; the same footprint of one source twice is one observation."""
    handed = findings(judged, **about)
    accepted: list[Accepted] = []
    for start in range(0, len(handed), intake.LARGEST_BATCH):
        accepted += await intake.accept(connection, handed[start : start + intake.LARGEST_BATCH])
    return accepted
