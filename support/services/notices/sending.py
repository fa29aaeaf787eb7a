"""Sending what was written: the row first, then the message, so that none goes twice.

A worker claims a row before it speaks to the mail server or the gateway and marks it after. If it dies between the
two, nobody can know whether the message left: the row is then marked as perhaps sent and not sent again.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from billing.services.documents.identity import billing_identity
from ispcore.jobs import services as jobs
from support.models import (
    Channel,
    MassMessage,
    MassState,
    Notice,
    NoticeChannel,
    NoticeStatus,
    Purpose,
)
from support.services.notices import consent, rules, stopping
from support.services.notices.channels.base import Message, Refused, Uncertain, Unreachable, Way
from support.services.notices.channels.email import Email
from support.services.notices.channels.http_gateway import HttpGateway
from support.services.settings import tenant_zone

MOST_PER_RUN = 2000
MOST_ATTEMPTS = 5
AGAIN_AFTER = timedelta(minutes=5)  # Times the tries so far.
SILENT_FOR = timedelta(minutes=2)
STALE = timedelta(days=3)  # News of three days ago is none.


def send_due(run: jobs.Run, *, now: Callable[[], datetime]) -> dict[str, Any]:
    """Send what may go out, one message at a time, with no transaction open meanwhile. Safe to repeat.

    The clock is looked at for each message: a run may last into the quiet hours, and a signature must be of its time.
    """
    at = now()
    with run.tenant():
        run.hold()
        # The job is this worker's alone: what another one left half-way, that one never finished.
        Notice.objects.filter(status=NoticeStatus.SENDING).update(
            status=NoticeStatus.UNCERTAIN,
            detail="The worker stopped while it was being sent.",
            updated_at=at,
        )
        _give_up_stale(at)
        ways = _ways()
    counted: Counter[str] = Counter(sent=0, failed=0, skipped=0)
    silent: set[str] = set()
    try:
        for done in range(MOST_PER_RUN):
            at = now()
            with run.tenant():
                run.hold()
                notice = _claim(at, without=silent)
            if notice is None:
                break
            run.progress(done, MOST_PER_RUN, f"{done} so far")
            if notice.status == NoticeStatus.SENDING:
                _send(run, ways, notice, silent, at=at)
            counted[str(notice.status)] += 1
    finally:
        for way in ways.values():
            way.close()
    with run.tenant():
        _finish_mass_messages(now())
    return dict(counted)


def _ways() -> dict[str, Way]:
    identity = billing_identity()
    ways: dict[str, Way] = {Channel.EMAIL: Email(provider=identity.legal_name, reply_to=identity.email)}
    for each in NoticeChannel.objects.filter(is_enabled=True):
        ways[each.channel] = HttpGateway(
            channel=each.channel, url=each.url, secret=each.secret.reveal(), sender=each.sender
        )
    return ways


def _give_up_stale(at: datetime) -> None:
    Notice.objects.filter(status=NoticeStatus.WAITING, send_after__lte=at, written_at__lt=at - STALE).update(
        status=NoticeStatus.SKIPPED, detail="It could not be sent in time.", updated_at=at
    )


def _claim(at: datetime, *, without: set[str]) -> Notice | None:
    """Take the next row, looked at again: what is no longer true, or no longer wanted, is not sent."""
    rows = Notice.objects.select_for_update(of=("self",)).filter(
        status=NoticeStatus.WAITING, send_after__lte=at
    )
    if without:
        rows = rows.exclude(channel__in=without)
    rows = rows.select_related("subscriber", "mass_message").order_by("send_after", "pk")
    # An outage is not told behind ten thousand offers.
    found: Notice | None = rows.filter(mass_message=None).first() or rows.first()
    if found is None:
        return None
    later = consent.loud_from(at, settings=consent.notice_settings(), zone=tenant_zone())
    refused = consent.refusals([found.subscriber], channel=found.channel, purpose=found.purpose)
    why = refused.get(found.subscriber_id, "") or rules.why_not(found)
    if why:
        found.status, found.detail = NoticeStatus.SKIPPED, why
    elif later > at:
        found.send_after = later
    else:
        found.status, found.attempts = NoticeStatus.SENDING, found.attempts + 1
    found.updated_at = at
    found.save(update_fields=["status", "detail", "attempts", "send_after", "updated_at"])
    return found


def _send(run: jobs.Run, ways: dict[str, Way], notice: Notice, silent: set[str], *, at: datetime) -> None:
    way = ways.get(notice.channel)
    if way is None:
        _mark(run, notice, NoticeStatus.FAILED, "No gateway is set up for this way any more.", at=at)
        return
    with run.tenant():
        is_offer = notice.purpose == Purpose.MARKETING and notice.channel == Channel.EMAIL
        stop_url = stopping.stop_link(notice.subscriber_id) if is_offer else ""
    message = Message(
        key=str(notice.pk),
        address=notice.address,
        subject=notice.subject,
        body=notice.body,
        stop_url=stop_url,
    )
    try:
        way.send(message, at=at)
    except Unreachable as error:
        # Nobody was asked: it counts as no try, and the others of this way wait for the next run.
        silent.add(notice.channel)
        notice.attempts -= 1
        notice.send_after = at + SILENT_FOR
        _mark(run, notice, NoticeStatus.WAITING, str(error), at=at)
    except Refused as error:
        again = error.again and notice.attempts < MOST_ATTEMPTS
        notice.send_after = at + AGAIN_AFTER * notice.attempts
        _mark(run, notice, NoticeStatus.WAITING if again else NoticeStatus.FAILED, str(error), at=at)
    except Uncertain as error:
        _mark(run, notice, NoticeStatus.UNCERTAIN, str(error), at=at)
    else:
        _mark(run, notice, NoticeStatus.SENT, "", at=at)


def _mark(run: jobs.Run, notice: Notice, status: NoticeStatus, detail: str, *, at: datetime) -> None:
    """Write down what became of it; a row that was given up as perhaps sent may still learn better."""
    notice.status = status
    is_sent = status == NoticeStatus.SENT
    with run.tenant():
        Notice.objects.filter(pk=notice.pk, status__in=(NoticeStatus.SENDING, NoticeStatus.UNCERTAIN)).update(
            status=status,
            detail=detail[:300],
            attempts=notice.attempts,
            send_after=notice.send_after,
            sent_at=at if is_sent else F("sent_at"),
            updated_at=at,
        )


def _finish_mass_messages(at: datetime) -> None:
    unsent = Notice.objects.filter(status__in=(NoticeStatus.WAITING, NoticeStatus.SENDING))
    for each in MassMessage.objects.filter(state=MassState.SENDING):
        if not unsent.filter(mass_message=each).exists():
            MassMessage.objects.filter(pk=each.pk, state=MassState.SENDING).update(
                state=MassState.SENT, finished_at=at, updated_at=at
            )
