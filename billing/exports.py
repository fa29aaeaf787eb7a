"""The lists of billing as files: with the fields that the API shows."""

from billing.api.charges import AddOnViewSet, ChargeViewSet, DiscountViewSet, OveragePriceViewSet
from billing.api.dunning import DunningNightViewSet, DunningPolicyViewSet, ReminderViewSet
from billing.api.gateways import CheckoutViewSet, GatewayViewSet
from billing.api.invoices import InvoiceViewSet
from billing.api.payments import PaymentViewSet
from billing.api.prepaid import CreditVoucherBatchViewSet, PrepaidServiceViewSet
from billing.api.reconciliations import BankLineViewSet, ReconciliationViewSet
from billing.api.runs import RunViewSet
from billing.api.sparing import ExemptionViewSet, PromiseViewSet
from billing.api.taxes import TaxExemptionViewSet, TaxRateViewSet
from ispcore.files.exports import register_views
from ispcore.files.tenant_export.contents import Rule, add_total, carry, kept_file

register_views(
    {
        "invoices": InvoiceViewSet,
        "payments": PaymentViewSet,
        "charges": ChargeViewSet,
        "add-ons": AddOnViewSet,
        "discounts": DiscountViewSet,
        "overage-prices": OveragePriceViewSet,
        "tax-rates": TaxRateViewSet,
        "tax-exemptions": TaxExemptionViewSet,
        "billing-runs": RunViewSet,
        "reconciliations": ReconciliationViewSet,
        "bank-lines": BankLineViewSet,
        "checkouts": CheckoutViewSet,
        "gateways": GatewayViewSet,
        "dunning-policies": DunningPolicyViewSet,
        "promises": PromiseViewSet,
        "exemptions": ExemptionViewSet,
        "dunning-nights": DunningNightViewSet,
        "reminders": ReminderViewSet,
        "credit-voucher-batches": CreditVoucherBatchViewSet,
        "prepaid-services": PrepaidServiceViewSet,
    }
)

# Of a whole provider's export.
carry("billing.BankStatement", Rule(values={"file_id": kept_file("file_id")}))
carry("billing.CreditVoucherBatch", Rule(values={"sheet_id": kept_file("sheet_id")}))
carry(
    "billing.InvoiceMail",
    Rule(
        values={
            "status": "CASE WHEN t.status IN ('queued', 'sending') THEN 'failed' ELSE t.status END",
            "problem": "CASE WHEN t.status IN ('queued', 'sending') "
            "THEN 'It was under way where this was exported.' ELSE t.problem END",
        }
    ),
)
add_total(
    "Booked",
    "SELECT currency, sum(amount) FROM billing_transfer WHERE tenant_id = %(tenant)s GROUP BY currency ORDER BY 1",
)
add_total(
    "Receivable by the ledger",
    "SELECT currency, sum(CASE 'receivable' WHEN debit THEN amount WHEN credit THEN -amount ELSE 0 END) "
    "FROM billing_transfer WHERE tenant_id = %(tenant)s GROUP BY currency ORDER BY 1",
)
add_total(
    "Customers' balances",
    "SELECT currency, sum(balance) FROM billing_subscriberbalance WHERE tenant_id = %(tenant)s "
    "GROUP BY currency ORDER BY 1",
)
add_total(
    "Open invoices",
    "SELECT currency, sum(open_amount) FROM billing_invoice WHERE tenant_id = %(tenant)s AND kind = 'invoice' "
    "GROUP BY currency ORDER BY 1",
)
add_total(
    "Payments",
    "SELECT currency, sum(amount - refunded) FROM billing_payment WHERE tenant_id = %(tenant)s "
    "GROUP BY currency ORDER BY 1",
)
