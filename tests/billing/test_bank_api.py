"""Bank statements as an integrator calls them."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from billing.models import BankLine, BankStatement, Payment
from ispcore.tenants.context import tenant_context
from tests.billing.paying import owe, payer
from tests.billing.statements import csv, perform

pytestmark = pytest.mark.django_db


def send(api: Any, content: bytes | None = None, *, prefer: str = "respond-async", **fields: Any) -> Any:
    form = {"file": SimpleUploadedFile("march.csv", content)} if content is not None else {}
    body = encode_multipart(BOUNDARY, {**form, **fields})
    return api.send("post", "billing/reconciliations", body, MULTIPART_CONTENT, Prefer=prefer)


def test_a_statement_is_taken_in_and_its_lines_are_settled(acting, api):
    subscriber = payer()
    invoice = owe(subscriber, "29.90")
    started = send(
        api, csv(f"2026-03-09;29.90;x;{invoice.number}", "2026-03-10;5.00;y;z", "2026-03-10;-1;b;fee")
    )
    statement = perform(BankStatement.objects.get())
    path = f"billing/reconciliations/{statement.pk}"

    shown = api.get(path).json()["data"]
    waiting = api.get(f"billing/bank-lines?reconciliation_id={statement.pk}&state=unmatched").json()["data"]
    line = f"billing/bank-lines/{waiting[0]['id']}"
    paired = api.post(f"{line}/pair", {"subscriber_id": str(subscriber.pk)})
    again = api.post(f"{line}/pair", {"subscriber_id": str(subscriber.pk)})
    other = api.post(f"{line}/ignore", {})
    back = api.post(f"{line}/unpair", {"reason": "wrong"})
    ignored = api.post(f"{line}/ignore", {"reason": "rent"})

    assert (started.status_code, started.json()["data"]["kind"]) == (202, "billing.reconcile_statement")
    assert [shown[name] for name in ("status", "matched", "suggested", "unmatched", "ignored", "currency")] == [
        "done", 1, 0, 1, 1, "EUR",
    ]  # fmt: skip
    assert (waiting[0]["amount"], waiting[0]["suggestions"]) == ("5.00", [])
    assert (paired.status_code, paired.json()["data"]["state"]) == (200, "matched")
    assert again.json()["data"]["payment_id"] == paired.json()["data"]["payment_id"]
    assert (other.status_code, other.json()["error"]["code"]) == (409, "line_matched")
    assert (back.status_code, back.json()["data"]["state"]) == (200, "unmatched")
    assert (ignored.json()["data"]["state"], ignored.json()["data"]["note"]) == ("ignored", "rent")
    assert Payment.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 400, "missing_field"),
        ({"content": b"x", "currency": "EURO"}, 422, "validation_error"),
        ({"content": b"x", "colour": "red"}, 422, "validation_error"),
        ({"content": b"x", "account": "9" * 41}, 422, "validation_error"),
    ],
)
def test_what_cannot_be_is_refused(fields, status, code, api, acting):
    response = send(api, **fields)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert not BankStatement.objects.exists()


def test_the_same_file_is_a_conflict(acting, api):
    send(api, csv("2026-03-09;29.90;x;y"))

    again = send(api, csv("2026-03-09;29.90;x;y"))

    assert (again.status_code, again.json()["error"]["code"]) == (409, "duplicate_statement")
    assert BankStatement.objects.count() == 1


def test_a_line_is_not_paired_with_another_tenants_customer(acting, api, other_tenant):
    with tenant_context(other_tenant.pk):
        theirs = payer()
    send(api, csv("2026-03-09;29.90;x;y"), currency="EUR")
    perform(BankStatement.objects.get())
    line = BankLine.objects.get()

    answer = api.post(f"billing/bank-lines/{line.pk}/pair", {"subscriber_id": str(theirs.pk)})

    assert answer.status_code == 404
    line.refresh_from_db()
    assert (line.state, Payment.objects.count()) == ("unmatched", 0)


@pytest.mark.django_db(transaction=True)
def test_by_a_worker(tenant, api, worker):
    with tenant_context(tenant.pk):
        subscriber = payer()
        number = owe(subscriber, "29.90").number

    done = send(api, csv(f"2026-03-09;29.90;x;{number}"), prefer="wait=40")
    refused = send(api, b"nothing of use", prefer="wait=40")

    assert (done.status_code, done.json()["data"]["matched"], done.json()["data"]["unmatched"]) == (200, 1, 0)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "statement_unreadable")
    with tenant_context(tenant.pk):
        assert Payment.objects.get().subscriber == subscriber
