"""Rows for tests, made for the bound tenant."""

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from hardware.models import Olt, Onu, OnuStatus, PonPort


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
    first_seen_at = factory.LazyFunction(timezone.now)
    last_seen_at = factory.LazyFunction(timezone.now)
