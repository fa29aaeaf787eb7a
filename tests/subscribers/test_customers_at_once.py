"""Many callers at one moment: of those who claim the same, one is served."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from ispcore.tenants.context import tenant_context
from subscribers.models import Subscriber, SubscriberSettings, SubscriberWord

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 32


def all_at_once(api, bodies):
    """Post all bodies from as many threads, and count the answers."""
    gate = Barrier(len(bodies))

    def post(body):
        gate.wait()
        try:
            response = api.post("subscribers", body)
            error = response.json().get("error", {})
            return response.status_code, error.get("code"), error.get("field")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(bodies)) as pool:
        return Counter(pool.map(post, bodies))


def test_one_external_id_is_given_once(api, tenant):
    body = {"full_name": "Jane Doe", "status": "prospect", "external_id": "crm-1"}

    answers = all_at_once(api, [body] * AT_ONCE)

    assert answers == {
        (201, None, None): 1,
        (409, "duplicate_subscriber", "external_id"): AT_ONCE - 1,
    }
    with tenant_context(tenant.pk):
        assert [row.number for row in Subscriber.objects.all()] == ["SUB-000001"]
        assert SubscriberWord.objects.filter(word="jane").count() == 1


@pytest.mark.parametrize(
    ("rule", "value"),
    [("email", "jane@example.com"), ("phone", "+15550001234"), ("document", {"number": "A1"})],
)
def test_what_the_provider_keeps_apart_is_given_once(rule, value, api, tenant):
    with tenant_context(tenant.pk):
        SubscriberSettings.objects.create(duplicate_rules=[rule])
    bodies = [{"full_name": "Jane", "status": "active", rule: value} for _ in range(8)]

    answers = all_at_once(api, bodies)

    assert answers == {(201, None, None): 1, (409, "duplicate_subscriber", rule): 7}
    with tenant_context(tenant.pk):
        assert Subscriber.objects.count() == 1


def test_numbers_are_without_gaps(api, tenant):
    bodies = [{"full_name": f"Jane {n}", "status": "active"} for n in range(8)]

    assert all_at_once(api, bodies) == {(201, None, None): 8}

    with tenant_context(tenant.pk):
        numbers = Subscriber.objects.order_by("number").values_list("number", flat=True)
        assert list(numbers) == [f"SUB-{n:06d}" for n in range(1, 9)]
