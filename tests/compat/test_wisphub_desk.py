"""WispHub's page, request by request: tickets and pings."""

import re

import pytest
from django.utils import timezone

from compat.wisphub.numbers import number_of
from hardware.services import ping
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.roles import Role
from support.models import Comment, Subject, Ticket
from support.services import tickets
from tests.compat.client import Foreign
from tests.compat.homes import make_client
from tests.compat.wisphub import kept, outcome

pytestmark = pytest.mark.django_db

SUBJECT = "No Tiene Internet"
TICKET = {"ticket_id", "subject", "created_at", "end_date", "status_ticket", "priority", "answer_text"}
MINUTE = r"\d{4}-\d\d-\d\d \d\d:\d\d"


@pytest.fixture
def wisphub(admin_user):
    return Foreign("wisphub", admin_user)


@pytest.fixture
def line(acting):
    Subject.objects.create(name=SUBJECT, priority="high")
    return make_client()


@pytest.fixture
def body(line):
    """What the page opens a ticket with."""
    return {
        "service_id": 12345,
        "subject": SUBJECT,
        "description": "Cliente reporta intermitencia",
        "technician_id": None,
        "zone_id": number_of(line.premise.zone_id),
    }


class TestTickets:
    def test_subjects_by_priority_and_all(self, wisphub, line):
        for name, priority in (
            ("Internet Lento", "normal"),
            ("Troncal Dañado", "urgent"),
            ("Cancelación", "low"),
        ):
            Subject.objects.create(name=name, priority=priority)
        Subject.objects.create(name="Off", is_active=False)

        told = kept(wisphub.get("api/v1/tickets/subjects"))

        assert (told["ok"], told["type"], told["action"]) == (True, "success", "ticket_subjects_listed")
        assert told["data"] == {
            "by_priority": {
                "low": ["Cancelación"],
                "normal": ["Internet Lento"],
                "high": [SUBJECT],
                "very_high": ["Troncal Dañado"],
            },
            "all": ["Cancelación", "Internet Lento", SUBJECT, "Troncal Dañado"],
        }

    def test_one_is_opened_and_found(self, wisphub, body):
        opened = kept(wisphub.post("api/v1/tickets", body))
        found = kept(wisphub.get(f"api/v1/tickets/{opened['data']['ticket_id']}"))

        assert (opened["ok"], opened["type"], opened["action"]) == (True, "success", "ticket_created")
        assert set(opened["data"]) == TICKET
        told = opened["data"]
        assert (
            told["ticket_id"],
            told["subject"],
            told["status_ticket"],
            told["priority"],
            told["answer_text"],
        ) == (
            1,
            SUBJECT,
            "Abierto",
            "3",
            None,
        )
        assert re.fullmatch(MINUTE, told["created_at"])
        assert re.fullmatch(MINUTE, told["end_date"])
        assert (found["ok"], found["type"], found["action"], found["data"]) == (
            True,
            "success",
            "ticket_found",
            told,
        )

    def test_it_is_due_in_three_business_days(self, wisphub, body):
        kept(wisphub.post("api/v1/tickets/", body))

        ticket = Ticket.objects.get()
        days = (ticket.due_at - ticket.created_at).days
        assert 2 <= days <= 6
        assert Comment.objects.get().body == "Cliente reporta intermitencia"

    def test_a_technician_gets_it(self, wisphub, body, admin_user):
        opened = kept(wisphub.post("api/v1/tickets", body | {"technician_id": number_of(admin_user.pk)}))

        assert opened["action"] == "ticket_created"
        assert Ticket.objects.get().assignee == admin_user

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"subject": "no tiene internet"}, "El asunto no tiene internet no existe."),
            ({"service_id": 99}, "El servicio 99 no existe."),
            ({"zone_id": 99}, "La zona 99 no existe."),
            ({"technician_id": 99}, "El técnico 99 no existe."),
        ],
    )
    def test_what_is_not_known_opens_nothing(self, wrong, told, wisphub, body):
        response = wisphub.post("api/v1/tickets", body | wrong)

        assert outcome(response) == (False, "error", "ticket_creation_failed")
        assert response.json()["message"] == told
        assert not Ticket.objects.exists()

    def test_the_same_again_opens_no_second_one(self, wisphub, body):
        kept(wisphub.post("api/v1/tickets", body))

        assert outcome(wisphub.post("api/v1/tickets", body)) == (False, "error", "ticket_creation_failed")
        assert Ticket.objects.count() == 1

    @pytest.mark.parametrize("name", ["service_id", "subject", "description"])
    def test_a_missing_field_is_422(self, name, wisphub, body):
        del body[name]

        response = wisphub.post("api/v1/tickets", body)

        assert outcome(response, 422) == (False, "error", "error")
        assert response.json()["message"].startswith(f"Error de validación: {name}: ")

    def test_a_zone_takes_three(self, wisphub, body, line):
        for number in range(3):
            subject = Subject.objects.create(name=f"Other {number}")
            tickets.open_ticket(subject_id=subject.pk, subscription_id=line.pk, at=timezone.now())

        blocked = kept(wisphub.get(f"api/v1/tickets/zone-blocked/{body['zone_id']}"))
        refused = kept(wisphub.post("api/v1/tickets", body))

        assert (blocked["ok"], blocked["type"], blocked["action"]) == (True, "success", "ticket_found")
        assert blocked["data"] == {"is_blocked": True, "max_tickets": 3}
        assert (refused["ok"], refused["type"], refused["action"], refused["data"]) == (
            True,
            "info",
            "zone_ticket_limit_reached",
            {"max_tickets": 3},
        )
        assert Ticket.objects.count() == 3

    def test_a_zone_there_is_not(self, wisphub, line):
        assert outcome(wisphub.get("api/v1/tickets/zone-blocked/99"), 404) == (False, "error", "error")

    def test_the_last_answer_and_the_end_are_told(self, wisphub, body, admin_user):
        kept(wisphub.post("api/v1/tickets", body))
        ticket, at = Ticket.objects.get(), timezone.now()
        tickets.comment(ticket_id=ticket.pk, body="Inside", at=at, source="staff", is_internal=True)
        tickets.comment(ticket_id=ticket.pk, body="First", at=at, source="staff", user_id=admin_user.pk)
        tickets.comment(
            ticket_id=ticket.pk, body="Restablecido.", at=at, source="staff", user_id=admin_user.pk
        )
        tickets.change_ticket(ticket_id=ticket.pk, at=at, status="in_progress")
        working = kept(wisphub.get("api/v1/tickets/1"))["data"]["status_ticket"]
        tickets.change_ticket(ticket_id=ticket.pk, at=at, status="resolved")

        told = kept(wisphub.get("api/v1/tickets/1"))["data"]

        assert (working, told["status_ticket"], told["answer_text"]) == (
            "En Progreso",
            "Cerrado",
            "Restablecido.",
        )

    def test_one_there_is_not(self, wisphub, line):
        found = kept(wisphub.get("api/v1/tickets/50"))

        assert (found["ok"], found["type"], found["action"], found["data"]) == (
            True,
            "info",
            "ticket_not_found",
            None,
        )


ODD = ["-1", "1.5", "%00", "%20", "9" * 30, "%C2%B2", "%F0%9F%98%80", "%FF", "a" * 500, "9007199254740991"]


@pytest.mark.parametrize("odd", ODD)
def test_no_value_in_a_path_is_too_odd_to_answer(odd, wisphub, line):
    found = [
        wisphub.get(f"api/v1/{path}{odd}")
        for path in (
            "clients/by-document/", "clients/by-phone/", "clients/by-service-id/", "tickets/", "tickets/zone-blocked/",
            "ping/", "internet-plans/", "clients/search?q=",
        )
    ]  # fmt: skip
    found.append(wisphub.put(f"api/v1/clients/{odd}", {"phone": "+573009876543"}))
    found.append(
        wisphub.post(f"api/v1/clients/{odd}/verify", {"name": "a", "address": "b", "internet_plan_name": "c"})
    )
    found.append(wisphub.post(f"api/v1/{odd}/ping/", {"pings": 1}))

    for response in found:
        assert response.status_code in (200, 400, 404, 422), response.content
        assert set(response.json()) == {"ok", "type", "action", "data", "message", "meta"}
        assert response.json()["action"] != "client_updated"


@pytest.mark.parametrize("number", [0, 2**31, 2**63, 10**30, "12345"])
@pytest.mark.parametrize("name", ["service_id", "zone_id", "technician_id"])
def test_no_number_in_a_ticket_is_too_odd_to_answer(name, number, wisphub, body):
    response = wisphub.post("api/v1/tickets", body | {name: number})

    assert response.status_code in (200, 422), response.content
    assert response.json()["action"] in ("ticket_created", "ticket_creation_failed", "error")


class TestPing:
    @pytest.fixture
    def address(self, line):
        ping.register_address_source("test", {line.pk: "127.0.0.1"}.get)
        yield
        ping.remove_address_source("test")

    @pytest.mark.parametrize("path", ["api/v1/12345/ping/", "api/v1/12345/ping"])
    def test_one_is_asked_for(self, path, wisphub, address):
        asked = kept(wisphub.post(path, {"pings": 4}))

        assert (asked["ok"], asked["type"], asked["action"]) == (True, "success", "ping_created")
        job = Job.objects.get()
        assert asked["data"] == {"task_id": str(job.pk)}
        assert job.params["packets"] == 4

    @pytest.mark.parametrize(
        ("verdict", "kind", "action"),
        [
            ("stable", "success", "stable_connection"),
            ("intermittent", "info", "intermittent_connection"),
            ("no_internet", "info", "no_internet"),
        ],
    )
    def test_its_end_is_the_action(self, verdict, kind, action, wisphub, address):
        task = kept(wisphub.post("api/v1/12345/ping/", {"pings": 4}))["data"]["task_id"]
        Job.objects.update(
            status=JobStatus.SUCCEEDED, result={"verdict": verdict}, finished_at=timezone.now()
        )

        told = kept(wisphub.get(f"api/v1/ping/{task}/"))

        assert (told["ok"], told["type"], told["action"], told["data"]) == (True, kind, action, None)

    def test_before_its_end_it_is_still_made(self, wisphub, address):
        task = kept(wisphub.post("api/v1/12345/ping/", {"pings": 4}))["data"]["task_id"]

        told = kept(wisphub.get(f"api/v1/ping/{task}"))

        assert (told["ok"], told["type"], told["action"], told["data"]) == (
            True,
            "info",
            "ping_created",
            {"task_id": task},
        )

    def test_one_that_failed(self, wisphub, address):
        task = kept(wisphub.post("api/v1/12345/ping/", {"pings": 4}))["data"]["task_id"]
        Job.objects.update(
            status=JobStatus.FAILED, error_code="x", error_message="No ICMP", finished_at=timezone.now()
        )

        told = kept(wisphub.get(f"api/v1/ping/{task}/"))

        assert (told["ok"], told["type"], told["action"], told["message"]) == (
            False,
            "error",
            "ping_failed",
            "No ICMP",
        )

    @pytest.mark.parametrize("task", ["550e8400-e29b-41d4-a716-446655440000", "x"])
    def test_one_there_is_not(self, task, wisphub, line):
        assert outcome(wisphub.get(f"api/v1/ping/{task}/"), 404) == (False, "error", "ping_failed")

    def test_a_service_without_an_address(self, wisphub, line):
        assert outcome(wisphub.post("api/v1/12345/ping/", {"pings": 4})) == (False, "error", "ping_failed")
        assert not Job.objects.exists()

    def test_a_service_there_is_not(self, wisphub, line):
        response = wisphub.post("api/v1/99/ping/", {"pings": 4})

        assert outcome(response) == (True, "info", "client_not_found")

    @pytest.mark.parametrize("given", [{}, {"pings": 0}, {"pings": 101}, {"pings": "many"}])
    def test_how_many_packets_is_said_and_bounded(self, given, wisphub, address):
        response = wisphub.post("api/v1/12345/ping/", given)

        assert outcome(response, 422) == (False, "error", "error")
        assert response.json()["message"].startswith("Error de validación: pings: ")
        assert not Job.objects.exists()

    def test_who_may_look_may_see_the_end(self, wisphub, address, tenant, make_user):
        task = kept(wisphub.post("api/v1/12345/ping/", {"pings": 4}))["data"]["task_id"]
        looker = Foreign("wisphub", make_user("looker", {tenant: Role.SUPPORT}))

        assert outcome(looker.get(f"api/v1/ping/{task}/")) == (True, "info", "ping_created")
