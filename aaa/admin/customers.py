"""The access of a customer's lines, on the customer's page and on that of a service."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from aaa.admin.account_page import strip_of
from aaa.admin.rejects import reject_row
from aaa.admin.sessions import row_of
from aaa.admin.words import CONTEXT_TONES
from aaa.models import Account, AccountState, AuthAttempt, Context, Session
from ispcore.admin.formats import pill
from subscribers.admin import tabs
from subscribers.models import ServiceStatus, Subscriber, Subscription

LINES_SHOWN = 20
ACCOUNTS_SHOWN = 40
SESSIONS_SHOWN = 40
REJECTS_SHOWN = 8
ENDED = (ServiceStatus.TERMINATED, ServiceStatus.CANCELLED)
GARDEN = (Context.BLOCKED, Context.EXPIRED)


def access_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Read the accounts of a customer's lines; as many queries for one line as for six."""
    rows = Subscription.objects.filter(subscriber=subscriber).exclude(status__in=ENDED)
    return _access(request, list(rows.select_related("plan").order_by("pk")[:LINES_SHOWN]))


def service_panel(request: HttpRequest, line: Subscription) -> dict[str, Any]:
    """Read the accounts of one line."""
    return {**_access(request, [line]), "is_single": True}


def _access(request: HttpRequest, lines: list[Subscription]) -> dict[str, Any]:
    at = timezone.now()
    accounts = list(
        Account.objects.filter(subscription__in=[line.pk for line in lines])
        .select_related("policy")
        .order_by("pk")[:ACCOUNTS_SHOWN]
    )
    keys = [account.pk for account in accounts]
    states = {state.account_id: state for state in AccountState.objects.filter(account__in=keys)}
    live: dict[Any, list[dict[str, Any]]] = {}
    sessions = Session.objects.filter(account__in=keys, stopped_at=None).select_related("nas", "account")
    for session in sessions.order_by("-started_at")[:SESSIONS_SHOWN]:
        live.setdefault(session.account_id, []).append(row_of(session))
    of_line: dict[Any, list[dict[str, Any]]] = {}
    for account in accounts:
        drawn = strip_of(account, at, states.get(account.pk)) | {"live": live.get(account.pk, [])}
        of_line.setdefault(account.subscription_id, []).append(drawn)
    refused = AuthAttempt.objects.filter(
        username_key__in=[each.username_key for each in accounts], accepted=False
    )
    user = request.user
    add = reverse("admin:aaa_account_add")
    return {
        "access": [
            {
                "name": str(line),
                "plan": line.plan.name,
                "accounts": of_line.get(line.pk, []),
                "add_url": f"{add}?subscription={line.pk}" if user.has_perm("aaa.manage") else "",
            }
            for line in lines
        ],
        "rejects": [
            reject_row(each, at) for each in refused.select_related("nas").order_by("-at")[:REJECTS_SHOWN]
        ],
        "may_operate": user.has_perm("aaa.operate"),
    }


def session_lights(lines: Sequence[Subscription]) -> dict[UUID, str]:
    """Tell of each line with an account whether it is online, by its newest live session."""
    live = Session.objects.filter(account=OuterRef("pk"), stopped_at=None).order_by("-started_at")
    rows = Account.objects.filter(subscription__in=[line.pk for line in lines if line.status not in ENDED])
    found: dict[UUID, str] = {}
    for line_id, context in rows.values_list("subscription_id", Subquery(live.values("context")[:1])):
        found[line_id] = context or found.get(line_id, "")
    runs = {line.pk for line in lines if line.status == ServiceStatus.ACTIVE}
    return {line_id: _session_light(context, line_id in runs) for line_id, context in found.items()}


def _session_light(context: str, should_run: bool) -> str:
    if not context:
        return pill("No session", "danger" if should_run else "plain")
    words = "In the walled garden" if context in GARDEN else "Online"
    return pill(
        "Online, slowed down" if context == Context.THROTTLED else words, CONTEXT_TONES[Context(context)]
    )


tabs.add_lights(25, "session", allowed="aaa.view_account", read=session_lights)
tabs.add(
    25,
    "access",
    "Access",
    template="admin/aaa/customer.html",
    allowed="aaa.view_account",
    read=access_tab,
)
tabs.add_panel(
    25,
    "access",
    template="admin/aaa/customer.html",
    allowed="aaa.view_account",
    read=service_panel,
)
