"""The feed of changed lines: each change once, also when transactions end out of order."""

import threading
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ispcore import redis
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role
from subscribers.models import Plan, Premise, SnapshotCursor, Subscriber, Subscription
from subscribers.services.snapshot import Position, PositionAhead, read_part, take_changes
from tests.client import Api
from tests.factories import PremiseFactory, SubscriberFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db(transaction=True)


def take(tenant, principal="key:1") -> list[int]:
    """Return the numbers of the lines given."""
    with tenant_context(tenant.pk):
        given = [change["service_id"] for change in take_changes(principal=principal).entries]
        numbers = dict(Subscription.objects.values_list("pk", "number"))
        return sorted(numbers[pk] for pk in given)


def make_lines(tenant, *numbers: int) -> None:
    with tenant_context(tenant.pk):
        for number in numbers:
            SubscriptionFactory(number=number)


def change(tenant, number: int) -> None:
    with tenant_context(tenant.pk):
        Subscription.objects.filter(number=number).update(isp_reference="new")


class Elsewhere:
    """Another connection that changes a line and holds its transaction open until told."""

    def __init__(self, tenant, number: int, *, fails: bool = False) -> None:
        self.tenant, self.number, self.fails = tenant, number, fails
        self.changed, self.may_end = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        assert self.changed.wait(20)
        return self

    def __exit__(self, *exc) -> None:
        self.commit()

    def commit(self) -> None:
        self.may_end.set()
        self.thread.join()

    def _run(self) -> None:
        try:
            with tenant_context(self.tenant.pk):
                Subscription.objects.filter(number=self.number).update(isp_reference="late")
                self.changed.set()
                self.may_end.wait(20)
                if self.fails:
                    raise InterruptedError
        except InterruptedError:
            pass
        finally:
            connection.close()


class TestFeed:
    def test_gives_all_first_and_then_what_changed(self, tenant):
        make_lines(tenant, 1, 2, 3)

        first, nothing = take(tenant), take(tenant)
        change(tenant, 2)
        changed, nothing_again = take(tenant), take(tenant)

        assert [first, nothing, changed, nothing_again] == [[1, 2, 3], [], [2], []]

    def test_each_credential_has_its_own_place(self, tenant):
        make_lines(tenant, 1)

        assert [take(tenant, "key:1"), take(tenant, "key:2"), take(tenant, "key:1")] == [[1], [1], []]

    def test_an_older_change_that_commits_late_comes_in_the_next_call_once(self, tenant):
        make_lines(tenant, 1, 2)
        take(tenant)

        with Elsewhere(tenant, 1) as late:
            change(tenant, 2)  # Begins after the change of 1, and ends before it.
            during = take(tenant)
            late.commit()
        after = [take(tenant), take(tenant)]

        assert 1 not in during
        assert sorted(during + after[0]) == [1, 2]
        assert after[1] == []

    def test_a_change_that_was_rolled_back_is_none(self, tenant):
        make_lines(tenant, 1, 2)
        take(tenant)

        with Elsewhere(tenant, 1, fails=True):
            change(tenant, 2)

        assert [take(tenant), take(tenant)] == [[2], []]

    def test_a_failed_call_loses_nothing(self, tenant):
        make_lines(tenant, 1)

        with tenant_context(tenant.pk):
            take_changes(principal="key:1")
            transaction.set_rollback(True)

        assert take(tenant) == [1]

    def test_two_calls_of_one_credential_at_once_share_the_changes(self, tenant):
        make_lines(tenant, *range(1, 21))
        given: list[list[int]] = []

        def call() -> None:
            given.append(take(tenant))
            connection.close()

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(number for each in [*given, take(tenant)] for number in each) == list(range(1, 21))

    @pytest.mark.parametrize(
        ("model", "fields"),
        [
            (Subscriber, {"full_name": "New Name"}),
            (Plan, {"name": "New plan"}),
            (Premise, {"city": "New Town"}),
        ],
    )
    def test_what_a_line_is_shown_with_changes_it_too(self, model, fields, tenant):
        make_lines(tenant, 1)
        take(tenant)

        with tenant_context(tenant.pk):
            model.objects.update(**fields)

        assert [take(tenant), take(tenant)] == [[1], []]


def make_many_lines(tenant, count: int) -> None:
    """Insert lines by the thousand; `number` tells them apart."""
    with tenant_context(tenant.pk):
        one = SubscriptionFactory(number=1)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO subscribers_subscription
                    (id, tenant_id, number, subscriber_id, plan_id, premise_id, status, isp_reference, wifi_name,
                     wifi_password, sales_agent, changed_xid, created_at, updated_at)
                SELECT uuidv7(), tenant_id, n, subscriber_id, plan_id, premise_id, 'active', '', '', '', '', 0,
                       now(), now()
                FROM subscribers_subscription, generate_series(2, %s) AS n WHERE id = %s
                """,
                [count, one.pk],
            )


def numbers_of(tenant, ids) -> list[int]:
    with tenant_context(tenant.pk):
        numbers = dict(Subscription.objects.values_list("pk", "number"))
    return [numbers[UUID(str(pk))] for pk in ids]


class TestParts:
    @pytest.fixture
    def api(self, admin_user):
        return Api(admin_user)

    def test_give_each_of_25000_lines_once_while_others_commit_out_of_order(self, tenant):
        """Changes made during the walk move behind its horizon, and come with the next window, once."""
        make_many_lines(tenant, 25_000)
        given: list[UUID] = []
        with tenant_context(tenant.pk):
            part = take_changes(principal="key:1", limit=4000)
        given += [row["service_id"] for row in part.entries]
        with Elsewhere(
            tenant, 7
        ) as late:  # Given already, or not yet: an older transaction than those after it.
            change(tenant, 24_990)
            sizes = [len(part.entries)]
            while part.has_more:
                assert isinstance(part.end, Position)
                with tenant_context(tenant.pk):
                    part = read_part(principal="key:1", position=part.end, limit=4000)
                given += [row["service_id"] for row in part.entries]
                sizes.append(len(part.entries))
                change(tenant, 24_991)
            during = list(given)
            late.commit()
        window = take(tenant)

        assert len(during) == len(set(during))
        assert sum(sizes) == len(during)
        assert max(sizes) == 4000
        seen = set(numbers_of(tenant, during))
        changed = {7, 24_990, 24_991}
        assert set(range(1, 25_001)) - seen <= changed
        assert set(window) == changed
        assert take(tenant) == []

    def test_go_on_where_the_last_ended_for_a_reader_that_keeps_no_cursor(self, tenant):
        make_lines(tenant, *range(1, 6))

        def take_two() -> list[int]:
            with tenant_context(tenant.pk):
                part = take_changes(principal="key:1", limit=2)
            return numbers_of(tenant, [row["service_id"] for row in part.entries])

        first, second, third, rest = (take_two() for _ in range(4))

        assert sorted(first + second + third) == [1, 2, 3, 4, 5]
        assert rest == []

    def test_are_walked_by_next_without_waiting(self, api, tenant):
        make_lines(tenant, *range(1, 6))
        answers = [api.get("services/snapshot?limit=2")]

        while link := answers[-1].json()["meta"]["pagination"]["next"]:
            answers.append(api.get(link.partition("/api/v1/")[2]))

        assert [each.json()["meta"]["pagination"]["count"] for each in answers] == [2, 2, 1]
        given = [row["service_id"] for each in answers for row in each.json()["data"]]
        assert sorted(numbers_of(tenant, given)) == [1, 2, 3, 4, 5]
        assert take(tenant, principal_of(tenant)) == []

    def test_are_given_again_for_the_same_cursor(self, api, tenant):
        make_lines(tenant, *range(1, 6))
        first = api.get("services/snapshot?cursor=&limit=2").json()
        path = f"services/snapshot?limit=2&cursor={first['meta']['pagination']['cursor']}"

        again = [api.get(path).json()["data"] for _ in range(2)]
        redis.client().flushdb()
        from_the_beginning = api.get("services/snapshot?cursor=&limit=2").json()["data"]

        assert again[0] == again[1]
        assert len(again[0]) == 2
        assert from_the_beginning == first["data"]

    def test_a_cursor_this_server_has_not_come_to_is_none(self, tenant):
        make_lines(tenant, 1)

        with tenant_context(tenant.pk), pytest.raises(PositionAhead):
            read_part(principal="key:1", position=Position(9_000_000_000))

        assert take(tenant) == [1]

    def test_a_cursor_at_the_end_of_a_window_begins_the_next_one(self, api, tenant):
        make_lines(tenant, 1, 2)
        end = api.get("services/snapshot").json()["meta"]["pagination"]["cursor"]
        change(tenant, 2)
        too_soon = api.get(f"services/snapshot?cursor={end}")
        redis.client().flushdb()

        lost, again = (self.call(api, f"services/snapshot?cursor={end}") for _ in range(2))

        assert too_soon.status_code == 429
        assert numbers_of(tenant, lost) == numbers_of(tenant, again) == [2]

    def call(self, api, path) -> list[str]:
        redis.client().flushdb()
        return [row["service_id"] for row in api.get(path).json()["data"]]

    def test_of_a_time_end(self, api, tenant):
        make_lines(tenant, *range(1, 6))
        answers = [api.get("services/snapshot?limit=2&since=2020-01-01T00:00:00Z")]

        while link := answers[-1].json()["meta"]["pagination"]["next"]:
            answers.append(api.get(link.partition("/api/v1/")[2]))

        given = [row["service_id"] for each in answers for row in each.json()["data"]]
        assert sorted(numbers_of(tenant, given)) == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("limit=0", "limit"),
            ("limit=50001", "limit"),
            ("limit=many", "limit"),
            ("cursor=abc", "cursor"),
            ("cursor=&since=2026-01-01T00:00:00Z", "since"),
        ],
    )
    def test_that_make_no_sense_are_400_and_cost_no_call(self, query, field, api):
        response = api.get(f"services/snapshot?{query}")

        assert (response.status_code, response.json()["error"]["field"]) == (400, field)
        assert api.get("services/snapshot").status_code == 200

    def test_are_no_one_elses(self, api, tenant, make_user):
        make_lines(tenant, 1, 2)
        cursor = api.get("services/snapshot?limit=1").json()["meta"]["pagination"]["cursor"]
        other = Api(make_user("other", {tenant: Role.SUPPORT}))

        assert other.get(f"services/snapshot?cursor={cursor}").status_code == 400

    def test_are_read_by_an_index_however_many_lines_one_transaction_changed(self, tenant, query_count):
        make_many_lines(tenant, 5000)
        with tenant_context(tenant.pk):
            part = take_changes(principal="key:1", limit=4000)
            assert isinstance(part.end, Position)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
            with CaptureQueriesContext(connection) as captured:
                read_part(principal="key:1", position=part.end, limit=10)
            (sql,) = [each["sql"] for each in captured if "subscribers_plan" in each["sql"]]
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN " + sql)
                plan = "\n".join(row[0] for row in cursor.fetchall())

        assert "subscription_by_change" in plan
        assert "ROW(" in plan.partition("Index Cond")[2].partition("\n")[0]


def principal_of(tenant) -> str:
    with tenant_context(tenant.pk):
        principal: str = SnapshotCursor.objects.get().principal
    return principal


class TestApi:
    @pytest.fixture
    def api(self, admin_user):
        return Api(admin_user)

    def test_tells_what_the_reference_shows(self, api, tenant):
        with tenant_context(tenant.pk):
            line = SubscriptionFactory(
                subscriber=SubscriberFactory(full_name="Jane Doe"),
                premise=PremiseFactory(
                    address_line1="1 Hill Road", address_line2="", city="Town", country="PT"
                ),
            )

        response = api.get("services/snapshot")

        (row,) = response.json()["data"]
        assert row == {
            "service_id": str(line.pk), "customer_name": "Jane Doe", "full_address": "1 Hill Road, Town, PT",
            "status": "pending_installation", "product": line.plan.name,
            "last_updated_date": row["last_updated_date"],
        }  # fmt: skip

    def test_may_be_called_once_in_ten_minutes_by_each_credential(self, api, tenant, make_user):
        make_lines(tenant, 1)
        other = Api(make_user("other", {tenant: Role.SUPPORT}))

        first = api.get("services/snapshot")
        with tenant_context(tenant.pk):
            before = SnapshotCursor.objects.get().horizon
        refused = api.get("services/snapshot/")
        others = other.get("services/snapshot")

        assert (len(first.json()["data"]), len(others.json()["data"])) == (1, 1)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
        assert 590 <= int(refused["Retry-After"]) <= 600
        with tenant_context(tenant.pk):
            assert SnapshotCursor.objects.order_by("created_at")[0].horizon == before

    def test_since_a_time_moves_nothing(self, api, tenant):
        make_lines(tenant, 1)
        moment = timezone.now().isoformat().replace("+00:00", "Z")
        make_lines(tenant, 2)

        since = api.get(f"services/snapshot?since={moment}")
        redis.client().flushdb()
        all_of_them = api.get("services/snapshot")

        assert (len(since.json()["data"]), len(all_of_them.json()["data"])) == (1, 2)

    @pytest.mark.parametrize("value", ["yesterday", "2026-13-01T00:00:00Z", "1"])
    def test_a_time_that_is_none_is_400_and_costs_no_call(self, value, api):
        response = api.get(f"services/snapshot?since={value}")

        assert (response.status_code, response.json()["error"]["field"]) == (400, "since")
        assert api.get("services/snapshot").status_code == 200

    def test_shows_another_tenant_nothing(self, tenant, other_tenant, make_user):
        make_lines(tenant, 1)
        stranger = Api(make_user("stranger", {other_tenant: Role.ADMINISTRATOR}))

        assert stranger.get("services/snapshot").json()["data"] == []

    def test_costs_the_same_for_one_line_or_many(self, tenant, query_count):
        make_lines(tenant, 1)
        one = query_count(take, tenant, "key:1")
        make_lines(tenant, *range(2, 12))

        assert query_count(take, tenant, "key:2") == one
