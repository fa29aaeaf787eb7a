import hashlib
from contextlib import suppress
from typing import Any

from django.core.exceptions import ValidationError
from redis.exceptions import RedisError
from unfold.forms import AuthenticationForm

from ispcore.api.request import client_ip
from ispcore.api.throttles import GcraLimit, address_group
from ispcore.tenants.models import User
from ispcore.tenants.roles import STAFF_ROLES
from ispcore.tenants.selectors import grants_of

ACCOUNT_LIMIT = GcraLimit(rate=2, period=60, burst=10)
ADDRESS_LIMIT = GcraLimit(rate=30, period=60)
SLOW_DOWN = "Too many attempts. Wait a minute, then try again."


class StaffLoginForm(AuthenticationForm):
    """Log in by e-mail; closed to guessing by limits per account and per address."""

    error_messages = {
        "invalid_login": "The e-mail address or the password is wrong. Check both and try again.",
        "inactive": "This account is switched off.",
        "no_role": "This account has no staff role with any provider. Ask an administrator to give you one.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "E-mail"
        self.fields["username"].widget.attrs |= {"type": "email", "autocomplete": "username"}
        self.fields["username"].widget.input_type = "email"

    def clean(self) -> dict[str, Any]:
        email = (self.cleaned_data.get("username") or "").strip().lower()
        account = f"login:account:{hashlib.sha256(email.encode()).hexdigest()}"
        address = client_ip(self.request) if self.request else None
        count_attempt(ADDRESS_LIMIT, f"login:ip:{address_group(address)}")
        count_attempt(ACCOUNT_LIMIT, account)
        cleaned = super().clean()
        with suppress(RedisError):
            ACCOUNT_LIMIT.forget(account)
        return cleaned

    def confirm_login_allowed(self, user: Any) -> None:
        """Let in whoever has a staff role somewhere; the tenant is chosen on the first request."""
        if not user.is_active:
            raise ValidationError(self.error_messages["inactive"], code="inactive")
        if not is_allowed(user):
            raise ValidationError(self.error_messages["no_role"], code="no_role")


def is_allowed(user: User) -> bool:
    """Tell whether somebody works anywhere here."""
    return user.is_platform_staff or bool(STAFF_ROLES & set(grants_of(user).values()))


def count_attempt(limit: GcraLimit, key: str) -> None:
    """Count one attempt to log in. Raises ValidationError when that is one too many."""
    # None is one too many while Redis is away: staff must be able to log in and see why.
    if not limit.allows(key):
        raise ValidationError(SLOW_DOWN, code="slow_down")
