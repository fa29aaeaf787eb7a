"""Other ways to speak the same API: an address prefix, where its credential stands, and the shape of its answers.

Who may, how often, for which tenant and in which transaction stays one thing for all of them: the middleware asks
here only how a request says who calls, and how an answer that no view writes looks to its caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

PREFIX = "/compat/"

# (request, status, body, pagination of a list) -> what is written.
Success = Callable[[HttpRequest, int, Any, dict[str, Any] | None], Any]
# (request, status, {code, message, field, fields}) -> what is written.
Failure = Callable[[HttpRequest, int, dict[str, Any]], Any]


def bearer_header(request: HttpRequest) -> str:
    return request.headers.get("Authorization", "")


def tenant_header(request: HttpRequest) -> str:
    return request.headers.get("X-Tenant-ID", "")


@dataclass(frozen=True)
class Dialect:
    """What is said differently below `/compat/<name>/`.

    `authorization` returns what native callers send as `Authorization`; `open_paths` (below the prefix, without a
    trailing slash) read no credential but the one in their body. `statuses` maps a status of ours that the product's
    page does not know to the one it has for that.
    """

    name: str
    success: Success
    failure: Failure
    authorization: Callable[[HttpRequest], str] = bearer_header
    tenant: Callable[[HttpRequest], str] = tenant_header
    open_paths: frozenset[str] = frozenset()
    statuses: Mapping[int, int] = field(default_factory=dict)

    def status(self, status: int) -> int:
        return self.statuses.get(status, status)

    def is_open(self, request: HttpRequest) -> bool:
        return request.path_info.removeprefix(f"{PREFIX}{self.name}/").rstrip("/") in self.open_paths


_dialects: dict[str, Dialect] = {}


def register(dialect: Dialect) -> None:
    _dialects[dialect.name] = dialect


def dialect_of(request: HttpRequest) -> Dialect | None:
    """Return the dialect an address belongs to; None for `/api/v1`."""
    if not request.path_info.startswith(PREFIX):
        return None
    return _dialects.get(request.path_info.removeprefix(PREFIX).partition("/")[0])
