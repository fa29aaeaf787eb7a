"""A customer's invoices: what they owe in the head of their page, and the last ones on a tab."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from billing.admin.invoices.states import state_of
from billing.admin.terms import today
from billing.models import (
    Invoice,
)
from billing.services import accounts
from billing.services.documents.invoices import is_open
from ispcore.admin.formats import DASH, day, money, pill, said
from subscribers.admin import tabs
from subscribers.models import Subscriber

ON_THE_TAB = 12


def balance_facts(request: HttpRequest, subscriber: Subscriber) -> list[tuple[str, Any]]:
    """Say in the head of a customer's page what they owe."""
    on = today()
    try:
        found = accounts.balance_of(subscriber, on=on)
    except accounts.CurrencyUnknown:
        return [("Balance", "Nothing billed yet")]
    if found.credit:
        return [("Balance", f"{said(found.credit, found.currency)} credit")]
    owed = said(found.balance, found.currency) if found.balance else "Nothing owed"
    if not found.overdue_since:
        return [("Balance", owed)]
    days = (on - found.overdue_since).days
    words = f"{said(found.overdue, found.currency)} for {days} day{'s' if days > 1 else ''}"
    return [("Balance", owed), ("Overdue", pill(words, "danger"))]


def customer_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Read a customer's last invoices; as many queries for one as for many."""
    rows = list(Invoice.objects.filter(subscriber=subscriber).order_by("-id")[: ON_THE_TAB + 1])
    on = today()
    may_write = request.user.has_perm("billing.add_invoice")
    return {
        "invoices": [
            {
                "url": reverse("admin:billing_invoice_change", args=[one.pk]),
                "number": one.number or "Draft",
                "issued": day(one.issued_on),
                "due": day(one.due_on),
                "total": money(one.total, one.currency),
                "open": money(one.open_amount, one.currency) if is_open(one) else DASH,
                "state": state_of(one, on),
            }
            for one in rows[:ON_THE_TAB]
        ],
        "write_url": f"{reverse('admin:billing_invoice_add')}?{urlencode({'subscriber': subscriber.pk})}"
        if may_write
        else "",
        "more_url": f"{reverse('admin:billing_invoice_changelist')}?{urlencode({'q': subscriber.number})}"
        if len(rows) > ON_THE_TAB
        else "",
    }


tabs.add(
    20,
    "invoices",
    "Invoices",
    template="admin/billing/invoices_tab.html",
    allowed="billing.view_invoice",
    read=customer_tab,
)
tabs.add_facts(10, "balance", allowed="billing.view_invoice", read=balance_facts)
