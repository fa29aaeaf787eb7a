"""Credentials: log-ins with a password, API keys, and who an issuer's subject is here."""

import hashlib
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest
from uuid import UUID

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.db import transaction

from ispcore.auth import access_tokens, authenticators
from ispcore.auth.models import ApiKey, ExternalIdentity, RefreshToken
from ispcore.auth.networks import validate_network
from ispcore.auth.refusals import InvalidToken, NotAuthenticated, OtpRefused, TokenExpired
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.models import User
from ispcore.tenants.roles import STAFF_ROLES

REFRESH_PREFIX = "isprt"
API_KEY_PREFIX = "ispk"
SECRET_BYTES = 32  # Beyond guessing, so a fast hash is enough: nothing can be searched for.
API_KEY_ID_BYTES = 6
OTP_REQUIRED = "This account has an authenticator app: send its code as `otp` beside the password."


class NoSuchApiKey(NotRegistered):
    message = "There is no such API key."


class RoleNotForKeys(DomainError):
    code = "validation_error"
    message = "An API key cannot have the role '{role}'."
    status = 422
    field = "role"


class NetworkNotUnderstood(DomainError):
    code = "validation_error"
    message = "'{network}' is no IP address or network."
    status = 422
    field = "allowed_ips"


class ExpiryInThePast(DomainError):
    code = "validation_error"
    message = "The key would have expired already."
    status = 422
    field = "expires_at"


@dataclass(frozen=True)
class Tokens:
    """What a log-in hands out; `expires_in` is seconds and belongs to the access token."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


def log_in(*, email: str, password: str, at: datetime, otp: str = "") -> Tokens:
    """Check a password, and the code of the person's authenticator where they have one, and open a log-in.

    A wrong password, an unknown address and a person who is switched off look alike and cost the same: the
    hasher runs in each case. Raises NotAuthenticated, OtpRefused, or
    authenticators.TooManyCodes or CodesNotCounted.
    """
    user = ModelBackend().authenticate(None, username=email, password=password)
    if not isinstance(user, User):
        raise NotAuthenticated("The e-mail address or the password is wrong.")
    if authenticators.is_on(user):
        _check_code(user, otp, at)
    secret = secrets.token_hex(SECRET_BYTES)
    row = RefreshToken.objects.create(
        user=user,
        secret_hash=hash_secret(secret),
        auth_hash=user.get_session_auth_hash(),
        expires_at=at + timedelta(seconds=settings.REFRESH_TOKEN_SECONDS),
    )
    return _tokens(row, secret, at)


def _check_code(user: User, otp: str, at: datetime) -> None:
    if not otp:
        raise OtpRefused("otp_required", OTP_REQUIRED)
    try:
        authenticators.check(user=user, code=otp, at=at)
    except authenticators.WrongCode as error:
        raise OtpRefused("otp_wrong", str(error)) from error


def refresh(*, token: str, at: datetime) -> Tokens:
    """Exchange a refresh token for new tokens; it is then used up.

    Of two simultaneous uses one wins. Whoever comes second, then or later, holds a copy, and as nobody can
    tell which of the two is the thief, the log-in ends for both (RFC 9700 §4.14.2). Must not run inside a
    transaction that the refusal would roll back. Raises InvalidToken or TokenExpired.
    """
    row, secret = _find_log_in(token)
    if not compare_digest(row.secret_hash, hash_secret(secret)):
        raise _end_log_in(row, at)
    _require_alive(row, at)
    next_secret = secrets.token_hex(SECRET_BYTES)
    won = RefreshToken.objects.filter(pk=row.pk, secret_hash=row.secret_hash, revoked_at=None).update(
        secret_hash=hash_secret(next_secret), rotated_at=at
    )
    if not won:
        raise _end_log_in(row, at)
    return _tokens(row, next_secret, at)


def end_log_in(*, token: str, at: datetime) -> None:
    """Close the log-in a refresh token belongs to (RFC 7009 §2.1). Safe to repeat.

    A token that is wrong, used or unknown ends nothing more than a right one would, and is answered alike.
    """
    with suppress(InvalidToken):
        row, _ = _find_log_in(token)
        _end_log_in(row, at)


def purge_refresh_tokens(at: datetime) -> int:
    """Delete the log-ins that ended before `at` and return how many. Safe to repeat."""
    deleted, _ = RefreshToken.objects.filter(expires_at__lt=at).delete()
    return deleted


@transaction.atomic
def create_api_key(
    *,
    name: str,
    role: str,
    created_by: User | None,
    at: datetime,
    expires_at: datetime | None = None,
    allowed_ips: Iterable[str] = (),
) -> tuple[ApiKey, str]:
    """Make a key for the bound tenant; returns it and the text to show once, `ispk_<prefix>_<secret>`.

    Raises RoleNotForKeys, NetworkNotUnderstood or ExpiryInThePast.
    """
    networks = list(allowed_ips)
    if role not in STAFF_ROLES:
        raise RoleNotForKeys(role=role)
    for network in networks:
        _require_network(network)
    if expires_at is not None and expires_at <= at:
        raise ExpiryInThePast
    secret = secrets.token_hex(SECRET_BYTES)
    key = ApiKey.objects.create(
        name=name,
        role=role,
        prefix=secrets.token_hex(API_KEY_ID_BYTES),
        secret_hash=hash_secret(secret),
        expires_at=expires_at,
        allowed_ips=networks,
        created_by=created_by,
    )
    return key, f"{API_KEY_PREFIX}_{key.prefix}_{secret}"


@transaction.atomic
def revoke_api_key(*, key_id: UUID, at: datetime) -> ApiKey:
    """Close a key of the bound tenant for good. Safe to repeat: the first time stays. Raises NoSuchApiKey."""
    key = ApiKey.objects.select_for_update(of=("self",)).filter(pk=key_id).first()
    if key is None:
        raise NoSuchApiKey
    if key.revoked_at is None:
        key.revoked_at = at
        key.save(update_fields=["revoked_at", "updated_at"])
    found: ApiKey = key
    return found


def link_identity(*, user: User, issuer: str, subject: str) -> ExternalIdentity:
    """Let an issuer's subject log in as `user`. Safe to repeat.

    Raises IntegrityError when the subject is somebody else here.
    """
    identity = ExternalIdentity.objects.filter(user=user, issuer=issuer, subject=subject).first()
    return identity or ExternalIdentity.objects.create(user=user, issuer=issuer, subject=subject)


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _find_log_in(token: str) -> tuple[RefreshToken, str]:
    prefix, _, rest = token.partition("_")
    row_id, _, secret = rest.partition("_")
    try:
        row = RefreshToken.objects.select_related("user").filter(pk=UUID(hex=row_id)).first()
    except ValueError:
        row = None
    if row is None or prefix != REFRESH_PREFIX:
        raise InvalidToken("The refresh token is not valid.")
    return row, secret


def _require_alive(row: RefreshToken, at: datetime) -> None:
    if row.expires_at <= at:
        raise TokenExpired("The refresh token has expired: log in again.")
    hashes = [row.user.get_session_auth_hash(), *row.user.get_session_auth_fallback_hash()]
    unchanged = any(compare_digest(row.auth_hash, current) for current in hashes)
    if row.revoked_at is not None or not row.user.is_active or not unchanged:
        raise InvalidToken("This log-in has ended: log in again.")


def _end_log_in(row: RefreshToken, at: datetime) -> InvalidToken:
    RefreshToken.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=at)
    return InvalidToken("The refresh token was used before, so this log-in has ended: log in again.")


def _tokens(row: RefreshToken, secret: str, at: datetime) -> Tokens:
    return Tokens(
        access_token=access_tokens.mint(user_id=row.user_id, at=at),
        refresh_token=f"{REFRESH_PREFIX}_{row.pk.hex}_{secret}",
        expires_in=settings.ACCESS_TOKEN_SECONDS,
    )


def _require_network(network: str) -> None:
    try:
        validate_network(network)
    except ValidationError as error:
        raise NetworkNotUnderstood(network=network) from error
