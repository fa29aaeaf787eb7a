"""What live sessions tell the address book and the ping."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hardware.services import ping
from ipam.models import Vrf
from ipam.services.reconciliation import SeenAddress
from ipam.services.reconciliation.seen import seen_in_sessions
from ipam.services.space import default_vrf
from tests.aaa.online import make_account, make_nas, make_session
from tests.factories import SubscriptionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("acting")]


def test_a_ping_goes_to_the_address_of_the_newest_live_session():
    line = SubscriptionFactory()
    account, nas = make_account("jane", subscription=line), make_nas(None)
    ago = timezone.now() - timedelta(days=1)
    make_session(nas, account, "1", framed_ip="100.64.0.1", started_at=ago)
    make_session(nas, account, "2", framed_ip="100.64.0.2")
    make_session(nas, account, "3", framed_ip="100.64.0.3", stopped_at=timezone.now(), ended_by="stop")

    assert ping.address_of(line.pk) == "100.64.0.2"


def test_a_line_that_is_not_online_has_no_address():
    line = SubscriptionFactory()
    make_account("jane", subscription=line)

    assert ping.address_of(line.pk) is None


def test_sessions_are_seen_in_the_default_vrf_and_in_no_other():
    line = SubscriptionFactory()
    nas = make_nas(None)
    known = make_session(
        nas, make_account("jane", subscription=line), "1", delegated_prefix="2001:db8:1::/56"
    )
    unknown = make_session(nas, None, "2", framed_ip="100.64.0.77", username="stranger")

    seen = sorted(seen_in_sessions(default_vrf().pk), key=lambda each: each.address)

    assert seen == [
        SeenAddress("100.64.0.77", None, seen_as="stranger", seen_at=unknown.last_seen_at),
        SeenAddress("100.64.0.9", line.pk, seen_as="jane", seen_at=known.last_seen_at),
        SeenAddress("2001:db8:1::/56", line.pk, seen_as="jane", seen_at=known.last_seen_at),
    ]
    assert list(seen_in_sessions(Vrf.objects.create(name="management").pk)) == []
