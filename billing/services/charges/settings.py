"""How one provider bills."""

import re
from datetime import date
from typing import Any

from django.db import transaction

from billing.models import BillingSettings, Invoice, InvoiceStatus
from billing.services.charges.checks import Invalid
from ispcore.errors import DomainError
from subscribers.models import HoldReason

PREFIX = re.compile(r"[A-Z0-9]{1,8}\Z")


class BadPrefix(Invalid):
    message = "One to eight capital letters and digits, such as INV."


class BadBound(Invalid):
    message = "From 1 to 1000 percent."
    field = "bound_percent"


class UnknownHoldReason(Invalid):
    message = "{reason!r} is no reason of a hold. Known: {known}."
    field = "unbilled_holds"


class BillingHasBegun(DomainError):
    code = "billing_has_begun"
    message = "Invoices were issued: the first day billed here stays."
    field = "bills_from"


def billing_settings(*, on: date) -> BillingSettings:
    """Return the bound tenant's settings; the defaults, billing from `on`, when nothing was ever set."""
    found: BillingSettings | None = BillingSettings.objects.first()
    return found or BillingSettings(bills_from=on)


def lock_settings(*, on: date) -> BillingSettings:
    """Return the settings' row, made when there is none, locked until the transaction ends."""
    BillingSettings.objects.get_or_create(defaults={"bills_from": on})
    locked: BillingSettings = BillingSettings.objects.select_for_update(of=("self",)).get()
    return locked


@transaction.atomic
def change_settings(*, on: date, **fields: Any) -> BillingSettings:
    """Change what is given. Safe to repeat. Raises BadPrefix, BadBound, UnknownHoldReason, BillingHasBegun."""
    settings = lock_settings(on=on)
    moves = fields.get("bills_from", settings.bills_from) != settings.bills_from
    if moves and Invoice.objects.exclude(status=InvoiceStatus.DRAFT).exists():
        raise BillingHasBegun
    for name, value in fields.items():
        setattr(settings, name, value)
    for name in ("invoice_prefix", "credit_note_prefix"):
        if not PREFIX.match(getattr(settings, name)):
            refusal = BadPrefix()
            refusal.field = name
            raise refusal
    if not 1 <= settings.bound_percent <= 1000:
        raise BadBound
    settings.unbilled_holds = sorted(set(settings.unbilled_holds))
    for reason in settings.unbilled_holds:
        if reason not in HoldReason.values:
            raise UnknownHoldReason(reason=reason, known=", ".join(HoldReason.values))
    settings.save()
    return settings
