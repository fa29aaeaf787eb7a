"""Invoices by e-mail: the row first, then the e-mail, so that no retried task sends one twice.

A worker writes that it is sending before it speaks to the mail server, and what came of it afterwards. If it dies
between the two, nobody can know whether the e-mail left: the row says so, and a person decides about another.
"""

import smtplib
from datetime import datetime
from email.utils import formataddr
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction

from billing.models import BillingIdentity, Invoice, InvoiceKind, InvoiceMail, InvoiceStatus, MailStatus
from billing.services.documents import typesetting
from billing.services.documents.identity import billing_identity
from billing.services.documents.invoices import file_name, invoice_values, is_open
from billing.services.documents.languages import Words, words_of
from billing.services.invoices.links import payment_link
from billing.services.invoices.rows import lock_invoice
from ispcore.errors import DomainError, RetryableError
from ispcore.events.services import publish
from ispcore.jobs import services as jobs
from ispcore.jobs.models import ACTIVE, Job

KIND = "billing.send_invoice"
UNKNOWN = (
    "The worker stopped while it was sending. Ask the customer whether it arrived before you send it again."
)
MOST_SAID = 300  # InvoiceMail.problem


class NothingToSend(DomainError):
    code = "invoice_not_sendable"
    message = "The draft is not issued yet: issue it, and send it then."


class NoAddress(DomainError):
    code = "no_email_address"
    message = "The customer has no e-mail address. Enter one, or say where to send it."
    field = "to"


class BadAddress(DomainError):
    code = "validation_error"
    message = "This is no e-mail address."
    status = 422
    field = "to"


class MailRefused(DomainError):
    code = "mail_refused"
    message = "The mail server refused the e-mail: {why}"


class MailServerSilent(RetryableError):
    message = "The mail server did not answer: {why}. Nothing was sent; send it again later."


@transaction.atomic
def send(
    *, invoice_id: UUID, at: datetime, to: str = "", user_id: UUID | None = None
) -> tuple[InvoiceMail, Job]:
    """Let a worker send an issued invoice or credit note as PDF, to the customer or where told.

    While one is under way it is returned instead of a second one. Raises InvoiceUnknown, NothingToSend, NoAddress,
    BadAddress.
    """
    invoice = lock_invoice(invoice_id)
    if invoice.status == InvoiceStatus.DRAFT:
        raise NothingToSend
    to = to or invoice.subscriber.email
    if not to:
        raise NoAddress
    try:
        validate_email(to)
    except ValidationError as error:
        raise BadAddress from error
    under_way = (
        InvoiceMail.objects.select_related("job")
        .filter(invoice=invoice, status__in=(MailStatus.QUEUED, MailStatus.SENDING))
        .first()
    )
    if under_way is not None:
        if under_way.job is not None and under_way.job.status in ACTIVE:
            return under_way, under_way.job
        _give_up(under_way)
    mail: InvoiceMail = InvoiceMail.objects.create(invoice=invoice, to=to, created_by_id=user_id)
    mail.job = jobs.enqueue(
        kind=KIND,
        params={"mail_id": str(mail.pk)},
        label=f"E-mail: {invoice.number}",
        subject=f"invoice:{invoice.pk}",
        queue="billing",
        user_id=user_id,
    )
    mail.save(update_fields=["job", "updated_at"])
    return mail, mail.job


def deliver(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Send the e-mail of a job, at most once. Raises MailRefused, MailServerSilent; the row keeps why."""
    with run.tenant():
        run.hold()
        mail = (
            InvoiceMail.objects.select_for_update(of=("self",))
            .select_related("invoice__subscriber", "invoice__corrects")
            .get(pk=run.params["mail_id"])
        )
        if mail.status == MailStatus.SENDING:
            _give_up(mail)
        if mail.status != MailStatus.QUEUED:
            return {"mail_id": str(mail.pk), "status": mail.status}
        identity, link = billing_identity(), payment_link(mail.invoice)
        values = invoice_values(mail.invoice, identity, link=link)
        message = _message(mail, identity, link)
        mail.status = MailStatus.SENDING
        mail.save(update_fields=["status", "updated_at"])
    try:
        pdf = typesetting.render("invoice.typ", values, at=mail.invoice.issued_at)
        message.attach(file_name(mail.invoice), pdf, "application/pdf")
        message.send()
    except smtplib.SMTPServerDisconnected as error:
        _fail(run, mail, UNKNOWN)
        raise MailServerSilent(why=str(error)) from error
    except smtplib.SMTPException as error:
        refusal = MailRefused(why=_said(error))
        _fail(run, mail, str(refusal))
        raise refusal from error
    except OSError as error:
        silent = MailServerSilent(why=str(error))
        _fail(run, mail, str(silent))
        raise silent from error
    with run.tenant():
        InvoiceMail.objects.filter(pk=mail.pk).update(status=MailStatus.SENT, sent_at=at, updated_at=at)
        Invoice.objects.filter(pk=mail.invoice_id).update(sent_at=at, updated_at=at)
        publish("billing.invoice_sent", invoice_id=str(mail.invoice_id))
    return {"mail_id": str(mail.pk), "status": MailStatus.SENT.value}


def send_when_issued(*, invoice_id: UUID, at: datetime) -> bool:
    """Send an invoice that was just issued, once, where its provider wants that; tell whether it is sent."""
    if not billing_identity().sends_invoices:
        return False
    with transaction.atomic():
        invoice = lock_invoice(invoice_id)
        if not invoice.subscriber.email or InvoiceMail.objects.filter(invoice=invoice).exists():
            return False
        send(invoice_id=invoice_id, at=at)
    return True


def _give_up(mail: InvoiceMail) -> None:
    is_uncertain = mail.status == MailStatus.SENDING
    mail.problem = UNKNOWN if is_uncertain else "It was never begun."
    mail.status = MailStatus.FAILED
    mail.save(update_fields=["status", "problem", "updated_at"])


def _fail(run: jobs.Run, mail: InvoiceMail, problem: str) -> None:
    with run.tenant():
        mail.status, mail.problem = MailStatus.FAILED, problem[:MOST_SAID]
        mail.save(update_fields=["status", "problem", "updated_at"])


def _message(mail: InvoiceMail, identity: BillingIdentity, link: str) -> EmailMessage:
    words, invoice = words_of(identity.language), mail.invoice
    is_note = invoice.kind == InvoiceKind.CREDIT_NOTE
    return EmailMessage(
        subject=words.say("mail_subject_credit" if is_note else "mail_subject", number=invoice.number),
        body="\n".join(_paragraphs(invoice, identity, link, words)),
        from_email=formataddr((identity.legal_name, settings.DEFAULT_FROM_EMAIL)),
        to=[mail.to],
        reply_to=[identity.email] if identity.email else None,
        headers={"Message-ID": f"<{mail.pk}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2]}>"},
    )


def _paragraphs(invoice: Invoice, identity: BillingIdentity, link: str, words: Words) -> list[str]:
    total = words.money(invoice.total, invoice.currency)
    text = [words.say("mail_greeting", name=invoice.subscriber.full_name), ""]
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        text += [words.say("mail_credit", number=invoice.number, total=total), ""]
    else:
        due = words.day(invoice.due_on)
        text += [words.say("mail_invoice", number=invoice.number, total=total, due=due), ""]
        if is_open(invoice):
            if invoice.open_amount != invoice.total:
                text += [words.say("mail_open", open=words.money(invoice.open_amount, invoice.currency)), ""]
            text += [words.say("mail_link"), link, ""]
    return [*text, words.say("mail_regards"), identity.legal_name]


def _said(error: smtplib.SMTPException) -> str:
    """Return the server's own words."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return f"{code} {said.decode(errors='replace')}"
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        return f"{error.smtp_code} {answer.decode(errors='replace') if isinstance(answer, bytes) else answer}"
    return str(error)
