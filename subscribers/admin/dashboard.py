"""The customers' part of the dashboard."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats

from ispcore.admin import dashboard
from ispcore.admin.dashboard import Bar, Chart, FirstStep, Part, Tile, share
from subscribers import selectors
from subscribers.models import ServiceStatus, SubscriberStatus
from subscribers.selectors import Month, Overview

NEW = Part("New", 0, 0, "good")
ENDED = Part("Ended", 0, 0, "danger")


def tiles(request: HttpRequest) -> list[Tile]:
    found = _overview(request)
    if not any(found.subscribers.values()):
        return []
    lines = reverse("admin:subscribers_subscription_changelist")
    people = reverse("admin:subscribers_subscriber_changelist")
    waiting = found.lines[ServiceStatus.PENDING_INSTALLATION]
    suspended = found.lines[ServiceStatus.SUSPENDED]
    return [
        Tile(
            "Active lines",
            found.lines[ServiceStatus.ACTIVE],
            f"{lines}?status__exact=active",
            hint=f"{waiting} to install" if waiting else "none to install",
            tone="good",
        ),
        Tile(
            "Suspended lines",
            suspended,
            f"{lines}?status__exact=suspended",
            hint="with an open hold",
            tone="warning" if suspended else "",
        ),
        Tile(
            "Prospects",
            found.subscribers[SubscriberStatus.PROSPECT],
            f"{people}?status__exact=prospect",
            hint="not connected yet",
            tone="info",
        ),
    ]


def change_chart(request: HttpRequest) -> list[Chart]:
    found = _overview(request)
    if not any(found.lines.values()):
        return []
    months = selectors.months()
    most = max(month.new + month.ended for month in months)
    return [
        Chart(
            "New and ended services",
            [_month_bar(month, most) for month in months] if most else [],
            empty="No service began or ended in the last twelve months.",
            hint="By the month a line was first activated, and the month it was terminated.",
            legend=[NEW, ENDED],
        )
    ]


def _month_bar(month: Month, most: int) -> Bar:
    return Bar(
        label=formats.date_format(month.first, "M Y"),
        value=f"{month.new} new, {month.ended} ended",
        parts=[
            Part(NEW.label, month.new, share(month.new, most), NEW.tone),
            Part(ENDED.label, month.ended, share(month.ended, most), ENDED.tone),
        ],
    )


def first_steps(request: HttpRequest) -> list[FirstStep]:
    if any(_overview(request).subscribers.values()):
        return []
    return [
        FirstStep(
            "Add your first subscriber",
            "A subscriber is a person or a company. Give a name and a way to reach them; a plan and a premise "
            "make a service of it.",
            "Add a subscriber",
            reverse("admin:subscribers_subscriber_add"),
        )
    ]


def _overview(request: HttpRequest) -> Overview:
    """Count once per request: several parts of the dashboard show the same numbers."""
    if not hasattr(request, "customer_overview"):
        request.customer_overview = selectors.overview()  # type: ignore[attr-defined]
    found: Overview = request.customer_overview  # type: ignore[attr-defined]
    return found


dashboard.add_tiles(20, allowed="subscribers.view_subscription", read=tiles)
dashboard.add_charts(60, allowed="subscribers.view_subscription", read=change_chart)
dashboard.add_first_steps(60, allowed="subscribers.add_subscriber", read=first_steps)
