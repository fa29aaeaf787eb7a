"""Refuse settings under which a token could be checked against the wrong keys, or not at all."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error

from ispcore.auth.access_tokens import ISSUER_ALGORITHMS

# Variable of the environment, setting, name in the issuer's metadata.
ENDPOINTS = (
    ("OIDC_AUTHORIZATION_URL", "OIDC_OP_AUTHORIZATION_ENDPOINT", "authorization_endpoint"),
    ("OIDC_TOKEN_URL", "OIDC_OP_TOKEN_ENDPOINT", "token_endpoint"),
    ("OIDC_USERINFO_URL", "OIDC_OP_USER_ENDPOINT", "userinfo_endpoint"),
    ("OIDC_END_SESSION_URL", "OIDC_END_SESSION_URL", "end_session_endpoint"),
)
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
    return [*errors, *_check_staff_log_in()]


def _check_staff_log_in() -> list[CheckMessage]:
    """Return an error for what staff could not log in with, or only unsafely; none while it is closed."""
    if not settings.OIDC_RP_CLIENT_ID:
        return []
    errors: list[CheckMessage] = []
    for variable, name, hint in ENDPOINTS:
        url = getattr(settings, name)
        if not is_safe(url) and (url or variable != "OIDC_END_SESSION_URL"):
            errors.append(
                Error(
                    f"{variable} must be an https address of the issuer.",
                    hint=f"It is `{hint}` in the issuer's /.well-known/openid-configuration.",
                    id="ispauth.E004",
                )
            )
    if not settings.OIDC_RP_CLIENT_SECRET:
        errors.append(Error("OIDC_CLIENT_SECRET must be set beside OIDC_CLIENT_ID.", id="ispauth.E005"))
    if settings.OIDC_RP_SIGN_ALGO not in ISSUER_ALGORITHMS:
        message = f"OIDC_SIGNING_ALGORITHM must be one of {', '.join(ISSUER_ALGORITHMS)}."
        errors.append(Error(message, id="ispauth.E006"))
    return errors


def is_safe(url: str) -> bool:
    """Tell whether keys may be fetched from there: https, or plain http on this host."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    )
