"""One record of each model that has a list."""

from typing import Any

import pytest
from django.utils import timezone

from hardware.models import (
    DiscoveryRun,
    Olt,
    Onu,
    OnuPreset,
    Outage,
    PonClass,
    PonPort,
    ProvisioningJob,
    SignalLimits,
    WaitingOnu,
)
from ipam.models import (
    Address,
    BookImport,
    CgnatRule,
    Drift,
    Pool,
    Reconciliation,
    Subnet,
    Vrf,
)
from ispcore.files.models import StoredFile
from ispcore.files.services import write_file
from ispcore.jobs.models import Job
from subscribers.models import (
    BillingProfile,
    CustomField,
    Import,
    Plan,
    PlanZone,
    Premise,
    Subscriber,
    Subscription,
    Zone,
)
from tests.factories import (
    AddressFactory,
    BillingProfileFactory,
    CustomFieldFactory,
    ImportFactory,
    OltFactory,
    OnuFactory,
    PlanFactory,
    PonPortFactory,
    PoolFactory,
    PremiseFactory,
    SubnetFactory,
    SubscriberFactory,
    SubscriptionFactory,
    VrfFactory,
    ZoneFactory,
)

pytestmark = pytest.mark.django_db


def make_job() -> Any:
    return Job.objects.create(kind="x")


def make_file() -> Any:
    with write_file(name="list.csv", media_type="text/csv", app_label="subscribers") as (file, _):
        return file


def make_run() -> Any:
    return DiscoveryRun.objects.create(olt=OltFactory(), job=make_job(), started_at=timezone.now())


def make_waiting() -> Any:
    count = WaitingOnu.objects.count()
    return WaitingOnu.objects.create(
        olt=OltFactory(), serial=f"S{count}", pon_port="0/1/0",
        first_seen_at=timezone.now(), last_seen_at=timezone.now(),
    )  # fmt: skip


def make_preset() -> Any:
    return OnuPreset.objects.create(name=f"Preset {OnuPreset.objects.count()}", vendor="huawei")


def make_change() -> Any:
    serial = f"S{ProvisioningJob.objects.count()}"
    return ProvisioningJob.objects.create(
        action="reboot", olt=OltFactory(), onu=OnuFactory(), serial=serial, pon_port="0/1/0", preset=make_preset(),
        subscription=SubscriptionFactory(), job=make_job(),
    )  # fmt: skip


def make_outage() -> Any:
    return Outage.objects.create(olt=OltFactory(), started_at=timezone.now())


def make_limits() -> Any:
    unused = next(each for each in PonClass if not SignalLimits.objects.filter(pon_class=each).exists())
    return SignalLimits.objects.create(pon_class=unused)


def make_plan() -> Any:
    plan = PlanFactory()
    PlanZone.objects.create(plan=plan, zone=ZoneFactory())
    return plan


def make_premise() -> Any:
    return PremiseFactory(zone=ZoneFactory())


def make_line() -> Any:
    """An active line that waits for an address, so that every list of lines shows it."""
    if not Pool.objects.filter(name="Exhausted").exists():
        PoolFactory(name="Exhausted")
    return SubscriptionFactory(status="active", plan__pool_hint="Exhausted")


def make_cgnat_rule() -> Any:
    count = CgnatRule.objects.count()
    return CgnatRule.objects.create(
        name=f"Rule {count}", vrf=VrfFactory(), inside_first="100.64.0.0", inside_last="100.64.0.31",
        public_first=f"203.0.113.{count + 1}", public_last=f"203.0.113.{count + 1}", valid_from=timezone.now(),
    )  # fmt: skip


def make_book_import() -> Any:
    return BookImport.objects.create(name="addresses.csv", file_format="csv")


def make_reconciliation() -> Any:
    return Reconciliation.objects.create(vrf=VrfFactory(), seen_in="arp", started_at=timezone.now())


def make_drift() -> Any:
    found = make_reconciliation()
    return Drift.objects.create(
        reconciliation=found, vrf=found.vrf, address="192.0.2.1", kind="unknown_address"
    )


MAKE: dict = {
    CgnatRule: make_cgnat_rule,
    BookImport: make_book_import,
    Reconciliation: make_reconciliation,
    Drift: make_drift,
    Vrf: VrfFactory,
    Subnet: SubnetFactory,
    Pool: PoolFactory,
    Address: AddressFactory,
    Olt: OltFactory,
    PonPort: PonPortFactory,
    Onu: OnuFactory,
    Job: make_job,
    StoredFile: make_file,
    DiscoveryRun: make_run,
    WaitingOnu: make_waiting,
    OnuPreset: make_preset,
    ProvisioningJob: make_change,
    Outage: make_outage,
    SignalLimits: make_limits,
    Subscriber: SubscriberFactory,
    Subscription: make_line,
    CustomField: CustomFieldFactory,
    Import: ImportFactory,
    Zone: ZoneFactory,
    Plan: make_plan,
    Premise: make_premise,
    BillingProfile: BillingProfileFactory,
}
