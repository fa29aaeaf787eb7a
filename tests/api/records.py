"""One record of each model that has a list."""

from typing import Any

import pytest
from django.utils import timezone

from aaa.models import (
    Account,
    Nas,
    Policy,
    ServiceProfile,
    Session,
    SessionAction,
    TopUp,
    VirtualServer,
    Voucher,
    VoucherBatch,
)
from billing.models import (
    AddOn,
    BankLine,
    BankStatement,
    BillingRun,
    Checkout,
    Discount,
    GatewayAccount,
    GatewayEvent,
    Invoice,
    LedgerCheck,
    OneOffCharge,
    OveragePrice,
    Payment,
    TaxExemption,
    TaxRate,
)
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
from ispcore.auth.models import ApiKey
from ispcore.auth.services import create_api_key
from ispcore.files.models import StoredFile
from ispcore.files.services import write_file
from ispcore.jobs.models import Job
from ispcore.tenants.fields import new_id
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
from tests.aaa.online import make_account, make_nas, make_session
from tests.api import dunning_records, support_records, webhook_records
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


def make_api_key() -> Any:
    key, _ = create_api_key(name="Theirs", role="support", created_by=None, at=timezone.now())
    return key


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


def make_action() -> Any:
    return SessionAction.objects.create(
        kind="disconnect", session_id=new_id(), nas=make_nas(None), cause="staff", next_at=timezone.now()
    )


def make_radius_account() -> Any:
    count = Account.objects.count()
    policy = Policy.objects.create(name=f"Policy {Policy.objects.count()}", down_kbps=1000)
    virtual = VirtualServer.objects.create(name=f"Virtual {count}")
    return make_account(f"user-{count}", policy, virtual=virtual, subscription=SubscriptionFactory())


def make_top_up() -> Any:
    return TopUp.objects.create(account=make_radius_account(), bytes=10**9, valid_from=timezone.now())


def make_open_session() -> Any:
    return make_session(make_nas(None), make_radius_account(), f"s{Session.objects.count()}")


def make_named(model: Any) -> Any:
    return model.objects.create(name=f"Name {model.objects.count()}")


def make_batch() -> Any:
    count = VoucherBatch.objects.count()
    profile = ServiceProfile.objects.create(name=f"Hotspot {count}")
    return VoucherBatch.objects.create(name=f"Batch {count}", quantity=1, service_profile=profile)


def make_voucher() -> Any:
    count = Voucher.objects.count()
    return Voucher.objects.create(batch=make_batch(), code_hash=count.to_bytes(32, "big"), shown="ABCD")


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


def make_bank_statement() -> Any:
    count = BankStatement.objects.count()
    return BankStatement.objects.create(
        name="march.csv", sha256=f"{count:064x}", account="THEIRS", status="done"
    )


def make_invoice() -> Any:
    return Invoice.objects.create(subscriber=SubscriberFactory(), currency="EUR")


def make_payment() -> Any:
    return Payment.objects.create(
        subscriber=SubscriberFactory(), amount=20, currency="EUR", method="cash", received_at=timezone.now(),
        reference=f"slip {Payment.objects.count()}",
    )  # fmt: skip


def make_gateway() -> Any:
    number = GatewayAccount.objects.count()
    return GatewayAccount.objects.create(
        kind="stripe",
        label=f"Cards {number}",
        key=f"stripe-{number}",
        api_key="sk_test",
        webhook_secret="whsec",
    )


def make_gateway_event() -> Any:
    return GatewayEvent.objects.create(
        gateway=make_gateway(), event_id="evt_1", kind="refund.created", facts={}, outcome="booked",
        payment=make_payment(), happened_at=timezone.now(), received_at=timezone.now(),
    )  # fmt: skip


def make_checkout() -> Any:
    payment = make_payment()
    return Checkout.objects.create(
        gateway=make_gateway(), subscriber=payment.subscriber, amount=5, currency="EUR", payment=payment,
        invoice=Invoice.objects.create(subscriber=payment.subscriber, currency="EUR"),
    )  # fmt: skip


def make_bank_line() -> Any:
    return BankLine.objects.create(
        statement=make_bank_statement(), line_number=1, booked_on="2026-03-10", amount=5, currency="EUR",
        content_key=f"{BankLine.objects.count():032x}",
    )  # fmt: skip


def make_add_on() -> Any:
    return AddOn.objects.create(
        subscription=SubscriptionFactory(), name="TV", price=5, currency="EUR", starts_on="2026-03-01"
    )


def make_charge() -> Any:
    return OneOffCharge.objects.create(
        subscriber=SubscriberFactory(), name="Visit", amount=5, currency="EUR", due_on="2026-03-01"
    )


def make_discount() -> Any:
    return Discount.objects.create(
        subscriber=SubscriberFactory(), name="Welcome", percent=5, starts_on="2026-03-01"
    )


def make_overage_price() -> Any:
    return OveragePrice.objects.create(
        plan=PlanFactory(cap_bytes=10**9), price=1, currency="EUR", starts_on="2026-03-01"
    )


def make_tax_rate() -> Any:
    return TaxRate.objects.create(name=f"VAT {TaxRate.objects.count()}", percent=20, starts_on="2026-03-01")


def make_tax_exemption() -> Any:
    return TaxExemption.objects.create(
        subscriber=SubscriberFactory(), reason="Embassy", starts_on="2026-03-01"
    )


def make_ledger_check() -> Any:
    return LedgerCheck.objects.create(checked_at=timezone.now())


def make_billing_run() -> Any:
    return BillingRun.objects.create(on="2026-03-01", as_of=timezone.now(), status="issued")


MAKE: dict = {
    **dunning_records.MAKE,
    **support_records.MAKE,
    **webhook_records.MAKE,
    AddOn: make_add_on,
    OneOffCharge: make_charge,
    Discount: make_discount,
    OveragePrice: make_overage_price,
    TaxRate: make_tax_rate,
    TaxExemption: make_tax_exemption,
    LedgerCheck: make_ledger_check,
    BillingRun: make_billing_run,
    BankStatement: make_bank_statement,
    BankLine: make_bank_line,
    Invoice: make_invoice,
    Payment: make_payment,
    GatewayAccount: make_gateway,
    GatewayEvent: make_gateway_event,
    Checkout: make_checkout,
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
    ApiKey: make_api_key,
    DiscoveryRun: make_run,
    WaitingOnu: make_waiting,
    OnuPreset: make_preset,
    ProvisioningJob: make_change,
    Outage: make_outage,
    SignalLimits: make_limits,
    SessionAction: make_action,
    Account: make_radius_account,
    TopUp: make_top_up,
    Session: make_open_session,
    Policy: lambda: make_named(Policy),
    ServiceProfile: lambda: make_named(ServiceProfile),
    VirtualServer: lambda: make_named(VirtualServer),
    Nas: lambda: make_nas(None),
    VoucherBatch: make_batch,
    Voucher: make_voucher,
    Subscriber: SubscriberFactory,
    Subscription: make_line,
    CustomField: CustomFieldFactory,
    Import: ImportFactory,
    Zone: ZoneFactory,
    Plan: make_plan,
    Premise: make_premise,
    BillingProfile: BillingProfileFactory,
}
