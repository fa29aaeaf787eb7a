"""The OpenAPI document of this dialect, which its own `/docs` and `/redoc` show."""

from typing import Any

from compat.wisphub.shapes import Action

INTEGER, NUMBER, TEXT, BOOLEAN = ({"type": kind} for kind in ("integer", "number", "string", "boolean"))
Schema = dict[str, Any]


def nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def thing(fields: Schema, required: tuple[str, ...] = ()) -> Schema:
    return {"type": "object", "properties": fields} | ({"required": [*required]} if required else {})


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


CLIENT = thing(
    {
        "service_id": INTEGER,
        "name": TEXT,
        "document": nullable(TEXT),
        "phone": nullable(TEXT),
        "address": TEXT,
        "city": nullable(TEXT),
        "locality": nullable(TEXT),
        "payment_status": nullable(TEXT),
        "zone_id": nullable(INTEGER),
        "antenna_ip": nullable(TEXT),
        "cut_off_date": nullable({"type": "string", "format": "date"}),
        "outstanding_balance": nullable(NUMBER),
        "lan_interface": nullable(TEXT),
        "internet_plan_name": TEXT,
        "internet_plan_price": NUMBER,
        "technician_id": nullable(INTEGER),
    }
)
FACTS = thing(
    {
        "name": nullable(TEXT),
        "address": nullable(TEXT),
        "internet_plan_name": nullable(TEXT),
        "internet_plan_price": nullable(NUMBER),
    }
)
PROFILE = thing({"document": nullable(TEXT), "phone": nullable(TEXT)})
TICKET = thing(
    {
        "ticket_id": INTEGER,
        "subject": TEXT,
        "created_at": TEXT,
        "end_date": nullable(TEXT),
        "status_ticket": TEXT,
        "priority": TEXT,
        "answer_text": nullable(TEXT),
    }
)
NEW_TICKET = thing(
    {
        "service_id": INTEGER,
        "subject": TEXT,
        "description": TEXT,
        "technician_id": nullable(INTEGER),
        "zone_id": nullable(INTEGER),
    },
    ("service_id", "subject", "description"),
)
SUBJECTS = thing(
    {
        "by_priority": thing({name: many(TEXT) for name in ("low", "normal", "high", "very_high")}),
        "all": many(TEXT),
    }
)
PLAN = thing({"name": TEXT, "price": NUMBER, "download_speed": TEXT, "upload_speed": TEXT})
LISTED_PLAN = thing({"plan_id": INTEGER, "name": TEXT, "type": TEXT})

TITLE = "WispHub API"
CLIENTS, TICKETS, NETWORK, PLANS = "Clients", "tickets", "network", "internet-plans"
V1 = "/api/v1"
# Verb, path, tag and summary, what is sent, and what comes back as `data`.
OPERATIONS: list[tuple[str, str, str, str, Schema | None, Schema | None]] = [
    ("get", f"{V1}/clients/", CLIENTS, "List all active clients", None, many(CLIENT)),
    ("get", f"{V1}/clients/search", CLIENTS, "Search clients by query term", None, many(CLIENT)),
    ("get", f"{V1}/clients/by-document/{{document}}", CLIENTS, "Get client by ID document", None, CLIENT),
    ("get", f"{V1}/clients/by-phone/{{phone}}", CLIENTS, "Get client by phone number", None, CLIENT),
    ("get", f"{V1}/clients/by-service-id/{{service_id}}", CLIENTS, "Get client by service ID", None, CLIENT),
    ("post", f"{V1}/clients/resolve", CLIENTS, "Resolve and verify client identity", FACTS, CLIENT),
    (
        "post", f"{V1}/clients/{{service_id}}/verify", CLIENTS, "Verify client identity with billing data", FACTS,
        thing({"is_valid": BOOLEAN, "matched_fields": many(TEXT)}),
    ),
    ("put", f"{V1}/clients/{{service_id}}", CLIENTS, "Update client profile (phone, document)", PROFILE, None),
    ("get", f"{V1}/tickets/subjects", TICKETS, "List all valid ticket subjects by priority", None, SUBJECTS),
    ("post", f"{V1}/tickets", TICKETS, "Create a new support ticket", NEW_TICKET, TICKET),
    ("get", f"{V1}/tickets/{{ticket_id}}", TICKETS, "Get ticket details by ID", None, TICKET),
    (
        "get", f"{V1}/tickets/zone-blocked/{{zone_id}}", TICKETS, "Check if zone has reached ticket limit", None,
        thing({"is_blocked": BOOLEAN, "max_tickets": INTEGER}),
    ),
    (
        "post", f"{V1}/{{service_id}}/ping/", NETWORK, "Initiate async ping diagnostic task",
        thing({"pings": {"type": "integer", "minimum": 1, "maximum": 100}}, ("pings",)), thing({"task_id": TEXT}),
    ),
    ("get", f"{V1}/ping/{{task_id}}/", NETWORK, "Get ping task results and connection status", None, None),
    ("get", f"{V1}/internet-plans/", PLANS, "List all available internet plans", None, many(LISTED_PLAN)),
    ("get", f"{V1}/internet-plans/{{plan_id}}", PLANS, "Get detailed plan information", None, PLAN),
]  # fmt: skip
STATUSES = {
    "200": "Told by `action`.",
    "400": "Something was asked for that cannot be answered.",
    "401": "No token, or one that is not valid.",
    "403": "The role does not allow it, or the provider is not the caller's.",
    "404": "There is no such address, zone or ping.",
    "406": "Only JSON is spoken.",
    "409": "What is stored does not allow it.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "A field is wrong or missing.",
    "429": "Too many requests; `Retry-After` says for how long.",
    "503": "The database or Redis does not answer.",
}
TEXTS = ("document", "phone", "task_id")


def document(base: str) -> Schema:
    """Return the document for an installation whose dialect begins at `base`."""
    paths: dict[str, Any] = {
        "/health": {
            "get": _operation("system", "Health check", None, thing({"status": TEXT, "service": TEXT}))
        },
        f"{V1}/auth/token": {"post": _token()},
    }
    for verb, path, tag, summary, body, data in OPERATIONS:
        operation = _operation(tag, summary, body, data) | {"security": [{"bearer": []}]}
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": TEXT if name in TEXTS else INTEGER}
            for name in names
        ]
        if path.endswith("/search"):
            operation["parameters"] = [{"name": "q", "in": "query", "required": True, "schema": TEXT}]
        paths.setdefault(path, {})[verb] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "description": "API de integración local con WispHub",
            "version": "1.0.0",
        },
        "servers": [{"url": base}],
        "tags": [{"name": name} for name in ("system", CLIENTS, TICKETS, NETWORK, PLANS)],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
        },
    }


def _operation(tag: str, summary: str, body: Schema | None, data: Schema | None) -> Schema:
    response = thing(
        {
            "ok": BOOLEAN,
            "type": {"type": "string", "enum": ["success", "error", "info"]},
            "action": {"type": "string", "enum": [action.value for action in Action]},
            "data": {"anyOf": [data, {"type": "null"}]} if data else {"type": "null"},
            "message": nullable(TEXT),
            "meta": nullable({"type": "object"}),
        },
        ("ok", "type", "action", "data", "message", "meta"),
    )
    content = {"application/json": {"schema": response}}
    told = {status: {"description": why, "content": content} for status, why in STATUSES.items()}
    operation: Schema = {"tags": [tag], "summary": summary, "responses": told}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _token() -> Schema:
    form = thing({"username": TEXT, "password": TEXT}, ("username", "password"))
    answer = thing({"access_token": TEXT, "token_type": TEXT}, ("access_token", "token_type"))
    return {
        "tags": ["system"],
        "summary": "Obtain a JWT Bearer token",
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "responses": {
            "200": {"description": "The token.", "content": {"application/json": {"schema": answer}}},
            "401": {"description": "Wrong user name or password."},
            "403": {"description": "This installation takes no passwords: use an API key."},
            **{
                status: {"description": STATUSES[status]}
                for status in ("406", "413", "415", "422", "429", "503")
            },
        },
    }
