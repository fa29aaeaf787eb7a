"""Secrets at rest: AES-256-GCM, bound to column and tenant, masked wherever they could be shown."""

import base64
import hmac
import os
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from ispcore.tenants.context import current_tenant_id

MASK = "••••••••"
NONCE_BYTES = 12  # NIST SP 800-38D §8.2: the length GCM is made for.


class Undecryptable(ValueError):
    """Raised when a stored secret was made with a key, column or tenant that is not this one."""


class Secret:
    """A secret in memory: prints as a mask, gives itself up only to `reveal()`."""

    __slots__ = ("_sealed", "_value")

    def __init__(self, value: str, *, sealed: tuple[str, str] | None = None) -> None:
        self._value = value
        self._sealed = sealed

    def sealed_for(self, bound_to: str) -> str | None:
        """Return the stored text it came from, so that saving an unchanged secret changes nothing."""
        return self._sealed[1] if self._sealed and self._sealed[0] == bound_to else None

    def reveal(self) -> str:
        return self._value

    def matches(self, candidate: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self._value.encode(), candidate.encode())

    def __str__(self) -> str:
        return MASK if self._value else ""

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __len__(self) -> int:
        return len(self._value)


class SecretField(models.TextField):  # type: ignore[type-arg]
    """Text stored encrypted as `v1.<key id>.<base64 of nonce and ciphertext>`; read back as a `Secret`.

    The additional data is `<table>.<column>:<tenant id>`: a value copied to another row of the same
    tenant opens, one moved to another tenant or column does not. Cannot be filtered on.
    """

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        secret = value if isinstance(value, Secret) else Secret(str(value))
        if not secret:
            return ""
        bound_to = self._bound_to()
        return secret.sealed_for(bound_to) or self.encrypt(secret.reveal(), bound_to=bound_to)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Secret | None:
        if value is None:
            return None
        if not value:
            return Secret("")
        bound_to = self._bound_to()
        return Secret(self.decrypt(value, bound_to=bound_to), sealed=(bound_to, value))

    def to_python(self, value: Any) -> Any:
        return value if value is None or isinstance(value, Secret) else Secret(str(value))

    @staticmethod
    def encrypt(plain: str, *, bound_to: str) -> str:
        return encrypt(plain, bound_to=bound_to)

    @staticmethod
    def decrypt(stored: str, *, bound_to: str) -> str:
        return decrypt(stored, bound_to=bound_to)

    def value_to_string(self, obj: Any) -> str:
        return MASK

    def _bound_to(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}:{current_tenant_id()}"


def encrypt(plain: str, *, bound_to: str) -> str:
    """Encrypt with the first configured key; every call gives another text."""
    key_id, key = next(iter(key_ring("FIELD_ENCRYPTION_KEYS").items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, plain.encode(), bound_to.encode())
    return f"v1.{key_id}.{base64.b64encode(sealed).decode()}"


def decrypt(stored: str, *, bound_to: str) -> str:
    """Open what `encrypt` made with any configured key.

    Raises Undecryptable when the key is not configured, or the text belongs to another column or tenant.
    """
    try:
        version, key_id, body = stored.split(".", 2)
        sealed = base64.b64decode(body, validate=True)
        key = key_ring("FIELD_ENCRYPTION_KEYS")[key_id]
        plain = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to.encode())
    except (ValueError, KeyError, InvalidTag) as error:
        raise Undecryptable(
            "A stored secret cannot be opened: its key is missing from FIELD_ENCRYPTION_KEYS, "
            "or it belongs to another column or tenant."
        ) from error
    assert version == "v1"
    return plain.decode()


@cache
def key_ring(setting: str) -> dict[str, bytes]:
    """Read a setting's `id:base64(32 bytes)` pairs; the first encrypts, all decrypt, so that keys can be rotated.

    Raises ImproperlyConfigured.
    """
    keys = {}
    for pair in filter(None, getattr(settings, setting).split(",")):
        key_id, _, encoded = pair.strip().partition(":")
        keys[key_id] = base64.b64decode(encoded)
    if not keys or any(len(key) != 32 for key in keys.values()):
        raise ImproperlyConfigured(
            f"{setting} must hold at least one 'id:base64 of 32 bytes' pair; "
            "`make run` makes one in the data directory's secrets.env."
        )
    return keys
