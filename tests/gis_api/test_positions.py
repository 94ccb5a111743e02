"""Positions of units that devices report: a clock that runs ahead is refused, or the unit would never grow stale."""

from datetime import UTC, datetime, timedelta

import psycopg


async def test_a_position_from_the_future_is_refused_by_name(app_client, login, settings):
    with psycopg.connect(settings.database_url) as connection:
        (unit,) = connection.execute(
            """INSERT INTO units (code, name, kind, speed_kmh, region_code, home, geom, reported_at) SELECT 'U', 'x', 'vehicle', 40, '370202', p, p, now() - interval '1 hour'
            FROM (SELECT ST_SetSRID(ST_MakePoint(120.38, 36.06), 4326) AS p) AS place RETURNING id"""
        ).fetchone()
    await login(app_client, "zhihui")
    for ahead, status in ((timedelta(hours=1), 422), (timedelta(minutes=1), 202)):
        at = (datetime.now(UTC) + ahead).isoformat()
        answer = await app_client.post(f"/api/units/{unit}/positions", json={"position": {"lon": 120.39, "lat": 36.06, "accuracy_m": 5}, "recorded_at": at})
        assert answer.status_code == status, answer.text
        assert status == 202 or (at[:19] in answer.json()["detail"] and answer.json()["remedy"])
