"""Usage per hour, day and month, in any time zone, with clocks that change."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from aaa.models import Account, DailyUsage, HourlyUsage
from aaa.services import usage
from ispcore.tenants.context import tenant_context
from ispcore.tenants.fields import new_id
from tests.aaa.online import make_account
from tests.client import Api
from tests.factories import SubscriptionFactory

pytestmark = pytest.mark.django_db

LISBON, KATHMANDU, UTC_ZONE = ZoneInfo("Europe/Lisbon"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("UTC")
# Where clocks go back on 2026-10-25: that day has 25 hours.
AT = datetime(2026, 10, 27, 12, tzinfo=UTC)


@pytest.fixture
def account(acting: Any) -> Account:
    return make_account("jane", timezone="Europe/Lisbon")


def hour(account: Account, moment: datetime, octets: int = 10) -> None:
    HourlyUsage.objects.create(account=account, hour=moment, in4_bytes=octets, out4_bytes=octets * 2)


def day(account: Account, on: date, octets: int = 10) -> None:
    DailyUsage.objects.create(
        account=account, day=on, in4_bytes=octets, out4_bytes=octets * 2, in6_bytes=octets * 3,
        out6_bytes=octets * 4,
    )  # fmt: skip


def ask(
    account: Account, step: str, zone: ZoneInfo, since: date, until: date, at: datetime = AT
) -> usage.Usage:
    return usage.usage_of([account.pk], step=step, zone=zone, since=since, until=until, at=at)


class TestDays:
    def test_in_the_accounts_zone_are_those_kept(self, account: Account) -> None:
        for on in (date(2026, 10, 24), date(2026, 10, 25), date(2026, 10, 26)):
            day(account, on)

        found = ask(account, "day", LISBON, date(2026, 10, 25), date(2026, 10, 27))

        assert found.is_exact
        assert [(row.start, row.in4_bytes, row.out6_bytes) for row in found.rows] == [
            (date(2026, 10, 25), 10, 40), (date(2026, 10, 26), 10, 40),
        ]  # fmt: skip

    def test_in_another_zone_are_made_of_hours(self, account: Account) -> None:
        for moment in range(22, 26):  # 22:00, 23:00, 00:00 and 01:00 UTC; in Lisbon an hour later.
            hour(account, datetime(2026, 10, 20 + moment // 24, moment % 24, tzinfo=UTC))

        found = ask(account, "day", UTC_ZONE, date(2026, 10, 20), date(2026, 10, 22))

        assert found.is_exact
        assert [(row.start, row.in4_bytes) for row in found.rows] == [
            (date(2026, 10, 20), 20), (date(2026, 10, 21), 20),
        ]  # fmt: skip

    def test_that_begin_at_other_minutes_are_not_exact(self, account: Account) -> None:
        hour(account, datetime(2026, 10, 20, 18, tzinfo=UTC))  # 23:45 in Kathmandu.

        found = ask(account, "day", KATHMANDU, date(2026, 10, 20), date(2026, 10, 22))

        assert (found.is_exact, [row.start for row in found.rows]) == (False, [date(2026, 10, 20)])

    def test_of_long_ago_in_another_zone_are_not_exact(self, account: Account) -> None:
        day(account, date(2026, 1, 5))

        found = ask(account, "day", UTC_ZONE, date(2026, 1, 1), date(2026, 1, 8))

        assert (found.is_exact, [row.start for row in found.rows]) == (False, [date(2026, 1, 5)])

    def test_when_clocks_go_back_has_25_hours(self, account: Account) -> None:
        start = datetime(2026, 10, 24, 23, tzinfo=UTC)  # Midnight in Lisbon, an hour ahead of UTC.
        for n in range(26):
            hour(account, datetime.fromtimestamp(start.timestamp() + 3600 * n, tz=UTC), octets=1)

        days = usage._hours(
            [account.pk],
            "day",
            LISBON,
            datetime(2026, 10, 25, tzinfo=LISBON),
            datetime(2026, 10, 27, tzinfo=LISBON),
        )
        hours = ask(account, "hour", LISBON, date(2026, 10, 25), date(2026, 10, 26))

        assert [(row.start, row.in4_bytes) for row in days] == [
            (date(2026, 10, 25), 25),
            (date(2026, 10, 26), 1),
        ]
        assert (len(hours.rows), hours.is_exact) == (25, True)
        assert [row.start for row in hours.rows[:3]] == [
            datetime(2026, 10, 24, 23, tzinfo=UTC), datetime(2026, 10, 25, 0, tzinfo=UTC),
            datetime(2026, 10, 25, 1, tzinfo=UTC),
        ]  # fmt: skip


class TestMonths:
    def test_are_sums_of_days(self, account: Account) -> None:
        for on in (date(2026, 8, 31), date(2026, 9, 1), date(2026, 9, 30)):
            day(account, on)

        found = ask(account, "month", LISBON, date(2026, 8, 1), date(2026, 10, 1))

        assert [(row.start, row.in4_bytes) for row in found.rows] == [
            (date(2026, 8, 1), 10),
            (date(2026, 9, 1), 20),
        ]


class TestLimits:
    def test_of_what_may_be_asked(self, account: Account) -> None:
        with pytest.raises(usage.TooLong):
            ask(account, "hour", LISBON, date(2026, 1, 1), date(2026, 10, 1))

    def test_costs_the_same_for_one_account_or_six(self, account: Account, query_count: Any) -> None:
        others = [make_account(f"u{n}", timezone="Europe/Lisbon").pk for n in range(5)]
        terms: dict[str, Any] = {
            "step": "day", "zone": UTC_ZONE, "since": date(2026, 10, 1), "until": date(2026, 10, 9), "at": AT,
        }  # fmt: skip

        assert query_count(usage.usage_of, [account.pk], **terms) == query_count(
            usage.usage_of, [account.pk, *others], **terms
        )

    def test_of_tenants(self, account: Account, other_tenant: Any) -> None:
        day(account, date(2026, 10, 25))

        with tenant_context(other_tenant.pk):
            assert ask(account, "day", LISBON, date(2026, 10, 25), date(2026, 10, 26)).rows == []


class TestApi:
    @pytest.fixture
    def api(self, admin_user: Any) -> Api:
        return Api(admin_user)

    def test_shows_days_of_a_service(self, api: Any, acting: Any) -> None:
        line = SubscriptionFactory()
        account = make_account("jane", timezone="Africa/Johannesburg", subscription=line)
        today = timezone.now().astimezone(ZoneInfo("Africa/Johannesburg")).date()
        day(account, today)

        shown = api.get(f"aaa/usage?service_id={line.pk}").json()["data"]
        seed = api.get(f"services/{line.number}/radius/usage").json()["data"]

        assert (shown["step"], shown["timezone"], shown["is_exact"]) == ("day", "Africa/Johannesburg", True)
        assert shown["rows"] == [
            {
                "start": str(today), "bytes_downloaded": 20, "bytes_uploaded": 10, "ipv6_bytes_downloaded": 40,
                "ipv6_bytes_uploaded": 30, "total_bytes_downloaded": 60, "total_bytes_uploaded": 40,
            }
        ]  # fmt: skip
        assert seed == [
            {
                "date": str(today), "bytes_downloaded": 20, "bytes_uploaded": 10, "i_pv6_bytes_downloaded": 40,
                "i_pv6_bytes_uploaded": 30, "total_bytes_downloaded": 60, "total_bytes_uploaded": 40,
            }
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("query", "status", "field"),
        [
            ("", 400, "account_id"),
            ("account_id=x", 422, "account_id"),
            ("account_id={account}&service_id={account}", 400, "account_id"),
            ("account_id={account}&step=week", 422, "step"),
            ("account_id={account}&timezone=Mars/Base", 422, "timezone"),
            ("account_id={account}&from=2026-02-30", 422, "from"),
            ("account_id={account}&from=2026-02-03&until=2026-02-03", 422, "from"),
            ("account_id={account}&from=2000-01-01&until=2026-02-03", 422, "from"),
            ("account_id={account}&day=2026-02-03", 400, "day"),
        ],
    )
    def test_refuses_what_makes_no_sense(
        self, query: str, status: int, field: str, api: Any, account: Account
    ) -> None:
        response = api.get(f"aaa/usage?{query.format(account=account.pk)}")

        assert (response.status_code, response.json()["error"]["field"]) == (status, field)

    def test_shows_nothing_of_another_tenant(self, api: Any, acting: Any, other_tenant: Any) -> None:
        with tenant_context(other_tenant.pk):
            theirs = make_account("theirs", subscription=SubscriptionFactory())
            ids = {"account_id": theirs.pk, "service_id": theirs.subscription_id}

        for name, key in ids.items():
            assert api.get(f"aaa/usage?{name}={key}").status_code == 404
            assert api.get(f"aaa/usage?{name}={new_id()}").status_code == 404
