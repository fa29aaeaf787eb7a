"""Many callers at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection

from hardware.models import OutageOnu
from hardware.services.outages import close_outage
from ispcore.tenants.context import tenant_context
from support.models import Ticket
from support.services import desk, tickets
from support.services.tickets.opening import DuplicateTicket, ZoneTicketLimitReached
from tests.races import at_once
from tests.support.desk import MONDAY, make_line, make_subject, make_zone, open_one, outage_of
from tests.workers import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def opening(line, subject, **told):
    return lambda: tickets.open_ticket(subject_id=subject.pk, subscription_id=line.pk, at=MONDAY, **told)


def test_of_64_in_a_zone_as_many_open_as_it_takes(tenant):
    with tenant_context(tenant.pk):
        zone, subject = make_zone(), make_subject()
        desk.set_zone_limit(zone_id=zone.pk, limit=3)
        lines = [make_line(zone) for _ in range(64)]

    answers = at_once(tenant, [opening(line, subject) for line in lines])

    assert sum(isinstance(one, Ticket) for one in answers) == 3
    assert sum(isinstance(one, ZoneTicketLimitReached) for one in answers) == 61
    with tenant_context(tenant.pk):
        assert sorted(Ticket.objects.values_list("number", flat=True)) == [f"TKT-{n:06d}" for n in (1, 2, 3)]


def test_of_64_about_the_same_service_one_opens(tenant):
    with tenant_context(tenant.pk):
        line, subject = make_line(make_zone()), make_subject()

    answers = at_once(tenant, [opening(line, subject)] * 64)

    assert sum(isinstance(one, Ticket) for one in answers) == 1
    assert sum(isinstance(one, DuplicateTicket) for one in answers) == 63


def test_two_merged_into_each_other_leave_one(tenant):
    with tenant_context(tenant.pk):
        line, subject = make_line(), make_subject()
        one, other = (open_one(line, subject=subject, force=True) for _ in range(2))

    at_once(
        tenant,
        [
            lambda: tickets.merge(ticket_id=one.pk, into_id=other.pk, at=MONDAY),
            lambda: tickets.merge(ticket_id=other.pk, into_id=one.pk, at=MONDAY),
        ],
    )

    with tenant_context(tenant.pk):
        assert sorted(Ticket.objects.values_list("status", flat=True)) == ["closed", "open"]


def test_an_outage_is_joined_and_escalated_from_many_sides_once(tenant):
    with tenant_context(tenant.pk):
        lines = [make_line() for _ in range(8)]
        subject = make_subject()
        for line in lines:
            open_one(line, subject=subject)
        outage = outage_of(*lines)

    counts = at_once(tenant, [lambda: tickets.join_outage(outage_id=outage.pk, at=MONDAY)] * 8)

    assert sorted(counts) == [0] * 7 + [8]


class TestAnOutageThatEnds:
    """What joined it ends with it, whoever of the two came a moment earlier."""

    @pytest.fixture
    def line(self, tenant):
        with tenant_context(tenant.pk):
            make_subject()
            return make_line()

    @pytest.fixture
    def outage(self, tenant, line):
        with tenant_context(tenant.pk):
            return outage_of(line)

    def end(self, tenant, outage):
        """End an outage, then tell its tickets, as the event does that is written with it."""
        with tenant_context(tenant.pk):
            close_outage(outage_id=outage.pk, at=MONDAY, user_id=None)
        with tenant_context(tenant.pk):
            tickets.end_outage(outage_id=outage.pk, at=MONDAY)

    @pytest.mark.parametrize("joins", ["opened", "swept"])
    def test_waits_for_the_ticket_that_is_about_to_join(self, tenant, line, outage, joins):
        if joins == "swept":
            with tenant_context(tenant.pk):
                OutageOnu.objects.update(up_at=MONDAY)
                open_one(line)
                OutageOnu.objects.update(up_at=None)
        has_joined, may_commit = Event(), Event()

        def join():
            with tenant_context(tenant.pk):
                if joins == "opened":
                    open_one(line)
                else:
                    tickets.join_outage(outage_id=outage.pk, at=MONDAY)
                has_joined.set()
                may_commit.wait(60)

        def end():
            has_joined.wait(60)
            self.end(tenant, outage)

        with ThreadPoolExecutor(2) as pool:
            joining, ending = (pool.submit(alone, call) for call in (join, end))
            wait_until(lambda: ending.done() or somebody_waits())
            may_commit.set()
            joining.result()
            ending.result()

        with tenant_context(tenant.pk):
            ticket = Ticket.objects.get()
            assert (ticket.outage_id, ticket.status) == (outage.pk, "resolved")

    def test_takes_no_more_once_it_is_over(self, tenant, line, outage):
        is_over, may_commit = Event(), Event()

        def end():
            with tenant_context(tenant.pk):
                close_outage(outage_id=outage.pk, at=MONDAY, user_id=None)
                is_over.set()
                may_commit.wait(60)

        def join():
            is_over.wait(60)
            with tenant_context(tenant.pk):
                open_one(line)

        with ThreadPoolExecutor(2) as pool:
            ending, joining = (pool.submit(alone, call) for call in (end, join))
            wait_until(lambda: joining.done() or somebody_waits())
            may_commit.set()
            ending.result()
            joining.result()

        with tenant_context(tenant.pk):
            ticket = Ticket.objects.get()
            assert (ticket.outage_id, ticket.status) == (None, "open")

    def test_leaves_none_of_16_open_that_joined_it(self, tenant):
        with tenant_context(tenant.pk):
            subject = make_subject()
            lines = [make_line() for _ in range(16)]
            outage = outage_of(*lines)
        sweep = [lambda: tickets.join_outage(outage_id=outage.pk, at=MONDAY)] * 2

        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(alone, lambda: self.end(tenant, outage))
            answers = at_once(tenant, [*(opening(line, subject) for line in lines), *sweep])
            ending.result()

        assert sum(isinstance(one, Ticket) for one in answers) == 16
        with tenant_context(tenant.pk):
            assert not Ticket.objects.filter(outage=outage).exclude(status="resolved").exists()


def alone(call):
    """Run in a thread, with a connection of its own."""
    try:
        return call()
    finally:
        connection.close()


def somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]
