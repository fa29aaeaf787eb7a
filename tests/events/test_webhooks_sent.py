"""Sending to a real HTTP server: signed, in order, again after a failure, and not for ever."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from ispcore import outbound
from ispcore.events.models import Event, WebhookDelivery, WebhookEndpoint
from ispcore.events.services import endpoints, sending
from ispcore.events.services.sending import LADDER, Message, next_attempt, signed
from ispcore.events.tasks import relay as relay_all
from ispcore.events.tasks import tell_disabled
from ispcore.tenants.context import tenant_context
from ispcore.tenants.fields import new_id
from tests.events.hooked import again, happen, hook, later, numbers, rows, send
from tests.events.receiver import Receiver, make_certificate, receiver

pytestmark = pytest.mark.django_db(databases=["default", "platform"], transaction=True)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def there(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with receiver() as state:
        yield state


def test_what_happens_is_posted_signed_with_its_ids(tenant, there):
    webhook = hook(tenant, there, event_types=["hardware.*"])
    happen(tenant, 1)

    assert send(tenant, webhook) == 1

    with tenant_context(tenant.pk):
        event = Event.objects.get()
    at = event.created_at.isoformat().replace("+00:00", "Z")
    data = {"olt_id": "1", "run_id": "r"}
    assert there.taken == [
        {"id": str(event.pk), "type": "hardware.discovery_finished", "timestamp": at, "data": data}
    ]
    (row,) = rows(tenant)
    assert (row.status, row.attempts, row.response_status, row.answer) == ("delivered", 1, 204, "")
    assert [each["response_status"] for each in row.log] == [204]
    assert again(tenant, webhook).last_delivered_at == row.delivered_at


def test_only_what_is_wanted_is_told(tenant, other_tenant, there):
    hook(tenant, there, event_types=["billing.*", "support.ticket_opened"])
    happen(tenant, 1)
    happen(other_tenant, 2)
    assert rows(tenant) == []

    happen(tenant, 3, name="support.ticket_opened")
    happen(tenant, 4, name="support.ticket_closed")
    happen(tenant, 5, name="billing.run_issued")

    with tenant_context(tenant.pk):
        told = WebhookDelivery.objects.order_by("pk").values_list("event__name", flat=True)
        assert list(told) == ["support.ticket_opened", "billing.run_issued"]
    assert rows(other_tenant) == []


def test_messages_of_an_address_arrive_in_order_over_one_connection(tenant, there):
    webhook = hook(tenant, there)
    happen(tenant, *range(120))

    assert send(tenant, webhook) == 120

    assert numbers(there) == list(range(120))
    assert there.connections == 1


def test_a_kept_connection_that_was_closed_loses_nothing(tenant, there):
    there.hangs_up = True
    webhook = hook(tenant, there)
    happen(tenant, *range(5))

    assert send(tenant, webhook) == 5

    assert numbers(there) == list(range(5))
    assert {row.attempts for row in rows(tenant)} == {1}


def test_one_failure_holds_up_nobody_else_and_comes_again_by_the_ladder(tenant, there):
    webhook = hook(tenant, there)
    there.answers, there.body = [500], b"out of\r\npaper"
    happen(tenant, 1, 2, 3)

    send(tenant, webhook)
    assert numbers(there) == [2, 3]
    failed = rows(tenant)[0]
    wait = failed.next_attempt_at - datetime.fromisoformat(failed.log[0]["at"])
    assert timedelta(seconds=4.5) <= wait <= timedelta(seconds=5.5)
    assert (failed.status, failed.response_status, failed.answer) == ("waiting", 500, "out of paper")
    assert send(tenant, webhook) == 0

    send(tenant, webhook, after=timedelta(seconds=6))
    assert numbers(there) == [2, 3, 1]
    assert (rows(tenant)[0].status, rows(tenant)[0].attempts, len(rows(tenant)[0].log)) == ("delivered", 2, 2)


def wait_after(made_before: int, *, retry_after: str = "") -> timedelta:
    at = next_attempt(made_before, at=NOON, retry_after=retry_after)
    assert at is not None
    return at - NOON


@pytest.mark.parametrize("made_before", range(9))
def test_each_step_of_the_ladder_with_a_tenth_more_or_less(made_before):
    waits = [wait_after(made_before) for _ in range(50)]

    assert min(waits) >= LADDER[made_before] * 0.9
    assert max(waits) <= LADDER[made_before] * 1.1
    assert len(set(waits)) > 1


def test_the_ladder_is_that_of_standard_webhooks_and_ends():
    seconds = [step.total_seconds() for step in LADDER]

    assert seconds == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert next_attempt(9, at=NOON) is None


@pytest.mark.parametrize(
    ("asked", "least"),
    [
        ("3600", timedelta(hours=1)),
        ("Sun, 01 Mar 2026 14:00:00 GMT", timedelta(hours=2)),
        ("999999999", timedelta(hours=24)),
        ("soon", timedelta(seconds=4)),
        ("-1", timedelta(seconds=4)),
        ("\u0661", timedelta(seconds=4)),
        ("Sun, 01 Mar 2020 14:00:00 GMT", timedelta(seconds=4)),
    ],
)
def test_a_receiver_may_ask_for_more_time(asked, least):
    wait = wait_after(0, retry_after=asked)

    assert least <= wait <= max(least, timedelta(seconds=6))


def test_ten_attempts_and_no_more(tenant, there):
    webhook, there.answer = hook(tenant, there), 500
    happen(tenant, 1)
    with tenant_context(tenant.pk):
        WebhookDelivery.objects.update(attempts=9)

    send(tenant, webhook)

    (row,) = rows(tenant)
    assert (row.status, row.next_attempt_at, row.attempts) == ("failed", None, 10)


@pytest.mark.parametrize("answer", [301, 302, 307, 308])
def test_where_it_leads_elsewhere_is_a_failure_and_not_followed(tenant, there, answer):
    with receiver() as neighbour:
        webhook, there.answer, there.headers = hook(tenant, there), answer, {"Location": neighbour.url}
        happen(tenant, 1)
        send(tenant, webhook)

        assert neighbour.asked == []
    assert rows(tenant)[0].status == "waiting"


def test_gone_switches_it_off_at_once_and_says_so(tenant, admin_user, there):
    webhook, there.answer = hook(tenant, there, description="Accounting"), 410
    happen(tenant, 1, 2)

    assert send(tenant, webhook) == 1

    off = again(tenant, webhook)
    assert (off.is_enabled, off.disabled_reason) == (False, "gone")
    assert send(tenant, webhook, after=timedelta(days=1)) == 0
    assert [row.status for row in rows(tenant)] == ["waiting", "waiting"]
    with tenant_context(tenant.pk):
        assert Event.objects.filter(name="platform.webhook_disabled").count() == 1
    tell_disabled(tenant_id=str(tenant.pk), webhook_id=str(webhook.pk))
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == ([admin_user.email], "Webhook switched off: Accounting")
    assert "410 Gone" in letter.body
    assert f"/admin/events/webhookendpoint/{webhook.pk}/change/" in letter.body


def test_five_days_of_failures_switch_it_off_and_on_again_loses_nothing(tenant, admin_user, there):
    webhook, there.answer = hook(tenant, there), 500
    happen(tenant, 1, 2)
    send(tenant, webhook)
    since = again(tenant, webhook).failing_since

    send(tenant, webhook, after=timedelta(days=4, hours=23))
    assert (again(tenant, webhook).is_enabled, again(tenant, webhook).failing_since) == (True, since)
    send(tenant, webhook, after=timedelta(days=5, hours=6))

    off = again(tenant, webhook)
    assert (off.is_enabled, off.disabled_reason, off.failing_since) == (False, "failing", since)
    tell_disabled(tenant_id=str(tenant.pk), webhook_id=str(webhook.pk))
    assert "five days" in mail.outbox[0].body
    there.answer = 200
    with tenant_context(tenant.pk):
        endpoints.change_webhook(endpoint_id=webhook.pk, at=timezone.now(), is_enabled=True)
        # A receiver takes a signature of these minutes only.
        WebhookDelivery.objects.update(next_attempt_at=timezone.now())
    send(tenant, webhook)
    assert sorted(numbers(there)) == [1, 2]
    assert again(tenant, webhook).failing_since is None


def test_a_success_in_between_begins_the_five_days_anew(tenant, there):
    webhook, there.answers = hook(tenant, there), [500, 500, 204]
    happen(tenant, 1, 2, 3)

    send(tenant, webhook)

    assert again(tenant, webhook).failing_since is None


def test_who_does_not_answer_is_asked_once_and_rests(tenant, there, monkeypatch):
    monkeypatch.setattr(sending, "TIMEOUT_SECONDS", 0.3)
    webhook, there.seconds = hook(tenant, there), 2.0
    happen(tenant, 1, 2, 3)

    assert send(tenant, webhook) == 1
    assert send(tenant, webhook, after=timedelta(seconds=3)) == 0

    first, *others = rows(tenant)
    assert (first.attempts, first.response_status, first.answer[:16]) == (1, None, "No answer came: ")
    assert first.duration_ms < 2000
    assert {row.attempts for row in others} == {0}
    there.seconds = 0.0
    assert send(tenant, webhook, after=timedelta(seconds=7)) == 3
    assert [each.status for each in rows(tenant)] == ["delivered"] * 3


def test_who_answers_a_byte_at_a_time_holds_nobody_up(tenant, there, monkeypatch):
    monkeypatch.setattr(sending, "TIMEOUT_SECONDS", 0.3)
    webhook, there.drips = hook(tenant, there), True
    happen(tenant, 1)

    send(tenant, webhook)

    (row,) = rows(tenant)
    assert (row.status, row.response_status) == ("waiting", None)
    assert row.duration_ms < 2000


def test_an_endless_answer_is_read_in_part(tenant, there):
    webhook, there.answer, there.body = hook(tenant, there), 200, b"x" * 5_000_000
    happen(tenant, 1)

    send(tenant, webhook)

    (row,) = rows(tenant)
    assert (row.status, row.answer) == ("delivered", "x" * 500)


def test_nobody_at_the_address(tenant, settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with receiver() as gone:
        webhook = hook(tenant, gone)
    happen(tenant, 1)

    assert send(tenant, webhook) == 1

    (row,) = rows(tenant)
    assert (row.status, row.response_status) == ("waiting", None)
    assert row.answer.startswith("Nothing was sent: ")


def test_an_address_that_may_not_be_sent_to_any_more_is_not(tenant, there, settings):
    webhook = hook(tenant, there)
    happen(tenant, 1)
    settings.WEBHOOK_NETWORKS = []

    assert send(tenant, webhook) == 1

    assert there.asked == []
    assert "private or reserved network" in rows(tenant)[0].answer


def test_by_tls_with_a_certificate_that_is_good_for_the_address_only(tenant, settings, tmp_path, monkeypatch):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    good, wrong = make_certificate(tmp_path), make_certificate(tmp_path, address="127.0.0.9")
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    outbound.tls_context.cache_clear()
    try:
        with receiver(certificate=good) as there:
            webhook = hook(tenant, there)
            happen(tenant, 1)
            send(tenant, webhook)
            assert numbers(there) == [1]
        with receiver(certificate=wrong) as there:
            webhook = hook(tenant, there)
            happen(tenant, 2)
            send(tenant, webhook)
            assert there.asked == []
    finally:
        outbound.tls_context.cache_clear()
    with tenant_context(tenant.pk):
        last = WebhookDelivery.objects.get(endpoint=webhook)
    assert "CERTIFICATE_VERIFY_FAILED" in last.answer


def test_a_rotated_secret_signs_beside_the_old_one_for_a_day(tenant, there):
    webhook = hook(tenant, there)
    old = there.secret
    with tenant_context(tenant.pk):
        _, new = endpoints.rotate_secret(endpoint_id=webhook.pk, at=timezone.now())
    happen(tenant, 1)
    send(tenant, webhook)
    there.secret = new
    happen(tenant, 2)
    send(tenant, webhook)
    assert numbers(there) == [1, 2]
    assert [len(each.split(" ")) for each in there.signatures] == [2, 2]

    with tenant_context(tenant.pk):
        endpoints.forget_old_secrets(at=later(timedelta(hours=25)))
    there.secret = old
    happen(tenant, 3)
    send(tenant, webhook)
    assert numbers(there) == [1, 2]
    assert rows(tenant)[2].response_status == 401
    assert not again(tenant, webhook).previous_secret


def test_the_old_secret_does_not_sign_after_its_day(tenant, there):
    webhook = hook(tenant, there)
    with tenant_context(tenant.pk):
        _, there.secret = endpoints.rotate_secret(
            endpoint_id=webhook.pk, at=timezone.now() - timedelta(hours=25)
        )
    happen(tenant, 1)
    send(tenant, webhook)

    assert [len(each.split(" ")) for each in there.signatures] == [1]


def test_a_moment_in_another_zone_signs_as_what_it_is():
    secret = endpoints.new_secret()
    message = Message(new_id(), new_id(), b'{"type":"x"}', 0)
    here = timezone.now().astimezone(tz=datetime.strptime("+0530", "%z").tzinfo)

    assert Webhook(secret).verify(message.body, signed(message, [secret], at=here)) == {"type": "x"}
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoints.new_secret()).verify(message.body, signed(message, [secret], at=here))


def test_one_worker_at_a_time_sends_to_an_address(tenant, there):
    webhook = hook(tenant, there)
    happen(tenant, 1)
    with tenant_context(tenant.pk):
        WebhookEndpoint.objects.update(claim_token=new_id(), claimed_until=later(timedelta(minutes=1)))
    assert send(tenant, webhook) == 0

    with tenant_context(tenant.pk):
        WebhookEndpoint.objects.update(claimed_until=later(timedelta(minutes=-1)))
    assert send(tenant, webhook) == 1
    assert again(tenant, webhook).claim_token is None


def test_relays_of_one_tenant_do_not_tell_twice(tenant, there):
    hook(tenant, there)
    happen(tenant, 1, 2, 3)
    with tenant_context(tenant.pk):
        Event.objects.update(delivered_at=None)

    assert relay_all() == 3

    assert len(rows(tenant)) == 3
