"""The demo's helpdesk: six weeks of tickets in every status, and what customers were told meanwhile.

All of it is made by the services the helpdesk works with, at the times the days had. Nobody is written to: the
notices of the past are marked as sent by hand, so that none of them leaves when the demo's workers begin.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pgtrigger
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Greatest, Least

from demo.stories import ACCOUNTS, ANSWERS, HELPDESK, NETWORK, OTHER, STORIES, SUBJECTS, Story, file_of
from hardware.models import Outage, OutageOnu, OutageStatus
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Membership
from ispcore.tenants.roles import Role
from subscribers.models import Hold, HoldReason, ServiceStatus, Subscriber, Subscription, Zone
from support.models import (
    Channel,
    Notice,
    NoticeKind,
    NoticeStatus,
    Purpose,
    Source,
    Subject,
    Team,
    Ticket,
    TicketStatus,
)
from support.services import desk, settings, tickets
from support.services.calendar import Calendar
from support.services.notices import consent, mass, rules, templates
from support.services.portal import access
from support.services.tickets import Upload

# Who sees the portal; the password is public on purpose and refused on any address but loopback.
PORTAL_EMAIL, PORTAL_PASSWORD = "customer1@example.org", "demo-portal"
TEAM_ROLES = {
    HELPDESK: (Role.SUPPORT, Role.ADMINISTRATOR),
    NETWORK: (Role.NETWORK_OPERATIONS,),
    ACCOUNTS: (Role.SUBSCRIBER_ACCOUNTS,),
}
WEEKS = timedelta(days=40)
SWEEP = timedelta(hours=3)
# What a zone takes, one of them less; until all tickets are there, as many as come.
ZONE_LIMIT, NARROW_ZONE, NARROW_LIMIT, NO_LIMIT = 12, "Water Tower", 6, 1000
PAST = 26  # Tickets that were settled long ago.
# How many days ago a ticket of late was opened, and how far it came.
OF_LATE = (
    (6.1, "working"), (5.3, "taken"), (5.1, "resolved"), (4.9, "waiting"), (4.2, "again"), (3.8, "working"),
    (3.3, "resolved"), (2.9, "waiting"), (2.4, "taken"), (2.2, "resolved"), (1.8, "working"), (1.4, "new"),
    (1.2, "waiting"), (0.9, "resolved"), (0.7, "taken"), (0.4, "new"), (0.2, "new"), (0.05, "new"),
)  # fmt: skip
FATES = ("new", "taken", "waiting", "working", "resolved", "again")


@dataclass(frozen=True)
class _Office:
    """Who works at the helpdesk, when, and by which catalogue."""

    calendar: Calendar
    subjects: dict[str, Subject]
    people: dict[str, list[UUID]]
    dice: random.Random

    def later(self, at: datetime, least: float, most: float) -> datetime:
        """Return a moment of the opening hours so many working hours after `at`."""
        return self.calendar.add(at, timedelta(hours=self.dice.uniform(least, most)))

    def by_day(self, moment: datetime) -> datetime:
        """Put a moment of the night off until people are up."""
        here = moment.astimezone(self.calendar.zone)
        if 8 <= here.hour < 22:
            return moment
        morning = here + timedelta(days=here.hour >= 22)
        return morning.replace(hour=self.dice.randint(8, 9), minute=self.dice.randint(0, 59))

    def someone(self, subject: Subject) -> UUID | None:
        people = self.people.get(subject.team.name if subject.team else "", [])
        return self.dice.choice(people) if people else None


@dataclass(frozen=True)
class _Matter:
    """One ticket to be: about which line, since when, and how far it comes."""

    story: Story
    line: Subscription
    opened: datetime
    fate: str

    def reaches(self, fate: str) -> bool:
        return FATES.index(self.fate) >= FATES.index(fate)


def load(*, at: datetime, country: str = "PT") -> None:
    """Give the bound tenant a helpdesk with its tickets and notices until now; one that has subjects stays as it is."""
    if Subject.objects.exists():
        return
    office = _open_office(country)
    _make_texts(at)
    opened = _live_through(office, _matters(office, at), at)
    _date_back(opened)
    _set_limits()
    _send_by_hand(at)
    _draft_mass_messages(at)
    _open_portal(at)


def _open_office(country: str) -> _Office:
    kept = settings.change_settings(
        opening_hours=["09:00-20:00"] * 5 + ["10:00-14:00", ""], country=country, zone_limit=NO_LIMIT
    )
    members = {
        name: list(
            Membership.objects.filter(tenant_id=current_tenant_id(), role__in=roles)
            .order_by("user__email")
            .values_list("user_id", flat=True)
        )
        for name, roles in TEAM_ROLES.items()
    }
    teams: dict[str, Team] = {
        name: desk.create_team(name=name, member_ids=people) for name, people in members.items()
    }
    subjects = {
        name: desk.create_subject(
            name=name,
            priority=priority,
            team_id=teams[team].pk,
            response_hours=hours,
            resolution_days=days,
            position=position,
        )
        for position, (name, priority, team, hours, days) in enumerate(SUBJECTS, start=1)
    }
    settings.change_settings(mail_subject_id=subjects[OTHER].pk)
    for name, body in ANSWERS:
        desk.create_answer(name=name, body=body)
    for name, subject in subjects.items():
        subject.team = teams[next(row[2] for row in SUBJECTS if row[0] == name)]
    return _Office(settings.calendar_of(kept), subjects, members, random.Random(4))


def _matters(office: _Office, at: datetime) -> list[_Matter]:
    """Choose whom what happens to: each line has one matter at most."""
    running = Subscription.objects.filter(
        status__in=(ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED), provisioned_at__lt=at - WEEKS
    ).select_related("subscriber", "premise")
    down = OutageOnu.objects.filter(
        outage__status=OutageStatus.CONFIRMED, up_at=None, onu__subscription__isnull=False
    )
    lines = list(running.exclude(pk__in=down.values("onu__subscription")).order_by("number"))
    theirs = [line for line in lines if line.subscriber.email_lower == PORTAL_EMAIL]
    others = [line for line in lines if line.subscriber.email_lower != PORTAL_EMAIL]
    wanted = PAST + len(OF_LATE)
    chosen = others[:: max(1, len(others) // wanted)][:wanted]
    ages = [40 - 31 * number / PAST for number in range(PAST)]
    times = [(age, "resolved") for age in ages] + list(OF_LATE)
    matters = [
        _Matter(STORIES[number % len(STORIES)], line, min(office.by_day(at - timedelta(days=age)), at), fate)
        for number, (line, (age, fate)) in enumerate(zip(chosen, times, strict=False))
    ]
    for line in theirs[:1]:
        matters.append(_Matter(STORIES[3], line, min(office.by_day(at - timedelta(days=19)), at), "resolved"))
        matters.append(_Matter(STORIES[1], line, min(office.by_day(at - timedelta(days=2)), at), "waiting"))
    affected = Subscription.objects.filter(pk__in=down.values("onu__subscription"))
    for line in affected.select_related("subscriber", "premise").order_by("number")[:2]:
        matters.append(_Matter(STORIES[0], line, at - timedelta(minutes=20), "new"))
    return matters


def _live_through(office: _Office, matters: list[_Matter], at: datetime) -> dict[UUID, datetime]:
    """Let everything happen in the order of its time, and stop now; return when each ticket was opened."""
    opened: dict[UUID, datetime] = {}
    cut = Hold.objects.filter(reason=HoldReason.NON_PAYMENT).select_related("subscription")
    lives = [
        *(_live(office, matter, opened) for matter in matters),
        *(_tell_of_cut(hold) for hold in cut.order_by("opened_at", "pk")),
        *(_tell_of_outage(each) for each in Outage.objects.filter(status=OutageStatus.CONFIRMED)),
        *(_merge_two(office, matter, opened, at) for matter in matters[-1:]),
        _sweep(at - WEEKS),
    ]
    waiting = [(next(life), number, life) for number, life in enumerate(lives)]
    heapq.heapify(waiting)
    while waiting:
        moment, number, life = heapq.heappop(waiting)
        if moment > at:
            continue
        following = next(life, None)
        if following is not None:
            heapq.heappush(waiting, (following, number, life))
    return opened


def _live(office: _Office, matter: _Matter, opened: dict[UUID, datetime]) -> Iterator[datetime]:
    """Live through one ticket: each moment that is yielded is waited for."""
    story, subject = matter.story, office.subjects[matter.story.subject]
    now = matter.opened
    yield now
    who = office.someone(subject)
    by_staff = who if story.source == Source.STAFF else None
    ticket = tickets.open_ticket(
        subject_id=subject.pk,
        subscription_id=matter.line.pk,
        title=story.title,
        description=story.said,
        source=story.source,
        files=[Upload(story.sends, [file_of(story.sends)])] if story.sends else [],
        user_id=by_staff,
        at=now,
    )
    opened[ticket.pk] = now
    rules.tell_ticket_opened(ticket_id=ticket.pk, at=now)
    if not matter.reaches("taken"):
        return
    now = office.later(now, 0.2, 3)
    yield now
    tickets.change_ticket(
        ticket_id=ticket.pk, assignee_id=who, status=TicketStatus.IN_PROGRESS, user_id=who, at=now
    )
    tickets.comment(ticket_id=ticket.pk, body=story.note, is_internal=True, user_id=who, at=now)
    if not matter.reaches("waiting"):
        return
    now = office.later(now, 0.2, 2)
    yield now
    _answer(ticket, story.asked, who, now)
    tickets.move(ticket_id=ticket.pk, to=TicketStatus.WAITING, user_id=who, at=now)
    if not matter.reaches("working"):
        return
    now = office.by_day(now + timedelta(hours=office.dice.uniform(1, 14)))
    yield now
    tickets.comment(ticket_id=ticket.pk, body=story.replied, source=Source.CUSTOMER, at=now)
    if not matter.reaches("resolved"):
        return
    now = office.later(now, 0.5, 7)
    yield now
    _answer(ticket, story.done, who, now)
    tickets.move(ticket_id=ticket.pk, to=TicketStatus.RESOLVED, user_id=who, at=now)
    rules.tell_ticket_resolved(ticket_id=ticket.pk, at=now)
    if matter.fate == "again":
        now = office.by_day(now + timedelta(hours=office.dice.uniform(10, 20)))
        yield now
        again = "It was fine for a few hours and is the same as before."
        tickets.comment(ticket_id=ticket.pk, body=again, source=Source.CUSTOMER, at=now)


def _answer(ticket: Ticket, body: str, who: UUID | None, at: datetime) -> None:
    said = tickets.comment(ticket_id=ticket.pk, body=body, user_id=who, at=at)
    rules.tell_ticket_answered(ticket_id=ticket.pk, comment_id=said.pk, at=at)


def _merge_two(
    office: _Office, matter: _Matter, opened: dict[UUID, datetime], at: datetime
) -> Iterator[datetime]:
    """Let one customer write and call about the same, and the desk find it out."""
    now = at - timedelta(minutes=15)
    yield now
    first = Ticket.objects.filter(subscription=matter.line).order_by("-id").first()
    if first is None or first.status == TicketStatus.CLOSED:
        return
    who = office.someone(office.subjects[matter.story.subject])
    second = tickets.open_ticket(
        subject_id=first.subject_id,
        subscription_id=matter.line.pk,
        title="Called about it as well",
        description="The customer calls: nobody has answered what they wrote.",
        force=True,
        user_id=who,
        at=now,
    )
    opened[second.pk] = now
    rules.tell_ticket_opened(ticket_id=second.pk, at=now)
    now += timedelta(minutes=5)
    yield now
    tickets.merge(ticket_id=second.pk, into_id=first.pk, user_id=who, at=now)


def _sweep(since: datetime) -> Iterator[datetime]:
    """Do what the clock does: raise what waits too long, close what stayed resolved."""
    now = since
    while True:
        yield now
        tickets.escalate(at=now)
        tickets.close_resolved(at=now)
        now += SWEEP


def _set_limits() -> None:
    settings.change_settings(zone_limit=ZONE_LIMIT)
    if zone := Zone.objects.filter(name=NARROW_ZONE).first():
        desk.set_zone_limit(zone_id=zone.pk, limit=NARROW_LIMIT)


def _date_back(opened: dict[UUID, datetime]) -> None:
    """Let the tickets have been opened when they were, unseen by the history."""
    with pgtrigger.ignore(), connection.cursor() as cursor:
        # Positional, because ignoring triggers puts a statement of its own before each.
        cursor.execute(
            """
            UPDATE support_ticket AS ticket
            SET created_at = given.at,
                updated_at = (SELECT COALESCE(max(said_at), given.at) FROM support_comment AS comment
                              WHERE comment.tenant_id = ticket.tenant_id AND comment.ticket_id = ticket.id)
            FROM unnest(%s::uuid[], %s::timestamptz[]) AS given (id, at)
            WHERE ticket.tenant_id = %s AND ticket.id = given.id
            """,
            [list(opened), list(opened.values()), current_tenant_id()],
        )


def _make_texts(at: datetime) -> None:
    """Keep two texts of the provider's own, and what some customers said of being written to."""
    templates.create_template(
        kind=NoticeKind.OUTAGE,
        subject="We are working on your line",
        body="Hello {customer},\n\nsince {since} there is an outage in your street. Our people are there, and we write "
        "again when it is over.\n\n{provider}",
    )
    templates.create_template(
        kind=NoticeKind.TICKET_RESOLVED,
        subject="{ticket} is settled",
        body="Hello {customer},\n\nwe think that {ticket}, {title}, is settled. If it is not, just answer on your "
        "customer pages, and it is open again.\n\n{provider}",
    )
    people = Subscriber.objects.exclude(email="").order_by("number")
    for number, person in enumerate(people[:24]):
        if number % 4 == 1:
            consent.set_consent(
                subscriber_id=person.pk, channel=Channel.SMS, purpose=Purpose.MARKETING, is_given=True, at=at
            )
        if number % 6 == 5:
            consent.set_consent(
                subscriber_id=person.pk, channel=Channel.EMAIL, purpose=Purpose.SERVICE, is_given=False, at=at
            )


def _tell_of_cut(hold: Hold) -> Iterator[datetime]:
    """Tell of a cut that lasts; of one that is over, that the service is back."""
    now = hold.released_at or hold.opened_at
    yield now
    tell = rules.tell_reactivation if hold.released_at else rules.tell_suspension
    tell(subscriber_id=hold.subscription.subscriber_id, at=now)


def _tell_of_outage(outage: Outage) -> Iterator[datetime]:
    now = outage.confirmed_at or outage.started_at
    yield now
    rules.tell_outage(outage_id=outage.pk, at=now)


def _send_by_hand(at: datetime) -> None:
    """Mark what was written as sent when it would have been; one of them was refused."""
    written = Notice.objects.filter(status=NoticeStatus.WAITING)
    refused = written.order_by("written_at").first()
    if refused is not None:
        Notice.objects.filter(pk=refused.pk).update(
            status=NoticeStatus.FAILED, attempts=1, detail="550 5.1.1 No such mailbox here"
        )
    sent_at = Greatest(Least(F("send_after"), Value(at)), F("written_at"))
    written.update(status=NoticeStatus.SENT, attempts=1, sent_at=sent_at)
    Notice.objects.update(created_at=F("written_at"), updated_at=F("written_at"))


def _draft_mass_messages(at: datetime) -> None:
    """Leave one message as it was begun, and one counted, to be approved by whoever looks at it."""
    mass.create(
        name="Faster plans in spring",
        purpose=Purpose.MARKETING,
        subject="More speed for the same money",
        body="Hello {customer},\n\nfrom spring on our plans are faster. You need do nothing.\n\n{provider}",
        cap=500,
    )
    works = mass.create(
        name="Works at the exchange",
        subject="Works in the night to Thursday",
        body="Hello {customer},\n\nin the night to Thursday we work at the exchange between 02:00 and 04:00. Your line "
        "may be off for some minutes.\n\n{provider}",
        zone=Zone.objects.filter(name="Harbour").first(),
        cap=200,
    )
    mass.count(message_id=works.pk, at=at)


def _open_portal(at: datetime) -> None:
    """Let one customer in, by the link they would have asked for and a password of their own."""
    customer = Subscriber.objects.filter(email_lower=PORTAL_EMAIL).first()
    if customer is None:
        return
    secret = access.new_link(customer, at=at).rstrip("/").rpartition("/")[2]
    account = access.enter(secret=secret, at=at)
    access.set_password(account_id=account.pk, password=PORTAL_PASSWORD)
