"""The API as an integrator calls it."""

import json
from typing import Any

from django.test import Client
from django.utils import timezone

from ispcore.auth import access_tokens
from ispcore.tenants.models import User

BASE = "/api/v1/"


class Api:
    """Calls `/api/v1/<path>` with a user's token and returns the response; `response.json()` is the envelope.

    A server error is an answer here as it is outside, not an exception in the test.
    """

    base = BASE

    def __init__(self, user: User | None = None, *, token: str = "", **headers: str) -> None:
        if user:
            token = access_tokens.mint(user_id=user.pk, at=timezone.now())
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.headers |= headers
        self._client = Client(raise_request_exception=False)

    def get(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> Any:
        return self._client.get(self.base + path, data, headers=self._all(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("post", path, body, headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("patch", path, body, headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("put", path, body, headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self._send("delete", path, None, headers)

    def send(self, verb: str, path: str, content: bytes, content_type: str, **headers: str) -> Any:
        """Send bytes as they are."""
        return self._client.generic(
            verb.upper(), self.base + path, content, content_type, headers=self._all(headers)
        )

    def _send(self, verb: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        return self.send(verb, path, content, "application/json", **headers)

    def _all(self, headers: dict[str, str]) -> dict[str, str]:
        return self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
