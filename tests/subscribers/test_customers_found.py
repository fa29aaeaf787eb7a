"""How a customer is found: filters, words, document, phone and service."""

from urllib.parse import quote

import pytest
from django.db import connection

from ispcore.tenants.context import current_tenant_id, tenant_context
from subscribers import selectors
from subscribers.models import Subscriber, SubscriberWord
from subscribers.services import customers
from tests.factories import BillingProfileFactory, SubscriberFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def jane(acting):
    return customers.create_subscriber(
        full_name="Jane Doe-Álvarez",
        status="active",
        external_id="crm-23991",
        email="Jane@Example.com",
        phone="+1 555 000 1234",
        address_line1="101 Fiber Street",
        city="Austin",
        document_number="V-12.345",
        billing_profile_id=BillingProfileFactory().pk,
        tags=["VIP", "fibre"],
    )


@pytest.fixture
def john(acting):
    return customers.create_subscriber(full_name="John Roe", email="john@example.com", phone="+351912345678")


def found(response) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["full_name"].split()[0] for row in response.json()["data"]]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["John", "Jane"]),
        ("status=active", ["Jane"]),
        ("status=inactive", []),
        ("external_id=crm-23991", ["Jane"]),
        ("external_id=crm-*", ["Jane"]),
        ("full_name=J*", ["John", "Jane"]),
        ("email=JANE@example.com", ["Jane"]),
        ("email=Jo*", ["John"]),
        ("phone=(555) 000-1234", ["Jane"]),
        ("phone=%2B351*", ["John"]),
        ("phone=nonsense", []),
        ("tag=vip", ["Jane"]),
        ("tag=VIP", ["Jane"]),
        ("tag=vi", []),
        ("city=Austin", ["Jane"]),
        ("created_at__gte=2000-01-01T00:00:00Z", ["John", "Jane"]),
        ("created_at__lte=2000-01-01T00:00:00Z", []),
        ("search=alvarez", ["Jane"]),
        ("search=--", []),
    ],
)
def test_filters(query, names, jane, john, api):
    assert found(api.get(f"subscribers?{quote(query, safe='=&%*')}")) == names


def test_filter_by_billing_profile(jane, john, api):
    assert found(api.get(f"subscribers?billing_profile_id={jane.billing_profile_id}")) == ["Jane"]


@pytest.mark.parametrize("query", ["status=hot", "billing_profile_id=bp_001", "created_at__gte=yesterday"])
def test_a_filter_that_makes_no_sense_is_refused(query, api):
    assert api.get(f"subscribers?{query}").status_code == 422


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("jane", ["Jane"]),
        ("J", ["John", "Jane"]),
        ("ALVAREZ ja", ["Jane"]),
        ("jane roe", []),
        ("ane", []),
        ("fiber 101", ["Jane"]),
        ("jane@example.com", ["Jane"]),
        ("example", ["John", "Jane"]),
        ("5550001", ["Jane"]),
        ("+1 (555) 000-1234", ["Jane"]),
        ("555 000 1234", ["Jane"]),
        ("912 345 678", ["John"]),
        ("SUB-000001", ["Jane"]),
        ("000002", ["John"]),
        ("v12345", ["Jane"]),
        ("crm-23991", ["Jane"]),
        ("%", []),
        ("...", []),
        ("a b c d e f g h i j k l m n o p", []),
    ],
)
def test_search(text, names, jane, john, api):
    assert found(api.get("subscribers/search", {"q": text})) == names


def test_tags_in_use_are_listed_once_and_forgotten_when_nobody_has_them(jane, john):
    customers.update_subscriber(subscriber_id=john.pk, tags=["vip", "Ärzte", "zz"])
    first = selectors.tags_in_use()

    customers.update_subscriber(subscriber_id=john.pk, tags=["x"])

    assert (first, selectors.tags_in_use()) == (["fibre", "vip", "zz", "ärzte"], ["fibre", "vip", "x"])


def test_a_tag_is_filtered_by_an_index(jane):
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO subscribers_subscriberword (id, tenant_id, subscriber_id, word, created_at, updated_at)
            SELECT uuidv7(), %s, %s, 'w' || n, now(), now() FROM generate_series(1, 2000) AS n
            """,
            [current_tenant_id(), jane.pk],
        )
        cursor.execute("ANALYZE subscribers_subscriberword")

    plan = customers.tagged(Subscriber.objects.all(), "VIP").explain()

    assert "subscriber_word_once" in plan


def test_a_tag_is_no_word_of_a_search(jane, api):
    assert found(api.get("subscribers/search", {"q": "vip"})) == []
    assert found(api.get("subscribers/search", {"q": "#vip"})) == []


def test_a_tag_that_grows_in_lower_case_is_kept(api, acting):
    made = api.post("subscribers", {"full_name": "Jane", "status": "active", "tags": ["İ" * 40]})

    assert (made.status_code, len(made.json()["data"]["tags"][0])) == (201, 40)


def test_search_pages_and_needs_a_question(jane, john, api):
    page = api.get("subscribers/search?q=j&page_size=1")

    assert found(page) == ["John"]
    pagination = page.json()["meta"]["pagination"]
    assert (pagination["total"], pagination["pages"]) == (2, 2)
    assert found(api.get("subscribers/search?q=j&page_size=1&page=2")) == ["Jane"]
    assert found(api.get("subscribers/search?q=j&cursor=&page_size=1")) == ["John"]
    assert api.get("subscribers/search").json()["error"]["field"] == "q"
    assert api.get(f"subscribers/search?q={'x' * 201}").status_code == 400
    assert api.get("subscribers/search?q=j&status=active").json()["error"]["code"] == "unknown_parameter"


def test_search_costs_the_same_for_one_or_many(jane, api, query_count):
    api.get("subscribers/search?q=jane")
    one = query_count(api.get, "subscribers/search?q=jane")
    for n in range(5):
        customers.create_subscriber(full_name=f"Jane {n}")

    assert query_count(api.get, "subscribers/search?q=jane") == one


def test_search_is_served_by_an_index(acting):
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO subscribers_subscriberword (id, tenant_id, subscriber_id, word, created_at, updated_at)
            SELECT uuidv7(), %s, %s, 'w' || n, now(), now() FROM generate_series(1, 20000) AS n
            """,
            [current_tenant_id(), SubscriberFactory().pk],
        )
        cursor.execute("ANALYZE subscribers_subscriberword")

    plan = SubscriberWord.objects.filter(word__prefix="w1999").explain()

    assert "subscriber_word_once" in plan
    assert "Seq Scan" not in plan


def test_nobody_finds_another_providers(api, other_tenant, tenant):
    with tenant_context(other_tenant.pk):
        customers.create_subscriber(full_name="Jane Theirs", phone="+15550001234", document_number="AB1")

    for path in ("subscribers/search?q=jane", "subscribers?search=jane", "subscribers?phone=5550001234"):
        assert found(api.get(path)) == []
    assert api.get("subscribers/by-phone/5550001234").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "by-document/V-12.345", "by-document/v12345", "by-phone/+15550001234", "by-phone/(555) 000-1234",
        "by-phone/555.000.1234", "SUB-000001",
    ],
)  # fmt: skip
def test_look_ups(path, jane, john, api):
    response = api.get(f"subscribers/{quote(path)}")

    assert (response.status_code, response.json()["data"]["id"]) == (200, str(jane.pk))


@pytest.mark.parametrize(
    "path",
    ["by-document/X1", "by-document/---", "by-phone/x", "by-phone/+15550009999", "by-service/0", "by-service/x",
     "by-service/99999999999999999999", "by-service/٣", "SUB-999999"],
)  # fmt: skip
def test_what_is_nobodys_is_404(path, jane, api):
    assert api.get(f"subscribers/{quote(path)}").status_code == 404


def test_by_service(jane, john, api):
    line = SubscriptionFactory(subscriber=jane)

    for reference in (line.pk, line.number):
        response = api.get(f"subscribers/by-service/{reference}")
        assert response.json()["data"]["number"] == jane.number


def test_of_several_the_newest_who_has_not_left(jane, api):
    second = customers.create_subscriber(full_name="Second", phone="+15550001234")
    third = customers.create_subscriber(full_name="Third", phone="+15550001234")
    Subscriber.objects.filter(pk=third.pk).update(status="inactive")

    assert api.get("subscribers/by-phone/5550001234").json()["data"]["id"] == str(second.pk)


def test_a_search_forgets_what_is_no_longer_so(jane, api):
    customers.update_subscriber(subscriber_id=jane.pk, full_name="Maria Roe")

    assert found(api.get("subscribers/search?q=alvarez")) == []
    assert found(api.get("subscribers/search?q=maria")) == ["Maria"]


@pytest.mark.parametrize(
    ("very_few", "few", "most_found"),
    [(500, 100_000, 5_000), (1, 2, 5_000), (0, 100_000, 5_000), (0, 2, 5_000), (0, 100_000, 1), (0, 0, 0)],
)
def test_search_finds_the_same_whichever_words_are_common(very_few, few, most_found, acting, monkeypatch):
    monkeypatch.setattr(customers, "VERY_FEW", very_few)
    monkeypatch.setattr(customers, "FEW", few)
    monkeypatch.setattr(customers, "MOST_FOUND", most_found)
    ana, maria, _ = (
        customers.create_subscriber(full_name=name) for name in ("Ana Silva", "Maria Silva", "Ana Costa")
    )

    def found(text: str) -> set:
        return set(customers.search_subscribers(Subscriber.objects.all(), text))

    assert found("silv") == {ana, maria}
    assert found("an silva") == {ana}
    assert found("silva zzz") == set()
    assert found("mar sil") == {maria}
