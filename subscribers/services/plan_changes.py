"""Changing a line's plan, now or on a day, and what that costs for the rest of the period."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery

from ispcore.errors import DomainError
from ispcore.events.services import publish
from subscribers.models import BillingProfile, Plan, PlanChange, ServiceStatus, Subscription
from subscribers.services.lines import PlanUnknown, ServiceUnknown, lock_line, refuse_unsold
from subscribers.services.periods import local_date, period_around

CENT = Decimal("0.01")
APPLY_BATCH = 500  # Lines per transaction: the first of a month must not lock every line at once.
ENDED = (ServiceStatus.TERMINATED, ServiceStatus.CANCELLED)


class ServiceEnded(DomainError):
    code = "service_ended"
    message = "The service is {status}; its product cannot change any more."


class PlanUnchanged(DomainError):
    code = "plan_unchanged"
    message = "The service has this product already."
    field = "product_id"


class CurrencyDiffers(DomainError):
    code = "currency_differs"
    message = "The service is billed in {old}, the product is sold in {new}."
    field = "product_id"


class PlanChangeWaiting(DomainError):
    code = "plan_change_waiting"
    message = "A change of product waits for {effective_on}; cancel it first."


class PlanChangeInThePast(DomainError):
    code = "plan_change_in_the_past"
    message = "A change of product cannot take effect on {effective_on}, before today."
    field = "effective_on"


@dataclass(frozen=True)
class Proration:
    """What a change of plan on `effective_on` costs until the period ends, before tax."""

    from_plan_id: UUID
    to_plan_id: UUID
    effective_on: date
    period_start: date
    period_end: date
    days_in_period: int
    days_left: int
    credit: Decimal
    charge: Decimal
    net: Decimal
    currency: str


def preview_plan_change(*, subscription_id: UUID, to_plan_id: UUID, on: date) -> Proration:
    """Compute the proration of a change that takes effect on `on`. Changes nothing.

    The unused days of the running period are credited at the old plan's price and charged at the new one's,
    each plan's price spread evenly over the days of its own period, rounded half up to the cent. A line that
    was never in operation has nothing to credit or to charge.

    Raises ServiceUnknown, PlanUnknown, ServiceEnded, PlanUnchanged, CurrencyDiffers, PlanNotSold.
    """
    rows = Subscription.objects.select_related("plan", "premise", "subscriber__billing_profile")
    line: Subscription | None = rows.filter(pk=subscription_id).first()
    if line is None:
        raise ServiceUnknown
    plan = _new_plan(line, to_plan_id, on)
    return prorate(
        old=line.plan,
        new=plan,
        profile=line.subscriber.billing_profile,
        began_on=local_date(line.provisioned_at or line.created_at),
        is_billed=line.provisioned_at is not None,
        on=on,
    )


def prorate(
    *, old: Plan, new: Plan, profile: BillingProfile | None, began_on: date, is_billed: bool, on: date
) -> Proration:
    """Compute the proration of any line that began on that day and is billed by that profile."""
    running = period_around(on=on, period=old.period, profile=profile, began_on=began_on)
    coming = period_around(on=on, period=new.period, profile=profile, began_on=began_on)
    days_left = running.days_from(on)
    billed = days_left if is_billed else 0
    credit = _share(old.price, billed, running.days)
    charge = _share(new.price, billed, coming.days)
    return Proration(
        from_plan_id=old.pk,
        to_plan_id=new.pk,
        effective_on=on,
        period_start=running.start,
        period_end=running.end,
        days_in_period=running.days,
        days_left=days_left,
        credit=credit,
        charge=charge,
        net=charge - credit,
        currency=new.currency,
    )


@transaction.atomic
def change_plan(
    *,
    subscription_id: UUID,
    to_plan_id: UUID,
    effective_on: date,
    on: date,
    at: datetime,
    user_id: UUID | None = None,
) -> PlanChange:
    """Change the plan now, when `effective_on` is today (`on`), or note the change for its day.

    Raises ServiceUnknown, PlanUnknown, ServiceEnded, PlanUnchanged, CurrencyDiffers, PlanNotSold,
    PlanChangeWaiting, PlanChangeInThePast.
    """
    line = lock_line(subscription_id)
    if effective_on < on:
        raise PlanChangeInThePast(effective_on=effective_on)
    plan = _new_plan(line, to_plan_id, effective_on)
    waiting = line.plan_changes.filter(applied_at=None, cancelled_at=None).first()
    if waiting is not None:
        raise PlanChangeWaiting(effective_on=waiting.effective_on)
    is_due = effective_on == on
    change: PlanChange = PlanChange.objects.create(
        subscription=line,
        from_plan_id=line.plan_id,
        to_plan=plan,
        effective_on=effective_on,
        applied_at=at if is_due else None,
        requested_by_id=user_id,
    )
    if is_due:
        line.plan = plan
        line.save(update_fields=["plan", "updated_at"])
        publish("subscribers.subscription_changed", subscription_id=str(line.pk))
    return change


@transaction.atomic
def cancel_plan_change(*, subscription_id: UUID, at: datetime) -> bool:
    """Call off the change that waits; tell whether there was one. Safe to repeat. Raises ServiceUnknown."""
    line = lock_line(subscription_id)
    waiting = line.plan_changes.filter(applied_at=None, cancelled_at=None)
    return bool(waiting.update(cancelled_at=at, updated_at=at))


@transaction.atomic
def apply_due_plan_changes(*, on: date, at: datetime) -> int:
    """Apply a batch of the bound tenant's changes due on `on` or before; return how many.

    Call again until it returns 0. Safe to repeat, and to run in parallel: lines another run holds are skipped.
    """
    due = PlanChange.objects.filter(applied_at=None, cancelled_at=None, effective_on__lte=on)
    keys = list(
        Subscription.objects.filter(Exists(due.filter(subscription=OuterRef("pk"))))
        .order_by("pk")
        .select_for_update(of=("self",), skip_locked=True)
        .values_list("pk", flat=True)[:APPLY_BATCH]
    )
    new_plan = due.filter(subscription=OuterRef("pk")).values("to_plan")
    Subscription.objects.filter(pk__in=keys).update(plan=Subquery(new_plan), updated_at=at)
    due.filter(subscription__in=keys).update(applied_at=at, updated_at=at)
    for key in keys:
        publish("subscribers.subscription_changed", subscription_id=str(key))
    return len(keys)


def _new_plan(line: Subscription, to_plan_id: UUID, on: date) -> Plan:
    """Return the plan a line may change to on that day."""
    plan: Plan | None = Plan.objects.filter(pk=to_plan_id).first()
    if plan is None:
        raise PlanUnknown
    if line.status in ENDED:
        raise ServiceEnded(status=line.status)
    if plan.pk == line.plan_id:
        raise PlanUnchanged
    if plan.currency != line.plan.currency:
        raise CurrencyDiffers(old=line.plan.currency, new=plan.currency)
    refuse_unsold(plan=plan, zone_id=line.premise.zone_id, on=on)
    return plan


def _share(price: Decimal, days: int, of_days: int) -> Decimal:
    return (price * days / of_days).quantize(CENT, ROUND_HALF_UP)
