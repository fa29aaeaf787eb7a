"""Rows for tests, made for the bound tenant."""

from decimal import Decimal

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from aaa.models import Account, Nas, NasType, Policy, ServiceProfile
from hardware.models import Olt, Onu, OnuStatus, PonPort
from hardware.selectors import signal_of
from ipam.models import Address, AddressState, Pool, Subnet, Vrf
from subscribers.models import (
    BillingProfile,
    CustomField,
    Import,
    Plan,
    Premise,
    Subscriber,
    Subscription,
    Zone,
)


class OltFactory(DjangoModelFactory):
    class Meta:
        model = Olt

    name = factory.Sequence(lambda n: f"OLT {n}")
    vendor = "huawei"
    ip = factory.Sequence(lambda n: f"192.0.2.{n % 250 + 1}")
    snmp_port = factory.Sequence(lambda n: 1024 + n % 60000)
    community = "kept-secret"


class PonPortFactory(DjangoModelFactory):
    class Meta:
        model = PonPort

    olt = factory.SubFactory(OltFactory)
    index = factory.Sequence(lambda n: f"0/1/{n}")
    last_seen_at = factory.LazyFunction(timezone.now)


class OnuFactory(DjangoModelFactory):
    class Meta:
        model = Onu

    olt = factory.SubFactory(OltFactory)
    index = factory.Sequence(lambda n: f"0/1/0/{n}")
    serial = factory.Sequence(lambda n: f"HWTC{n:08X}")
    status = OnuStatus.ONLINE
    rx_power_dbm = -19.5
    signal = factory.LazyAttribute(lambda onu: signal_of(onu.rx_power_dbm))
    first_seen_at = factory.LazyFunction(timezone.now)
    last_seen_at = factory.LazyFunction(timezone.now)


class ZoneFactory(DjangoModelFactory):
    class Meta:
        model = Zone

    name = factory.Sequence(lambda n: f"Zone {n}")


class PlanFactory(DjangoModelFactory):
    class Meta:
        model = Plan

    code = factory.Sequence(lambda n: f"FIBRE-{n}")
    name = factory.Sequence(lambda n: f"Fibre {n}")
    down_kbps = 100_000
    up_kbps = 20_000
    price = Decimal("29.90")
    currency = "EUR"


class PremiseFactory(DjangoModelFactory):
    class Meta:
        model = Premise

    address_line1 = factory.Sequence(lambda n: f"{n + 1} Harbour Road")
    city = "Northport"
    country = "PT"


class BillingProfileFactory(DjangoModelFactory):
    class Meta:
        model = BillingProfile

    name = factory.Sequence(lambda n: f"Profile {n}")
    cycle_day = 1
    currency = "EUR"


class CustomFieldFactory(DjangoModelFactory):
    class Meta:
        model = CustomField

    key = factory.Sequence(lambda n: f"field_{n}")
    label = factory.Sequence(lambda n: f"Field {n}")


class SubscriberFactory(DjangoModelFactory):
    """A bare row; `subscribers.services.customers.create_subscriber` also makes what look-ups compare."""

    class Meta:
        model = Subscriber

    number = factory.Sequence(lambda n: f"SUB-9{n:06d}")
    full_name = factory.Sequence(lambda n: f"Jane Doe {n}")


class SubscriptionFactory(DjangoModelFactory):
    """A line that waits for its installation; its numbers lie above those that services draw."""

    class Meta:
        model = Subscription

    number = factory.Sequence(lambda n: 900_000 + n)
    subscriber = factory.SubFactory(SubscriberFactory)
    plan = factory.SubFactory(PlanFactory)
    premise = factory.SubFactory(PremiseFactory)


class ImportFactory(DjangoModelFactory):
    """A file that was uploaded, without its content."""

    class Meta:
        model = Import

    name = factory.Sequence(lambda n: f"customers-{n}.csv")
    columns = ["name"]
    mapping = {"name": "full_name"}


class VrfFactory(DjangoModelFactory):
    class Meta:
        model = Vrf

    name = factory.Sequence(lambda n: f"vrf-{n}")


class SubnetFactory(DjangoModelFactory):
    """A network at the top of a VRF of its own; `ipam.services.space.create_subnet` also finds its place."""

    class Meta:
        model = Subnet

    vrf = factory.SubFactory(VrfFactory)
    network = "198.51.100.0/24"


class PoolFactory(DjangoModelFactory):
    """A pool without ranges; `ipam.services.pools.create_pool` also makes them."""

    class Meta:
        model = Pool

    vrf = factory.SubFactory(VrfFactory)
    name = factory.Sequence(lambda n: f"pool-{n}")
    prefix_length = 32


class AddressFactory(DjangoModelFactory):
    """An address that is free, in a subnet and VRF of its own."""

    class Meta:
        model = Address

    subnet = factory.SubFactory(SubnetFactory)
    vrf = factory.SelfAttribute("subnet.vrf")
    address = factory.Sequence(lambda n: f"198.51.100.{n % 250 + 1}")
    state = AddressState.FREE
    free_since = factory.LazyFunction(timezone.now)


class NasFactory(DjangoModelFactory):
    class Meta:
        model = Nas

    name = factory.Sequence(lambda n: f"BNG {n}")
    address = factory.Sequence(lambda n: f"10.200.{n // 250 % 250}.{n % 250 + 1}")
    secret = "shared|with the NAS"
    nas_type = NasType.MIKROTIK


class ServiceProfileFactory(DjangoModelFactory):
    class Meta:
        model = ServiceProfile

    name = factory.Sequence(lambda n: f"PPPoE {n}")


class PolicyFactory(DjangoModelFactory):
    """A bare policy; `aaa.services.policies.render_policies` writes what NASes are told of it."""

    class Meta:
        model = Policy

    name = factory.Sequence(lambda n: f"Rate {n}")
    down_kbps = 100_000
    up_kbps = 20_000


class AccountFactory(DjangoModelFactory):
    """An account of its own, with no line behind it."""

    class Meta:
        model = Account

    username = factory.Sequence(lambda n: f"user{n}@north.example")
    password = "dial-in secret"
    service_profile = factory.SubFactory(ServiceProfileFactory)
