"""Subscribers are told of what they asked for and nothing else, signed, tried again, dead after so many tries; nothing goes to a host off the list."""

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from gis_api.feeds import cap, cap_reading, cot, sending, subscriptions, webhooks
from gis_api.feeds.sending import Answer
from gis_api.tasks import JobContext
from gis_api.tasks import feeds as jobs_of
from grid.database import make_pool
from grid.errors import InvalidInput
from grid.settings import Settings

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
KEY = webhooks.key_of(SECRET)
NOW = datetime(2026, 11, 22, 5, 12, tzinfo=UTC)
AREA = {"type": "Polygon", "coordinates": [[[120.37, 36.05], [120.39, 36.05], [120.39, 36.07], [120.37, 36.07], [120.37, 36.05]]]}


def test_a_signature_is_that_of_standard_webhooks():
    key = webhooks.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = webhooks.signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_refuses_a_replay_a_change_and_another_key():
    body = webhooks.cloudevent("3702", 5, "alert.opened", "7", NOW, {"title": "火"})
    headers = webhooks.signed(KEY, "3702-5", NOW, body)
    assert webhooks.verified(KEY, headers, body, NOW + timedelta(seconds=webhooks.WINDOW_S)) == "3702-5"
    for key, given, content, at in (
        (KEY, headers, body, NOW + timedelta(seconds=webhooks.WINDOW_S + 1)),
        (KEY, headers, body, NOW - timedelta(seconds=webhooks.WINDOW_S + 1)),
        (KEY, headers, body + b" ", NOW),
        (KEY, {**headers, "webhook-id": "3702-6"}, body, NOW),
        (KEY, {**headers, "webhook-timestamp": str(int(NOW.timestamp()) + 1)}, body, NOW),
        (b"another key of 16", headers, body, NOW),
        (KEY, {}, body, NOW),
    ):
        with pytest.raises(InvalidInput):
            webhooks.verified(key, given, content, at)


@pytest.mark.parametrize("secret", ["short", "whsec_???", "whsec_c2hvcnQ="])
def test_a_secret_that_is_none_is_refused(secret):
    with pytest.raises(InvalidInput):
        webhooks.key_of(secret)


@pytest.mark.parametrize("found", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.9", "::1", "fe80::1%eth0", "fd00::1", "0.0.0.0", "100.64.0.1"])
def test_a_name_that_stands_for_an_inner_address_is_refused_unless_that_is_listed_too(found):
    with pytest.raises(InvalidInput, match="not public"):
        sending.public_or_listed(["93.184.216.34", found], frozenset({"events.example.cn"}), "events.example.cn")
    bracketed = f"[{found}]:443" if ":" in found else f"{found}:443"
    assert sending.public_or_listed([found], frozenset({"events.example.cn", bracketed}), "events.example.cn") == found


@pytest.mark.parametrize(
    ("form", "address"),
    [
        ("cloudevents", "http://127.0.0.1:9/x"), ("cloudevents", "http://listed.cn@evil.cn/"), ("cloudevents", "file:///etc/passwd"), ("cloudevents", "gopher://listed.cn/"),
        ("cloudevents", "http://listed.cn:22/"), ("cloudevents", "http://listed.cn.evil.cn/"), ("cloudevents", "https://listed.cn/?token=x"), ("cap", "tcp://listed.cn:8087"),
        ("cot", "http://listed.cn/"), ("cot", "udp://10.0.0.1:8087"), ("cloudevents", "http://listed.cn\\@evil.cn/"), ("cloudevents", "http://0x7f000001/"),
    ],
)  # fmt: skip
def test_an_address_off_the_list_is_refused(form, address):
    with pytest.raises(InvalidInput):
        sending.allowed(form, address, frozenset({"listed.cn"}))


class Receiver:
    """A small HTTP receiver on the loopback that keeps what it got and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204

    async def __aenter__(self) -> "Receiver":
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) if i else ("", line) for i, line in enumerate(head) if line)
        given = dict(line.split(": ", 1) for line in head[1:] if line)
        given = {name.lower(): value for name, value in given.items()}
        self.got.append((given, await reader.readexactly(int(headers.get("content-length", 0)))))
        away = "Location: http://127.0.0.1:1/\r\n" if self.status == 302 else ""
        writer.write(f"HTTP/1.1 {self.status} x\r\n{away}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def told(settings, people, monkeypatch):
    """A receiver that is on the list, and the context of jobs that may tell it."""
    monkeypatch.setenv("HDQ_CONNECTOR_SECRET_HOOK", SECRET)
    async with Receiver() as receiver:
        chosen = settings.model_copy(update={"feed_hosts": f"127.0.0.1:{receiver.port}"})
        pool = make_pool(settings.database_url, size=2)
        async with pool:
            yield receiver, JobContext(chosen, pool)


def plan(receiver: Receiver, **changes) -> subscriptions.Plan:
    return subscriptions.Plan(**{"title": "t", "format": "cloudevents", "address": f"http://127.0.0.1:{receiver.port}/in", "events": ("alert.*",), "secret_name": "HOOK"} | changes)


async def subscribe(context: JobContext, given: subscriptions.Plan, region: str = "3702") -> int:
    async with context.connection() as connection:
        found = await subscriptions.add(connection, subscriptions.Scope(region), subscriptions.sound(given, context.settings.told_hosts), 1)
    return found.id


def happened(url: str, what: str = "alert.opened", region: str = "370202001001", **payload) -> int:
    with psycopg.connect(url) as connection:
        return connection.execute(
            """WITH clock AS (UPDATE event_clock SET last_id = last_id + 1 RETURNING last_id)
            INSERT INTO events (id, kind, entity_id, region_code, payload) SELECT last_id, %s, '7', %s, %s::jsonb FROM clock RETURNING id""",
            [what, region, json.dumps({"kind": "garbage", "severity": 3, "lon": 120.38, "lat": 36.06, "accuracy_m": 10} | payload)],
        ).fetchone()[0]


def states(url: str) -> list[tuple]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT state, attempts, reason FROM deliveries ORDER BY id").fetchall()


async def test_what_was_asked_for_arrives_once_signed_and_in_order(told, settings):
    receiver, context = told
    fire = await subscribe(context, plan(receiver, kinds=("forest_fire",), severity=2))
    await subscribe(context, plan(receiver, area=subscriptions.shapely.geometry.shape(AREA), events=("alert.opened",)))
    await subscribe(context, plan(receiver), region="370212")
    first = happened(settings.database_url)
    happened(settings.database_url, lon=120.395, accuracy_m=2)
    near = happened(settings.database_url, lon=120.3905, accuracy_m=200)
    happened(settings.database_url, "alert.changed")
    happened(settings.database_url, "dataset.imported", lon=None)
    hot = happened(settings.database_url, region="370211", kind="forest_fire", severity=1, lat=36.3)
    happened(settings.database_url, region="370211", kind="forest_fire", severity=3, lat=36.3)
    for _ in range(2):
        await jobs_of.feeds(context)
    with psycopg.connect(settings.database_url) as connection:
        wanted = [row[0] for row in connection.execute("SELECT DISTINCT (args ->> 'subscription_id')::int FROM procrastinate_jobs WHERE task_name = 'deliver' ORDER BY 1")]
    assert wanted == [fire, fire + 1]
    for subscription_id in wanted * 2:
        await jobs_of.deliver(context, subscription_id)
    assert states(settings.database_url) == [("delivered", 1, "")] * 3
    ids = [webhooks.verified(KEY, headers, body, datetime.now(UTC)) for headers, body in receiver.got]
    assert ids == [f"3702-{hot}", f"3702-{first}", f"3702-{near}"]
    headers, body = receiver.got[0]
    event = json.loads(body)
    assert headers["content-type"] == webhooks.MEDIA_TYPE and headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (event["specversion"], event["type"], event["subject"], event["id"]) == ("1.0", "cn.haidongqing.alert.opened", "alerts/7", ids[0])


async def test_a_delivery_that_fails_is_tried_again_with_growing_pauses_then_dead_then_sent_again(told, settings):
    receiver, context = told
    subscription_id = await subscribe(context, plan(receiver))
    happened(settings.database_url)
    await jobs_of.feeds(context)
    receiver.status = 500
    pauses = []
    for _ in range(subscriptions.ATTEMPTS):
        await jobs_of.deliver(context, subscription_id)
        await jobs_of.deliver(context, subscription_id)
        with psycopg.connect(settings.database_url) as connection:
            pauses.append(connection.execute("UPDATE deliveries d SET next_at = clock_timestamp() FROM deliveries o WHERE o.id = d.id RETURNING round(extract(epoch FROM o.next_at - clock_timestamp()))::int").fetchone()[0])
    assert [round(pause) for pause in pauses[:-1]] == list(subscriptions.PAUSES_S)
    assert len(receiver.got) == subscriptions.ATTEMPTS and len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert states(settings.database_url) == [("dead", subscriptions.ATTEMPTS, "HTTP 500")]
    receiver.status = 204
    async with context.connection() as connection:
        scope = subscriptions.Scope("3702")
        (dead,) = await subscriptions.deliveries(connection, scope, subscription_id, "dead", 10)
        with pytest.raises(subscriptions.NotFound):
            await subscriptions.resend(connection, subscriptions.Scope("370212"), dead.id, 1)
        await subscriptions.resend(connection, scope, dead.id, 1)
    await jobs_of.deliver(context, subscription_id)
    assert states(settings.database_url) == [("delivered", 1, "")]


async def test_a_receiver_that_is_gone_is_left_alone_and_redirects_lead_nowhere(told, settings):
    receiver, context = told
    subscription_id = await subscribe(context, plan(receiver))
    happened(settings.database_url)
    happened(settings.database_url)
    await jobs_of.feeds(context)
    receiver.status = 302
    await jobs_of.deliver(context, subscription_id)
    receiver.status = 410
    await jobs_of.deliver(context, subscription_id)
    assert states(settings.database_url) == [("waiting", 1, "HTTP 302"), ("dead", 1, "HTTP 410")]
    await jobs_of.deliver(context, subscription_id)
    assert len(receiver.got) == 2


async def test_an_address_that_left_the_list_gets_nothing(told, settings):
    receiver, context = told
    subscription_id = await subscribe(context, plan(receiver))
    happened(settings.database_url)
    await jobs_of.feeds(context)
    await jobs_of.deliver(JobContext(settings, context.pool), subscription_id)
    (state, _, reason), = states(settings.database_url)
    assert state == "waiting" and "no host is allowed" in reason and receiver.got == []


async def test_cap_and_cot_go_out_as_they_are(told, settings):
    receiver, context = told
    with psycopg.connect(settings.database_url) as connection:
        (alert,) = connection.execute(
            """INSERT INTO alerts (kind, title, title_en, severity, probability, rule_id, rule_version, region_code, accuracy_m, first_seen_at, last_seen_at, geom)
            VALUES ('forest_fire', '火', 'Fire', 1, 0.8, 'r', '1.0', '370202001001', 10, now(), now(), ST_SetSRID(ST_MakePoint(120.38, 36.06), 4326)) RETURNING id"""
        ).fetchone()
    mirror = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mirror.bind(("127.0.0.1", 0))
    mirror.settimeout(5)
    hosts = f"{context.settings.feed_hosts},127.0.0.1:{mirror.getsockname()[1]}"
    context = JobContext(settings.model_copy(update={"feed_hosts": hosts}), context.pool)
    ids = [
        await subscribe(context, plan(receiver, format="cap")),
        await subscribe(context, plan(receiver, format="cot", address=f"udp://127.0.0.1:{mirror.getsockname()[1]}", secret_name=None)),
    ]
    event = happened(settings.database_url)
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE events SET entity_id = %s WHERE id = %s", [str(alert), event])
    await jobs_of.feeds(context)
    for subscription_id in ids:
        await jobs_of.deliver(context, subscription_id)
    assert states(settings.database_url) == [("delivered", 1, "")] * 2
    assert b"<msgType>Alert</msgType>" in receiver.got[0][1] and b'type="b-r-f-h-c"' in mirror.recv(65_535)
    mirror.close()


async def test_a_silent_receiver_costs_its_seconds_and_no_more():
    server = await asyncio.start_server(lambda reader, writer: asyncio.sleep(1), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answer = await sending.send("cloudevents", f"http://127.0.0.1:{port}/", b"{}", {}, frozenset({f"127.0.0.1:{port}"}), timeout_s=0.2)
    assert answer == Answer(False, answer.reason) and answer.reason
    server.close()


async def test_subscriptions_are_made_on_the_map_and_seen_in_their_own_region_only(app_client, login, settings, monkeypatch):
    body = {"title": "应急局", "address": "https://events.example.cn/in", "secret": "HOOK", "area": AREA, "kinds": ["forest_fire"]}
    await login(app_client, "shuju")
    off = await app_client.post("/api/subscriptions", json=body)
    assert off.status_code == 422 and "HDQ_FEED_HOSTS" in off.json()["remedy"]
    assert (await app_client.get("/api/subscriptions")).json() == {"hosts": [], "subscriptions": []}
    for wrong in ({"events": ["nonsense"]}, {"severity": 5}, {"area": {"type": "Point", "coordinates": [120, 36]}}, {"format": "fax"}):
        assert (await app_client.post("/api/subscriptions", json=body | wrong)).status_code == 422, wrong
    assert (await app_client.get("/api/subscriptions/1/deliveries")).status_code == 404
    assert (await app_client.post("/api/deliveries/1/resend")).status_code == 404


async def test_a_secret_that_we_made_signs_and_is_told_once(app_client, login, settings, monkeypatch):
    async with Receiver() as receiver:
        monkeypatch.setattr(Settings, "told_hosts", frozenset({f"127.0.0.1:{receiver.port}"}))
        await login(app_client, "shuju")
        made = (await app_client.post("/api/subscriptions", json={"title": "应急局", "address": f"http://127.0.0.1:{receiver.port}/in", "area": AREA})).json()
        where = f"/api/subscriptions/{made['id']}"
        assert made["secret"] is None and "whsec" not in json.dumps((await app_client.get("/api/subscriptions")).json())
        assert (await app_client.post(f"{where}/secret", headers={"Idempotency-Key": "kept"})).status_code == 422
        told = await app_client.post(f"{where}/secret")
        assert told.headers["cache-control"] == "no-store"
        assert (await app_client.post(f"{where}/test", headers={"Idempotency-Key": "t1"})).json() == {"ok": True, "reason": ""}
        headers, body = receiver.got[0]
        assert webhooks.verified(webhooks.key_of(told.json()["secret"]), headers, body, datetime.now(UTC)).startswith("3702-test-")
        assert json.loads(body)["type"] == "cn.haidongqing.subscription.test"
        paused = await app_client.put(where, json={"title": "应急局", "address": made["address"], "active": False})
        assert paused.json()["active"] is False
        receiver.status = 503
        assert (await app_client.post(f"{where}/test")).json() == {"ok": False, "reason": "HTTP 503"}
        assert webhooks.verified(webhooks.key_of(told.json()["secret"]), *receiver.got[1], datetime.now(UTC)), "a change of the plan leaves the secret"
        await app_client.put(where, json={"title": "应急局", "address": made["address"], "format": "cap"})
        assert (await app_client.post(f"{where}/test")).json()["ok"] is False and b"<status>Test</status>" in receiver.got[2][1]
        await app_client.put(where, json={"title": "车队", "address": f"tcp://127.0.0.1:{receiver.port}", "format": "cot"})
        assert (await app_client.post(f"{where}/secret")).status_code == 422
        with psycopg.connect(settings.database_url) as connection:
            assert connection.execute("SELECT own_secret FROM subscriptions").fetchone() == (None,)
            assert told.json()["secret"] not in str(connection.execute("SELECT array_agg(detail::text) FROM audit").fetchone())


def test_a_trial_is_a_valid_message_that_says_so():
    assert cap_reading.read(cap.trial("3702", NOW)).status == "Test"
    assert b'type="t-x-c-t"' in cot.ping("3702", NOW) and b"stale" in cot.ping("3702", NOW)
