"""Figures stand at the right edge of their column, and so do their heads."""

from datetime import date
from typing import Any

import pytest

from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from tests.admin.browsing import logged_in
from tests.billing.paying import owe, payer

# How far the text of a head ends from where the amounts below it end.
DISTANCE = """name => {
    const edge = element => {
        const range = document.createRange();
        range.selectNodeContents(element);
        return range.getBoundingClientRect().right;
    };
    const head = document.querySelector(`#result_list th.column-${name}`);
    const cells = [...document.querySelectorAll(`#result_list td.field-${name}`)];
    return Math.max(...cells.map(cell => Math.abs(edge(cell) - edge(head))));
}"""


@pytest.mark.django_db(transaction=True)
def test_heads_of_amounts_stand_over_their_figures(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User
) -> None:
    with tenant_context(tenant.pk):
        jane = payer()
        owe(jane, "1200")
        owe(jane, "20", due_on=date(2026, 4, 1))
        paid = owe(jane, "7")
        type(paid).objects.filter(pk=paid.pk).update(open_amount=0, status="paid")

    with logged_in(admin_user, live_server.url, monkeypatch, width=1440, height=900) as page:
        page.goto(f"{live_server.url}/admin/billing/invoice/")
        distances = [page.evaluate(DISTANCE, name) for name in ("total_shown", "open_shown")]

    assert [distance < 2 for distance in distances] == [True, True], distances
