"""Makes the records that a fuzzer of the API is pointed at."""

from typing import Any

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
from ispcore.events.models import WebhookDelivery, WebhookEndpoint
from ispcore.jobs.models import Job
from support.models import CannedAnswer, Consent, MassMessage, Notice, NoticeTemplate, Subject, Team, Ticket
from tests.aaa.online import make_account, make_nas, make_session
from tests.api import records
from tests.api.known import Known
from tests.factories import (
    BillingProfileFactory,
    CustomFieldFactory,
    OnuFactory,
    SubscriptionFactory,
    ZoneFactory,
)

# A record of each of these models, by where it is found; before those of the same last word elsewhere.
FOUND_AT = {
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


def make_known(*, staff_id: object) -> Known:
    """Make a record of each kind for the bound tenant."""
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
    made = {path: records.MAKE[model]().pk for path, model in FOUND_AT.items()}
    found = {
        **made, "billing/accounts": line.subscriber_id,
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
    in_billing = {
        **named, "subscriber_id": line.subscriber_id, "service_id": line.pk, "plan_id": line.plan_id,
        "invoice_id": made["billing/invoices"], "gateway_id": made["billing/gateways"],
        "payment_id": made["billing/payments"], "rate_id": records.make_tax_rate().pk,
    }  # fmt: skip
    in_support = {
        "subscriber_id": line.subscriber_id, "service_id": line.pk, "zone_id": line.premise.zone_id,
        "subject_id": made["support/subjects"], "team_id": made["support/teams"], "assignee_id": staff_id,
    }  # fmt: skip
    return Known(
        _texts(found), {"billing": _texts(in_billing), "support": _texts(in_support), "": _texts(named)}
    )


def _texts(found: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in found.items()}
