"""A helpdesk to test with: nine to six, Monday to Friday, in Lisbon, on a Monday in March."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hardware.models import Outage, OutageOnu
from support.models import Subject
from support.services import tickets
from tests.factories import (
    OltFactory,
    OnuFactory,
    PremiseFactory,
    SubscriptionFactory,
    ZoneFactory,
)

ZONE = ZoneInfo("Europe/Lisbon")


def moment(text):
    """Read a time of the helpdesk's clock: `moment("2026-03-02 10:00")`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


MONDAY = moment("2026-03-02 10:00")


def in_lisbon(tenant):
    tenant.timezone = "Europe/Lisbon"
    tenant.save()


def make_subject(name="No connection", **fields):
    return Subject.objects.create(name=name, **fields)


def make_line(zone=None):
    return SubscriptionFactory(premise=PremiseFactory(zone=zone))


def open_one(line=None, *, subject=None, at=MONDAY, **told):
    line = line or make_line()
    subject = subject or Subject.objects.first() or make_subject()
    return tickets.open_ticket(subject_id=subject.pk, subscription_id=line.pk, at=at, **told)


def outage_of(*lines, status="confirmed", at=MONDAY):
    """An outage that took these lines' ONUs down."""
    olt = OltFactory()
    outage = Outage.objects.create(olt=olt, cause="fibre", status=status, started_at=at, confirmed_at=at)
    for line in lines:
        onu = OnuFactory(olt=olt, subscription=line, status="offline")
        OutageOnu.objects.create(outage=outage, onu=onu, down_at=at)
    return outage


def make_zone(name="Old town"):
    return ZoneFactory(name=name)
