"""How addresses, pools and what holds them look: words first, colour second."""

from datetime import datetime
from typing import Any

from django.utils import formats as django_formats
from django.utils import timezone
from django.utils.html import format_html

from ipam.models import Address, AddressState, DriftKind, Pool, PoolKind, UsageLevel
from ispcore.admin import formats, links
from ispcore.admin.formats import DASH, meter, moment, pill
from subscribers.models import Subscription

STATE_TONES = {
    AddressState.FREE: "plain",
    AddressState.RESERVED: "warning",
    AddressState.ASSIGNED: "good",
    AddressState.QUARANTINED: "info",
}
LEVEL_TONES = {
    UsageLevel.OK: "good",
    UsageLevel.WARNING: "warning",
    UsageLevel.CRITICAL: "danger",
    UsageLevel.FULL: "danger",
}
DRIFT_TONES = {
    DriftKind.USED_BUT_FREE: "warning",
    DriftKind.USED_BY_OTHER: "danger",
    DriftKind.ASSIGNED_NOT_SEEN: "plain",
    DriftKind.UNKNOWN_ADDRESS: "info",
}
LARGEST_WRITTEN = 10**12  # Larger counts are written as powers of two.


def figures(number: Any) -> str:
    """Write a count with thin spaces; one that no table could hold as a power of two."""
    whole = int(number)
    if whole >= LARGEST_WRITTEN:
        exponent = whole.bit_length() - 1
        return f"2^{exponent}" if whole == 1 << exponent else f"about 2^{exponent}"
    return formats.figures(whole)


def percent_of(used: int, total: Any) -> float:
    return 100 * used / float(total) if total else 0.0


def percent_words(used: int, total: Any) -> str:
    """Say a share without rounding something to nothing or not quite all to all."""
    share = percent_of(used, total)
    if used and share < 1:
        return "under 1 %"
    if used < total and share > 99:
        return "over 99 %"
    return f"{share:.0f} %"


def tone_of(percent: float) -> str:
    """Return the colour of a share for what has no thresholds of its own."""
    return "danger" if percent >= 95 else "warning" if percent >= 80 else "good"


def used_bar(used: int, total: Any, *, tone: str = "good") -> str:
    """Draw how much is used, with its words: '132 of 254 (52 %)'."""
    if not total:
        return DASH
    label = f"{figures(used)} of {figures(total)} ({percent_words(used, total)})"
    return meter(percent_of(used, total), tone=tone, label=label)


def level_pill(level: str) -> str:
    return pill(UsageLevel(level).label, LEVEL_TONES[UsageLevel(level)])


def state_pill(address: Address) -> str:
    return pill(address.get_state_display(), STATE_TONES[AddressState(address.state)])


def day(at: datetime | None) -> str:
    return DASH if at is None else django_formats.date_format(timezone.localtime(at), "j M Y H:i")


def service_words(line: Subscription) -> str:
    return f"#{line.number} {line.subscriber.full_name}"


def service_link(line: Subscription | None) -> str:
    """Lead to a service, named with its customer."""
    return links.link(links.url_of("service", line.pk), service_words(line)) if line else DASH


def holder_words(address: Address) -> str:
    """Say in one sentence what becomes of an address that is not free; no markup."""
    if address.state == AddressState.ASSIGNED:
        line = address.subscription
        who = service_words(line) if line else address.assigned_to
        named = f", {address.hostname}" if address.hostname else ""
        return f"Assigned to {who}{named}, since {day(address.assigned_at)}"
    if address.state == AddressState.RESERVED:
        return f"Reserved: {address.reserved_for}" if address.reserved_for else "Reserved"
    if address.state == AddressState.QUARANTINED:
        return f"Resting until {day(address.quarantined_until)}"
    return "Free"


def holder(address: Address) -> str:
    """Say who or what holds an address, as a link where there is a page."""
    if address.state == AddressState.ASSIGNED:
        return service_link(address.subscription) if address.subscription else address.assigned_to
    if address.state == AddressState.RESERVED:
        return address.reserved_for or DASH
    if address.state == AddressState.QUARANTINED:
        return format_html("<span>rests until {}</span>", moment(address.quarantined_until))
    return DASH


def what_of(pool: Pool) -> str:
    """Say what a pool hands out: 'IPv4 addresses', 'IPv6 prefixes, /56'."""
    if pool.kind == PoolKind.PREFIX:
        return f"{pool.get_family_display()} prefixes, /{pool.prefix_length}"
    return f"{pool.get_family_display()} addresses"
