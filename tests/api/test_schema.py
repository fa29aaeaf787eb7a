"""The OpenAPI document: valid, complete, and what a generated client and a fuzzer make of it."""

import re
from io import StringIO
from uuid import UUID

import pytest
import schemathesis
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)  # fmt: skip

from aaa.models import Policy, VoucherBatch
from billing.models import (
    AddOn,
    BankLine,
    BankStatement,
    BillingRun,
    Checkout,
    CreditVoucher,
    CreditVoucherBatch,
    Discount,
    DunningNight,
    DunningPolicy,
    Exemption,
    GatewayAccount,
    GatewayEvent,
    Invoice,
    LedgerCheck,
    OneOffCharge,
    OveragePrice,
    Payment,
    PrepaidLine,
    Promise,
    Reminder,
    TaxExemption,
    TaxRate,
)
from ispcore.auth import access_tokens
from ispcore.events.models import WebhookDelivery, WebhookEndpoint
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from support.models import CannedAnswer, Consent, MassMessage, Notice, NoticeTemplate, Subject, Team, Ticket
from tests.aaa.online import make_account, make_nas, make_session
from tests.api import records
from tests.api.described import document
from tests.api.routes import operations
from tests.factories import (
    BillingProfileFactory,
    CustomFieldFactory,
    OnuFactory,
    SubscriptionFactory,
    ZoneFactory,
)

FUZZING = hypothesis_settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# They know no tenant, write no time and repeat nothing.
TOKENS = ("/api/v1/auth/token", "/api/v1/auth/revoke")
EVERY_OPERATION = [
    (verb, path, operation)
    for path, verbs in document()["paths"].items()
    for verb, operation in verbs.items()
]
IDS = [f"{verb} {path}" for verb, path, _ in EVERY_OPERATION]


def test_is_valid_and_made_without_a_warning():
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=StringIO())


def test_describes_every_operation_and_no_other():
    described = {
        (verb, path.removeprefix("/api/v1/").replace("{id}", "{pk}")) for verb, path, _ in EVERY_OPERATION
    }

    assert described == set(operations())


# What answers with a file.
FILE_PATHS = (
    "/api/v1/files/{id}/content",
    "/api/v1/imports/{id}/errors/file",
    "/api/v1/billing/reports/journal",
    "/api/v1/billing/invoices/{id}/pdf",
    "/api/v1/me/invoices/{id}/pdf",
    "/api/v1/billing/accounts/{id}/statement",
)


@pytest.mark.parametrize(("verb", "path", "operation"), EVERY_OPERATION, ids=IDS)
class TestEveryOperation:
    def test_has_a_purpose(self, verb, path, operation):
        assert len(operation["description"].split("\n")[0]) > 10

    def test_names_what_stands_in_its_path(self, verb, path, operation):
        named = [each["name"] for each in operation["parameters"] if each["in"] == "path"]

        assert named == re.findall(r"\{(\w+)\}", path)

    def test_has_an_envelope_for_every_body(self, verb, path, operation):
        for status, answer in operation["responses"].items():
            for media_type, media in answer.get("content", {}).items():
                schema = media["schema"]
                if media_type != "application/json":
                    assert path in FILE_PATHS
                    assert status == "200"
                    continue
                if status >= "400":
                    assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}
                elif path not in TOKENS:
                    assert schema["required"] == ["success", "data", "meta"]

    def test_describes_its_refusals(self, verb, path, operation):
        wanted = {"400", "401", "403", "406", "429", "503"}
        if "{id}" in path:
            wanted |= {"404"}
        if verb in ("post", "put", "patch"):
            wanted |= {"409", "413", "415", "422"}
        if verb in ("put", "patch", "delete"):
            wanted |= {"412"}

        assert wanted <= set(operation["responses"])

    def test_names_its_headers(self, verb, path, operation):
        taken = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
        wanted = {"X-Request-ID"}
        if path not in TOKENS:
            wanted |= {"X-Tenant-ID", "X-Timezone"}
            if verb == "post":
                wanted |= {"X-Idempotency-Key"}
        if verb in ("put", "patch", "delete"):
            wanted |= {"If-Match"}
        given = operation["responses"]

        assert wanted <= taken
        assert path not in TOKENS or taken == wanted
        assert all("X-Request-ID" in answer["headers"] for answer in given.values())
        assert "Retry-After" in given["429"]["headers"]
        assert "WWW-Authenticate" in given["401"]["headers"]
        if "201" in given:
            assert {"Location", "ETag"} <= set(given["201"]["headers"])

    def test_takes_no_property_it_does_not_name(self, verb, path, operation):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if not body or path in TOKENS:
            return
        named = document()["components"]["schemas"][body["$ref"].rsplit("/", 1)[-1]]

        assert named["additionalProperties"] is False


def test_names_of_enumerations_do_not_depend_on_their_neighbours():
    names = set(document()["components"]["schemas"])

    assert {
        "Role",
        "TaskStatus",
        "OltVendor",
        "SnmpVersion",
        "OnuStatus",
        "OnuDownCause",
        "DiscoveryOutcome",
    } <= names
    assert [name for name in names if re.search(r"[0-9a-fA-F]{3}Enum", name)] == []


FUZZED = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip
# Where what the fuzzer spoilt surely travels. The credential is put back into every call, other headers are taken
# out, and a spoilt query may be one that an address cannot carry: the request is then well-formed after all.
SPOILT = {ParameterLocation.BODY, ParameterLocation.PATH}
# Headers with rules of their own, which the document cannot say: random ones would only ever be refused.
LEFT_OUT = ("X-Timezone", "X-Tenant-ID", "X-Request-ID", "X-Idempotency-Key", "If-Match", "If-None-Match")


# A record of each of billing's models, by where it is found; before those of the same last word elsewhere.
BILLED = {
    "billing/invoices": Invoice,
    "billing/payments": Payment,
    "billing/gateways": GatewayAccount,
    "billing/gateway-events": GatewayEvent,
    "billing/checkouts": Checkout,
    "billing/runs": BillingRun,
    "billing/reconciliations": BankStatement,
    "billing/bank-lines": BankLine,
    "billing/add-ons": AddOn,
    "billing/charges": OneOffCharge,
    "billing/discounts": Discount,
    "billing/overage-prices": OveragePrice,
    "billing/tax-rates": TaxRate,
    "billing/tax-exemptions": TaxExemption,
    "billing/ledger-checks": LedgerCheck,
    "billing/dunning/policies": DunningPolicy,
    "billing/dunning/promises": Promise,
    "billing/dunning/exemptions": Exemption,
    "billing/dunning/nights": DunningNight,
    "billing/dunning/reminders": Reminder,
    "billing/prepaid/voucher-batches": CreditVoucherBatch,
    "billing/prepaid/vouchers": CreditVoucher,
    "billing/prepaid/services": PrepaidLine,
}


ASKED = {
    "webhooks": WebhookEndpoint,
    "webhook-deliveries": WebhookDelivery,
    "support/tickets": Ticket,
    "support/subjects": Subject,
    "support/teams": Team,
    "support/canned-answers": CannedAnswer,
    "support/notices": Notice,
    "support/notice-templates": NoticeTemplate,
    "support/consents": Consent,
    "support/mass-messages": MassMessage,
}


def loses_a_part(case: schemathesis.Case) -> bool:
    """Tell whether a form has an empty part: the client leaves it out, and what arrives may be well-formed."""
    if case.media_type != "multipart/form-data" or not isinstance(case.body, dict):
        return False
    return any(isinstance(part, str) and not part for part in case.body.values())


def is_id(value: object) -> bool:
    """Tell whether the fuzzer meant this well: what it spoilt stays as it is."""
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False


@pytest.mark.timeout(900)  # Some thousand requests.
@pytest.mark.django_db(transaction=True)
def test_a_fuzzer_finds_no_fault(admin_user, tenant, settings):
    """Well-formed and malformed requests of every operation, the same ones in every run.

    Left out: the token, whose limits would answer most of it. It has tests of its own.
    """
    settings.RATE_LIMIT_PER_MINUTE = 1_000_000
    with tenant_context(tenant.pk):
        onu = OnuFactory()
        job = Job.objects.create(kind="x")
        line = SubscriptionFactory(
            premise__zone=ZoneFactory(), subscriber__billing_profile=BillingProfileFactory()
        )
        field = CustomFieldFactory()
        policy = Policy.objects.create(name="Known", down_kbps=1000)
        account = make_account("known", policy, cap_bytes=10**9, subscription=line)
        nas = make_nas(None)
        session = make_session(nas, account, "known")
        batch = VoucherBatch.objects.create(name="Known", quantity=1, service_profile=account.service_profile)
        billed = {path: records.MAKE[model]().pk for path, model in BILLED.items()}
        asked = {path: records.MAKE[model]().pk for path, model in ASKED.items()}
        rate = records.make_tax_rate()
    known = {
        **billed, **asked, "billing/accounts": line.subscriber_id,
        "olts": onu.olt_id, "onus": onu.pk, "tasks": job.pk, "subscribers": line.subscriber_id, "services": line.pk,
        "zones": line.premise.zone_id, "internet-plans": line.plan_id, "products": line.plan_id,
        "premises": line.premise_id, "billing-profiles": line.subscriber.billing_profile_id,
        "custom-fields": field.pk, "accounts": account.pk, "policies": policy.pk, "nas": nas.pk,
        "sessions": session.pk, "voucher-batches": batch.pk,
    }  # fmt: skip
    # What bodies name others by: with made-up ids every one would end at the first look-up.
    named = {
        "customer_id": line.subscriber_id, "product_id": line.plan_id, "premise_id": line.premise_id,
        "zone_id": line.premise.zone_id, "billing_profile_id": line.subscriber.billing_profile_id,
        "account_id": account.pk, "service_id": account.service_profile_id, "profile_id": policy.pk,
        "subscription_id": line.pk,
    }  # fmt: skip
    named_in_billing = {
        **named, "subscriber_id": line.subscriber_id, "service_id": line.pk, "plan_id": line.plan_id,
        "invoice_id": billed["billing/invoices"], "gateway_id": billed["billing/gateways"],
        "payment_id": billed["billing/payments"], "rate_id": rate.pk,
    }  # fmt: skip
    named_in_support = {
        "subscriber_id": line.subscriber_id, "service_id": line.pk, "zone_id": line.premise.zone_id,
        "subject_id": asked["support/subjects"], "team_id": asked["support/teams"], "assignee_id": admin_user.pk,
    }  # fmt: skip
    token = access_tokens.mint(user_id=admin_user.pk, at=timezone.now())
    # No worker runs here: what starts a job answers with its task at once.
    credential = {
        "Authorization": f"Bearer {token}", "Accept-Encoding": "identity", "Prefer": "respond-async",
    }  # fmt: skip
    schema = schemathesis.openapi.from_wsgi(
        "/api/schema", get_wsgi_application(), headers={"Accept": "application/json"}
    )
    statuses: list[int] = []

    def attack(case: schemathesis.Case) -> None:
        for name in LEFT_OUT:
            case.headers.pop(name, None)
        record = next((pk for word, pk in known.items() if f"/{word}/" in case.path), None)
        if record and len(statuses) % 2:
            case.path_parameters = {"id": str(record)}
        if isinstance(case.body, dict) and len(statuses) % 2:
            names = named_in_billing if "/billing/" in case.path else named
            names = named_in_support if "/support/" in case.path else names
            for name in case.body.keys() & names.keys():
                if is_id(case.body[name]):
                    case.body[name] = str(names[name])
        response = case.call(headers=credential)
        statuses.append(response.status_code)
        assert case.meta
        spoilt = {place for place, part in case.meta.components.items() if part.mode.is_negative}
        is_spoilt = spoilt & SPOILT and not loses_a_part(case)
        checks = [*FUZZED, negative_data_rejection] if is_spoilt else FUZZED
        case.validate_response(response, checks=checks, headers=credential)

    for found in schema.exclude(path_regex="auth/(token|revoke)").get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        # A notice comes without a credential to any name, and its body is the gateway's own: nothing can be spoilt.
        is_notice = operation.path.endswith("/callback")
        for mode in (GenerationMode.POSITIVE,) if is_notice else GenerationMode:
            FUZZING(given(operation.as_strategy(generation_mode=mode))(attack))()

    assert {200, 400, 404, 422} <= set(statuses)
    assert len(statuses) > 200
