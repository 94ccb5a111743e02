"""The ledger over HTTP: a day of one's own region, in stretches, and no grid of another."""

from datetime import UTC, datetime

import httpx
import psycopg

from grid.settings import Settings


async def test_a_day_is_told_in_stretches_and_for_ones_region(app_client: httpx.AsyncClient, login, settings: Settings, people: dict[str, int]):
    with psycopg.connect(settings.database_url) as connection:
        for code, region in (("370202001001001", "370202001001"), ("370202001001002", "370202001001")):
            connection.execute(
                "INSERT INTO cells (code, name, region_code, geom) VALUES (%s, '网格', %s, ST_Multi(ST_MakeEnvelope(120.37 + %s, 36.055, 120.38 + %s, 36.07, 4326)))",
                [code, region, int(code[-1]) * 0.02, int(code[-1]) * 0.02],
            )
        minutes = bytearray(1440)
        minutes[61] = 200
        connection.execute(
            "INSERT INTO ledger (day, cell_code, sensor_kind, region_code, last_at, minutes) VALUES ('2026-11-22', '370202001001001', 'camera', '370202001001', %s, %s)",
            [datetime(2026, 11, 21, 17, 1, tzinfo=UTC), bytes(minutes)],
        )
    assert (await app_client.get("/api/ledger")).status_code == 401
    await login(app_client, "shuju")
    told = (await app_client.get("/api/ledger", params={"day": "2026-11-22", "minutes": 60})).json()
    assert [(c["code"], len(c["seen"]), max(c["seen"])) for c in told["cells"]] == [("370202001001001", 24, 200), ("370202001001002", 24, 0)]
    assert told["cells"][0]["seen"][1] == 200 and told["cells"][0]["age_h"] > 0 and told["cells"][1]["age_h"] is None
    drones = (await app_client.get("/api/ledger", params={"day": "2026-11-22", "kind": "drone"})).json()
    assert not any(map(any, (c["seen"] for c in drones["cells"]))) and drones["minutes"] == 15
    assert (await app_client.get("/api/ledger", params={"minutes": 7})).status_code == 422
