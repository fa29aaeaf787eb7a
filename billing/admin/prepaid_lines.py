"""Until when prepaid services are paid: their list, and on the pages of customers and services."""

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from billing.admin.words import customer_link
from billing.models import PrepaidLine
from billing.services.prepaid import outlook
from ispcore.admin import links, navigation
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import DASH, day, facts, moment, money, pill, said, time_column
from ispcore.admin.site import register
from subscribers.admin import tabs
from subscribers.models import ServiceStatus, Subscriber, Subscription

ROWS_SHOWN = 20
RUNS = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)


def last_day(paid_until: date) -> str:
    """Write the last day that is paid, which people mean by 'until'."""
    return day(paid_until - timedelta(days=1))


def state_of(line: PrepaidLine) -> str:
    return pill("Waits for credit", "warning") if line.waits_since else pill("Paid", "good")


@register(PrepaidLine)
class PrepaidLineAdmin(ReadOnlyAdmin):
    """Until when each prepaid service is paid."""

    list_display = (
        "service",
        "customer_shown",
        "state",
        "paid_shown",
        "missing_shown",
        time_column("waits_since", "Waits since"),
    )
    list_select_related = ("subscription__subscriber",)
    search_fields = ("=subscription__number", "subscription__subscriber__number")
    search_help_text = "The number of a service or of a customer, in full"
    ordering = ("paid_until",)
    sortable_by = ("paid_shown",)
    fieldsets = ((None, {"fields": ("facts_shown",)}),)
    readonly_fields = ("facts_shown",)
    empty_title = "No prepaid service yet"
    empty_help = (
        "A customer whose billing profile is prepaid buys each period from credit. Until when a service is paid stands "
        "here, and what is missing where one waits for a top-up."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PrepaidLine]:
        return super().get_queryset(request).select_related("subscription__subscriber")

    @admin.display(description="Service")
    def service(self, obj: PrepaidLine) -> str:
        return str(obj.subscription)

    @admin.display(description="Customer")
    def customer_shown(self, obj: PrepaidLine) -> str:
        return customer_link(obj.subscription.subscriber)

    @admin.display(description="State")
    def state(self, obj: PrepaidLine) -> str:
        return state_of(obj)

    @admin.display(description="Paid until", ordering="paid_until")
    def paid_shown(self, obj: PrepaidLine) -> str:
        return last_day(obj.paid_until)

    @admin.display(description="Missing")
    def missing_shown(self, obj: PrepaidLine) -> str:
        return money(obj.missing, obj.currency) if obj.missing is not None else DASH

    @admin.display(description="Prepaid")
    def facts_shown(self, obj: PrepaidLine) -> str:
        return facts(
            [
                ("Service", links.link(links.url_of("subscription", obj.subscription_id), self.service(obj))),
                ("Customer", self.customer_shown(obj)),
                ("State", self.state(obj)),
                ("Paid until", last_day(obj.paid_until)),
                ("Missing for the next period", self.missing_shown(obj)),
                ("Waits since", moment(obj.waits_since)),
            ]
        )


def customer_facts(request: HttpRequest, subscriber: Subscriber) -> list[tuple[str, Any]]:
    """Say in the head of a customer's page until when all their prepaid services are paid; one query."""
    lines = list(_lines_of(subscriber).only("paid_until", "waits_since"))
    if not lines:
        return []
    if any(line.waits_since for line in lines):
        return [("Prepaid", pill("Waits for credit", "warning"))]
    return [("Prepaid until", last_day(min(line.paid_until for line in lines)))]


def customer_rows(subscriber: Subscriber) -> list[dict[str, Any]]:
    """Return each prepaid service of a customer with its end, for the tab of payments; one query."""
    return [
        {
            "url": links.url_of("subscription", line.subscription_id),
            "name": str(line.subscription),
            "state": state_of(line),
            "until": last_day(line.paid_until),
            "missing": said(line.missing, line.currency) if line.missing is not None else "",
        }
        for line in _lines_of(subscriber).select_related("subscription")[:ROWS_SHOWN]
    ]


def service_panel(request: HttpRequest, line: Subscription) -> dict[str, Any]:
    """Read until when one service is paid and how long the credit lasts; nothing for one that is not prepaid."""
    seen = outlook.outlook(line)
    if seen is None:
        return {"prepaid": None}
    may_take = request.user.has_perm("billing.add_payment")
    rows = [
        ("Waits since", moment(seen.waits_since))
        if seen.waits_since
        else ("Paid until", last_day(seen.paid_until)),
        ("Credit", said(seen.credit, seen.currency)),
        ("The next period costs", said(seen.price, seen.currency)),
        ("Missing for it", said(seen.missing, seen.currency))
        if seen.missing
        else (
            "The credit lasts until",
            last_day(seen.lasts_until) if seen.lasts_until else "no end: it costs nothing",
        ),
    ]
    return {
        "prepaid": {
            "state": pill("Waits for credit", "warning") if seen.waits_since else pill("Paid", "good"),
            "facts": rows,
            "others": seen.other_lines,
            "take_url": f"{reverse('admin:billing_payment_add')}?{urlencode({'subscriber': line.subscriber_id})}"
            if may_take
            else "",
        }
    }


def _lines_of(subscriber: Subscriber) -> QuerySet[PrepaidLine]:
    rows: QuerySet[PrepaidLine] = PrepaidLine.objects.filter(
        subscription__subscriber=subscriber, subscription__status__in=RUNS
    )
    return rows.order_by("paid_until", "pk")


tabs.add_facts(12, "prepaid", allowed="billing.view_prepaidline", read=customer_facts)
tabs.add_panel(
    20,
    "prepaid",
    template="admin/billing/prepaid_panel.html",
    allowed="billing.view_prepaidline",
    read=service_panel,
)
navigation.add_list("Billing", 61, "Prepaid services", PrepaidLine, icon="hourglass_bottom")
