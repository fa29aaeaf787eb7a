"""Refuse settings under which a token could be checked against the wrong keys, or not at all."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check_issuers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return an error for each setting of the OpenID Connect issuer that is missing or unsafe."""
    if not settings.OIDC_ISSUER:
        return []
    errors: list[CheckMessage] = []
    if settings.OIDC_ISSUER == settings.LOCAL_ISSUER:
        errors.append(Error("OIDC_ISSUER must differ from LOCAL_ISSUER.", id="ispauth.E001"))
    if not settings.OIDC_API_AUDIENCE:
        errors.append(Error("OIDC_API_AUDIENCE must name this API.", id="ispauth.E002"))
    if not is_safe(settings.OIDC_JWKS_URL):
        errors.append(
            Error(
                "OIDC_JWKS_URL must be the issuer's https address of its keys.",
                hint="It is `jwks_uri` in the issuer's /.well-known/openid-configuration.",
                id="ispauth.E003",
            )
        )
    return errors


def is_safe(url: str) -> bool:
    """Tell whether keys may be fetched from there: https, or plain http on this host."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    )
