"""Why is this customer offline: each cause, the step it is found at, and the sentence it is told in."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from aaa.models import Session
from aaa.services import accounts
from billing.services.dunning import promises
from ispcore.tenants.models import Tenant
from subscribers.models import HoldReason
from support.services.diagnosis import ActionCode, Cause, StepName, StepStatus
from support.services.diagnosis.verdicts import SENTENCES
from tests.billing.owing import invoice
from tests.support.causes import (
    ALL_WELL,
    BREAKS,
    Break,
    diagnosis_of,
    hold,
    lights,
    not_paid,
    onu_los,
    outage_confirmed,
    said,
    told,
)
from tests.support.homes import ADDRESS, ROUTER, Home, make_home


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
            at=home.at,
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
