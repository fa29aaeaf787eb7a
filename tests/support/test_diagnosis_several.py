"""Several things wrong at once, and lines that are not as most are: what is blamed then, and what is not."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from aaa.models import Account, Nas, Session
from aaa.services import accounts
from billing.models import PrepaidLine
from hardware.models import Olt, Onu, PonPort
from ipam.models import Address, AddressState
from ipam.services import lines as addresses
from ispcore.tenants.models import Tenant
from subscribers.models import HoldReason, Plan
from support.services.diagnosis import ActionCode, Cause, Diagnosis, Step, StepName
from tests.billing.owing import invoice
from tests.factories import BillingProfileFactory, ServiceProfileFactory
from tests.ipam.space import make_prefix_pool
from tests.support.causes import (
    ALL_WELL,
    diagnosis_of,
    hold,
    lights,
    not_paid,
    olt_unreachable,
    onu_down,
    onu_los,
    outage_confirmed,
    outage_suspected,
    pon_down,
    slowed_down,
)
from tests.support.homes import ADDRESS, PASSWORD, STRANGER, Home, make_home

pytestmark = pytest.mark.django_db

NO_FIBRE = {"onu": "unknown", "pon": "unknown", "outage": "unknown"}


@pytest.fixture
def home(acting: Tenant) -> Home:
    return make_home()


def verdict(home: Home) -> Cause:
    return diagnosis_of(home).verdict_code


def step(found: Diagnosis, name: StepName) -> Step:
    return next(each for each in found.steps if each.step == name)


class TestTwoFaults:
    def test_debt_and_an_outage_are_both_said(self, home: Home) -> None:
        outage_confirmed(home)
        not_paid(home)

        found = diagnosis_of(home)

        assert found.verdict_code == Cause.HELD_NON_PAYMENT
        assert found.verdict.endswith(". There is a second fault: outage.")
        assert found.action is not None
        assert found.action.code == ActionCode.RECORD_PAYMENT

    def test_a_box_pulled_while_the_line_is_barred_is_no_second_fault(self, home: Home) -> None:
        onu_down(home, "dying_gasp")
        not_paid(home)

        assert "second fault" not in diagnosis_of(home).verdict

    def test_a_refusal_before_the_light_went_explains_less(self, home: Home) -> None:
        home.go_offline(hours=2)
        home.tried(home.ago(hours=1), "password")
        home.change_onu(status="offline", last_down_cause="los", status_changed_at=home.ago(minutes=30))

        assert verdict(home) == Cause.ONU_LOS

    def test_a_refusal_after_the_light_went_shows_that_it_is_back(self, home: Home) -> None:
        onu_los(home)
        home.tried(home.ago(minutes=1), "password")

        found = diagnosis_of(home)

        assert found.verdict_code == Cause.WRONG_PASSWORD
        assert lights(found) == ALL_WELL | {"radius": "problem", "session": "problem", "onu": "unknown"}
        assert "the router has dialled in since, so the line carries light" in step(found, StepName.ONU).fact

    def test_a_refusal_through_an_outage_too(self, home: Home) -> None:
        outage_suspected(home)
        home.tried(home.ago(minutes=1), "password")

        found = diagnosis_of(home)

        assert found.verdict_code == Cause.WRONG_PASSWORD
        assert lights(found) == ALL_WELL | {
            "radius": "problem", "session": "problem", "onu": "unknown", "pon": "unknown", "outage": "unknown",
        }  # fmt: skip

    def test_a_refusal_through_an_olt_that_answers_nobody_else(self, home: Home) -> None:
        olt_unreachable(home)
        home.tried(home.ago(minutes=1), "password")

        assert verdict(home) == Cause.WRONG_PASSWORD

    def test_a_refusal_from_about_when_the_olt_fell_silent_proves_nothing(self, home: Home) -> None:
        olt_unreachable(home)
        home.go_offline(hours=3)
        home.tried(home.ago(minutes=58), "password")

        assert verdict(home) == Cause.OLT_UNREACHABLE

    def test_slowed_down_and_a_wrong_password(self, home: Home) -> None:
        slowed_down(home)
        home.go_offline()
        home.tried(home.ago(minutes=5), "password")

        assert verdict(home) == Cause.WRONG_PASSWORD

    def test_a_nas_that_is_gone_explains_more_than_what_it_refused(self, home: Home) -> None:
        home.go_offline(hours=5)
        home.tried(home.ago(hours=4), "password")
        Nas.objects.all().delete()

        assert verdict(home) == Cause.NAS_UNKNOWN


class TestSessions:
    def test_of_a_nas_that_was_deleted(self, home: Home) -> None:
        Session.objects.update(last_seen_at=home.ago(minutes=40))
        Nas.objects.all().delete()

        assert verdict(home) == Cause.NAS_UNKNOWN

    def test_of_a_nas_that_is_silent_about_all_of_them(self, home: Home) -> None:
        heard = home.ago(hours=2)
        Session.objects.update(last_seen_at=heard)
        Nas.objects.update(last_auth_at=heard, last_acct_at=heard)

        assert verdict(home) == Cause.NAS_SILENT

    def test_a_nas_is_silent_though_its_accounting_stopped_first(self, home: Home) -> None:
        home.go_offline(hours=9)
        home.tried(home.ago(hours=5))
        Nas.objects.update(last_auth_at=home.ago(hours=5), last_acct_at=home.ago(hours=9))

        assert verdict(home) == Cause.NAS_SILENT

    def test_let_in_a_moment_ago(self, home: Home) -> None:
        home.go_offline()
        home.tried(home.ago(seconds=5))

        found = diagnosis_of(home)

        assert found.verdict_code == Cause.UNSURE
        assert lights(found) == ALL_WELL | {"session": "unknown"}

    def test_a_device_refused_long_ago_does_not_want_in(self, home: Home) -> None:
        home.tried(home.ago(hours=2), "sessions", station=STRANGER)

        assert verdict(home) == Cause.FINE

    def test_a_place_that_was_taken_and_is_free_again(self, home: Home) -> None:
        home.tried(home.ago(minutes=20), "sessions", station=STRANGER)
        home.go_offline(minutes=5)

        assert verdict(home) == Cause.REFUSED_BEFORE

    def test_in_the_garden_another_address_is_right(self, home: Home) -> None:
        not_paid(home)
        Session.objects.update(stopped_at=None, ended_by="", terminate_cause="", last_seen_at=home.at)
        Session.objects.update(context="blocked", framed_ip="198.18.0.7")

        found = diagnosis_of(home)

        assert found.verdict_code == Cause.HELD_NON_PAYMENT
        assert step(found, StepName.ADDRESS).fact == "Uses 198.18.0.7, in the walled garden."
        assert step(found, StepName.ADDRESS).cause is None


class TestTwoAccounts:
    @pytest.fixture
    def second(self, home: Home) -> Account:
        return accounts.create_account(
            at=home.at, username="jane-2", password=PASSWORD, subscription_id=home.line.pk,
            service_profile_id=ServiceProfileFactory().pk,
        )  # fmt: skip

    def tried_with(self, home: Home, account: Account, reason: str = "") -> None:
        home.tried(
            home.ago(minutes=2), reason, account=account, username=account.username,
            username_key=account.username_key,
        )  # fmt: skip

    def test_the_one_that_is_online_is_judged(self, home: Home, second: Account) -> None:
        self.tried_with(home, second, "password")

        assert verdict(home) == Cause.FINE

    def test_of_two_offline_the_one_that_is_used(self, home: Home, second: Account) -> None:
        home.go_offline(hours=1)
        self.tried_with(home, second, "password")

        found = diagnosis_of(home)

        assert found.verdict_code == Cause.WRONG_PASSWORD
        assert found.action is not None
        assert found.action.target_id == second.pk

    def test_one_never_used_is_not_looked_at(self, home: Home, second: Account) -> None:
        Account.objects.filter(pk=second.pk).update(static_ip4="203.0.113.200")
        home.go_offline(hours=1)

        assert verdict(home) == Cause.NOT_LOGGED_IN

    def test_one_switched_off_comes_last(self, home: Home, second: Account) -> None:
        home.go_offline(hours=1)
        self.tried_with(home, second, "disabled")
        Account.objects.filter(pk=second.pk).update(enabled=False)

        assert verdict(home) == Cause.NOT_LOGGED_IN


class TestOtherLines:
    def test_without_fibre_online(self, home: Home) -> None:
        home.change_onu(subscription=None)

        found = diagnosis_of(home)

        assert (found.verdict_code, lights(found)) == (Cause.FINE, ALL_WELL | NO_FIBRE)

    def test_without_fibre_offline(self, home: Home) -> None:
        home.change_onu(subscription=None)
        home.go_offline()

        assert verdict(home) == Cause.NOT_LOGGED_IN

    def test_with_ipv6_alone(self, home: Home) -> None:
        self.give_a_prefix(home)
        mine = Address.objects.get(subscription=home.line).address
        Session.objects.update(framed_ip=None, delegated_prefix=mine)

        found = diagnosis_of(home)

        assert (found.verdict_code, lights(found)) == (Cause.FINE, ALL_WELL)
        assert step(found, StepName.ADDRESS).fact == f"Uses {mine}, as assigned."

    def test_with_another_prefix_than_its_own(self, home: Home) -> None:
        self.give_a_prefix(home)
        Session.objects.update(framed_ip=None, delegated_prefix="2001:db8:ff::/56")

        assert verdict(home) == Cause.ADDRESS_MISMATCH

    def test_with_a_static_prefix_none_of_the_pool_is_missed(self, home: Home) -> None:
        self.give_a_prefix(home)
        self.take_back(home)
        Account.objects.filter(pk=home.account.pk).update(delegated_prefix="2001:db8:1:200::/56")
        Session.objects.update(framed_ip=None, delegated_prefix="2001:db8:1:200::/56")

        assert verdict(home) == Cause.FINE

    def test_of_a_plan_without_a_pool(self, home: Home) -> None:
        Plan.objects.update(pool_hint="")
        self.take_back(home)
        home.settle()

        online = diagnosis_of(home)
        home.go_offline()

        assert online.verdict_code == Cause.FINE
        assert step(online, StepName.ADDRESS).fact == f"Uses {ADDRESS}, from the NAS."
        assert verdict(home) == Cause.NOT_LOGGED_IN

    def test_prepaid_with_an_old_debt(self, home: Home) -> None:
        subscriber = home.line.subscriber
        subscriber.billing_profile = BillingProfileFactory(payment_kind="prepaid")
        subscriber.save()
        PrepaidLine.objects.create(
            subscription=home.line, anchor_on=home.at.date(), paid_until=home.at.date() + timedelta(days=9),
            missing=Decimal(0), currency="EUR",
        )  # fmt: skip
        due = home.ago(days=30).date()
        invoice(subscriber, due_on=due)
        before = diagnosis_of(home)

        hold(home, HoldReason.NON_PAYMENT)

        assert step(before, StepName.MONEY).fact == (
            f"No hold is open. 31.00 EUR overdue since {due:%-d %b %Y}."
        )
        assert diagnosis_of(home).verdict.endswith(f": 31.00 EUR overdue since {due:%-d %b %Y}.")

    @staticmethod
    def take_back(home: Home) -> None:
        Address.objects.filter(subscription=home.line).update(
            state=AddressState.FREE, subscription=None, assigned_at=None, free_since=home.at
        )

    def give_a_prefix(self, home: Home) -> None:
        """Put the line on a plan that hands out prefixes and nothing else."""
        self.take_back(home)
        Plan.objects.filter(pk=home.line.plan_id).update(pool_hint=make_prefix_pool(name="prefixes").name)
        addresses.settle_line(subscription_id=home.line.pk, at=home.at)
        home.settle()


class TestPorts:
    def test_an_onu_alone_on_its_port_is_judged_itself(self, home: Home) -> None:
        Onu.objects.exclude(pk=home.onu.pk).delete()
        PonPort.objects.update(is_up=False)
        onu_down(home, "dying_gasp")

        assert verdict(home) == Cause.ONU_NO_POWER

    def test_a_port_that_says_it_is_down_with_onus_online_is_not(self, home: Home) -> None:
        PonPort.objects.update(is_up=False)

        assert verdict(home) == Cause.FINE

    def test_a_port_whose_onus_lost_their_power(self, home: Home) -> None:
        pon_down(home)
        Onu.objects.update(last_down_cause="dying_gasp")

        assert diagnosis_of(home).verdict == (
            "All 4 ONUs of PON port 0/1/0 are offline: they lost their power."
        )

    def test_a_port_nobody_reads_any_more_is_not_known(self, home: Home) -> None:
        pon_down(home)
        home.go_offline()
        Onu.objects.update(observed_at=home.ago(hours=20))
        Olt.objects.update(last_answer_at=home.ago(hours=20), last_error="")

        found = diagnosis_of(home)

        assert found.verdict_code == Cause.NOT_LOGGED_IN
        assert (step(found, StepName.ONU).status, step(found, StepName.PON).status) == ("unknown", "unknown")

    def test_an_onu_that_was_exchanged_where_nobody_noted_the_new_one(self, home: Home) -> None:
        home.change_onu(status="vanished", vanished_at=home.ago(hours=6))

        found = diagnosis_of(home)

        assert (found.verdict_code, step(found, StepName.ONU).status) == (Cause.FINE, "unknown")
        action = step(found, StepName.ONU).action
        assert action is not None
        assert action.code == ActionCode.FIND_ONU


def test_two_accounts_cost_as_much_as_one(home: Home, query_count: Callable[..., int]) -> None:
    home.go_offline()
    one = query_count(diagnosis_of, home)
    accounts.create_account(
        at=home.at, username="jane-2", password=PASSWORD, subscription_id=home.line.pk,
        service_profile_id=ServiceProfileFactory().pk,
    )  # fmt: skip

    assert query_count(diagnosis_of, home) == one
