"""What a customer, or one service, is charged besides plans, on their pages."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from billing.admin.charges import charge_state, taken_off
from billing.admin.terms import standing, today
from billing.models import AddOn, Discount, OneOffCharge, TaxExemption
from ispcore.admin.formats import day, money
from subscribers.admin import tabs
from subscribers.models import Subscriber, Subscription

ROWS_SHOWN = 20


def customer_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Read what a customer has of each; as many queries for one as for many."""
    return _shown(
        request,
        AddOn.objects.filter(subscription__subscriber=subscriber),
        OneOffCharge.objects.filter(subscriber=subscriber),
        Discount.objects.filter(subscriber=subscriber),
        TaxExemption.objects.filter(subscriber=subscriber),
        {"subscriber": subscriber.pk},
    )


def service_panel(request: HttpRequest, line: Subscription) -> dict[str, Any]:
    """Read what one service has of each."""
    return _shown(
        request,
        AddOn.objects.filter(subscription=line),
        OneOffCharge.objects.filter(subscription=line),
        Discount.objects.filter(Q(subscription=line) | Q(subscription=None, subscriber=line.subscriber_id)),
        None,
        {"subscriber": line.subscriber_id, "subscription": line.pk},
    )


def _shown(
    request: HttpRequest,
    add_ons: QuerySet[AddOn],
    charges: QuerySet[OneOffCharge],
    discounts: QuerySet[Discount],
    exemptions: QuerySet[TaxExemption] | None,
    of: dict[str, Any],
) -> dict[str, Any]:
    on = today()
    boxes = [
        _box(
            request, "addon", "Add-ons", "Nothing besides the plan.", of,
            [
                (each.pk, each.name, money(each.price, each.currency), _days(each), _state(each, on))
                for each in add_ons.order_by("-pk")[:ROWS_SHOWN]
            ],
        ),
        _box(
            request, "oneoffcharge", "Charges", "Nothing is charged besides.", of,
            [
                (each.pk, each.name, money(each.amount, each.currency), f"due {day(each.due_on)}", charge_state(each))
                for each in charges.order_by("-pk")[:ROWS_SHOWN]
            ],
        ),
        _box(
            request, "discount", "Discounts", "Nothing is taken off.", of,
            [
                (each.pk, each.name, taken_off(each), _days(each), _state(each, on))
                for each in discounts.select_related("subscription__plan").order_by("-pk")[:ROWS_SHOWN]
            ],
        ),
    ]  # fmt: skip
    if exemptions is not None:
        rows = [
            (
                each.pk,
                each.reason,
                str(each.rate or "every tax"),
                _days(each),
                standing(each.starts_on, each.ends_on, on),
            )
            for each in exemptions.select_related("rate").order_by("-pk")[:ROWS_SHOWN]
        ]
        boxes.append(_box(request, "taxexemption", "Tax exemptions", "Pays every tax.", of, rows))
    return {"boxes": boxes}


def _box(
    request: HttpRequest, model: str, title: str, empty: str, of: dict[str, Any], rows: list[tuple[Any, ...]]
) -> dict[str, Any]:
    may_add = request.user.has_perm(f"billing.add_{model}")
    if model == "addon":
        of = {name: pk for name, pk in of.items() if name == "subscription"}
    return {
        "title": title,
        "empty": empty,
        "add_url": f"{reverse(f'admin:billing_{model}_add')}?{urlencode(of)}" if may_add else "",
        "rows": [
            {
                "url": reverse(f"admin:billing_{model}_change", args=[pk]),
                "name": name,
                "much": much,
                "days": days,
                "state": state,
            }
            for pk, name, much, days, state in rows
        ],
    }


def _days(each: Any) -> str:
    return f"{day(each.starts_on)} to {day(each.ends_on, empty='no end')}"


def _state(each: Any, on: date) -> str:
    return standing(each.starts_on, each.ends_on, on)


tabs.add(
    22,
    "charges",
    "Charges",
    template="admin/billing/charges.html",
    allowed="billing.view_addon",
    read=customer_tab,
)
tabs.add_panel(
    22,
    "charges",
    template="admin/billing/charges.html",
    allowed="billing.view_addon",
    read=service_panel,
)
