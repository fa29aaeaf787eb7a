"""Addresses over HTTP: the flow of an integrator, and what is refused."""

import pytest

from ipam.models import Address, Pool, Subnet
from ispcore.tenants.context import tenant_context
from tests.factories import SubscriptionFactory
from tests.ipam.space import make_pool, make_prefix_pool, subnet_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(tenant):
    with tenant_context(tenant.pk):
        return make_pool()


@pytest.fixture
def line(tenant):
    with tenant_context(tenant.pk):
        return SubscriptionFactory()


def test_the_story_of_an_address(api):
    vrf = api.post("ipam/vrfs", {"name": "access", "rd": "64500:1"}).json()["data"]
    subnet = api.post(
        "ipam/subnets", {"vrf_id": vrf["id"], "network": "203.0.113.0/29", "gateway": "203.0.113.1"}
    ).json()["data"]
    pool = api.post(
        "ipam/pools",
        {
            "vrf_id": vrf["id"],
            "name": "homes",
            "ranges": [{"first": "203.0.113.0", "last": "203.0.113.7"}],
            "exclusions": [{"first": "203.0.113.2", "last": "203.0.113.2", "reason": "switch"}],
        },
    ).json()["data"]
    assert pool["next_free"] == "203.0.113.3"
    assert pool["utilisation"] == {
        "total": 4, "reserved": 0, "assigned": 0, "quarantined": 0, "free": 4, "used_percent": 0.0,
    }  # fmt: skip

    first = api.post("ipam/allocate", {"pool_id": pool["id"], "assigned_to": "core-1 loopback"})
    record = first.json()["data"]
    kept = api.post(
        "ipam/reserve", {"pool_id": pool["id"], "address": "203.0.113.6", "reserved_for": "new core"}
    )
    assert (first.status_code, kept.status_code) == (201, 201)
    assert first["Location"].endswith(f"/api/v1/ipam/addresses/{record['id']}")
    assert (record["address"], record["state"], record["assigned_to"]) == (
        "203.0.113.3", "assigned", "core-1 loopback",
    )  # fmt: skip
    assert api.get(f"ipam/addresses/{record['id']}").json()["data"] == record
    assert api.get(f"ipam/addresses/{record['id']}")["ETag"] == first["ETag"]

    drawn = api.get(f"ipam/subnets/{subnet['id']}/map").json()["data"]
    assert [(run["first"][-1], run["last"][-1], run["state"]) for run in drawn["runs"]] == [
        ("0", "2", "kept"), ("3", "3", "assigned"), ("4", "5", "free"), ("6", "6", "reserved"), ("7", "7", "kept"),
    ]  # fmt: skip
    assert drawn["next"] is None
    used = api.get(f"ipam/subnets/{subnet['id']}/utilisation").json()["data"]
    assert (used["total"], used["assigned"], used["reserved"], used["used_percent"]) == (5, 1, 1, 40.0)

    back = api.post("ipam/release", {"address_id": record["id"]})
    assert (back.status_code, back.json()["data"]["state"]) == (200, "quarantined")
    assert api.delete(f"ipam/pools/{pool['id']}").json()["error"]["code"] == "pool_in_use"
    assert api.delete(f"ipam/subnets/{subnet['id']}").json()["error"]["code"] == "subnet_in_use"
    assert api.delete(f"ipam/vrfs/{vrf['id']}").json()["error"]["code"] == "vrf_in_use"


def test_repeating_it_for_a_line_answers_200_with_the_same(api, pool, line):
    body = {"pool_id": str(pool.pk), "service_id": str(line.pk)}

    first, again = (api.post("ipam/allocate", body) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["data"] == again.json()["data"]


def test_delegates_a_prefix_of_a_subnet(api, tenant, line):
    with tenant_context(tenant.pk):
        make_prefix_pool()
        subnet = Subnet.objects.get()

    given = api.post(
        "ipam/allocate",
        {"subnet_id": str(subnet.pk), "service_id": str(line.pk), "prefix_length": 56, "family": 6},
    )

    assert given.json()["data"]["address"] == "2001:db8::/56"


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({}, 400, "missing_field", None),
        ({"pool_id": "{pool}"}, 400, "missing_field", "service_id"),
        ({"assigned_to": "x"}, 400, "missing_field", "pool_id"),
        ({"pool_id": "{pool}", "subnet_id": "{subnet}", "assigned_to": "x"}, 422, "validation_error", "subnet_id"),
        ({"pool_id": "{pool}", "service_id": "{line}", "assigned_to": "x"}, 422, "validation_error", "assigned_to"),
        ({"pool_id": "{pool}", "assigned_to": " "}, 422, "validation_error", "assigned_to"),
        ({"pool_id": "{line}", "assigned_to": "x"}, 404, "not_found", "pool_id"),
        ({"subnet_id": "{line}", "assigned_to": "x"}, 404, "not_found", "subnet_id"),
        ({"pool_id": "{pool}", "service_id": "{pool}"}, 404, "not_found", "service_id"),
        ({"pool_id": "{pool}", "assigned_to": "x", "family": 6}, 422, "wrong_family", "family"),
        ({"pool_id": "{pool}", "assigned_to": "x", "family": 5}, 422, "validation_error", "family"),
        ({"pool_id": "{pool}", "assigned_to": "x", "family": "4"}, 422, "validation_error", "family"),
        ({"pool_id": "{pool}", "assigned_to": "x", "prefix_length": 29}, 422, "wrong_length", "prefix_length"),
        ({"subnet_id": "{subnet}", "assigned_to": "x", "prefix_length": 29}, 409, "no_pool_for_prefixes",
         "prefix_length"),
        ({"pool_id": "{pool}", "assigned_to": "x", "address": "203.0.113"}, 422, "validation_error", "address"),
        ({"pool_id": "{pool}", "assigned_to": "x", "address": "203.0.113.300"}, 422, "validation_error", "address"),
        ({"pool_id": "{pool}", "assigned_to": "x", "address": "fe80::1%eth0"}, 422, "validation_error", "address"),
        ({"pool_id": "{pool}", "assigned_to": "x", "address": "2001:db8::1"}, 422, "wrong_family", "family"),
        ({"pool_id": "{pool}", "assigned_to": "x", "address": "203.0.113.9"}, 409, "address_not_allowed", "address"),
        ({"subnet_id": "{subnet}", "assigned_to": "x", "address": "203.0.113.0"}, 409, "address_not_allowed",
         "address"),
        ({"subnet_id": "{subnet}", "assigned_to": "x", "address": "203.0.113.255"}, 409, "address_not_allowed",
         "address"),
        ({"pool_id": "{pool}", "assigned_to": "x", "address": "203.0.113.19"}, 409, "address_reserved", "address"),
        ({"pool_id": "{pool}", "assigned_to": "x", "hostname": "a b"}, 422, "validation_error", "hostname"),
        ({"pool_id": "{pool}", "assigned_to": "x", "nmae": "y"}, 422, "validation_error", "nmae"),
    ],
)  # fmt: skip
def test_what_allocate_refuses(body, status, code, field, api, pool, line, tenant):
    with tenant_context(tenant.pk):
        subnet = Subnet.objects.get()
    api.post("ipam/reserve", {"pool_id": str(pool.pk), "address": "203.0.113.19", "reserved_for": "x"})
    ids = {"{pool}": str(pool.pk), "{subnet}": str(subnet.pk), "{line}": str(line.pk)}

    response = api.post("ipam/allocate", {name: ids.get(str(value), value) for name, value in body.items()})

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert field is None or field in {
        error.get("field"),
        *(each["field"] for each in error.get("fields", [])),
    }
    with tenant_context(tenant.pk):
        assert not Address.objects.filter(state="assigned").exists()


def test_an_exhausted_pool_says_what_is_left(api, pool):
    for number in range(10):
        api.post("ipam/allocate", {"pool_id": str(pool.pk), "assigned_to": f"router {number}"})

    response = api.post("ipam/allocate", {"pool_id": str(pool.pk), "assigned_to": "one more"})

    assert (response.status_code, response.json()["error"]["code"]) == (409, "pool_exhausted")
    assert response.json()["error"]["message"] == (
        "Nothing is left in homes: of 10, 10 are assigned, 0 reserved and 0 resting. None becomes free by itself."
    )


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({"network": "203.0.113.7/24"}, 422, "validation_error", "Enter 203.0.113.0/24."),
        ({"network": "203.0.113.0"}, 422, "validation_error", "with its mask"),
        ({"network": "203.0.113.0/33"}, 422, "validation_error", "IPv4 or IPv6"),
        ({"network": "203.0.113.0/24"}, 409, "subnet_overlaps", "already a subnet of this VRF"),
        ({"network": "203.0.113.8/29"}, 409, "subnet_cuts_range", "203.0.113.10 – 203.0.113.19 of the pool homes"),
        ({"network": "198.51.100.0/24", "gateway": "203.0.113.1"}, 422, "gateway_outside", "no host address"),
        ({"network": "198.51.100.0/24", "gateway": "198.51.100.255"}, 422, "gateway_outside", "no host address"),
        ({"network": "198.51.100.0/24", "vlan_id": 4095}, 422, "validation_error", "4094"),
        ({"network": "198.51.100.0/24", "dns_servers": ["192.0.2.1"] * 5}, 422, "validation_error", "4 elements"),
    ],
)  # fmt: skip
def test_what_a_new_subnet_is_refused_for(body, status, code, message, api, pool, tenant):
    response = api.post("ipam/subnets", {"vrf_id": str(pool.vrf_id), **body})

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert message in response.json()["error"]["message"]
    with tenant_context(tenant.pk):
        assert Subnet.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"ranges": [{"first": "203.0.113.15", "last": "203.0.113.40"}]}, 409, "pool_range_overlaps"),
        ({"ranges": [{"first": "203.0.112.1", "last": "203.0.113.5"}]}, 409, "range_outside_subnets"),
        ({"ranges": [{"first": "203.0.113.40", "last": "203.0.113.30"}]}, 422, "wrong_range"),
        ({"ranges": [{"first": "2001:db8::1", "last": "2001:db8::2"}]}, 422, "wrong_range"),
        ({"ranges": [{"first": "203.0.113.30", "last": "203.0.113.40"}] * 2}, 422, "wrong_range"),
        ({"kind": "prefix"}, 422, "wrong_length"),
        ({"kind": "prefix", "prefix_length": 32}, 422, "wrong_length"),
        ({"kind": "prefix", "prefix_length": 30, "ranges": [{"first": "203.0.113.33", "last": "203.0.113.40"}]},
         422, "wrong_range"),
        ({"prefix_length": 24}, 422, "wrong_length"),
        ({"warn_percent": 90, "critical_percent": 80}, 422, "validation_error"),
        ({"name": "homes"}, 409, "duplicate_pool_name"),
    ],
)  # fmt: skip
def test_what_a_new_pool_is_refused_for(fields, status, code, api, pool, tenant):
    response = api.post("ipam/pools", {"vrf_id": str(pool.vrf_id), "name": "more", **fields})

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    with tenant_context(tenant.pk):
        assert Pool.objects.count() == 1


def test_a_pool_grows_and_shrinks_around_what_is_assigned(api, pool):
    for number in range(3):
        api.post("ipam/allocate", {"pool_id": str(pool.pk), "assigned_to": f"router {number}"})
    path = f"ipam/pools/{pool.pk}"

    shrunk = api.patch(path, {"ranges": [{"first": "203.0.113.10", "last": "203.0.113.12"}]}).json()["data"]
    refused = api.patch(path, {"ranges": [{"first": "203.0.113.10", "last": "203.0.113.11"}]})
    grown = api.patch(path, {"ranges": [{"first": "203.0.113.10", "last": "203.0.113.29"}]}).json()["data"]
    family = api.patch(path, {"family": 6})

    assert (shrunk["utilisation"]["free"], shrunk["next_free"]) == (0, None)
    assert refused.json()["error"]["code"] == "range_in_use"
    assert (grown["utilisation"]["free"], grown["next_free"]) == (17, "203.0.113.13")
    assert family.json()["error"]["code"] in ("pool_shape_fixed", "wrong_length")


def test_subnets_find_their_place_by_themselves(api, tenant):
    with tenant_context(tenant.pk):
        vrf = subnet_in(make_pool().vrf, "203.0.113.0/24").vrf_id
    around = api.post("ipam/subnets", {"vrf_id": str(vrf), "network": "203.0.0.0/16"}).json()["data"]
    inner = api.post("ipam/subnets", {"vrf_id": str(vrf), "network": "203.0.113.128/25"}).json()["data"]

    (middle,) = api.get("ipam/subnets?network=203.0.113.0/24").json()["data"]
    assert (around["parent_id"], middle["parent_id"], inner["parent_id"]) == (
        None,
        around["id"],
        middle["id"],
    )
    assert [s["network"] for s in api.get("ipam/subnets?contains=203.0.113.200&ordering=network").json()["data"]] == [
        "203.0.0.0/16", "203.0.113.0/24", "203.0.113.128/25",
    ]  # fmt: skip

    refused = api.patch(f"ipam/subnets/{around['id']}", {"network": "203.0.0.0/18"})
    assert refused.json()["error"]["code"] == "subnet_in_use"
    assert api.patch(f"ipam/subnets/{around['id']}", {"network": "203.1.0.0/15"}).status_code == 422
    assert api.patch(f"ipam/subnets/{around['id']}", {"network": "203.0.0.0/12"}).status_code == 200
    assert api.delete(f"ipam/subnets/{around['id']}").status_code == 204
    (middle,) = api.get("ipam/subnets?network=203.0.113.0/24").json()["data"]
    assert middle["parent_id"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=203.0.113.1", []),
        ("search=203.0.", ["203.0.113.10", "203.0.113.11"]),
        ("search=203.0.113.11", ["203.0.113.11"]),
        ("search=203.0.113.0/29", []),
        ("search=203.0.113.8/30", ["203.0.113.10", "203.0.113.11"]),
        ("search=2001:db8:", ["2001:db8::/56"]),
        ("search=2001:db8:0:1::5", ["2001:db8::/56"]),
        ("search=core-", ["203.0.113.11"]),
        ("network=0.0.0.0/0", ["203.0.113.10", "203.0.113.11"]),
        ("address=203.0.113.10", ["203.0.113.10"]),
        ("hostname=core-*", ["203.0.113.11"]),
        ("search=nobody", []),
    ],
)
def test_addresses_are_found(query, found, api, tenant, pool):
    with tenant_context(tenant.pk):
        prefixes = make_prefix_pool()
    for name in ("", "core-1"):
        api.post("ipam/allocate", {"pool_id": str(pool.pk), "assigned_to": "x", "hostname": name})
    api.post("ipam/allocate", {"pool_id": str(prefixes.pk), "assigned_to": "three"})

    shown = api.get(f"ipam/addresses?state=assigned&{query}").json()["data"]

    assert [each["address"] for each in shown] == found
