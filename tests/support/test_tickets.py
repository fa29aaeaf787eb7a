"""Tickets: what opening one sets and refuses, how it moves, and when its clock stands."""

from datetime import timedelta

import pytest

from ispcore.events.models import Event
from ispcore.tenants.roles import Role
from support.models import CannedAnswer, Team, Ticket, TicketStatus, ZoneLimit
from support.services import desk, settings, tickets
from support.services.desk import UnknownPlaceholder
from support.services.settings import BadHours, CountryUnknown, NeverOpen
from support.services.tickets import moving
from support.services.tickets.changing import UnknownAssignee
from support.services.tickets.merging import MergeOfTwoCustomers, MergeWithItself
from support.services.tickets.moving import TransitionNotAllowed
from support.services.tickets.opening import (
    DuplicateTicket,
    ServiceOfAnother,
    UnknownSubject,
    ZoneTicketLimitReached,
)
from tests.factories import SubscriberFactory
from tests.support.desk import (
    MONDAY,
    in_lisbon,
    make_line,
    make_subject,
    make_zone,
    moment,
    open_one,
    outage_of,
)


@pytest.fixture(autouse=True)
def _lisbon(acting):
    in_lisbon(acting)


def told():
    return list(
        Event.objects.filter(name__startswith="support.").order_by("id").values_list("name", flat=True)
    )


def said_in(ticket):
    return list(ticket.comments.order_by("id").values_list("source", "body", "is_internal"))


class TestOpening:
    def test_takes_priority_team_zone_and_times_from_what_it_is_about(self):
        team = Team.objects.create(name="Field")
        zone = make_zone()
        line = make_line(zone)
        subject = make_subject(priority="high", team=team, response_hours=2, resolution_days=1)

        ticket = open_one(line, subject=subject, description="  No light on the box.  ")

        ticket.refresh_from_db()
        assert ticket.number == "TKT-000001"
        assert (ticket.title, ticket.priority, ticket.status) == ("No connection", "high", "open")
        assert (ticket.subscriber, ticket.zone, ticket.team) == (line.subscriber, zone, team)
        assert ticket.first_response_due_at == moment("2026-03-02 12:00")
        assert ticket.due_at == moment("2026-03-03 10:00")
        assert ticket.escalates_at == moment("2026-03-03 17:00")
        assert said_in(ticket) == [("staff", "No light on the box.", False)]
        assert told() == ["support.ticket_opened"]

    def test_is_due_in_three_business_days_unless_told_otherwise(self):
        assert open_one(at=moment("2026-03-06 10:00")).due_at == moment("2026-03-11 10:00")

    def test_counts_the_provider_s_holidays(self):
        settings.change_settings(country="PT")

        assert open_one(at=moment("2026-04-01 10:00")).due_at == moment("2026-04-07 10:00")

    def test_refuses_a_second_one_about_the_same_and_names_the_first(self):
        line = make_line()
        first = open_one(line)

        with pytest.raises(DuplicateTicket, match=first.number):
            open_one(line)

        assert Ticket.objects.count() == 1
        assert told() == ["support.ticket_opened"]

    def test_opens_a_second_one_of_another_subject_by_force_or_once_the_first_is_over(self):
        line = make_line()
        first = open_one(line)

        open_one(line, subject=make_subject("Invoice"))
        open_one(line, subject=first.subject, force=True)
        Ticket.objects.update(status="resolved", resolved_at=MONDAY)
        open_one(line, subject=first.subject)

        assert Ticket.objects.count() == 4

    def test_refuses_one_more_than_the_zone_takes(self):
        zone = make_zone()
        for _ in range(3):
            open_one(make_line(zone))

        with pytest.raises(ZoneTicketLimitReached, match="Old town has 3 open tickets and takes 3"):
            open_one(make_line(zone))

        assert Ticket.objects.count() == 3
        assert tickets.zone_state(zone_id=zone.pk) == {"is_blocked": True, "open_tickets": 3, "limit": 3}

    def test_a_zone_has_a_limit_of_its_own(self):
        zone = make_zone()
        desk.set_zone_limit(zone_id=zone.pk, limit=1)
        open_one(make_line(zone))

        with pytest.raises(ZoneTicketLimitReached):
            open_one(make_line(zone))

        assert ZoneLimit.objects.get().limit == 1

    def test_a_resolved_ticket_makes_room(self):
        zone = make_zone()
        desk.set_zone_limit(zone_id=zone.pk, limit=1)
        first = open_one(make_line(zone))
        tickets.move(ticket_id=first.pk, to="resolved", at=MONDAY)

        open_one(make_line(zone))

        assert tickets.zone_state(zone_id=zone.pk)["open_tickets"] == 1

    def test_refuses_a_service_of_somebody_else(self):
        line = make_line()

        with pytest.raises(ServiceOfAnother):
            open_one(line, subscriber_id=SubscriberFactory().pk)

        assert not Ticket.objects.exists()

    def test_refuses_a_subject_that_is_switched_off(self):
        with pytest.raises(UnknownSubject):
            open_one(subject=make_subject(is_active=False))

        assert not Ticket.objects.exists()


class TestMoving:
    @pytest.mark.parametrize("old", TicketStatus)
    @pytest.mark.parametrize("new", TicketStatus)
    def test_goes_only_where_the_table_lets_it(self, old, new):
        ticket = open_one()
        over = old in ("resolved", "closed")
        Ticket.objects.filter(pk=ticket.pk).update(
            status=old,
            waiting_since=MONDAY if old == "waiting" else None,
            resolved_at=MONDAY if over else None,
            closed_at=MONDAY if old == "closed" else None,
        )

        if new == old or new in moving.ALLOWED[old]:
            tickets.move(ticket_id=ticket.pk, to=new, at=MONDAY + timedelta(hours=1))
            ticket.refresh_from_db()
            assert ticket.status == new
        else:
            with pytest.raises(TransitionNotAllowed):
                tickets.move(ticket_id=ticket.pk, to=new, at=MONDAY + timedelta(hours=1))
            ticket.refresh_from_db()
            assert ticket.status == old

    def test_a_move_is_told_and_written_once(self):
        ticket = open_one()

        tickets.move(ticket_id=ticket.pk, to="in_progress", at=MONDAY)
        tickets.move(ticket_id=ticket.pk, to="in_progress", at=MONDAY)

        assert told() == ["support.ticket_opened", "support.ticket_changed"]
        assert said_in(ticket) == [("system", "Open → In progress", True)]

    def test_the_clock_stands_while_the_customer_is_waited_for(self):
        ticket = open_one(at=moment("2026-03-02 10:00"))
        tickets.move(ticket_id=ticket.pk, to="waiting", at=moment("2026-03-06 17:00"))

        ticket = tickets.move(ticket_id=ticket.pk, to="in_progress", at=moment("2026-03-09 11:00"))

        assert ticket.waited_seconds == 3 * 3600
        assert ticket.due_at == moment("2026-03-05 13:00")
        assert ticket.waiting_since is None

    def test_the_clock_stands_between_a_resolution_and_its_being_opened_again(self):
        ticket = open_one()
        tickets.move(ticket_id=ticket.pk, to="resolved", at=moment("2026-03-02 12:00"))

        ticket = tickets.move(ticket_id=ticket.pk, to="open", at=moment("2026-03-03 12:00"))

        assert ticket.due_at == moment("2026-03-06 10:00")
        assert ticket.resolved_at is None

    def test_the_wait_over_a_moved_clock_is_counted_in_working_hours(self):
        ticket = open_one(at=moment("2026-03-27 10:00"))
        tickets.move(ticket_id=ticket.pk, to="waiting", at=moment("2026-03-27 17:00"))

        ticket = tickets.move(ticket_id=ticket.pk, to="in_progress", at=moment("2026-03-30 10:00"))

        assert ticket.waited_seconds == 2 * 3600
        assert ticket.due_at == moment("2026-04-01 12:00")


class TestChanging:
    def test_priority_follows_the_subject_until_somebody_sets_it(self):
        ticket = open_one()
        urgent, low = make_subject("Fire", priority="urgent"), make_subject("Question", priority="low")

        followed = tickets.change_ticket(ticket_id=ticket.pk, subject_id=urgent.pk, at=MONDAY).priority
        tickets.change_ticket(ticket_id=ticket.pk, priority="high", at=MONDAY)
        kept = tickets.change_ticket(ticket_id=ticket.pk, subject_id=low.pk, at=MONDAY).priority

        assert (followed, kept) == ("urgent", "high")

    def test_is_assigned_to_staff_of_the_provider_alone(self, make_user, tenant, other_tenant):
        ada, eve = make_user("ada", {tenant: Role.SUPPORT}), make_user("eve", {other_tenant: Role.SUPPORT})
        ticket = open_one()

        tickets.assign(ticket_id=ticket.pk, assignee_id=ada.pk, at=MONDAY)
        with pytest.raises(UnknownAssignee):
            tickets.assign(ticket_id=ticket.pk, assignee_id=eve.pk, at=MONDAY)

        ticket.refresh_from_db()
        assert ticket.assignee == ada
        assert said_in(ticket) == [("system", "Assigned to Ada", True)]

    def test_a_change_that_changes_nothing_is_not_told(self):
        ticket = open_one()

        tickets.change_ticket(ticket_id=ticket.pk, title=ticket.title, at=MONDAY)

        assert told() == ["support.ticket_opened"]


class TestMerging:
    def test_one_closes_and_moves_along_what_was_merged_into_it(self):
        line = make_line()
        a, b, c = (open_one(line, force=True) for _ in range(3))
        tickets.merge(ticket_id=a.pk, into_id=b.pk, at=MONDAY)

        tickets.merge(ticket_id=b.pk, into_id=c.pk, at=MONDAY)
        tickets.merge(ticket_id=b.pk, into_id=c.pk, at=MONDAY)

        states = list(Ticket.objects.order_by("id").values_list("status", "merged_into"))
        assert states == [("closed", c.pk), ("closed", c.pk), ("open", None)]
        assert said_in(b)[-1] == ("system", f"Merged into {c.number}.", False)
        assert said_in(c) == [("system", f"{b.number} was merged into this ticket.", True)]

    def test_of_two_customers_is_refused(self):
        one, other = open_one(), open_one()

        with pytest.raises(MergeOfTwoCustomers):
            tickets.merge(ticket_id=one.pk, into_id=other.pk, at=MONDAY)

        assert set(Ticket.objects.values_list("status", flat=True)) == {"open"}

    def test_with_itself_is_refused(self):
        one = open_one()

        with pytest.raises(MergeWithItself):
            tickets.merge(ticket_id=one.pk, into_id=one.pk, at=MONDAY)


class TestOutages:
    def test_open_tickets_of_those_it_took_down_join_once(self):
        line, untouched = make_line(), make_line()
        ticket, other = open_one(line), open_one(untouched)
        outage = outage_of(line)

        counts = [tickets.join_outage(outage_id=outage.pk, at=MONDAY) for _ in range(2)]

        ticket.refresh_from_db()
        other.refresh_from_db()
        assert counts == [1, 0]
        assert (ticket.outage, other.outage) == (outage, None)
        assert len(said_in(ticket)) == 1

    def test_a_new_ticket_joins_at_once(self):
        line = make_line()
        outage = outage_of(line)

        assert open_one(line).outage == outage

    def test_a_suspected_one_takes_no_tickets(self):
        line = make_line()
        ticket = open_one(line)

        assert tickets.join_outage(outage_id=outage_of(line, status="suspected").pk, at=MONDAY) == 0
        ticket.refresh_from_db()
        assert ticket.outage is None

    def test_its_end_resolves_its_tickets_once(self):
        line = make_line()
        outage = outage_of(line)
        ticket = open_one(line)
        outage.status, outage.resolved_at = "resolved", MONDAY + timedelta(hours=2)
        outage.save()

        counts = [tickets.end_outage(outage_id=outage.pk, at=outage.resolved_at) for _ in range(2)]

        ticket.refresh_from_db()
        assert counts == [1, 0]
        assert (ticket.status, ticket.resolved_at) == ("resolved", outage.resolved_at)
        assert said_in(ticket)[-1] == ("system", "The outage that affected your service is over.", False)
        assert told()[-1] == "support.ticket_resolved"

    def test_its_end_asks_where_the_provider_wants_that(self):
        settings.change_settings(outage_end="ask")
        line = make_line()
        outage = outage_of(line)
        ticket = open_one(line)
        outage.status, outage.resolved_at = "resolved", MONDAY
        outage.save()

        counts = [tickets.end_outage(outage_id=outage.pk, at=MONDAY) for _ in range(2)]

        ticket.refresh_from_db()
        assert counts == [1, 0]
        assert ticket.status == "waiting"

    def test_one_that_goes_on_resolves_nothing(self):
        line = make_line()
        outage = outage_of(line)
        open_one(line)

        assert tickets.end_outage(outage_id=outage.pk, at=MONDAY) == 0


class TestSweeps:
    def test_raises_the_priority_three_times_each_after_its_hours(self):
        ticket = open_one()
        levels = []

        for text in ("2026-03-03 16:00", "2026-03-03 17:00", "2026-03-03 17:30", "2026-03-05 15:00",
                     "2026-03-09 13:00", "2026-03-20 10:00"):  # fmt: skip
            tickets.escalate(at=moment(text))
            ticket.refresh_from_db()
            levels.append((ticket.escalation_level, ticket.priority))

        assert levels == [
            (0, "normal"),
            (1, "high"),
            (1, "high"),
            (2, "urgent"),
            (3, "urgent"),
            (3, "urgent"),
        ]

    def test_does_not_raise_what_waits_or_is_over(self):
        for status in ("waiting", "resolved"):
            tickets.move(ticket_id=open_one().pk, to=status, at=MONDAY)

        assert tickets.escalate(at=moment("2026-06-01 10:00")) == 0

    def test_closes_what_stayed_resolved_for_a_week(self):
        ticket = open_one()
        tickets.move(ticket_id=ticket.pk, to="resolved", at=MONDAY)

        counts = [tickets.close_resolved(at=MONDAY + timedelta(days=days)) for days in (6, 7, 8)]

        ticket.refresh_from_db()
        assert counts == [0, 1, 0]
        assert (ticket.status, ticket.closed_at) == ("closed", MONDAY + timedelta(days=7))


class TestTheDesk:
    def test_a_ready_answer_is_filled_in(self):
        ticket = open_one()
        body = "Dear {customer}, {ticket} about service {service} is due {due}."

        text = desk.filled_in(desk.create_answer(name="Due", body=body).body, ticket=ticket)

        line = ticket.subscription
        assert text == (
            f"Dear {ticket.subscriber.full_name}, TKT-000001 about service {line.number} is due 2026-03-05 10:00."
        )

    def test_an_unknown_placeholder_is_refused_when_saved(self):
        with pytest.raises(UnknownPlaceholder, match=r"\{name\}"):
            desk.create_answer(name="Hello", body="Dear {name}")

        assert not CannedAnswer.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "refusal"),
        [
            ({"opening_hours": ["9-18"] + [""] * 6}, BadHours),
            ({"opening_hours": ["18:00-09:00"] + [""] * 6}, BadHours),
            ({"opening_hours": [""] * 7}, NeverOpen),
            ({"country": "XX"}, CountryUnknown),
        ],
    )
    def test_settings_that_cannot_work_are_refused(self, fields, refusal):
        with pytest.raises(refusal):
            settings.change_settings(**fields)

        assert settings.support_settings().country == ""
