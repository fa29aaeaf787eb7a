"""Access tokens (RFC 9068 `at+jwt`): our own and the configured issuer's, checked by the same code."""

import re
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
import orjson
from django.conf import settings
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidKeyError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWKClientConnectionError,
    PyJWTError,
)

from ispcore.api.errors import ApiError
from ispcore.auth.issuer_keys import issuer_keys
from ispcore.auth.local_keys import ALGORITHM, LocalKey, find_key, signing_key
from ispcore.auth.refusals import InvalidToken, TokenExpired
from ispcore.tenants.fields import new_id

# RFC 8725 §3.1: asymmetric only, so that no public key can ever serve as a shared secret.
ISSUER_ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
TYPES = frozenset({"at+jwt", "application/at+jwt"})  # RFC 9068 §4.
REQUIRED_CLAIMS = ["iss", "aud", "exp", "iat", "sub", "client_id", "jti"]  # RFC 9068 §2.2.
# A token that brings its own key, or says where to fetch it, or needs an extension we do not have.
FORBIDDEN_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64"})
LEEWAY_SECONDS = 30
# A token comes again with each request of its quarter of an hour; what was good stays good until it expires.
REMEMBERED_TOKENS = 1024
LOCAL_CLIENT = "urn:ispcore:password"
NOT_ANSWERING = "The issuer's keys cannot be fetched, so its tokens cannot be checked. Try again shortly."

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_REASONS: list[tuple[type[PyJWTError], str]] = [
    (ImmatureSignatureError, "it is not valid yet"),
    (InvalidAudienceError, "it is meant for another audience"),
    (InvalidSignatureError, "its signature is wrong"),
    (InvalidKeyError, "its key is too short"),
]


@dataclass(frozen=True)
class Claims:
    """What a checked token says; `is_local` tells whose subject it is."""

    subject: str
    client_id: str
    is_local: bool


def looks_like_jwt(token: str) -> bool:
    return _FORM.match(token) is not None


def mint(*, user_id: UUID, at: datetime) -> str:
    """Make a local access token, valid for settings.ACCESS_TOKEN_SECONDS from `at`."""
    key = signing_key()
    claims = {
        "iss": settings.LOCAL_ISSUER,
        "aud": settings.ACCESS_TOKEN_AUDIENCE,
        "sub": str(user_id),
        "client_id": LOCAL_CLIENT,
        "jti": str(new_id()),
        "iat": at,
        "exp": at + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS),
    }
    return jwt.encode(claims, key.private, ALGORITHM, headers={"typ": "at+jwt", "kid": key.kid})


def verify(token: str) -> Claims:
    """Check a token completely and return whom it speaks for; the issuer is not asked.

    Raises InvalidToken, TokenExpired, or ApiError 503 `dependency_unavailable` while the issuer's keys have
    never been seen and cannot be fetched.
    """
    header, issuer = _peek(token)
    kid = _checked_kid(header)
    if issuer == settings.LOCAL_ISSUER:
        return _check(token, _local_key(kid), (ALGORITHM,), settings.ACCESS_TOKEN_AUDIENCE, issuer)
    if settings.OIDC_ISSUER and issuer == settings.OIDC_ISSUER:
        if header.get("alg") not in ISSUER_ALGORITHMS:
            raise _invalid("its algorithm is not allowed")
        return _check(token, _issuer_key(kid), ISSUER_ALGORITHMS, settings.OIDC_API_AUDIENCE, issuer)
    raise _invalid("its issuer is not known here")


def _peek(token: str) -> tuple[dict[str, Any], str]:
    """Read header and issuer before anything is checked: only to choose between two known key sets."""
    try:
        header, payload = (orjson.loads(_bytes(part)) for part in token.split(".")[:2])
        issuer = payload["iss"]
    except (ValueError, KeyError, TypeError) as error:
        raise _invalid("it cannot be read") from error
    if not isinstance(header, dict) or not isinstance(issuer, str):
        raise _invalid("it cannot be read")
    return header, issuer


def _bytes(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _checked_kid(header: dict[str, Any]) -> str:
    if str(header.get("typ", "")).lower() not in TYPES:
        raise _invalid("it is not an access token (typ at+jwt)")
    if FORBIDDEN_HEADERS & header.keys():
        raise _invalid("its header names a key or an extension of its own")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise _invalid("it names no key")
    return kid


def _local_key(kid: str) -> LocalKey:
    key = find_key(kid)
    if key is None:
        raise _invalid("its key is not known")
    return key


def _issuer_key(kid: str) -> jwt.PyJWK:
    try:
        return issuer_keys(settings.OIDC_JWKS_URL).get_signing_key(kid)
    except PyJWKClientConnectionError as error:
        raise ApiError(503, "dependency_unavailable", NOT_ANSWERING) from error
    except PyJWTError as error:
        raise _invalid("its key is not known") from error


def _check(
    token: str, key: LocalKey | jwt.PyJWK, algorithms: tuple[str, ...], audience: str, issuer: str
) -> Claims:
    claims, expires_at = _decode(token, key, algorithms, audience, issuer)
    if expires_at <= time.time() - LEEWAY_SECONDS:
        raise _expired()
    return claims


@lru_cache(maxsize=REMEMBERED_TOKENS)
def _decode(
    token: str, key: LocalKey | jwt.PyJWK, algorithms: tuple[str, ...], audience: str, issuer: str
) -> tuple[Claims, int]:
    """Check signature and claims; return them and when they expire. Only what is good is remembered.

    By the key itself, which is looked up for each request: with the key goes what it signed.
    """
    try:
        claims = jwt.decode(
            token,
            key.public if isinstance(key, LocalKey) else key,
            algorithms,
            options={"require": REQUIRED_CLAIMS, "enforce_minimum_key_length": True},
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
        )
    except ExpiredSignatureError as error:
        raise _expired() from error
    except MissingRequiredClaimError as error:
        raise _invalid(f"it has no `{error.claim}`") from error
    except (PyJWTError, TypeError, ValueError) as error:
        reason = next((text for kind, text in _REASONS if isinstance(error, kind)), "it cannot be read")
        raise _invalid(reason) from error
    subject, client_id = claims["sub"], claims["client_id"]
    if not isinstance(client_id, str) or not subject or "\x00" in subject:
        raise _invalid("its `sub` or `client_id` is malformed")
    is_local = issuer == settings.LOCAL_ISSUER
    return Claims(subject=subject, client_id=client_id, is_local=is_local), int(claims["exp"])


def _expired() -> TokenExpired:
    return TokenExpired("The access token has expired.")


def _invalid(reason: str) -> InvalidToken:
    return InvalidToken(f"The access token is not valid: {reason}.")
