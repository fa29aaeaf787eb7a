"""Invoices by e-mail, to a real SMTP server: sent once, or with the reason why not."""

from collections.abc import Iterator
from typing import Any

import pytest

from billing.models import Invoice, InvoiceMail
from billing.services import invoices
from billing.services.invoices import sending
from billing.services.invoices.links import payment_link
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from tests.billing.issued import AT, make_customer, make_identity, make_issued
from tests.billing.mail_server import MailServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        settings.DEFAULT_FROM_EMAIL = "billing@isp.example"
        yield server


def sent(tenant: Any, invoice: Invoice, **to: Any) -> Any:
    """Ask for the e-mail and do the worker's part."""
    with tenant_context(tenant.pk):
        _, job = invoices.send(invoice_id=invoice.pk, at=AT, **to)
    return work(tenant, job)


def work(tenant: Any, job: Job) -> Any:
    jobs.perform(tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: sending.deliver(run, at=AT))
    with tenant_context(tenant.pk):
        return Job.objects.get(pk=job.pk)


def mails(tenant: Any) -> list[tuple[str, str]]:
    with tenant_context(tenant.pk):
        return list(InvoiceMail.objects.order_by("id").values_list("status", "problem"))


@pytest.fixture
def invoice(tenant: Any) -> Invoice:
    with tenant_context(tenant.pk):
        make_identity(legal_name="Fibra S.L.", language="es")
        return make_issued(make_customer())


def test_arrives_with_the_pdf_and_the_link(tenant, invoice, mail):
    job = sent(tenant, invoice)

    (message,) = mail.messages
    assert message["To"] == "zoe@customer.example"
    assert message["From"] == '"Fibra S.L." <billing@isp.example>'
    assert message["Reply-To"] == "billing@isp.example"
    assert message["Subject"] == "Factura INV-2026-000001"
    text, pdf = message.iter_parts()
    with tenant_context(tenant.pk):
        assert "100,00" in text.get_content()
        assert payment_link(invoice).rpartition("/")[0] in text.get_content()
        assert Invoice.objects.get().sent_at == AT
    assert pdf.get_filename() == "INV-2026-000001.pdf"
    assert pdf.get_content().startswith(b"%PDF-1.7")
    assert job.status == "succeeded"
    assert mails(tenant) == [("sent", "")]


def test_is_not_sent_again_by_a_message_that_comes_twice(tenant, invoice, mail):
    job = sent(tenant, invoice)

    with tenant_context(tenant.pk):
        Job.objects.filter(pk=job.pk).update(status="queued", finished_at=None)
    work(tenant, job)

    assert len(mail.messages) == 1


def test_is_not_sent_again_when_the_worker_died_while_it_sent(tenant, invoice, mail):
    with tenant_context(tenant.pk):
        row, job = invoices.send(invoice_id=invoice.pk, at=AT)
        InvoiceMail.objects.filter(pk=row.pk).update(status="sending")

    work(tenant, job)

    assert mail.messages == []
    assert mails(tenant) == [("failed", sending.UNKNOWN)]
    with tenant_context(tenant.pk):
        assert Invoice.objects.get().sent_at is None


def test_says_what_the_server_refused(tenant, invoice, mail):
    mail.refuses = "550 no such person"

    job = sent(tenant, invoice)

    assert (job.status, job.error_code) == ("failed", "mail_refused")
    assert mails(tenant) == [("failed", "The mail server refused the e-mail: 550 no such person")]
    mail.refuses = ""
    sent(tenant, invoice)
    assert len(mail.messages) == 1
    assert [status for status, _ in mails(tenant)] == ["failed", "sent"]


def test_is_uncertain_when_the_server_dies_on_it(tenant, invoice, mail):
    mail.dies = True

    job = sent(tenant, invoice)

    assert job.status == "failed"
    assert mails(tenant) == [("failed", sending.UNKNOWN)]


def test_says_that_no_server_answers(tenant, invoice, mail, settings):
    settings.EMAIL_PORT = 1

    job = sent(tenant, invoice)

    assert (job.status, job.error_code) == ("failed", "dependency_unavailable")
    assert mails(tenant)[0][0] == "failed"


def test_is_one_while_it_is_under_way(tenant, invoice):
    with tenant_context(tenant.pk):
        first, job = invoices.send(invoice_id=invoice.pk, at=AT)
        second, again = invoices.send(invoice_id=invoice.pk, at=AT)

    assert (first.pk, job.pk) == (second.pk, again.pk)


def test_takes_headers_from_nobody(tenant, invoice, mail):
    with tenant_context(tenant.pk), pytest.raises(sending.BadAddress):
        invoices.send(invoice_id=invoice.pk, at=AT, to="a@b.example\nBcc: c@d.example")

    assert mails(tenant) == []


@pytest.mark.parametrize(("wanted", "expected"), [(True, 1), (False, 0)])
def test_goes_by_itself_where_the_provider_wants_that(tenant, wanted, expected):
    with tenant_context(tenant.pk):
        make_identity(sends_invoices=wanted)
        found = make_issued(make_customer())

        for _ in range(2):  # The event comes twice.
            sending.send_when_issued(invoice_id=found.pk, at=AT)

    assert len(mails(tenant)) == expected


def test_needs_an_address_and_an_issued_invoice(tenant):
    with tenant_context(tenant.pk):
        found = make_issued(make_customer(email=""))
        draft = Invoice.objects.create(subscriber=found.subscriber, currency="EUR")

        with pytest.raises(sending.NoAddress):
            invoices.send(invoice_id=found.pk, at=AT)
        with pytest.raises(sending.NothingToSend):
            invoices.send(invoice_id=draft.pk, at=AT)

    assert mails(tenant) == []
