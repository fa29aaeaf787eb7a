"""From an Authorization header to a Principal: three kinds of credential, told apart by their form."""

from datetime import datetime, timedelta
from hmac import compare_digest
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from ispcore.auth import access_tokens, networks
from ispcore.auth.access_tokens import Claims
from ispcore.auth.models import ApiKey
from ispcore.auth.principal import Principal
from ispcore.auth.refusals import InvalidToken, NotAuthenticated, TokenExpired
from ispcore.auth.services import API_KEY_PREFIX, hash_secret
from ispcore.tenants.context import tenant_context
from ispcore.tenants.selectors import find_member

# Ours are below 500 characters; an issuer's carry roles, but nothing is parsed that is longer than this.
MAX_HEADER_CHARACTERS = 8192
LAST_USED_EVERY = timedelta(minutes=5)


def authenticate(header: str, *, ip: str | None) -> Principal:
    """Check the value of an Authorization header.

    Raises NotAuthenticated, InvalidToken or TokenExpired (401), or ApiError 503 `dependency_unavailable`
    while an issuer's keys have never been seen.
    """
    if len(header) > MAX_HEADER_CHARACTERS:
        raise InvalidToken("The credential is too long.")
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("Send `Authorization: Bearer <token>`.")
    if not token.isascii():
        raise InvalidToken("The token is of no known kind.")
    if token.startswith(f"{API_KEY_PREFIX}_"):
        return _check_api_key(token, ip=ip, at=timezone.now())
    if access_tokens.looks_like_jwt(token):
        return _principal_of(access_tokens.verify(token))
    raise InvalidToken("The token is of no known kind.")


def _principal_of(claims: Claims) -> Principal:
    found = find_member(_local_user_id(claims) if claims.is_local else _external_user_id(claims))
    if found is None:
        raise InvalidToken("The token's subject is nobody here.")
    user, grants = found
    if not user.is_active:
        raise InvalidToken("This person is switched off.")
    return Principal(f"user:{user.pk}", user, grants, every_tenant=user.is_platform_staff)


def _local_user_id(claims: Claims) -> UUID:
    try:
        return UUID(claims.subject)
    except ValueError as error:
        raise InvalidToken("The token's subject is nobody here.") from error


def _external_user_id(claims: Claims) -> UUID:
    """Look the subject up by (issuer, subject), and by nothing a subject can choose for themselves."""
    if claims.subject == claims.client_id:
        # RFC 9068 §5: a client's own subject must never be taken for a person of that name.
        raise InvalidToken("This token speaks for a client, not for a person. Integrations use an API key.")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT user_id FROM ispauth_externalidentity WHERE issuer = %s AND subject = %s",
            [settings.OIDC_ISSUER, claims.subject],
        )
        found = cursor.fetchone()
    if found is None:
        raise InvalidToken("This subject is nobody here. Ask an administrator to link your account.")
    user_id: UUID = found[0]
    return user_id


def _check_api_key(token: str, *, ip: str | None, at: datetime) -> Principal:
    prefix, _, secret = token.removeprefix(f"{API_KEY_PREFIX}_").partition("_")
    key, tenant_is_active = _find_api_key(prefix)
    # A miss compares as well: how long the answer takes tells nothing about which prefixes exist.
    if not compare_digest(key.secret_hash if key else hash_secret(""), hash_secret(secret)) or key is None:
        raise InvalidToken("The API key is not valid.")
    if key.revoked_at is not None:
        raise InvalidToken("The API key was revoked.")
    if key.expires_at is not None and key.expires_at <= at:
        raise TokenExpired("The API key has expired.")
    if key.allowed_ips and not networks.contains(key.allowed_ips, ip):
        raise InvalidToken("The API key may not be used from this address.")
    _note_use(key, at)
    grants = {key.tenant_id: key.role} if tenant_is_active else {}
    return Principal(f"key:{key.pk}", None, grants)


def _find_api_key(prefix: str) -> tuple[ApiKey | None, bool]:
    """Find a key before its tenant is known, and whether that is active, in one round trip.

    Row-level security shows a row to who names its prefix. What is sent at once is one transaction, in which the
    setting holds.
    """
    if not prefix.isalnum():
        return None, False
    fields = ApiKey._meta.concrete_fields
    shown = ", ".join(f'key."{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT set_config('app.api_key_prefix', %(prefix)s, true);
            SELECT {shown}, tenant.is_active
            FROM ispauth_apikey AS key JOIN tenants_tenant AS tenant ON tenant.id = key.tenant_id
            WHERE key.prefix = %(prefix)s;
            SELECT set_config('app.api_key_prefix', '', true);
            """,  # noqa: S608  (names of columns)
            {"prefix": prefix},
        )
        cursor.nextset()
        found = cursor.fetchone()
    if found is None:
        return None, False
    return ApiKey.from_db("default", [field.attname for field in fields], found[:-1]), found[-1]


def _note_use(key: ApiKey, at: datetime) -> None:
    stale = Q(last_used_at=None) | Q(last_used_at__lte=at - LAST_USED_EVERY)
    if key.last_used_at is None or key.last_used_at <= at - LAST_USED_EVERY:
        with tenant_context(key.tenant_id):
            ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=at)
