"""One text to many customers: who would get it, approval by that count, and writing the rows in batches."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from billing.services.documents.identity import billing_identity
from ispcore.errors import DomainError, NotRegistered
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.base import changed, locked
from subscribers.models import Plan, ServiceStatus, Subscriber, Subscription, Zone
from support.models import (
    Channel,
    Consent,
    MassMessage,
    MassState,
    Notice,
    NoticeChannel,
    NoticeKind,
    NoticeStatus,
    Purpose,
)
from support.services.desk import UnknownZone
from support.services.notices import templates
from support.services.notices.templates import Text
from support.services.notices.writing import BATCH, request_sending, write_rows

KIND = "support.write_mass_message"
EDITABLE = (MassState.DRAFT, MassState.COUNTED)
STOPPABLE = (MassState.DRAFT, MassState.COUNTED, MassState.APPROVED, MassState.SENDING)


class UnknownPlan(NotRegistered):
    message = "There is no such plan."
    field = "plan_id"


class MassMessageFixed(DomainError):
    code = "mass_message_fixed"
    message = "The message is {state}: what it says and to whom stays as it is."


class NotCounted(DomainError):
    code = "mass_message_not_counted"
    message = "Count first who would get it."


class CountDiffers(DomainError):
    code = "mass_message_count_differs"
    message = "{now} customers would get it now, not {given}. Look again, and approve that count."
    field = "count"


class OverCap(DomainError):
    code = "mass_message_over_cap"
    message = "{count} customers are more than the cap of {cap}. Narrow whom it is for, or raise the cap."
    field = "cap"


class NobodyToTell(DomainError):
    code = "mass_message_to_nobody"
    message = "Nobody would get it: see whom it is for, and whether they agreed to be written to."


class NoGateway(DomainError):
    code = "channel_not_set_up"
    message = "No gateway is set up for {channel}."
    field = "channel"


class NotStoppable(DomainError):
    code = "mass_message_over"
    message = "The message is {state} already."


@transaction.atomic
def create(**fields: Any) -> MassMessage:
    """Draft a message. Raises UnknownPlaceholder, BadBraces, SubjectMissing, UnknownZone, UnknownPlan."""
    message = MassMessage(**fields)
    _check(message)
    message.save()
    return message


@transaction.atomic
def change(*, message_id: UUID, **fields: Any) -> MassMessage:
    """Change a draft; it must be counted anew. Safe to repeat.

    Raises MassMessageFixed, and as `create`.
    """
    message = locked(MassMessage, message_id)
    if message.state not in EDITABLE:
        raise MassMessageFixed(state=message.get_state_display().lower())
    for name, value in fields.items():
        setattr(message, name, value)
    _check(message)
    return changed(message, {"state": MassState.DRAFT, "counted": None, "counted_at": None})


@transaction.atomic
def count(*, message_id: UUID, at: datetime) -> MassMessage:
    """Count who would get it: those who have an address and agreed. Safe to repeat. Raises MassMessageFixed."""
    message = locked(MassMessage, message_id)
    if message.state not in EDITABLE:
        raise MassMessageFixed(state=message.get_state_display().lower())
    return changed(
        message, {"state": MassState.COUNTED, "counted": recipients(message).count(), "counted_at": at}
    )


@transaction.atomic
def approve(*, message_id: UUID, count: int, at: datetime, user_id: UUID | None) -> tuple[MassMessage, Job]:
    """Let it go out to as many customers as the one who approves has seen, and let a worker begin.

    Raises NotCounted, CountDiffers, OverCap, NobodyToTell, NoGateway.
    """
    message = locked(MassMessage, message_id)
    if message.state != MassState.COUNTED:
        raise NotCounted
    now = recipients(message).count()
    if now != count:
        raise CountDiffers(now=now, given=count)
    if now == 0:
        raise NobodyToTell
    if now > message.cap:
        raise OverCap(count=now, cap=message.cap)
    gateways = NoticeChannel.objects.filter(channel=message.channel, is_enabled=True)
    if message.channel != Channel.EMAIL and not gateways.exists():
        raise NoGateway(channel=Channel(message.channel).label)
    changed(
        message,
        {"state": MassState.APPROVED, "counted": now, "approved_at": at, "approved_by_id": user_id},
    )
    job = jobs.enqueue(
        kind=KIND,
        params={"message_id": str(message.pk)},
        label=f"Send {message.name}",
        subject=f"mass-message:{message.pk}",
        user_id=user_id,
    )
    return message, job


@transaction.atomic
def cancel(*, message_id: UUID, at: datetime) -> MassMessage:
    """Call it off; what has left stays sent, and what waits is not sent. Safe to repeat. Raises NotStoppable."""
    message = locked(MassMessage, message_id)
    if message.state == MassState.CANCELLED:
        return message
    if message.state not in STOPPABLE:
        raise NotStoppable(state=message.get_state_display().lower())
    Notice.objects.filter(mass_message=message, status=NoticeStatus.WAITING).update(
        status=NoticeStatus.SKIPPED, detail="The mass message was called off.", updated_at=at
    )
    return changed(message, {"state": MassState.CANCELLED, "finished_at": at})


def write_message(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Write the rows of an approved message, a batch in each transaction, never more than its cap. Safe to repeat.

    A batch that was written before a worker died is found again by its rows, and nobody gets a second one.
    """
    message_id = UUID(run.params["message_id"])
    while True:
        with run.tenant():
            run.hold()
            message = locked(MassMessage, message_id)
            if message.state != MassState.APPROVED:
                return {"message_id": str(message.pk), "written": message.written}
            done = _write_batch(message, at=at)
            if done == 0:
                changed(message, {"state": MassState.SENDING})
                request_sending()
                return {"message_id": str(message.pk), "written": message.written}
            MassMessage.objects.filter(pk=message.pk).update(written=F("written") + done, updated_at=at)
        run.progress(message.written + done, message.counted or 0)


def recipients(message: MassMessage) -> QuerySet[Subscriber]:
    """Return who would get it: whom it is for, less those without an address and those who do not want it."""
    rows = Subscriber.objects.all()
    if message.status:
        rows = rows.filter(status=message.status)
    if message.zone_id or message.plan_id:
        lines = Subscription.objects.filter(subscriber=OuterRef("pk")).exclude(status=ServiceStatus.CANCELLED)
        if message.zone_id:
            lines = lines.filter(premise__zone=message.zone_id)
        if message.plan_id:
            lines = lines.filter(plan=message.plan_id)
        rows = rows.filter(Exists(lines))
    rows = rows.exclude(email="") if message.channel == Channel.EMAIL else rows.exclude(phone_e164="")
    said = Consent.objects.filter(subscriber=OuterRef("pk"), channel=message.channel, purpose=message.purpose)
    if message.purpose == Purpose.SERVICE:
        return rows.filter(~Exists(said.filter(is_given=False)))
    agreed = Q(marketing_consent_at__isnull=False) & ~Exists(said.filter(is_given=False))
    return rows.filter(Exists(said.filter(is_given=True)) | agreed)


def _write_batch(message: MassMessage, *, at: datetime) -> int:
    identity = billing_identity()
    room = message.cap - message.written
    theirs = Notice.objects.filter(
        kind=NoticeKind.MASS, source=str(message.pk), channel=message.channel, subscriber=OuterRef("pk")
    )
    people = list(recipients(message).filter(~Exists(theirs)).order_by("pk")[: min(BATCH, room)])
    if not people:
        return 0
    return write_rows(
        people,
        texts=[Text(message.channel, message.subject, message.body)],
        kind=NoticeKind.MASS,
        source=str(message.pk),
        values={"provider": identity.legal_name},
        at=at,
        purpose=message.purpose,
        mass_message=message,
    )


def _check(message: MassMessage) -> None:
    if message.zone_id and not Zone.objects.filter(pk=message.zone_id).exists():
        raise UnknownZone
    if message.plan_id and not Plan.objects.filter(pk=message.plan_id).exists():
        raise UnknownPlan
    if message.channel != Channel.EMAIL:
        message.subject = ""
    templates.check_text(NoticeKind.MASS, channel=message.channel, subject=message.subject, body=message.body)
