"""Values that could be real for any part of the schema: always the same, and valid against it."""

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Schema = dict[str, Any]

DEEPEST = 6  # A record within a record; the schema's own are at most four deep.
DAY = "2026-04-13"
MOMENT = f"{DAY}T10:21:00Z"

# What a field of this name holds; taken when the schema allows it.
BY_NAME: dict[str, Any] = {
    "external_id": "crm-23991",
    "document": {"type": "passport", "number": "X1234567"},
    "access_token": "eyJhbGciOiJFUzI1NiJ9.example.example",
    "refresh_token": "ispr_example",
    "expires_in": 900,
    "secret": "whsec_ZXhhbXBsZS1leGFtcGxlLWV4YW1wbGUtZXhhbXA=",
    "allocated": "29.90",
    "refunded": "0.00",
    "credit": "0.00",
    "overdue": "0.00",
    "invoice_number": "INV-2026-000123",
    "kind": "hardware.discover_olt",
    "label": "Discovery of OLT Central",
    "message": "1 of 1",
    "model": "HG8245H",
    "full_name": "Jane Doe",
    "customer_name": "Jane Doe",
    "username": "jane.doe",
    "email": "jane@example.com",
    "phone": "+15550001234",
    "number": "SUB-000184",
    "line2": "Unit 4",
    "line1": "101 Fiber Street",
    "address_line1": "101 Fiber Street",
    "full_address": "101 Fiber Street, Austin, TX 78701",
    "city": "Austin",
    "state": "TX",
    "postal_code": "78701",
    "country": "US",
    "currency": "USD",
    "metadata": {"source": "website_signup"},
    "custom_fields": {},
    "tags": ["business"],
    "request_id": "req_92aa7d",
    "ip": "192.0.2.10",
    "address": "192.0.2.10",
    "network": "192.0.2.0/24",
    "gateway": "192.0.2.1",
    "framed_ip_address": "192.0.2.10",
    "mac_address": "00:00:5E:00:53:01",
    "calling_station_id": "00:00:5E:00:53:01",
    "community": "example-community",
    "vendor": "huawei",
    "serial": "HWTC12345678",
    "index": "0/1/0/1",
    "pon_port": "0/1/0",
    "rx_power_dbm": -19.5,
    "tx_power_dbm": 2.1,
    "rd": "65000:1",
    "realm": "isp.example",
    "down_kbps": 100000,
    "up_kbps": 50000,
    "timezone": "Africa/Johannesburg",
    "url": "https://hooks.example.com/isp",
    "location": "/api/v1/tasks/0190a5e0-7b6a-7c1f-9d2e-4f5a6b7c8d9e",
    "host_key": "ssh-ed25519 SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "pagination": {"page": 1, "page_size": 50, "count": 1, "total": 1, "total_is_estimate": False, "pages": 1,
                   "next": None, "previous": None},
    "name": "Fiber 100",
    "cycle_day": 1,
    "due_days": 14,
    "grace_days": 5,
    "plan": "Fiber 100",
    "password": "example-password",
    "subject": "No internet since this morning",
    "text": "The light of the ONU is red.",
    "body": "The light of the ONU is red.",
    "reason": "Requested by the customer",
    "description": "Set by the provider",
    "reference": "bank-2026-04-13-0042",
    "events": ["billing.invoice_issued"],
    "event_types": ["billing.invoice_issued"],
}  # fmt: skip
# A shape -> a value of it, for names that say nothing.
BY_PATTERN = (
    "29.90", "4.5", "1048576", "USD", "US", "90", "key_one", "0/1/0", "example.net", "65000:1", "HWTC12345678",
    "example-secret", "0" * 64, "ssh-ed25519 SHA256:" + "A" * 43, "0190a5e0-7b6a-7c1f-9d2e-4f5a6b7c8d9e", "good",
    "-created_at",
)  # fmt: skip
BY_FORMAT = {
    "date-time": MOMENT,
    "date": DAY,
    "time": "10:21:00",
    "email": "jane@example.com",
    "uri": "https://api.isp.example/api/v1/records?page=2",
    "ipv4": "192.0.2.10",
    "ipv6": "2001:db8::10",
    "binary": "…",
}
# Fields that a first request sends though they may be left out; `ip` and `olt_id` exclude each other.
WORTH_SENDING = {
    "SubscriberRequest": ("external_id", "email", "phone", "address", "metadata"),
    "DiscoverInputRequest": ("ip", "community", "vendor"),
    "OnuInputRequest": ("olt_id", "serial"),
    "OnuUnauthorizeInputRequest": ("olt_id", "serial"),
    "OnuAuthorizeInputRequest": ("olt_id",),
    "CacheInputRequest": ("olt_id",),
    "TokenInputRequest": ("username", "password"),
    "SteerInputRequest": ("service_id",),
    "GenerateInputRequest": ("on", "dry_run"),
    "AllocateInputRequest": ("pool_id", "service_id"),
    "ReleaseInputRequest": ("address_id",),
    "ReplayInputRequest": ("since", "only_missed"),
    "FactsInputRequest": ("name", "address", "plan"),
    "BillingProfileRequest": ("payment_kind", "cycle", "cycle_day", "due_days"),
    "PaymentInputRequest": ("reference",),
    "TicketInputRequest": ("subscriber_id",),
}


class Examples:
    """Make examples of one document's schemas."""

    def __init__(self, components: dict[str, Schema]) -> None:
        self.components = components

    def of_request(self, schema: Schema, *, changes: bool) -> Any:
        """Return a body with what is needed and what a first call would send; some fields of a change."""
        name, plain = self._open(schema)
        if plain.get("type") != "object" or "properties" not in plain:
            return self.of(schema)
        wanted = [*plain.get("required", []), *WORTH_SENDING.get(name, ())]
        if not wanted or changes:
            wanted = list(plain["properties"])[:3]
        return {field: self.of(part, field) for field, part in plain["properties"].items() if field in wanted}

    def of(self, schema: Schema, name: str = "", depth: int = 0) -> Any:
        """Return a value of the schema; `name` is that of its field."""
        if name == "error" and {"type": "null"} in schema.get("oneOf", ()):
            return None
        _, plain = self._open(schema)
        if "const" in plain:
            return plain["const"]
        if is_empty_as_a_rule(plain, name):
            return None
        if plain.get("examples"):
            return plain["examples"][0]
        if plain.get("enum"):
            return next((value for value in plain["enum"] if value not in ("", None)), plain["enum"][0])
        if name in BY_NAME and fits(BY_NAME[name], plain):
            return BY_NAME[name]
        return self._of_kind(plain, name, depth)

    def _of_kind(self, plain: Schema, name: str, depth: int) -> Any:
        kind = kind_of(plain)
        if kind == "object":
            return self._object(plain, depth)
        if kind == "array":
            item = self.of(plain.get("items", {}), singular(name), depth + 1) if depth <= DEEPEST else None
            return [item] * max(plain.get("minItems", 1), 1) if depth <= DEEPEST else []
        if kind == "string":
            return text(plain, name)
        if kind in ("integer", "number"):
            return whole(plain)
        return plain.get("default", True) if kind == "boolean" else nothing(plain)

    def _object(self, schema: Schema, depth: int) -> Any:
        if depth > DEEPEST:
            return {}
        needed = schema.get("required", ())
        return {
            name: self.of(part, name, depth + 1)
            for name, part in schema.get("properties", {}).items()
            if name != "pagination" or name in needed  # Lists only.
        }

    def _open(self, schema: Schema) -> tuple[str, Schema]:
        """Follow references and alternatives to one plain schema, and name the component it came from."""
        name = ""
        while True:
            if "$ref" in schema:
                name = schema["$ref"].rsplit("/", 1)[-1]
                schema = self.components[name]
            elif schema.get("oneOf") or schema.get("anyOf"):
                schema = (schema.get("oneOf") or schema["anyOf"])[0]
            elif schema.get("allOf"):
                schema = self._merged(schema)
            else:
                return name, schema

    def _merged(self, schema: Schema) -> Schema:
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            merged = {**self._open(part)[1], **merged}
        return merged


def is_empty_as_a_rule(schema: Schema, name: str) -> bool:
    """Tell whether a field that may be null is so for a record nothing has happened to yet."""
    kinds = schema.get("type", "")
    if isinstance(kinds, str) or "null" not in kinds:
        return False
    return schema.get("format") == "date-time" or name.startswith("error") or name.endswith("_reason")


def kind_of(schema: Schema) -> str:
    """Name the type; of several the first that is not null."""
    kinds = schema.get("type", "object" if "properties" in schema else "")
    return kinds if isinstance(kinds, str) else next(kind for kind in kinds if kind != "null")


def fits(value: Any, schema: Schema) -> bool:
    """Tell whether a value prepared for a name is of the type, shape and length wanted."""
    kind = kind_of(schema)
    if kind == "object":
        return isinstance(value, dict) and (
            bool(schema.get("additionalProperties")) or set(value) <= set(schema.get("properties", {}))
        )
    if kind == "string" and isinstance(value, str):
        return schema.get("format") in (None, "uri", "email", "ipv4") and _has_shape(value, schema)
    if kind == "array":
        return isinstance(value, list) and kind_of(schema.get("items", {})) == "string" and not (
            "enum" in schema["items"] or "format" in schema["items"]
        )  # fmt: skip
    if kind == "number":
        return isinstance(value, int | float)
    return kind == "integer" and isinstance(value, int)


def text(schema: Schema, name: str) -> str:
    form = str(schema.get("format"))
    if form == "uuid":
        digits = uuid5(NAMESPACE_URL, f"isp.example/{name}").hex
        return f"0190a5e0-7b6a-7{digits[:3]}-9{digits[3:6]}-{digits[6:18]}"
    if form in BY_FORMAT:
        return BY_FORMAT[form]
    candidates: tuple[str, ...] = (
        *((BY_NAME[name],) if isinstance(BY_NAME.get(name), str) else ()),
        words_of(name),
    )
    if "pattern" in schema:
        candidates = (*candidates, *BY_PATTERN)
    for candidate in candidates:
        if _has_shape(candidate, schema):
            return candidate
    shortest, longest = int(schema.get("minLength", 1)), int(schema.get("maxLength", 80))
    return str(words_of(name).ljust(shortest, "x")[:longest])


def words_of(name: str) -> str:
    if name.endswith("_at"):
        return MOMENT
    return name.replace("_", " ").capitalize() or "example"


def whole(schema: Schema) -> int | float:
    low, high = schema.get("minimum", 1), schema.get("maximum", 1)
    return int(max(low, min(1, high)))


def nothing(schema: Schema) -> Any:
    return "example" if not schema.get("type") else None


def singular(name: str) -> str:
    return name[:-1] if name.endswith("s") else name


def _has_shape(value: str, schema: Schema) -> bool:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10_000):
        return False
    return "pattern" not in schema or re.search(schema["pattern"], value) is not None
