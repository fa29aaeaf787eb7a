"""What an account's page shows: whether it may log in and why not, who is online, usage, refusals, data."""

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats, timezone

from aaa.admin.actions import rows_of
from aaa.admin.rejects import reject_row
from aaa.admin.sessions import row_of
from aaa.admin.words import both_ways, customer_link, data, speed, standing
from aaa.models import Account, AccountState, AuthAttempt, Session, SessionAction, TopUp
from aaa.services import usage
from ispcore.admin import links
from ispcore.admin.columns import Column, columns
from ispcore.admin.dashboard import share
from ispcore.admin.formats import DASH, meter, moment, pill

SESSIONS_SHOWN = 20
REJECTS_SHOWN = 8
ACTIONS_SHOWN = 5
TOP_UPS_SHOWN = 10
# What is drawn: its name, the step, and how many days back.
WINDOWS = {"day": ("Day", "hour", 1), "month": ("30 days", "day", 30), "year": ("Year", "month", 365)}
USUAL = "month"
NAMES = (("Download", "info"), ("Upload", "good"))
NEARLY_USED = 90


def context(request: HttpRequest, account: Any) -> dict[str, Any]:
    """Read one account's page; as many queries for one session, refusal or top-up as for many."""
    at = timezone.now()
    state = AccountState.objects.filter(account=account).first()
    live = Session.objects.filter(account=account, stopped_at=None).select_related("nas", "account")
    rejects = AuthAttempt.objects.filter(username_key=account.username_key, accepted=False)
    wanted = request.GET.get("usage", "")
    window = wanted if wanted in WINDOWS else USUAL
    user = request.user
    bought = TopUp.objects.filter(account=account).order_by("-valid_from")[:TOP_UPS_SHOWN]
    return {
        "standing": pill(*standing(account, state, at)),
        "account_facts": _facts(account, state),
        "live": [row_of(session) for session in live.order_by("-started_at")[:SESSIONS_SHOWN]],
        "may_operate": user.has_perm("aaa.operate"),
        "rejects": [reject_row(each, at) for each in rejects.select_related("nas").order_by("-at")[:REJECTS_SHOWN]],
        "rejects_url": f"{reverse('admin:aaa_rejects')}?{urlencode({'user': account.username})}",
        "ended_url": f"{reverse('admin:aaa_session_ended')}?{urlencode({'user': account.username})}",
        "windows": [(key, name, key == window) for key, (name, _, _) in WINDOWS.items()],
        "usage": usage_chart(account, window, at=at),
        "cap": _cap(account, state),
        "top_ups": [_top_up(each, at) for each in bought],
        "actions_done": rows_of(SessionAction.objects.filter(account=account), ACTIONS_SHOWN),
    }  # fmt: skip


def _facts(account: Account, state: AccountState | None) -> list[tuple[str, Any]]:
    return [
        ("Service", customer_link(account)),
        ("Speed", speed(account.policy)),
        ("RADIUS service", account.service_profile.name),
        ("Expires", moment(account.expires_at, empty="never")),
        ("Last seen", moment(state.last_seen_at if state else None, empty="never")),
        ("Last address", (state.last_ip if state else None) or DASH),
        ("Device", account.calling_station_id or "none named or learned"),
        ("Fixed addresses", _addresses(account)),
    ]


def _addresses(account: Account) -> str:
    given = (
        account.static_ip4 or account.assigned_ip4,
        account.framed_ipv6_prefix or account.assigned_ipv6_prefix,
        account.delegated_prefix or account.assigned_delegated_prefix,
    )
    return ", ".join(each for each in given if each) or "none: from a pool"


def usage_chart(account: Account, window: str, *, at: datetime) -> dict[str, Any]:
    """Draw what the account used, in its own time zone, with every step of the time, also those without use."""
    _, step, days = WINDOWS[window]
    zone = ZoneInfo(account.timezone)
    today = at.astimezone(zone).date()
    since = today.replace(year=today.year - 1, day=1) if step == "month" else today - timedelta(days=days - 1)
    if step == "hour":
        since = today - timedelta(days=1)
    found = usage.usage_of(
        [account.pk], step=step, zone=zone, since=since, until=today + timedelta(days=1), at=at
    )
    used = {
        _key(row.start, zone): (row.out4_bytes + row.out6_bytes, row.in4_bytes + row.in6_bytes)
        for row in found.rows
    }
    steps = _steps(step, since, today, at.astimezone(zone))
    shown = {key: used.get(key, (0, 0)) for key in steps}
    down, up = (sum(parts[each] for parts in shown.values()) for each in (0, 1))
    highest = max((sum(parts) for parts in shown.values()), default=0)
    size, unit = next(
        (pair for pair in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB")) if highest >= pair[0]), (10**3, "kB")
    )
    drawn = [
        Column(label, f"{label}: {both_ways(*shown[key])}", (shown[key][0] / size, shown[key][1] / size))
        for key, label in steps.items()
    ]
    named = {"hour": "the last 24 hours", "day": f"the last {days} days", "month": "the last 13 months"}[step]
    summary = f"In {named}: {both_ways(down, up)}."
    return {
        "chart": columns(drawn, names=NAMES, unit=unit, summary=summary),
        "summary": summary,
        "zone": account.timezone,
    }


def _steps(step: str, since: date, today: date, now: datetime) -> dict[Any, str]:
    """Map each step of the time to its label, the oldest first."""
    if step == "hour":
        begin = (now - timedelta(hours=23)).replace(minute=0, second=0, microsecond=0)
        hours = [begin.astimezone(now.tzinfo) + timedelta(hours=each) for each in range(24)]
        return {hour.strftime("%Y-%m-%d %H"): hour.strftime("%H:00") for hour in hours}
    if step == "day":
        days = [since + timedelta(days=each) for each in range((today - since).days + 1)]
        return {day.isoformat(): formats.date_format(day, "j M") for day in days}
    months = [(since.year * 12 + since.month - 1 + each) for each in range(13)]
    return {
        f"{month // 12:04d}-{month % 12 + 1:02d}-01": formats.date_format(
            date(month // 12, month % 12 + 1, 1), "M y"
        )
        for month in months
    }


def _key(start: date | datetime, zone: ZoneInfo) -> str:
    if isinstance(start, datetime):
        return start.astimezone(zone).strftime("%Y-%m-%d %H")
    return start.isoformat()


def _cap(account: Account, state: AccountState | None) -> dict[str, Any]:
    """Say how much of the period's data is used."""
    if state is None or state.allowance_bytes is None:
        return {"has_cap": False}
    percent = (
        min(100, round(100 * state.used_bytes / state.allowance_bytes)) if state.allowance_bytes else 100
    )
    tone = "danger" if percent >= 100 else "warning" if percent >= NEARLY_USED else "good"
    left = max(0, state.allowance_bytes - state.used_bytes)
    return {
        "has_cap": True,
        "meter": meter(share(state.used_bytes, state.allowance_bytes), tone=tone, label=f"{percent} % used"),
        "facts": [
            ("Used", f"{data(state.used_bytes)} of {data(state.allowance_bytes)}"),
            ("Left", data(left)),
            ("Cap", data(account.cap_bytes)),
            ("Rolled over and kept", data(state.extra_bytes)),
            ("Period ends", moment(state.period_ends_at, empty="never: a voucher's data is there once")),
            ("When it is used up", account.get_over_cap_display()),
        ],
    }


def _top_up(top_up: TopUp, at: datetime) -> dict[str, Any]:
    if top_up.closed_at:
        state = pill("Ended", "plain")
    elif top_up.expires_at and top_up.expires_at <= at:
        state = pill("Over", "plain")
    else:
        state = pill("Valid", "good")
    return {
        "data": data(top_up.bytes),
        "state": state,
        "from": moment(top_up.valid_from),
        "until": moment(top_up.expires_at, empty="the period ends"),
        "note": top_up.note,
    }


def strip_of(account: Any, at: datetime, state: AccountState | None) -> dict[str, Any]:
    """Return an account as other pages show it in a line."""
    words, tone = standing(account, state, at)
    return {
        "url": links.url_of("account", account.pk),
        "username": account.username,
        "words": words,
        "tone": tone,
        "speed": speed(account.policy),
        "last_seen": moment(state.last_seen_at if state else None, empty="never"),
    }
