"""One provider's rules, and the calendar made of them."""

from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.services.dunning.calendar import is_country
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from support.models import Subject, SupportSettings
from support.models.desk import HOURS, MOST_DAYS, MOST_HOURS, OutageEnd
from support.services.calendar import Calendar, hours_of

RANGES = {
    "zone_limit": (0, 1000),
    "due_days": (1, MOST_DAYS),
    "escalate_after_hours": (1, MOST_HOURS),
    "auto_close_days": (1, 365),
}


class Invalid(DomainError):
    code = "validation_error"
    status = 422


class OutOfRange(Invalid):
    message = "From {least} to {most}."


class BadHours(Invalid):
    message = "{hours!r} are no hours. Give seven texts, Monday to Sunday, such as 09:00-18:00, empty for a day off."
    field = "opening_hours"


class NeverOpen(Invalid):
    message = "The helpdesk must be open on one day of the week at least: due times count its hours."
    field = "opening_hours"


class CountryUnknown(Invalid):
    message = "The holidays of {country} {subdivision} are not known."
    field = "country"


class UnknownMailSubject(NotRegistered):
    message = "There is no such subject, or it is switched off."
    field = "mail_subject_id"


class UnknownOutageEnd(Invalid):
    message = "{given!r} is none of resolve and ask."
    field = "outage_end"


def support_settings() -> SupportSettings:
    """Return the bound tenant's settings; the defaults when nothing was ever set."""
    found: SupportSettings | None = SupportSettings.objects.first()
    return found or SupportSettings()


def tenant_zone() -> ZoneInfo:
    """Return the bound tenant's time zone."""
    return ZoneInfo(Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id()))


def calendar_of(settings: SupportSettings) -> Calendar:
    """Return when the bound tenant's helpdesk works."""
    return Calendar(
        zone=tenant_zone(),
        hours=tuple(hours_of(text) for text in settings.opening_hours),
        country=settings.country,
        subdivision=settings.subdivision,
    )


def lock_settings() -> SupportSettings:
    """Return the settings' row, made when there is none, locked until the transaction ends."""
    SupportSettings.objects.get_or_create()
    locked: SupportSettings = SupportSettings.objects.select_for_update(of=("self",)).get()
    return locked


@transaction.atomic
def change_settings(**fields: Any) -> SupportSettings:
    """Change what is given. Safe to repeat; due times set before stay.

    Raises OutOfRange, BadHours, NeverOpen, CountryUnknown, UnknownMailSubject, UnknownOutageEnd.
    """
    settings = lock_settings()
    for name, value in fields.items():
        setattr(settings, name, value)
    for name, (least, most) in RANGES.items():
        if not least <= getattr(settings, name) <= most:
            refusal = OutOfRange(least=least, most=most)
            refusal.field = name
            raise refusal
    _check_hours(settings.opening_hours)
    subject_id = fields.get("mail_subject_id")
    if subject_id is not None and not Subject.objects.filter(pk=subject_id, is_active=True).exists():
        raise UnknownMailSubject
    if settings.outage_end not in OutageEnd.values:
        raise UnknownOutageEnd(given=settings.outage_end)
    if not settings.country:
        settings.subdivision = ""
    elif not is_country(settings.country, settings.subdivision):
        raise CountryUnknown(country=settings.country, subdivision=settings.subdivision)
    settings.save()
    return settings


def _check_hours(hours: list[str]) -> None:
    if len(hours) != 7:
        raise BadHours(hours=", ".join(hours))
    for text in hours:
        if text and (not HOURS.regex.match(text) or text[:5] >= text[6:]):  # type: ignore[union-attr]
            raise BadHours(hours=text)
    if not any(hours):
        raise NeverOpen
