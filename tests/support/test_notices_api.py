"""Notices over HTTP."""

import pytest

from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role
from support.models import Consent, MassMessage, NoticeTemplate
from support.services.notices import rules
from tests.support.noticing import NOON, cut, make_customer

pytestmark = pytest.mark.django_db


def code_of(response):
    return response.status_code, response.json()["error"]["code"]


def test_the_log_shows_what_was_written(api, acting, query_count):
    for number in range(6):
        customer = make_customer(email=f"c{number}@customer.example")
        cut(customer)
        rules.tell_suspension(subscriber_id=customer.pk, at=NOON)

    shown = api.get(f"support/notices?subscriber_id={customer.pk}").json()["data"]
    one, six = (query_count(api.get, f"support/notices?limit={limit}") for limit in (1, 6))

    assert [(each["kind"], each["channel"], each["status"], each["address"]) for each in shown] == [
        ("suspension", "email", "waiting", "c5@customer.example")
    ]
    assert one == six


def test_a_text_of_one_s_own_is_kept_changed_and_removed(api, acting):
    made = api.post(
        "support/notice-templates", {"kind": "outage", "subject": "Down", "body": "Since {since}"}
    )
    path = f"support/notice-templates/{made.json()['data']['id']}"
    changed = api.patch(path, {"body": "We know, since {since}"})
    again = api.post("support/notice-templates", {"kind": "outage", "subject": "Down", "body": "x"})
    wrong = api.patch(path, {"body": "{number}"})

    assert (made.status_code, made.json()["data"]["channel"]) == (201, "email")
    assert changed.json()["data"]["body"] == "We know, since {since}"
    assert code_of(again) == (409, "duplicate_notice_template")
    assert code_of(wrong) == (422, "validation_error")
    assert wrong.json()["error"]["field"] == "body"
    assert NoticeTemplate.objects.get().body == "We know, since {since}"
    assert api.delete(path).status_code == 204
    assert NoticeTemplate.objects.count() == 0


def test_the_last_word_on_consent_counts(api, acting):
    customer = make_customer()
    said = {"subscriber_id": str(customer.pk), "channel": "sms", "purpose": "marketing"}

    first = api.post("support/consents", said | {"is_given": True})
    second = api.post("support/consents", said | {"is_given": False})

    assert (first.status_code, second.status_code) == (201, 201)
    assert list(Consent.objects.values_list("is_given", flat=True)) == [False]


def test_a_message_to_many_is_drafted_counted_and_approved(api, acting):
    for number in range(2):
        make_customer(email=f"c{number}@customer.example")
    drafted = api.post(
        "support/mass-messages", {"name": "Works", "subject": "Works", "body": "Dear {customer}"}
    )
    path = f"support/mass-messages/{drafted.json()['data']['id']}"

    early = api.post(f"{path}/approve", {"count": 2})
    counted = api.post(f"{path}/count")
    wrong = api.post(f"{path}/approve", {"count": 3})
    approved = api.post(f"{path}/approve", {"count": 2})
    late = api.patch(path, {"body": "Other words"})

    assert drafted.status_code == 201
    assert code_of(early) == (409, "mass_message_not_counted")
    assert (counted.json()["data"]["state"], counted.json()["data"]["counted"]) == ("counted", 2)
    assert code_of(wrong) == (409, "mass_message_count_differs")
    assert approved.json()["data"]["state"] == "approved"
    assert code_of(late) == (409, "mass_message_fixed")
    assert list(Job.objects.values_list("kind", flat=True)) == ["support.write_mass_message"]
    assert api.post(f"{path}/cancel").json()["data"]["state"] == "cancelled"


def test_support_may_look_and_write_down_consent_and_not_send_to_many(api_as, tenant):
    api = api_as(Role.SUPPORT)
    with tenant_context(tenant.pk):
        customer = make_customer()

    sent = api.post("support/mass-messages", {"name": "Offer", "subject": "Offer", "body": "x"})
    said = api.post(
        "support/consents",
        {"subscriber_id": str(customer.pk), "channel": "email", "purpose": "service", "is_given": False},
    )

    assert code_of(sent) == (403, "permission_denied")
    assert said.status_code == 201
    assert api.get("support/notices").status_code == 200
    with tenant_context(tenant.pk):
        assert MassMessage.objects.count() == 0
