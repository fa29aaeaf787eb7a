"""What one provider wants of its customers' records."""

from collections.abc import Sequence

import phonenumbers
from django.db import transaction

from ispcore.errors import DomainError
from ispcore.tenants.statements import all_in_order
from subscribers.models import DuplicateRule, SubscriberSettings


class UnknownPhoneRegion(DomainError):
    code = "validation_error"
    message = "{region} is no country with telephone numbers; give two letters of ISO 3166, for example PT."
    status = 422
    field = "phone_region"


def subscriber_settings() -> SubscriberSettings:
    """Return the bound tenant's settings; the defaults when nothing was ever set."""
    found = all_in_order(SubscriberSettings)
    return found[0] if found else SubscriberSettings()


def lock_settings() -> SubscriberSettings:
    """Return the settings' row, made when there is none, locked until the transaction ends."""
    SubscriberSettings.objects.get_or_create()
    locked: SubscriberSettings = SubscriberSettings.objects.select_for_update(of=("self",)).get()
    return locked


@transaction.atomic
def change_subscriber_settings(
    *, duplicate_rules: Sequence[str] | None = None, phone_region: str | None = None
) -> SubscriberSettings:
    """Change what is given. Safe to repeat.

    Neither rewrites a record: a new rule holds for what is written from now on, and a number that was taken in
    keeps the country it was read with. Raises UnknownPhoneRegion.
    """
    settings = lock_settings()
    if phone_region is not None:
        region = phone_region.upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise UnknownPhoneRegion(region=region)
        settings.phone_region = region
    if duplicate_rules is not None:
        settings.duplicate_rules = [rule for rule in DuplicateRule.values if rule in duplicate_rules]
    settings.save()
    return settings
