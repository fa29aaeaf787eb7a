"""Which event tells whom of what, and whether that is still true when it is about to be sent."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from billing.models import Invoice, InvoiceKind, InvoiceStatus
from billing.services.documents.languages import Words
from billing.services.invoices.links import payment_link
from hardware.models import Outage, OutageOnu, OutageStatus
from subscribers.models import Hold, HoldReason, Subscriber
from support.models import Comment, MassState, Notice, NoticeKind, NoticeStatus, Source, Ticket
from support.services.notices.writing import write
from support.services.settings import tenant_zone

OPEN_INVOICE = (InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID)


def tell_welcome(*, subscriber_id: UUID, at: datetime) -> int:
    """Greet a new customer."""
    return write(
        kind=NoticeKind.WELCOME,
        source=str(subscriber_id),
        subscribers=Subscriber.objects.filter(pk=subscriber_id),
        values=_nothing_more,
        at=at,
    )


def tell_invoice(*, invoice_id: UUID, at: datetime, reminder_id: UUID | None = None) -> int:
    """Tell of an invoice that was issued, or remind of it; not by e-mail, which billing sends itself."""
    invoice = Invoice.objects.filter(
        pk=invoice_id, kind=InvoiceKind.INVOICE, status__in=OPEN_INVOICE, open_amount__gt=0
    ).first()
    if invoice is None:
        return 0
    link, number, currency, due = payment_link(invoice), invoice.number, invoice.currency, invoice.due_on
    amount = invoice.total if reminder_id is None else invoice.open_amount
    return write(
        kind=NoticeKind.INVOICE if reminder_id is None else NoticeKind.REMINDER,
        source=f"{invoice_id}:{reminder_id}" if reminder_id else str(invoice_id),
        subscribers=Subscriber.objects.filter(pk=invoice.subscriber_id),
        values=lambda words: {
            "number": number,
            "amount": words.money(amount, currency),
            "due": words.day(due),
            "link": link,
        },
        at=at,
    )


def tell_suspension(*, subscriber_id: UUID, at: datetime) -> int:
    """Tell a customer that they are cut for non-payment, unless they paid meanwhile; once for each cut."""
    hold = _unpaid(subscriber_id).order_by("-opened_at", "-pk").first()
    if hold is None:
        return 0
    return write(
        kind=NoticeKind.SUSPENSION,
        source=str(hold.pk),
        subscribers=Subscriber.objects.filter(pk=subscriber_id),
        values=_nothing_more,
        at=at,
    )


def tell_reactivation(*, subscriber_id: UUID, at: datetime) -> int:
    """Tell a customer that their lines are back, unless they are cut again by now; once for each time."""
    holds = Hold.objects.filter(subscription__subscriber=subscriber_id, reason=HoldReason.NON_PAYMENT)
    last = holds.filter(released_at__isnull=False).order_by("-released_at", "-pk").first()
    if last is None or _unpaid(subscriber_id).exists():
        return 0
    return write(
        kind=NoticeKind.REACTIVATION,
        source=str(last.pk),
        subscribers=Subscriber.objects.filter(pk=subscriber_id),
        values=_nothing_more,
        at=at,
    )


def tell_outage(*, outage_id: UUID, at: datetime) -> int:
    """Tell the customers an outage took down, each once however many of their lines are; those to come, next time."""
    outage = Outage.objects.filter(pk=outage_id, status=OutageStatus.CONFIRMED).first()
    if outage is None:
        return 0
    down = OutageOnu.objects.filter(outage=outage, up_at=None, onu__subscription__subscriber=OuterRef("pk"))
    told = Notice.objects.filter(kind=NoticeKind.OUTAGE, source=str(outage_id), subscriber=OuterRef("pk"))
    return write(
        kind=NoticeKind.OUTAGE,
        source=str(outage_id),
        subscribers=Subscriber.objects.filter(Exists(down), ~Exists(told)),
        values=lambda words: {"since": _moment(outage.started_at)},
        at=at,
    )


@transaction.atomic
def tell_outage_over(*, outage_id: UUID, at: datetime) -> int:
    """Tell those who were told of an outage that it is over; who was not told yet is told neither."""
    outage = Outage.objects.filter(pk=outage_id, resolved_at__isnull=False).first()
    if outage is None:
        return 0
    of_it = Notice.objects.filter(kind=NoticeKind.OUTAGE, source=str(outage_id))
    of_it.filter(status=NoticeStatus.WAITING).update(
        status=NoticeStatus.SKIPPED, detail="The outage was over before it was sent.", updated_at=at
    )
    told = of_it.filter(
        status__in=(NoticeStatus.SENDING, NoticeStatus.SENT, NoticeStatus.UNCERTAIN),
        subscriber=OuterRef("pk"),
    )
    return write(
        kind=NoticeKind.OUTAGE_OVER,
        source=str(outage_id),
        subscribers=Subscriber.objects.filter(Exists(told)),
        values=lambda words: {"since": _moment(outage.started_at)},
        at=at,
    )


def tell_ticket_opened(*, ticket_id: UUID, at: datetime) -> int:
    """Tell a customer that their request is there."""
    ticket = Ticket.objects.filter(pk=ticket_id, subscriber__isnull=False).first()
    if ticket is None or _is_told_by_outage(ticket):
        return 0
    return _tell_of(ticket, NoticeKind.TICKET_OPENED, source=str(ticket.pk), at=at)


def tell_ticket_answered(*, ticket_id: UUID, comment_id: UUID, at: datetime) -> int:
    """Send a customer what staff answered; what is internal, their own, or the system's is not."""
    said = Comment.objects.filter(
        pk=comment_id, ticket=ticket_id, is_internal=False, source__in=(Source.STAFF, Source.API)
    )
    comment = said.select_related("ticket").first()
    if comment is None or comment.ticket.subscriber_id is None or not comment.body:
        return 0
    return _tell_of(
        comment.ticket, NoticeKind.TICKET_ANSWERED, source=str(comment.pk), at=at, answer=comment.body
    )


def tell_ticket_resolved(*, ticket_id: UUID, at: datetime) -> int:
    """Tell a customer that a ticket is resolved, once for each time it was; those of an outage are told of that."""
    ticket = Ticket.objects.filter(pk=ticket_id, subscriber__isnull=False, resolved_at__isnull=False).first()
    if ticket is None or _is_told_by_outage(ticket):
        return 0
    source = f"{ticket.pk}:{ticket.resolved_at:%Y%m%d%H%M%S}"
    return _tell_of(ticket, NoticeKind.TICKET_RESOLVED, source=source, at=at)


def why_not(notice: Notice) -> str:
    """Say why a notice that waited is not to be sent any more; empty when it is."""
    if notice.mass_message is not None and notice.mass_message.state == MassState.CANCELLED:
        return "The mass message was called off."
    if notice.kind in (NoticeKind.INVOICE, NoticeKind.REMINDER):
        invoice_id = notice.source.partition(":")[0]
        if not Invoice.objects.filter(pk=invoice_id, status__in=OPEN_INVOICE).exists():
            return "The invoice is not open any more."
    if notice.kind == NoticeKind.SUSPENSION and not _unpaid(notice.subscriber_id).exists():
        return "The customer is not cut any more."
    confirmed = Outage.objects.filter(status=OutageStatus.CONFIRMED)
    if notice.kind == NoticeKind.OUTAGE and not confirmed.filter(pk=notice.source).exists():
        return "The outage was over before it was sent."
    return ""


def _tell_of(ticket: Ticket, kind: NoticeKind, *, source: str, at: datetime, **more: str) -> int:
    return write(
        kind=kind,
        source=source,
        subscribers=Subscriber.objects.filter(pk=ticket.subscriber_id),
        values=lambda words: {"ticket": ticket.number, "title": ticket.title, **more},
        at=at,
    )


def _is_told_by_outage(ticket: Ticket) -> bool:
    """One notice instead of many: who was told of the outage is not told of the tickets about it as well."""
    if ticket.outage_id is None:
        return False
    return bool(
        Notice.objects.filter(
            kind=NoticeKind.OUTAGE, source=str(ticket.outage_id), subscriber=ticket.subscriber_id
        ).exists()
    )


def _unpaid(subscriber_id: UUID) -> QuerySet[Hold]:
    return Hold.objects.filter(
        subscription__subscriber=subscriber_id, reason=HoldReason.NON_PAYMENT, released_at=None
    )


def _nothing_more(words: Words) -> dict[str, str]:
    return {}


def _moment(at: datetime) -> str:
    return f"{at.astimezone(tenant_zone()):%Y-%m-%d %H:%M}"
