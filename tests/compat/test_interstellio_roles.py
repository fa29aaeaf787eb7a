"""Who may do what with subscriber accounts: the page's accepted roles, and what is a customer's own."""

from typing import Any

import pytest

from aaa.models import Account
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from support.models import PortalAccount
from tests.aaa.online import make_account
from tests.compat.accounts import client_of, make_request, refusal
from tests.compat.client import Foreign
from tests.factories import SubscriptionFactory

pytestmark = pytest.mark.django_db

FORBIDDEN = (403, "Forbidden")
# As the page lists them. It names no roles for creating, which here are those for changing.
READ = {
    Role.ADMINISTRATOR, Role.CUSTOMER, Role.NETWORK_OPERATIONS, Role.STAFF_MEMBER, Role.SUBSCRIBER_ACCOUNTS,
    Role.SUBSCRIBER_ADMINISTRATOR, Role.SUBSCRIBER_SUPPORT, Role.SUPPORT,
}  # fmt: skip
WRITE = {
    Role.ADMINISTRATOR, Role.NETWORK_OPERATIONS, Role.SUBSCRIBER_ACCOUNTS, Role.SUBSCRIBER_ADMINISTRATOR,
}  # fmt: skip


@pytest.fixture
def client_as(make_user: Any, tenant: Tenant) -> Any:
    return lambda role: client_of(make_user(str(role), {tenant: role}))


@pytest.mark.parametrize("role", Role)
def test_each_role_may_what_the_page_says(role: Role, client_as: Any, acting: Tenant) -> None:
    body = make_request()
    made = make_account("jane")
    client: Foreign = client_as(role)

    answers = {
        "list": client.get("v1/subscribers"),
        "get": client.get(f"v1/subscriber/{made.pk}"),
        "status": client.get(f"v2/subscriber/status/{made.pk}"),
        "create": client.post("v1/subscriber", body),
        "update": client.patch(f"v1/subscriber/{made.pk}", {"timezone": "UTC"}),
        "purge": client.delete(f"v1/subscriber/{made.pk}"),
    }

    refused = {name for name, answer in answers.items() if answer.status_code == 403}
    assert {name for name in ("list", "get", "status") if name not in refused} == (
        {"list", "get", "status"} if role in READ else set()
    )
    assert refused & {"create", "update", "purge"} == (
        set() if role in WRITE else {"create", "update", "purge"}
    )
    assert all(refusal(answers[name]) == FORBIDDEN for name in refused)
    assert Account.objects.filter(username="jane").exists() is (role not in WRITE)
    assert Account.objects.filter(username="test@example.com").exists() is (role in WRITE)


class TestCustomers:
    @pytest.fixture
    def customer(self, make_user: Any, tenant: Tenant) -> User:
        user: User = make_user("customer", {tenant: Role.CUSTOMER})
        return user

    def test_see_their_own_accounts(self, customer: User, acting: Tenant) -> None:
        line, other = SubscriptionFactory(), SubscriptionFactory()
        PortalAccount.objects.create(subscriber=line.subscriber, user=customer)
        own = make_account("own", subscription=line)
        theirs = make_account("theirs", subscription=other)
        nobodys = make_account("nobodys")
        client = client_of(customer)

        listed = client.get("v1/subscribers").json()
        streamed = b"".join(client.get("v1/subscribers?l=-1").streaming_content)

        assert [each["username"] for each in listed["payload"]] == ["own"]
        assert listed["metadata"]["records"] == 1
        assert streamed.count(b"\n") == 1
        assert client.get(f"v1/subscriber/{own.pk}").json()["username"] == "own"
        assert client.get(f"v2/subscriber/status/{own.pk}").json()["active"] is True
        for account in (theirs, nobodys):
            assert refusal(client.get(f"v1/subscriber/{account.pk}")) == (404, "Not Found")
            assert refusal(client.get(f"v2/subscriber/status/{account.pk}")) == (404, "Not Found")

    def test_without_a_customers_record_see_nothing(self, customer: User, acting: Tenant) -> None:
        account = make_account("jane")
        client = client_of(customer)

        assert client.get("v1/subscribers").json()["payload"] == []
        assert refusal(client.get(f"v1/subscriber/{account.pk}")) == (404, "Not Found")

    def test_change_nothing_of_their_own(self, customer: User, acting: Tenant) -> None:
        line = SubscriptionFactory()
        PortalAccount.objects.create(subscriber=line.subscriber, user=customer)
        own = make_account("own", subscription=line)
        client = client_of(customer)

        answers = [
            client.patch(f"v1/subscriber/{own.pk}", {"enabled": False, "timezone": "UTC"}),
            client.delete(f"v1/subscriber/{own.pk}"),
        ]

        assert [refusal(answer) for answer in answers] == [FORBIDDEN] * 2
        assert Account.objects.get().enabled
