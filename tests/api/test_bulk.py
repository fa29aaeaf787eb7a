"""Many records made and changed in one request, of each kind that takes it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ipam.models import Address
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role, allows
from subscribers.models import Subscriber, Subscription
from support.models import Subject, Ticket
from tests.client import Api
from tests.factories import (
    AddressFactory,
    PlanFactory,
    PremiseFactory,
    SubnetFactory,
    SubscriberFactory,
    SubscriptionFactory,
)

pytestmark = pytest.mark.django_db
NOBODY = "019a0000-0000-7000-8000-000000000000"
PATHS = ("subscribers/bulk", "services/bulk", "ipam/addresses/bulk", "support/tickets/bulk")


def new(**data: Any) -> dict[str, Any]:
    return {"operation": "create", "data": data}


def person(name: str, **more: Any) -> dict[str, Any]:
    return new(full_name=name, status="prospect", **more)


def change(record: Any, **data: Any) -> dict[str, Any]:
    return {"operation": "update", "id": str(getattr(record, "pk", record)), "data": data}


class TestSubscribers:
    def test_are_made_and_changed_in_the_order_given(self, api: Api, acting: Tenant) -> None:
        ada, bob = SubscriberFactory(full_name="Ada"), SubscriberFactory(full_name="Bob", number="SUB-000777")
        items = [
            person("Eve"),
            change(ada, full_name="Ada L."),
            change("SUB-000777", address={"city": "Porto"}),
        ]

        answer = api.post("subscribers/bulk", {"items": items})

        assert answer.status_code == 200
        data = answer.json()["data"]
        assert [(each["index"], each["status"], each["error"]) for each in data] == [
            (0, "created", None), (1, "updated", None), (2, "updated", None),
        ]  # fmt: skip
        assert Subscriber.objects.get(pk=data[0]["id"]).full_name == "Eve"
        ada.refresh_from_db()
        bob.refresh_from_db()
        assert (ada.full_name, bob.city) == ("Ada L.", "Porto")

    def test_all_or_nothing_names_every_wrong_field_and_changes_nothing(
        self, api: Api, acting: Tenant
    ) -> None:
        taken = SubscriberFactory(external_id="crm-1")
        before = list(Subscriber.objects.values())

        answer = api.post(
            "subscribers/bulk",
            {
                "items": [
                    person("Eve"),
                    person("", email="x"),
                    change(NOBODY),
                    change(taken, odd=1),
                ]
            },
        )

        assert answer.status_code == 422
        error = answer.json()["error"]
        assert error["code"] == "bulk_refused"
        assert error["message"].startswith("3 of 4 items were refused")
        assert [(each["field"], each["code"]) for each in error["fields"]] == [
            ("items.1.data.full_name", "blank"),
            ("items.1.data.email", "invalid"),
            ("items.2.id", "not_found"),
            ("items.3.data.odd", "unknown_field"),
        ]
        assert list(Subscriber.objects.values()) == before

    def test_what_a_service_refuses_takes_all_with_it(self, api: Api, acting: Tenant) -> None:
        SubscriberFactory(external_id="crm-1")

        answer = api.post("subscribers/bulk", {"items": [person("Eve"), person("Ada", external_id="crm-1")]})

        assert answer.status_code == 422
        assert [(each["field"], each["code"]) for each in answer.json()["error"]["fields"]] == [
            ("items.1.data.external_id", "duplicate_subscriber")
        ]
        assert Subscriber.objects.count() == 1

    def test_per_row_does_what_can_be_done_of_a_thousand(self, api: Api, acting: Tenant) -> None:
        items = [person(f"Customer {n}" if n % 2 else "", external_id=f"crm-{n}") for n in range(1000)]

        answer = api.post("subscribers/bulk", {"mode": "per_row", "items": items})

        assert answer.status_code == 200
        data = answer.json()["data"]
        assert [each["index"] for each in data] == list(range(1000))
        assert {each["status"] for each in data[1::2]} == {"created"}
        assert {(each["status"], each["id"], each["error"]["code"]) for each in data[::2]} == {
            ("refused", None, "validation_error")
        }
        assert data[0]["error"]["fields"][0]["field"] == "data.full_name"
        assert Subscriber.objects.count() == 500

    def test_two_items_of_one_request_are_held_against_each_other(self, api: Api, acting: Tenant) -> None:
        twice = [person("Ada", external_id="crm-1")] * 2

        data = api.post("subscribers/bulk", {"mode": "per_row", "items": twice}).json()["data"]

        assert [each["status"] for each in data] == ["created", "refused"]
        assert data[1]["error"]["code"] == "duplicate_subscriber"

    def test_a_record_stands_in_one_item_only(self, api: Api, acting: Tenant) -> None:
        ada = SubscriberFactory(number="SUB-000777")
        items = [
            change(ada, address={"city": "A"}),
            change("SUB-000777", address={"city": "B"}),
            change(ada, address={"city": "C"}),
        ]

        data = api.post("subscribers/bulk", {"mode": "per_row", "items": items}).json()["data"]

        assert sorted(each["status"] for each in data) == ["refused", "refused", "updated"]

    def test_a_key_repeats_the_whole(self, api: Api, acting: Tenant) -> None:
        body = {"mode": "per_row", "items": [person("Ada"), person("")]}

        first, again = (api.post("subscribers/bulk", body, X_Idempotency_Key="k") for _ in range(2))

        assert again["Idempotency-Replayed"] == "true"
        assert first.json()["data"] == again.json()["data"]
        assert Subscriber.objects.count() == 1

    @pytest.mark.parametrize("count", [0, 1001])
    def test_one_to_a_thousand_items(self, api: Api, acting: Tenant, count: int) -> None:
        answer = api.post("subscribers/bulk", {"items": [person("Ada")] * count})

        assert answer.status_code == 422
        assert answer.json()["error"]["field"] == "items"
        assert not Subscriber.objects.exists()

    def test_each_further_item_costs_the_same_and_finding_them_nothing(
        self, api: Api, acting: Tenant
    ) -> None:
        people = [SubscriberFactory() for _ in range(12)]

        def cost(rows: list[Any], city: str) -> int:
            with CaptureQueriesContext(connection) as counted:
                answer = api.post(
                    "subscribers/bulk", {"items": [change(each, address={"city": city}) for each in rows]}
                )
            assert answer.status_code == 200
            return len(counted)

        cost(people, "A")
        one, six, twelve = cost(people[:1], "B"), cost(people[:6], "C"), cost(people, "D")

        assert (six - one) / 5 == (twelve - six) / 6


def test_services_are_ordered_and_changed(api: Api, acting: Tenant) -> None:
    line = SubscriptionFactory(number=77)
    owner, plan, premise = SubscriberFactory(), PlanFactory(), PremiseFactory()
    order = new(customer_id=str(owner.pk), product_id=str(plan.pk), premise_id=str(premise.pk))
    lost = new(customer_id=NOBODY, product_id=str(plan.pk), premise_id=str(premise.pk))

    data = api.post(
        "services/bulk", {"mode": "per_row", "items": [order, change("77", wifi_name="home"), lost]}
    ).json()["data"]

    assert [each["status"] for each in data] == ["created", "updated", "refused"]
    assert Subscription.objects.get(pk=data[0]["id"]).subscriber == owner
    line.refresh_from_db()
    assert line.wifi_name == "home"
    assert data[2]["error"]["code"] == "not_found"


def test_addresses_are_given_taken_back_kept_back_and_described(api: Api, acting: Tenant) -> None:
    line = SubscriptionFactory(status="active")
    held = AddressFactory(
        address="198.51.100.7",
        state="assigned",
        free_since=None,
        assigned_at=timezone.now(),
        subscription=line,
    )
    subnet = SubnetFactory()
    items = [
        {"operation": "allocate", "data": {"subnet_id": str(subnet.pk), "assigned_to": "core-1"}},
        {"operation": "release", "data": {"address_id": str(held.pk)}},
        {"operation": "allocate", "data": {"pool_id": NOBODY, "service_id": str(line.pk)}},
        change(held, hostname="r1.example.net"),
    ]

    answer = api.post("ipam/addresses/bulk", {"mode": "per_row", "items": items})

    data = answer.json()["data"]
    assert [each["status"] for each in data] == ["created", "updated", "refused", "updated"]
    assert Address.objects.get(pk=data[0]["id"]).assigned_to == "core-1"
    held.refresh_from_db()
    assert (held.subscription, held.hostname) == (None, "r1.example.net")


def test_tickets_are_opened_and_changed(api: Api, acting: Tenant) -> None:
    subject = Subject.objects.create(name="No connection")
    line = SubscriptionFactory()
    ask = new(subject_id=str(subject.pk), service_id=str(line.pk))

    first = api.post("support/tickets/bulk", {"mode": "per_row", "items": [ask, ask]}).json()["data"]
    number = Ticket.objects.get().number
    second = api.post("support/tickets/bulk", {"items": [change(number, priority="high")]}).json()["data"]

    assert [each["status"] for each in first] == ["created", "refused"]
    assert first[1]["error"]["code"] == "duplicate_ticket"
    assert second[0]["status"] == "updated"
    assert Ticket.objects.get().priority == "high"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mode", ["all_or_nothing", "per_row"])
def test_another_tenants_records_are_not_found(
    api: Api, acting: Tenant, other_tenant: Tenant, path: str, mode: str
) -> None:
    with tenant_context(other_tenant.pk):
        line = SubscriptionFactory()
        ticket = Ticket.objects.create(
            number="TKT-000001", subject=Subject.objects.create(name="No connection"), title="x", priority="normal",
            subscription=line, subscriber=line.subscriber, due_at=timezone.now(), first_response_due_at=timezone.now(),
        )  # fmt: skip
        foreign = dict(zip(PATHS, (line.subscriber, line, AddressFactory(), ticket), strict=True))[path]
        before = type(foreign).objects.values().get(pk=foreign.pk)

    answer = api.post(path, {"mode": mode, "items": [change(foreign)]})

    told = answer.json()
    if mode == "per_row":
        assert told["data"][0]["error"]["code"] == "not_found"
    else:
        assert (answer.status_code, told["error"]["fields"][0]["code"]) == (422, "not_found")
    with tenant_context(other_tenant.pk):
        assert type(foreign).objects.values().get(pk=foreign.pk) == before


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("reference", ["°K", "12x", "SUB-", "-1", "9" * 64])
def test_what_is_no_records_name_is_not_found(api: Api, acting: Tenant, path: str, reference: str) -> None:
    answer = api.post(path, {"items": [change(reference)]})

    assert answer.status_code == 422
    assert answer.json()["error"]["fields"][0]["field"].startswith("items.0")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("role", Role)
def test_each_role_may_what_it_may_one_by_one(
    api_as: Callable[[Role], Api], acting: Tenant, path: str, role: Role
) -> None:
    app = {"services": "subscribers"}.get(path.partition("/")[0], path.partition("/")[0])
    answer = api_as(role).post(path, {"items": [change(NOBODY)]})

    assert answer.status_code == (422 if allows(role, app, "change") else 403)
