"""Customers, services, amounts and steps as the pages of billing write them."""

from typing import Any

from django.contrib import admin

from ispcore.admin import links
from ispcore.admin.formats import DASH, money
from subscribers.models import Subscriber, Subscription


def customer_link(subscriber: Subscriber) -> str:
    return links.link(links.url_of("subscriber", subscriber.pk), str(subscriber))


def numbered_link(subscriber: Subscriber) -> str:
    """Link a customer with their number: 'Jane Roe (C00000001)'."""
    return links.link(
        links.url_of("subscriber", subscriber.pk), f"{subscriber.full_name} ({subscriber.number})"
    )


def line_link(line: Subscription | None) -> str:
    return links.link(links.url_of("subscription", line.pk), str(line)) if line else DASH


@admin.display(description="Customer")
def customer(obj: Any) -> str:
    return customer_link(obj.subscriber)


def amount_column(field: str, description: str) -> Any:
    """Make a list column of an amount in the record's currency."""

    @admin.display(description=description)
    def column(obj: Any) -> str:
        return money(getattr(obj, field), obj.currency)

    column.__name__ = f"{field}_shown"
    return column


def step_words(step: int) -> str:
    """Say when a step comes: '3 days before', 'on the day', '7 days after'."""
    if step == 0:
        return "on the day"
    count = abs(step)
    return f"{count} day{'' if count == 1 else 's'} {'before' if step < 0 else 'after'}"
