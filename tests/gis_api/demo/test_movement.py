"""The simulator holds nobody up: a step of an order is committed before the next unit's row is waited for."""

import asyncio
from datetime import UTC, datetime

from gis_api.demo.movement import Fleet, Network
from grid import events
from grid.database import connect, point, row, rows
from grid.world import units
from grid.world.units import NewUnit


async def test_a_step_is_committed_before_another_unit_is_waited_for(conn, database_url):
    await units.load(conn, [NewUnit(code, "车", "vehicle", 60.0, "idle", "370202", point(120.4, 36.06), point(120.4, 36.06), 0.0, 8.0, True) for code in ("V1", "V2")])
    await conn.execute("UPDATE units SET reported_at = now() - interval '1 minute'")
    first, second = [r["id"] for r in await rows(conn, "SELECT id FROM units ORDER BY id")]
    await conn.execute(
        """
        WITH alert AS (
            INSERT INTO alerts (kind, title, title_en, region_code, geom, first_seen_at, last_seen_at, accuracy_m, severity, probability, rule_id, rule_version)
            VALUES ('forest_fire', '火', 'Fire', '370202', ST_SetSRID(ST_MakePoint(120.42, 36.07), 4326), now(), now(), 50, 1, 0.9, 'r', '1') RETURNING id
        )
        INSERT INTO orders (alert_id, unit_id, distance_m, eta_s, region_code, ordered_at) SELECT id, %(unit)s, 1000, 60, '370202', now() - interval '1 minute' FROM alert
        """,
        {"unit": first},
    )
    await conn.commit()
    holder, onlooker, own = await connect(database_url), await connect(database_url, autocommit=True), await connect(database_url, autocommit=True)
    await holder.execute("SELECT 1 FROM units WHERE id = %(id)s FOR UPDATE", {"id": second})
    ticking = asyncio.create_task(Fleet(await Network.read(conn)).tick(own, datetime.now(UTC), 2.0))
    async with asyncio.timeout(60):
        while not await row(onlooker, "SELECT 1 FROM pg_stat_activity WHERE pid = %(pid)s AND wait_event_type = 'Lock'", {"pid": own.info.backend_pid}):
            assert not ticking.done()
            await asyncio.sleep(0.02)
    assert (await row(onlooker, "SELECT state FROM orders"))["state"] == "acknowledged"
    await onlooker.execute("SET lock_timeout = '2s'")
    await events.publish(onlooker, "alert.changed", 0, "3702")
    await holder.close()
    assert await ticking == 2
    for connection in (onlooker, own):
        await connection.close()
