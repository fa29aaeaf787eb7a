"""What a provider wants to happen to open invoices."""

from datetime import time
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.models import DunningPolicy
from billing.models.dunning import CAP_PERCENT
from billing.services.dunning import calendar
from ispcore import money
from ispcore.errors import DomainError, NotRegistered
from subscribers.models import BillingProfile

# At the provider's. Cutting comes when nobody is on the phone, writing when people read.
CUTS_AT = time(2)
REMINDS_AT = time(9)


class CountryUnknown(DomainError):
    code = "country_unknown"
    message = "The public holidays of {country} are not known. Use ISO 3166 such as PT, and a part of it such as BY."
    status = 422
    field = "country"


class TwoLateFees(DomainError):
    code = "two_late_fees"
    message = "A late fee is an amount or a percentage, not both."
    status = 422
    field = "late_fee_percent"


class PolicyExists(DomainError):
    code = "dunning_policy_exists"
    message = "There is a policy for {whom} already; change that one."
    field = "billing_profile_id"


class ProfileUnknown(NotRegistered):
    message = "There is no such billing profile."
    field = "billing_profile_id"


class MinimumTooFine(DomainError):
    code = "amount_too_precise"
    message = "{amount} has more digits than {currency} has."
    status = 422
    field = "minimum_balance"


@transaction.atomic
def save_policy(*, policy: DunningPolicy, **fields: Any) -> DunningPolicy:
    """Create or change a policy. Reminder days are kept in order, each once.

    Raises ProfileUnknown, PolicyExists, CountryUnknown, TwoLateFees, MinimumTooFine.
    """
    for name, value in fields.items():
        setattr(policy, name, value)
    policy.reminder_days = sorted(set(policy.reminder_days))
    profile = None
    if policy.billing_profile_id is not None:
        profile = BillingProfile.objects.filter(pk=policy.billing_profile_id).first()
        if profile is None:
            raise ProfileUnknown
    others = DunningPolicy.objects.filter(billing_profile=profile).exclude(pk=policy.pk)
    if others.exists():
        raise PolicyExists(whom=f"the profile {profile.name}" if profile else "all customers")
    if policy.country and not calendar.is_country(policy.country, policy.subdivision):
        raise CountryUnknown(country=f"{policy.country} {policy.subdivision}".strip())
    if policy.subdivision and not policy.country:
        raise CountryUnknown(country=policy.subdivision)
    if policy.late_fee_amount is not None and policy.late_fee_percent is not None:
        raise TwoLateFees
    if profile is not None and not money.is_whole(policy.minimum_balance, profile.currency):
        raise MinimumTooFine(amount=f"{policy.minimum_balance.normalize():f}", currency=profile.currency)
    policy.save()
    return policy


@transaction.atomic
def remove_policy(*, policy_id: UUID) -> None:
    """Stop reminding and cutting by a policy. Safe to repeat."""
    DunningPolicy.objects.filter(pk=policy_id).delete()


def cap_percent() -> int:
    """Return how many percent of the running services a night may cut without asking."""
    found = DunningPolicy.objects.filter(billing_profile=None).values_list("cap_percent", flat=True).first()
    return CAP_PERCENT if found is None else found
