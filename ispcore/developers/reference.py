"""The whole reference, made once per process from the OpenAPI document: what every page shows."""

import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.utils.safestring import SafeString
from drf_spectacular.generators import SchemaGenerator

from ispcore.developers import snippets
from ispcore.developers.codes import TITLES, Part, house_codes, parts
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

# What stands in the path where it is no id.
LOOKED_UP_BY = {"by-document": "X1234567", "by-phone": "+15550001234"}


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
    def segments(self) -> list[str]:
        """Return the parts of the path, between which a narrow line may break."""
        return self.path.strip("/").split("/")

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

    def at(self, verb: str, path: str) -> Endpoint | None:
        """Find the operation of a path, whatever the names in its braces are."""
        plain = re.sub(r"\{\w+\}", "{id}", path)
        return next((one for one in self.endpoints.values() if (one.verb, one.path) == (verb, plain)), None)


_lock = threading.Lock()
_made: list[Reference] = []


def reference() -> Reference:
    """Return the reference; the first caller of a process makes it, which takes some seconds."""
    with _lock:
        if not _made:
            _made.append(_Builder().build())
        return _made[0]


@cache
def error_parts() -> list[Part]:
    """Return what each part of the system refuses; see `codes.parts`."""
    return parts(Counter(code for endpoint in reference().endpoints.values() for code in endpoint.codes))


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
        endpoints: dict[str, Endpoint] = {}
        for path, verbs in self.document["paths"].items():
            for verb in VERBS:
                if verb in verbs:
                    view = self.views.get((path, verb))
                    refused = refusals_of(view, verb) if view is not None else []
                    endpoint = self.endpoint(verb, path, verbs[verb], refused)
                    endpoints[endpoint.operation] = endpoint
        domains = [Domain(slug, title, text, _groups(endpoints, slug)) for slug, title, text, _ in DOMAINS]
        return Reference(self.document["info"]["version"], endpoints, domains)

    def endpoint(self, verb: str, path: str, operation: dict[str, Any], refused: list[Refusal]) -> Endpoint:
        text = re.sub(r"\n*\*\*Roles:\*\*[^\n]*", "", operation.get("description", ""))
        said = paragraphs(text)
        needs_token = any(operation.get("security", ()))
        media_type, schema, body = self.request(verb, operation)
        example_path = self.example_path(path, operation)
        call = (verb.upper(), example_path, body, media_type)
        parameters = self.parameters(operation)
        rows = list(self.tables.fields(schema)) if schema else []
        answers = [
            self.answer(status, answer) for status, answer in operation["responses"].items() if status < "400"
        ]
        problems = _problems(operation, refused, writes=verb != "get")
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
        kind = path.split("/{")[0].rsplit("/", 1)[-1]
        known = LOOKED_UP_BY.get(kind) or self.examples.of(
            {"type": "string", "format": "uuid"}, _group_of(path)
        )
        filled = path.replace("{id}", known)
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
    if "202" in operation["responses"] and "202" not in operation.get("description", ""):
        notes.append(
            "May take longer than a request: 202 then names the task in `Location`; poll it, do not repeat."
        )
    if "cursor" in names:
        notes.append("Walk deep lists by `cursor`: its cost does not grow with depth.")
    if verb == "GET" and any(p["in"] == "query" for p in operation.get("parameters", ())):
        notes.append("A parameter that is not known is refused with 400: no typing error passes as a filter.")
    return [inline(note) for note in notes]


def _problems(operation: dict[str, Any], refused: list[Refusal], *, writes: bool) -> list[Problem]:
    problems = []
    needs_token = any(operation.get("security", ()))
    for status in sorted(set(operation["responses"]) | {str(one.status) for one in refused}):
        if status < "400":
            continue
        known = house_codes(status, operation["operationId"], writes=writes, needs_token=needs_token)
        codes = {code: inline(text) for code, text in known.items()}
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
