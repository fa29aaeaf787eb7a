"""What one provider wants of its access."""

from typing import Any

from django.db import transaction

from aaa.models import Barred, Policy, RadiusSettings, Reason, ServiceProfile
from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish

BARRED = ("unpaid", "suspended", "expired")


class GardenNeedsPolicy(DomainError):
    code = "garden_needs_policy"
    message = "A walled garden needs a policy that says what it is: give `garden_policy_id` too."
    status = 422
    field = "garden_policy_id"


class UnknownGardenPolicy(NotRegistered):
    message = "There is no such policy."
    field = "garden_policy_id"


class UnknownSettingsProfile(NotRegistered):
    message = "There is no such RADIUS service."
    field = "service_profile_id"


class ProfileNeeded(DomainError):
    code = "profile_needed"
    message = "Accounts can be made with services only when `service_profile_id` says which RADIUS service they get."
    status = 422
    field = "service_profile_id"


class BadTemplate(DomainError):
    code = "validation_error"
    message = "A user name is made of {{number}} or {{subscriber}}, and no other words in braces: {template!r} is not."
    status = 422
    field = "username_template"


class UnknownReason(DomainError):
    code = "validation_error"
    message = "{reason!r} is no reason of a refusal. Known: {known}."
    status = 422
    field = "messages"


def radius_settings() -> RadiusSettings:
    """Return the bound tenant's settings; the defaults when nothing was ever set."""
    found: RadiusSettings | None = RadiusSettings.objects.first()
    return found or RadiusSettings()


def lock_settings() -> RadiusSettings:
    """Return the settings' row, made when there is none, locked until the transaction ends."""
    RadiusSettings.objects.get_or_create()
    locked: RadiusSettings = RadiusSettings.objects.select_for_update(of=("self",)).get()
    return locked


@transaction.atomic
def change_settings(**fields: Any) -> RadiusSettings:
    """Change what is given; accounts that are barred are told of it by event. Safe to repeat.

    Raises GardenNeedsPolicy, ProfileNeeded, BadTemplate, UnknownReason, UnknownGardenPolicy, UnknownSettingsProfile.
    """
    settings = lock_settings()
    for name, value in fields.items():
        setattr(settings, name, value)
    _check(settings)
    settings.save()
    publish("aaa.settings_changed")
    return settings


def username_for(template: str, *, number: int, subscriber: str) -> str:
    """Return the user name of a new service's account; `template` was checked when it was stored."""
    return template.replace("{number}", str(number)).replace("{subscriber}", subscriber)


def _check(settings: RadiusSettings) -> None:
    if settings.garden_policy_id and not Policy.objects.filter(pk=settings.garden_policy_id).exists():
        raise UnknownGardenPolicy
    profiles = ServiceProfile.objects.filter(pk=settings.service_profile_id)
    if settings.service_profile_id and not profiles.exists():
        raise UnknownSettingsProfile
    if not settings.garden_policy_id and any(getattr(settings, name) == Barred.GARDEN for name in BARRED):
        raise GardenNeedsPolicy
    if settings.creates_accounts and not settings.service_profile_id:
        raise ProfileNeeded
    template = settings.username_template
    plain = username_for(template, number=1, subscriber="SUB-000001")
    if plain == template or "{" in plain or "}" in plain:
        raise BadTemplate(template=template)
    for reason in settings.messages:
        if reason not in Reason.values:
            raise UnknownReason(reason=str(reason)[:20], known=", ".join(Reason.values))
