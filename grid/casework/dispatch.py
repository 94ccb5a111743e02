"""Two vehicles and one drone: who can be there soonest, the order, and its steps until arrival.

Vehicles follow the roads (pgRouting, cost in seconds); drones fly straight; where no road leads, the straight line times a
detour factor is used and said so. A unit whose last position is older than `units.STALE_AFTER` is not proposed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import shapely
from psycopg import AsyncConnection

from grid import events, geometry
from grid.database import Scope, row, rows
from grid.errors import Conflict, IllegalStep, InvalidInput, NotFound
from grid.sensing import alerts
from grid.world import units

DETOUR = 1.4
TURNOUT_S = {"vehicle": 60.0, "drone": 90.0, "team": 120.0}
WANTED = (("vehicle", 2), ("drone", 1))
CANDIDATES = 6
STEPS = {
    "acknowledge": ({"confirmed"}, "acknowledged"),
    "depart": ({"acknowledged"}, "moving"),
    "arrive": ({"moving"}, "arrived"),
    "finish": ({"arrived"}, "done"),
    "cancel": ({"confirmed", "acknowledged", "moving"}, "cancelled"),
}
UNIT_STATE = {"acknowledged": "ordered", "moving": "moving", "arrived": "on_site", "done": "returning", "cancelled": "returning"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A unit that could go: distance in metres along `route` (EPSG:4326), seconds until arrival including turnout."""

    unit_id: int
    code: str
    name: str
    kind: str
    distance_m: float
    eta_s: float
    position_age_s: float
    along: str
    route: shapely.LineString


async def propose(connection: AsyncConnection, scope: Scope, alert_id: int) -> tuple[list[Proposal], list[str]]:
    """The package for an alert, soonest first, and what is missing from it in words (zh · en). Raises NotFound."""
    alert = await row(connection, "SELECT geom FROM alerts WHERE id = %(id)s AND region_code LIKE %(scope)s", {"id": alert_id, "scope": scope.like})
    if alert is None:
        raise NotFound(f"no alert {alert_id}")
    chosen, missing = [], []
    for kind, count in WANTED:
        options = await _options(connection, scope, kind, alert["geom"])
        options.sort(key=lambda option: option.eta_s)
        chosen += options[:count]
        if len(options) < count:
            name = {"vehicle": "车辆 · vehicles", "drone": "无人机 · drones"}[kind]
            missing.append(f"空闲{name}: {len(options)}/{count}")
    return chosen, missing


async def _options(connection: AsyncConnection, scope: Scope, kind: str, target: shapely.Point) -> list[Proposal]:
    found = await rows(
        connection,
        """
        SELECT id, code, name, kind, speed_kmh, geom, extract(epoch FROM now() - reported_at) AS age_s FROM units
        WHERE region_code LIKE %(scope)s AND kind = %(kind)s AND state IN ('idle', 'returning') AND reported_at > now() - %(stale)s
          AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.unit_id = units.id AND orders.state NOT IN ('done', 'cancelled'))
        ORDER BY geom <-> %(target)s LIMIT %(limit)s
        """,
        {"scope": scope.like, "kind": kind, "stale": units.STALE_AFTER, "target": target, "limit": CANDIDATES},
    )
    if kind == "drone":
        return [_straight(unit, target, detour=1.0) for unit in found]
    return await _along_roads(connection, found, target)


def _straight(unit: dict[str, Any], target: shapely.Point, *, detour: float) -> Proposal:
    _, distance = geometry.inverse(unit["geom"].x, unit["geom"].y, target.x, target.y)
    distance *= detour
    seconds = distance / (unit["speed_kmh"] / 3.6) + TURNOUT_S[unit["kind"]]
    route = shapely.set_srid(shapely.LineString([unit["geom"], target]), 4326)
    return Proposal(unit["id"], unit["code"], unit["name"], unit["kind"], distance, seconds, unit["age_s"], "straight", route)


async def _along_roads(connection: AsyncConnection, vehicles: list[dict[str, Any]], target: shapely.Point) -> list[Proposal]:
    if not vehicles:
        return []
    nodes = await rows(
        connection,
        """
        SELECT place.id, edge.node FROM unnest(%(ids)s::bigint[], %(places)s::geometry[]) AS place (id, geom)
        CROSS JOIN LATERAL (
            SELECT CASE WHEN ST_LineLocatePoint(roads.geom, place.geom) < 0.5 THEN source_node ELSE target_node END AS node
            FROM roads WHERE source_node IS NOT NULL ORDER BY roads.geom <-> place.geom LIMIT 1
        ) AS edge
        """,
        {"ids": [unit["id"] for unit in vehicles] + [0], "places": [unit["geom"] for unit in vehicles] + [target]},
    )
    node_of = {item["id"]: item["node"] for item in nodes}
    paths: dict[int, list[dict[str, Any]]] = {}
    if 0 in node_of and len(node_of) > 1:
        hull = shapely.box(*shapely.total_bounds([unit["geom"] for unit in vehicles] + [target])).buffer(0.03)
        edges = (
            "SELECT id, source_node AS source, target_node AS target, length_m / (speed_kmh / 3.6) AS cost, length_m / (speed_kmh / 3.6) AS reverse_cost "
            f"FROM roads WHERE source_node IS NOT NULL AND geom && ST_GeomFromText('{shapely.to_wkt(hull, rounding_precision=6)}', 4326)"
        )
        found = await rows(
            connection,
            """
            SELECT path.start_vid, path.path_seq, path.node, roads.source_node, roads.length_m, path.cost, roads.geom
            FROM pgr_dijkstra(%(edges)s, %(starts)s::bigint[], %(end)s::bigint, directed => false) AS path
            JOIN roads ON roads.id = path.edge ORDER BY path.start_vid, path.path_seq
            """,
            {"edges": edges, "starts": sorted({node_of[unit["id"]] for unit in vehicles if unit["id"] in node_of}), "end": node_of[0]},
        )
        for item in found:
            paths.setdefault(item["start_vid"], []).append(item)
    proposals = []
    for unit in vehicles:
        path = paths.get(node_of.get(unit["id"], -1))
        proposals.append(_by_road(unit, target, path) if path else _straight(unit, target, detour=DETOUR))
    return proposals


def _by_road(unit: dict[str, Any], target: shapely.Point, path: list[dict[str, Any]]) -> Proposal:
    points: list[tuple[float, float]] = [(unit["geom"].x, unit["geom"].y)]
    for edge in path:
        coordinates = list(edge["geom"].coords)
        points += coordinates if edge["node"] == edge["source_node"] else coordinates[::-1]
    points.append((target.x, target.y))
    ends = [geometry.inverse(*points[0], *points[1])[1], geometry.inverse(*points[-2], *points[-1])[1]]
    distance = sum(edge["length_m"] for edge in path) + sum(ends)
    off_road = sum(ends) / (min(unit["speed_kmh"], 15.0) / 3.6)
    seconds = sum(edge["cost"] for edge in path) + off_road + TURNOUT_S[unit["kind"]]
    route = shapely.set_srid(shapely.LineString(points), 4326)
    return Proposal(unit["id"], unit["code"], unit["name"], unit["kind"], distance, seconds, unit["age_s"], "road", route)


async def order(connection: AsyncConnection, scope: Scope, staff_id: int, alert_id: int, unit_ids: list[int], *, exercise: bool = False) -> list[int]:
    """Confirms orders for units in one transaction: all or none. Raises NotFound, InvalidInput or Conflict (a unit has an order already).

    An exercise never reaches a real unit: only simulated units take part in it.
    """
    alert = await row(
        connection,
        "SELECT geom, state, region_code, (SELECT max(id) FROM cases WHERE alert_id = alerts.id) AS case_id FROM alerts "
        "WHERE id = %(id)s AND region_code LIKE %(scope)s FOR UPDATE",
        {"id": alert_id, "scope": scope.like},
    )
    if alert is None:
        raise NotFound(f"no alert {alert_id}")
    if alert["state"] in ("dismissed", "closed"):
        raise IllegalStep(f"alert {alert_id} is {alert['state']}", remedy="order units for an open alert")
    if len(set(unit_ids)) != len(unit_ids):
        raise InvalidInput(f"unit_ids {unit_ids} name a unit twice", remedy="name each unit once")
    chosen = await rows(
        connection,
        """
        SELECT id, code, name, kind, speed_kmh, geom, state, simulated, extract(epoch FROM now() - reported_at) AS age_s
        FROM units WHERE id = ANY(%(ids)s) AND region_code LIKE %(scope)s ORDER BY id FOR UPDATE
        """,
        {"ids": unit_ids, "scope": scope.like},
    )
    if missing := set(unit_ids) - {unit["id"] for unit in chosen}:
        raise NotFound(f"no unit {sorted(missing)[0]}")
    if exercise and (real := [unit["name"] for unit in chosen if not unit["simulated"]]):
        raise InvalidInput(f"an exercise may not order the real unit {real[0]}", remedy="choose simulated units")
    ground = await _along_roads(connection, [unit for unit in chosen if unit["kind"] != "drone"], alert["geom"])
    plans = ground + [_straight(unit, alert["geom"], detour=1.0) for unit in chosen if unit["kind"] == "drone"]
    ids = []
    for plan in plans:
        busy = await row(
            connection, "SELECT id FROM orders WHERE unit_id = %(unit)s AND state NOT IN ('done', 'cancelled')", {"unit": plan.unit_id}
        )
        if busy:
            raise Conflict(f"{plan.name} follows order {busy['id']} already", remedy="choose another unit, or cancel that order")
        cursor = await connection.execute(
            """
            INSERT INTO orders (alert_id, case_id, unit_id, distance_m, eta_s, exercise, ordered_by, region_code, route)
            VALUES (%(alert)s, %(case)s, %(unit)s, %(distance)s, %(eta)s, %(exercise)s, %(by)s, %(region)s, %(route)s) RETURNING id
            """,
            {
                "alert": alert_id,
                "case": alert["case_id"],
                "unit": plan.unit_id,
                "distance": plan.distance_m,
                "eta": plan.eta_s,
                "exercise": exercise,
                "by": staff_id,
                "region": alert["region_code"],
                "route": plan.route,
            },
        )
        ids.append((await cursor.fetchone())[0])
    await units.set_state(connection, unit_ids, "ordered")
    await alerts.mark_dispatched(connection, alert_id, by=staff_id)
    for order_id in ids:
        await _publish(connection, order_id, "order.confirmed")
    return ids


async def step(connection: AsyncConnection, order_id: int, action: str, *, scope: Scope | None = None, version: int | None = None) -> str:
    """Takes a step of an order and moves its unit's state along. Returns the new state.

    `scope` None is the unit itself (or its simulator). Raises NotFound, Conflict (version), IllegalStep or InvalidInput (unknown action).
    """
    if action not in STEPS:
        raise InvalidInput(f"unknown action {action!r}", remedy=f"use one of {', '.join(STEPS)}")
    found = await row(connection, "SELECT * FROM orders WHERE id = %(id)s FOR UPDATE", {"id": order_id})
    if found is None or (scope is not None and not scope.covers(found["region_code"])):
        raise NotFound(f"no order {order_id}")
    sources, target = STEPS[action]
    if found["state"] not in sources:
        raise IllegalStep(f"order {order_id} is {found['state']}: no step {action!r} from there", state=found["state"])
    if version is not None and version != found["version"]:
        raise Conflict(f"order {order_id} changed meanwhile", remedy="read it again", version=found["version"])
    await connection.execute(
        """
        UPDATE orders SET state = %(state)s, version = version + 1,
            acknowledged_at = CASE WHEN %(state)s = 'acknowledged' THEN %(now)s ELSE acknowledged_at END,
            departed_at = CASE WHEN %(state)s = 'moving' THEN %(now)s ELSE departed_at END,
            arrived_at = CASE WHEN %(state)s = 'arrived' THEN %(now)s ELSE arrived_at END,
            ended_at = CASE WHEN %(state)s IN ('done', 'cancelled') THEN %(now)s ELSE ended_at END
        WHERE id = %(id)s
        """,
        {"state": target, "now": datetime.now(UTC), "id": order_id},
    )
    await units.set_state(connection, [found["unit_id"]], UNIT_STATE[target])
    await _publish(connection, order_id, "order.changed")
    return target


async def _publish(connection: AsyncConnection, order_id: int, kind: str) -> None:
    found = await row(connection, "SELECT id, alert_id, unit_id, state, eta_s, version, region_code FROM orders WHERE id = %(id)s", {"id": order_id})
    region_code = found.pop("region_code")
    await events.publish(connection, kind, order_id, region_code, found)


async def page(connection: AsyncConnection, scope: Scope, *, live: bool, alert_id: int | None = None, ids: list[int] | None = None) -> list[dict[str, Any]]:
    """Orders in scope, newest first, with unit and person joined."""
    return await rows(
        connection,
        """
        SELECT orders.*, units.name AS unit_name, units.kind AS unit_kind, staff.name AS ordered_by_name
        FROM orders JOIN units ON units.id = orders.unit_id LEFT JOIN staff ON staff.id = orders.ordered_by
        WHERE orders.region_code LIKE %(scope)s AND (NOT %(live)s OR orders.state NOT IN ('done', 'cancelled'))
          AND (%(alert)s::bigint IS NULL OR orders.alert_id = %(alert)s) AND (%(ids)s::bigint[] IS NULL OR orders.id = ANY(%(ids)s))
        ORDER BY orders.id DESC LIMIT 200
        """,
        {"scope": scope.like, "live": live, "alert": alert_id, "ids": ids},
    )
