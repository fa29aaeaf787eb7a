"""Invoices and accounts over the API."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing.models import Invoice, InvoiceMail
from billing.services import payments
from ispcore.tenants.context import tenant_context
from tests.billing.issued import AT, make_customer, make_issued

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(tenant: Any) -> Any:
    with tenant_context(tenant.pk):
        return make_customer()


@pytest.fixture
def invoice(tenant: Any, customer: Any) -> Invoice:
    with tenant_context(tenant.pk):
        return make_issued(customer, "100.00")


def test_a_draft_is_written_issued_and_found_by_its_number(api, customer):
    body = {
        "subscriber_id": str(customer.pk),
        "lines": [{"description": "Call-out", "unit_price": "12.50", "quantity": "2"}],
    }

    drafted = api.post("billing/invoices", body)
    draft = drafted.json()["data"]
    issued = api.post(f"billing/invoices/{draft['id']}/issue")

    assert drafted.status_code == 201
    assert (draft["status"], draft["number"], draft["total"]) == ("draft", "", "25.00")
    assert issued.status_code == 200
    number = issued.json()["data"]["number"]
    found = api.get(f"billing/invoices/{number}").json()["data"]
    assert found["id"] == draft["id"]
    assert found["lines"][0]["quantity"] == "2"
    assert found["payment_link"].startswith("http")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"description": "A", "unit_price": "1.001"}, "validation_error"),
        ({"description": "A", "unit_price": 1}, "validation_error"),
        ({"description": "A", "unit_price": "-1.00"}, "invoice_below_zero"),
        ({"unit_price": "1.00"}, "missing_field"),
    ],
)
def test_a_draft_with_a_mistake_is_refused(api, tenant, customer, line, code):
    answer = api.post("billing/invoices", {"subscriber_id": str(customer.pk), "lines": [line]})

    assert answer.json()["error"]["code"] == code
    with tenant_context(tenant.pk):
        assert not Invoice.objects.exists()


def test_it_is_fetched_as_pdf(api, invoice):
    answer = api.get(f"billing/invoices/{invoice.number}/pdf", {"language": "es"}, Accept="application/pdf")
    unknown = api.get(f"billing/invoices/{invoice.number}/pdf", {"language": "xx"})

    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-1.7")
    assert unknown.status_code == 400


def test_it_is_made_void_with_a_reason(api, invoice):
    without = api.post(f"billing/invoices/{invoice.pk}/void", {})
    answer = api.post(f"billing/invoices/{invoice.pk}/void", {"reason": "Wrong customer"})

    assert without.status_code == 400
    assert answer.json()["data"]["status"] == "void"
    assert answer.json()["data"]["open_amount"] == "0.00"


def test_it_is_credited_by_line_or_amount(api, invoice):
    line = api.get(f"billing/invoices/{invoice.pk}").json()["data"]["lines"][0]["id"]

    by_line = api.post(
        f"billing/invoices/{invoice.pk}/credit-notes",
        {"reason": "Slow", "lines": [{"line_id": line, "amount": "30.00"}]},
    )
    beyond = api.post(f"billing/invoices/{invoice.pk}/credit-notes", {"reason": "Slow", "amount": "70.01"})

    note = by_line.json()["data"]
    assert by_line.status_code == 201
    assert (note["kind"], note["total"], note["corrects_id"]) == ("credit_note", "30.00", str(invoice.pk))
    assert by_line["Location"].endswith(note["id"])
    assert (beyond.status_code, beyond.json()["error"]["code"]) == (409, "credit_beyond_invoice")
    assert api.get(f"billing/invoices/{invoice.pk}").json()["data"]["open_amount"] == "70.00"


def test_it_is_sent_by_a_task(api, tenant, invoice):
    answer = api.post(f"billing/invoices/{invoice.pk}/send", {}, Prefer="respond-async")

    assert answer.status_code == 202
    assert answer.json()["data"]["kind"] == "billing.send_invoice"
    with tenant_context(tenant.pk):
        assert InvoiceMail.objects.get().to == "zoe@customer.example"


class TestLists:
    @pytest.mark.parametrize(
        ("filters", "count"),
        [
            ({"status": "issued"}, 1),
            ({"status": "paid"}, 0),
            ({"overdue": "true"}, 1),
            ({"overdue": "false"}, 0),
            ({"due_on": "2026-03-20"}, 1),
            ({"due_on__gte": "2026-03-21"}, 0),
            ({"issued_on__lte": "2026-03-10"}, 1),
            ({"period": "2026-03-10"}, 0),
            ({"number": "INV-2026-*"}, 1),
            ({"currency": "USD"}, 0),
            ({"kind": "credit_note"}, 0),
        ],
    )
    def test_are_narrowed(self, api, invoice, filters, count):
        assert len(api.get("billing/invoices", filters).json()["data"]) == count

    def test_cost_the_same_for_one_and_for_six(self, api, tenant, customer, invoice, query_count):
        once = query_count(api.get, "billing/invoices")
        with tenant_context(tenant.pk):
            for _ in range(5):
                make_issued(customer)

        assert query_count(api.get, "billing/invoices") == once


class TestAccounts:
    def test_balance_tells_what_is_owed_and_overdue(self, api, tenant, customer, invoice):
        with tenant_context(tenant.pk):
            make_issued(customer, "50.00", at=timezone.now())

        data = api.get(f"billing/accounts/{customer.number}/balance").json()["data"]

        assert {**data, "as_of": ""} == {
            "balance": "150.00", "currency": "EUR", "overdue": "100.00", "credit": "0.00", "as_of": "",
        }  # fmt: skip

    def test_balance_below_zero_is_credit(self, api, tenant, customer):
        with tenant_context(tenant.pk):
            payments.receive(
                subscriber_id=customer.pk, amount=Decimal(20), currency="EUR", method="cash", received_at=AT
            )

        data = api.get(f"billing/accounts/{customer.pk}/balance").json()["data"]

        assert (data["balance"], data["credit"], data["overdue"]) == ("-20.00", "20.00", "0.00")

    def test_statement_is_json_csv_or_pdf(self, api, customer, invoice):
        span = {"from": "2026-03-01", "to": "2026-03-31"}
        path = f"billing/accounts/{customer.pk}/statement"

        plain = api.get(path, span).json()["data"]
        table = api.get(path, {**span, "as": "csv"})
        document = api.get(path, {**span, "as": "pdf", "language": "ar"})

        assert (plain["opening_balance"], plain["closing_balance"]) == ("0.00", "100.00")
        assert [entry["reference"] for entry in plain["entries"]] == [invoice.number]
        assert table["Content-Type"].startswith("text/csv")
        assert invoice.number in table.content.decode()
        assert document.content.startswith(b"%PDF-1.7")

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ({"from": "x"}, 400),
            ({"as": "doc"}, 400),
            ({"currency": "euro"}, 400),
            ({"language": "xx"}, 400),
            ({"from": "2026-03-02", "to": "2026-03-01"}, 422),
        ],
    )
    def test_statement_refuses_what_it_does_not_know(self, api, customer, query, status):
        assert api.get(f"billing/accounts/{customer.pk}/statement", query).status_code == status

    def test_of_another_provider_is_not_found(self, api, other_tenant):
        with tenant_context(other_tenant.pk):
            theirs = make_customer()

        for what in ("balance", "statement"):
            assert api.get(f"billing/accounts/{theirs.pk}/{what}").status_code == 404
            assert api.get(f"billing/accounts/{theirs.number}/{what}").status_code == 404
