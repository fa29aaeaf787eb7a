"""Back online: in the transaction of what cleared the debt."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from billing.models import PrepaidLine, Promise, PromiseStatus
from billing.services.dunning import debts
from ispcore.events.services import publish
from subscribers.models import Hold, HoldReason, PaymentKind, Subscriber, Subscription
from subscribers.services import holds
from subscribers.services.periods import local_date


def clear_of_many(subscribers: Sequence[UUID], *, at: datetime) -> None:
    """Do as `clear` for those of these locked subscribers who wait for it: promised, or on hold. Safe to repeat."""
    if not subscribers:
        return
    promised = Promise.objects.filter(subscriber=OuterRef("pk"), status=PromiseStatus.OPEN)
    unpaid = Hold.objects.filter(
        subscription__subscriber=OuterRef("pk"), reason=HoldReason.NON_PAYMENT, released_at=None
    )
    waiting = Subscriber.objects.filter(Exists(promised) | Exists(unpaid), pk__in=subscribers)
    for subscriber in waiting.order_by("pk"):
        clear(subscriber=subscriber, at=at)


@transaction.atomic
def clear(*, subscriber: Subscriber, at: datetime) -> bool:
    """Bring a locked subscriber's lines back when nothing overdue beyond the minimum balance is left.

    Lifts holds for non-payment and no other, keeps the promise that was open, and tells whether a line was held. A
    prepaid line that waits for credit goes on waiting: what brings it back is buying its period. Safe to repeat.
    """
    if any(debt.counts for debt in debts.overdue_of(subscriber.pk, on=local_date(at))):
        return False
    Promise.objects.filter(subscriber=subscriber, status=PromiseStatus.OPEN).update(
        status=PromiseStatus.KEPT, settled_at=at, updated_at=at
    )
    unpaid = Hold.objects.filter(subscription=OuterRef("pk"), reason=HoldReason.NON_PAYMENT, released_at=None)
    waiting = PrepaidLine.objects.filter(
        subscription=OuterRef("pk"),
        waits_since__isnull=False,
        subscription__subscriber__billing_profile__payment_kind=PaymentKind.PREPAID,
    )
    lines = list(
        Subscription.objects.filter(Exists(unpaid), ~Exists(waiting), subscriber=subscriber)
        .order_by("pk")
        .select_for_update(of=("self",))
    )
    if not lines:
        return False
    holds.release_holds(lines, at=at, reasons=[HoldReason.NON_PAYMENT])
    holds.bring_back([subscriber.pk], at=at)
    publish("billing.debt_cleared", subscriber_id=str(subscriber.pk))
    return True
