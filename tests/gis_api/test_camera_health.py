"""How the cameras are, since when, and only those of the caller's region."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from imagery.cameras import turns

PLACE = "ST_SetSRID(ST_MakePoint(120.38, 36.06), 4326)"


@pytest.fixture
def cameras(settings, people) -> dict[str, int]:
    """A camera of 市南 in each of five conditions, and one of 崂山: name -> id."""
    rows = (
        ("好", "370202001001", "online", None, "NULL"), ("断", "370202001001", "online", None, "NULL"), ("黑", "370202001001", "dark", None, "NULL"),
        ("静", "370202001001", "online", "snapshot:https://c.example.cn/1", "now() - interval '2 hours'"),
        ("有", "370202001001", "online", "snapshot:https://c.example.cn/2", "now()"), ("崂", "370212001001", "offline", None, "NULL"),
    )  # fmt: skip
    with psycopg.connect(settings.database_url) as connection:
        return {
            name: connection.execute(
                f"""INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, region_code, geom, state, stream, last_frame_at, owner)
                VALUES ('3702020000131000000{number}', '{name}', 'street', 0, 0, 60, 80, '{region}', {PLACE}, '{state}', %s, {frame}, '城管局') RETURNING id""",
                [stream],
            ).fetchone()[0]
            for number, (name, region, state, stream, frame) in enumerate(rows)
        }


async def test_what_is_not_well_is_told_with_its_time_and_inside_the_region(app_client, login, settings, cameras, monkeypatch):
    before = datetime.now(UTC)
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE cameras SET state = 'offline' WHERE name = '断'")
        connection.execute("UPDATE cameras SET state = 'offline', owner = '移动' WHERE name = '断'")
    await login(app_client, "shinan")
    told = (await app_client.get("/api/camera-health")).json()
    assert told["counts"] == {"online": 2, "dark": 1, "silent": 1, "offline": 1}
    assert [each["name"] for each in told["cameras"]] == ["静", "黑", "断"]
    silent, dark, gone = told["cameras"]
    assert silent["how"] == "silent" and silent["since"] == silent["last_frame_at"] and dark["last_frame_at"] is None
    assert datetime.fromisoformat(gone["since"]) >= before > datetime.fromisoformat(dark["since"])
    first = gone["since"]
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE cameras SET state = 'offline' WHERE name = '断'")
    again = (await app_client.get("/api/camera-health", params={"how": "offline"})).json()["cameras"]
    assert [each["since"] for each in again] == [first], "the same state again is no new state"
    for asked, names in (({"how": "online"}, {"好", "有"}), ({"q": "移动"}, {"断"}), ({"q": "37020200001310000002"}, {"黑"}), ({"q": "没有"}, set()), ({"limit": 1}, {"静"})):
        assert {each["name"] for each in (await app_client.get("/api/camera-health", params=asked)).json()["cameras"]} == names, asked
    assert (await app_client.get("/api/camera-health", params={"how": "well"})).status_code == 422
    monkeypatch.setattr(turns, "rotation", lambda watched, budget: timedelta(hours=1.5) if watched == {"street": (1, 2)} else timedelta(0))
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE cameras SET detectors = '{smoke-fire,boats}' WHERE name = '静'")
    await login(app_client, "shinan")
    assert "silent" not in (await app_client.get("/api/camera-health")).json()["counts"], "it waits for its turn"
    await login(app_client, "laoshan")
    told = (await app_client.get("/api/camera-health")).json()
    assert told["counts"] == {"offline": 1} and [each["name"] for each in told["cameras"]] == ["崂"]
