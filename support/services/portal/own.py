"""What belongs to one customer: every query here names whose it is."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from aaa.models import Account
from aaa.services.usage import Usage, usage_of
from billing.models import Invoice, InvoiceKind, InvoiceStatus
from billing.services.accounts import Balance, CurrencyUnknown, balance_of
from ispcore.errors import NotRegistered
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from subscribers.models import Subscriber, Subscription
from support.models import Attachment, Comment, PortalAccount, Source, Ticket
from support.services import tickets

MOST_COMMENTS = 500
USAGE_DAYS = 30


class NotYours(NotRegistered):
    message = "There is no such record."


@dataclass(frozen=True)
class UsedDay:
    """What came down and went up on one day."""

    day: date
    down_bytes: int
    up_bytes: int


def customer_of(user_id: UUID | None) -> Subscriber | None:
    """Return the customer whose records a person sees; None for whoever is nobody's."""
    rows = PortalAccount.objects.select_related("subscriber__billing_profile")
    found: PortalAccount | None = rows.filter(user=user_id).first() if user_id else None
    return found.subscriber if found else None


def lines_of(customer_id: UUID) -> QuerySet[Subscription]:
    found: QuerySet[Subscription] = (
        Subscription.objects.filter(subscriber_id=customer_id)
        .select_related("plan", "premise")
        .order_by("number")
    )
    return found


def find_line(customer_id: UUID, line_id: UUID) -> Subscription:
    """Return a service of this customer. Raises NotYours for all others."""
    found: Subscription | None = lines_of(customer_id).filter(pk=line_id).first()
    if found is None:
        raise NotYours
    return found


def invoices_of(customer_id: UUID) -> QuerySet[Invoice]:
    """Return what was issued to this customer, newest first."""
    found: QuerySet[Invoice] = (
        Invoice.objects.filter(subscriber_id=customer_id)
        .exclude(status=InvoiceStatus.DRAFT)
        .select_related("subscriber", "corrects")
        .order_by("-id")
    )
    return found


def find_invoice(customer_id: UUID, invoice_id: UUID) -> Invoice:
    """Return an invoice or credit note of this customer. Raises NotYours for all others, and for drafts."""
    found = invoices_of(customer_id).filter(pk=invoice_id).first()
    if found is None:
        raise NotYours
    return found


def open_invoices(customer_id: UUID) -> QuerySet[Invoice]:
    """Return what is to pay, the oldest due day first."""
    payable = (InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID)
    rows = invoices_of(customer_id).filter(kind=InvoiceKind.INVOICE, status__in=payable)
    return rows.order_by("due_on", "id")


def balance(customer: Subscriber, *, on: date) -> Balance | None:
    """Return what a customer owes; None for one who was never billed."""
    try:
        return balance_of(customer, on=on)
    except CurrencyUnknown:
        return None


def usage_days(line: Subscription, *, until: date, at: datetime) -> list[UsedDay]:
    """Return the 30 days before `until`, each once, of a service: by the provider's calendar. Constant queries."""
    zone = ZoneInfo(Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id()))
    since = until - timedelta(days=USAGE_DAYS)
    ids = list(Account.objects.filter(subscription=line).order_by("pk").values_list("pk", flat=True))
    used: Usage = usage_of(ids, step="day", zone=zone, since=since, until=until, at=at)
    by_day = {row.start: row for row in used.rows}
    days = []
    for number in range(USAGE_DAYS):
        day = since + timedelta(days=number)
        row = by_day.get(day)
        down = row.out4_bytes + row.out6_bytes if row else 0
        up = row.in4_bytes + row.in6_bytes if row else 0
        days.append(UsedDay(day, down, up))
    return days


def tickets_of(customer_id: UUID) -> QuerySet[Ticket]:
    found: QuerySet[Ticket] = (
        Ticket.objects.filter(subscriber_id=customer_id)
        .select_related("subject", "subscription__plan")
        .order_by("-id")
    )
    return found


def find_ticket(customer_id: UUID, ticket_id: UUID) -> Ticket:
    """Return a ticket of this customer. Raises NotYours for all others."""
    found = tickets_of(customer_id).filter(pk=ticket_id).first()
    if found is None:
        raise NotYours
    return found


def public_comments(ticket: Ticket) -> list[Comment]:
    """Return what the customer may read of a conversation, oldest first: the last 500 comments."""
    rows = tickets.conversation_of(ticket).filter(is_internal=False)
    return list(rows[:MOST_COMMENTS])[::-1]


def find_attachment(customer_id: UUID, attachment_id: UUID) -> Attachment:
    """Return a file of a public comment of this customer's. Raises NotYours for all others."""
    rows = Attachment.objects.select_related("file").filter(
        pk=attachment_id, comment__is_internal=False, comment__ticket__subscriber_id=customer_id
    )
    found: Attachment | None = rows.first()
    if found is None:
        raise NotYours
    return found


def open_ticket(
    *,
    customer_id: UUID,
    subject_id: UUID,
    line_id: UUID | None,
    text: str,
    at: datetime,
    files: list[tickets.Upload] | None = None,
) -> Ticket:
    """Open a ticket as its customer. Raises NotYours for another's service, and what `tickets.open_ticket` raises."""
    if line_id is not None:
        find_line(customer_id, line_id)
    return tickets.open_ticket(
        subject_id=subject_id,
        subscriber_id=customer_id,
        subscription_id=line_id,
        description=text,
        source=Source.CUSTOMER,
        at=at,
        files=files or (),
    )


def answer(
    *,
    customer_id: UUID,
    ticket_id: UUID,
    text: str,
    at: datetime,
    files: list[tickets.Upload] | None = None,
) -> Comment:
    """Say something in a ticket as its customer. Raises NotYours, and what `tickets.comment` raises."""
    ticket = find_ticket(customer_id, ticket_id)
    return tickets.comment(ticket_id=ticket.pk, body=text, source=Source.CUSTOMER, at=at, files=files or ())
