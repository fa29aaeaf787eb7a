"""Webhooks by the API: set up, changed, tested, what they missed sent again, and removed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from ispcore.admin.history import history_model
from ispcore.events.models import Event, WebhookDelivery, WebhookEndpoint
from ispcore.events.services import deliveries, endpoints, keeping
from ispcore.tenants.context import tenant_context
from tests.client import Api
from tests.events.hooked import happen, hook, later, numbers, relay, rows, send
from tests.events.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db(databases=["default", "platform"], transaction=True)
URL = "https://hooks.example/in"


@pytest.fixture
def api(admin_user: Any) -> Api:
    return Api(admin_user)


@pytest.fixture
def there(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with receiver() as state:
        yield state


def moment(**ago: float) -> str:
    return (timezone.now() - timedelta(**ago)).isoformat().replace("+00:00", "Z")


def test_the_secret_is_shown_once_and_stored_sealed(api, tenant):
    made = api.post("webhooks", {"url": URL, "event_types": ["billing.*"]}, X_Idempotency_Key="once")

    data = made.json()["data"]
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    assert data["secret"].startswith("whsec_")
    shown = api.get(f"webhooks/{data['id']}").json()["data"]
    assert "secret" not in shown
    assert (shown["is_enabled"], shown["disabled_reason"], shown["event_types"]) == (True, "", ["billing.*"])
    with tenant_context(tenant.pk):
        assert WebhookEndpoint.objects.get().secret.reveal() == data["secret"]
        with connection.cursor() as cursor:
            for table in ("events_webhookendpoint", "events_webhookendpointhistory", "api_idempotentanswer"):
                cursor.execute(
                    f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{data['secret'][6:]}%"]
                )
                assert cursor.fetchone() == (0,)


def test_a_repeat_makes_no_second_webhook(api, tenant):
    first = api.post("webhooks", {"url": URL}, Idempotency_Key="k")
    again = api.post("webhooks", {"url": URL}, Idempotency_Key="k")

    pk = first.json()["data"]["id"]
    assert first["ETag"] == api.get(f"webhooks/{pk}")["ETag"]
    assert (again.status_code, again.json()["error"]["code"]) == (409, "secret_shown_once")
    assert "whsec_" not in again.content.decode()
    with tenant_context(tenant.pk):
        assert WebhookEndpoint.objects.count() == 1


def test_a_repeat_rotates_no_second_time(api, tenant):
    made = api.post("webhooks", {"url": URL}).json()["data"]
    path = f"webhooks/{made['id']}/rotate-secret"

    first = api.post(path, {}, Idempotency_Key="k")
    again = api.post(path, {}, Idempotency_Key="k")

    assert first["ETag"] == api.get(f"webhooks/{made['id']}")["ETag"]
    assert (again.status_code, again.json()["error"]["code"]) == (409, "secret_shown_once")
    with tenant_context(tenant.pk):
        stored = WebhookEndpoint.objects.get()
    assert stored.secret.reveal() == first.json()["data"]["secret"]
    assert stored.previous_secret.reveal() == made["secret"]


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({}, 400, "url"),
        ({"url": "https://10.0.0.1/"}, 422, "url"),
        ({"url": "http://hooks.example/"}, 422, "url"),
        ({"url": "https://localhost/"}, 422, "url"),
        ({"url": URL, "event_types": ["billing.nothing"]}, 422, "event_types"),
        ({"url": URL, "event_types": "billing.*"}, 422, "event_types"),
        ({"url": URL, "secret": "whsec_mine"}, 422, "secret"),
    ],
)
def test_what_is_no_webhook_is_refused(api, tenant, given, status, field):
    answer = api.post("webhooks", given)

    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)
    with tenant_context(tenant.pk):
        assert not WebhookEndpoint.objects.exists()


def test_there_is_an_end_to_how_many(api, tenant, monkeypatch):
    monkeypatch.setattr(endpoints, "MOST_WEBHOOKS", 1)
    api.post("webhooks", {"url": URL})

    answer = api.post("webhooks", {"url": URL})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "too_many_webhooks")


def test_changed_and_switched_off_and_on(api, tenant):
    pk = api.post("webhooks", {"url": URL}).json()["data"]["id"]

    off = api.patch(f"webhooks/{pk}", {"is_enabled": False, "description": "Stock"}).json()["data"]
    refused = api.patch(f"webhooks/{pk}", {"url": "https://[::1]/"})
    test = api.post(f"webhooks/{pk}/test", {})
    on = api.patch(f"webhooks/{pk}", {"is_enabled": True}).json()["data"]

    assert (off["is_enabled"], off["disabled_reason"], off["description"]) == (False, "by_hand", "Stock")
    assert refused.status_code == 422
    assert (test.status_code, test.json()["error"]["code"]) == (409, "webhook_disabled")
    assert (on["is_enabled"], on["disabled_at"], on["disabled_reason"], on["url"]) == (True, None, "", URL)


def test_rotated(api, tenant):
    data = api.post("webhooks", {"url": URL}).json()["data"]

    rotated = api.post(f"webhooks/{data['id']}/rotate-secret", {})

    fresh = rotated.json()["data"]
    assert (rotated.status_code, rotated["Cache-Control"]) == (200, "no-store")
    assert fresh["secret"] != data["secret"]
    with tenant_context(tenant.pk):
        stored = WebhookEndpoint.objects.get()
    assert (stored.secret.reveal(), stored.previous_secret.reveal()) == (fresh["secret"], data["secret"])
    assert fresh["previous_secret_until"] is not None


def test_a_test_goes_to_this_one_and_its_delivery_tells(api, tenant, there):
    webhook = hook(tenant, there, event_types=["billing.*"])
    api.post("webhooks", {"url": URL})

    made = api.post(f"webhooks/{webhook.pk}/test", {}).json()["data"]
    relay(tenant)
    send(tenant, webhook)

    assert there.types == ["platform.webhook_tested"]
    shown = api.get(f"webhook-deliveries/{made['id']}").json()["data"]
    assert (shown["status"], shown["response_status"], shown["event_type"]) == (
        "delivered", 204, "platform.webhook_tested",
    )  # fmt: skip
    assert [each["response_status"] for each in shown["log"]] == [204]
    listed = api.get(f"webhooks/{webhook.pk}/deliveries").json()["data"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert [row.endpoint_id for row in rows(tenant)] == [webhook.pk]


def test_a_delivery_is_replayed_with_the_id_it_had(api, tenant, there):
    webhook = hook(tenant, there)
    happen(tenant, 1)
    send(tenant, webhook)
    (first,) = rows(tenant)

    made = api.post(f"webhook-deliveries/{first.pk}/replay", {}).json()["data"]
    twice = api.post(f"webhook-deliveries/{first.pk}/replay", {}).json()["data"]
    send(tenant, webhook)

    assert (made["is_replay"], made["event_id"], twice["id"]) == (True, str(first.event_id), made["id"])
    assert [each["id"] for each in there.taken] == [str(first.event_id)] * 2


def test_one_that_waits_is_tried_now_instead(api, tenant, there):
    webhook, there.answers = hook(tenant, there), [500]
    happen(tenant, 1)
    send(tenant, webhook)
    (first,) = rows(tenant)

    answer = api.post(f"webhook-deliveries/{first.pk}/replay", {}).json()["data"]
    send(tenant, webhook)

    assert answer["id"] == str(first.pk)
    assert [(row.status, row.attempts) for row in rows(tenant)] == [("delivered", 2)]


def test_a_time_is_replayed_in_order(api, tenant, there):
    webhook = hook(tenant, there, event_types=["hardware.*"])
    happen(tenant, 1, 2)
    happen(tenant, 9, name="billing.run_issued")
    send(tenant, webhook)

    answers = [
        api.post(f"webhooks/{webhook.pk}/replay", {"since": moment(hours=1)}).json()["data"] for _ in range(2)
    ]
    nothing = api.post(f"webhooks/{webhook.pk}/replay", {"since": moment(hours=2), "until": moment(hours=1)})
    send(tenant, webhook)

    assert answers == [{"replayed": 2}, {"replayed": 0}]
    assert nothing.json()["data"] == {"replayed": 0}
    assert numbers(there) == [1, 2, 1, 2]


def test_only_what_was_missed_while_it_was_off(api, tenant, there):
    webhook = hook(tenant, there)
    happen(tenant, 1)
    send(tenant, webhook)
    api.patch(f"webhooks/{webhook.pk}", {"is_enabled": False})
    happen(tenant, 2, 3)
    refused = api.post(f"webhooks/{webhook.pk}/replay", {"since": moment(hours=1)})
    api.patch(f"webhooks/{webhook.pk}", {"is_enabled": True})

    made = api.post(f"webhooks/{webhook.pk}/replay", {"since": moment(hours=1), "only_missed": True})
    send(tenant, webhook)

    assert refused.json()["error"]["code"] == "webhook_disabled"
    assert made.json()["data"] == {"replayed": 2}
    assert numbers(there) == [1, 2, 3]


def test_ids_are_replayed_and_another_tenants_are_not(api, tenant, other_tenant, there):
    webhook = hook(tenant, there, event_types=["billing.*"])
    happen(tenant, 1)
    happen(other_tenant, 2)
    with tenant_context(tenant.pk):
        ours = str(Event.objects.get().pk)
    with tenant_context(other_tenant.pk):
        theirs = str(Event.objects.get().pk)

    made = api.post(f"webhooks/{webhook.pk}/replay", {"event_ids": [ours, ours]})
    refused = api.post(f"webhooks/{webhook.pk}/replay", {"event_ids": [ours, theirs]})
    send(tenant, webhook)

    assert made.json()["data"] == {"replayed": 1}
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    assert numbers(there) == [1]


@pytest.mark.parametrize(
    "given", [{}, {"since": "2026-01-01T00:00:00Z", "event_ids": ["x"]}, {"event_ids": []}]
)
def test_a_replay_says_what(api, tenant, there, given):
    webhook = hook(tenant, there)

    assert api.post(f"webhooks/{webhook.pk}/replay", given).status_code == 422


def test_too_long_a_time_is_refused(api, tenant, there, monkeypatch):
    monkeypatch.setattr(deliveries, "MOST_REPLAYED", 1)
    webhook = hook(tenant, there, event_types=["aaa.*"])
    happen(tenant, 1, 2, name="aaa.account_changed")
    with tenant_context(tenant.pk):
        WebhookDelivery.objects.all().delete()

    answer = api.post(f"webhooks/{webhook.pk}/replay", {"since": moment(hours=1)})

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "too_many_events")
    assert rows(tenant) == []


def test_removed_with_its_log(api, tenant, there):
    webhook = hook(tenant, there)
    happen(tenant, 1)

    assert api.delete(f"webhooks/{webhook.pk}").status_code == 204

    assert rows(tenant) == []
    assert send(tenant, webhook) == 0
    assert api.get(f"webhooks/{webhook.pk}").status_code == 404


def test_the_log_is_narrowed(api, tenant, there):
    webhook, there.answers = hook(tenant, there), [500]
    happen(tenant, 1, 2)
    send(tenant, webhook)

    def listed(query: str) -> int:
        return len(api.get(f"webhook-deliveries?{query}").json()["data"])

    assert [listed(f"webhook_id={webhook.pk}"), listed("status=waiting"), listed("status=delivered")] == [
        2,
        1,
        1,
    ]
    assert [listed("event_type=hardware.*"), listed("event_type=billing.*"), listed("is_replay=true")] == [
        2,
        0,
        0,
    ]


def test_lists_cost_the_same_for_one_or_six(api, tenant, there, query_count):
    hook(tenant, there)
    happen(tenant, 1)
    one = [query_count(api.get, path) for path in ("webhooks", "webhook-deliveries")]
    for _ in range(5):
        hook(tenant, there)
    happen(tenant, *range(5))

    assert [query_count(api.get, path) for path in ("webhooks", "webhook-deliveries")] == one


def test_a_change_is_in_the_history_and_a_message_is_not(api, tenant, there):
    webhook = hook(tenant, there)
    happen(tenant, 1)
    send(tenant, webhook)
    api.patch(f"webhooks/{webhook.pk}", {"description": "Stock"})

    with tenant_context(tenant.pk):
        entries = history_model(WebhookEndpoint).objects.filter(pgh_obj=webhook.pk).order_by("pgh_id")
        labels = list(entries.values_list("pgh_label", flat=True))
    assert labels == ["created", "changed"]


def test_the_log_is_kept_for_thirty_days(api, tenant, there):
    hook(tenant, there)
    happen(tenant, 1)

    with tenant_context(tenant.pk):
        assert keeping.forget_deliveries(at=later(timedelta(days=29))) == 0
        assert keeping.forget_deliveries(at=later(timedelta(days=31))) == 1
        assert keeping.forget_events(at=later(timedelta(days=91))) == 1


def test_who_has_something_to_send_is_found(tenant, other_tenant, there):
    webhook = hook(tenant, there)
    hook(other_tenant, there)
    assert deliveries.find_due() == []

    happen(tenant, 1)

    assert deliveries.find_due() == [(tenant.pk, webhook.pk)]
    with tenant_context(tenant.pk):
        WebhookEndpoint.objects.update(resting_until=later(timedelta(minutes=1)))
    assert deliveries.find_due() == []
