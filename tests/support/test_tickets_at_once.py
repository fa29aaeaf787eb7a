"""Many callers at the same moment."""

import pytest

from ispcore.tenants.context import tenant_context
from support.models import Ticket
from support.services import desk, tickets
from support.services.tickets.opening import DuplicateTicket, ZoneTicketLimitReached
from tests.races import at_once
from tests.support.desk import MONDAY, make_line, make_subject, make_zone, open_one, outage_of

pytestmark = pytest.mark.django_db(transaction=True)


def opening(line, subject, **told):
    return lambda: tickets.open_ticket(subject_id=subject.pk, subscription_id=line.pk, at=MONDAY, **told)


def test_of_16_at_a_zone_s_last_free_ticket_one_gets_it(tenant):
    with tenant_context(tenant.pk):
        zone, subject = make_zone(), make_subject()
        desk.set_zone_limit(zone_id=zone.pk, limit=3)
        lines = [make_line(zone) for _ in range(16)]
        for _ in range(2):
            open_one(make_line(zone), subject=subject)

    answers = at_once(tenant, [opening(line, subject) for line in lines])

    assert sum(isinstance(one, Ticket) for one in answers) == 1
    assert sum(isinstance(one, ZoneTicketLimitReached) for one in answers) == 15
    with tenant_context(tenant.pk):
        assert sorted(Ticket.objects.values_list("number", flat=True)) == [f"TKT-{n:06d}" for n in (1, 2, 3)]


def test_of_16_about_the_same_one_opens(tenant):
    with tenant_context(tenant.pk):
        line, subject = make_line(make_zone()), make_subject()

    answers = at_once(tenant, [opening(line, subject)] * 16)

    assert sum(isinstance(one, Ticket) for one in answers) == 1
    assert sum(isinstance(one, DuplicateTicket) for one in answers) == 15


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
