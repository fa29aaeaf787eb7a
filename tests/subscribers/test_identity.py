"""Identity: every fact given must be true, and a refusal tells nothing."""

from decimal import Decimal
from importlib import import_module
from itertools import combinations
from types import SimpleNamespace

import pytest
from django.db import connection

from ispcore.tenants.context import current_tenant_id, tenant_context
from ispcore.tenants.roles import Role
from subscribers.models import Premise, ServiceStatus, Subscriber, SubscriberWord, Subscription
from subscribers.services import customers
from tests.factories import PlanFactory, PremiseFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

FACTS = {"name": "jose  ALVAREZ", "address": "101 fiber st.", "plan": "FIBRE 100", "price": "30.90"}
WRONG = {"name": "Jose Alvare", "address": "102 Fiber Street", "plan": "Fibre 1000", "price": "30.91"}


def make_customer(name: str = "José Álvarez"):
    customer = customers.create_subscriber(
        full_name=name, status="active", address_line1="101 Fiber Street", city="Austin"
    )
    SubscriptionFactory(
        subscriber=customer,
        status=ServiceStatus.ACTIVE,
        plan=PlanFactory(name="Fibre 100", code=f"F-{customer.number}", price=Decimal("29.90")),
        premise=PremiseFactory(address_line1="7 Beach Road", address_line2="Apt. 3", city="Porto"),
    )
    return customer


@pytest.fixture
def jose(acting):
    return make_customer()


def verified(response) -> bool:
    assert response.status_code == 200, response.content
    assert set(response.json()["data"]) == {"verified"}
    answer: bool = response.json()["data"]["verified"]
    return answer


ENOUGH = [dict(some) for count in (3, 4) for some in combinations(FACTS.items(), count)]


@pytest.mark.parametrize("facts", ENOUGH, ids=lambda facts: "+".join(facts))
def test_three_or_four_true_facts_verify(facts, jose, api):
    assert verified(api.post(f"subscribers/{jose.number}/verify", facts)) is True


@pytest.mark.parametrize(("facts", "wrong"), [(facts, wrong) for facts in ENOUGH for wrong in facts])
def test_one_wrong_fact_does_not(facts, wrong, jose, api):
    response = api.post(f"subscribers/{jose.pk}/verify", facts | {wrong: WRONG[wrong]})

    assert verified(response) is False


@pytest.mark.parametrize(
    "address",
    [
        "101 Fiber Street, Austin",
        "7 beach rd",
        "7 Beach Road Apartment 3, PORTO",
        "7 Beach Road, Porto",
    ],
)
def test_the_address_is_the_customers_or_the_lines(address, jose, api):
    assert verified(api.post(f"subscribers/{jose.pk}/verify", FACTS | {"address": address})) is True


@pytest.mark.parametrize("address", ["Porto", "7 Beach Road Austin", "7", "...", "7 Beach Road Porto Apt 3"])
def test_any_other_is_not(address, jose, api):
    assert verified(api.post(f"subscribers/{jose.pk}/verify", FACTS | {"address": address})) is False


@pytest.mark.parametrize(
    ("price", "answer"), [("28.90", True), ("28.89", False), ("29.9", True), ("0", False)]
)
def test_the_price_may_differ_by_one(price, answer, jose, api):
    assert verified(api.post(f"subscribers/{jose.pk}/verify", FACTS | {"price": price})) is answer


def test_the_facts_must_be_of_one_service(jose, api):
    SubscriptionFactory(
        subscriber=jose, status=ServiceStatus.ACTIVE, plan=PlanFactory(name="Business", price=Decimal("99"))
    )

    mixed = FACTS | {"plan": "Business"}

    assert verified(api.post(f"subscribers/{jose.pk}/verify", mixed)) is False
    assert verified(api.post(f"subscribers/{jose.pk}/verify", mixed | {"price": "99.00"})) is True


def test_an_ended_service_proves_nothing(jose, api):
    Subscription.objects.update(status=ServiceStatus.TERMINATED)

    assert verified(api.post(f"subscribers/{jose.pk}/verify", FACTS)) is False


@pytest.mark.parametrize(
    "body", [{}, {"name": "x", "plan": "y"}, {"name": "x", "plan": "y", "price": None, "address": None}]
)
@pytest.mark.parametrize("path", ["subscribers/resolve", "subscribers/SUB-000001/verify"])
def test_too_few_facts_are_refused(path, body, jose, api):
    response = api.post(path, body)

    error = response.json()["error"]
    assert (response.status_code, error["fields"][0]["code"]) == (422, "too_few_facts")


@pytest.mark.parametrize("path", ["subscribers/resolve", "subscribers/SUB-000001/verify"])
def test_all_wrong_fields_are_named(path, jose, api):
    response = api.post(path, {"name": 5, "address": "", "plan": "x" * 121, "price": 29.9, "pin": "1"})

    assert response.status_code == 422
    named = {each["field"] for each in response.json()["error"]["fields"]}
    assert named == {"name", "address", "plan", "price", "pin"}


@pytest.mark.parametrize("facts", ENOUGH, ids=lambda facts: "+".join(facts))
def test_resolve_finds_the_one(facts, jose, api):
    make_customer("Somebody Else")
    expected = str(jose.pk) if "name" in facts else None  # Two live at this address with this plan.

    response = api.post("subscribers/resolve", facts)

    assert response.json()["data"] == {"verified": expected is not None, "subscriber_id": expected}


def test_resolve_finds_by_address_alone_whom_nobody_shares_it_with(jose, api):
    facts = {name: value for name, value in FACTS.items() if name != "name"}

    assert api.post("subscribers/resolve", facts).json()["data"]["subscriber_id"] == str(jose.pk)


@pytest.mark.parametrize("address", ["7 Beach Road", "7 beach rd apt 3, Porto", "7 Beach Rd., PORTO"])
def test_resolve_finds_by_the_address_of_a_service(address, jose, api):
    facts = {"address": address, "plan": FACTS["plan"], "price": FACTS["price"]}

    assert api.post("subscribers/resolve", facts).json()["data"]["subscriber_id"] == str(jose.pk)


@pytest.mark.parametrize(
    "address", ["7 Beach", "7", "Beach Road 7", "17 Beach Road", "7 Beach Road Lisbon", "st"]
)
def test_resolve_finds_nobody_by_another_address(address, jose, api):
    facts = {"address": address, "plan": FACTS["plan"], "price": FACTS["price"]}

    assert api.post("subscribers/resolve", facts).json()["data"]["subscriber_id"] is None


def test_a_premise_that_is_renamed_is_found_by_its_new_address(jose, api):
    premise = Premise.objects.get()
    api.patch(f"premises/{premise.pk}", {"address_line1": "9 Hill Avenue"})

    def resolve(address):
        facts = {"address": address, "plan": FACTS["plan"], "price": FACTS["price"]}
        return api.post("subscribers/resolve", facts).json()["data"]["subscriber_id"]

    assert (resolve("9 hill ave"), resolve("7 Beach Road")) == (str(jose.pk), None)


def test_premises_are_found_by_an_index(acting):
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO subscribers_premise (id, tenant_id, address_line1, address_line2, city, state, postal_code,
                                             country, address_key, address_words, created_at, updated_at)
            SELECT uuidv7(), %s, n || ' Hill Rd', '', '', '', '', '', n || ' hill rd', '{}', now(), now()
            FROM generate_series(1, 20000) AS n
            """,
            [current_tenant_id()],
        )
        cursor.execute("ANALYZE subscribers_premise")

    plan = Premise.objects.filter(address_key__in=["77", "77 hill", "77 hill rd"]).explain()

    assert "premise_by_address" in plan
    assert "Seq Scan" not in plan


def test_what_was_there_before_is_found_too(jose, api):
    """The migration writes the keys of premises and the words of tags that are there already."""
    Premise.objects.update(address_key="")
    Subscriber.objects.update(tags=["vip"])
    migration = import_module("subscribers.migrations.0005_premise_address_key")

    migration.fill(None, SimpleNamespace(connection=connection))

    with tenant_context(jose.tenant_id):
        assert Premise.objects.get().address_key == "7 beach rd"
        assert list(SubscriberWord.objects.filter(word__prefix="#").values_list("word", flat=True)) == [
            "#vip"
        ]
        assert names(api.get("subscribers?tag=VIP")) == ["José Álvarez"]


def names(response) -> list[str]:
    return [row["full_name"] for row in response.json()["data"]]


@pytest.mark.parametrize("wrong", FACTS)
def test_resolve_refuses_alike_whatever_is_wrong(wrong, jose, api):
    response = api.post("subscribers/resolve", FACTS | {wrong: WRONG[wrong]})

    assert (response.status_code, response.json()["data"]) == (
        200,
        {"verified": False, "subscriber_id": None},
    )


def test_resolve_does_not_choose_between_two(jose, api):
    make_customer()

    assert api.post("subscribers/resolve", FACTS).json()["data"] == {"verified": False, "subscriber_id": None}


def test_nobody_resolves_another_providers(api, other_tenant):
    with tenant_context(other_tenant.pk):
        make_customer()

    assert api.post("subscribers/resolve", FACTS).json()["data"] == {"verified": False, "subscriber_id": None}


def test_attempts_at_one_customer_are_limited(jose, api):
    other = make_customer("Somebody Else")
    guesses = [FACTS | {"price": f"{n}.00"} for n in range(5)]
    answers = [api.post(f"subscribers/{jose.pk}/verify", guess).status_code for guess in guesses]

    refused = api.post(f"subscribers/{jose.number}/verify", FACTS)

    assert answers == [200] * 5
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 180
    assert verified(api.post(f"subscribers/{other.pk}/verify", FACTS)) is False


def test_another_credential_does_not_get_round_the_limit(jose, api, api_as):
    for _ in range(5):
        api.post(f"subscribers/{jose.pk}/verify", FACTS)

    response = api_as(Role.SUPPORT).post(f"subscribers/{jose.pk}/verify", FACTS)

    assert response.status_code == 429


@pytest.mark.parametrize("spelling", ["José Álvarez", "JOSE ALVAREZ", " jose alvarez "])
def test_attempts_to_resolve_one_name_are_limited(spelling, jose, api):
    for n in range(5):
        api.post("subscribers/resolve", FACTS | {"address": f"{n} Some Street"})

    assert api.post("subscribers/resolve", FACTS | {"name": spelling}).status_code == 429


def test_attempts_of_one_credential_are_limited(acting, api, api_as):
    for n in range(30):
        body = FACTS | {"name": f"Name {n}", "address": f"{n} Street"}
        assert api.post("subscribers/resolve", body).status_code == 200

    body = FACTS | {"name": "Another", "address": "Elsewhere"}
    assert api.post("subscribers/resolve", body).status_code == 429
    assert api_as(Role.SUPPORT).post("subscribers/resolve", body).status_code == 200


def test_costs_the_same_for_one_namesake_or_many(jose, api, query_count):
    api.post("subscribers/resolve", FACTS)
    one = query_count(api.post, "subscribers/resolve", FACTS)
    for _ in range(4):
        make_customer()

    assert query_count(api.post, "subscribers/resolve", FACTS) == one
