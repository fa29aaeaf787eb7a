"""Bank statements and reports as staff see them."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from billing.models import BankLine, BankStatement, Payment
from billing.services import payments
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from tests.billing.paying import owe
from tests.billing.statements import csv, perform

pytestmark = pytest.mark.django_db
REPORTS = ("debt", "revenue", "taxes", "cash", "journal")


def upload(browser: Client, content: bytes) -> Any:
    return browser.post(
        reverse("admin:billing_bankstatement_add"),
        {"upload": SimpleUploadedFile("march.csv", content), "account": "", "currency": ""},
    )


def act(browser: Client, line: BankLine, name: str, **answers: str) -> Any:
    url = reverse("admin:billing_bankline_action", args=[line.pk, name])
    return browser.post(url, {"confirmed": "yes", **answers}, follow=True)


def _payment_of(rows: dict, tenant: Tenant) -> Payment | None:
    with tenant_context(tenant.pk):
        return (
            BankLine.objects.select_related("payment__subscriber").get(pk=rows["billing.BankLine"].pk).payment
        )


class TestStatements:
    def test_are_uploaded_and_lead_to_their_page(self, browser: Client, rows: dict, tenant: Tenant) -> None:
        answer = upload(browser, csv("2026-03-09;29.90;Nobody;hello"))

        with tenant_context(tenant.pk):
            made = BankStatement.objects.get(name="march.csv")
            perform(made)
        page = browser.get(answer["Location"]).content.decode()
        assert answer["Location"] == reverse("admin:billing_bankstatement_change", args=[made.pk])
        assert "What became of its lines" in page
        assert "Nobody was found." in page

    def test_that_are_known_are_refused_at_the_field(self, browser: Client, rows: dict) -> None:
        upload(browser, csv("2026-03-09;29.90;Nobody;hello"))

        again = upload(browser, csv("2026-03-09;29.90;Nobody;hello"))

        assert "taken in already" in again.content.decode()

    def test_that_were_refused_say_why(self, browser: Client, rows: dict, tenant: Tenant) -> None:
        answer = upload(browser, b"Nom;Prenom\nA;B\n")
        with tenant_context(tenant.pk):
            perform(BankStatement.objects.get(name="march.csv"))

        page = browser.get(answer["Location"]).content.decode()

        assert "names a column for the day" in page
        assert "Nothing of the file was taken in." in page

    def test_cost_the_same_for_one_or_many(
        self, browser: Client, rows: dict, tenant: Tenant, query_count
    ) -> None:
        def list_pages() -> tuple[int, int]:
            return (
                query_count(browser.get, reverse("admin:billing_bankstatement_changelist")),
                query_count(browser.get, reverse("admin:billing_bankline_changelist")),
            )

        list_pages()
        one = list_pages()
        with tenant_context(tenant.pk):
            for number in range(5):
                statement = BankStatement.objects.create(name="x", sha256=f"{number + 1:064x}", status="done")
                BankLine.objects.create(
                    statement=statement, line_number=1, booked_on="2026-03-10", amount=5, currency="EUR",
                    content_key=f"{number + 1:032x}",
                )  # fmt: skip

        assert list_pages() == one


class TestLines:
    def test_are_booked_as_suggested(self, browser: Client, rows: dict, tenant: Tenant) -> None:
        page = act(browser, rows["billing.BankLine"], "book").content.decode()

        assert "Booked: 1." in page
        payment = _payment_of(rows, tenant)
        assert payment is not None
        assert payment.subscriber == rows["subscribers.Subscriber"]

    def test_are_paired_in_a_dialog_with_suggestions(
        self, browser: Client, rows: dict, tenant: Tenant
    ) -> None:
        line, customer = rows["billing.BankLine"], rows["subscribers.Subscriber"]
        url = reverse("admin:billing_bankline_action", args=[line.pk, "pair"])

        dialog = browser.get(url).content.decode()
        unknown = act(browser, line, "pair", suggestion="another", number="SUB-999999").content.decode()
        nobody = act(browser, line, "pair", suggestion="another").content.decode()
        act(browser, line, "pair", suggestion="another", number=customer.number.lower())

        assert customer.full_name in dialog
        assert "There is no customer with this number." in unknown
        assert "Give the number of the customer who paid." in nobody
        with tenant_context(tenant.pk):
            line.refresh_from_db()
            assert (line.state, line.payment.subscriber) == ("matched", customer)

    def test_are_left_out_and_taken_back(self, browser: Client, rows: dict, tenant: Tenant) -> None:
        line = rows["billing.BankLine"]

        act(browser, line, "ignore", reason="Rent")
        act(browser, line, "unpair", reason="")

        with tenant_context(tenant.pk):
            line.refresh_from_db()
            assert line.state == "suggested"

    def test_of_a_list_are_booked_together(self, browser: Client, rows: dict, tenant: Tenant) -> None:
        url = reverse("admin:billing_bankline_changelist")
        line = rows["billing.BankLine"]

        browser.post(url, {"action": "book_them", "_selected_action": [str(line.pk)], "confirmed": "yes"})

        payment = _payment_of(rows, tenant)
        assert payment is not None
        assert payment.amount == Decimal("29.90")

    def test_are_only_shown_to_who_may_not_change_them(
        self, browser_as: Callable[[Role], Client], rows: dict, tenant: Tenant
    ) -> None:
        viewer = browser_as(Role.SUBSCRIBER_ADMINISTRATOR)
        line = rows["billing.BankLine"]

        page = viewer.get(reverse("admin:billing_bankline_change", args=[line.pk]))
        refused = act(viewer, line, "book")

        assert page.status_code == 200
        assert "Book as suggested" not in page.content.decode()
        assert refused.status_code == 403
        assert _payment_of(rows, tenant) is None


class TestReports:
    @pytest.mark.parametrize("name", REPORTS)
    def test_teach_when_there_is_nothing(self, browser: Client, rows: dict, name: str) -> None:
        assert browser.get(reverse(f"admin:billing_report_{name}")).status_code == 200

    @pytest.mark.parametrize("name", REPORTS)
    def test_are_closed_to_who_may_not_see_billing(
        self, browser_as: Callable[[Role], Client], name: str
    ) -> None:
        assert browser_as(Role.SUPPORT).get(reverse(f"admin:billing_report_{name}")).status_code == 403

    def test_show_what_is_there_with_charts(self, browser: Client, rows: dict, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            customer = rows["subscribers.Subscriber"]
            owe(customer, "1234.50", due_on=date(2026, 1, 1))
            payments.receive(
                subscriber_id=customer.pk, amount=Decimal("34.50"), currency="EUR", method="cash",
                received_at=datetime(2026, 3, 10, 12, tzinfo=UTC),
            )  # fmt: skip
        period = {"from": "2026-02-01", "last": "2026-03-31"}

        debt = browser.get(reverse("admin:billing_report_debt")).content.decode()
        cash = browser.get(reverse("admin:billing_report_cash"), period).content.decode()
        taxes = browser.get(reverse("admin:billing_report_taxes"), period).content.decode()

        assert "1\u202f200.00\u00a0EUR" in debt
        assert customer.full_name in debt
        assert "<svg" in cash
        assert "34.50\u00a0EUR" in cash
        assert "The ledger has the same" in taxes

    def test_are_fetched_as_files(self, browser: Client, rows: dict, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            owe(rows["subscribers.Subscriber"], "10.00")

        debt = browser.get(reverse("admin:billing_report_debt"), {"file": "csv"})
        journal = browser.get(
            reverse("admin:billing_report_journal"),
            {"file": "csv", "from": "2026-02-01", "last": "2026-03-31"},
        )

        assert b"10.00" in b"".join(debt.streaming_content)  # type: ignore[attr-defined]
        assert journal["Content-Disposition"] == 'attachment; filename="journal-2026-02-01-2026-03-31.csv"'
        lines = b"".join(journal.streaming_content).splitlines()  # type: ignore[attr-defined]
        assert len(lines) == 2

    def test_of_a_period_that_is_none_say_so(self, browser: Client, rows: dict) -> None:
        page = browser.get(
            reverse("admin:billing_report_taxes"), {"from": "2020-01-01", "last": "2026-03-31"}, follow=True
        ).content.decode()

        assert "at most 366 days" in page
