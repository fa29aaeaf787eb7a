"""How values read on a page: times with their age, states as words with a colour, codes as text."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.timesince import timesince

from ispcore.admin import links
from ispcore.money import round_money

DASH = "–"
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
# The trade's own terms, as people write them.
ACRONYMS = {
    "olt": "OLT", "onu": "ONU", "onus": "ONUs", "olts": "OLTs", "pon": "PON", "snmp": "SNMP", "ip": "IP",
    "id": "ID", "api": "API", "url": "URL", "dbm": "dBm", "nas": "NAS", "vrf": "VRF", "ids": "IDs",
    "cgnat": "CGNAT", "isp": "ISP", "arp": "ARP", "dhcp": "DHCP",
}  # fmt: skip


def readable(code: str) -> str:
    """Turn a stored code into words: `hardware.discover_olt` reads 'Discover OLT'."""
    words = code.rpartition(".")[2].replace("-", "_").split("_")
    text = " ".join(ACRONYMS.get(word.lower(), word) for word in words if word)
    return text[:1].upper() + text[1:]


def age(value: datetime) -> str:
    """Say how long ago in the largest fitting unit."""
    now = timezone.now()
    if value > now + timedelta(seconds=5):
        return f"in {timesince(now, value, depth=1)}"
    if now - value < timedelta(minutes=1):
        return "just now"
    return f"{timesince(value, now, depth=1)} ago"


def moment(value: datetime | None, *, empty: str = DASH) -> str:
    """Write a time in the current zone with its age beside it."""
    if value is None:
        return empty
    local = timezone.localtime(value)
    return format_html(
        '<span class="isp-when"><time datetime="{}">{}</time> <span class="isp-age">{}</span></span>',
        local.isoformat(timespec="seconds"),
        formats.date_format(local, "j M Y H:i"),
        age(value),
    )


def day(value: date | None, *, empty: str = DASH) -> str:
    """Write a day of the provider's."""
    return formats.date_format(value, "j M Y") if value else empty


def duration(seconds: float | None) -> str:
    """Write seconds as '3 min 20 s'; the two largest units."""
    if seconds is None:
        return DASH
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    if seconds < 10:
        return f"{seconds:.1f} s"
    left, parts = int(seconds), []
    for name, size in units:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def pill(text: str, tone: str = "") -> str:
    return format_html('<span class="isp-pill isp-{}">{}</span>', tone or "plain", text)


def meter(percent: float, *, tone: str, label: str) -> str:
    """Draw a bar; the label says the value, so the bar may be skipped by a screen reader."""
    return format_html(
        '<span class="isp-meter"><span class="isp-meter-track" aria-hidden="true">'
        '<span class="isp-meter-fill isp-{}" style="width:{}%"></span></span>'
        '<span class="isp-meter-label">{}</span></span>',
        tone or "plain",
        max(0, min(100, round(percent))),
        label,
    )


def pills(words: Iterable[str], tone: str = "") -> str:
    """Write several words as one row of pills."""
    drawn = format_html_join("", "{}", ((pill(word, tone),) for word in words))
    return format_html('<span class="isp-pills">{}</span>', drawn) if drawn else DASH


def figures(number: int) -> str:
    """Write a count with thin spaces between its thousands."""
    return f"{number:,}".replace(",", "\u202f")


def said(amount: Decimal, currency: str) -> str:
    """Write an amount inside a sentence, with the digits of its currency."""
    number = f"{round_money(amount, currency):,f}".replace(",", "\u202f")
    return f"{number}\u00a0{currency}"


def money(amount: Decimal, currency: str) -> str:
    """Write an amount at the right edge of its column, with the digits of its currency."""
    return format_html('<span class="isp-money">{}</span>', said(amount, currency))


def bitrate(kbps: int) -> str:
    """Write a speed in the largest unit in which it is at least 1."""
    for size, unit in ((1_000_000, "Gbit/s"), (1_000, "Mbit/s")):
        if kbps >= size:
            return f"{kbps / size:.10g}\u00a0{unit}"
    return f"{kbps}\u00a0kbit/s"


def steps(names: Iterable[str], *, now: int) -> list[dict[str, Any]]:
    """Return what a row of steps shows, the step `now` (from 1) being the present one."""
    return [
        {"number": n, "name": name, "state": "now" if n == now else "done" if n < now else ""}
        for n, name in enumerate(names, 1)
    ]


def facts(rows: Iterable[tuple[str, Any]]) -> str:
    """Write label and value pairs as a description list."""
    body = format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", ((k, _shown(v)) for k, v in rows))
    return format_html('<dl class="isp-facts">{}</dl>', body)


def mapping(value: Any) -> str:
    """Write a JSON object as label and value pairs, and never as JSON; ids become links."""
    if not isinstance(value, dict) or not value:
        return _shown(value)
    return facts(_pair(str(key), item) for key, item in value.items())


def _pair(key: str, value: Any) -> tuple[str, Any]:
    if key.endswith("_id") and (url := links.url_of(key.removesuffix("_id"), value)):
        return readable(key.removesuffix("_id")), links.link(url, "Open")
    return readable(key), _inner(value)


def _inner(value: Any) -> Any:
    if isinstance(value, dict):
        return mapping(value)
    if isinstance(value, list):
        return (
            format_html_join(mark_safe("<br>"), "{}", ((_inner(item),) for item in value))
            if value
            else "none"
        )
    # A bare code such as `partial` reads as a word; sentences and numbers stay as they are.
    return readable(value) if isinstance(value, str) and CODE.fullmatch(value) else value


def _shown(value: Any) -> Any:
    if value is None or value == "" or value == {}:
        return DASH
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int):
        return figures(value)
    return value


def time_column(field: str, description: str, *, empty: str = DASH) -> Callable[[Any], str]:
    """Make a list column or read-only field of a time with its age."""

    @admin.display(description=description, ordering=field)
    def column(obj: Any) -> str:
        return moment(getattr(obj, field), empty=empty)

    column.__name__ = f"{field}_with_age"
    return column


def day_column(field: str, description: str, *, empty: str = DASH) -> Any:
    """Make a list column of a day."""

    @admin.display(description=description, ordering=field)
    def column(obj: Any) -> str:
        return day(getattr(obj, field), empty=empty)

    column.__name__ = f"{field}_day"
    return column


def choice_column(field: str, description: str, tones: Mapping[Any, str]) -> Callable[[Any], str]:
    """Make a list column or read-only field of a choice: its label, coloured by what it means."""

    @admin.display(description=description, ordering=field)
    def column(obj: Any) -> str:
        label = getattr(obj, f"get_{field}_display")()
        return pill(label, tones.get(getattr(obj, field), "")) if label else DASH

    column.__name__ = f"{field}_label"
    return column
