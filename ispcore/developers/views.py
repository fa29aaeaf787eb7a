"""The developers' pages: open to anybody, no script needed, nothing loaded from elsewhere, no database asked."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ispcore.api.schema import HEADER_PARAMETERS, IDEMPOTENCY, IF_MATCH, PREFER, RESPONSE_HEADERS
from ispcore.api.throttles import TENANT_FACTOR
from ispcore.developers import snippets
from ispcore.developers.prose import inline
from ispcore.developers.reference import HOUSE_CODES, TITLES, reference
from ispcore.developers.search import LONGEST, MOST, search
from ispcore.developers.workflows import WORKFLOWS, workflows_with

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
META = {"request_id": "req_92aa7d", "api_version": "v1"}
PAGE = {"page": 1, "page_size": 50, "count": 1, "total": 1, "pages": 1, "next": None, "previous": None}
FIELD = {"field": "full_name", "code": "required", "message": "This field is required."}
ENVELOPES = (
    ("A record", {"success": True, "data": {"id": "…"}, "meta": META}),
    ("A list", {"success": True, "data": [{"id": "…"}], "meta": {**META, "pagination": PAGE}}),
    ("A refusal", {"success": False, "error": {"code": "missing_field", "message": "full_name: This field is required.",
                                               "field": "full_name", "fields": [FIELD]}, "meta": META}),
)  # fmt: skip


@require_safe
def hub(request: HttpRequest) -> HttpResponse:
    """Show what every call needs, then the domains with their endpoints."""
    made = reference()
    sent = {**HEADER_PARAMETERS, "X-Idempotency-Key": IDEMPOTENCY, "If-Match": IF_MATCH, "Prefer": PREFER}
    return _page(
        request,
        "hub.html",
        {
            "reference": made,
            "count": len(made.endpoints),
            "sent": [(name, inline(text)) for name, text in sent.items()],
            "returned": [(name, inline(text)) for name, text in RESPONSE_HEADERS.items()],
            "statuses": [
                (status, TITLES[status], [(code, inline(text)) for code, text in codes])
                for status, codes in HOUSE_CODES.items()
            ],
            "envelopes": [(title, snippets.as_json(body)) for title, body in ENVELOPES],
            "rate": settings.RATE_LIMIT_PER_MINUTE,
            "tenant_rate": settings.RATE_LIMIT_PER_MINUTE * TENANT_FACTOR,
            "workflows": WORKFLOWS,
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
        raise Http404
    domain = next(domain for domain in made.domains if domain.slug == shown.domain)
    return _page(
        request,
        "endpoint.html",
        {
            "endpoint": shown,
            "domain": domain,
            "siblings": domain.groups[shown.group],
            "workflows": [_steps(flow) for flow in workflows_with(operation)],
        },
    )


@require_safe
def workflow(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a workflow, each step with its endpoint."""
    flow = next((flow for flow in WORKFLOWS if flow.slug == slug), None)
    if flow is None:
        raise Http404
    return _page(
        request,
        "workflow.html",
        {"workflow": _steps(flow), "others": [o for o in WORKFLOWS if o is not flow]},
    )


@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Search paths, titles, fields and error codes."""
    asked = " ".join(request.GET.get("q", "")[:LONGEST].split())
    return _page(request, "search.html", {"asked": asked, "found": search(reference(), asked), "most": MOST})


@require_safe
def errors(request: HttpRequest) -> HttpResponse:
    """List what the business refuses, with the search that finds where."""
    return _page(
        request, "errors.html", {"refusals": [(one, inline(one.message)) for one in reference().refusals]}
    )


def _steps(flow: Any) -> dict[str, Any]:
    endpoints = reference().endpoints
    steps = [(endpoints[step.operation], inline(step.why)) for step in flow.steps]
    return {"slug": flow.slug, "title": flow.title, "purpose": flow.purpose, "steps": steps}


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, f"developers/{template}", context)
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response
