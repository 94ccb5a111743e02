"""CAP 1.2: our alerts are valid against the OASIS schema and read back as what they are; of others' messages only sound ones come in, each once."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import shapely
import xmlschema
from defusedxml.ElementTree import fromstring

from gis_api.feeds import cap, cap_reading, cap_rows, cot
from gis_api.tasks import JobContext, sensing
from grid.database import Scope, connect, make_pool, row
from grid.errors import Conflict, InvalidInput
from grid.sensing.alerts import Alert

NOW = datetime(2026, 11, 22, 5, 12, tzinfo=UTC)
SPACE = {"c": cap.NAMESPACE}
OURS = f"""<?xml version="1.0"?><alert xmlns="{cap.NAMESPACE}"><identifier>W1</identifier><sender>met@qingdao</sender><sent>%s</sent><status>Actual</status>
<msgType>%s</msgType><scope>Public</scope>%s<info><category>Met</category><event>大风</event><urgency>Expected</urgency><severity>Severe</severity>
<certainty>Likely</certainty><area><areaDesc>八大关</areaDesc><circle>36.06,120.38 0.5</circle></area></info></alert>"""


def an_alert(**changes) -> Alert:
    given = {
        "id": 7, "kind": "forest_fire", "title": "疑似森林火情", "title_en": "Possible forest fire", "severity": 1, "state": "open", "agreement": "high",
        "sensor_kinds": ["camera"], "probability": 0.83, "rule_id": "forest_fire", "rule_version": "1.0", "place_name": "市南区 · 八大关 <&>", "region_code": "370202001001",
        "cell_code": None, "accuracy_m": 120.0, "first_seen_at": NOW, "last_seen_at": NOW, "opened_at": NOW, "acknowledged_at": None, "dispatched_at": None,
        "closed_at": None, "observation_count": 2, "version": 1, "simulated": False, "geom": shapely.Point(120.38, 36.06), "case_id": None, "thumbnail": None,
    }  # fmt: skip
    return Alert(**given | changes)


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(cap_reading.SCHEMA), allow="local")


def test_our_schema_is_the_published_one(real_data):
    def shape(text: str) -> str:
        return "".join(text.split())

    assert shape(cap_reading.SCHEMA.read_text()) == shape((real_data("schemas/cap") / "CAP-v1.2-schema.xsd").read_text())


@pytest.mark.parametrize("changes", [{}, {"simulated": True}, {"state": "closed", "version": 4}, {"state": "dismissed", "version": 3}, {"kind": "new_thing", "severity": 4, "probability": 0.02}])
def test_every_alert_is_a_valid_message_in_two_languages(schema, changes):
    region = shapely.MultiPolygon([shapely.box(120.37, 36.05, 120.39, 36.07), shapely.Point(120.5, 36.2).buffer(0.01, quad_segs=400)])
    before = [cap.Issued("hdq-3702-alert-7-v1", cap.moment(NOW))] if changes.get("version") else []
    content = cap.message(an_alert(**changes), region, "3702", NOW, before)
    schema.validate(fromstring(content))
    found = cap_reading.read(content)
    assert [info.language for info in found.infos] == ["zh-CN", "en-US"]
    assert found.status == ("Exercise" if changes.get("simulated") else "Actual")
    assert found.msg_type == ("Cancel" if changes.get("state") == "dismissed" else "Update" if before else "Alert")
    assert found.references == ((("haidongqing@3702", "hdq-3702-alert-7-v1", "2026-11-22T13:12:00+08:00"),) if before else ())
    shape = found.infos[0].areas[0].shape
    assert shapely.intersection(shape, region).area / shapely.union(shape, region).area > 0.99
    assert all(len(ring.split()) <= cap.MOST_VERTICES for ring in cap.polygons(region))


def test_without_a_region_the_place_is_a_circle_latitude_first(schema):
    content = cap.message(an_alert(), None, "3702", NOW, [])
    schema.validate(fromstring(content))
    assert fromstring(content).find(".//c:circle", SPACE).text == "36.060000,120.380000 0.120"


def test_what_was_never_sent_is_not_cancelled():
    with pytest.raises(Conflict):
        cap.message(an_alert(state="dismissed"), None, "3702", NOW, [])


def test_an_alert_is_a_cursor_on_target_event():
    root = fromstring(cot.event(an_alert(simulated=True), "3702", NOW))
    assert (root.tag, root.get("version"), root.get("type"), root.get("how"), root.get("opex")) == ("event", "2.0", "b-r-f-h-c", "m-g", "e-exercise")
    assert (root.get("time"), root.get("stale")) == ("2026-11-22T05:12:00.000Z", "2026-11-22T06:12:00.000Z")
    assert dict(root.find("point").attrib) == {"lat": "36.0600000", "lon": "120.3800000", "hae": "9999999.0", "ce": "120.0", "le": "9999999.0"}
    ended = fromstring(cot.event(an_alert(state="dismissed"), "3702", NOW))
    assert ended.get("stale") == ended.get("time") and ended.get("uid") == root.get("uid")


VALID = ("australia", "canada", "canada_errors", "canada_signed", "earthquake-iso8859-1", "wcatwc-warning")
OLD = ("earthquake", "earthquake_signed", "no_optional_fields", "noaa_errors", "weather")


def folder(real_data) -> Path:
    return real_data("schemas/cap/google-cap-testdata")


@pytest.mark.parametrize("name", VALID)
def test_valid_messages_of_others_are_read(real_data, name):
    found = cap_reading.read((folder(real_data) / f"{name}.cap").read_bytes())
    assert found.identifier and found.sent.tzinfo and found.infos
    assert found.signed == (name in ("canada_signed", "earthquake-iso8859-1"))
    assert any(area.shape is not None for info in found.infos for area in info.areas) or name in ("canada_errors", "wcatwc-warning")


@pytest.mark.parametrize("name", OLD)
def test_older_versions_are_refused_by_their_name(real_data, name):
    with pytest.raises(InvalidInput, match=r"CAP 1\.1"):
        cap_reading.read((folder(real_data) / f"{name}.cap").read_bytes())


def test_an_invalid_message_is_refused_with_the_place_and_the_reason(real_data):
    with pytest.raises(InvalidInput, match="scope") as refused:
        cap_reading.read((folder(real_data) / "invalid.cap").read_bytes())
    assert refused.value.extra["errors"][0]["place"] == "/alert"


@pytest.mark.parametrize("sent", ["2026-11-22T24:00:00+08:00", "0001-01-01T00:00:00+08:00"])
def test_a_time_that_the_schema_allows_and_we_cannot_read_is_refused(sent):
    with pytest.raises(InvalidInput):
        cap_reading.read((OURS % (sent, "Alert", "")).encode())


def test_entities_are_refused_before_anything_is_fetched_or_read(real_data, monkeypatch):
    def opened(*_args, **_kwargs):
        raise AssertionError("something was opened")

    content = (folder(real_data) / "xee.cap").read_bytes()
    cap_reading.read((folder(real_data) / "australia.cap").read_bytes())
    monkeypatch.setattr("urllib.request.urlopen", opened)
    monkeypatch.setattr("socket.create_connection", opened)
    with pytest.raises(InvalidInput, match="DTD"):
        cap_reading.read(content)


@pytest.mark.parametrize(
    "content", [b"", b"<alert", b"\xff\xfe", b"{}", f'<alert xmlns="{cap.NAMESPACE}">{"<info>" * 40}{"</info>" * 40}</alert>'.encode(), b"<alert/>", b"<?xml version='1.0' encoding='nonsense'?><a/>"]
)  # fmt: skip
def test_what_is_no_message_is_refused(content):
    with pytest.raises(InvalidInput):
        cap_reading.read(content)


@pytest.mark.parametrize("text", ["36,120 36,121 37,121", "36,120 36,121 37,121 38,120", "36,120 x 37,121 36,120", "96,120 36,121 37,121 96,120"])
def test_a_polygon_that_cannot_be_one_is_named(text):
    with pytest.raises(InvalidInput):
        cap_reading.polygon(text)


@pytest.mark.parametrize(("expires", "expired", "remarks"), [("2020-01-01T24:00:00+08:00", True, 0), ("2999-12-31T24:00:00+08:00", False, 0), ("9999-12-31T24:00:00+08:00", False, 1)])
async def test_a_warning_until_midnight_or_until_no_time_at_all_comes_in(app_client, login, settings, expires, expired, remarks):
    await login(app_client, "suanfa")
    sent = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    content = (OURS % (sent, "Alert", "")).replace("</certainty>", f"</certainty><expires>{expires}</expires>").encode()
    answer = await app_client.post("/api/cap", content=content, headers={"Content-Type": cap.MEDIA_TYPE})
    assert answer.status_code == 202, answer.text
    assert sum("expires" in each for each in answer.json()["remarks"]) == remarks
    with psycopg.connect(settings.database_url) as connection:
        assert connection.execute("SELECT properties -> 'expired' FROM observations").fetchone() == (expired,)


async def test_messages_come_in_once_and_later_ones_mark_them(app_client, login, settings, real_data):
    await login(app_client, "suanfa")
    sent = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    first = await app_client.post("/api/cap", content=(OURS % (sent, "Alert", "")).encode(), headers={"Content-Type": cap.MEDIA_TYPE})
    assert first.status_code == 202, first.text
    again = await app_client.post("/api/cap", content=(OURS % (sent, "Alert", "")).encode(), headers={"Content-Type": cap.MEDIA_TYPE})
    assert (first.json()["new"], again.json()["new"]) == (True, False) and first.json()["observations"] == again.json()["observations"] != []
    cancel = (OURS % (sent, "Cancel", f"<references>met@qingdao,W1,{sent}</references>")).replace("W1</id", "W2</id")
    assert (await app_client.post("/api/cap", content=cancel.encode(), headers={"Content-Type": cap.MEDIA_TYPE})).json()["observations"] == []
    far = await app_client.post("/api/cap", content=(folder(real_data) / "canada.cap").read_bytes(), headers={"Content-Type": cap.MEDIA_TYPE})
    assert far.status_code == 202 and far.json()["observations"] == [] and "outside the city" in "".join(far.json()["remarks"])
    for name in ("invalid", "xee", "weather"):
        refused = await app_client.post("/api/cap", content=(folder(real_data) / f"{name}.cap").read_bytes(), headers={"Content-Type": cap.MEDIA_TYPE})
        assert refused.status_code == 422 and refused.json()["remedy"], name
    with psycopg.connect(settings.database_url) as connection:
        assert connection.execute("SELECT identifier, state FROM cap_messages WHERE sender = 'met@qingdao' ORDER BY 1").fetchall() == [("W1", "cancelled"), ("W2", "standing")]
        assert connection.execute("SELECT kind, round(accuracy_m / 100), simulated FROM observations").fetchall() == [("official_warning", 5, False)]


async def test_a_grave_warning_becomes_an_alert_and_a_minor_or_expired_one_stays_context(app_client, login, settings):
    await login(app_client, "suanfa")
    sent = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    wide = (OURS % (sent, "Alert", "")).replace("36.06,120.38 0.5", "36.06,120.38 30")
    minor = wide.replace("<identifier>W1", "<identifier>W2").replace("Severe", "Minor").replace("120.38 30", "120.6 2")
    stale = wide.replace("<identifier>W1", "<identifier>W3").replace("</certainty>", "</certainty><expires>2020-01-01T00:00:00+08:00</expires>").replace("120.38 30", "120.2 2")
    for body in (wide, minor, stale):
        assert (await app_client.post("/api/cap", content=body.encode(), headers={"Content-Type": cap.MEDIA_TYPE})).status_code == 202
    async with make_pool(settings.database_url, size=2) as pool:
        await sensing.fuse(JobContext(settings, pool))
    (alert,) = (await app_client.get("/api/alerts")).json()["items"]
    assert (alert["kind"], alert["severity"], alert["title_en"]) == ("official_warning", 2, "Official warning")
    said = json.dumps((await app_client.get(f"/api/alerts/{alert['id']}")).json(), ensure_ascii=False)
    assert "官方预警：大风，严重" in said
    with psycopg.connect(settings.database_url) as connection:
        held = connection.execute("SELECT properties -> 'held' ->> 'text_en' FROM observations WHERE alert_id IS NULL ORDER BY id").fetchall()
    assert len(held) == 2 and all("context only" in text for (text,) in held)
    for number, (sender, state) in enumerate((("else@qingdao", "open"), ("met@qingdao", "dismissed"))):
        cancel = (OURS % (sent, "Cancel", f"<references>met@qingdao,W1,{sent}</references>")).replace("<identifier>W1", f"<identifier>C{number}").replace("<sender>met@qingdao", f"<sender>{sender}")
        assert (await app_client.post("/api/cap", content=cancel.encode(), headers={"Content-Type": cap.MEDIA_TYPE})).status_code == 202
        assert (await app_client.get(f"/api/alerts/{alert['id']}")).json()["state"] == state, sender


async def test_an_alert_goes_out_in_its_own_region_only_and_updates_refer_to_what_went_before(app_client, login, settings, people):
    with psycopg.connect(settings.database_url) as connection:
        (alert,) = connection.execute(
            """INSERT INTO alerts (kind, title, title_en, severity, probability, rule_id, rule_version, region_code, accuracy_m, first_seen_at, last_seen_at, geom, simulated)
            VALUES ('garbage', '垃圾', 'Litter', 3, 0.8, 'street_litter', '1.0', '370202001001', 10, now(), now(), ST_SetSRID(ST_MakePoint(120.38, 36.06), 4326), true) RETURNING id"""
        ).fetchone()
    await login(app_client, "shinan")
    assert (await app_client.get(f"/api/alerts/{alert}/cap")).status_code == 200
    async with await connect(settings.database_url) as connection, await connect(settings.database_url) as other:
        assert await row(connection, "SELECT 1 AS one FROM cap_issued") is None
        sent = await cap_rows.issue(connection, Scope("370202"), alert, "3702")
        waiting = asyncio.create_task(cap_rows.issue(other, Scope("370202"), alert, "3702"))
        await asyncio.sleep(1.1)
        assert not waiting.done()
        await connection.commit()
        assert await waiting == sent
    first = await app_client.get(f"/api/alerts/{alert}/cap")
    assert first.content == sent
    assert first.headers["content-type"] == cap.MEDIA_TYPE and first.content == (await app_client.get(f"/api/alerts/{alert}/cap")).content
    assert (await app_client.post(f"/api/alerts/{alert}/acknowledge")).status_code == 200
    second = cap_reading.read((await app_client.get(f"/api/alerts/{alert}/cap")).content)
    one = cap_reading.read(first.content)
    assert (one.msg_type, one.status, second.msg_type) == ("Alert", "Exercise", "Update")
    assert second.references == ((one.sender, one.identifier, cap.moment(one.sent)),)
    assert fromstring((await app_client.get(f"/api/alerts/{alert}/cot")).content).get("uid") == f"hdq-3702-alert-{alert}"
    await login(app_client, "laoshan")
    for form in ("cap", "cot"):
        assert (await app_client.get(f"/api/alerts/{alert}/{form}")).status_code == 404
