"""schemathesis over the OpenAPI document against the real server: whatever is sent, no 5xx, and every answer is of the declared kind and shape."""

import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

EXAMPLES = 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
LEFT_OUT = r"^/api/(events|login|logout)$"
"""The endless stream, and leaving or guessing one's way in; tests of their own cover them."""


schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
schemathesis.serializer.alias("application/cap+xml", "application/octet-stream")
for kind in ("application/cloudevents+json", "application/cloudevents-batch+json"):
    schemathesis.serializer.alias(kind, "application/json")


def test_every_route_keeps_its_promise(live):
    cookies = dict(live.login("zhihui").cookies)
    schema = schemathesis.openapi.from_url(f"{live.url}/api/openapi.json").exclude(path_regex=LEFT_OUT)
    broken, tried = {}, 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @hypothesis_settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def promise(case):
            answer = case.call(cookies=cookies, headers={"X-HDQ-Client": "1"}, timeout=30)
            case.validate_response(answer, checks=CHECKS)

        try:
            promise()
        except (Exception, BaseExceptionGroup) as error:  # gathered, so that one run names every broken route
            broken[operation.label] = f"{error} {[str(part) for part in getattr(error, 'exceptions', [])]}"
        tried += 1
    assert tried > 40 and not broken, "\n\n".join(f"{label}: {why[:900]}" for label, why in broken.items())
