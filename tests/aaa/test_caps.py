"""Data caps: periods, roll-over, top-ups, and what follows when the data is used up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aaa.models import Account, AccountState, ServiceProfile, SessionAction, TopUp
from aaa.services import accounts, caps, policies, settling
from tests.aaa.online import make_nas, make_session

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
GB = 10**9


@pytest.fixture(autouse=True)
def _bound(acting: Any) -> None:
    """Everything here acts for one tenant."""


def make(period: str = "month", *, rolls_over: bool = False, **fields: Any) -> Account:
    profile = ServiceProfile.objects.create(name=period, cap_period=period, cap_rolls_over=rolls_over)
    values = {"cap_bytes": 10 * GB, "timezone": "Africa/Johannesburg", **fields}
    return accounts.create_account(at=AT, username="jane", service_profile_id=profile.pk, **values)


def state_of(account: Account) -> AccountState:
    state: AccountState = AccountState.objects.get(account=account)
    return state


def use(account: Account, used: int) -> None:
    AccountState.objects.filter(account=account).update(used_bytes=used)


def roll(account: Account, at: datetime) -> AccountState:
    assert caps.roll_periods(at=at) == [account.pk]
    assert caps.roll_periods(at=at) == []
    return state_of(account)


def context_of(account: Account, at: datetime = AT) -> str:
    settling.settle([account.pk], at=at)
    account.refresh_from_db()
    return account.wanted if account.wanted.startswith("refused") else account.wanted.partition(":")[0]


class TestAPeriod:
    @pytest.mark.parametrize(
        ("period", "ends"),
        [
            ("day", datetime(2026, 3, 10, 22, tzinfo=UTC)),
            ("week", datetime(2026, 3, 15, 22, tzinfo=UTC)),
            ("month", datetime(2026, 3, 31, 22, tzinfo=UTC)),
        ],
    )
    def test_ends_at_midnight_where_the_account_is(self, period: str, ends: datetime) -> None:
        state = state_of(make(period))

        assert (state.period_started_at, state.period_ends_at, state.allowance_bytes) == (AT, ends, 10 * GB)

    def test_with_a_change_of_clocks_in_it_ends_at_midnight_too(self) -> None:
        state = state_of(make("month", timezone="Europe/Lisbon"))

        assert state.period_ends_at == datetime(2026, 3, 31, 23, tzinfo=UTC)  # Summer time since the 29th.

    def test_begins_anew(self) -> None:
        account = make()
        use(account, 12 * GB)
        assert context_of(account) == "refused:quota"
        depleted_at = state_of(account).depleted_at

        state = roll(account, datetime(2026, 3, 31, 22, 0, 5, tzinfo=UTC))

        assert depleted_at == AT
        assert (state.used_bytes, state.depleted_at, state.allowance_bytes) == (0, None, 10 * GB)
        assert state.period_started_at == datetime(2026, 3, 31, 22, tzinfo=UTC)
        assert state.period_ends_at == datetime(2026, 4, 30, 22, tzinfo=UTC)
        assert context_of(account) == "active"

    def test_that_nobody_rolled_for_months_is_rolled_once(self) -> None:
        account = make()

        state = roll(account, datetime(2026, 8, 5, tzinfo=UTC))

        assert state.period_started_at == datetime(2026, 7, 31, 22, tzinfo=UTC)

    def test_is_not_rolled_before_its_end(self) -> None:
        make()

        assert caps.roll_periods(at=datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC)) == []


class TestRollOver:
    @pytest.mark.parametrize(
        ("used", "carried"), [(0, 10), (4, 6), (10, 0), (13, 0)], ids=lambda gigabytes: f"{gigabytes} GB"
    )
    def test_carries_what_is_left_of_the_cap(self, used: int, carried: int) -> None:
        account = make(rolls_over=True)
        use(account, used * GB)

        state = roll(account, datetime(2026, 4, 1, tzinfo=UTC))

        assert (state.extra_bytes, state.allowance_bytes) == (carried * GB, (10 + carried) * GB)

    def test_uses_what_was_carried_first_and_carries_it_once(self) -> None:
        account = make(rolls_over=True)
        roll(account, datetime(2026, 4, 1, tzinfo=UTC))
        use(account, 14 * GB)

        state = roll(account, datetime(2026, 5, 1, tzinfo=UTC))

        assert state.extra_bytes == 6 * GB


class TestATopUp:
    def test_lets_in_who_was_blocked(self) -> None:
        account = make()
        use(account, 10 * GB)
        assert context_of(account) == "refused:quota"

        caps.add_top_up(account_id=account.pk, bytes=5 * GB, at=AT)

        assert state_of(account).allowance_bytes == 15 * GB
        assert context_of(account) == "active"

    def test_ends_with_the_period(self) -> None:
        account = make()
        caps.add_top_up(account_id=account.pk, bytes=5 * GB, at=AT)
        use(account, 12 * GB)
        end = datetime(2026, 4, 1, tzinfo=UTC)

        state = roll(account, end)

        top_up = TopUp.objects.get()
        assert (state.allowance_bytes, top_up.used_bytes, top_up.closed_at) == (10 * GB, 2 * GB, end)

    def test_that_lasts_longer_keeps_what_is_left_of_it(self) -> None:
        account = make()
        caps.add_top_up(account_id=account.pk, bytes=5 * GB, at=AT, expires_at=AT + timedelta(days=90))
        use(account, 12 * GB)

        state = roll(account, datetime(2026, 4, 1, tzinfo=UTC))

        assert (state.allowance_bytes, TopUp.objects.get().closed_at) == (13 * GB, None)

    def test_that_ends_first_is_used_first_and_what_was_used_stays_allowed(self) -> None:
        account = make()
        caps.add_top_up(account_id=account.pk, bytes=5 * GB, at=AT, expires_at=AT + timedelta(days=1))
        caps.add_top_up(account_id=account.pk, bytes=5 * GB, at=AT)
        use(account, 13 * GB)

        assert caps.roll_periods(at=AT + timedelta(days=2)) == [account.pk]

        state = state_of(account)
        used = list(TopUp.objects.order_by("id").values_list("used_bytes", flat=True))
        assert (state.allowance_bytes, state.extra_bytes, used) == (18 * GB, 3 * GB, [3 * GB, 0])

    def test_taken_back_leaves_what_was_used(self) -> None:
        account = make()
        top_up = caps.add_top_up(account_id=account.pk, bytes=5 * GB, at=AT)
        use(account, 11 * GB)

        caps.end_top_up(account_id=account.pk, top_up_id=top_up.pk, at=AT + timedelta(hours=1))

        assert state_of(account).allowance_bytes == 11 * GB
        with pytest.raises(caps.TopUpOver):
            caps.end_top_up(account_id=account.pk, top_up_id=top_up.pk, at=AT + timedelta(hours=2))

    def test_of_an_account_without_a_cap_is_refused(self) -> None:
        account = make(cap_bytes=None)

        with pytest.raises(caps.NoDataCap):
            caps.add_top_up(account_id=account.pk, bytes=1, at=AT)

        assert not TopUp.objects.exists()


class TestOverTheCap:
    def test_slows_down_by_coa_and_back(self) -> None:
        slow = policies.create_policy(name="Slow", down_kbps=512, up_kbps=512)
        fast = policies.create_policy(name="Fast", down_kbps=50_000, up_kbps=10_000)
        account = make(policy_id=fast.pk, over_cap="throttle", throttle_policy_id=slow.pk)
        session = make_session(make_nas(None), account, "s1", applied=account.wanted)
        use(account, 10 * GB)

        assert context_of(account) == "throttled"

        action = SessionAction.objects.get()
        assert (action.session_id, action.kind, action.cause) == (session.pk, "coa", "quota")

    def test_does_not_concern_uncapped_accounts(self) -> None:
        account = make(uncapped_data=True)
        use(account, 100 * GB)

        assert context_of(account) == "active"
        state = state_of(account)
        assert (state.allowance_bytes, state.period_ends_at, state.depleted_at) == (None, None, None)

    def test_a_cap_that_comes_later_begins_at_nothing(self) -> None:
        account = make(cap_bytes=None)
        use(account, 100 * GB)

        accounts.change_account(account_id=account.pk, at=AT + timedelta(days=1), cap_bytes=GB)

        state = state_of(account)
        assert (state.used_bytes, state.period_started_at) == (0, AT + timedelta(days=1))

    def test_throttling_needs_a_policy(self) -> None:
        account = make()

        with pytest.raises(accounts.ThrottleNeedsPolicy):
            accounts.change_account(account_id=account.pk, at=AT, over_cap="throttle")

        account.refresh_from_db()
        assert account.over_cap == "block"
