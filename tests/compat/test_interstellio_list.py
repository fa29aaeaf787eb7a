"""Lists of the Subscriber Accounts API: pages, filters, order, everything at once, and as a stream."""

import json
import resource
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from aaa.api.accounts import AccountViewSet
from aaa.models import Account
from compat.interstellio.shapes import FIELDS
from compat.interstellio.walk import COLUMNS, show, walk
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from tests.aaa.online import make_account
from tests.compat import accounts
from tests.compat.accounts import client_of, make_request, refusal
from tests.compat.client import Foreign

MANY = 20_000
SORTED = ("l=-1&sc=username&sd=desc", "l=-1&sc=calling_station_id")
DEVICES = {
    "d": "02:00:5E:00:00:01", "a": "02:00:5E:00:00:02", "c": "", "b": "02:00:5E:00:00:02", "e": "", "f": "10.0.0.1",
}  # fmt: skip


@pytest.fixture
def client(admin_user: User) -> Foreign:
    return client_of(admin_user)


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [each["username"] for each in response.json()["payload"]]


def read(response: Any) -> bytes:
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def lines_of(response: Any) -> list[dict[str, Any]]:
    text = read(response).decode()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def make_many(count: int) -> None:
    """Copy one account, by the thousand."""
    one = make_account("one")
    columns = [str(field.column) for field in Account._meta.concrete_fields]
    own = {
        "id": "uuidv7()",
        "username": "'user' || n",
        "username_key": "'user' || n",
        "calling_station_id": "CASE WHEN mod(n, 2) = 0 THEN 'device' || mod(n, 7) ELSE '' END",
        "calling_station_key": "CASE WHEN mod(n, 2) = 0 THEN 'device' || mod(n, 7) ELSE '' END",
    }
    begin = 1
    with connection.cursor() as cursor:
        while begin < count:
            # Ever more at once: what checks each row was planned for as many as there were when it began.
            end = min(begin * 5 + 500, count)
            cursor.execute(
                "WITH one AS MATERIALIZED (SELECT * FROM aaa_account WHERE id = %s) "
                f"INSERT INTO aaa_account ({', '.join(columns)}) "
                f"SELECT {', '.join(own.get(column, column) for column in columns)} "
                "FROM one, generate_series(%s, %s) AS n",
                [one.pk, begin, end - 1],
            )
            cursor.execute("ANALYZE aaa_account, aaa_accountstate, aaa_accounthistory")
            begin = end


@pytest.mark.django_db
class TestPages:
    def test_of_the_example(self, client: Foreign, acting: Tenant) -> None:
        made = client.post("v1/subscriber", make_request()).json()

        response = client.get("v1/subscribers")

        assert response["Content-Type"] == "application/json"
        assert response.json() == {
            "payload": [made],
            "metadata": {"records": 1, "page": 1, "pages": 1, "per_page": 10},
        }
        assert list(response.json()["payload"][0]) == accounts.FIELDS

    def test_without_accounts_are_one_empty_page(self, client: Foreign, acting: Tenant) -> None:
        assert client.get("v1/subscribers/").json() == {
            "payload": [], "metadata": {"records": 0, "page": 1, "pages": 1, "per_page": 10},
        }  # fmt: skip

    def test_are_cut_as_asked_for(self, client: Foreign, acting: Tenant) -> None:
        for number in range(7):
            make_account(f"u{number}")

        pages = [client.get(f"v1/subscribers?l=3&p={page}&sc=username") for page in (1, 2, 3, 4)]

        assert [names(page) for page in pages] == [["u0", "u1", "u2"], ["u3", "u4", "u5"], ["u6"], []]
        assert [page.json()["metadata"] for page in pages] == [
            {"records": 7, "page": page, "pages": 3, "per_page": 3} for page in (1, 2, 3, 4)
        ]

    def test_end_after_250_records_unless_infinite(self, client: Foreign, acting: Tenant) -> None:
        make_many(260)

        last, after = (client.get(f"v1/subscribers?l=50&p={page}") for page in (5, 6))
        infinite = json.loads(read(client.get("v1/subscribers?l=0")))

        assert (len(names(last)), names(after)) == (50, [])
        assert last.json()["metadata"] == {"records": 250, "page": 5, "pages": 5, "per_page": 50}
        assert len(infinite["payload"]) == 260
        assert infinite["metadata"] == {"records": 260, "page": 1, "pages": 1, "per_page": 260}

    def test_cost_the_same_for_one_and_for_six(
        self, client: Foreign, acting: Tenant, query_count: Any
    ) -> None:
        make_account("u0")
        one = query_count(client.get, "v1/subscribers?sc=calling_station_id")
        for number in range(1, 6):
            make_account(f"u{number}")

        assert query_count(client.get, "v1/subscribers?sc=calling_station_id") == one

    @pytest.mark.parametrize(
        "query",
        [
            "l=51", "l=-2", "l=x", "l=1.5", "l=", "p=0", "p=-1", "p=x", "sc=name", "sc=", "sd=up", "usernme=jane",
            "username=", "id=x", "l=1&l=2", "profile_id=0001d2f0-61c7-4ab8-b4db-21118b886711",
        ],
    )  # fmt: skip
    def test_of_a_mistyped_query_are_a_bad_request(self, query: str, client: Foreign, acting: Tenant) -> None:
        assert refusal(client.get(f"v1/subscribers?{query}")) == (400, "Bad Request")


@pytest.mark.django_db
class TestFilters:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("username=JANE@example.net", ["jane@example.net"]),
            ("username=jane*", ["jane@example.net", "janet"]),
            ("username=jane", []),
            ("username=*", ["jane@example.net", "janet", "joe"]),
            ("calling_station_id=0200.5E00.0001", ["jane@example.net"]),
            ("calling_station_id=02:00:5e*", ["jane@example.net", "janet"]),
            ("username=j*&calling_station_id=10.*", ["joe"]),
        ],
    )
    def test_take_a_wildcard_at_their_end(
        self, query: str, found: list[str], client: Foreign, acting: Tenant
    ) -> None:
        make_account("jane@example.net", calling_station_id="02:00:5E:00:00:01")
        make_account("janet", calling_station_id="02:00:5E:00:00:02")
        make_account("joe", calling_station_id="10.0.0.1")

        assert names(client.get(f"v1/subscribers?{query}&sc=username")) == found
        streamed = lines_of(client.get(f"v1/subscribers?{query}&sc=username&l=-1"))
        assert [each["username"] for each in streamed] == found

    def test_by_an_id_or_its_beginning(self, client: Foreign, acting: Tenant) -> None:
        jane, joe = make_account("jane"), make_account("joe")

        assert names(client.get(f"v1/subscribers?id={jane.pk}")) == ["jane"]
        assert names(client.get(f"v1/subscribers?id={str(joe.pk)[:-1]}*&sc=username")) in (
            ["joe"], ["jane", "joe"],
        )  # fmt: skip
        assert names(client.get(f"v1/subscribers?id={str(jane.pk)[:2]}*")) == ["jane", "joe"]
        assert names(client.get("v1/subscribers?id=ffff*")) == []


@pytest.mark.django_db
class TestOrder:
    @pytest.mark.parametrize(
        ("query", "order"),
        [
            ("", "dacbef"),
            ("sc=id", "dacbef"),
            ("sc=id&sd=desc", "febcad"),
            ("sd=desc", "febcad"),
            ("sc=username", "abcdef"),
            ("sc=username&sd=asc", "abcdef"),
            ("sc=username&sd=desc", "fedcba"),
            ("sc=calling_station_id", "ecdbaf"),
            ("sc=calling_station_id&sd=desc", "fabdce"),
        ],
    )
    def test_is_that_of_the_column_in_every_form_of_the_list(
        self, query: str, order: str, client: Foreign, acting: Tenant
    ) -> None:
        for name, device in DEVICES.items():
            make_account(name, calling_station_id=device)

        paged = client.get(f"v1/subscribers?{query}")
        infinite = json.loads(read(client.get(f"v1/subscribers?{query}&l=0")))
        streamed = lines_of(client.get(f"v1/subscribers?{query}&l=-1"))

        assert names(paged) == list(order)
        assert infinite["payload"] == streamed == paged.json()["payload"]

    @pytest.mark.parametrize("part", [1, 2, 3, 6, 7])
    @pytest.mark.parametrize("column", ["id", "username", "calling_station_id"])
    @pytest.mark.parametrize("descending", [False, True])
    def test_does_not_depend_on_the_parts(
        self, part: int, column: str, descending: bool, acting: Tenant
    ) -> None:
        for name, device in DEVICES.items():
            make_account(name, calling_station_id=device)
        order: Any = {"order": column, "descending": descending, "tenant_id": acting.pk}

        at_once = [show(row) for found in walk(*rows(), **order, part=100) for row in found]
        in_parts = [show(row) for found in walk(*rows(), **order, part=part) for row in found]

        assert len(in_parts) == len(DEVICES)
        assert in_parts == at_once

    def test_keeps_its_place_while_accounts_come_and_go(self, acting: Tenant) -> None:
        made = [make_account(name) for name in "abdf"]
        parts = walk(*rows(), tenant_id=acting.pk, order="username", descending=False, part=2)

        first = next(parts)
        made[1].delete()
        make_account("aa")
        make_account("e")
        rest = [row for part in parts for row in part]

        assert [show(row)["username"] for row in [*first, *rest]] == ["a", "b", "d", "e", "f"]


def rows() -> tuple[Any, Any]:
    """All accounts, and how the native API reads them."""
    return Account.objects.all(), AccountViewSet().get_queryset()


@pytest.mark.django_db(transaction=True)
class TestStreams:
    def test_have_one_account_on_each_line(self, client: Foreign, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            made = client.post("v1/subscriber", make_request()).json()
            make_account("jane")

        response = client.get("v1/subscribers?l=-1")

        assert response["Content-Type"] == "application/x-ndjson"
        first, second = lines_of(response)
        assert first == made
        assert (list(second), second["username"]) == (accounts.FIELDS, "jane")

    def test_of_nothing_are_empty(self, client: Foreign, tenant: Tenant) -> None:
        assert read(client.get("v1/subscribers?l=-1")) == b""
        assert json.loads(read(client.get("v1/subscribers?l=0&p=3"))) == {
            "payload": [], "metadata": {"records": 0, "page": 1, "pages": 1, "per_page": 0},
        }  # fmt: skip

    def test_write_times_in_the_zone_asked_for(self, client: Foreign, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            make_account("jane")

        (there,) = lines_of(client.get("v1/subscribers?l=-1", X_Timezone="Asia/Kathmandu"))

        assert there["creation_time"].endswith("+05:45")

    def test_show_their_tenant_alone(self, client: Foreign, tenant: Tenant, other_tenant: Tenant) -> None:
        for each, name in ((tenant, "ours"), (other_tenant, "theirs")):
            with tenant_context(each.pk):
                make_account(name)

        assert [each["username"] for each in lines_of(client.get("v1/subscribers?l=-1"))] == ["ours"]

    def test_hold_no_transaction_while_their_reader_is_slow(self, client: Foreign, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            make_many(1200)

        stream = iter(client.get("v1/subscribers?l=-1").streaming_content)
        next(stream)

        assert connection.connection.info.transaction_status.name == "IDLE"
        assert sum(piece.count(b"\n") for piece in stream) == 700

    def test_end_when_their_reader_goes_away(self, client: Foreign, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            make_many(2600)
        response = client.get("v1/subscribers?l=-1")
        stream = iter(response.streaming_content)
        with CaptureQueriesContext(connection) as read_before:
            next(stream)

        with CaptureQueriesContext(connection) as read_after:
            response.close()
            rest = list(stream)

        assert sum("aaa_account" in query["sql"] for query in read_before) == 2  # Which, and what.
        assert (rest, len(read_after)) == ([], 0)
        assert connection.connection is None or connection.connection.info.transaction_status.name == "IDLE"

    @pytest.mark.timeout(600)
    def test_of_20_000_accounts_take_the_memory_of_one_part(self, client: Foreign, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            make_many(MANY)

        taken = {query: growth_of(client, query) for query in ("l=-1", "l=0", *SORTED)}

        for query, (found, growth) in taken.items():
            assert found == MANY, query
            assert growth < 8 * 2**20, query  # All of them at once are several times that.


def growth_of(client: Foreign, query: str) -> tuple[int, int]:
    """Read a list; return its accounts, and how many bytes this process grew by after its first parts."""
    stream = iter(client.get(f"v1/subscribers?{query}").streaming_content)
    found = sum(next(stream).count(b'"username":') for _ in range(10))
    first = most = resident_bytes()
    for piece in stream:
        found += piece.count(b'"username":')
        most = max(most, resident_bytes())
    return found, most - first


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_every_column_stands_at_its_field() -> None:
    assert (*FIELDS,) == (*accounts.FIELDS,)
    assert len(COLUMNS) == len(FIELDS)
