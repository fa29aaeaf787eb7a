"""Every code a refusal may carry: those of every call, what services refuse, and the rules of the database."""

import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module

from django.apps import apps
from django.contrib.postgres.constraints import ExclusionConstraint
from django.db.models import CheckConstraint, UniqueConstraint
from django.utils.safestring import SafeString

from ispcore.api.errors import code_of_constraint
from ispcore.api.schema import ERRORS
from ispcore.developers.prose import inline
from ispcore.developers.refusals import is_ours, readable
from ispcore.errors import DomainError

HOUSE_CODES: dict[str, tuple[tuple[str, str], ...]] = {
    "400": (("malformed_request", "The body is not JSON, or a parameter or header cannot be read."),
            ("missing_field", "A required field is missing; `fields` lists all of them."),
            ("unknown_parameter", "A query parameter is not known here; `field` names it."),
            ("tenant_required", "The credential belongs to several tenants and none was named.")),
    "401": (("not_authenticated", "There is no credential."), ("invalid_token", "The credential is not valid."),
            ("token_expired", "The token's time is over: fetch a new one."),
            ("otp_required", "The account has an authenticator app: send its code as `otp`.")),
    "403": (("permission_denied", "The role does not allow it."),
            ("tenant_forbidden", "The tenant does not exist or is not the caller's."),
            ("password_grant_closed", "This installation takes no passwords here.")),
    "404": (("not_found", ERRORS["404"]),),
    "405": (("method_not_allowed", ERRORS["405"]),),
    "406": (("not_acceptable", ERRORS["406"]),),
    "409": (("idempotency_in_progress", "The first request with this key is still running."),
            ("secret_shown_once", "Done before with this key, and the secret in that answer is stored nowhere."),
            ("conflict", "It conflicts with what is already stored.")),
    "412": (("stale_version", ERRORS["412"]),),
    "413": (("request_too_large", ERRORS["413"]),),
    "415": (("unsupported_media_type", ERRORS["415"]),),
    "422": (("validation_error", ERRORS["422"]),
            ("idempotency_key_reused", "This idempotency key came with another body."),
            ("bulk_refused", "Some of many items were refused, so none was done; `fields` says why.")),
    "429": (("rate_limited", ERRORS["429"]),),
    "500": (("internal_error", "A fault of ours; `meta.request_id` finds it in the logs."),
            ("worker_lost", "Of a task: its worker was stopped in the middle more than once.")),
    "503": (("dependency_unavailable", ERRORS["503"]),),
}  # fmt: skip
OF_WRITES = frozenset({"missing_field", "idempotency_in_progress", "idempotency_key_reused"})
TITLES = {
    "400": "Bad request", "401": "Unauthorised", "403": "Forbidden", "404": "Not found", "405": "Method not allowed",
    "406": "Not acceptable", "409": "Conflict", "410": "Gone", "412": "Precondition failed", "413": "Too large",
    "415": "Unsupported media type", "422": "Validation error", "429": "Too many requests", "500": "Server error",
    "503": "Unavailable",
}  # fmt: skip
# What only callers with a token may meet; and endings of the operations that alone answer with a code.
OF_TOKENS = frozenset(
    {"tenant_required", "tenant_forbidden", "idempotency_in_progress", "idempotency_key_reused"}
)
OF_SOME = {"password_grant_closed": ("token_create",), "otp_required": ("token_create",), "bulk_refused": ("_bulk",),
           "secret_shown_once": ("api_keys_create", "webhooks_create", "rotate_secret_create"),
           "conflict": (), "worker_lost": ()}  # fmt: skip
# A field's own code in `error.fields`; those of Django REST framework and of the house.
FIELD_CODES = (
    ("required", "It is missing; the answer is then 400 `missing_field`."),
    ("null", "It may not be null."),
    ("blank", "It may not be empty."),
    ("invalid", "It has not the form wanted."),
    ("invalid_choice", "It is none of the values listed."),
    ("does_not_exist", "It names a record that there is not."),
    ("unknown_field", "There is no such field here; it may be misspelt."),
    ("read_only", "It cannot be changed."),
    ("max_length, min_length", "A text is too long or too short."),
    ("max_value, min_value", "A number is too large or too small."),
    ("unique", "There is one with this value already."),
)
PARTS = (
    ("subscribers", "Customers and services"),
    ("billing", "Billing"),
    ("hardware", "OLTs and ONUs"),
    ("ipam", "Addresses"),
    ("aaa", "RADIUS access"),
    ("support", "Support"),
    ("ispcore", "Platform"),
)
MOST_TEXTS = 3
REFUSING = {"services", "gateways", "tenant_export"}  # Packages and modules of these names.


def house_codes(status: str, operation: str, *, writes: bool, needs_token: bool) -> dict[str, str]:
    """Return the codes of every call that this operation may answer with under a status."""
    left_out = (frozenset() if writes else OF_WRITES) | (frozenset() if needs_token else OF_TOKENS)
    return {
        code: text
        for code, text in HOUSE_CODES.get(status, ())
        if code not in left_out and operation.endswith(OF_SOME.get(code, ("",)))
    }


@dataclass
class Code:
    """One code; `used` counts the operations that may answer with it."""

    code: str
    status: int
    texts: list[SafeString] = field(default_factory=list)
    used: int = 0
    is_first: bool = True  # Links lead to the first of several parts that have it.


@dataclass(frozen=True)
class Part:
    slug: str
    title: str
    codes: list[Code]
    rules: list[str]


def parts(used: dict[str, int]) -> list[Part]:
    """Return what each part of the system refuses, and how many operations may answer with a code.

    `used` counts operations by code. Codes without one are told by tasks, webhooks, or pages for people.
    """
    house = {code for codes in HOUSE_CODES.values() for code, _ in codes}
    found: dict[str, dict[tuple[str, int], Code]] = {slug: {} for slug, _ in PARTS}
    for error in sorted(_refusals(), key=lambda error: (error.code, error.status, error.__qualname__)):
        part = found[error.__module__.partition(".")[0]]
        if error.code in house:
            continue
        entry = part.setdefault(
            (error.code, error.status), Code(error.code, error.status, [], used.get(error.code, 0))
        )
        text = inline(readable(error.message))
        if text not in entry.texts and len(entry.texts) < MOST_TEXTS:
            entry.texts.append(text)
    seen: set[str] = set()
    for slug, _ in PARTS:
        for entry in found[slug].values():
            entry.is_first = entry.code not in seen
            seen.add(entry.code)
    return [Part(slug, title, list(found[slug].values()), _rules(slug)) for slug, title in PARTS]


def _refusals() -> Iterator[type[DomainError]]:
    _load()
    waiting: list[type[DomainError]] = [DomainError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if error is not DomainError and is_ours(error.__module__):
            yield error


def _load() -> None:
    """Import what may refuse; some of it only workers and commands would."""
    for app, _ in PARTS:
        for module in pkgutil.walk_packages(import_module(app).__path__, f"{app}."):
            if REFUSING & set(module.name.split(".")):
                import_module(module.name)


def _rules(part: str) -> list[str]:
    """Name the codes of the database's own rules, which speak last: where two callers meet, above all."""
    models = [model for model in apps.get_models() if model.__module__.partition(".")[0] == part]
    return sorted(
        {
            code_of_constraint(constraint.name, model._meta.db_table)[0]
            for model in models
            for constraint in model._meta.constraints
            if isinstance(constraint, UniqueConstraint | CheckConstraint | ExclusionConstraint)
        }
    )
