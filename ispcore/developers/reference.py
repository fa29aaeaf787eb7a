"""The whole reference, made once per process from the OpenAPI document: what every page shows."""

import re
import threading
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString
from drf_spectacular.generators import SchemaGenerator

from ispcore.api.schema import ERRORS
from ispcore.developers import snippets
from ispcore.developers.examples import Examples
from ispcore.developers.prose import inline, paragraphs
from ispcore.developers.refusals import Refusal, refusals_of
from ispcore.developers.tables import Row, Tables
from ispcore.tenants.roles import Role

VERBS = ("get", "post", "put", "patch", "delete")
# The order of the first page, and the first segments of paths in each; what is not named is the platform's.
DOMAINS = (
    ("subscribers", "Subscribers & CRM", "Customers, premises, plans, services and their life.",
     ("subscribers", "services", "premises", "zones", "internet-plans", "products", "custom-fields", "imports",
      "subscriber-settings", "me")),
    ("billing", "Billing & payments", "Invoices, runs, payments, reminders, prepaid, reports.",
     ("billing", "billing-profiles")),
    ("network", "Network & provisioning", "RADIUS, live sessions, OLTs and ONUs, addresses.",
     ("aaa", "hardware", "ipam", "ping")),
    ("automation", "Automation & support", "Tickets, diagnosis, notices, webhooks, events.",
     ("support", "webhooks", "webhook-deliveries", "events", "event-types")),
    ("platform", "Platform", "Log-in, keys, tasks, files and exports.", ()),
)  # fmt: skip
HOUSE_CODES: dict[str, tuple[tuple[str, str], ...]] = {
    "400": (("malformed_request", "The body is not JSON, or a parameter or header cannot be read."),
            ("missing_field", "A required field is missing; `fields` lists all of them."),
            ("unknown_parameter", "A query parameter is not known here; `field` names it."),
            ("tenant_required", "The credential belongs to several tenants and none was named.")),
    "401": (("not_authenticated", "There is no credential."), ("invalid_token", "The credential is not valid."),
            ("token_expired", "The token's time is over: fetch a new one.")),
    "403": (("permission_denied", "The role does not allow it."),
            ("tenant_forbidden", "The tenant does not exist or is not the caller's.")),
    "404": (("not_found", ERRORS["404"]),),
    "405": (("method_not_allowed", ERRORS["405"]),),
    "406": (("not_acceptable", ERRORS["406"]),),
    "409": (("idempotency_in_progress", "The first request with this key is still running."),),
    "412": (("stale_version", ERRORS["412"]),),
    "413": (("request_too_large", ERRORS["413"]),),
    "415": (("unsupported_media_type", ERRORS["415"]),),
    "422": (("validation_error", ERRORS["422"]),
            ("idempotency_key_reused", "This idempotency key came with another body.")),
    "429": (("rate_limited", ERRORS["429"]),),
    "503": (("dependency_unavailable", ERRORS["503"]),),
}  # fmt: skip
OF_WRITES = frozenset({"missing_field", "idempotency_in_progress", "idempotency_key_reused"})
TITLES = {
    "400": "Bad request", "401": "Unauthorised", "403": "Forbidden", "404": "Not found", "405": "Method not allowed",
    "406": "Not acceptable", "409": "Conflict", "412": "Precondition failed", "413": "Too large",
    "415": "Unsupported media type", "422": "Validation error", "429": "Too many requests", "503": "Unavailable",
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    status: str
    title: str
    codes: list[tuple[str, SafeString]]


@dataclass(frozen=True)
class Answer:
    status: str
    text: str
    example: str
    media_types: str
    rows: list[Row]
    headers: list[Row]


@dataclass(frozen=True)
class Endpoint:
    operation: str
    verb: str
    path: str
    domain: str
    group: str
    title: str
    purpose: list[SafeString]
    notes: list[SafeString]
    roles: list[str]
    used_by: str
    parameters: dict[str, list[Row]]
    curl: str
    python: str
    request_type: str
    request_rows: list[Row]
    answers: list[Answer]
    problems: list[Problem]
    refusal_example: str
    words: str = field(repr=False)  # All that the search looks into, lower-cased.

    @property
    def codes(self) -> set[str]:
        return {code for problem in self.problems for code, _ in problem.codes}


@dataclass(frozen=True)
class Domain:
    slug: str
    title: str
    text: str
    groups: dict[str, list[Endpoint]]

    @property
    def count(self) -> int:
        return sum(map(len, self.groups.values()))


@dataclass(frozen=True)
class Reference:
    version: str
    endpoints: dict[str, Endpoint]
    domains: list[Domain]
    refusals: list[Refusal]


_lock = threading.Lock()
_made: list[Reference] = []


def reference() -> Reference:
    """Return the reference; the first caller of a process makes it, which takes some seconds."""
    with _lock:
        if not _made:
            _made.append(_Builder().build())
        return _made[0]


class _Builder:
    def __init__(self) -> None:
        generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
        self.document: dict[str, Any] = generator.get_schema(request=None, public=True)
        generator._initialise_endpoints()
        self.views = {
            (path.removesuffix("/?").rstrip("/"), method.lower()): view
            for path, _, method, view in generator._get_paths_and_endpoints()
        }
        components = self.document["components"]["schemas"]
        self.examples = Examples(components)
        self.tables = Tables(components)

    def build(self) -> Reference:
        refusals: dict[tuple[int, str], Refusal] = {}
        endpoints: dict[str, Endpoint] = {}
        for path, verbs in self.document["paths"].items():
            for verb in VERBS:
                if verb in verbs:
                    view = self.views.get((path, verb))
                    refused = refusals_of(view, verb) if view is not None else []
                    refusals |= {(one.status, one.code): one for one in refused}
                    endpoint = self.endpoint(verb, path, verbs[verb], refused)
                    endpoints[endpoint.operation] = endpoint
        domains = [Domain(slug, title, text, _groups(endpoints, slug)) for slug, title, text, _ in DOMAINS]
        listed = [refusals[key] for key in sorted(refusals)]
        return Reference(self.document["info"]["version"], endpoints, domains, listed)

    def endpoint(self, verb: str, path: str, operation: dict[str, Any], refused: list[Refusal]) -> Endpoint:
        text = re.sub(r"\n*\*\*Roles:\*\*[^\n]*", "", operation.get("description", ""))
        said = paragraphs(text)
        needs_token = bool(operation.get("security"))
        media_type, schema, body = self.request(verb, operation)
        example_path = self.example_path(path, operation)
        call = (verb.upper(), example_path, body, media_type)
        parameters = self.parameters(operation)
        rows = list(self.tables.fields(schema)) if schema else []
        answers = [
            self.answer(status, answer) for status, answer in operation["responses"].items() if status < "400"
        ]
        problems = _problems(operation["responses"], refused, writes=verb != "get")
        roles = [Role(value).label for value in operation.get("x-roles", ())]
        names = [row.name for row in rows] + [row.name for part in parameters.values() for row in part]
        answered = [row.name for answer in answers for row in answer.rows]
        codes = [code for problem in problems for code, _ in problem.codes]
        return Endpoint(
            operation=operation["operationId"],
            verb=verb.upper(),
            path=path,
            domain=_domain_of(path),
            group=_group_of(path),
            title=operation.get("summary") or operation["operationId"],
            purpose=said[:1] or [inline(operation.get("summary", ""))],
            notes=[*said[1:], *_notes(verb.upper(), operation)],
            roles=roles,
            used_by=_used_by(path, roles, needs_token=needs_token),
            parameters=parameters,
            curl=snippets.curl(*call, needs_token=needs_token),
            python=snippets.python(*call, needs_token=needs_token),
            request_type=media_type if body is not None else "",
            request_rows=rows,
            answers=answers,
            problems=problems,
            refusal_example=_refusal_example(refused, operation["responses"]),
            words=" ".join(
                [verb, path, operation.get("summary", ""), text, *names, *answered, *codes]
            ).lower(),
        )

    def request(self, verb: str, operation: dict[str, Any]) -> tuple[str, dict[str, Any] | None, Any]:
        content = operation.get("requestBody", {}).get("content", {})
        if not content:
            return "", None, None
        media_type = "application/json" if "application/json" in content else next(iter(content))
        schema = content[media_type]["schema"]
        return media_type, schema, self.examples.of_request(schema, changes=verb == "patch")

    def example_path(self, path: str, operation: dict[str, Any]) -> str:
        """Fill the path; a required parameter of the query comes with it."""
        filled = path.replace("{id}", self.examples.of({"type": "string", "format": "uuid"}, _group_of(path)))
        asked = [
            f"{parameter['name']}={self.examples.of(parameter['schema'], parameter['name'])}"
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query" and parameter.get("required")
        ]
        return f"{filled}?{'&'.join(asked)}".replace(" ", "%20") if asked else filled

    def parameters(self, operation: dict[str, Any]) -> dict[str, list[Row]]:
        places: dict[str, list[Row]] = {"path": [], "query": [], "header": []}
        for parameter in operation.get("parameters", ()):
            places[parameter["in"]].append(
                self.tables.row(
                    parameter["name"],
                    parameter["schema"],
                    is_required=parameter.get("required", False),
                    text=parameter.get("description", ""),
                )
            )
        return {place: rows for place, rows in places.items() if rows}

    def answer(self, status: str, answer: dict[str, Any]) -> Answer:
        content = answer.get("content", {})
        schema = content.get("application/json", {}).get("schema")
        headers = [
            self.tables.row(name, header["schema"], is_required=False, text=header["description"])
            for name, header in answer.get("headers", {}).items()
        ]
        return Answer(
            status=status,
            text=answer.get("description", ""),
            example=snippets.as_json(self.examples.of(schema)) if schema else "",
            media_types=", ".join(content),
            rows=list(self.tables.fields(schema)) if schema else [],
            headers=headers,
        )


def _group_of(path: str) -> str:
    """Name the resource: two segments below the large apps, else one."""
    parts = path.removeprefix("/api/v1/").split("/")
    large = ("billing", "aaa", "ipam", "hardware", "support", "me")
    return "/".join(parts[:2]) if parts[0] in large and len(parts) > 1 else parts[0]


def _domain_of(path: str) -> str:
    first = path.removeprefix("/api/v1/").split("/")[0]
    return next((slug for slug, _, _, names in DOMAINS if first in names), "platform")


def _groups(endpoints: dict[str, Endpoint], domain: str) -> dict[str, list[Endpoint]]:
    order = {name: place for place, name in enumerate(next(d[3] for d in DOMAINS if d[0] == domain))}
    chosen = [endpoint for endpoint in endpoints.values() if endpoint.domain == domain]
    chosen.sort(key=lambda endpoint: order.get(endpoint.group.split("/")[0], 99))
    groups: dict[str, list[Endpoint]] = {}
    for endpoint in chosen:
        groups.setdefault(endpoint.group, []).append(endpoint)
    return groups


def _used_by(path: str, roles: list[str], *, needs_token: bool) -> str:
    if not needs_token:
        return "Anybody: no token is asked for."
    if path.startswith("/api/v1/me/"):
        return "Customers, for their own records."
    return "" if roles else "Every role."


def _notes(verb: str, operation: dict[str, Any]) -> list[SafeString]:
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    notes = []
    if "X-Idempotency-Key" in names:
        notes.append("Send `X-Idempotency-Key`: after a lost answer the same call is then safe to repeat.")
    if "If-Match" in names:
        notes.append("Send `If-Match` with the ETag you read, so that nobody's change is overwritten unseen.")
    if "Prefer" in names:
        notes.append(
            "May take longer than a request: 202 then names the task in `Location`; poll it, do not repeat."
        )
    if "cursor" in names:
        notes.append("Walk deep lists by `cursor`: its cost does not grow with depth.")
    if verb == "GET" and any(p["in"] == "query" for p in operation.get("parameters", ())):
        notes.append("A parameter that is not known is refused with 400: no typing error passes as a filter.")
    return [inline(note) for note in notes]


def _problems(responses: dict[str, Any], refused: list[Refusal], *, writes: bool) -> list[Problem]:
    problems = []
    for status in sorted(set(responses) | {str(one.status) for one in refused}):
        if status < "400":
            continue
        known = HOUSE_CODES.get(status, ())
        codes = {code: inline(text) for code, text in known if writes or code not in OF_WRITES}
        for one in refused:
            if str(one.status) == status:
                codes.setdefault(one.code, inline(one.message))
        problems.append(Problem(status, TITLES.get(status, "Refused"), list(codes.items())))
    return problems


def _refusal_example(refused: list[Refusal], responses: dict[str, Any]) -> str:
    business = next((one for one in refused if one.status == 409), None)
    error: dict[str, Any] = {"code": "not_authenticated", "message": "There is no credential."}
    if business:
        error = {"code": business.code, "message": business.message}
    elif "422" in responses:
        wrong = {"field": "created_at__gte", "code": "invalid", "message": "Enter a valid date/time."}
        error = {
            "code": "validation_error",
            "message": f"{wrong['field']}: {wrong['message']}",
            "field": wrong["field"],
            "fields": [wrong],
        }
    return snippets.as_json(
        {"success": False, "error": error, "meta": {"request_id": "req_19ba22", "api_version": "v1"}}
    )
