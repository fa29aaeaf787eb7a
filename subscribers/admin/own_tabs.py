"""The tabs of a customer's page that are this app's own: services, and what happened."""

from typing import Any
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from ispcore.admin import history
from ispcore.admin.formats import DASH
from subscribers import selectors
from subscribers.admin import tabs
from subscribers.admin.subscribers import UNTOLD
from subscribers.admin.words import hold_row
from subscribers.models import Hold, PlanChange, Subscriber, Subscription

TIMELINE_ENTRIES = 50


def services_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    lines = request.customer_lines  # type: ignore[attr-defined]
    premises = {line.premise.pk: line.premise for line in lines}
    return {
        "premises": [
            {
                "url": reverse("admin:subscribers_premise_change", args=[premise.pk]),
                "name": str(premise),
                "zone": premise.zone.name if premise.zone else DASH,
                "services": ", ".join(str(line.number) for line in lines if line.premise_id == premise.pk),
            }
            for premise in premises.values()
        ],
        "holds": [
            {"service": str(hold.subscription), **hold_row(hold)} for hold in selectors.holds_of(lines)
        ],
    }


def timeline_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    lines = request.customer_lines  # type: ignore[attr-defined]
    # What one transaction wrote has one time: the later steps of an order stand first, as newest do.
    subjects: dict[type[Model], dict[UUID, str]] = {
        PlanChange: {
            change.pk: f"{change.subscription}, change of plan: {change}"
            for change in selectors.plan_changes_of(lines)
        },
        Hold: {hold.pk: f"{hold.subscription}, hold: {hold}" for hold in selectors.holds_of(lines)},
        Subscription: {line.pk: str(line) for line in lines},
        Subscriber: {subscriber.pk: "Subscriber"},
    }
    return {"entries": history.timeline(subjects, limit=TIMELINE_ENTRIES, ignore=UNTOLD)}


tabs.add(
    10,
    "services",
    "Services",
    template="admin/subscribers/subscriber/services.html",
    allowed="subscribers.view_subscription",
    read=services_tab,
)
tabs.add(
    50,
    "timeline",
    "Timeline",
    template="admin/subscribers/subscriber/timeline.html",
    allowed="subscribers.view_subscriber",
    read=timeline_tab,
)
