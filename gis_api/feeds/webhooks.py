"""Events as CloudEvents 1.0 (structured JSON), signed as Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`.

A receiver refuses a signature that does not fit, a timestamp more than WINDOW_S away from its own clock, and an id that it has seen within that window:
what was recorded on the way cannot be played again. `verified` does the first two.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from grid.errors import InvalidInput

MEDIA_TYPE = "application/cloudevents+json"
WINDOW_S = 300
_SHORTEST = 16


def cloudevent(city: str, event_id: int, kind: str, entity_id: str, happened_at: datetime, payload: dict[str, Any]) -> bytes:
    """An event in structured mode; `id` is the same at every try. `data` is the event's summary: the truth is what /api says of `subject`.

    >>> json.loads(cloudevent("3702", 5, "alert.opened", "7", datetime(2026, 11, 22, tzinfo=UTC), {}))["type"]
    'cn.haidongqing.alert.opened'
    """
    noun = kind.partition(".")[0]
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"{city}-{event_id}",
            "source": f"/haidongqing/{city}",
            "type": f"cn.haidongqing.{kind}",
            "subject": f"{noun}s/{entity_id}",
            "time": happened_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": payload,
        },
        ensure_ascii=False,
    ).encode()


def key_of(secret: str) -> bytes:
    """The key that a secret is: `whsec_` and base64 as Standard Webhooks writes it, else its own letters. Raises InvalidInput for fewer than 16 bytes.

    >>> key_of("whsec_MDEyMzQ1Njc4OWFiY2RlZg==")
    b'0123456789abcdef'
    """
    try:
        key = base64.b64decode(secret[6:], validate=True) if secret.startswith("whsec_") else secret.encode()
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("口令 whsec_ 之后不是 base64 · what follows whsec_ is no base64", remedy="whsec_ + base64, at least 16 bytes") from error
    if len(key) < _SHORTEST:
        raise InvalidInput(f"签名口令过短 · a signing secret of {len(key)} bytes is too short", remedy=f"at least {_SHORTEST} random bytes")
    return key


def signed(key: bytes, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks for a body sent at a time."""
    stamp = str(int(at.timestamp()))
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{_signature(key, message_id, stamp, body)}"}


def verified(key: bytes, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of a message whose signature fits and whose time lies within WINDOW_S of now; headers in lower case. Raises InvalidInput."""
    message_id, stamp, given = (headers.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature"))
    if not message_id or not re.fullmatch(r"\d{1,12}", stamp):
        raise InvalidInput("缺少签名头 · the headers of a signed message are missing", remedy="webhook-id, webhook-timestamp, webhook-signature")
    if abs(int(stamp) - now.timestamp()) > WINDOW_S:
        raise InvalidInput(f"时间戳超出 {WINDOW_S} 秒窗口 · the timestamp lies outside the window of {WINDOW_S} s: {stamp}", remedy="set the clocks; a recorded message is not taken again")
    wanted = _signature(key, message_id, stamp, body)
    if not any(hmac.compare_digest(f"v1,{wanted}", each) for each in given.split()):
        raise InvalidInput("签名不符 · the signature does not fit", remedy="check the secret, and that the body is unchanged")
    return message_id


def _signature(key: bytes, message_id: str, stamp: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
