"""Why is this customer offline: each cause on real rows, the step it is found at, and the sentence it is told in."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from aaa.models import Account, AccountState, Nas, ServiceProfile, Session
from aaa.services import accounts
from billing.models import PrepaidLine
from billing.services.dunning import promises
from hardware.models import Olt, Onu, Outage, PonPort
from hardware.services import outages
from ipam.models import Address, AddressState
from ipam.services.lines import Settled, settle_line
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import HoldReason, Subscription
from subscribers.services import lines
from support.services.diagnosis import ActionCode, Cause, Diagnosis, StepName, StepStatus, diagnose
from support.services.diagnosis.verdicts import SENTENCES
from tests.aaa.radius_role import Radius, radius_connection
from tests.billing.owing import invoice
from tests.factories import BillingProfileFactory, PolicyFactory, SubscriptionFactory
from tests.support.homes import ADDRESS, PASSWORD, ROUTER, STRANGER, Home, make_home

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
    PrepaidLine.objects.create(
        subscription=home.line, anchor_on=day, paid_until=day, waits_since=home.ago(days=2), missing=Decimal("29.90"),
        currency="EUR",
    )  # fmt: skip
    hold(home, HoldReason.NON_PAYMENT)
    return (
        Cause.PREPAID_OVER, StepName.MONEY, ActionCode.RECORD_PAYMENT,
        f"The prepaid period ended on {day:%-d %b %Y}, and the credit does not buy the next one: 29.90 EUR missing.",
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
        f"An outage took this line down since {said(found.started_at)}: fibre or splitter (loss of signal) on PON port "
        "0/1/0 of Central of jane. 4 ONUs and 1 customers are affected.",
    )  # fmt: skip


def outage_suspected(home: Home) -> Told:
    found = outage(home, confirmed=False)
    return (
        Cause.OUTAGE_SUSPECTED, StepName.OUTAGE, ActionCode.OPEN_OUTAGE,
        f"Probably an outage, not yet confirmed: fibre or splitter (loss of signal) on PON port 0/1/0 of Central of "
        f"jane, since {said(found.started_at)}. 4 ONUs and 1 customers are affected.",
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
        f"The ONU lost its power since {said(down)}. Ask the customer to check the plug and the power supply.",
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
        f"Offline since {said(stopped)} (the NAS said so: User-Request), and no log-in was tried after that: the "
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
        Cause.WEAK_SIGNAL, StepName.ONU, ActionCode.RESTART_ONU,
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


@pytest.mark.django_db
class TestEachCause:
    @pytest.fixture
    def home(self, acting: Tenant) -> Home:
        return make_home()

    @pytest.mark.parametrize("breaks", BREAKS, ids=lambda each: each.__name__)
    def test_is_named_with_its_step_and_what_helps(self, home: Home, breaks: Break) -> None:
        expected = breaks(home)

        assert told(diagnosis_of(home)) == expected

    def test_nothing_is_wrong_with_a_line_that_works(self, home: Home) -> None:
        found = diagnosis_of(home)

        assert lights(found) == ALL_WELL
        assert (found.verdict_code, found.verdict) == (
            Cause.FINE,
            "Everything that can be seen from here is in order. Ping the line, then look at the customer's own router "
            "and WiFi.",
        )
        assert found.action is not None
        assert (found.action.code, found.action.target_id) == (ActionCode.PING_SERVICE, home.line.pk)
        assert not any(step.is_blamed for step in found.steps)

    def test_facts_have_a_source_and_an_age(self, home: Home) -> None:
        found = diagnosis_of(home)

        assert [(step.fact, step.source, step.observed_at) for step in found.steps] == [
            (f"Active, {home.line.plan.name}, active since {said(home.ago(days=90))}.", "Service record", home.at),
            ("No hold is open. Nothing is overdue.", "Holds and ledger", home.at),
            (f"jane: may log in; last let in {said(home.ago(hours=5))}.", "RADIUS account and log of log-ins",
             home.ago(hours=5)),
            (f"Online since {said(home.ago(hours=5))} on BNG of jane, port ether1, device {ROUTER}, last report "
             "1\xa0minute ago.", "Accounting of BNG of jane", home.ago(minutes=1)),
            (f"Uses {ADDRESS}, as assigned.", "Address book and session", home.ago(minutes=1)),
            (f"HWTCJANE: online since {said(home.ago(days=3))}, receives −19.5 dBm (good).", "OLT Central of jane",
             home.ago(minutes=2)),
            ("4 of 4 ONUs of port 0/1/0 are online, at Central of jane.", "OLT Central of jane", home.ago(minutes=2)),
            ("No open outage covers this line.", "Outages", home.at),
        ]  # fmt: skip

    def test_what_follows_from_a_cause_is_shown_and_not_blamed(self, home: Home) -> None:
        outage_confirmed(home)

        found = diagnosis_of(home)

        assert lights(found) == ALL_WELL | {
            "session": "problem", "onu": "problem", "pon": "problem", "outage": "problem",
        }  # fmt: skip
        assert [str(step.step) for step in found.steps if step.is_blamed] == ["outage"]

    def test_a_decision_explains_more_than_a_dark_fibre(self, home: Home) -> None:
        onu_los(home)
        not_paid(home)

        assert diagnosis_of(home).verdict_code == Cause.HELD_NON_PAYMENT

    def test_what_an_olt_said_long_ago_is_not_known_now(self, home: Home) -> None:
        onu_los(home)
        home.change_onu(observed_at=home.ago(hours=5))

        found = diagnosis_of(home)

        onu = next(step for step in found.steps if step.step == StepName.ONU)
        assert (onu.status, onu.action.code if onu.action else None) == (
            StepStatus.UNKNOWN,
            ActionCode.READ_ONU,
        )
        assert onu.fact == (
            f"HWTCJANE: offline, loss of signal since {said(home.ago(minutes=30))} when it was last read."
        )
        assert found.verdict_code == Cause.NOT_LOGGED_IN

    def test_a_line_without_radius_is_judged_by_the_rest(self, home: Home) -> None:
        Session.objects.all().delete()
        accounts.purge_accounts(account_ids=[home.account.pk], at=home.at)

        found = diagnosis_of(home)

        assert lights(found) == ALL_WELL | {"radius": "unknown", "session": "unknown"}
        assert (found.verdict_code, found.verdict) == (
            Cause.UNSURE,
            "Nothing is wrong with what can be seen from here. Not known: RADIUS account, Session.",
        )

    def test_debts_without_a_hold_are_told_and_bar_nothing(self, home: Home) -> None:
        due = home.ago(days=9).date()
        invoice(home.line.subscriber, due_on=due)

        before = next(step for step in diagnosis_of(home).steps if step.step == StepName.MONEY)
        promises.make_promise(
            subscriber_id=home.line.subscriber_id, amount=Decimal(31), currency="EUR",
            until=home.at.date() + timedelta(days=3), on=home.at.date(),
        )  # fmt: skip
        after = next(step for step in diagnosis_of(home).steps if step.step == StepName.MONEY)

        assert (before.status, before.fact) == (
            StepStatus.OK, f"No hold is open. 31.00 EUR overdue since {due:%-d %b %Y}.",
        )  # fmt: skip
        assert before.action is not None
        assert before.action.code == ActionCode.TAKE_PROMISE
        assert after.fact == (
            f"No hold is open. 31.00 EUR overdue since {due:%-d %b %Y}; promised to pay 31.00 EUR until "
            f"{home.at.date() + timedelta(days=3):%-d %b %Y}."
        )
        assert after.action is None

    def test_amounts_are_for_who_may_see_them(self, home: Home) -> None:
        not_paid(home)

        found = diagnosis_of(home, with_amounts=False)

        due = f"{home.ago(days=20):%-d %b %Y}"
        assert found.verdict == (
            f"Barred for non-payment since {said(home.ago(days=2))}: invoices are overdue since {due}."
        )
        assert not any("62" in step.fact for step in found.steps[1:2])

    def test_reads_as_much_for_one_as_for_six_of_each(
        self, home: Home, query_count: Callable[..., int]
    ) -> None:
        not_paid(home)
        few = query_count(diagnosis_of, home)
        for number in range(5):
            home.tried(home.ago(days=3, minutes=number), "password")
            invoice(home.line.subscriber, due_on=home.ago(days=30 + number).date())
        for reason in (HoldReason.ABUSE, HoldReason.FRAUD, HoldReason.STAFF, HoldReason.VACATION):
            hold(home, reason)

        many = query_count(diagnosis_of, home)

        assert (few, many) == (14, 14)


def test_every_cause_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Cause)


@pytest.mark.django_db(transaction=True)
class TestRefusals:
    """What RADIUS decided: asked of the functions that FreeRADIUS asks, and read back from their log."""

    @pytest.fixture
    def home(self, tenant: Tenant) -> Home:
        with tenant_context(tenant.pk):
            return make_home(online=False)

    @pytest.fixture
    def radius(self, home: Home) -> Any:
        with radius_connection() as connection:
            yield connection

    def change(self, home: Home, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(home.account, name, value)
        home.account.save()

    def told(self, home: Home) -> Told:
        with tenant_context(home.line.tenant_id):
            return told(diagnose(subscription_id=home.line.pk, at=timezone.now(), with_amounts=True))

    def log_in(self, radius: Radius, home: Home, station: str = ROUTER, password: str = PASSWORD) -> str:
        return str(radius.log_in(home.nas.pk, "jane", station, password=password)["reason"])

    def test_never_logged_in(self, home: Home) -> None:
        assert self.told(home) == (
            Cause.NEVER_LOGGED_IN, StepName.SESSION, None,
            "No log-in of this account ever arrived: the router is not set up, or dials in through a NAS that is not "
            "known here.",
        )  # fmt: skip

    def test_wrong_password(self, radius: Radius, home: Home) -> None:
        assert self.log_in(radius, home, password="wrong") == "password"

        assert self.told(home) == (
            Cause.WRONG_PASSWORD, StepName.RADIUS, ActionCode.CHANGE_ACCOUNT,
            "The customer's router logs in with a wrong password.",
        )  # fmt: skip

    def test_another_device_than_the_accounts(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            ServiceProfile.objects.update(mac_lock="learn")
            self.change(home, calling_station_id=ROUTER)
        assert self.log_in(radius, home, STRANGER) == "mac"

        assert self.told(home) == (
            Cause.MAC_LOCKED, StepName.RADIUS, ActionCode.FORGET_DEVICE,
            f"The account is locked to the device {ROUTER}, but {STRANGER} tries to log in.",
        )  # fmt: skip

    def test_a_device_forgotten_meanwhile(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            ServiceProfile.objects.update(mac_lock="learn")
            self.change(home, calling_station_id=ROUTER)
        self.log_in(radius, home, STRANGER)
        with tenant_context(tenant.pk):
            self.change(home, calling_station_id="")

        assert self.told(home) == (
            Cause.REFUSED_BEFORE, StepName.RADIUS, ActionCode.OPEN_ACCOUNT,
            "The last log-in was refused (another device than the account's). That is over: restart the router, so "
            "that it tries again.",
        )  # fmt: skip

    def test_as_many_sessions_as_allowed(self, radius: Radius, home: Home) -> None:
        assert self.log_in(radius, home, STRANGER) == ""
        radius.accounting(home.nas.pk, "Start", login="jane", station=STRANGER)
        assert self.log_in(radius, home, ROUTER) == "sessions"

        assert self.told(home) == (
            Cause.SESSION_LIMIT, StepName.RADIUS, ActionCode.DISCONNECT_SESSION,
            "Refused: one session is allowed, and another device or an old session has the place.",
        )  # fmt: skip

    def test_expired(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            self.change(home, expires_at=home.ago(days=1))
        assert self.log_in(radius, home) == "expired"

        assert self.told(home) == (
            Cause.ACCOUNT_EXPIRED, StepName.RADIUS, ActionCode.CHANGE_ACCOUNT,
            f"The RADIUS account expired on {said(home.ago(days=1))}.",
        )  # fmt: skip

    def test_data_used_up(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            AccountState.objects.update(allowance_bytes=50 * 10**9, used_bytes=50_200_000_000)
        assert self.log_in(radius, home) == "quota"

        assert self.told(home) == (
            Cause.QUOTA_USED, StepName.RADIUS, ActionCode.ADD_TOP_UP,
            "The data of this period is used up: 50.2 GB of 50.0 GB.",
        )  # fmt: skip

    def test_switched_off(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            self.change(home, enabled=False)
        assert self.log_in(radius, home) == "disabled"

        assert self.told(home) == (
            Cause.ACCOUNT_DISABLED, StepName.RADIUS, ActionCode.ENABLE_ACCOUNT,
            "The RADIUS account is switched off.",
        )  # fmt: skip

    def test_held_is_explained_by_the_hold(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            lines.open_hold(subscription_id=home.line.pk, reason="vacation", at=home.at)
            home.settle()
        assert self.log_in(radius, home) == "blocked"

        assert self.told(home)[:2] == (Cause.HELD_VACATION, StepName.MONEY)

    def test_let_in_with_a_session_is_in_order(self, radius: Radius, home: Home, tenant: Tenant) -> None:
        self.log_in(radius, home, password="wrong")
        assert self.log_in(radius, home) == ""
        radius.accounting(home.nas.pk, "Start", login="jane", station=ROUTER, framed_ip=ADDRESS)

        with tenant_context(tenant.pk):
            found = diagnose(subscription_id=home.line.pk, at=timezone.now(), with_amounts=True)

        assert (found.verdict_code, lights(found)) == (Cause.FINE, ALL_WELL)
