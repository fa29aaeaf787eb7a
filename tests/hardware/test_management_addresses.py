"""Management addresses of ONUs: given, returned with the unit, and never kept past a release."""

from typing import Any

import pytest

from hardware import services, tasks
from hardware.models import Onu, OnuStatus, ProvisioningJob
from hardware.services import management, outcomes
from ipam.models import Address, AddressState, PastAssignment, Pool
from ipam.services import allocation, release
from ispcore.errors import DomainError
from tests.factories import OnuFactory
from tests.ipam.space import NOW, make_pool

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(acting) -> Pool:
    return make_pool("10.9.0.0/24", "10.9.0.10", "10.9.0.19", name="management", purpose="management")


def give(onu: Onu, pool: Pool, **fields: Any) -> Address:
    return management.give_management_address(onu_id=onu.pk, pool_id=pool.pk, at=NOW, **fields)


def test_an_onu_gets_one_and_keeps_it(pool):
    onu = OnuFactory(serial="HWTC00000001", olt__name="Central")

    first, again = give(onu, pool), give(onu, pool)

    onu.refresh_from_db()
    assert (first.address, again) == ("10.9.0.10", first)
    assert onu.management_address == first
    assert Address.objects.get(pk=first.pk).assigned_to == "ONU HWTC00000001 at Central"


def test_a_named_one_is_given(pool):
    onu = OnuFactory()

    assert give(onu, pool, address="10.9.0.15").address == "10.9.0.15"


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("other purpose", "not_for_management"),
        ("no pool", "not_found"),
        ("removed", "onu_taken_out"),
        ("has another", "onu_has_management_address"),
        ("no unit", "not_found"),
    ],
)
def test_what_cannot_be_is_refused(case, code, pool):
    onu = OnuFactory(status=OnuStatus.REMOVED if case == "removed" else OnuStatus.ONLINE)
    fields: dict[str, Any] = {"onu_id": onu.pk, "pool_id": pool.pk, "at": NOW}
    if case == "other purpose":
        fields["pool_id"] = make_pool().pk
    elif case == "no pool":
        fields["pool_id"] = onu.pk
    elif case == "no unit":
        fields["onu_id"] = pool.pk
    elif case == "has another":
        give(onu, pool)
        fields["address"] = "10.9.0.19"
    before = Address.objects.filter(state=AddressState.ASSIGNED).count()

    with pytest.raises(DomainError) as refusal:
        management.give_management_address(**fields)

    assert refusal.value.code == code
    assert Address.objects.filter(state=AddressState.ASSIGNED).count() == before


def test_it_is_given_back_to_rest(pool):
    onu = OnuFactory()
    address = give(onu, pool)

    gone = management.return_management_address(onu_id=onu.pk, at=NOW, reason="ONU removed")
    again = management.return_management_address(onu_id=onu.pk, at=NOW)

    onu.refresh_from_db()
    assert gone is not None
    assert (gone.pk, gone.state, again) == (address.pk, AddressState.QUARANTINED, None)
    assert onu.management_address is None
    assert PastAssignment.objects.get().reason == "ONU removed"


def test_it_goes_back_with_the_unit_that_is_removed(pool):
    onu = OnuFactory()
    address = give(onu, pool)
    change = ProvisioningJob.objects.create(
        action="unauthorize", olt=onu.olt, onu=onu, serial=onu.serial, pon_port="0/1/0"
    )

    outcomes.succeed(change, at=NOW)

    onu.refresh_from_db()
    address.refresh_from_db()
    assert (onu.status, onu.management_address) == (OnuStatus.REMOVED, None)
    assert address.state == AddressState.QUARANTINED


def test_with_an_olt_go_the_addresses_of_its_units(pool):
    onu = OnuFactory(status=OnuStatus.REMOVED)
    address = allocation.allocate(at=NOW, pool_id=pool.pk, assigned_to=management.holder_name(onu)).address
    Onu.objects.update(management_address=address)

    services.remove_olt(olt_id=onu.olt_id, at=NOW)

    address.refresh_from_db()
    assert address.state == AddressState.QUARANTINED


def test_one_released_past_its_onu_is_forgotten(pool, acting):
    onu, kept = OnuFactory(), OnuFactory()
    address, other = give(onu, pool), give(kept, pool)
    release.release(at=NOW, address_id=address.pk)

    for each in (address, other):
        tasks.forget_management_address(tenant_id=str(acting.pk), address_id=str(each.pk), subscription_id="")

    onu.refresh_from_db()
    kept.refresh_from_db()
    assert (onu.management_address, kept.management_address) == (None, other)


def test_over_http(pool, api):
    onu = OnuFactory()
    path = f"hardware/onus/{onu.pk}/management-address"

    given = api.post(path, {"pool_id": str(pool.pk)})
    wrong = api.post(path, {"pool_id": str(make_pool().pk)})
    returned = api.delete(path)

    address = Address.objects.get(address="10.9.0.10")
    assert (given.status_code, given.json()["data"]["management_address_id"]) == (200, str(address.pk))
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "not_for_management")
    assert returned.status_code == 204
    assert api.get(f"hardware/onus/{onu.pk}").json()["data"]["management_address_id"] is None
    assert address.state == AddressState.QUARANTINED
