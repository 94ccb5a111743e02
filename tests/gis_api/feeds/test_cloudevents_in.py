"""Findings as CloudEvents: one or a batch, each once by its source and id, all or none, and only what the envelope says."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from gis_api.wire import cloudevents
from grid.errors import InvalidInput


def event(name: str = "e1", **changes) -> dict:
    data = {"sensor_kind": "device", "kind": "water_level", "score": 0.9, "position": {"lon": 120.38, "lat": 36.06, "accuracy_m": 5}}
    at = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    return {"specversion": "1.0", "id": name, "source": "/gauges/7", "type": cloudevents.TYPE, "time": at, "datacontenttype": "application/json", "data": data} | changes


async def test_one_event_or_a_batch_comes_in_once_each(app_client, login):
    await login(app_client, "suanfa")
    one = event()
    first = await app_client.post("/api/observations/cloudevents", json=one, headers={"Content-Type": "application/cloudevents+json"})
    assert first.status_code == 202 and first.json()["new"] == 1, first.text
    batch = await app_client.post("/api/observations/cloudevents", json=[one, event("e2"), event("e2")], headers={"Content-Type": "application/cloudevents-batch+json"})
    assert [each["new"] for each in batch.json()["accepted"]] == [False, True, False]
    wrong = await app_client.post("/api/observations/cloudevents", json=[event("e3"), event("e4", time="yesterday")])
    assert wrong.status_code == 422 and "events[1]" in wrong.json()["detail"]
    stored = (await app_client.get("/api/observations")).json()["items"]
    assert {(each["source"], each["source_event_id"]) for each in stored} == {("/gauges/7", "e1"), ("/gauges/7", "e2")}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"5", b"[" * 5000, b"[5]", b'{"specversion": "0.3"}', b'{"specversion": "1.0", "type": "com.example.other", "data": {}}', b'{"specversion": "1.0", "type": "cn.haidongqing.observation", "data": []}']
)  # fmt: skip
def test_what_is_no_event_is_refused_by_its_place(body):
    with pytest.raises(InvalidInput):
        cloudevents.observations_of(body)


def test_the_data_cannot_speak_under_another_name():
    spoofed = event()
    spoofed["data"]["source"] = "/gauges/8"
    with pytest.raises(InvalidInput, match="contradicts"):
        cloudevents.observations_of(orjson.dumps(spoofed))
