"""The bare shape of ISPChamp's answers: `{"status": "success", …}` with what was asked for beside it.

The page shows it once, for the discovery of an OLT, whose fields stand beside `status`. A record, whose own `status`
would be in the way, stands under its name; a list under its plural, with `pagination`.
"""

from typing import Any

from django.http import HttpRequest

from ispcore.api.dialects import Dialect
from ispcore.api.request import request_id_of

# Route -> what one is called, and many.
NAMES = {
    "subscribers": ("subscriber", "subscribers"),
    "subscriber": ("subscriber", "subscribers"),
    "subscriber-activate": ("subscriber", "subscribers"),
    "subscriber-suspend": ("subscriber", "subscribers"),
    "invoices": ("invoice", "invoices"),
    "invoice": ("invoice", "invoices"),
    "invoice-generate": ("run", "runs"),
    "payments": ("payment", "payments"),
    "onu-status": ("onu", "onus"),
    "onu-signal": ("onu", "onus"),
    "onu-authorize": ("onu", "onus"),
    "onu-unauthorize": ("onu", "onus"),
    "pools": ("pool", "pools"),
    "subnets": ("subnet", "subnets"),
    "allocate": ("address", "addresses"),
    "release": ("address", "addresses"),
    "vrfs": ("vrf", "vrfs"),
    "sessions": ("session", "sessions"),
    "policies": ("policy", "policies"),
    "tickets": ("ticket", "tickets"),
    "ticket": ("ticket", "tickets"),
    "ticket-comments": ("comment", "comments"),
    "task": ("task", "tasks"),
}


def success(request: HttpRequest, status: int, body: Any, pagination: dict[str, Any] | None) -> Any:
    route = request.resolver_match.url_name if request.resolver_match else None
    one, many = NAMES.get(str(route), ("", ""))
    if status == 202:
        return {"status": "accepted", "task": body}
    if isinstance(body, list):
        return {"status": "success", many: body} | ({"pagination": pagination} if pagination else {})
    return {"status": "success", one: body} if one else {"status": "success", **body}


def failure(request: HttpRequest, status: int, error: dict[str, Any]) -> Any:
    return {"status": "error", **error, "request_id": request_id_of(request)}


ISPCHAMP = Dialect("ispchamp", success, failure)
