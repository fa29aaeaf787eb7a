"""What is said in a ticket, and the files that come with it."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from ispcore.tenants.roles import Role
from support.models import Comment
from support.services import tickets
from support.services.tickets.rows import TicketClosed
from support.services.tickets.talking import (
    MOST_BYTES,
    AttachmentNotAllowed,
    AttachmentTooLarge,
    NothingSaid,
    TooManyFiles,
    media_type_of,
)
from tests.support.desk import MONDAY, in_lisbon, open_one

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture(autouse=True)
def _lisbon(acting):
    in_lisbon(acting)


class TestTalking:
    def test_the_first_public_answer_of_staff_is_the_first_response(self, make_user, tenant):
        ada = make_user("ada", {tenant: Role.SUPPORT})
        ticket = open_one()

        tickets.comment(
            ticket_id=ticket.pk, body="Look at line 3", is_internal=True, at=MONDAY, user_id=ada.pk
        )
        tickets.comment(ticket_id=ticket.pk, body="Hello?", source="customer", at=MONDAY)
        later = MONDAY + timedelta(minutes=5)
        tickets.comment(ticket_id=ticket.pk, body="We are looking.", at=later, user_id=ada.pk)
        tickets.comment(ticket_id=ticket.pk, body="Fixed.", at=later + timedelta(hours=1), user_id=ada.pk)

        ticket.refresh_from_db()
        assert ticket.first_responded_at == later
        names = list(ticket.comments.order_by("id").values_list("author_name", flat=True))
        assert names == ["Ada", ticket.subscriber.full_name, "Ada", "Ada"]

    @pytest.mark.parametrize(("status", "then"), [("resolved", "open"), ("waiting", "in_progress")])
    def test_the_customer_s_reply_brings_it_back(self, status, then):
        ticket = open_one()
        tickets.move(ticket_id=ticket.pk, to=status, at=MONDAY)

        tickets.comment(ticket_id=ticket.pk, body="Still down", source="customer", at=MONDAY)

        ticket.refresh_from_db()
        assert ticket.status == then

    def test_nothing_is_added_to_a_closed_ticket(self):
        ticket = open_one()
        for status in ("resolved", "closed"):
            tickets.move(ticket_id=ticket.pk, to=status, at=MONDAY)
        before = ticket.comments.count()

        with pytest.raises(TicketClosed):
            tickets.comment(ticket_id=ticket.pk, body="Hello?", source="customer", at=MONDAY)

        assert ticket.comments.count() == before

    def test_an_empty_comment_is_none(self):
        ticket = open_one()

        with pytest.raises(NothingSaid):
            tickets.comment(ticket_id=ticket.pk, body="  ", at=MONDAY)

        assert not ticket.comments.exists()

    def test_what_was_said_is_never_changed(self):
        said = tickets.comment(ticket_id=open_one().pk, body="Fixed.", at=MONDAY)

        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            Comment.objects.filter(pk=said.pk).update(body="Not fixed.")

        said.refresh_from_db()
        assert said.body == "Fixed."

    def test_a_file_is_kept_under_the_type_its_content_has(self):
        ticket = open_one()

        said = tickets.comment(
            ticket_id=ticket.pk,
            body="",
            at=MONDAY,
            files=[tickets.Upload("../../box.exe", [PNG[:5], PNG[5:]])],
        )

        file = said.attachments.get().file
        assert (file.name, file.media_type, file.size_bytes) == ("....box.exe", "image/png", 28)
        assert (file.app_label, file.expires_at) == ("support", None)

    @pytest.mark.parametrize(
        ("files", "refusal"),
        [
            ([("virus.png", b"MZ\x90\x00\x03")], AttachmentNotAllowed),
            ([("empty.txt", b"")], AttachmentNotAllowed),
            ([("large.txt", b"a" * (MOST_BYTES + 1))], AttachmentTooLarge),
            ([("a.png", PNG)] * 6, TooManyFiles),
        ],
    )
    def test_a_file_too_large_or_of_another_kind_is_refused_with_its_comment(self, files, refusal):
        ticket = open_one()
        uploads = [tickets.Upload(name, [content]) for name, content in files]

        with pytest.raises(refusal):
            tickets.comment(ticket_id=ticket.pk, body="See file", at=MONDAY, files=uploads)

        assert not ticket.comments.exists()

    @pytest.mark.parametrize(
        ("content", "media_type"),
        [
            (PNG, "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
            (b"%PDF-1.7", "application/pdf"),
            ("Olá\r\n".encode(), "text/plain"),
            (b"<script>", "text/plain"),
            (b"PK\x03\x04\x14\x00", ""),
            ("a\u202etxt".encode(), ""),
        ],
    )
    def test_content_tells_the_type(self, content, media_type):
        assert media_type_of(content) == media_type
