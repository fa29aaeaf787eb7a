"""What may take a customer offline, on real rows: each breaks one thing and says what a diagnosis must tell of it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from aaa.models import Account, AccountState, Nas, Session
from aaa.services import accounts
from billing.models import PrepaidLine
from hardware.models import Olt, Onu, Outage, PonPort
from hardware.services import outages
from ipam.models import Address, AddressState
from ipam.services.lines import Settled, settle_line
from subscribers.models import HoldReason, Subscription
from subscribers.services import lines
from support.services.diagnosis import ActionCode, Cause, Diagnosis, StepName, diagnose
from tests.billing.owing import invoice
from tests.factories import BillingProfileFactory, PolicyFactory, SubscriptionFactory
from tests.support.homes import ADDRESS, Home

Told = tuple[Cause, StepName, ActionCode | None, str]
Break = Callable[[Home], Told]


def said(at: datetime) -> str:
    return f"{at:%-d %b %Y %H:%M}"


def diagnosis_of(home: Home, *, with_amounts: bool = True) -> Diagnosis:
    return diagnose(subscription_id=home.line.pk, at=home.at, with_amounts=with_amounts)


def told(found: Diagnosis) -> Told:
    [culprit] = [step for step in found.steps if step.is_blamed]
    return found.verdict_code, culprit.step, culprit.action.code if culprit.action else None, found.verdict


def lights(found: Diagnosis) -> dict[str, str]:
    return {str(step.step): str(step.status) for step in found.steps}


ALL_WELL = dict.fromkeys(StepName.values, "ok")


def ended(home: Home) -> Told:
    lines.terminate_service(subscription_id=home.line.pk, at=home.at)
    home.settle()
    return (
        Cause.ENDED, StepName.ACCOUNT, None,
        f"The service ended on {said(home.at)}. Coming back takes a new service.",
    )  # fmt: skip


def never_activated(home: Home) -> Told:
    Subscription.objects.filter(pk=home.line.pk).update(status="pending_installation", provisioned_at=None)
    home.settle()
    return (
        Cause.NOT_ACTIVATED, StepName.ACCOUNT, ActionCode.ACTIVATE_SERVICE,
        "The service was never activated: it still waits for its installation.",
    )  # fmt: skip


def cancelled(home: Home) -> Told:
    Subscription.objects.filter(pk=home.line.pk).update(status="pending_installation")
    lines.cancel_service(subscription_id=home.line.pk, at=home.at)
    return (
        Cause.CANCELLED, StepName.ACCOUNT, None,
        "The order was called off: this service was never installed.",
    )  # fmt: skip


def suspended_without_a_hold(home: Home) -> Told:
    Subscription.objects.filter(pk=home.line.pk).update(status="suspended")
    return (
        Cause.SUSPENDED, StepName.ACCOUNT, ActionCode.LIFT_HOLD,
        "Suspended, though no hold is open any more: resume the service.",
    )  # fmt: skip


def hold(home: Home, reason: HoldReason, **fields: Any) -> None:
    lines.open_hold(subscription_id=home.line.pk, reason=reason, at=home.ago(days=2), **fields)
    home.settle()
    home.go_offline(days=2)


def not_paid(home: Home) -> Told:
    owed = invoice(home.line.subscriber, due_on=home.ago(days=20).date(), amount="62.00")
    hold(home, HoldReason.NON_PAYMENT)
    return (
        Cause.HELD_NON_PAYMENT, StepName.MONEY, ActionCode.RECORD_PAYMENT,
        f"Barred for non-payment since {said(home.ago(days=2))}: 62.00 EUR overdue since {owed.due_on:%-d %b %Y}.",
    )  # fmt: skip


def paid_and_still_held(home: Home) -> Told:
    hold(home, HoldReason.NON_PAYMENT)
    return (
        Cause.HELD_NON_PAYMENT, StepName.MONEY, ActionCode.LIFT_HOLD,
        f"Barred for non-payment since {said(home.ago(days=2))}: nothing is overdue any more, so the hold can be "
        "lifted.",
    )  # fmt: skip


def on_holiday(home: Home) -> Told:
    until = home.at + timedelta(days=9)
    hold(home, HoldReason.VACATION, until=until)
    return (
        Cause.HELD_VACATION, StepName.MONEY, ActionCode.LIFT_HOLD,
        f"On holiday: the customer had the line barred since {said(home.ago(days=2))}, until {said(until)}.",
    )  # fmt: skip


def held_for_abuse(home: Home) -> Told:
    hold(home, HoldReason.NON_PAYMENT)
    hold(home, HoldReason.ABUSE)
    return (
        Cause.HELD_ABUSE, StepName.MONEY, ActionCode.LIFT_HOLD,
        f"Barred for abuse since {said(home.ago(days=2))}. Only a person may lift this hold.",
    )  # fmt: skip


def held_for_fraud(home: Home) -> Told:
    hold(home, HoldReason.FRAUD)
    return (
        Cause.HELD_FRAUD, StepName.MONEY, ActionCode.LIFT_HOLD,
        f"Barred for fraud since {said(home.ago(days=2))}. Only a person may lift this hold.",
    )  # fmt: skip


def held_by_staff(home: Home) -> Told:
    hold(home, HoldReason.STAFF, note="Moves house.")
    return (
        Cause.HELD_STAFF, StepName.MONEY, ActionCode.LIFT_HOLD,
        f"Barred by staff since {said(home.ago(days=2))}: Moves house.",
    )  # fmt: skip


def prepaid_over(home: Home) -> Told:
    subscriber = home.line.subscriber
    subscriber.billing_profile = BillingProfileFactory(payment_kind="prepaid")
    subscriber.save()
    day = home.ago(days=2).date()
    last = day - timedelta(days=1)
    PrepaidLine.objects.create(
        subscription=home.line, anchor_on=day, paid_until=day, waits_since=home.ago(days=2), missing=Decimal("29.90"),
        currency="EUR",
    )  # fmt: skip
    hold(home, HoldReason.NON_PAYMENT)
    return (
        Cause.PREPAID_OVER, StepName.MONEY, ActionCode.RECORD_PAYMENT,
        f"The prepaid period ended on {last:%-d %b %Y}, and the credit does not buy the next one: 29.90 EUR missing.",
    )  # fmt: skip


def never_provisioned(home: Home) -> Told:
    Session.objects.all().delete()
    accounts.purge_accounts(account_ids=[home.account.pk], at=home.at)
    Onu.objects.filter(pk=home.onu.pk).update(subscription=None)
    Address.objects.filter(subscription=home.line).update(
        state=AddressState.FREE, subscription=None, assigned_at=None, free_since=home.at
    )
    return (
        Cause.NEVER_PROVISIONED, StepName.RADIUS, ActionCode.MAKE_ACCOUNT,
        "Active on paper only: the service has neither a RADIUS account nor an ONU.",
    )  # fmt: skip


def not_settled(home: Home) -> Told:
    Account.objects.filter(pk=home.account.pk).update(blocked_reason="vacation")
    home.go_offline()
    return (
        Cause.NOT_SETTLED, StepName.RADIUS, ActionCode.OPEN_ACCOUNT,
        "The line may run again, but its RADIUS account is still barred. It follows within minutes.",
    )  # fmt: skip


def outage(home: Home, *, confirmed: bool) -> Outage:
    """Take the port down as polls see it, one after the other."""
    down = home.ago(minutes=20)
    Onu.objects.filter(pon_port=home.onu.pon_port).update(
        status="offline", last_down_cause="los", status_changed_at=down, rx_power_dbm=None, signal="none"
    )
    for at in (down + timedelta(minutes=1), down + timedelta(minutes=6))[: 2 if confirmed else 1]:
        outages.watch(olt_id=home.onu.olt_id, at=at)
    home.go_offline(minutes=19)
    found: Outage = Outage.objects.get()
    return found


def outage_confirmed(home: Home) -> Told:
    found = outage(home, confirmed=True)
    return (
        Cause.OUTAGE_CONFIRMED, StepName.OUTAGE, ActionCode.OPEN_OUTAGE,
        f"This line is down since {said(found.started_at)} in an outage: fibre or splitter (loss of signal) on PON "
        "port 0/1/0 of Central of jane. Affected: 4 ONUs, 1 customer.",
    )  # fmt: skip


def outage_suspected(home: Home) -> Told:
    found = outage(home, confirmed=False)
    return (
        Cause.OUTAGE_SUSPECTED, StepName.OUTAGE, ActionCode.OPEN_OUTAGE,
        f"Probably an outage, not yet confirmed: fibre or splitter (loss of signal) on PON port 0/1/0 of Central of "
        f"jane, since {said(found.started_at)}. Affected: 4 ONUs, 1 customer.",
    )  # fmt: skip


def olt_unreachable(home: Home) -> Told:
    heard = home.ago(hours=1)
    Olt.objects.update(last_answer_at=heard, last_error="No answer within 2 s.")
    Onu.objects.update(observed_at=heard)
    home.go_offline()
    return (
        Cause.OLT_UNREACHABLE, StepName.PON, ActionCode.DISCOVER_OLT,
        f"Central of jane does not answer since {said(heard)}, and this line is not online.",
    )  # fmt: skip


def olt_silent(home: Home) -> Told:
    Olt.objects.update(last_answer_at=home.ago(hours=1), last_error="No answer within 2 s.")
    return (
        Cause.OLT_SILENT, StepName.PON, ActionCode.DISCOVER_OLT,
        "The line is online. Only Central of jane does not answer, so nothing is known of the fibre.",
    )  # fmt: skip


def pon_down(home: Home) -> Told:
    down = home.ago(days=1)  # Long before anybody watched.
    Onu.objects.update(status="offline", last_down_cause="los", status_changed_at=down)
    PonPort.objects.update(is_up=False)
    home.go_offline(days=1)
    return (
        Cause.PON_DOWN, StepName.PON, ActionCode.DISCOVER_OLT,
        "All 4 ONUs of PON port 0/1/0 are offline: the port, its fibre or its splitter is down.",
    )  # fmt: skip


def onu_down(home: Home, cause: str) -> datetime:
    down = home.ago(minutes=30)
    home.change_onu(status="offline", last_down_cause=cause, status_changed_at=down, rx_power_dbm=None)
    home.go_offline(minutes=29)
    return down


def onu_los(home: Home) -> Told:
    down = onu_down(home, "los")
    return (
        Cause.ONU_LOS, StepName.ONU, ActionCode.READ_ONU,
        f"No light reaches the ONU since {said(down)}: the fibre to it is unplugged, bent or cut.",
    )  # fmt: skip


def onu_without_power(home: Home) -> Told:
    down = onu_down(home, "dying_gasp")
    return (
        Cause.ONU_NO_POWER, StepName.ONU, ActionCode.READ_ONU,
        f"The ONU is without power since {said(down)}. Ask the customer to check the plug and the power supply.",
    )  # fmt: skip


def onu_offline(home: Home) -> Told:
    down = onu_down(home, "")
    return (
        Cause.ONU_OFFLINE, StepName.ONU, ActionCode.READ_ONU,
        f"The ONU is offline since {said(down)}, and its OLT does not say why.",
    )  # fmt: skip


def onu_disabled(home: Home) -> Told:
    home.change_onu(admin_state="inactive")
    onu_down(home, "admin")
    return (
        Cause.ONU_DISABLED, StepName.ONU, ActionCode.READ_ONU,
        "The ONU is switched off at the OLT.",
    )  # fmt: skip


def onu_gone(home: Home) -> Told:
    home.change_onu(status="vanished", vanished_at=home.ago(hours=3))
    home.go_offline(hours=3)
    return (
        Cause.ONU_GONE, StepName.ONU, ActionCode.FIND_ONU,
        "Central of jane no longer lists the ONU HWTCJANE: it was removed, or replaced by another.",
    )  # fmt: skip


def onu_not_online_yet(home: Home) -> Told:
    home.change_onu(status="authorised", rx_power_dbm=None, signal="none")
    home.go_offline()
    return (
        Cause.ONU_NOT_ONLINE, StepName.ONU, ActionCode.READ_ONU,
        "The ONU was authorised, but has not come online yet.",
    )  # fmt: skip


def nas_unknown(home: Home) -> Told:
    home.go_offline()
    Nas.objects.update(is_active=False)
    return (
        Cause.NAS_UNKNOWN, StepName.SESSION, ActionCode.OPEN_NAS,
        "The NAS the customer last came through is gone or switched off here, so nobody answers it.",
    )  # fmt: skip


def nas_gone(home: Home) -> Told:
    home.go_offline()
    Nas.objects.all().delete()
    return (
        Cause.NAS_UNKNOWN, StepName.SESSION, None,
        "The NAS the customer last came through is gone or switched off here, so nobody answers it.",
    )  # fmt: skip


def nas_silent(home: Home) -> Told:
    home.go_offline(hours=2)
    heard = home.ago(hours=2)
    Nas.objects.update(last_auth_at=heard, last_acct_at=heard)
    return (
        Cause.NAS_SILENT, StepName.SESSION, ActionCode.OPEN_NAS,
        f"BNG of jane is silent: no packet of it has arrived since {said(heard)}.",
    )  # fmt: skip


def not_dialling(home: Home) -> Told:
    stopped = home.go_offline(hours=2)
    return (
        Cause.NOT_LOGGED_IN, StepName.SESSION, ActionCode.OPEN_NAS,
        f"Offline since {said(stopped)} (the NAS said so: user request), and no log-in was tried after that: the "
        "router is off or does not dial in.",
    )  # fmt: skip


def session_stale(home: Home) -> Told:
    seen = home.ago(minutes=16)
    Session.objects.update(last_seen_at=seen)
    return (
        Cause.SESSION_STALE, StepName.SESSION, ActionCode.DISCONNECT_SESSION,
        f"BNG of jane has not reported on the session since {said(seen)}: it has most likely ended.",
    )  # fmt: skip


def still_in_the_garden(home: Home) -> Told:
    Session.objects.update(context="blocked")
    return (
        Cause.GARDEN_REMAINS, StepName.SESSION, ActionCode.DISCONNECT_SESSION,
        "The line may run again, but its session is still in the walled garden. Disconnect it: the next one is free.",
    )  # fmt: skip


def without_address(home: Home) -> None:
    home.go_offline()
    home.tried(home.ago(minutes=5))
    Address.objects.filter(subscription=home.line).update(
        state=AddressState.FREE, subscription=None, assigned_at=None, free_since=home.at
    )
    home.settle()


def address_missing(home: Home) -> Told:
    without_address(home)
    return (
        Cause.ADDRESS_MISSING, StepName.ADDRESS, ActionCode.ALLOCATE_ADDRESS,
        "The line should have an address of the pool homes of jane and has none.",
    )  # fmt: skip


def pool_full(home: Home) -> Told:
    without_address(home)
    for other in SubscriptionFactory.create_batch(10, plan=home.line.plan, status="active"):
        assert settle_line(subscription_id=other.pk, at=home.at) == Settled.GIVEN
    return (
        Cause.POOL_FULL, StepName.ADDRESS, ActionCode.OPEN_POOL,
        "The pool homes of jane has no free address left, so this line has none.",
    )  # fmt: skip


def accounting_not_seen(home: Home) -> Told:
    home.go_offline(hours=3)
    home.tried(home.ago(minutes=5))
    Nas.objects.update(last_acct_at=home.ago(hours=3))
    return (
        Cause.NO_ACCOUNTING, StepName.SESSION, ActionCode.OPEN_NAS,
        "Log-ins arrive from BNG of jane, its accounting does not: whether the customer is online cannot be seen.",
    )  # fmt: skip


def let_in_without_a_session(home: Home) -> Told:
    home.go_offline(minutes=12)
    at = home.tried(home.ago(minutes=5)).at
    return (
        Cause.NO_SESSION, StepName.SESSION, ActionCode.OPEN_NAS,
        f"The log-in was accepted on {said(at)}, but no session began: the router or the NAS gave up after it.",
    )  # fmt: skip


def another_address(home: Home) -> Told:
    Session.objects.update(framed_ip="100.64.0.77")
    return (
        Cause.ADDRESS_MISMATCH, StepName.ADDRESS, ActionCode.DISCONNECT_SESSION,
        f"Online with 100.64.0.77 instead of {ADDRESS}. Disconnect the session: the next one gets it.",
    )  # fmt: skip


def weak_signal(home: Home) -> Told:
    home.change_onu(rx_power_dbm=-27.9, olt_rx_power_dbm=-29.5, signal="critical")
    return (
        Cause.WEAK_SIGNAL, StepName.ONU, ActionCode.READ_ONU,
        "Online, but the light is much too weak: the ONU receives −27.9 dBm, the OLT −29.5 dBm. The line is slow or "
        "drops out.",
    )  # fmt: skip


def slowed_down(home: Home) -> Told:
    Account.objects.filter(pk=home.account.pk).update(over_cap="throttle", throttle_policy=PolicyFactory())
    AccountState.objects.update(allowance_bytes=10**9, used_bytes=10**9)
    Session.objects.update(context="throttled")
    return (
        Cause.THROTTLED, StepName.RADIUS, ActionCode.ADD_TOP_UP,
        "Online and slowed down: the data of this period is used up.",
    )  # fmt: skip


BREAKS: list[Break] = [
    ended, never_activated, cancelled, suspended_without_a_hold, not_paid, paid_and_still_held, on_holiday,
    held_for_abuse, held_for_fraud, held_by_staff, prepaid_over, never_provisioned, not_settled, outage_confirmed,
    outage_suspected, olt_unreachable, olt_silent, pon_down, onu_los, onu_without_power, onu_offline, onu_disabled,
    onu_gone, onu_not_online_yet, nas_unknown, nas_gone, nas_silent, not_dialling, session_stale, still_in_the_garden,
    address_missing, pool_full, accounting_not_seen, let_in_without_a_session, another_address, weak_signal,
    slowed_down,
]  # fmt: skip
