"""The outbox: an event is a row of the transaction that made it, and is told at least once."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from ispcore import redis, wiring
from ispcore.events import services
from ispcore.events.models import Event
from ispcore.events.services import outbox
from ispcore.events.tasks import relay, relay_rest
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant

NAME = "hardware.discovery_finished"


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tasks are told; their queue has no worker here, so the messages can be counted."""
    monkeypatch.setitem(wiring.HANDLERS, NAME, ("tests.first", "tests.second"))


def messages(task: str) -> list[dict[str, Any]]:
    """The keyword arguments of every message for `task` that lies in the broker."""
    found = []
    for raw in redis.client().lrange("celery:default", 0, -1):
        message = json.loads(raw)
        if message["headers"]["task"] == task:
            found.append(json.loads(message["headers"]["kwargsrepr"].replace("'", '"')))
    return found


def crash_after(act: Callable[..., object], *args: str, **kwargs: str) -> None:
    act(*args, **kwargs)
    raise ZeroDivisionError


@pytest.mark.django_db
def test_an_event_nobody_wired_is_a_mistake(acting: Tenant) -> None:
    with pytest.raises(KeyError):
        services.publish("nobody.knows_this")

    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_change_is_no_event(tenant: Tenant) -> None:
    with pytest.raises(ZeroDivisionError), tenant_context(tenant.pk):
        crash_after(services.publish, NAME, olt_id="x")

    with tenant_context(tenant.pk):
        assert not Event.objects.exists()


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
@pytest.mark.usefixtures("handlers")
class TestRelay:
    def test_tells_every_handler_once_with_tenant_and_ids(self, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            services.publish(NAME, olt_id="x")

        assert (relay(), relay()) == (1, 0)

        told = {"tenant_id": str(tenant.pk), "olt_id": "x"}
        assert messages("tests.first") == [told]
        assert messages("tests.second") == [told]

    def test_goes_through_all_tenants(self, tenant: Tenant, other_tenant: Tenant) -> None:
        for each in (tenant, other_tenant):
            with tenant_context(each.pk):
                services.publish(NAME, olt_id="x")

        relay()

        assert {told["tenant_id"] for told in messages("tests.first")} == {
            str(tenant.pk),
            str(other_tenant.pk),
        }

    def test_what_is_more_than_a_batch_and_has_no_handler_is_told_at_once(
        self, tenant: Tenant, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(wiring.HANDLERS, NAME, ())
        with tenant_context(tenant.pk):
            services.publish_each(NAME, [{"olt_id": "x"}] * (services.BATCH + 1))
        with tenant_context(other_tenant.pk):
            services.publish(NAME, olt_id="y")

        assert (relay(), relay()) == (services.BATCH + 2, 0)

    def test_many_messages_go_in_parts_and_others_come_between(
        self, tenant: Tenant, other_tenant: Tenant
    ) -> None:
        part = outbox.MOST_MESSAGES // 2  # Each event has two handlers.
        with tenant_context(tenant.pk):
            services.publish_each(NAME, [{"olt_id": str(number)} for number in range(part + 1)])
        with tenant_context(other_tenant.pk):
            services.publish(NAME, olt_id="y")

        assert (relay(), relay()) == (part + 1, 0)
        (rest,) = messages("ispcore.events.tasks.relay_rest")
        assert rest == {"tenant_id": str(tenant.pk), "queues": ["default"]}
        assert relay_rest(**rest) == 0  # Nobody has taken what was sent.
        redis.client().delete("celery:default")
        assert relay_rest(**rest) == 1

        assert [told["olt_id"] for told in messages("tests.first")] == [str(part)]
        with tenant_context(tenant.pk):
            services.publish(NAME, olt_id="later")
        assert relay() == 1

    def test_a_word_to_go_on_that_was_lost_is_not_waited_for_for_ever(self, tenant: Tenant) -> None:
        part = outbox.MOST_MESSAGES // 2
        with tenant_context(tenant.pk):
            services.publish_each(NAME, [{"olt_id": "x"}] * (part + 1))
        relay()

        assert 0 < redis.client().ttl(outbox.PAUSED.format(tenant.pk)) <= outbox.PAUSED_SECONDS
        redis.client().flushdb()
        assert relay() == 1

    def test_a_crash_between_sending_and_committing_tells_twice_and_never_not(self, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            services.publish(NAME, olt_id="x")

        with pytest.raises(ZeroDivisionError), tenant_context(tenant.pk), transaction.atomic():
            crash_after(services.relay_tenant)
        relay()

        assert len(messages("tests.first")) == 2

    def test_an_event_is_told_in_the_order_it_was_made(self, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            for number in range(5):
                services.publish(NAME, olt_id=str(number))

        relay()

        # The broker's list is read from its other end.
        assert [told["olt_id"] for told in reversed(messages("tests.first"))] == list("01234")

    def test_a_relay_that_was_called_and_has_not_begun_is_not_called_again(self, tenant: Tenant) -> None:
        for _ in range(3):
            with tenant_context(tenant.pk):
                services.publish(NAME, olt_id="x")

        assert len(messages("ispcore.events.tasks.relay")) == 1

    def test_a_relay_that_has_begun_is_called_again(self, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            services.publish(NAME, olt_id="x")
        relay()

        with tenant_context(tenant.pk):
            services.publish(NAME, olt_id="y")

        assert len(messages("ispcore.events.tasks.relay")) == 2
