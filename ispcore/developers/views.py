"""The developers' pages: open to anybody, no script needed, nothing loaded from elsewhere, no database asked.

They know neither caller nor tenant, so they are the same for everybody and may be kept by any cache.
"""

import hashlib
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from ispcore.api.schema import (
    HEADER_PARAMETERS,
    IDEMPOTENCY,
    IF_MATCH,
    IF_NONE_MATCH,
    PREFER,
    RESPONSE_HEADERS,
)
from ispcore.api.throttles import TENANT_FACTOR
from ispcore.developers import snippets
from ispcore.developers.codes import FIELD_CODES, HOUSE_CODES, TITLES
from ispcore.developers.dialects import products
from ispcore.developers.happenings import BY_HAND, PROMISES, RECEIVER, events, message_of
from ispcore.developers.prose import inline
from ispcore.developers.reference import Endpoint, error_parts, reference
from ispcore.developers.search import LONGEST, MOST, search, topics
from ispcore.developers.workflows import FIRST_CALLS, WORKFLOWS, workflows_with

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
CACHE_CONTROL = "public, max-age=300"  # After an upgrade a page is old for five minutes at the most.
EVENT_GROUPS = ("webhooks", "webhook-deliveries", "events", "event-types")
META = {"request_id": "req_92aa7d", "api_version": "v1"}
PAGE = {"page": 1, "page_size": 50, "count": 1, "total": 1, "pages": 1, "next": None, "previous": None}
FIELD = {"field": "full_name", "code": "required", "message": "This field is required."}
ENVELOPES = (
    ("A record", {"success": True, "data": {"id": "…"}, "meta": META}),
    ("A list", {"success": True, "data": [{"id": "…"}], "meta": {**META, "pagination": PAGE}}),
    ("A refusal", {"success": False, "error": {"code": "missing_field", "message": "full_name: This field is required.",
                                               "field": "full_name", "fields": [FIELD]}, "meta": META}),
)  # fmt: skip
MESSAGE = """\
POST /hooks
webhook-id: 0199b0c2-7d1e-7c3a-9f55-0a4e6f1c2d3b
webhook-timestamp: 1776075660
webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=

"""


@require_safe
def hub(request: HttpRequest) -> HttpResponse:
    """Show what every call needs, then the domains with their endpoints."""
    return _answer(request, _hub())


@cache
def _hub() -> bytes:
    made = reference()
    sent = {
        **HEADER_PARAMETERS,
        "X-Idempotency-Key": IDEMPOTENCY,
        "If-Match": IF_MATCH,
        "If-None-Match": IF_NONE_MATCH,
        "Prefer": PREFER,
    }
    return _written(
        "hub.html",
        {
            "reference": made,
            "count": len(made.endpoints),
            "featured": [(made.endpoints[name], inline(why)) for name, why in FIRST_CALLS],
            "sent": [(name, inline(text)) for name, text in sent.items()],
            "returned": [(name, inline(text)) for name, text in RESPONSE_HEADERS.items()],
            "statuses": _statuses(),
            "envelopes": [(title, snippets.as_json(body)) for title, body in ENVELOPES],
            "rate": settings.RATE_LIMIT_PER_MINUTE,
            "tenant_rate": settings.RATE_LIMIT_PER_MINUTE * TENANT_FACTOR,
            "workflows": WORKFLOWS,
            "message": MESSAGE + snippets.as_json(message_of("billing.invoice_issued")),
            "types": sum(len(group) for _, _, group in events()),
            "products": products(),
            "token_call": snippets.curl(
                "POST",
                "/api/v1/auth/token",
                {"username": "you@example.com", "password": "your-password"},
                snippets.FORM,
                needs_token=False,
            ),
            "first_call": snippets.curl("GET", "/api/v1/subscribers", None, "", needs_token=True),
        },
    )


@require_safe
def endpoint(request: HttpRequest, operation: str) -> HttpResponse:
    """Show one operation."""
    made = reference()
    shown = made.endpoints.get(operation)
    if shown is None:
        return _missing(request)
    domain = next(domain for domain in made.domains if domain.slug == shown.domain)
    return _page(
        request,
        "endpoint.html",
        {
            "endpoint": shown,
            "domain": domain,
            "siblings": domain.groups[shown.group],
            "workflows": [_steps(flow) for flow in workflows_with(operation)],
            "event_groups": EVENT_GROUPS,
        },
    )


@require_safe
def workflow(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a workflow, each step with its endpoint."""
    flow = next((flow for flow in WORKFLOWS if flow.slug == slug), None)
    if flow is None:
        return _missing(request)
    return _page(
        request,
        "workflow.html",
        {"workflow": _steps(flow), "others": [o for o in WORKFLOWS if o is not flow]},
    )


@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Search paths, titles, fields, error codes, events and workflows."""
    asked = " ".join(request.GET.get("q", "").replace("\0", " ")[:LONGEST].split())
    return _page(
        request,
        "search.html",
        {"asked": asked, "found": search(reference(), asked), "topics": topics(asked), "most": MOST},
    )


@require_safe
def errors(request: HttpRequest) -> HttpResponse:
    """List every code an error may have, part by part."""
    return _answer(request, _errors())


@cache
def _errors() -> bytes:
    return _written(
        "errors.html",
        {
            "statuses": _statuses(),
            "fields": [(code, inline(text)) for code, text in FIELD_CODES],
            "parts": error_parts(),
            "count": sum(len(part.codes) for part in error_parts()),
        },
    )


@require_safe
def happenings(request: HttpRequest) -> HttpResponse:
    """Show every type of event with its message, and how a webhook's receiver checks one."""
    return _answer(request, _happenings())


@cache
def _happenings() -> bytes:
    return _written(
        "events.html",
        {
            "groups": events(),
            "promises": [inline(text) for text in PROMISES],
            "message": MESSAGE + snippets.as_json(message_of("billing.invoice_issued")),
            "receiver": RECEIVER,
            "by_hand": BY_HAND,
            "calls": [one for one in reference().endpoints.values() if one.group in EVENT_GROUPS],
        },
    )


@require_safe
def compat(request: HttpRequest) -> HttpResponse:
    """Show the other products whose clients are served, and what their operations are here."""
    return _answer(request, _compat())


@cache
def _compat() -> bytes:
    return _written("compat.html", {"products": products()})


@require_safe
def nothing(request: HttpRequest) -> HttpResponse:
    """Answer for an address below that there is not."""
    return _missing(request)


def _statuses() -> list[tuple[str, str, list[tuple[str, Any]]]]:
    return [
        (status, TITLES[status], [(code, inline(text)) for code, text in codes])
        for status, codes in HOUSE_CODES.items()
    ]


def _steps(flow: Any) -> dict[str, Any]:
    endpoints: dict[str, Endpoint] = reference().endpoints
    steps = [(endpoints[step.operation], inline(step.why)) for step in flow.steps]
    return {"slug": flow.slug, "title": flow.title, "purpose": flow.purpose, "steps": steps}


def _missing(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(_written("missing.html", {}), status=404)
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return _answer(request, _written(template, context))


def _written(template: str, context: dict[str, Any]) -> bytes:
    """Write a page without its request: nothing of a caller can stand in it."""
    return render_to_string(f"developers/{template}", context).encode()


def _answer(request: HttpRequest, page: bytes) -> HttpResponse:
    """Answer with a page, or with 304 to who has it."""
    etag = f'"{hashlib.sha256(page).hexdigest()[:32]}"'
    response = get_conditional_response(request, etag=etag, response=HttpResponse(page)) or HttpResponse(page)
    response["ETag"] = etag
    response["Cache-Control"] = CACHE_CONTROL
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response
