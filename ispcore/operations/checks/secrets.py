"""Whether keys are strong, and are those that the stored secrets were sealed with."""

from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from ispcore.crypto import SecretField, Undecryptable, key_ring
from ispcore.operations.checks.database import fetch
from ispcore.operations.checks.finding import Finding, error, ok

SHORTEST = 32
FEWEST_DIFFERENT = 10


def check_secret_key() -> list[Finding]:
    """Find a key that is missing or could be guessed."""
    make = "python3 -c 'import secrets; print(secrets.token_urlsafe(48))' makes one; changing it logs everybody out."
    key = settings.SECRET_KEY
    if not settings.SECRET_KEY_IS_SET:
        return [error("SECRET_KEY is not set.", make)]
    if len(key) < SHORTEST or len(set(key)) < FEWEST_DIFFERENT or key.startswith("django-insecure"):
        return [error("SECRET_KEY could be guessed.", make)]
    return [ok(f"{len(key)} characters")]


def check_encryption_keys() -> list[Finding]:
    """Find keys that cannot be read."""
    findings = []
    for name in ("FIELD_ENCRYPTION_KEYS", "RADIUS_SECRET_KEY"):
        try:
            key_ring(name)
        except (ImproperlyConfigured, ValueError) as failure:
            findings.append(
                error(
                    f"{name} cannot be read: {failure}", "Give it as id:base64 of 32 bytes, comma separated."
                )
            )
    return findings or [ok("FIELD_ENCRYPTION_KEYS and RADIUS_SECRET_KEY can be read")]


def check_stored_secrets() -> list[Finding]:
    """Open one stored secret of each column, as a worker would; the newest may be sealed with another key."""
    opened, findings = 0, []
    for table, column, field in _secret_columns():
        query = f'SELECT tenant_id, "{column}" FROM "{table}" WHERE "{column}" <> \'\' LIMIT 1'  # noqa: S608  (our names)
        for tenant_id, stored in fetch(query, using="platform"):
            try:
                field.decrypt(stored, bound_to=f"{table}.{column}:{UUID(str(tenant_id))}")
                opened += 1
            except (Undecryptable, ImproperlyConfigured, ValueError) as failure:
                findings.append(
                    error(
                        f"{table}.{column} cannot be opened: {failure}",
                        "Put the key it was sealed with behind the newest one in FIELD_ENCRYPTION_KEYS or "
                        "RADIUS_SECRET_KEY; where the key is lost, each such secret has to be entered anew.",
                    )
                )
    return findings or [
        ok(f"one of each of {opened} columns was opened" if opened else "none are stored yet")
    ]


def _secret_columns() -> list[tuple[str, str, SecretField]]:
    """Return (table, column, field) of what is sealed for a tenant."""
    return [
        (model._meta.db_table, str(field.column), field)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, SecretField) and any(f.column == "tenant_id" for f in model._meta.local_fields)
    ]
