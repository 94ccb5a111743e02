"""Findings that come as CloudEvents 1.0: one event in structured mode, or a JSON batch. The event's source and id name the finding for ever."""

from typing import Any

import orjson
from pydantic import ValidationError

from gis_api.wire.observations import ObservationIn
from grid.errors import InvalidInput

TYPE = "cn.haidongqing.observation"
MOST = 1_000
_TAKEN_FROM_THE_EVENT = {"source": "source", "id": "source_event_id", "time": "recorded_at"}


def observations_of(body: bytes) -> list[ObservationIn]:
    """The findings of a body, in its order. Raises InvalidInput with the place of what is wrong.

    `data` holds the fields of a finding; source, id and time of the event stand for source, source_event_id and recorded_at, which data must not
    contradict: a device cannot put another's name into its own envelope.
    """
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"不是 JSON · this is no JSON: {error}", remedy="application/cloudevents+json, or application/cloudevents-batch+json") from error
    events = sent if isinstance(sent, list) else [sent]
    if not 0 < len(events) <= MOST:
        raise InvalidInput(f"一批 {len(events)} 个事件 · a batch of {len(events)} events", remedy=f"1–{MOST}")
    return [_observation(event, number) for number, event in enumerate(events)]


def _observation(event: Any, number: int) -> ObservationIn:
    if not isinstance(event, dict) or event.get("specversion") != "1.0" or event.get("type") != TYPE:
        said = f"{event.get('specversion')!r}, {event.get('type')!r}"[:120] if isinstance(event, dict) else type(event).__name__
        raise InvalidInput(f"events[{number}] 不是 CloudEvents 1.0 的 {TYPE} · is no CloudEvent 1.0 of that type: {said}", remedy=f'"specversion": "1.0", "type": "{TYPE}"')
    data = event.get("data")
    if not isinstance(data, dict):
        raise InvalidInput(f"events[{number}].data 须为对象 · must be an object", remedy="the fields of a finding, as for POST /api/observations")
    for theirs, ours in _TAKEN_FROM_THE_EVENT.items():
        if ours in data and theirs in event and data[ours] != event[theirs]:
            raise InvalidInput(f"events[{number}].data.{ours} 与事件的 {theirs} 不符 · contradicts the event's {theirs}", remedy=f"leave {ours} out of data")
    try:
        return ObservationIn.model_validate(data | {ours: event[theirs] for theirs, ours in _TAKEN_FROM_THE_EVENT.items() if theirs in event})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"events[{number}].{place}：{first['msg']}", remedy="as for POST /api/observations: /api/openapi.json shows the shape") from error
