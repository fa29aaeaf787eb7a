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
from tests.api import dunning_records, support_records, webhook_records
from tests.api.records import (
    make_add_on,
    make_api_key,
    make_bank_line,
    make_billing_run,
    make_book_import,
    make_cgnat_rule,
    make_charge,
    make_checkout,
    make_discount,
    make_drift,
    make_gateway_event,
    make_ledger_check,
    make_overage_price,
    make_reconciliation,
    make_tax_exemption,
    make_tax_rate,
)
from tests.api.routes import api_routes
from tests.api.their_records import BODIES, FILTERS, OLT, RECORD, WITHOUT_RECORDS
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
        billing_run = make_billing_run()
        gateway_event, checkout = make_gateway_event(), make_checkout()
        billed = {
            "add_on": make_add_on(), "charge": make_charge(), "discount": make_discount(),
            "overage_price": make_overage_price(), "tax_rate": make_tax_rate(),
            "tax_exemption": make_tax_exemption(), "ledger_check": make_ledger_check(),
        }  # fmt: skip
        named = {**dunning_records.NAMED, **support_records.NAMED, **webhook_records.NAMED}
        dunned = {name: make() for name, make in named.items()}
        bank_line = make_bank_line()
        custom_field = CustomField.objects.create(key="theirs", label="Theirs")
        with write_file(name="theirs.csv", media_type="text/csv", app_label="subscribers") as (file, _):
            pass
        api_key = make_api_key()
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
        "import": of_import.pk, "api_key": api_key.pk,
        "waiting": waiting.pk, "preset": preset.pk, "change": change.pk,
        "vrf": subnet.vrf_id, "subnet": subnet.pk, "pool": pool.pk, "address": address.pk,
        "outage": outage.pk, "signal_limits": signal_limits.pk,
        "cgnat_rule": cgnat_rule.pk, "book_import": book_import.pk, "reconciliation": reconciliation.pk,
        "drift": drift.pk, "payment": gateway_event.payment_id, "gateway": gateway_event.gateway_id,
        "gateway_event": gateway_event.pk, "checkout": checkout.pk, "invoice": checkout.invoice_id,
        "bank_line": bank_line.pk, "bank_statement": bank_line.statement_id,
        "billing_run": billing_run.pk,
        "nas": nas.pk, "account": account.pk, "session": session.pk, "action": action,
        "policy": policy.pk, "virtual_server": virtual_server.pk, "service_profile": service_profile.pk,
        "top_up": top_up.pk, "voucher_batch": voucher_batch.pk, "voucher": voucher.pk,
        "reminded": dunned["reminder"].invoice_id,
        **{name: each.pk for name, each in billed.items()},
    }  # fmt: skip
    rows |= {name: each.pk for name, each in dunned.items()}
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
        if label.startswith(("hardware", "ipam", "jobs", "subscribers", "aaa", "billing", "support"))
    )


def test_no_list_shows_their_records(api, theirs, other_tenant):
    for route in api_routes():
        if route.path not in RECORD:
            continue
        for query in ("", "?cursor=", "?search=Theirs", *(f"?{each}" for each in FILTERS[route.path])):
            if not hasattr(route.view, "search_fields") and query:
                continue  # A short list in groups: no pages, no filters.
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
