"""What the tests of AEx's provider service share."""

import re
from typing import Any

MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def refusal(response: Any) -> tuple[int, str]:
    """Return status and code after checking the shape."""
    body = response.json()
    assert list(body)[:5] == ["title", "status", "code", "detail", "request_id"]
    assert (body["status"], body["request_id"]) == (response.status_code, response["X-Request-ID"])
    return response.status_code, body["code"]
