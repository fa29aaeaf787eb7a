"""The demo's address book: every line has what its plan names, and loading it twice changes nothing."""

import pytest
from django.utils import timezone

from demo import addresses, customers
from ipam.models import Address, CgnatRule, Drift, PastAssignment, Pool, PoolUsage, Subnet, UsageSample, Vrf
from ipam.selectors import waiting_lines
from ipam.services import usage
from ispcore.tenants.models import Tenant
from subscribers.models import Subscription

BOOK = (Vrf, Subnet, Pool, Address, PastAssignment, UsageSample, CgnatRule, Drift)


@pytest.mark.django_db
def test_gives_every_line_its_address_once(acting: Tenant) -> None:
    at = timezone.now()
    customers.load(count=300, currency="EUR", at=at)

    addresses.load(at=at, whole=True)
    made = [model.objects.count() for model in BOOK]
    addresses.load(at=at, whole=True)

    assert [model.objects.count() for model in BOOK] == made
    assert not waiting_lines().exists()
    assert not Subscription.objects.filter(status="terminated", addresses__state="assigned").exists()
    assert {state for (state,) in Address.objects.values_list("state").distinct()} == {
        "free",
        "reserved",
        "assigned",
        "quarantined",
    }
    levels = dict(PoolUsage.objects.values_list("pool__name", "level"))
    assert levels[addresses.HOMES] == "warning"
    assert set(levels.values()) == {"ok", "warning"}
    homes = Pool.objects.get(name=addresses.HOMES)
    assert usage.runs_out_on(homes, at=at) is not None


@pytest.mark.django_db
def test_makes_a_small_book_for_a_small_provider(acting: Tenant) -> None:
    at = timezone.now()
    customers.load(count=12, currency="ZAR", at=at)

    addresses.load(at=at, whole=False)

    assert set(Pool.objects.values_list("name", flat=True)) == {addresses.BEHIND_CGNAT, addresses.PREFIXES}
    assert not waiting_lines().exists()
