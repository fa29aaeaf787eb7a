"""A line's life: one owner of its status. Every function locks the line first and runs in one transaction.

A customer's row is locked before their lines, so that creating a line and ending all of them take turns, and so
that the customer's own status follows the last hold.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from ispcore import numbering
from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish
from ispcore.tenants.context import current_tenant_id
from subscribers.models import (
    Hold,
    Plan,
    PlanChange,
    PlanZone,
    Premise,
    ServiceStatus,
    Subscriber,
    SubscriberStatus,
    Subscription,
)
from subscribers.services import holds

# From -> to. What is not here is refused.
TRANSITIONS: dict[str, frozenset[str]] = {
    ServiceStatus.DRAFT: frozenset({ServiceStatus.PENDING_INSTALLATION, ServiceStatus.CANCELLED}),
    ServiceStatus.PENDING_INSTALLATION: frozenset({ServiceStatus.ACTIVE, ServiceStatus.CANCELLED}),
    ServiceStatus.ACTIVE: frozenset({ServiceStatus.SUSPENDED, ServiceStatus.TERMINATED}),
    ServiceStatus.SUSPENDED: frozenset({ServiceStatus.ACTIVE, ServiceStatus.TERMINATED}),
    ServiceStatus.TERMINATED: frozenset(),
    ServiceStatus.CANCELLED: frozenset(),
}


class TransitionNotAllowed(DomainError):
    code = "transition_not_allowed"
    message = "A service that is {from_status} cannot become {to_status}."


class LineOnHold(DomainError):
    code = "line_on_hold"
    message = "The service is on hold ({reasons}); release its holds to bring it back."


class HoldNotOpen(DomainError):
    code = "hold_not_open"
    message = "The service is not on hold for {reason}."
    field = "reason"


class PlanNotSold(DomainError):
    code = "plan_not_sold"
    message = "The product {plan} is not sold on {on} at this premise."
    field = "product_id"


class SubscriberInactive(DomainError):
    code = "subscriber_inactive"
    message = "The customer is inactive; activate the customer first."
    field = "customer_id"


class SubscriberSuspended(DomainError):
    code = "subscriber_suspended"
    message = "The customer {number} is suspended{why}; activate the customer first."


class ServiceUnknown(NotRegistered):
    message = "There is no such service."


class SubscriberUnknown(NotRegistered):
    message = "There is no such customer."
    field = "customer_id"


class PlanUnknown(NotRegistered):
    message = "There is no such product."
    field = "product_id"


class PremiseUnknown(NotRegistered):
    message = "There is no such premise."
    field = "premise_id"


@transaction.atomic
def create_service(
    *,
    subscriber_id: UUID,
    plan_id: UUID,
    premise_id: UUID,
    on: date,
    sales_agent: str = "",
    isp_reference: str = "",
    wifi_name: str = "",
    wifi_password: str = "",
    user_id: UUID | None = None,
) -> Subscription:
    """Order a line: it waits for its installation. `on` is today where the provider is.

    Raises SubscriberUnknown, PlanUnknown, PremiseUnknown, SubscriberInactive, PlanNotSold.
    """
    subscriber = Subscriber.objects.select_for_update(of=("self",)).filter(pk=subscriber_id).first()
    plan = Plan.objects.filter(pk=plan_id).first()
    premise = Premise.objects.filter(pk=premise_id).first()
    if subscriber is None:
        raise SubscriberUnknown
    if plan is None:
        raise PlanUnknown
    if premise is None:
        raise PremiseUnknown
    if subscriber.status == SubscriberStatus.INACTIVE:
        raise SubscriberInactive
    refuse_unsold(plan=plan, zone_id=premise.zone_id, on=on)
    (number,) = numbering.draw("service")
    line: Subscription = Subscription.objects.create(
        number=number,
        subscriber=subscriber,
        plan=plan,
        premise=premise,
        status=ServiceStatus.PENDING_INSTALLATION,
        sales_agent=sales_agent,
        isp_reference=isp_reference,
        wifi_name=wifi_name,
        wifi_password=wifi_password,
        created_by_id=user_id,
    )
    publish("subscribers.subscription_status_changed", subscription_id=str(line.pk))
    return line


@transaction.atomic
def activate_service(*, subscription_id: UUID, at: datetime, user_id: UUID | None = None) -> Subscription:
    """Take a line into operation; the first time is kept as when it was provisioned.

    A suspended customer's line waits until the customer is active: whoever is barred gets no new line, which
    no hold would bar. Raises ServiceUnknown, TransitionNotAllowed, LineOnHold, SubscriberSuspended.
    """
    line = _lock_after_customer(subscription_id)
    _refuse_unless_allowed(line, ServiceStatus.ACTIVE)
    reasons = sorted(line.holds.filter(released_at=None).values_list("reason", flat=True))
    if reasons:
        raise LineOnHold(reasons=holds.names_of(reasons))
    if line.subscriber.status == SubscriberStatus.SUSPENDED:
        named = holds.names_of(holds.open_reasons(line.subscriber_id))
        raise SubscriberSuspended(number=line.subscriber.number, why=f" for {named}" if named else "")
    line.provisioned_at = line.provisioned_at or at
    return _move(line, ServiceStatus.ACTIVE, "provisioned_at")


@transaction.atomic
def open_hold(
    *,
    subscription_id: UUID,
    reason: str,
    at: datetime,
    until: datetime | None = None,
    note: str = "",
    user_id: UUID | None = None,
) -> Hold:
    """Bar a line for a reason. Safe to repeat: the hold that is open for this reason stays as it is.

    `until`, when given, is after `at`. Raises ServiceUnknown, TransitionNotAllowed.
    """
    line = lock_line(subscription_id)
    if line.status != ServiceStatus.SUSPENDED:
        _refuse_unless_allowed(line, ServiceStatus.SUSPENDED)
    hold: Hold | None = line.holds.filter(reason=reason, released_at=None).first()
    if hold is None:
        hold = Hold.objects.create(
            subscription=line, reason=reason, opened_at=at, until=until, note=note, opened_by_id=user_id
        )
    if line.status != ServiceStatus.SUSPENDED:
        _move(line, ServiceStatus.SUSPENDED)
    return hold


@transaction.atomic
def release_hold(
    *, subscription_id: UUID, reason: str, at: datetime, user_id: UUID | None = None
) -> Hold | None:
    """Lift one reason; the line comes back when no other is open. Safe to repeat: then there is no hold.

    With the last open hold of all lines of a suspended customer the customer is active again. Raises
    ServiceUnknown.
    """
    line = _lock_after_customer(subscription_id)
    hold: Hold | None = line.holds.filter(reason=reason, released_at=None).first()
    if hold is None:
        return None
    hold.released_at, hold.released_by_id = at, user_id
    hold.save(update_fields=["released_at", "released_by", "updated_at"])
    if line.status == ServiceStatus.SUSPENDED and not line.holds.filter(released_at=None).exists():
        _move(line, ServiceStatus.ACTIVE)
    holds.bring_back([line.subscriber_id], at=at)
    return hold


@transaction.atomic
def terminate_service(*, subscription_id: UUID, at: datetime, user_id: UUID | None = None) -> Subscription:
    """End a line that runs or is suspended, with its holds and the plan change that waits. Safe to repeat.

    One that waits for its installation is cancelled instead. A suspended customer stays so, unless lines are left
    and none of them is barred. Raises ServiceUnknown, TransitionNotAllowed.
    """
    line = _lock_after_customer(subscription_id)
    if line.status == ServiceStatus.TERMINATED:
        return line
    _refuse_unless_allowed(line, ServiceStatus.TERMINATED)
    line.terminated_at = at
    _drop_what_waits(line, at=at, user_id=user_id)
    _move(line, ServiceStatus.TERMINATED, "terminated_at")
    if Subscription.objects.filter(subscriber=line.subscriber_id, status=ServiceStatus.ACTIVE).exists():
        holds.bring_back([line.subscriber_id], at=at)
    return line


@transaction.atomic
def cancel_service(*, subscription_id: UUID, at: datetime, user_id: UUID | None = None) -> Subscription:
    """Call off a line that was never installed, a draft included. Raises ServiceUnknown, TransitionNotAllowed."""
    line = lock_line(subscription_id)
    _refuse_unless_allowed(line, ServiceStatus.CANCELLED)
    _drop_what_waits(line, at=at, user_id=user_id)
    return _move(line, ServiceStatus.CANCELLED)


@transaction.atomic
def update_service(
    *,
    subscription_id: UUID,
    isp_reference: str | None = None,
    wifi_name: str | None = None,
    wifi_password: str | None = None,
) -> Subscription:
    """Change what may be changed in any status; None leaves a value as it is. Raises ServiceUnknown."""
    line = lock_line(subscription_id)
    changed = []
    if isp_reference is not None and isp_reference != line.isp_reference:
        line.isp_reference = isp_reference
        changed.append("isp_reference")
    if wifi_name is not None and wifi_name != line.wifi_name:
        line.wifi_name = wifi_name
        changed.append("wifi_name")
    if wifi_password is not None and not line.wifi_password.matches(wifi_password):
        line.wifi_password = wifi_password
        changed.append("wifi_password")
    if changed:
        line.save(update_fields=[*changed, "updated_at"])
        line.refresh_from_db(fields=changed)
        publish("subscribers.subscription_changed", subscription_id=str(line.pk))
    return line


def lock_line(subscription_id: UUID) -> Subscription:
    """Return the line, locked until the transaction ends. Raises ServiceUnknown."""
    rows = Subscription.objects.select_for_update(of=("self",))
    line: Subscription | None = rows.filter(pk=subscription_id).first()
    if line is None:
        raise ServiceUnknown
    return line


def _lock_after_customer(subscription_id: UUID) -> Subscription:
    """Return the line, locked after its customer; `line.subscriber` is that locked row. Raises ServiceUnknown."""
    of = Subscription.objects.filter(pk=subscription_id).values("subscriber")
    subscriber = Subscriber.objects.select_for_update(of=("self",)).filter(pk__in=of).first()
    line = lock_line(subscription_id)
    line.subscriber = subscriber
    return line


def refuse_unsold(*, plan: Plan, zone_id: UUID | None, on: date) -> None:
    """Raise PlanNotSold when the plan is not sold on that day, or in neither the zone nor one around it."""
    in_time = (plan.sold_from is None or plan.sold_from <= on) and (
        plan.sold_until is None or on < plan.sold_until
    )
    zones = set(PlanZone.objects.filter(plan=plan).values_list("zone_id", flat=True)) if in_time else set()
    if not in_time or (zones and zones.isdisjoint(_zones_around(zone_id))):
        raise PlanNotSold(plan=plan.code, on=on)


def _zones_around(zone_id: UUID | None) -> set[UUID]:
    """Return the zone and all it lies in. UNION ends the walk should zones ever contain each other."""
    if zone_id is None:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE around AS (
                SELECT id, parent_id FROM subscribers_zone WHERE tenant_id = %(tenant)s AND id = %(zone)s
                UNION
                SELECT zone.id, zone.parent_id
                FROM subscribers_zone AS zone JOIN around ON zone.id = around.parent_id
                WHERE zone.tenant_id = %(tenant)s
            )
            SELECT id FROM around
            """,
            {"tenant": current_tenant_id(), "zone": zone_id},
        )
        return {row[0] for row in cursor.fetchall()}


def _refuse_unless_allowed(line: Subscription, to_status: str) -> None:
    if to_status not in TRANSITIONS[line.status]:
        before, after = ServiceStatus(line.status).label, ServiceStatus(to_status).label
        raise TransitionNotAllowed(from_status=before.lower(), to_status=after.lower())


def _move(line: Subscription, to_status: str, *fields: str) -> Subscription:
    line.status = to_status
    line.save(update_fields=["status", *fields, "updated_at"])
    publish("subscribers.subscription_status_changed", subscription_id=str(line.pk))
    return line


def _drop_what_waits(line: Subscription, *, at: datetime, user_id: UUID | None) -> None:
    waiting: dict[str, Any] = {"subscription": line, "applied_at": None, "cancelled_at": None}
    Hold.objects.filter(subscription=line, released_at=None).update(
        released_at=at, released_by=user_id, updated_at=at
    )
    PlanChange.objects.filter(**waiting).update(cancelled_at=at, updated_at=at)
