"""GA/T 1400: the exchange of a device from registering to motor vehicles, and what is refused: people, spoofed devices, replays, duplicates, strangers."""

import asyncio
import hashlib
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import psycopg
import pytest

from gis_api.gateways import devices, digest, gat1400
from gis_api.gateways.digest import Claim

MESSAGES = (Path(__file__).parent / "messages.json").read_text(encoding="utf-8")
DEVICE, CAMERA, OTHER = "37020200001190000001", "37020200001310000001", "37020200001310000002"
PASSWORD = "a-long-device-password"
AUTH = httpx.DigestAuth("platform-1", PASSWORD)


def message(name: str, at: datetime | None = None) -> dict:
    stamp = (at or datetime.now(timezone(timedelta(hours=8))) - timedelta(seconds=5)).strftime("%Y%m%d%H%M%S")
    return json.loads(MESSAGES.replace("%s", stamp))[name]


@pytest.fixture(autouse=True)
def unthrottled(monkeypatch):
    for name in ("by_address", "by_username"):
        throttle = getattr(gat1400, name)
        monkeypatch.setattr(gat1400, name, gat1400.Throttle(throttle.limit, throttle.window_s))


@pytest.fixture
async def device(app_client: httpx.AsyncClient, login, settings) -> httpx.AsyncClient:
    """A platform let in for one camera; a client that is not signed in and sends what a device sends, no more."""
    with psycopg.connect(settings.database_url) as connection:
        for code, lon in ((CAMERA, 120.38), (OTHER, 120.385)):
            connection.execute(
                """INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, region_code, geom)
                VALUES (%s, '卡口', 'street', 0, 0, 60, 80, '370202001001', ST_SetSRID(ST_MakePoint(%s, 36.06), 4326))""",
                [code, lon],
            )
    await login(app_client, "admin")
    made = await app_client.post("/api/viid-devices", json={"device_id": DEVICE, "name": "市南卡口", "username": "platform-1", "password": PASSWORD, "cameras": [CAMERA]})
    assert made.status_code == 201, made.text
    app_client.cookies.clear()
    del app_client.headers["X-HDQ-Client"]
    return app_client


async def post(client: httpx.AsyncClient, path: str, body: object, *, auth: httpx.Auth | None = AUTH, user: str = DEVICE) -> tuple[int, list[int]]:
    """HTTP status and the StatusCodes of the answer."""
    answer = await client.post(f"/VIID/{path}", json=body, auth=auth, headers={"User-Identify": user, "Content-Type": gat1400.MEDIA_TYPE})
    assert answer.headers["content-type"] == gat1400.MEDIA_TYPE
    content = answer.json()
    found = content["ResponseStatusListObject"]["ResponseStatusObject"] if "ResponseStatusListObject" in content else [content["ResponseStatusObject"]]
    assert all(set(each) == {"RequestURL", "StatusCode", "StatusString", "Id", "LocalTime"} for each in found)
    return answer.status_code, [each["StatusCode"] for each in found]


def count(settings, query: str) -> int:
    with psycopg.connect(settings.database_url) as connection:
        return connection.execute(query).fetchone()[0]


async def test_a_device_registers_keeps_alive_reports_and_leaves(device, settings):
    assert await post(device, "System/Keepalive", message("keepalive")) == (403, [4])
    assert await post(device, "System/Register", message("register")) == (200, [0])
    assert await post(device, "System/Keepalive", message("keepalive")) == (200, [0])
    assert await post(device, "APEs", message("apes")) == (200, [0])
    assert count(settings, f"SELECT state FROM cameras WHERE code = '{CAMERA}'") == "offline"
    assert await post(device, "MotorVehicles", message("vehicles")) == (200, [0])
    with psycopg.connect(settings.database_url) as connection:
        found = connection.execute("SELECT source, kind, accuracy_m, ST_X(geom), region_code, properties, camera_id IS NOT NULL FROM observations").fetchall()
    assert found == [
        (f"gat1400:{CAMERA}", "vehicle_passage", 80.0, 120.38, "370202001001",
         {"vehicle_class": "H11", "vehicle_color": "6", "plate_class": "02", "plate_color": "5", "speed_kmh": 46.5, "direction": "5", "lane": 2}, True)
    ]  # fmt: skip
    assert await post(device, "System/UnRegister", message("unregister")) == (200, [0])
    assert await post(device, "MotorVehicles", message("vehicles")) == (403, [4])


async def test_a_vehicle_that_comes_twice_or_at_once_is_stored_once(device, settings):
    await post(device, "System/Register", message("register"))
    sent = message("vehicles")
    answers = await asyncio.gather(*(post(device, "MotorVehicles", sent, auth=httpx.DigestAuth("platform-1", PASSWORD)) for _ in range(4)))
    assert answers == [(200, [0])] * 4
    notified = message("notification")["SubscribeNotificationListObject"]["SubscribeNotificationObject"]
    notified[0]["MotorVehicleObjectList"] = sent["MotorVehicleListObject"]
    assert await post(device, "SubscribeNotifications", {"SubscribeNotificationListObject": {"SubscribeNotificationObject": notified}}) == (200, [0, 4])
    assert count(settings, "SELECT count(*) FROM observations") == 1


async def test_faces_and_persons_are_refused_and_leave_nothing(device, settings):
    await post(device, "System/Register", message("register"))
    for path in ("Faces", "Persons", "NonMotorVehicles"):
        assert await post(device, path, message("faces")) == (403, [4]), path
    with psycopg.connect(settings.database_url) as connection:
        tables = [name for (name,) in connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")]
        for table in tables:
            assert not connection.execute(f"SELECT 1 FROM \"{table}\" AS t WHERE t::text LIKE '%canary-person%' LIMIT 1").fetchone(), table
    assert count(settings, "SELECT count(*) FROM audit WHERE action = 'viid.refused'") == 3


async def test_a_device_that_claims_to_be_another_is_refused_and_audited(device, settings):
    assert await post(device, "System/Register", {"RegisterObject": {"DeviceID": OTHER}}) == (403, [4])
    assert await post(device, "System/Register", message("register"), user=OTHER) == (403, [4])
    assert await post(device, "System/Register", message("register")) == (200, [0])
    vehicles, apes = message("vehicles"), message("apes")
    vehicles["MotorVehicleListObject"]["MotorVehicleObject"][0]["DeviceID"] = OTHER
    apes["APEListObject"]["APEObject"][0]["ApeID"] = OTHER
    assert await post(device, "MotorVehicles", vehicles) == (200, [4])
    assert await post(device, "APEs", apes) == (200, [4])
    assert count(settings, "SELECT count(*) FROM audit WHERE action = 'viid.spoofed'") == 4
    assert count(settings, "SELECT count(*) FROM observations") == 0
    assert count(settings, f"SELECT state FROM cameras WHERE code = '{OTHER}'") == "online"


async def test_strangers_and_wrong_passwords_are_refused_and_audited(device, settings):
    for auth in (httpx.DigestAuth("platform-1", "wrong"), httpx.DigestAuth("nobody", PASSWORD), httpx.BasicAuth("platform-1", PASSWORD), None):
        assert await post(device, "System/Register", message("register"), auth=auth) == (401, [4])
    assert count(settings, "SELECT count(*) FROM audit WHERE action = 'viid.refused'") == 3
    assert count(settings, f"SELECT count(*) FROM audit a WHERE a::text LIKE '%{PASSWORD}%'") == 0
    assert count(settings, f"SELECT count(*) FROM viid_devices d WHERE d::text LIKE '%{PASSWORD}%'") == 0
    assert (await device.request("GET", "/VIID/Subscribes")).status_code == 404


async def test_guessing_passwords_is_slowed_down(device):
    for _ in range(8):
        await post(device, "System/Register", message("register"), auth=httpx.DigestAuth("platform-1", "wrong"))
    answer = await device.post("/VIID/System/Register", json=message("register"), auth=AUTH)
    assert answer.status_code == 429 and answer.headers["retry-after"]


def header(algorithm: str, nonce: str, nc: str, uri: str, method: str = "POST") -> str:
    def h(text: str) -> str:
        return (hashlib.md5 if algorithm == "MD5" else hashlib.sha256)(text.encode()).hexdigest()

    proof = h(f"{digest.ha1('platform-1', PASSWORD, algorithm)}:{nonce}:{nc}:cafe:auth:{h(f'{method}:{uri}')}")
    return f'Digest username="platform-1", realm="{digest.REALM}", nonce="{nonce}", uri="{uri}", response="{proof}", algorithm={algorithm}, cnonce="cafe", qop=auth, nc={nc}'


async def test_a_recorded_message_is_not_taken_again(device, settings, monkeypatch):
    for number, algorithm in enumerate(("MD5", "SHA-256"), 1):
        await replayed(device, settings, monkeypatch, algorithm, number)


async def replayed(device, settings, monkeypatch, algorithm: str, times: int) -> None:
    uri = "/VIID/System/Register"
    challenge = await device.post(uri, json=message("register"))
    offered = challenge.headers.get_list("www-authenticate")
    assert challenge.status_code == 401 and [algorithm in each for each in offered].count(True) == 1
    nonce = offered[0].partition('nonce="')[2].partition('"')[0]

    async def send(nc: str, to: str = uri, signed: str = uri) -> httpx.Response:
        return await device.post(to, json=message("register"), headers={"Authorization": header(algorithm, nonce, nc, signed)})

    assert (await send("00000001")).status_code == 200
    assert (await send("00000001")).status_code == 401
    assert (await send("00000003")).status_code == 200
    again = await send("00000002")
    assert again.status_code == 401 and "stale" not in "".join(again.headers.get_list("www-authenticate"))
    assert (await send("00000004", to="/VIID/System/UnRegister")).status_code == 401
    assert (await send("00000000")).status_code == 401
    assert count(settings, "SELECT count(*) FROM audit WHERE detail ->> 'why' = 'replayed'") == 3 * times
    with monkeypatch.context() as later:
        later.setattr(devices, "NONCE_S", -1)
        stale = await send("00000005")
        assert stale.status_code == 401 and "stale=true" in stale.headers["www-authenticate"]


async def test_who_only_asks_leaves_no_row_and_shuts_nobody_out(device, settings):
    for _ in range(5):
        assert (await device.post("/VIID/System/Register", json=message("register"))).status_code == 401
    assert await post(device, "System/Register", message("register"), auth=httpx.DigestAuth("platform-1", "wrong")) == (401, [4])
    used = "SELECT count(*) FROM viid_nonces WHERE expires_at < 'infinity'"
    assert count(settings, used) == 0
    assert await post(device, "System/Register", message("register"), auth=httpx.DigestAuth("platform-1", PASSWORD)) == (200, [0])
    assert count(settings, used) == 1


async def test_a_nonce_that_is_not_ours_is_stale_and_leaves_no_row(device, settings):
    uri = "/VIID/System/Register"
    offered = (await device.post(uri, json=message("register"))).headers["www-authenticate"]
    ours = offered.partition('nonce="')[2].partition('"')[0]
    for nonce in ("n", "key-0", ours[:8] + "0" * 16 + ours[24:], ours[:-1], "ffffffff" + ours[8:]):
        answer = await device.post(uri, json=message("register"), headers={"Authorization": header("SHA-256", nonce, "00000001", uri)})
        assert answer.status_code == 401 and "stale=true" in answer.headers["www-authenticate"], nonce
    assert count(settings, "SELECT count(*) FROM viid_nonces WHERE expires_at < 'infinity'") == 0


async def test_guesses_from_elsewhere_do_not_shut_a_device_out(device):
    for _ in range(gat1400.by_username.limit):
        gat1400.by_username.failed("platform-1 203.0.113.9")
    assert await post(device, "System/Register", message("register")) == (200, [0])


@pytest.mark.parametrize(
    ("algorithm", "response"), [("MD5", "8ca523f5e9506fed4657c9700eebdbec"), ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")]
)  # fmt: skip
def test_the_example_of_rfc_7616(algorithm, response):
    secret = (hashlib.md5 if algorithm == "MD5" else hashlib.sha256)(b"Mufasa:http-auth@example.org:Circle of Life").hexdigest()
    claim = Claim("Mufasa", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "/dir/index.html", response, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "00000001", 1, algorithm)
    assert digest.proved(claim, secret, "GET") and not digest.proved(claim, secret, "POST")


@pytest.mark.parametrize(
    "header", ["", "Digest", "Digest x", 'Digest username="a"', "Basic YTpi", 'Digest username="a", username="b"', "Digest " + 'a="' * 900, header("MD5", "n", "1", "/").replace("qop=auth", "qop=auth-int"), header("MD5", "n", "00000001", "/").replace("MD5", "MD4")]
)  # fmt: skip
def test_a_header_that_proves_nothing_is_none(header):
    assert digest.claimed(header) is None


async def test_what_is_no_message_gets_its_code(device):
    await post(device, "System/Register", message("register"))
    for path, content, status, code in (
        ("MotorVehicles", b"{", 400, 7), ("MotorVehicles", b"[" * 100_000, 400, 7), ("MotorVehicles", b"[]", 400, 8), ("MotorVehicles", b'{"MotorVehicleListObject": {"MotorVehicleObject": []}}', 400, 8),
        ("APEs", b'{"APEListObject": 5}', 400, 8), ("SubscribeNotifications", b"{}", 400, 8), ("System/Keepalive", b'{"KeepaliveObject": []}', 400, 8), ("Files", b"{}", 404, 4),
    ):  # fmt: skip
        answer = await device.post(f"/VIID/{path}", content=content, auth=AUTH)
        assert (answer.status_code, answer.json()["ResponseStatusObject"]["StatusCode"]) == (status, code), (path, content[:40])


async def test_of_a_batch_the_sound_ones_are_stored_and_the_others_named(device, settings):
    await post(device, "System/Register", message("register"))
    (sound,) = message("vehicles")["MotorVehicleListObject"]["MotorVehicleObject"]
    (ahead,) = message("vehicles", datetime.now(timezone(timedelta(hours=8))) + timedelta(hours=1))["MotorVehicleListObject"]["MotorVehicleObject"]
    batch = [sound | {"MotorVehicleID": "a"}, ahead | {"MotorVehicleID": "b"}, sound | {"MotorVehicleID": "c", "PassTime": "yesterday"}, sound | {"MotorVehicleID": ""}, sound | {"MotorVehicleID": "d"}]
    assert await post(device, "MotorVehicles", {"MotorVehicleListObject": {"MotorVehicleObject": batch}}) == (200, [0, 8, 8, 8, 0])
    assert count(settings, "SELECT count(*) FROM observations") == 2


async def test_devices_are_managed_in_their_own_region(app_client, login, device, settings):
    app_client.headers["X-HDQ-Client"] = "1"
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE staff SET role = 'system_admin' WHERE username = 'laoshan'")
    await login(app_client, "laoshan")
    assert (await app_client.get("/api/viid-devices")).json() == []
    assert (await app_client.delete(f"/api/viid-devices/{DEVICE}")).status_code == 404
    new = {"device_id": "3" * 20, "name": "x", "username": "y", "password": PASSWORD}
    assert (await app_client.post("/api/viid-devices", json=new | {"cameras": [CAMERA]})).status_code == 422
    await login(app_client, "admin")
    assert (await app_client.post("/api/viid-devices", json=new | {"cameras": [CAMERA]})).status_code == 422
    assert (await app_client.post("/api/viid-devices", json=new | {"password": "short"})).status_code == 422
    (listed,) = (await app_client.get("/api/viid-devices")).json()
    assert (listed["device_id"], listed["cameras"]) == (DEVICE, 1) and "password" not in listed
    assert (await app_client.delete(f"/api/viid-devices/{DEVICE}")).status_code == 204
    assert (await app_client.post("/VIID/System/Register", json=message("register"), auth=AUTH)).status_code == 401


async def test_a_device_moves_its_cameras_between_online_and_offline_only(device, settings):
    await post(device, "System/Register", message("register"))
    for was, said, becomes in (("moved", "1", "moved"), ("wrong_pose", "2", "wrong_pose"), ("frozen", "1", "frozen"), ("dark", "1", "dark"), ("offline", "1", "online"), ("online", "2", "offline")):
        with psycopg.connect(settings.database_url) as connection:
            connection.execute("UPDATE cameras SET state = %s WHERE code = %s", [was, CAMERA])
        apes = message("apes")
        apes["APEListObject"]["APEObject"][0]["IsOnline"] = said
        assert await post(device, "APEs", apes) == (200, [0])
        assert count(settings, f"SELECT state FROM cameras WHERE code = '{CAMERA}'") == becomes, was


async def test_a_device_waits_for_its_camera_before_it_publishes(device, settings):
    await post(device, "System/Register", message("register"))
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("SELECT 1 FROM cameras WHERE code = %s FOR NO KEY UPDATE", [CAMERA])
        sent = asyncio.create_task(post(device, "APEs", message("apes")))
        await asyncio.sleep(0.5)
        assert not sent.done()
        connection.execute("UPDATE cameras SET state = 'dark' WHERE code = %s", [CAMERA])
    assert await sent == (200, [0])
    assert count(settings, f"SELECT state FROM cameras WHERE code = '{CAMERA}'") == "dark"


async def test_all_vehicles_of_a_notification_are_taken_at_once(device, settings, monkeypatch):
    await post(device, "System/Register", message("register"))
    (sound,) = message("vehicles")["MotorVehicleListObject"]["MotorVehicleObject"]
    batches = [[sound | {"MotorVehicleID": "a"}, sound | {"MotorVehicleID": "b"}], [sound | {"MotorVehicleID": "c", "PassTime": "yesterday"}], [], [sound | {"MotorVehicleID": "d"}]]
    notified = [{"NotificationID": str(number), "MotorVehicleObjectList": {"MotorVehicleObject": batch}} for number, batch in enumerate(batches)]
    times, accept = [], gat1400.intake.accept

    async def counted(connection, findings):
        times.append(len(findings))
        return await accept(connection, findings)

    monkeypatch.setattr(gat1400.intake, "accept", counted)
    assert await post(device, "SubscribeNotifications", {"SubscribeNotificationListObject": {"SubscribeNotificationObject": notified}}) == (200, [0, 8, 8, 0])
    assert times == [3] and count(settings, "SELECT count(*) FROM observations") == 3


async def test_what_cannot_be_printed_is_left_out_of_the_audit_and_of_findings(device, settings):
    assert await post(device, "System/Register", {"RegisterObject": {"DeviceID": "3\u00007"}}) == (403, [4])
    await post(device, "System/Register", message("register"))
    vehicles, apes = message("vehicles"), message("apes")
    apes["APEListObject"]["APEObject"][0]["ApeID"] = "3\u00007\u001b"
    assert await post(device, "APEs", apes) == (200, [4])
    vehicles["MotorVehicleListObject"]["MotorVehicleObject"][0]["VehicleClass"] = "H\u0000"
    assert await post(device, "MotorVehicles", vehicles) == (200, [0])
    assert count(settings, "SELECT count(*) FROM audit WHERE action = 'viid.spoofed' AND detail ->> 'claimed' = '37'") == 2
