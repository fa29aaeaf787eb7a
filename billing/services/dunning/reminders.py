"""Reminders: the row first, then the e-mail; a step of an invoice is sent at most once.

A worker claims a row before it writes to the mail server and marks it after. If it dies between the two, nobody can
know whether the e-mail left: the row is then marked as perhaps sent and not sent again, because a customer who is
reminded twice is worse than a reminder that the next step makes up for. What the mail server refused in so many words
is known not to have left and is tried again.
"""

import smtplib
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.core.mail import EmailMessage, get_connection
from django.db import connection
from django.db.models import F

from billing.models import BillingIdentity, InvoiceStatus, Reminder, ReminderStatus
from billing.services.dunning import debts, letters
from billing.services.invoices.links import payment_link
from ispcore.errors import RetryableError
from ispcore.events.services import publish
from ispcore.jobs import services as jobs
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant

KIND = "billing.send_reminders"
# A step that was missed is made up for so many days; what is older is left to the next step.
CATCH_UP_DAYS = 3
MOST_ATTEMPTS = 5

log = structlog.get_logger(__name__)


class MailServerUnreachable(RetryableError):
    message = "The mail server does not answer. The reminders that are left wait for the next try."


# The latest step an invoice has reached. It is left out when a later one was written before.
_PREPARE_SQL = f"""
INSERT INTO billing_reminder (id, tenant_id, created_at, updated_at, invoice_id, step, due_on, email, status, attempts,
                              detail)
SELECT uuidv7(), %(tenant)s, %(at)s, %(at)s, reached.id, reached.step, reached.due_on + reached.step, reached.email,
       CASE WHEN reached.email = '' THEN 'skipped' ELSE 'waiting' END, 0,
       CASE WHEN reached.email = '' THEN 'The customer has no e-mail address.' ELSE '' END
FROM (
    SELECT DISTINCT ON (invoice.id) invoice.id, invoice.due_on, step.days AS step, customer.email
    FROM billing_invoice AS invoice
    {debts.POLICY_SQL}
    CROSS JOIN LATERAL unnest(policy.reminder_days) AS step(days)
    WHERE invoice.tenant_id = %(tenant)s AND invoice.open_amount > 0 AND invoice.kind = 'invoice'
      AND invoice.status IN ('issued', 'partly_paid')
      AND invoice.due_on BETWEEN %(on)s - 365 - %(late)s AND %(on)s + 60
      AND invoice.due_on + step.days BETWEEN %(on)s - %(late)s AND %(on)s
      AND {debts.NOT_SPARED_SQL}
    ORDER BY invoice.id, step.days DESC
) AS reached
WHERE NOT EXISTS (SELECT FROM billing_reminder AS later
                  WHERE later.tenant_id = %(tenant)s AND later.invoice_id = reached.id AND later.step > reached.step)
ON CONFLICT (tenant_id, invoice_id, step) DO NOTHING
"""  # noqa: S608  (only the constants of `debts` are put in)


def prepare_reminders(*, on: date, at: datetime) -> int:
    """Write down the reminders a day brings, each once; return how many are new. `on` is the provider's day."""
    with connection.cursor() as cursor:
        cursor.execute(
            _PREPARE_SQL, {"tenant": current_tenant_id(), "on": on, "at": at, "late": CATCH_UP_DAYS}
        )
        return int(cursor.rowcount)


def send_reminders(run: jobs.Run, *, on: date, at: datetime) -> dict[str, Any]:
    """Send what waits, one e-mail at a time, with no transaction open meanwhile. Safe to repeat.

    Raises MailServerUnreachable; what is left waits.
    """
    with run.tenant():
        run.hold()
        # The job is this worker's alone: what another one left half-way, that one never finished.
        Reminder.objects.filter(status=ReminderStatus.SENDING).update(
            status=ReminderStatus.UNCERTAIN,
            detail="The worker stopped while it was being sent.",
            updated_at=at,
        )
        stale = Reminder.objects.filter(
            status=ReminderStatus.WAITING, due_on__lt=on - timedelta(days=CATCH_UP_DAYS)
        )
        stale.update(status=ReminderStatus.SKIPPED, detail="It could not be sent in time.", updated_at=at)
        waiting = Reminder.objects.filter(status=ReminderStatus.WAITING).count()
        provider = Tenant.objects.values_list("name", flat=True).get(pk=current_tenant_id())
        identity = BillingIdentity.objects.only("legal_name", "email", "language").first()
    counted: Counter[str] = Counter(sent=0, failed=0, skipped=0)
    after, done = UUID(int=0), 0
    server = get_connection()
    try:
        while True:
            with run.tenant():
                run.hold()
                reminder = _claim(after, at)
                link = payment_link(reminder.invoice) if reminder is not None else ""
            if reminder is None:
                break
            after, done = reminder.pk, done + 1
            run.progress(done, waiting, f"{done} of {waiting}")
            if reminder.status != ReminderStatus.SKIPPED:
                _send(run, server, reminder, identity, provider, link=link, at=at)
            counted[str(reminder.status)] += 1
    finally:
        server.close()
    return dict(counted)


def _claim(after: UUID, at: datetime) -> Reminder | None:
    """Take the next row, looked at again: who paid meanwhile is not reminded."""
    rows = Reminder.objects.select_for_update(of=("self",)).filter(status=ReminderStatus.WAITING)
    found: Reminder | None = (
        rows.filter(pk__gt=after).select_related("invoice__subscriber").order_by("pk").first()
    )
    if found is None:
        return None
    if found.invoice.status in (InvoiceStatus.PAID, InvoiceStatus.VOID):
        found.status, found.detail = ReminderStatus.SKIPPED, "The invoice is not open any more."
    else:
        found.status, found.attempts = ReminderStatus.SENDING, found.attempts + 1
    found.updated_at = at
    found.save(update_fields=["status", "detail", "attempts", "updated_at"])
    return found


def _send(
    run: jobs.Run,
    server: Any,
    reminder: Reminder,
    identity: BillingIdentity | None,
    provider: str,
    *,
    link: str,
    at: datetime,
) -> None:
    invoice = reminder.invoice
    letter = letters.write(
        language=identity.language if identity else "en",
        name=invoice.subscriber.full_name,
        number=invoice.number,
        step=reminder.step,
        due_on=invoice.due_on or reminder.due_on,
        amount=invoice.open_amount,
        currency=invoice.currency,
        link=link,
        provider=identity.legal_name if identity else provider,
    )
    message = EmailMessage(
        letter.subject,
        letter.body,
        to=[reminder.email],
        reply_to=[identity.email] if identity and identity.email else None,
        # The same at each try: who gets it twice after all can tell.
        headers={"Message-ID": f"<reminder-{reminder.pk}@ispcore.invalid>"},
        connection=server,
    )
    try:
        server.open()
    except (OSError, smtplib.SMTPException) as error:
        _mark(run, reminder, ReminderStatus.WAITING, f"The mail server does not answer: {error}", at=at)
        raise MailServerUnreachable from error
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        _refused(run, reminder, min(codes, default=550), str(error), at=at)
    except smtplib.SMTPResponseException as error:
        _refused(run, reminder, error.smtp_code, str(error), at=at)
    except (OSError, smtplib.SMTPException) as error:
        _mark(run, reminder, ReminderStatus.UNCERTAIN, f"The mail server went away: {error}", at=at)
        server.close()
    else:
        _mark(run, reminder, ReminderStatus.SENT, "", at=at)


def _refused(run: jobs.Run, reminder: Reminder, code: int, said: str, *, at: datetime) -> None:
    """RFC 5321 section 4.2.1: 4yz may be tried again, 5yz may not."""
    again = code < 500 and reminder.attempts < MOST_ATTEMPTS
    _mark(run, reminder, ReminderStatus.WAITING if again else ReminderStatus.FAILED, said, at=at)


def _mark(run: jobs.Run, reminder: Reminder, status: ReminderStatus, detail: str, *, at: datetime) -> None:
    """Write down what became of it; a row that was given up as perhaps sent may still learn better."""
    reminder.status = status
    sent = status == ReminderStatus.SENT
    with run.tenant():
        rows = Reminder.objects.filter(
            pk=reminder.pk, status__in=(ReminderStatus.SENDING, ReminderStatus.UNCERTAIN)
        )
        changed = rows.update(
            status=status, detail=detail[:200], sent_at=at if sent else F("sent_at"), updated_at=at
        )
        if changed and sent:
            publish(
                "billing.reminder_sent", reminder_id=str(reminder.pk), invoice_id=str(reminder.invoice_id)
            )
