"""The audit stream: five of a hundred findings below the threshold come before a person all the same, drawn by lot and stored with their propensity.

Without it the system would only learn from what it chose to show (a camera once thought bad would never be looked at again); with it each verdict
has a known propensity, and 1 / propensity is its weight in learning. The only writer of `audit_stream` and `review_budgets`. Without a budget of
minutes everything is shown.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid import audit
from grid.database import Scope, row, rows
from grid.errors import InvalidInput
from grid.sensing import learning

SHARE = 0.05
URGENT = 1
"""Alerts of this severity (特急) are never set aside."""

PERIOD_DAYS = 14
MINUTES = (0.2, 1.0, 10.0)
"""Least minutes that a verdict is taken to cost, those while none of its kind was given, and most."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Whether a finding comes before a person, with which propensity, and whether by lot alone."""

    shown: bool
    propensity: float
    audit: bool


def lot(key: str) -> float:
    """A number in [0, 1) that stays the same for a key and cannot be guessed from its neighbours (SHA-256).

    >>> 0 <= lot("alert:1") < 1, lot("alert:1") == lot("alert:1"), lot("alert:1") == lot("alert:2")
    (True, True, False)
    """
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7]) / 2**56


def draw(chance: float, threshold: float, number: float, share: float = SHARE) -> Draw:
    """A finding at or above the threshold is shown for certain; one below it when its lot falls into the share.

    >>> draw(0.7, 0.4, 0.99), draw(0.2, 0.4, 0.04), draw(0.2, 0.4, 0.5)
    (Draw(shown=True, propensity=1.0, audit=False), Draw(shown=True, propensity=0.05, audit=True), Draw(shown=False, propensity=0.05, audit=False))
    """
    if chance >= threshold:
        return Draw(True, 1.0, False)
    return Draw(number < share, share, number < share)


def draws(chance: np.ndarray, threshold: np.ndarray | float, number: np.ndarray, share: float = SHARE) -> tuple[np.ndarray, np.ndarray]:
    """The same of many: (shown, propensity)."""
    above = chance >= threshold
    return above | (number < share), np.where(above, 1.0, share)


@dataclass(frozen=True, slots=True)
class Budget:
    """Minutes that the reviewers of a region have each day (None: no budget); `price` the least chance a minute must bring, `aside` alerts now set aside,
    `lots` those shown by lot in the last PERIOD_DAYS days, `needed` minutes a day that everything would take."""

    region_code: str
    minutes_a_day: float | None
    price: float
    priced_at: datetime | None
    aside: int
    lots: int
    needed: float


async def place(connection: AsyncConnection, alert_ids: Sequence[int]) -> None:
    """Decides of alerts that opened or changed whether people are shown them, by the budget of the nearest region above; what was shown stays shown.

    An alert that is judged keeps the propensity of its verdict.
    """
    await connection.execute(
        f"""
        WITH judged AS (
            SELECT a.id, a.probability AS chance,
                CASE WHEN a.severity <= {URGENT} OR b.price IS NULL THEN 0 ELSE b.price * coalesce((b.minutes ->> a.kind)::float8, {MINUTES[1]}) END AS threshold
            FROM alerts a LEFT JOIN LATERAL (
                SELECT price, minutes FROM review_budgets WHERE starts_with(a.region_code, region_code) ORDER BY length(region_code) DESC LIMIT 1
            ) b ON true
            WHERE a.id = ANY(%(ids)s) AND a.state IN ('open', 'acknowledged')
        ), drawn AS (SELECT *, random() AS lot FROM judged)
        INSERT INTO audit_stream AS s (alert_id, lot, chance, threshold, propensity, shown)
        SELECT id, lot, chance, least(threshold, 1e6), CASE WHEN chance >= threshold THEN 1 ELSE {SHARE} END, chance >= threshold OR lot < {SHARE} FROM drawn
        ORDER BY id
        ON CONFLICT (alert_id) DO UPDATE SET chance = EXCLUDED.chance, threshold = EXCLUDED.threshold, at = clock_timestamp(),
            propensity = greatest(s.propensity, EXCLUDED.propensity),
            shown = s.shown OR EXCLUDED.propensity = 1 OR s.lot < {SHARE}
        """,
        {"ids": list(alert_ids)},
    )


async def set_budget(connection: AsyncConnection, scope: Scope, staff_id: int, minutes_a_day: float | None) -> None:
    """Sets the minutes of the caller's region, or takes the budget away (None: all is shown from now on, and what was set aside as well); audited."""
    await audit.note(connection, staff_id, "review_budget.set", f"region/{scope.prefix}", {"minutes_a_day": minutes_a_day})
    if minutes_a_day is None:
        await connection.execute("DELETE FROM review_budgets WHERE region_code = %(region)s", {"region": scope.prefix})
        waiting = await rows(connection, _ASIDE, {"scope": scope.like})
        await place(connection, [r["alert_id"] for r in waiting])
        return
    if not 0 < minutes_a_day <= 100_000:
        raise InvalidInput(f"每日 {minutes_a_day} 分钟不合理 · {minutes_a_day} minutes a day", remedy="give more than 0 and at most 100000")
    await connection.execute(
        """
        INSERT INTO review_budgets (region_code, minutes_a_day, set_by) VALUES (%(region)s, %(minutes)s, %(staff)s)
        ON CONFLICT (region_code) DO UPDATE SET minutes_a_day = EXCLUDED.minutes_a_day, set_by = EXCLUDED.set_by, set_at = clock_timestamp()
        """,
        {"region": scope.prefix, "minutes": minutes_a_day, "staff": staff_id},
    )
    await price(connection, scope.prefix)


_ASIDE = """
    SELECT s.alert_id FROM audit_stream s JOIN alerts a ON a.id = s.alert_id
    WHERE NOT s.shown AND a.state IN ('open', 'acknowledged') AND a.region_code LIKE %(scope)s
"""


async def price(connection: AsyncConnection, region_code: str) -> None:
    """Sets the price of a region's minutes from its alerts of the last PERIOD_DAYS days, and draws its waiting alerts that are set aside anew."""
    chance, minutes, by_kind = await _recent(connection, Scope(region_code))
    budget = await row(connection, "SELECT minutes_a_day FROM review_budgets WHERE region_code = %(region)s", {"region": region_code})
    if budget is None:
        return
    found = learning.price(chance, minutes, budget["minutes_a_day"] * PERIOD_DAYS, SHARE) if len(chance) else 0.0
    await connection.execute(
        """
        UPDATE review_budgets SET price = least(%(price)s, 1e6), minutes = %(minutes)s::jsonb, priced_at = clock_timestamp() WHERE region_code = %(region)s
        """,
        {"price": found, "minutes": json.dumps(by_kind), "region": region_code},
    )
    waiting = await rows(connection, _ASIDE, {"scope": Scope(region_code).like})
    await place(connection, [r["alert_id"] for r in waiting])


async def price_all(connection: AsyncConnection) -> None:
    """The same for every region with a budget."""
    for each in await rows(connection, "SELECT region_code FROM review_budgets ORDER BY 1"):
        await price(connection, each["region_code"])


async def _recent(connection: AsyncConnection, scope: Scope) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """(chance, minutes) of a region's alerts of the last PERIOD_DAYS days, the urgent ones left out, and minutes by kind.

    A verdict costs the median time from acknowledging to judging, within MINUTES.
    """
    found = await rows(
        connection,
        f"""
        SELECT a.kind, coalesce(s.chance, a.probability) AS chance, extract(epoch FROM d.at - a.acknowledged_at)::float8 / 60 AS took
        FROM alerts a LEFT JOIN audit_stream s ON s.alert_id = a.id
        LEFT JOIN decisions d ON d.alert_id = a.id AND d.undone_at IS NULL AND d.verdict IN ('true', 'false')
        WHERE a.region_code LIKE %(scope)s AND a.severity > {URGENT} AND a.opened_at > now() - interval '{PERIOD_DAYS} days'
        """,
        {"scope": scope.like},
    )
    took: dict[str, list[float]] = {r["kind"]: [] for r in found}
    for r in found:
        if r["took"] is not None and r["took"] > 0:
            took[r["kind"]].append(r["took"])
    by_kind = {kind: float(np.clip(np.median(times), MINUTES[0], MINUTES[2])) if times else MINUTES[1] for kind, times in took.items()}
    return np.array([r["chance"] for r in found], float), np.array([by_kind[r["kind"]] for r in found], float), by_kind


async def budget(connection: AsyncConnection, scope: Scope) -> Budget:
    """The budget of the caller's own region; `minutes_a_day` is None when nobody has set one."""
    _, minutes, _ = await _recent(connection, scope)
    async with connection.cursor(row_factory=class_row(Budget)) as cursor:
        await cursor.execute(
            f"""
            SELECT %(region)s AS region_code, b.minutes_a_day, coalesce(b.price, 0) AS price, b.priced_at, (SELECT count(*) FROM ({_ASIDE}) w)::int AS aside,
                (SELECT count(*) FROM audit_stream s JOIN alerts a ON a.id = s.alert_id WHERE s.shown AND s.propensity < 1
                 AND a.region_code LIKE %(scope)s AND s.at > now() - interval '{PERIOD_DAYS} days')::int AS lots, %(needed)s::float8 AS needed
            FROM (SELECT 1) one LEFT JOIN review_budgets b ON b.region_code = %(region)s
            """,
            {"scope": scope.like, "region": scope.prefix, "needed": float(minutes.sum()) / PERIOD_DAYS},
        )
        return await cursor.fetchone()
