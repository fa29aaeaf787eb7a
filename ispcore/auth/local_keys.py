"""The local issuer's signing keys, derived from SECRET_KEY: nothing else to create, store or rotate."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

ALGORITHM = "EdDSA"
# Separates this key from whatever else is derived from SECRET_KEY (RFC 5869 §3.2).
CONTEXT = b"ispcore access token ed25519 v1"


@dataclass(frozen=True, eq=False)
class LocalKey:
    """One Ed25519 key pair and the id its tokens name. Equal to itself only, so that caches may hold it."""

    kid: str
    private: Ed25519PrivateKey
    public: Ed25519PublicKey


def signing_key() -> LocalKey:
    """Return the key new tokens are signed with."""
    return _derive(settings.SECRET_KEY)


def find_key(kid: str) -> LocalKey | None:
    """Return the key of that id, also one of SECRET_KEY_FALLBACKS: a rotation logs nobody out."""
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        key = _derive(secret)
        if key.kid == kid:
            return key
    return None


@lru_cache(maxsize=8)
def _derive(secret: str) -> LocalKey:
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=CONTEXT).derive(secret.encode())
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key()
    digest = hashlib.sha256(public.public_bytes_raw()).digest()
    return LocalKey(kid=urlsafe_b64encode(digest[:12]).decode(), private=private, public=public)
