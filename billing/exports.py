"""The lists of billing as files: with the fields that the API shows."""

from billing.api.charges import AddOnViewSet, ChargeViewSet, DiscountViewSet, OveragePriceViewSet
from billing.api.dunning import DunningNightViewSet, DunningPolicyViewSet, ReminderViewSet
from billing.api.gateways import CheckoutViewSet
from billing.api.invoices import InvoiceViewSet
from billing.api.payments import PaymentViewSet
from billing.api.prepaid import CreditVoucherBatchViewSet, PrepaidServiceViewSet
from billing.api.reconciliations import BankLineViewSet, ReconciliationViewSet
from billing.api.runs import RunViewSet
from billing.api.sparing import ExemptionViewSet, PromiseViewSet
from billing.api.taxes import TaxExemptionViewSet, TaxRateViewSet
from ispcore.files.exports import Export, register

for name, view in {
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
    "dunning-policies": DunningPolicyViewSet,
    "promises": PromiseViewSet,
    "exemptions": ExemptionViewSet,
    "dunning-nights": DunningNightViewSet,
    "reminders": ReminderViewSet,
    "credit-voucher-batches": CreditVoucherBatchViewSet,
    "prepaid-services": PrepaidServiceViewSet,
}.items():
    register(Export(name=name, view=view))
