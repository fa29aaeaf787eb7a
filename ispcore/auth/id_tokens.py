"""ID tokens (OpenID Connect Core §3.1.3.7): what the issuer says of a person to this client, and to no other."""

from hmac import compare_digest
from typing import Any

import jwt
from django.conf import settings
from jwt.exceptions import PyJWKClientConnectionError, PyJWTError

from ispcore.auth.access_tokens import FORBIDDEN_HEADERS, ISSUER_ALGORITHMS, LEEWAY_SECONDS
from ispcore.auth.issuer_keys import issuer_keys
from ispcore.errors import DomainError, RetryableError

REQUIRED_CLAIMS = ["iss", "aud", "exp", "iat", "sub", "nonce"]
# RFC 8725 §3.11: an access token (at+jwt) or a logout token is signed by the same key and is no ID token.
TYPES = frozenset({"", "jwt", "application/jwt"})
MAX_CHARACTERS = 16 * 1024
MAX_SUBJECT = 255  # OpenID Connect Core §2.


class IdTokenRefused(DomainError):
    code = "invalid_token"
    message = "The answer of the log-in service cannot be trusted: {reason}."
    status = 401


class IssuerAway(RetryableError):
    message = "The log-in service does not answer. Try again shortly, or log in with a password."


def verify(token: Any, *, nonce: str) -> dict[str, Any]:
    """Check an ID token completely and return its claims.

    `nonce` is what this browser's session sent with its request. Raises IdTokenRefused, or IssuerAway while the
    issuer's keys have never been seen.
    """
    if not nonce:
        raise IdTokenRefused(reason="nobody asked for it")
    claims = read(token, types=TYPES, required=REQUIRED_CLAIMS)
    if not is_plain(claims["nonce"]) or not compare_digest(claims["nonce"], nonce):
        raise IdTokenRefused(reason="it answers another request (nonce)")
    if not is_plain(claims["sub"]) or not 1 <= len(claims["sub"]) <= MAX_SUBJECT:
        raise IdTokenRefused(reason="its `sub` is malformed")
    return claims


def read(token: Any, *, types: frozenset[str], required: list[str]) -> dict[str, Any]:
    """Check signature, issuer, audience and times of a token that the issuer made for this client.

    Raises IdTokenRefused, or IssuerAway.
    """
    if not isinstance(token, str) or len(token) > MAX_CHARACTERS:
        raise IdTokenRefused(reason="it holds no token")
    claims = _decode(token, _key_of(token, types), required)
    _require_this_client(claims)
    return claims


def is_plain(value: Any) -> bool:
    """Tell whether a value is text of visible ASCII characters and blanks."""
    return isinstance(value, str) and value.isascii() and value.isprintable()


def _key_of(token: str, types: frozenset[str]) -> jwt.PyJWK:
    try:
        header = jwt.get_unverified_header(token)
    except PyJWTError as error:
        raise IdTokenRefused(reason="it cannot be read") from error
    if str(header.get("typ", "")).lower() not in types:
        raise IdTokenRefused(reason="it is another kind of token (typ)")
    if FORBIDDEN_HEADERS & header.keys():
        raise IdTokenRefused(reason="its header names a key or an extension of its own")
    if header.get("alg") != settings.OIDC_RP_SIGN_ALGO or header["alg"] not in ISSUER_ALGORITHMS:
        raise IdTokenRefused(reason="its algorithm is not the agreed one")
    if not isinstance(header.get("kid"), str):
        raise IdTokenRefused(reason="it names no key")
    try:
        return issuer_keys(settings.OIDC_JWKS_URL).get_signing_key(header["kid"])
    except PyJWKClientConnectionError as error:
        raise IssuerAway from error
    except PyJWTError as error:
        raise IdTokenRefused(reason="its key is not known") from error


def _decode(token: str, key: jwt.PyJWK, required: list[str]) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            [settings.OIDC_RP_SIGN_ALGO],
            options={"require": required, "enforce_minimum_key_length": True},
            audience=settings.OIDC_RP_CLIENT_ID,
            issuer=settings.OIDC_ISSUER,
            leeway=LEEWAY_SECONDS,
        )
    except (PyJWTError, TypeError, ValueError, OverflowError) as error:
        raise IdTokenRefused(reason=_reason_of(error)) from error
    return claims


def _reason_of(error: Exception) -> str:
    reasons = {
        "ExpiredSignatureError": "it has expired",
        "ImmatureSignatureError": "it is not valid yet",
        "InvalidAudienceError": "it is meant for another client",
        "InvalidIssuerError": "its issuer is not ours",
        "InvalidSignatureError": "its signature is wrong",
        "MissingRequiredClaimError": "a claim is missing",
        "InvalidKeyError": "its key is too short",
    }
    return reasons.get(type(error).__name__, "it cannot be read")


def _require_this_client(claims: dict[str, Any]) -> None:
    """Refuse a token for several audiences, unless it was issued to us: then any of them could replay it here."""
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    party = claims.get("azp")
    if (len(audiences) > 1 and party is None) or (party is not None and party != settings.OIDC_RP_CLIENT_ID):
        raise IdTokenRefused(reason="it was issued to another client (azp)")
