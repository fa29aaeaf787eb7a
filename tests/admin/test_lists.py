"""Lists of rows: pages behind an estimate, and what the theme is asked for once."""

import pytest
from django.core.paginator import EmptyPage
from django.test import Client
from django.urls import reverse

from aaa.models import Policy
from ispcore import totals
from ispcore.admin.paginator import BoundedPaginator
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.aaa.online import make_account, make_nas, make_session
from tests.factories import PolicyFactory


@pytest.fixture
def pages(acting: Tenant, monkeypatch: pytest.MonkeyPatch) -> BoundedPaginator:
    """Pages of two of seven rows, whose number is estimated too low."""
    for number in range(7):
        PolicyFactory(name=f"Policy {number}")
    monkeypatch.setattr(totals, "EXACT_UP_TO", 2)
    monkeypatch.setattr(totals, "_planned_rows", lambda rows: 4)
    monkeypatch.setattr(totals, "_estimates", totals.Remembered())
    return BoundedPaginator(Policy.objects.order_by("name"), 2)


@pytest.mark.django_db
class TestPages:
    def test_a_page_behind_the_estimate_is_shown(self, pages: BoundedPaginator) -> None:
        assert pages.num_pages == 2

        page = pages.page(4)

        assert [policy.name for policy in page] == ["Policy 6"]
        assert (pages.num_pages, page.has_next()) == (4, False)

    @pytest.mark.parametrize("number", [0, -1, 5, 10**12])
    def test_one_without_rows_is_not(self, pages: BoundedPaginator, number: int) -> None:
        with pytest.raises(EmptyPage):
            pages.page(number)

        assert pages.num_pages == 2

    def test_an_exact_number_is_not_doubted(self, acting: Tenant) -> None:
        PolicyFactory()

        with pytest.raises(EmptyPage):
            BoundedPaginator(Policy.objects.order_by("name"), 2).page(2)


@pytest.mark.django_db
def test_each_row_has_its_own_box_and_labels(browser: Client, tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        nas = make_nas(None)
        sessions = [make_session(nas, make_account(f"jane{n}"), str(n)) for n in range(3)]

    page = browser.get(reverse("admin:aaa_session_changelist")).content.decode()

    assert page.count('name="_selected_action"') == 3
    assert all(page.count(f'value="{session.pk}"') == 1 for session in sessions)
    assert page.count('data-label="NAS"') == 3
