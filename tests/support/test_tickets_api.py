"""Tickets over HTTP."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from ispcore.files.models import StoredFile
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role
from subscribers.services import customers
from support.models import Comment, SupportSettings, Ticket
from support.services import desk, settings, tickets
from support.services.tickets import finding
from tests.support.desk import MONDAY, make_line, make_subject, make_zone, open_one

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def attach(api, ticket, form):
    body = encode_multipart(BOUNDARY, form)
    return api.send("post", f"support/tickets/{ticket.pk}/attachments", body, MULTIPART_CONTENT)


def code_of(response):
    return response.status_code, response.json()["error"]["code"]


class TestTickets:
    def test_one_is_opened_discussed_and_resolved(self, api, acting, admin_user):
        line, subject = make_line(make_zone()), make_subject(priority="high")

        opened = api.post(
            "support/tickets",
            {"subject_id": str(subject.pk), "service_id": str(line.pk), "description": "No light"},
        )
        ticket = opened.json()["data"]
        path = f"support/tickets/{ticket['number']}"
        said = api.post(f"{path}/comments", {"body": "We are looking."})
        moved = api.patch(path, {"status": "in_progress", "assignee_id": str(admin_user.pk)})
        resolved = api.patch(path, {"status": "resolved"})

        assert opened.status_code == 201
        assert opened["Location"].endswith(f"/api/v1/support/tickets/{ticket['id']}")
        assert (ticket["number"], ticket["priority"], ticket["status"]) == ("TKT-000001", "high", "open")
        assert (ticket["subscriber_id"], ticket["zone_id"]) == (
            str(line.subscriber_id),
            str(line.premise.zone_id),
        )
        assert said.status_code == 200
        assert moved.json()["data"]["assignee_id"] == str(admin_user.pk)
        assert resolved.json()["data"]["status"] == "resolved"
        shown = api.get(f"{path}/comments").json()["data"]
        assert [(each["source"], each["body"]) for each in shown] == [
            ("staff", "No light"),
            ("staff", "We are looking."),
            ("system", "Assigned to Admin"),
            ("system", "Open → In progress"),
            ("system", "In progress → Resolved"),
        ]

    def test_the_customer_s_words_open_it_again(self, api, acting):
        ticket = open_one()
        tickets.move(ticket_id=ticket.pk, to="resolved", at=MONDAY)

        api.post(f"support/tickets/{ticket.pk}/comments", {"body": "Still down", "is_from_customer": True})

        assert api.get(f"support/tickets/{ticket.pk}").json()["data"]["status"] == "open"

    def test_refusals_name_what_is_wrong_and_change_nothing(self, api, acting):
        zone = make_zone()
        line = make_line(zone)
        first = open_one(line)
        desk.set_zone_limit(zone_id=zone.pk, limit=1)
        body = {"subject_id": str(first.subject_id), "service_id": str(line.pk)}

        duplicate = api.post("support/tickets", body)
        blocked = api.post("support/tickets", body | {"force": True})
        moved = api.patch(f"support/tickets/{first.pk}", {"status": "closed"})

        assert code_of(duplicate) == (409, "duplicate_ticket")
        assert first.number in duplicate.json()["error"]["message"]
        assert code_of(blocked) == (409, "zone_ticket_limit_reached")
        assert code_of(moved) == (409, "transition_not_allowed")
        assert Ticket.objects.get().status == "open"
        assert api.get(f"support/zones/{zone.pk}/blocked").json()["data"] == {
            "zone_id": str(zone.pk),
            "is_blocked": True,
            "open_tickets": 1,
            "limit": 1,
        }

    def test_queues_are_filters(self, api, acting, admin_user):
        late, mine, done = (open_one() for _ in range(3))
        tickets.assign(ticket_id=mine.pk, assignee_id=admin_user.pk, at=MONDAY)
        tickets.move(ticket_id=done.pk, to="resolved", at=MONDAY)

        def numbers(query):
            return {each["number"] for each in api.get(f"support/tickets?{query}").json()["data"]}

        assert numbers("is_overdue=true") == {late.number, mine.number}
        assert numbers("is_overdue=false") == {done.number}
        assert numbers(f"assignee_id={admin_user.pk}") == {mine.number}
        assert numbers("is_assigned=false&status=open") == {late.number}

    def test_two_are_merged(self, api, acting):
        line = make_line()
        one, other = open_one(line, description="First"), open_one(line, force=True)

        answer = api.post(f"support/tickets/{one.pk}/merge", {"into_id": str(other.pk)})

        assert answer.json()["data"]["id"] == str(other.pk)
        bodies = [each["body"] for each in api.get(f"support/tickets/{other.pk}/comments").json()["data"]]
        assert bodies[0] == "First"

    def test_a_ready_answer_comes_filled_in(self, api, acting):
        ticket = open_one()
        desk.create_answer(name="Hello", body="Dear {customer}")

        [answer] = api.get(f"support/tickets/{ticket.pk}/answers").json()["data"]

        assert answer["text"] == f"Dear {ticket.subscriber.full_name}"


class TestAttachments:
    def test_a_file_is_kept_and_fetched_by_who_may_see_tickets(self, api, acting):
        ticket = open_one()

        said = attach(api, ticket, {"file": SimpleUploadedFile("box.png", PNG), "is_internal": "true"})

        assert said.status_code == 200
        [file] = said.json()["data"]["attachments"]
        assert (file["name"], file["media_type"], file["size_bytes"]) == ("box.png", "image/png", 28)
        fetched = api.get(f"files/{file['file_id']}/content")
        assert b"".join(fetched.streaming_content) == PNG
        assert fetched["Content-Disposition"] == 'attachment; filename="box.png"'
        assert Comment.objects.get().is_internal

    def test_a_program_is_refused(self, api, acting):
        ticket = open_one()

        said = attach(api, ticket, {"file": SimpleUploadedFile("box.png", b"MZ\x90\x00")})

        assert code_of(said) == (422, "validation_error")
        assert not Comment.objects.exists()
        assert not StoredFile.objects.exists()


class TestTheDesk:
    def test_subjects_are_grouped_by_priority_the_most_urgent_first(self, api, acting):
        for name, priority in (("Slow", "normal"), ("Down", "urgent"), ("Move", "low"), ("Bill", "normal")):
            make_subject(name, priority=priority)
        make_subject("Old", is_active=False)

        groups = api.get("support/subjects").json()["data"]

        assert [(each["priority"], [one["name"] for one in each["subjects"]]) for each in groups] == [
            ("urgent", ["Down"]),
            ("normal", ["Bill", "Slow"]),
            ("low", ["Move"]),
        ]

    def test_a_subject_with_tickets_is_not_removed(self, api, acting):
        ticket = open_one()

        assert code_of(api.delete(f"support/subjects/{ticket.subject_id}")) == (409, "in_use")

    def test_settings_are_one_record_of_each_provider(self, api, acting, other_tenant):
        with tenant_context(other_tenant.pk):
            settings.change_settings(zone_limit=7)

        assert api.get("support/settings").json()["data"]["zone_limit"] == 3
        changed = api.patch("support/settings", {"zone_limit": 5, "country": "PT"})

        assert changed.json()["data"]["zone_limit"] == 5
        assert SupportSettings.objects.get().zone_limit == 5
        with tenant_context(other_tenant.pk):
            assert SupportSettings.objects.get().zone_limit == 7

    def test_only_who_runs_the_desk_changes_its_rules(self, api_as, acting):
        answer = api_as(Role.SUPPORT).patch("support/settings", {"zone_limit": 5})

        assert answer.status_code == 403
        assert not SupportSettings.objects.exists()

    def test_mail_opens_tickets_about_a_subject_there_is(self, api, acting):
        subject, off = make_subject("By e-mail"), make_subject("Gone", is_active=False)

        refused = api.patch("support/settings", {"mail_subject_id": str(off.pk)})
        set_to = api.patch("support/settings", {"mail_subject_id": str(subject.pk)})
        taken_back = api.patch("support/settings", {"mail_subject_id": None})

        assert (refused.status_code, refused.json()["error"]["field"]) == (404, "mail_subject_id")
        assert set_to.json()["data"]["mail_subject_id"] == str(subject.pk)
        assert taken_back.json()["data"]["mail_subject_id"] is None


class TestLists:
    @pytest.fixture
    def three(self, acting):
        """Three tickets, each due before the one opened before it."""
        subject = make_subject()
        found = [open_one(make_line(), subject=subject, at=MONDAY + n * HOUR) for n in (2, 1, 0)]
        assert [each.due_at for each in found] == sorted((each.due_at for each in found), reverse=True)
        return found

    def numbers(self, api, query):
        return [each["number"] for each in api.get(f"support/tickets?{query}").json()["data"]]

    def test_come_newest_first_and_follow_the_time_they_are_narrowed_by(self, api, three):
        newest_first = [each.number for each in reversed(three)]
        last_due_first = [each.number for each in three]

        assert self.numbers(api, "") == newest_first
        assert self.numbers(api, "due_at__lte=2030-01-01T00:00:00Z") == last_due_first
        assert self.numbers(api, "due_at__gte=2020-01-01T00:00:00Z") == last_due_first
        assert self.numbers(api, "due_at__lte=2030-01-01T00:00:00Z&ordering=due_at") == newest_first
        assert self.numbers(api, "due_at__lte=2030-01-01T00:00:00Z&cursor=") == newest_first


class TestSearch:
    def found(self, text):
        return [each.number for each in tickets.search_tickets(Ticket.objects.order_by("id"), text)]

    @pytest.mark.parametrize("text", ["TKT-000002", "tkt-000002", "tkt-2", "#2", "2", " 000002 "])
    def test_finds_one_by_its_number_as_people_write_it(self, acting, text):
        subject = make_subject()
        for _ in range(3):
            open_one(make_line(), subject=subject)

        assert self.found(text) == ["TKT-000002"]

    def test_finds_those_of_a_customer_by_the_beginnings_of_words(self, acting):
        line, other = make_line(), make_line()
        customers.update_subscriber(
            subscriber_id=line.subscriber_id, full_name="Zoë Müller", phone="+351 210 000 001"
        )
        for each in (line, other, line):
            open_one(each, subject=make_subject(f"About {each.number} {Ticket.objects.count()}"))

        assert self.found("zoe mul") == ["TKT-000001", "TKT-000003"]
        assert self.found("210 000 001") == ["TKT-000001", "TKT-000003"]
        assert self.found("nobody") == []
        assert self.found("TKT-999") == []

    def test_finds_those_of_many_customers_as_well(self, acting, monkeypatch):
        line = make_line()
        customers.update_subscriber(subscriber_id=line.subscriber_id, full_name="Zoë Müller")
        open_one(line)
        monkeypatch.setattr(finding, "FEW", 0)

        assert self.found("zoe") == ["TKT-000001"]
