"""Authenticator apps (TOTP, RFC 6238): the second step of a log-in with a password."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest

import pyotp
from django.db import transaction
from redis.exceptions import RedisError

from ispcore import crypto
from ispcore.api.throttles import GcraLimit
from ispcore.auth.models import Authenticator
from ispcore.errors import DomainError, RetryableError
from ispcore.tenants.models import User

# RFC 6238 §5.2: one step either way for clocks that differ and people who type slowly.
STEPS_EITHER_WAY = 1
RECOVERY_CODES = 10
RECOVERY_BYTES = 10  # 80 bits: beyond guessing, so they need no limit and a fast hash is enough.
# Three of a million codes are right at any time: at this rate a guess succeeds within a year or so, and each one
# needs the password.
CODE_LIMIT = GcraLimit(rate=10, period=3600, burst=5)
_SIX_DIGITS = re.compile(r"[0-9]{6}\Z")


class WrongCode(DomainError):
    code = "otp_wrong"
    message = "The code is wrong, or it was used already. Wait for the next one and try again."
    status = 401
    field = "otp"


class TooManyCodes(DomainError):
    code = "rate_limited"
    message = "Too many wrong codes. Wait a few minutes, or use a recovery code."
    status = 429


class CodesNotCounted(RetryableError):
    message = (
        "Codes cannot be counted right now, so none is taken. Use a recovery code, or try again shortly."
    )


class AlreadyOn(DomainError):
    code = "authenticator_on"
    message = "An authenticator app is set up already. Turn it off first."


class NotBegun(DomainError):
    code = "authenticator_not_begun"
    message = "Begin with the picture: no authenticator app is being set up."


@dataclass(frozen=True)
class Enrolment:
    """What an app needs to make codes: the secret as people type it, and the address in the picture."""

    secret: str
    uri: str


def is_on(user: User) -> bool:
    return Authenticator.objects.filter(user=user).exclude(confirmed_at=None).exists()


def is_begun(user: User) -> bool:
    return Authenticator.objects.filter(user=user, confirmed_at=None).exists()


def recovery_codes_left(user: User) -> int:
    row = Authenticator.objects.filter(user=user).first()
    return len(row.recovery_hashes) if row else 0


@transaction.atomic
def begin(*, user: User, issuer: str) -> Enrolment:
    """Return the secret to set an app up with: a new one, or the one begun with. Safe to repeat.

    `issuer` is the name the app shows. Nothing is asked at log-in before `confirm`. Raises AlreadyOn.
    """
    row = Authenticator.objects.select_for_update().filter(user=user).first()
    if row is not None and row.confirmed_at is not None:
        raise AlreadyOn
    if row is None:
        secret = pyotp.random_base32()  # 160 bits, as RFC 4226 §4 recommends.
        row = Authenticator.objects.create(
            user=user, sealed_secret=crypto.encrypt(secret, bound_to=_place(user))
        )
    secret = _open(row, user)
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=issuer))


@transaction.atomic
def confirm(*, user: User, code: str, at: datetime) -> list[str]:
    """Turn the authenticator on, as the app has shown that it makes right codes; returns the recovery codes.

    They are shown once and stored as hashes. Raises NotBegun, AlreadyOn or WrongCode.
    """
    row = Authenticator.objects.select_for_update().filter(user=user).first()
    if row is None:
        raise NotBegun
    if row.confirmed_at is not None:
        raise AlreadyOn
    step = _step_of(_open(row, user), code, at, after=row.last_step)
    if step is None:
        raise WrongCode
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    row.last_step, row.confirmed_at = step, at
    row.recovery_hashes = [_hash(each) for each in codes]
    row.save(update_fields=["last_step", "confirmed_at", "recovery_hashes"])
    return codes


def check(*, user: User, code: str, at: datetime) -> None:
    """Take a code of the app, or a recovery code in its place; either counts once.

    Raises WrongCode, TooManyCodes, or CodesNotCounted while Redis is away; recovery codes are taken then too.
    """
    given = re.sub(r"[\s-]", "", code).lower()
    if _SIX_DIGITS.match(given):
        _use_code(user, given, at)
    else:
        _use_recovery_code(user, given)


@transaction.atomic
def turn_off(*, user: User) -> None:
    """Forget a person's authenticator and recovery codes. Safe to repeat."""
    Authenticator.objects.filter(user=user).delete()


def _use_code(user: User, given: str, at: datetime) -> None:
    _count(user)
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().get(user=user)
        step = _step_of(_open(row, user), given, at, after=row.last_step)
        if step is None:
            raise WrongCode
        row.last_step = step
        row.save(update_fields=["last_step"])
    CODE_LIMIT.forget(_limit_key(user))


@transaction.atomic
def _use_recovery_code(user: User, given: str) -> None:
    row = Authenticator.objects.select_for_update().get(user=user)
    used = _hash(given)
    if used not in row.recovery_hashes:
        raise WrongCode
    row.recovery_hashes = [each for each in row.recovery_hashes if each != used]
    row.save(update_fields=["recovery_hashes"])


def _count(user: User) -> None:
    try:
        taken = CODE_LIMIT.take(_limit_key(user))
    except RedisError as error:
        raise CodesNotCounted from error
    if not taken.allowed:
        raise TooManyCodes


def _step_of(secret: str, code: str, at: datetime, *, after: int) -> int | None:
    """Return the 30 seconds a code belongs to, None when it is wrong or not later than `after`."""
    totp = pyotp.TOTP(secret)
    now = totp.timecode(at)
    steps = range(now - STEPS_EITHER_WAY, now + STEPS_EITHER_WAY + 1)
    found = [
        step for step in steps if compare_digest(totp.generate_otp(step).encode(), code.strip().encode())
    ]
    return next((step for step in found if step > after), None)


def _open(row: Authenticator, user: User) -> str:
    return crypto.decrypt(row.sealed_secret, bound_to=_place(user))


def _place(user: User) -> str:
    return f"ispauth_authenticator.sealed_secret:{user.pk}"


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _hash(code: str) -> str:
    return hashlib.sha256(code.replace("-", "").encode()).hexdigest()


def _limit_key(user: User) -> str:
    return f"login:code:{user.pk}"
