"""Secrets from the environment: given there, or in a file that the environment names."""

import os
from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

# Each may be given as NAME_FILE instead: the path of a file that holds the value and nothing else.
SECRETS = (
    "SECRET_KEY",
    "FIELD_ENCRYPTION_KEYS",
    "RADIUS_SECRET_KEY",
    "DATABASE_URL",
    "DATABASE_PLATFORM_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_ADMIN_URL",
    "RADIUS_DATABASE_URL",
    "REDIS_URL",
    "EMAIL_HOST_PASSWORD",
    "OIDC_CLIENT_SECRET",
    "METRICS_TOKEN",
    "SENTRY_DSN",
)


class SecretUnreadable(ImproperlyConfigured):
    """Raised when a secret is given twice, or by a file that does not hold one."""


def read_secret(name: str, default: str = "", *, given: Mapping[str, str] = os.environ) -> str:
    """Return the value of `name`, or of the file that `name`_FILE names; an empty one is none.

    White space around a file's text is not part of it. Raises SecretUnreadable for both at once, and for a file that
    cannot be read or is empty.
    """
    value, path = given.get(name, ""), given.get(f"{name}_FILE", "")
    if not path:
        return value or default
    if value:
        raise SecretUnreadable(f"{name} and {name}_FILE are both set. Remove one of them.")
    try:
        text = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SecretUnreadable(f"{name}_FILE names {path}, which cannot be read: {reason}.") from error
    if not text:
        raise SecretUnreadable(f"{name}_FILE names {path}, which is empty.")
    return text


def with_secrets(given: Mapping[str, str]) -> dict[str, str]:
    """Return these settings with each file of a secret replaced by what it holds. Raises SecretUnreadable."""
    files = {f"{name}_FILE": name for name in SECRETS if given.get(f"{name}_FILE")}
    kept = {name: value for name, value in given.items() if name not in files}
    return kept | {name: read_secret(name, given=given) for name in files.values()}
