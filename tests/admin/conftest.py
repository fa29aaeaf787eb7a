from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from aaa.models import AuthAttempt, SessionAction, VirtualServer, Voucher, VoucherBatch
from aaa.services import accounts, policies
from billing.models import (
    AddOn,
    BankLine,
    BankStatement,
    BankSuggestion,
    BillingSettings,
    Discount,
    LedgerCheck,
    LedgerFinding,
    OneOffCharge,
    OveragePrice,
    TaxExemption,
    TaxRate,
)
from hardware.models import (
    DiscoveryRun,
    Olt,
    Onu,
    OnuEvent,
    OnuPreset,
    Outage,
    OutageOnu,
    ProvisioningJob,
    RunOutcome,
    SignalLimits,
    WaitingOnu,
)
from ipam.models import Drift, Reconciliation
from ipam.services import allocation, cgnat, pools, release, space
from ipam.services import imports as address_books
from ispcore.auth import services as auth
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Membership, Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Subscriber, SubscriberStatus, Subscription
from subscribers.services import catalogue, custom_fields, customers, imports, lines
from tests.aaa.online import make_session
from tests.admin.dunning_rows import fill_dunning
from tests.admin.invoice_rows import fill_invoices
from tests.admin.payment_rows import fill_payments
from tests.admin.run_rows import fill_runs
from tests.admin.support_rows import fill_support
from tests.admin.webhook_rows import fill_webhooks
from tests.factories import (
    NasFactory,
    OltFactory,
    OnuFactory,
    PlanFactory,
    PonPortFactory,
    ServiceProfileFactory,
    SubscriberFactory,
    SubscriptionFactory,
)


@pytest.fixture
def browser(admin_user: User) -> Client:
    """A browser in which `tenant`'s administrator is logged in."""
    return browser_of(admin_user)


@pytest.fixture
def browser_as(tenant: Tenant, make_user: Callable[..., User]) -> Callable[[Role], Client]:
    """A browser of somebody with the role given."""
    return lambda role: browser_of(make_user(f"{role}-browser", {tenant: role}))


@pytest.fixture
def operator(make_user: Callable[..., User]) -> User:
    """Platform staff, member of no tenant."""
    return make_user("operator", is_platform_staff=True)


def browser_of(user: User, **kwargs: Any) -> Client:
    client = Client(raise_request_exception=kwargs.pop("raise_request_exception", True), **kwargs)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def fill(tenant: Tenant, user: User) -> dict[str, Any]:
    """Make one row of everything the admin shows, for one tenant; returns them by model label."""
    with tenant_context(tenant.pk):
        olt = OltFactory(name=f"Exchange of {tenant.slug}")
        port = PonPortFactory(olt=olt)
        onu = OnuFactory(olt=olt, pon_port=port, serial=f"HWTC{tenant.slug.upper()}")
        now = timezone.now()
        job = Job.objects.create(
            kind="hardware.discover_olt",
            label=f"Discovery of {olt.name}",
            subject=f"olt:{olt.pk}",
            params={"olt_id": str(olt.pk)},
            queue="network",
            status=JobStatus.FAILED,
            error_code="device_unreachable",
            error_message="No answer.",
            started_at=now,
            finished_at=now,
        )
        run = DiscoveryRun.objects.create(
            olt=olt, job=job, outcome=RunOutcome.FAILED, started_at=now, finished_at=now
        )
        network = fill_network(olt, onu, user)
        key, _ = auth.create_api_key(name=f"Key of {tenant.slug}", role="support", created_by=user, at=now)
        return {
            "hardware.Olt": olt,
            "hardware.Onu": onu,
            "hardware.DiscoveryRun": run,
            **network,
            "jobs.Job": job,
            **fill_webhooks(tenant, olt.pk),
            "ispauth.ApiKey": key,
            "tenants.AuditEntry": AuditEntry.objects.create(action="looked", user=user),
            "tenants.Membership": Membership.objects.get(user=user, tenant=tenant),
            **(customers := fill_customers(tenant, user)),
            **fill_addresses(tenant, user, customers["subscribers.Subscription"]),
            **fill_bank(tenant, user, customers["subscribers.Subscriber"]),
            **fill_access(tenant, user, customers["subscribers.Subscription"]),
            **fill_charges(tenant, customers["subscribers.Subscription"]),
            **fill_dunning(tenant, user, customers["subscribers.Subscription"]),
            **fill_invoices(tenant, customers["subscribers.Subscription"]),
            **fill_payments(tenant, user, customers["subscribers.Subscription"]),
            **fill_runs(tenant, user, customers["subscribers.Subscription"]),
            **fill_support(tenant, user, customers["subscribers.Subscription"]),
        }


def fill_network(olt: Olt, onu: Onu, user: User) -> dict[str, Any]:
    """Make what happens to a network: an outage, an ONU that waits, a change that failed, a preset, own limits."""
    now = timezone.now()
    outage = Outage.objects.create(
        olt=olt, pon_port=onu.pon_port, cause="fibre", status="suspected", started_at=now, onus_affected=1
    )
    OutageOnu.objects.create(outage=outage, onu=onu, down_at=now)
    OnuEvent.objects.create(onu=onu, at=now, kind="offline", detail="dying_gasp")
    preset = OnuPreset.objects.create(
        name=f"Preset of {olt.name}", vendor="huawei", line_profile="10", service_profile="bridge", vlan=100
    )
    return {
        "hardware.Outage": outage,
        "hardware.WaitingOnu": WaitingOnu.objects.create(
            olt=olt, pon_port="0/1/0", serial=f"{onu.serial}W"[:16], first_seen_at=now, last_seen_at=now
        ),
        "hardware.OnuPreset": preset,
        "hardware.SignalLimits": SignalLimits.objects.create(pon_class="C+"),
        "hardware.ProvisioningJob": ProvisioningJob.objects.create(
            action="authorize",
            status="failed",
            olt=olt,
            onu=onu,
            preset=preset,
            serial=onu.serial,
            pon_port="0/1/0",
            plan=[
                {"name": "Add the ONU", "commands": ["ont add 0"], "undo": ["ont delete 0"], "state": "done"},
                {"name": "Join its VLAN", "commands": ["service-port"], "undo": [], "state": "planned"},
            ],
            steps_done=1,
            transcript="OLT(config)# ont add 0",
            error_code="device_timeout",
            message="No answer in 30 s.",
            requested_by=user,
            started_at=now,
            finished_at=now,
        ),
    }


def fill_addresses(tenant: Tenant, user: User, line: Subscription) -> dict[str, Any]:
    """Make an address plan with a line's address, one that another held, a CGNAT rule, a file, and a drift."""
    now = timezone.now()
    name = tenant.slug.title()
    vrf = space.create_vrf(name=f"default of {name}")
    subnet = space.create_subnet(
        vrf_id=vrf.pk, network="203.0.113.0/24", name=f"Homes of {name}", gateway="203.0.113.1"
    )
    pool = pools.create_pool(
        vrf_id=vrf.pk,
        name=f"Pool of {name}",
        hold_seconds=0,
        ranges_given=[{"first": "203.0.113.10", "last": "203.0.113.10"}],
    )
    given = allocation.allocate(at=now, pool_id=pool.pk, assigned_to=f"Lamp of {name}", user_id=user.pk)
    release.release(at=now, address_id=given.address.pk, reason=f"Broken in {name}", user_id=user.pk)
    held = allocation.allocate(at=now, pool_id=pool.pk, subscription_id=line.pk, user_id=user.pk)
    rule = cgnat.create_rule(
        name=f"CGNAT of {name}", vrf_id=vrf.pk, inside_first="203.0.113.0", inside_last="203.0.113.63",
        public_first="198.51.100.0", public_last="198.51.100.7", valid_from=now - timedelta(days=1), user_id=user.pk,
    )  # fmt: skip
    run = Reconciliation.objects.create(
        vrf=vrf, seen_in="arp", status="done", started_at=now, finished_at=now, drifts_found=1
    )
    return {
        "ipam.Vrf": vrf,
        "ipam.Subnet": subnet,
        "ipam.Pool": pool,
        "ipam.Address": held.address,
        "ipam.CgnatRule": rule,
        "ipam.BookImport": address_books.upload_book(
            name=f"{tenant.slug}.csv", content=[b"address,note\n203.0.113.15,lamp\n"], user_id=user.pk
        ),
        "ipam.Reconciliation": run,
        "ipam.Drift": Drift.objects.create(
            reconciliation=run,
            vrf=vrf,
            address="203.0.113.15",
            kind="used_but_free",
            seen_as=f"MAC of {name}",
        ),
    }


def fill_bank(tenant: Tenant, user: User, customer: Subscriber) -> dict[str, Any]:
    """Make a bank statement with a line that waits and a customer who may have paid it."""
    statement = BankStatement.objects.create(
        name=f"{tenant.slug}-march.csv", sha256="0" * 64, file_format="csv", status="done", currency="EUR",
        account=f"IBAN of {tenant.slug.title()}", from_on="2026-03-09", to_on="2026-03-10", opening_balance=100,
        closing_balance=Decimal("129.90"), created_by=user, finished_at=timezone.now(),
    )  # fmt: skip
    line = BankLine.objects.create(
        statement=statement, line_number=2, booked_on="2026-03-10", amount=Decimal("29.90"), currency="EUR",
        payer_name=f"Maria {tenant.slug.title()}", text="internet", content_key="0" * 32, state="suggested",
        examined_at=timezone.now(),
    )  # fmt: skip
    BankSuggestion.objects.create(
        line=line, subscriber=customer, rule="name", reason="The payer has this name."
    )
    return {"billing.BankStatement": statement, "billing.BankLine": line}


def fill_customers(tenant: Tenant, user: User) -> dict[str, Any]:
    """Make a customer with a line on hold, and what it takes to have one."""
    now = timezone.now()
    name = tenant.slug.title()
    zone = catalogue.create_zone(name=f"Harbour of {name}")
    plan = catalogue.create_plan(
        code=f"FIBRE-{name.upper()}",
        name=f"Fibre of {name}",
        down_kbps=100_000,
        up_kbps=20_000,
        price=Decimal("1029.90"),
        currency="EUR",
    )
    profile = catalogue.create_billing_profile(name=f"Monthly of {name}", cycle_day=1, currency="EUR")
    premise = catalogue.create_premise(zone_id=zone.pk, address_line1=f"1 {name} Road", city=name)
    customer = customers.create_subscriber(
        full_name=f"Maria {name}",
        status=SubscriberStatus.ACTIVE,
        email=f"maria@{tenant.slug}.example",
        phone="+351912345678",
        billing_profile_id=profile.pk,
        metadata={"crm_owner": "team_blue"},
        tags=["vip"],
    )
    line = lines.create_service(
        subscriber_id=customer.pk,
        plan_id=plan.pk,
        premise_id=premise.pk,
        on=now.date(),
        wifi_password="never-shown",
        user_id=user.pk,
    )
    lines.activate_service(subscription_id=line.pk, at=now, user_id=user.pk)
    lines.open_hold(subscription_id=line.pk, reason="abuse", at=now, note="Open relay", user_id=user.pk)
    line.refresh_from_db()
    return {
        "subscribers.Import": imports.upload_import(
            name=f"{tenant.slug}.csv", content=[b"name,phone\nMaria,+351912345679\n"], user_id=user.pk
        ),
        "subscribers.Zone": zone,
        "subscribers.Plan": plan,
        "subscribers.BillingProfile": profile,
        "subscribers.Premise": premise,
        "subscribers.Subscriber": customer,
        "subscribers.Subscription": line,
        "subscribers.CustomField": custom_fields.create_custom_field(
            key="shoe_size", label=f"Shoe size of {name}"
        ),
    }


def fill_access(tenant: Tenant, user: User, line: Subscription) -> dict[str, Any]:
    """Make a NAS with somebody online, what they were refused before, and what was asked of the NAS."""
    now = timezone.now()
    name = tenant.slug.title()
    nas = NasFactory(name=f"BNG of {name}", last_auth_at=now)
    policy = policies.create_policy(name=f"Slow of {name}", down_kbps=1000, up_kbps=500)
    profile = ServiceProfileFactory(name=f"PPPoE of {name}")
    server = VirtualServer.objects.create(name=f"Brand of {name}", realm=f"{tenant.slug}.example")
    account = accounts.create_account(
        at=now,
        username=f"maria@{tenant.slug}.example",
        password="never-shown-secret",
        service_profile_id=profile.pk,
        subscription_id=line.pk,
        virtual_id=server.pk,
        calling_station_id="02:00:5E:00:00:01",
    )
    session = make_session(
        nas, account, f"session-{tenant.slug}", out4_bytes=2_500_000_000, in4_bytes=300_000_000
    )
    AuthAttempt.objects.create(
        at=now, last_at=now, times=3, account_id=account.pk, nas_id=nas.pk, username=account.username,
        username_key=account.username_key, station="02:00:5E:00:00:02", accepted=False, reason="mac",
    )  # fmt: skip
    batch = VoucherBatch.objects.create(
        name=f"Lobby of {name}", quantity=1, service_profile=profile, valid_minutes=120, created_by=user
    )
    return {
        "aaa.Nas": nas,
        "aaa.Policy": policy,
        "aaa.ServiceProfile": profile,
        "aaa.VirtualServer": server,
        "aaa.Account": account,
        "aaa.Session": session,
        "aaa.SessionAction": SessionAction.objects.create(
            kind="coa", session_id=session.pk, account=account, nas=nas, cause="staff", state="failed", outcome="nak",
            error_cause=503, message="The NAS has no such session.", attempts=1, next_at=now, requested_by=user,
            sent_at=now, finished_at=now,
        ),
        "aaa.VoucherBatch": batch,
        "aaa.Voucher": Voucher.objects.create(
            batch=batch, code_hash=tenant.slug.encode(), shown=f"CAFE{name[:2]}", state="unused"
        ),
    }  # fmt: skip


def fill_charges(tenant: Tenant, line: Subscription) -> dict[str, Any]:
    """Make one of each thing that is charged or taken off, a tax, an exemption, and what a recount found."""
    name = tenant.slug.title()
    day = timezone.now().date()
    capped = PlanFactory(name=f"Capped of {name}", cap_bytes=10**11, currency="EUR")
    rate = TaxRate.objects.create(name=f"VAT of {name}", percent="20.5", starts_on=day + timedelta(days=9))
    check = LedgerCheck.objects.create(checked_at=timezone.now(), findings_count=1)
    LedgerFinding.objects.create(
        check_run=check,
        invariant="balance",
        record="Subscriber SUB-000001",
        detail="kept 1, transfers make 2 EUR",
    )
    return {
        "billing.AddOn": AddOn.objects.create(
            subscription=line, name=f"TV of {name}", price=5, currency="EUR", starts_on=day
        ),
        "billing.OneOffCharge": OneOffCharge.objects.create(
            subscriber=line.subscriber, name=f"Visit of {name}", amount=5, currency="EUR", due_on=day
        ),
        "billing.Discount": Discount.objects.create(
            subscriber=line.subscriber, name=f"Welcome of {name}", percent=5, starts_on=day
        ),
        "billing.OveragePrice": OveragePrice.objects.create(
            plan=capped, price=1, currency="EUR", starts_on=day.replace(day=1)
        ),
        "billing.TaxRate": rate,
        "billing.TaxExemption": TaxExemption.objects.create(
            subscriber=line.subscriber, rate=rate, reason=f"Embassy of {name}", starts_on=day
        ),
        "billing.BillingSettings": BillingSettings.objects.create(
            bills_from=day, invoice_prefix=name[:8].upper()
        ),
        "billing.LedgerCheck": check,
    }


@pytest.fixture
def rows(tenant: Tenant, admin_user: User) -> dict[str, Any]:
    return fill(tenant, admin_user)


@pytest.fixture
def foreign_rows(other_tenant: Tenant, make_user: Callable[..., User]) -> dict[str, Any]:
    """The same of a tenant that must never be seen."""
    return fill(other_tenant, make_user("stranger", {other_tenant: Role.ADMINISTRATOR}))


__all__ = ["Olt", "Onu", "browser_of", "fill"]


@pytest.fixture
def people(acting: Tenant) -> dict[str, Subscriber]:
    """A customer in each state, the active one with a line that runs and one that waits."""
    found: dict[str, Subscriber] = {
        status: SubscriberFactory(status=status, full_name=f"The {status} one")
        for status in ("prospect", "active", "suspended", "inactive")
    }
    SubscriptionFactory(subscriber=found["active"], status="active")
    SubscriptionFactory(subscriber=found["active"])
    return found
