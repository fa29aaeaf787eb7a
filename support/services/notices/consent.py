"""Who wants to be written to, in which way, and when nobody is."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from ispcore.errors import NotRegistered
from ispcore.tenants.base import changed
from subscribers.models import Subscriber
from support.models import Channel, Consent, NoticeSettings, Purpose
from support.services.settings import Invalid


class UnknownSubscriber(NotRegistered):
    message = "There is no such subscriber."
    field = "subscriber_id"


class QuietHoursHalf(Invalid):
    message = "Give both ends of the quiet hours, or none."
    field = "quiet_until"


class QuietHoursEmpty(Invalid):
    message = "Quiet hours that begin and end at the same time would never end."
    field = "quiet_until"


@transaction.atomic
def set_consent(*, subscriber_id: UUID, channel: str, purpose: str, is_given: bool, at: datetime) -> Consent:
    """Write down what a customer said; the last word counts. Safe to repeat. Raises UnknownSubscriber."""
    if not Subscriber.objects.filter(pk=subscriber_id).exists():
        raise UnknownSubscriber
    found: Consent
    found, _ = Consent.objects.update_or_create(
        subscriber_id=subscriber_id,
        channel=channel,
        purpose=purpose,
        defaults={"is_given": is_given, "said_at": at},
    )
    return found


def refusals(subscribers: Iterable[Subscriber], *, channel: str, purpose: str) -> dict[UUID, str]:
    """Tell which of these may not be written to in this way, and why; one query for all.

    Of the service anybody may be told who did not decline; marketing goes to those only who agreed to it.
    """
    people = list(subscribers)
    said = dict(
        Consent.objects.filter(
            subscriber_id__in=[each.pk for each in people], channel=channel, purpose=purpose
        ).values_list("subscriber_id", "is_given")
    )
    found = {}
    for each in people:
        agreed = said.get(each.pk, purpose == Purpose.SERVICE or each.marketing_consent_at is not None)
        if not agreed:
            found[each.pk] = f"The customer does not want {Channel(channel).label} of this kind."
    return found


def notice_settings() -> NoticeSettings:
    """Return the bound tenant's settings; the defaults when nothing was ever set."""
    found: NoticeSettings | None = NoticeSettings.objects.first()
    return found or NoticeSettings()


@transaction.atomic
def change_settings(**fields: Any) -> NoticeSettings:
    """Change what is given. Safe to repeat; what waits already goes when it was to go.

    Raises QuietHoursHalf, QuietHoursEmpty.
    """
    NoticeSettings.objects.get_or_create()
    settings: NoticeSettings = NoticeSettings.objects.select_for_update(of=("self",)).get()
    for name, value in fields.items():
        setattr(settings, name, value)
    if (settings.quiet_from is None) != (settings.quiet_until is None):
        raise QuietHoursHalf
    if settings.quiet_from is not None and settings.quiet_from == settings.quiet_until:
        raise QuietHoursEmpty
    return changed(settings, {})


def loud_from(at: datetime, *, settings: NoticeSettings, zone: ZoneInfo) -> datetime:
    """Return when a message may go out: `at`, or the end of the quiet hours it falls into."""
    begin, end = settings.quiet_from, settings.quiet_until
    if begin is None or end is None:
        return at
    here = at.astimezone(zone)
    if not _is_quiet(here.time(), begin, end):
        return at
    day = here.date() if here.time() < end else here.date() + timedelta(days=1)
    return datetime.combine(day, end, tzinfo=zone)


def _is_quiet(now: time, begin: time, end: time) -> bool:
    return begin <= now < end if begin < end else now >= begin or now < end
