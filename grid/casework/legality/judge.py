"""One changed shape against every rule, on a day (valid time) and as the registers stood at a time (transaction time).

Areas are geodesic on the ellipsoid. Edges are straight in longitude and latitude (RFC 7946 §3.1.1), as the overlay cuts them; a geodesic between two far
corners bulges away from that line, so edges are densified to STEP_DEG before they are measured. That is what makes the parts of a split shape add up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import shapely
from psycopg import AsyncConnection, sql

from grid.casework.legality.registers import REGISTERS, Register
from grid.casework.legality.rule import Rule, every
from grid.database import row, rows

STEP_DEG = 0.0001
NOTHING_M2 = 0.01
"""An overlap below this is a rounding of coordinates, not an overlap."""
MU_M2 = 2000.0 / 3.0


@dataclass(frozen=True, slots=True)
class Category:
    """A category of a register under the shape: `area_m2` touched, `open_m2` of it without a permit."""

    category: str
    area_m2: float
    open_m2: float

    @property
    def mu(self) -> float:
        """Area in mu 亩 (15 to the hectare)."""
        return self.area_m2 / MU_M2


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says. `verdict`: lawful 合法, suspect 疑似违法, verify 需核实, context; `reason`: open, excused, untouched, sliver, place or no_data.

    `area_m2` touched and `open_m2` of it without a permit (None where the shape has no area); categories of one register may overlap, the totals count ground once.
    `versions`: register -> its version (register_versions.id) then; `decided_by`: the register that decided.
    """

    rule: Rule
    verdict: str
    reason: str
    clause: str
    area_m2: float | None
    open_m2: float | None
    categories: tuple[Category, ...]
    names: tuple[str, ...]
    permits: tuple[str, ...]
    versions: Mapping[str, int]
    decided_by: str

    @property
    def mu(self) -> float | None:
        """The touched area in mu 亩."""
        return None if self.area_m2 is None else self.area_m2 / MU_M2


async def judge(
    connection: AsyncConnection,
    geometry: shapely.Geometry,
    kind: str,
    on: date,
    known_at: datetime | None = None,
    *,
    measured: bool | None = None,
    rules: Mapping[str, Rule] | None = None,
) -> list[Finding]:
    """Findings of all rules that judge a kind of change, by rule id, for a shape in EPSG:4326. `known_at`: aware, default now.

    `measured`: the shape is the change itself (default: it is a polygon); for the region of where something may be, and for points, no rule says more than verify.
    """
    measured = shapely.get_dimensions(geometry) == 2 if measured is None else measured
    asked = [rule for _, rule in sorted((every() if rules is None else rules).items()) if rule.judges(kind)]
    versions = await register_versions(connection, known_at)
    params = {"geom": shapely.set_srid(geometry, 4326), "on": on, "known": known_at}
    return [await _ask(connection, rule, params, versions, measured) for rule in asked]


async def register_versions(connection: AsyncConnection, known_at: datetime | None = None) -> dict[str, int]:
    """Register -> its newest version at a time (default now), of registers that ever held anything."""
    found = await rows(
        connection,
        "SELECT register, max(id) AS id FROM register_versions WHERE edited_at <= coalesce(%(known)s::timestamptz, 'infinity') GROUP BY register",
        {"known": known_at},
    )
    return {r["register"]: r["id"] for r in found}


async def _ask(connection: AsyncConnection, rule: Rule, params: dict, versions: Mapping[str, int], measured: bool) -> Finding:
    register = REGISTERS[rule.register]
    used = {name: versions[name] for name in _tables(rule) if name in versions}
    if rule.register not in versions:
        return Finding(rule, "context" if rule.open == "context" else "verify", "no_data", rule.clause, None, None, (), (), (), used, rule.register)
    found = await rows(connection, _statement(register, rule), {**params, "step": STEP_DEG, "permits": list(rule.excused_by), **_conditions(rule)[1]})
    total = next(r for r in found if r["total"])
    area, bare = total["area"] or 0.0, total["open"] or 0.0
    categories = tuple(Category(r["category"], r["area"], r["open"]) for r in found if not r["total"] and (r["area"] >= NOTHING_M2 or not measured))
    verdict, reason = _verdict(rule, total, area, bare, measured)
    if reason == "untouched":
        return Finding(rule, verdict, reason, rule.clause, 0.0 if measured else None, 0.0 if measured else None, (), (), (), used, rule.register)
    return Finding(
        rule,
        verdict,
        reason,
        "；".join(clause for clause in total["clauses"] if clause) or rule.clause,
        area if area else None,
        bare if area else None,
        categories,
        tuple(total["names"]),
        tuple(total["permits"] or ()) if rule.excused_by else (),
        used,
        "permits" if reason == "excused" and total["permits"] else rule.register,
    )


def _verdict(rule: Rule, total: dict, area: float, bare: float, measured: bool) -> tuple[str, str]:
    """Verdict and reason from what was touched."""
    if not total["touched"] or (measured and area < NOTHING_M2):
        return ("context" if rule.open == "context" else "lawful"), "untouched"
    if rule.open == "context":
        return "context", "open"
    if not measured:
        covered = total["covered"] if not area else bare < NOTHING_M2
        return (rule.excused, "excused") if covered else ("verify", "place")
    if bare >= max(rule.least_m2, NOTHING_M2):
        return rule.open, "open"
    return ("verify", "sliver") if area < rule.least_m2 else (rule.excused, "excused")


def _tables(rule: Rule) -> Iterable[str]:
    return dict.fromkeys((rule.register, *(("parcels", "permits") if rule.excused_by else ())))


def _conditions(rule: Rule) -> tuple[sql.Composable, dict]:
    """The rule's `where` over alias r, and its parameters."""
    parts, params = [sql.SQL("true")], {}
    for i, (column, values) in enumerate(sorted(rule.where.items())):
        parts.append(sql.SQL("r.{} = ANY({})").format(sql.Identifier(column), sql.Placeholder(f"where{i}")))
        params[f"where{i}"] = list(values)
    return sql.SQL(" AND ").join(parts), params


def _statement(register: Register, rule: Rule) -> sql.Composed:
    """The overlay of one register with the shape, less the ground under permits: a row a category and one in total. Only names of the allow-list enter the text."""

    def column(name: str) -> sql.Composable:
        return sql.SQL("coalesce(r.{}::text, '')").format(sql.Identifier(name)) if name else sql.SQL("''::text")

    return sql.SQL(
        """
        WITH held AS (
            SELECT r.geom, {name} AS name, {category} AS category, {clause} AS clause FROM {table} AS r
            WHERE r.geom && %(geom)s AND ST_Intersects(r.geom, %(geom)s) AND r.valid @> %(on)s::date
                AND r.recorded_at <= coalesce(%(known)s::timestamptz, 'infinity') AND {where}
            UNION ALL
            SELECT r.geom, {name}, {category}, {clause} FROM {past} AS r
            WHERE r.geom && %(geom)s AND ST_Intersects(r.geom, %(geom)s) AND r.valid @> %(on)s::date
                AND r.recorded @> coalesce(%(known)s::timestamptz, 'infinity') AND {where}
        ), lots AS (
            SELECT id, geom FROM parcels
            WHERE cardinality(%(permits)s::text[]) > 0 AND geom && %(geom)s AND ST_Intersects(geom, %(geom)s) AND valid @> %(on)s::date
                AND recorded_at <= coalesce(%(known)s::timestamptz, 'infinity')
            UNION ALL
            SELECT id, geom FROM parcels_past
            WHERE cardinality(%(permits)s::text[]) > 0 AND geom && %(geom)s AND ST_Intersects(geom, %(geom)s) AND valid @> %(on)s::date
                AND recorded @> coalesce(%(known)s::timestamptz, 'infinity')
        ), granted AS (
            SELECT parcel_id, number FROM permits
            WHERE parcel_id IN (SELECT id FROM lots) AND kind = ANY(%(permits)s) AND valid @> %(on)s::date
                AND recorded_at <= coalesce(%(known)s::timestamptz, 'infinity')
            UNION ALL
            SELECT parcel_id, number FROM permits_past
            WHERE parcel_id IN (SELECT id FROM lots) AND kind = ANY(%(permits)s) AND valid @> %(on)s::date
                AND recorded @> coalesce(%(known)s::timestamptz, 'infinity')
        ), excuse AS (
            SELECT ST_Union(geom) AS geom, array_agg(DISTINCT number ORDER BY number) FILTER (WHERE EXISTS (SELECT FROM held WHERE ST_Intersects(held.geom, lots.geom))) AS numbers
            FROM lots JOIN granted ON granted.parcel_id = lots.id
        ), touched AS (
            SELECT name, category, clause, geom AS whole, ST_CollectionExtract(ST_Intersection(geom, %(geom)s), 3) AS geom FROM held
        ), summed AS (
            SELECT category, grouping(category) = 1 AS total, count(*) AS touched, coalesce(array_agg(DISTINCT name ORDER BY name), '{{}}') AS names,
                coalesce(array_agg(DISTINCT clause ORDER BY clause), '{{}}') AS clauses, ST_Union(geom) AS geom
            FROM touched GROUP BY GROUPING SETS ((category), ())
        )
        SELECT category, total, touched, names, clauses, excuse.numbers AS permits,
            coalesce(ST_Intersects(excuse.geom, %(geom)s), false) AS covered,
            ST_Area(ST_Segmentize(summed.geom, %(step)s)::geography) AS area,
            ST_Area(ST_Segmentize(CASE WHEN excuse.geom IS NULL THEN summed.geom ELSE ST_CollectionExtract(ST_Difference(summed.geom, excuse.geom), 3) END, %(step)s)::geography) AS open
        FROM summed, excuse ORDER BY total, area DESC NULLS LAST, category
        """
    ).format(
        name=column(register.name),
        category=column(register.category),
        clause=column(register.clause),
        table=sql.Identifier(register.table),
        past=sql.Identifier(f"{register.table}_past"),
        where=_conditions(rule)[0],
    )


async def alert_shape(connection: AsyncConnection, alert_id: int) -> dict | None:
    """kind, day (Shanghai), place and whether it is `measured`: the changed polygons of an alert that stand, or its 50 % region or point. None: no such alert."""
    return await row(
        connection,
        """
        SELECT kind, region_code, (last_seen_at AT TIME ZONE 'Asia/Shanghai')::date AS day, coalesce(patch.geom, region50, alerts.geom) AS place, patch.geom IS NOT NULL AS measured
        FROM alerts LEFT JOIN LATERAL (
            SELECT CASE WHEN count(*) = 1 THEN (array_agg(geom))[1] ELSE ST_Union(geom) END AS geom FROM patches
            WHERE id IN (SELECT patch_id FROM alert_patches WHERE alert_id = alerts.id) AND state NOT IN ('split', 'merged')
        ) AS patch ON true
        WHERE alerts.id = %(id)s
        """,
        {"id": alert_id},
    )
