"""Comments and the files that come with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import get_valid_filename

from ispcore.events.services import publish
from ispcore.files.services import write_file
from support.models import Attachment, Comment, Source, Ticket, TicketStatus
from support.services.settings import Invalid
from support.services.tickets import moving
from support.services.tickets.rows import TicketClosed, lock_ticket, name_of

MOST_BYTES = 10 * 1024 * 1024
MOST_FILES = 5
LONGEST = 10_000
# First bytes, as the formats' specifications have them: PNG §5.2, JFIF, GIF89a §17, PDF ISO 32000 §7.5.2.
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


class NothingSaid(Invalid):
    message = "Write a text or attach a file."
    field = "body"


class TextTooLong(Invalid):
    message = "At most {most} characters."
    field = "body"


class TooManyFiles(Invalid):
    message = "At most {most} files come with one comment."
    field = "files"


class AttachmentTooLarge(Invalid):
    message = "{name} is larger than 10 MiB."
    field = "files"


class AttachmentNotAllowed(Invalid):
    message = "{name} is none of PNG, JPEG, GIF, WebP, PDF and plain text."
    field = "files"


@dataclass(frozen=True)
class Upload:
    """A file as it came: its name, as the sender has it, and its content in pieces."""

    name: str
    pieces: Iterable[bytes]


@transaction.atomic
def comment(
    *,
    ticket_id: UUID,
    body: str,
    at: datetime,
    source: str = Source.STAFF,
    is_internal: bool = False,
    user_id: UUID | None = None,
    files: Sequence[Upload] = (),
) -> Comment:
    """Add to the conversation. The customer's reply opens a resolved ticket again and ends a wait.

    The first public answer of staff is the first response.

    Raises TicketUnknown, TicketClosed, NothingSaid, TextTooLong, TooManyFiles, AttachmentTooLarge,
    AttachmentNotAllowed.
    """
    ticket = lock_ticket(ticket_id)
    if ticket.status == TicketStatus.CLOSED:
        raise TicketClosed(number=ticket.number)
    said = say(ticket, body, at=at, source=source, is_internal=is_internal, user_id=user_id, files=files)
    if source == Source.CUSTOMER:
        if ticket.status == TicketStatus.RESOLVED:
            moving.move_locked(ticket, TicketStatus.OPEN, at=at, user_id=None)
        elif ticket.status == TicketStatus.WAITING:
            moving.move_locked(ticket, TicketStatus.IN_PROGRESS, at=at, user_id=None)
    elif not is_internal and ticket.first_responded_at is None:
        ticket.first_responded_at = at
        ticket.save(update_fields=["first_responded_at", "updated_at"])
    publish("support.ticket_commented", ticket_id=str(ticket.pk), comment_id=str(said.pk))
    return said


def say(
    ticket: Ticket,
    body: str,
    *,
    at: datetime,
    source: str,
    is_internal: bool = False,
    user_id: UUID | None = None,
    files: Sequence[Upload] = (),
) -> Comment:
    """Write a comment and its files, and nothing else. Raises as `comment`."""
    body = body.strip()
    if not body and not files:
        raise NothingSaid
    if len(body) > LONGEST:
        raise TextTooLong(most=LONGEST)
    if len(files) > MOST_FILES:
        raise TooManyFiles(most=MOST_FILES)
    said: Comment = Comment.objects.create(
        ticket=ticket,
        author_id=user_id,
        author_name=name_of(user_id) or _customer_of(ticket, source),
        source=source,
        body=body,
        is_internal=is_internal and source != Source.CUSTOMER,
        said_at=at,
    )
    for file in files:
        _attach(said, file)
    return said


def conversation_of(ticket: Ticket) -> QuerySet[Comment]:
    """Return what was said in a ticket and in those merged into it, newest first, with the files."""
    merged = Ticket.objects.filter(merged_into=ticket).values_list("pk", flat=True)
    # Their keys, and not what is true of their tickets: that no index of comments knows.
    rows: QuerySet[Comment] = Comment.objects.filter(ticket__in=[ticket.pk, *merged])
    return rows.prefetch_related("attachments__file").order_by("-id")


def media_type_of(content: bytes) -> str:
    """Tell what a file is by its content, whatever its name says; empty when it is nothing we take."""
    for signature, media_type in SIGNATURES:
        if content.startswith(signature):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return ""
    return "text/plain" if text and all(sign.isprintable() or sign in "\r\n\t" for sign in text) else ""


def _attach(said: Comment, file: Upload) -> None:
    name = (get_valid_filename(file.name) if file.name.strip(". ") else "")[-200:] or "file"
    content = bytearray()
    for piece in file.pieces:
        content += piece
        if len(content) > MOST_BYTES:
            raise AttachmentTooLarge(name=name)
    media_type = media_type_of(bytes(content))
    if not media_type:
        raise AttachmentNotAllowed(name=name)
    with write_file(
        name=name, media_type=media_type, app_label="support", keep_for=None, user_id=said.author_id
    ) as (stored, stream):
        stream.write(bytes(content))
    Attachment.objects.create(comment=said, file=stored)


def _customer_of(ticket: Ticket, source: str) -> str:
    return ticket.subscriber.full_name if source == Source.CUSTOMER and ticket.subscriber else ""
