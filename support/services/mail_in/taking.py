"""One message becomes a comment, or a ticket, or is refused with a reason; and each only once."""

import re
from datetime import datetime, timedelta
from email.utils import parseaddr
from uuid import UUID

from django.conf import settings
from django.db import transaction

from billing.services.documents.identity import billing_identity
from ispcore.errors import DomainError
from subscribers.models import Subscriber, SubscriberStatus
from support.models import (
    Comment,
    IncomingMail,
    MailOutcome,
    Notice,
    NoticeKind,
    Source,
    Ticket,
    TicketStatus,
)
from support.services.mail_in import reading
from support.services.mail_in.boxes import Message
from support.services.settings import support_settings
from support.services.tickets import comment, open_ticket
from support.services.tickets.opening import DuplicateTicket
from support.services.tickets.talking import LONGEST, MOST_BYTES, MOST_FILES, Upload, media_type_of

# More than a person writes: two machines that answer each other stop here.
MOST_OF_ONE_SENDER = 20
WITHIN = timedelta(hours=1)
NUMBER = re.compile(r"\bTKT-[0-9]{6,12}\b", re.IGNORECASE)
PREFIX = re.compile(r"^(?:\s*(?:re|fwd?|aw|sv|rv|enc|res)\s*:\s*)+", re.IGNORECASE)
# As channels.email writes it.
NOTICE_ID = re.compile(r"<notice-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@", re.IGNORECASE)
GONE = (SubscriberStatus.INACTIVE,)
OF_TICKETS = (NoticeKind.TICKET_OPENED, NoticeKind.TICKET_RESOLVED)


class NotTaken(Exception):
    """It becomes nothing, for this reason."""

    def __init__(self, outcome: MailOutcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


@transaction.atomic
def take(*, message: Message, at: datetime) -> IncomingMail:
    """Put what a customer wrote into their ticket, or open one; return what became of it.

    A ticket is found by its number in the subject or by what the message answers, and takes mail of its own customer's
    address alone; other mail of a customer opens a ticket about the settings' subject, or joins the one that is open.

    Safe to repeat and to run in parallel: a message is known by its Message-ID. One that was refused is looked at
    again, for whoever puts it back once its reason is gone.
    """
    try:
        letter = reading.read(message.raw)
    except reading.Unreadable:
        letter = None
    key = letter.key if letter else reading.key_of(message.raw)
    mine = IncomingMail(message_key=key, outcome=MailOutcome.REFUSED, taken_at=at)
    IncomingMail.objects.bulk_create([mine], ignore_conflicts=True)
    # Another worker with the same message has ended by now: the one row waits for it, and so does this.
    mail: IncomingMail = IncomingMail.objects.select_for_update(of=("self",)).get(message_key=key)
    if mail.pk != mine.pk and mail.outcome != MailOutcome.REFUSED:
        return mail
    mail.sender, mail.title = (letter.sender, letter.title[:200]) if letter else ("", "")
    mail.taken_at, mail.detail = at, ""
    try:
        if letter is None:
            raise NotTaken(MailOutcome.REFUSED, "It could not be read as a message.")
        _refuse_unfit(letter, message, mail, at=at)
        mail.outcome, mail.ticket = _put(letter, at=at)
    except NotTaken as reason:
        mail.outcome, mail.detail = reason.outcome, str(reason)[:300]
    except DomainError as refusal:
        mail.outcome, mail.detail = MailOutcome.REFUSED, str(refusal)[:300]
    mail.save()
    return mail


def _refuse_unfit(letter: reading.Letter, message: Message, mail: IncomingMail, *, at: datetime) -> None:
    if letter.automatic:
        raise NotTaken(MailOutcome.IGNORED, letter.automatic)
    if not letter.sender:
        raise NotTaken(MailOutcome.REFUSED, "It is not from one sender.")
    if letter.sender in _ourselves():
        raise NotTaken(MailOutcome.IGNORED, "We sent it ourselves.")
    if message.is_cut:
        raise NotTaken(MailOutcome.REFUSED, "It is larger than 25 MiB.")
    lately = IncomingMail.objects.filter(sender=letter.sender, taken_at__gt=at - WITHIN).exclude(pk=mail.pk)
    if lately.count() >= MOST_OF_ONE_SENDER:
        raise NotTaken(MailOutcome.REFUSED, f"{letter.sender} sent {MOST_OF_ONE_SENDER} within an hour.")


def _ourselves() -> set[str]:
    given = (settings.DEFAULT_FROM_EMAIL, billing_identity().email)
    return {parseaddr(each)[1].lower() for each in given if each}


def _put(letter: reading.Letter, *, at: datetime) -> tuple[MailOutcome, Ticket]:
    body, files = _content_of(letter)
    ticket = _ticket_of(letter)
    if ticket is None:
        try:
            return MailOutcome.OPENED, _open(letter, body, files, at=at)
        except DuplicateTicket as refusal:
            ticket = Ticket.objects.get(number=refusal.details["number"])
    comment(ticket_id=ticket.pk, body=body, source=Source.CUSTOMER, files=files, at=at)
    return MailOutcome.COMMENTED, ticket


def _open(letter: reading.Letter, body: str, files: list[Upload], *, at: datetime) -> Ticket:
    senders = Subscriber.objects.filter(email_lower=letter.sender).exclude(status__in=GONE)
    ids = list(senders.values_list("pk", flat=True)[:2])
    if not ids:
        raise NotTaken(MailOutcome.REFUSED, f"No customer has the address {letter.sender}.")
    if len(ids) > 1:
        raise NotTaken(MailOutcome.REFUSED, f"Several customers have the address {letter.sender}.")
    subject_id = support_settings().mail_subject_id
    if subject_id is None:
        raise NotTaken(
            MailOutcome.REFUSED,
            "It is about no open ticket of its sender, and the support settings name no subject for new ones.",
        )
    title = PREFIX.sub("", letter.title)[:200]
    return open_ticket(
        subject_id=subject_id,
        subscriber_id=ids[0],
        title=title,
        description=body or title,
        source=Source.CUSTOMER,
        files=files,
        at=at,
    )


def _ticket_of(letter: reading.Letter) -> Ticket | None:
    """Return the open ticket of this sender that a message is about."""
    numbers = {each.upper() for each in NUMBER.findall(letter.title)}
    found = list(Ticket.objects.filter(number__in=list(numbers)[:5]))
    if not found:
        found = list(Ticket.objects.filter(pk__in=_referred(letter.references)))
    merged = [each.merged_into_id for each in found if each.merged_into_id]
    own = Ticket.objects.filter(
        pk__in=[*(each.pk for each in found), *merged], subscriber__email_lower=letter.sender
    )
    ticket: Ticket | None = own.exclude(status=TicketStatus.CLOSED).order_by("-id").first()
    return ticket


def _referred(references: tuple[str, ...]) -> set[UUID]:
    """Return the tickets of the notices, and of the mails before, that a message answers."""
    mails = IncomingMail.objects.filter(message_key__in=references, ticket__isnull=False)
    ids: set[UUID] = set(mails.values_list("ticket_id", flat=True))
    sent = [UUID(found[1]) for each in references if (found := NOTICE_ID.match(each))]
    for kind, source in Notice.objects.filter(pk__in=sent).values_list("kind", "source"):
        if kind in OF_TICKETS:
            ids.add(UUID(source.partition(":")[0]))
        elif kind == NoticeKind.TICKET_ANSWERED:
            ids.update(Comment.objects.filter(pk=source).values_list("ticket_id", flat=True))
    return ids


def _content_of(letter: reading.Letter) -> tuple[str, list[Upload]]:
    """Return what is kept of a message: the limits are a comment's, and what they leave out is named."""
    files: list[Upload] = []
    left: list[str] = []
    for file in letter.files:
        fits = len(file.content) <= MOST_BYTES and media_type_of(file.content)
        if fits and len(files) < MOST_FILES:
            files.append(Upload(file.name, [file.content]))
        else:
            left.append(file.name[:80] or "a file without a name")
    more = [f"Not kept: {', '.join(left)}."[:1000]] if left else []
    room = LONGEST - sum(map(len, more)) - 100
    body = letter.text
    if len(body) > room:
        body = body[:room].rstrip()
        more.insert(0, "The mail was longer.")
    return "\n\n".join([body, *(f"[{each}]" for each in more)]).strip(), files
