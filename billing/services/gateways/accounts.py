"""Accounts at gateways, and the adapter that speaks for each."""

import secrets
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from billing.gateways.base import Gateway
from billing.gateways.demo_bank import DemoBank
from billing.gateways.stripe import Stripe
from billing.models import GatewayAccount, GatewayKind
from ispcore.crypto import Secret
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.models import Tenant
from ispcore.tenants.selectors import find_tenant

KEY_BYTES = 16
SHORTEST_SECRET = 16


class GatewayUnknown(NotRegistered):
    message = "There is no such payment gateway."
    field = "gateway_id"


class GatewayLabelTaken(DomainError):
    code = "duplicate_gateway_account_label"
    message = "Another payment gateway is called {label}."
    field = "label"


class ApiKeyMissing(DomainError):
    code = "api_key_missing"
    message = "Stripe needs a secret key; it begins with sk_ or rk_."
    status = 422
    field = "api_key"


class SecretTooShort(DomainError):
    code = "webhook_secret_too_short"
    message = f"The signing secret has at least {SHORTEST_SECRET} characters."
    status = 422
    field = "webhook_secret"


class GatewayInUse(DomainError):
    code = "gateway_in_use"
    message = "Payments were begun at {label}; switch it off instead."


@transaction.atomic
def create_account(
    *, kind: str, label: str, api_key: str = "", webhook_secret: str, is_enabled: bool = True
) -> GatewayAccount:
    """Register an account at a gateway. Raises GatewayLabelTaken, ApiKeyMissing, SecretTooShort."""
    account = GatewayAccount(
        kind=kind,
        label=label,
        key=f"{kind.replace('_', '-')}-{secrets.token_hex(KEY_BYTES // 2)}",
        api_key=api_key,
        webhook_secret=webhook_secret,
        is_enabled=is_enabled,
    )
    return _save(account)


@transaction.atomic
def update_account(*, account_id: UUID, **changes: Any) -> GatewayAccount:
    """Change label, secrets or whether it is enabled; kind and key stay. Raises as `create_account`, GatewayUnknown."""
    account = find_account(account_id, lock=True)
    for name in changes.keys() & {"label", "api_key", "webhook_secret", "is_enabled"}:
        setattr(account, name, changes[name])
    return _save(account)


@transaction.atomic
def remove_account(*, account_id: UUID) -> None:
    """Remove an account nobody paid by. Raises GatewayUnknown, GatewayInUse."""
    account = find_account(account_id, lock=True)
    if account.checkouts.exists() or account.events.exists():
        raise GatewayInUse(label=account.label)
    account.delete()


def find_account(account_id: UUID, *, lock: bool = False) -> GatewayAccount:
    """Return an account of the bound tenant; locked, notices wait. Raises GatewayUnknown."""
    rows = GatewayAccount.objects.filter(pk=account_id)
    if lock:
        # Rows that point at it may still be written.
        rows = rows.select_for_update(of=("self",), no_key=True)
    account: GatewayAccount | None = rows.first()
    if account is None:
        raise GatewayUnknown
    return account


def adapter_of(account: GatewayAccount) -> Gateway:
    """Return what speaks to an account's gateway."""
    webhook_secret = _plain(account.webhook_secret)
    if account.kind == GatewayKind.DEMO_BANK:
        page = f"{settings.PUBLIC_URL}/demo-bank/{public_name(account)}/{{key}}"
        return DemoBank(webhook_secret=webhook_secret, page_url=page)
    return Stripe(
        api_key=_plain(account.api_key), webhook_secret=webhook_secret, api_base=settings.STRIPE_API_BASE
    )


def public_name(account: GatewayAccount) -> str:
    """Return the name in the address of an account's notices: `<provider's slug>.<key>`."""
    return f"{account.tenant.slug}.{account.key}"


def split_name(name: str) -> tuple[Tenant, str]:
    """Return the provider a public name is of, and the account's key there. Raises GatewayUnknown."""
    slug, _, key = name.rpartition(".")
    tenant = find_tenant(slug) if slug.isprintable() and key.isprintable() else None
    if tenant is None or not key:
        raise GatewayUnknown
    return tenant, key


def _save(account: GatewayAccount) -> GatewayAccount:
    if account.kind == GatewayKind.STRIPE and not _plain(account.api_key):
        raise ApiKeyMissing
    if len(_plain(account.webhook_secret)) < SHORTEST_SECRET:
        raise SecretTooShort
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError as error:
        raise GatewayLabelTaken(label=account.label) from error
    return account


def _plain(secret: Secret | str) -> str:
    return secret.reveal() if isinstance(secret, Secret) else secret
