"""Days, steps and customers as the pages of dunning write them."""

from typing import Any

from django.contrib import admin
from django.utils import formats

from ispcore.admin import links
from ispcore.admin.formats import DASH
from subscribers.models import Subscriber


def day(value: Any, *, empty: str = DASH) -> str:
    """Write a day of the provider's."""
    return formats.date_format(value, "j M Y") if value else empty


def day_column(field: str, description: str, *, empty: str = DASH) -> Any:
    """Make a list column of a day."""

    @admin.display(description=description, ordering=field)
    def column(obj: Any) -> str:
        return day(getattr(obj, field), empty=empty)

    column.__name__ = f"{field}_day"
    return column


def customer_link(subscriber: Subscriber) -> str:
    return links.link(links.url_of("subscriber", subscriber.pk), str(subscriber))


@admin.display(description="Customer")
def customer(obj: Any) -> str:
    return customer_link(obj.subscriber)


def step_words(step: int) -> str:
    """Say when a step comes: '3 days before', 'on the day', '7 days after'."""
    if step == 0:
        return "on the day"
    count = abs(step)
    return f"{count} day{'' if count == 1 else 's'} {'before' if step < 0 else 'after'}"
