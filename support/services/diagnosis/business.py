"""What was decided about a line: whether it runs by its own state, and what bars it."""

from datetime import timedelta

from django.utils import formats

from billing.models import PrepaidLine
from ispcore.money import round_money
from subscribers.models import Hold, HoldReason, ServiceStatus
from support.services.diagnosis.reading import Found
from support.services.diagnosis.words import Action, ActionCode, Cause, Step, StepName, StepStatus

# What only a person lifts stands before what a payment lifts, as aaa.services.settling has it.
HELD = {
    HoldReason.FRAUD: Cause.HELD_FRAUD,
    HoldReason.ABUSE: Cause.HELD_ABUSE,
    HoldReason.STAFF: Cause.HELD_STAFF,
    HoldReason.VACATION: Cause.HELD_VACATION,
    HoldReason.NON_PAYMENT: Cause.HELD_NON_PAYMENT,
}
ORDER = list(HELD)


def account_step(found: Found) -> Step:
    """Judge the service's own state."""
    line, status = found.line, ServiceStatus(found.line.status)
    words = f"{status.label}, {line.plan.name}"
    cause: Cause | None = None
    action: Action | None = None
    said: dict[str, str] = {}
    if status == ServiceStatus.TERMINATED:
        cause = Cause.ENDED
        said = {"when": f"on {found.moment(line.terminated_at)}" if line.terminated_at else "some time ago"}
        words += f", ended {said['when']}"
    elif status == ServiceStatus.CANCELLED:
        cause = Cause.CANCELLED
    elif status in (ServiceStatus.DRAFT, ServiceStatus.PENDING_INSTALLATION):
        cause = Cause.NOT_ACTIVATED
        if status == ServiceStatus.PENDING_INSTALLATION:
            action = Action(ActionCode.ACTIVATE_SERVICE, line.pk)
    elif status == ServiceStatus.SUSPENDED and not found.holds:
        cause, action = Cause.SUSPENDED, Action(ActionCode.LIFT_HOLD, line.pk)
    elif line.provisioned_at:
        words += f", active since {found.moment(line.provisioned_at)}"
    return Step(
        step=StepName.ACCOUNT,
        status=StepStatus.OK if status == ServiceStatus.ACTIVE else StepStatus.PROBLEM,
        fact=f"{words}.",
        source="Service record",
        observed_at=found.at,
        action=action,
        cause=cause,
        said=said,
    )


def money_step(found: Found, *, with_amounts: bool) -> Step:
    """Judge what bars the line, and what its customer owes; amounts are said to those who may see them."""
    owes = _owes(found, with_amounts)
    if not found.holds:
        pays = found.promise or not found.debts
        return Step(
            step=StepName.MONEY,
            status=StepStatus.OK,
            fact=f"No hold is open. {owes[:1].upper()}{owes[1:]}{_promised(found, with_amounts)}.",
            source="Holds and ledger",
            observed_at=found.at,
            action=None if pays else Action(ActionCode.TAKE_PROMISE, found.line.subscriber_id),
        )
    hold = min(found.holds, key=lambda each: ORDER.index(HoldReason(each.reason)))
    cause = HELD[HoldReason(hold.reason)]
    waits = found.prepaid is not None and found.prepaid.waits_since is not None
    if cause == Cause.HELD_NON_PAYMENT and waits:
        cause = Cause.PREPAID_OVER
    unpaid = cause in (Cause.HELD_NON_PAYMENT, Cause.PREPAID_OVER)
    said = {
        "since": found.since(hold.opened_at),
        "until": f", until {found.moment(hold.until)}" if hold.until else "",
        "note": f": {hold.note.rstrip('.')}" if hold.note else "",
        "owes": owes if found.debts else "nothing is overdue any more, so the hold can be lifted",
        **(_prepaid(found.prepaid, with_amounts) if found.prepaid else {}),
    }
    if unpaid and (found.debts or waits):
        action = Action(ActionCode.RECORD_PAYMENT, found.line.subscriber_id)
    else:
        action = Action(ActionCode.LIFT_HOLD, found.line.pk)
    barred = "; ".join(_barred(each, found) for each in found.holds)
    money = f" {owes[:1].upper()}{owes[1:]}{_promised(found, with_amounts)}."
    return Step(
        step=StepName.MONEY,
        status=StepStatus.PROBLEM,
        fact=f"Barred: {barred}.{money}",
        source="Holds and ledger",
        observed_at=found.at,
        action=action,
        cause=cause,
        said=said,
    )


def _barred(hold: Hold, found: Found) -> str:
    words = f"{str(HoldReason(hold.reason).label).lower()} {found.since(hold.opened_at)}"
    return f"{words}, until {found.moment(hold.until)}" if hold.until else words


def _owes(found: Found, with_amounts: bool) -> str:
    """Say what is overdue, without a capital and a full stop."""
    if not found.debts:
        return f"prepaid, paid until {_day(found.prepaid)}" if found.prepaid else "nothing is overdue"
    oldest = formats.date_format(min(debt.since for debt in found.debts), "j M Y")
    if not with_amounts:
        return f"invoices are overdue since {oldest}"
    sums = " and ".join(
        f"{round_money(debt.amount, debt.currency):,f} {debt.currency}" for debt in found.debts
    )
    return f"{sums} overdue since {oldest}"


def _promised(found: Found, with_amounts: bool) -> str:
    promise = found.promise
    if promise is None:
        return ""
    until = formats.date_format(promise.until, "j M Y")
    if not with_amounts:
        return f"; promised to pay until {until}"
    amount = f"{round_money(promise.amount, promise.currency):,f} {promise.currency}"
    return f"; promised to pay {amount} until {until}"


def _prepaid(prepaid: PrepaidLine, with_amounts: bool) -> dict[str, str]:
    missing = ""
    if with_amounts and prepaid.missing is not None:
        missing = f": {round_money(prepaid.missing, prepaid.currency):,f} {prepaid.currency} missing"
    return {"day": _day(prepaid), "missing": missing}


def _day(prepaid: PrepaidLine) -> str:
    """Write the last day that is paid."""
    return str(formats.date_format(prepaid.paid_until - timedelta(days=1), "j M Y"))
