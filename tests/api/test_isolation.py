"""Every route and verb, called with another tenant's ids: not found, and nothing there is changed."""

from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from aaa.models import ActionCause, Policy, TopUp, VirtualServer, Voucher, VoucherBatch
from aaa.services.actions import request_disconnect
from hardware.models import (
    DiscoveryRun,
    Olt,
    OnuPreset,
    Outage,
    PonClass,
    ProvisioningJob,
    SignalLimits,
    WaitingOnu,
)
from ispcore.files.services import write_file
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import CustomField, PlanZone
from tests.aaa.online import make_account, make_nas, make_session
from tests.api.records import make_book_import, make_cgnat_rule, make_drift, make_reconciliation
from tests.api.routes import api_routes
from tests.factories import (
    AddressFactory,
    BillingProfileFactory,
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
    ZoneFactory,
)

pytestmark = pytest.mark.django_db

OLT = {"name": "Theirs", "vendor": "huawei", "ip": "192.0.2.1", "community": "c"}

PLAN = {
    "code": "NEW", "name": "New", "down_kbps": 1, "up_kbps": 1, "price": "1.00", "currency": "EUR",
}  # fmt: skip

# Routes that take no id of a record of a tenant, each for its reason.
WITHOUT_RECORDS = {
    "auth/token": "speaks of people, not of a tenant's records",
    "me": "names the caller's own tenant only",
    "subscribers/search": "names no record; tests/subscribers/test_customers_found.py asks it for two tenants",
    "subscribers/bulk": "its ids stand in the body; tests/subscribers/test_bulk.py gives it another tenant's",
    "services/bulk": "its ids stand in the body; tests/subscribers/test_bulk.py gives it another tenant's",
    "subscribers/resolve": "names no record; tests/subscribers/test_identity.py asks it for two tenants",
    "subscriber-settings": "one record of the caller's own tenant; tests/subscribers/test_settings.py asks it for two",
    "aaa/auth-attempts": "names records in its filters only; tests/aaa/test_sessions_api.py asks it for two tenants",
    "aaa/usage": "names records in its query only; tests/aaa/test_usage.py gives it another tenant's",
    "aaa/settings": "one record of the caller's own tenant; tests/aaa/test_settings_api.py asks it for two",
    "aaa/vouchers/redeem": "takes a code; tests/aaa/test_vouchers.py gives it another tenant's",
    "exports": "its filters are those of the lists; tests/files/test_exports.py exports for two tenants",
    "ipam/cgnat/lookup": "names no record; tests/ipam/test_cgnat.py asks it for two tenants",
    "services/snapshot": "names no record; tests/subscribers/test_snapshot.py calls it for two tenants",
}
# Which of their records stands in the path.
RECORD = {
    "tasks": "job",
    "files": "file",
    "hardware/olts": "olt",
    "hardware/onus": "onu",
    "hardware/pon-ports": "pon_port",
    "hardware/discovery-runs": "run",
    "hardware/waiting-onus": "waiting",
    "hardware/onu-presets": "preset",
    "hardware/provisioning-jobs": "change",
    "hardware/outages": "outage",
    "hardware/signal-limits": "signal_limits",
    "ping": "job",
    "ipam/vrfs": "vrf",
    "ipam/subnets": "subnet",
    "ipam/pools": "pool",
    "ipam/addresses": "address",
    "ipam/cgnat-rules": "cgnat_rule",
    "ipam/imports": "book_import",
    "ipam/reconciliations": "reconciliation",
    "ipam/drifts": "drift",
    "ipam/waiting-services": "line",
    "aaa/actions": "action",
    "aaa/accounts": "account",
    "aaa/top-ups": "top_up",
    "aaa/sessions": "session",
    "aaa/policies": "policy",
    "aaa/services": "service_profile",
    "aaa/virtual-servers": "virtual_server",
    "aaa/nas": "nas",
    "aaa/voucher-batches": "voucher_batch",
    "aaa/vouchers": "voucher",
    "subscribers": "customer",
    "subscribers/by-document": "document",
    "subscribers/by-phone": "phone",
    "subscribers/by-service": "line",
    "services": "line",
    "custom-fields": "custom_field",
    "zones": "zone",
    "internet-plans": "plan",
    "products": "plan",
    "premises": "premise",
    "billing-profiles": "billing_profile",
    "imports": "import",
}
# How their records are named elsewhere than in the path: bodies of POST, and filters.
BODIES: dict[str, Any] = {
    "hardware/olt/discover": [{"olt_id": "{olt}"}, {"ip": "{ip}"}, {"olt_id": "{olt}", "ip": "{ip}"}],
    "hardware/olt/sync": [{"olt_id": "{olt}"}, {"ip": "{ip}"}],
    "hardware/olt/onu/status": [
        {"olt_id": "{olt}", "serial": "{serial}"},
        {"ip": "{ip}", "index": "0/1/0/1"},
    ],
    "hardware/olt/onu/signal": [
        {"olt_id": "{olt}", "serial": "{serial}"},
        {"ip": "{ip}", "index": "0/1/0/1"},
    ],
    "hardware/olt/pon/stats": [{"olt_id": "{olt}"}, {"ip": "{ip}"}],
    "hardware/olt/onu/authorize": [
        {"olt_id": "{olt}", "serial": "HWTC12345678", "pon_port": "0/1/0", "preset_id": "{preset}"},
        {"ip": "{ip}", "serial": "HWTC12345678", "pon_port": "0/1/0", "service_id": "{line}"},
    ],
    "hardware/olt/onu/unauthorize": [
        {"olt_id": "{olt}", "serial": "HWTC12345678"},
        {"ip": "{ip}", "index": "0/1/0/1"},
    ],
    "hardware/onu-presets": [],  # Names no record.
    "ipam/subnets": [{"vrf_id": "{vrf}", "network": "10.0.0.0/8"}],
    "ipam/cgnat-rules": [
        {
            "name": "New",
            "vrf_id": "{vrf}",
            "inside_first": "100.64.0.0",
            "inside_last": "100.64.0.1",
            "public_first": "203.0.113.1",
            "public_last": "203.0.113.1",
        }
    ],
    "ipam/pools": [{"vrf_id": "{vrf}", "name": "New"}],
    "ipam/allocate": [
        {"pool_id": "{pool}", "assigned_to": "x"},
        {"subnet_id": "{subnet}", "assigned_to": "x"},
        {"pool_id": "{pool}", "service_id": "{line}"},
    ],
    "ipam/release": [
        {"address_id": "{address}"},
        {"vrf_id": "{vrf}", "address": "198.51.100.7"},
        {"service_id": "{line}"},
    ],
    "ipam/reserve": [
        {"pool_id": "{pool}", "address": "198.51.100.7", "reserved_for": "x"},
        {"subnet_id": "{subnet}", "address": "198.51.100.7", "reserved_for": "x"},
    ],
    "aaa/accounts": [
        {"username": "new", "service_id": "{service_profile}"},
        {"username": "new", "service_id": "{service_profile}", "profile_id": "{policy}"},
        {"username": "new", "service_id": "{service_profile}", "subscription_id": "{line}"},
    ],
    "aaa/top-ups": [{"account_id": "{account}", "bytes": 1}],
    "aaa/policies": [{"name": "New", "plan_id": "{plan}"}],
    "aaa/nas": [
        {
            "name": "New",
            "address": "203.0.113.77",
            "secret": "long-enough",
            "nas_type": "mikrotik",
            "zone_id": "{zone}",
        },
    ],
    "aaa/voucher-batches": [{"name": "New", "quantity": 1, "service_id": "{service_profile}"}],
    "aaa/coa": [{"session_id": "{session}"}, {"account_id": "{account}"}, {"service_id": "{line}"}],
    "aaa/disconnect": [{"session_id": "{session}"}, {"account_id": "{account}"}, {"service_id": "{line}"}],
    "services": [{"customer_id": "{customer}", "product_id": "{plan}", "premise_id": "{premise}"}],
    "subscribers": [{"full_name": "New", "status": "active", "billing_profile_id": "{billing_profile}"}],
    "zones": [{"name": "New", "parent_id": "{zone}"}],
    "internet-plans": [PLAN | {"zone_ids": ["{zone}"]}],
    "products": [PLAN | {"zone_ids": ["{zone}"]}],
    "premises": [{"address_line1": "1 New Road", "zone_id": "{zone}"}],
}
FILTERS = {
    "hardware/onus": [
        "olt_id={olt}",
        "pon_port_id={pon_port}",
        "service_id={line}",
        "signal=good,none",
        "telemetry=none",
    ],
    "hardware/outages": ["olt_id={olt}", "pon_port_id={pon_port}", "status=suspected"],
    "hardware/signal-limits": ["pon_class=C%2B"],
    "hardware/pon-ports": ["olt_id={olt}"],
    "hardware/discovery-runs": ["olt_id={olt}"],
    "hardware/waiting-onus": ["olt_id={olt}", "serial=HWTC*"],
    "hardware/onu-presets": ["name=Their*"],
    "hardware/provisioning-jobs": ["olt_id={olt}", "onu_id={onu}"],
    "hardware/olts": ["ip={ip}"],
    "ipam/vrfs": ["name=Their*"],
    "ipam/cgnat-rules": [
        "vrf_id={vrf}",
        "pool_id={pool}",
        "public_address=203.0.113.1",
        "inside_address=100.64.0.1",
    ],
    "ipam/imports": ["status=uploaded", "file_format=csv"],
    "ipam/reconciliations": ["vrf_id={vrf}", "seen_in=arp", "status=running"],
    "ipam/drifts": [
        "vrf_id={vrf}",
        "reconciliation_id={reconciliation}",
        "address=192.0.2.1",
        "kind=unknown_address",
        "service_id={line}",
        "seen_service_id={line}",
        "is_open=true",
    ],
    "ipam/waiting-services": ["product_id={plan}", "pool=Their*"],
    "ipam/subnets": ["vrf_id={vrf}", "network=198.51.100.0/24", "contains=198.51.100.7"],
    "ipam/pools": ["vrf_id={vrf}", "subnet_id={subnet}", "name=Their*"],
    "ipam/addresses": [
        "vrf_id={vrf}",
        "subnet_id={subnet}",
        "pool_id={pool}",
        "service_id={line}",
        "address=198.51.100.7",
        "network=198.51.100.0/24",
        "search=198.51.100.",
    ],
    "aaa/accounts": [
        "id={account}",
        "id=0*",
        "username=their*",
        "profile_id={policy}",
        "service_id={service_profile}",
        "virtual_id={virtual_server}",
        "subscription_id={line}",
        "calling_station_id=02:00*",
        "search=their",
    ],
    "aaa/top-ups": ["account_id={account}"],
    "aaa/sessions": [
        "history=true",
        "nas_id={nas}",
        "account_id={account}",
        "service_id={line}",
        "policy_id={policy}",
        "username=their*",
        "address=100.64.0.9",
        "history=true&account_id={account}",
    ],
    "aaa/policies": ["name=Their*", "plan_id={plan}"],
    "aaa/services": ["name=Their*"],
    "aaa/virtual-servers": ["name=Their*"],
    "aaa/nas": ["zone_id={zone}", "address=198.51.100.1"],
    "aaa/voucher-batches": ["name=Their*"],
    "aaa/vouchers": ["batch_id={voucher_batch}", "account_id={account}", "state=active"],
    "aaa/actions": ["session_id={session}", "account_id={account}", "nas_id={nas}", "state=queued"],
    "tasks": ["kind=theirs"],
    "files": ["name=theirs.csv", "app_label=subscribers"],
    "subscribers": [
        "external_id=theirs",
        "billing_profile_id={billing_profile}",
        "phone={phone}",
        "tag=theirs",
    ],
    "services": ["customer_id={customer}", "product_id={plan}", "premise_id={premise}"],
    "custom-fields": ["key=theirs"],
    "zones": ["parent_id={zone}", "name=Their*"],
    "internet-plans": ["zone_id={zone}", "code=THEIRS"],
    "products": ["zone_id={zone}", "code=THEIRS"],
    "premises": ["zone_id={zone}", "city=Theirs"],
    "billing-profiles": ["name=Their*"],
    "imports": ["status=uploaded", "sha256=" + "0" * 64],
}


@pytest.fixture
def theirs(other_tenant: Tenant) -> dict[str, str]:
    """One record of each kind that belongs to somebody else."""
    with tenant_context(other_tenant.pk):
        olt = OltFactory(name="Theirs")
        port = PonPortFactory(olt=olt)
        onu = OnuFactory(olt=olt, pon_port=port)
        job = Job.objects.create(kind="theirs", subject=f"olt:{olt.pk}")
        run = DiscoveryRun.objects.create(olt=olt, job=job, started_at=timezone.now())
        outage = Outage.objects.create(olt=olt, pon_port=port, started_at=timezone.now())
        signal_limits = SignalLimits.objects.create(pon_class=PonClass.C_PLUS)
        waiting = WaitingOnu.objects.create(
            olt=olt,
            serial="HWTC1",
            pon_port="0/1/0",
            first_seen_at=timezone.now(),
            last_seen_at=timezone.now(),
        )
        preset = OnuPreset.objects.create(name="Theirs", vendor="huawei")
        change = ProvisioningJob.objects.create(
            action="authorize", olt=olt, onu=onu, serial="HWTC1", pon_port="0/1/0", job=job, status="failed"
        )
        zone = ZoneFactory(name="Theirs")
        plan = PlanFactory(code="THEIRS", name="Theirs")
        PlanZone.objects.create(plan=plan, zone=zone)
        premise = PremiseFactory(zone=zone, city="Theirs")
        billing_profile = BillingProfileFactory(name="Theirs")
        customer = SubscriberFactory(
            full_name="Theirs",
            external_id="theirs",
            document_normal="AB1234",
            phone_e164="+15550001234",
            billing_profile=billing_profile,
            tags=["theirs"],
        )
        of_import = ImportFactory(name="Theirs", sha256="0" * 64)
        line = SubscriptionFactory(plan=plan, premise=premise, subscriber=customer)
        subnet = SubnetFactory(vrf__name="Theirs")
        pool = PoolFactory(vrf=subnet.vrf, name="Theirs")
        address = AddressFactory(
            subnet=subnet, pool=pool, address="198.51.100.7", state="assigned", free_since=None,
            assigned_at=timezone.now(), subscription=line,
        )  # fmt: skip
        cgnat_rule, book_import, reconciliation, drift = (
            make() for make in (make_cgnat_rule, make_book_import, make_reconciliation, make_drift)
        )
        custom_field = CustomField.objects.create(key="theirs", label="Theirs")
        with write_file(name="theirs.csv", media_type="text/csv", app_label="subscribers") as (file, _):
            pass
        nas = make_nas(None)
        policy = Policy.objects.create(name="Theirs", plan=plan)
        virtual_server = VirtualServer.objects.create(name="Theirs")
        account = make_account(
            "theirs",
            policy,
            subscription=line,
            virtual=virtual_server,
            calling_station_id="02:00:5E:00:00:01",
        )
        service_profile = account.service_profile
        top_up = TopUp.objects.create(account=account, bytes=1, valid_from=timezone.now())
        voucher_batch = VoucherBatch.objects.create(
            name="Theirs", quantity=1, service_profile=service_profile
        )
        voucher = Voucher.objects.create(
            batch=voucher_batch, code_hash=b"t" * 32, shown="THEI", state="active", account=account,
            used_at=timezone.now(),
        )  # fmt: skip
        session = make_session(nas, account, "theirs")
        [action] = request_disconnect(session_ids=[session.pk], cause=ActionCause.STAFF)
    rows = {
        "olt": olt.pk, "pon_port": port.pk, "onu": onu.pk, "job": job.pk, "run": run.pk, "zone": zone.pk,
        "plan": plan.pk, "premise": premise.pk, "billing_profile": billing_profile.pk,
        "file": file.pk, "line": line.pk, "customer": customer.pk, "custom_field": custom_field.pk,
        "import": of_import.pk,
        "waiting": waiting.pk, "preset": preset.pk, "change": change.pk,
        "vrf": subnet.vrf_id, "subnet": subnet.pk, "pool": pool.pk, "address": address.pk,
        "outage": outage.pk, "signal_limits": signal_limits.pk,
        "cgnat_rule": cgnat_rule.pk, "book_import": book_import.pk, "reconciliation": reconciliation.pk,
        "drift": drift.pk,
        "nas": nas.pk, "account": account.pk, "session": session.pk, "action": action,
        "policy": policy.pk, "virtual_server": virtual_server.pk, "service_profile": service_profile.pk,
        "top_up": top_up.pk, "voucher_batch": voucher_batch.pk, "voucher": voucher.pk,
    }  # fmt: skip
    texts = {"ip": olt.ip, "serial": onu.serial, "document": "AB1234", "phone": "5550001234"}
    return {**{name: str(pk) for name, pk in rows.items()}, **texts}


def everything_of(tenant: Tenant) -> dict[str, list[Any]]:
    models = [m for m in apps.get_models() if any(f.name == "tenant" for f in m._meta.local_fields)]
    with tenant_context(tenant.pk):
        return {m._meta.label: list(m._base_manager.order_by("pk").values()) for m in models}


def test_the_walk_knows_every_route():
    known = {*WITHOUT_RECORDS, *RECORD, *BODIES}
    strangers = [
        route.path
        for route in api_routes()
        if route.path not in known and route.path.partition("/{pk}")[0] not in RECORD
    ]

    assert strangers == [], "say in this file whose records these routes take, and how"


def test_every_verb_on_their_record_is_404(api, theirs, other_tenant, tenant):
    before = everything_of(other_tenant)
    answers = {}

    for route in api_routes():
        base = route.path.partition("/{pk}")[0]
        if "{pk}" not in route.path:
            continue
        for verb in route.verbs:
            for slash in ("", "/"):
                path = route.at(theirs[RECORD[base]]) + slash
                answers[verb, path] = api.send(
                    verb, path, b'{"name": "Taken"}', "application/json"
                ).status_code

    assert set(answers.values()) == {404}
    assert everything_of(other_tenant) == before
    assert not any(
        rows
        for label, rows in everything_of(tenant).items()
        if label.startswith(("hardware", "ipam", "jobs", "subscribers"))
        if label.startswith(("hardware", "jobs", "subscribers", "aaa"))
    )


def test_no_list_shows_their_records(api, theirs, other_tenant):
    for route in api_routes():
        if route.path not in RECORD:
            continue
        for query in ("", "?cursor=", "?search=Theirs", *(f"?{each}" for each in FILTERS[route.path])):
            if "search" in query and not route.view.search_fields:
                continue
            response = api.get(route.path + query.format(**theirs))
            assert (response.status_code, response.json()["data"]) == (200, []), (route.path, query)


def fill(value: Any, theirs: dict[str, str]) -> Any:
    """Put their ids where the braces are."""
    if isinstance(value, dict):
        return {name: fill(each, theirs) for name, each in value.items()}
    if isinstance(value, list):
        return [fill(each, theirs) for each in value]
    return value.format(**theirs) if isinstance(value, str) else value


def test_no_body_reaches_their_records(api, theirs, other_tenant):
    before = everything_of(other_tenant)

    for path, bodies in BODIES.items():
        for body in bodies:
            filled = fill(body, theirs)
            assert api.post(path, filled).status_code == 404, (path, body)

    assert everything_of(other_tenant) == before


def test_their_names_are_free_here(api, theirs, other_tenant, tenant):
    before = everything_of(other_tenant)

    assert api.post("hardware/olts", OLT | {"ip": theirs["ip"]}).status_code == 201

    assert everything_of(other_tenant) == before
    with tenant_context(tenant.pk):
        assert Olt.objects.get().tenant_id == tenant.pk


def test_no_header_opens_their_records(api, theirs, other_tenant):
    for header in (other_tenant.slug, str(other_tenant.pk)):
        response = api.get(f"hardware/olts/{theirs['olt']}", X_Tenant_ID=header)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "tenant_forbidden")


def test_their_id_and_nobodys_look_alike(api, theirs):
    nobodys = api.get("hardware/olts/01900000-0000-7000-8000-000000000000").json()["error"]

    assert api.get(f"hardware/olts/{theirs['olt']}").json()["error"] == nobodys


def test_a_new_record_cannot_be_put_into_their_tenant(api, theirs, other_tenant, tenant):
    before = everything_of(other_tenant)

    for name in ("tenant", "tenant_id"):
        response = api.post("hardware/olts", OLT | {name: str(other_tenant.pk)})
        assert response.json()["error"]["fields"][0]["code"] == "unknown_field"

    assert everything_of(other_tenant) == before
    with tenant_context(tenant.pk):
        assert not Olt.objects.exists()
