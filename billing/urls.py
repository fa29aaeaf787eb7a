from django.urls import URLPattern, URLResolver, include, path, re_path

from billing.api.accounts import BalanceView, StatementView
from billing.api.charges import AddOnViewSet, ChargeViewSet, DiscountViewSet, OveragePriceViewSet
from billing.api.dunning import (
    DunningNightViewSet,
    DunningPolicyViewSet,
    ReminderViewSet,
    TonightView,
)
from billing.api.gateways import CallbackView, CheckoutViewSet, GatewayEventViewSet, GatewayViewSet
from billing.api.invoices import InvoiceViewSet
from billing.api.ledger import LedgerCheckViewSet
from billing.api.payments import PaymentViewSet
from billing.api.prepaid import (
    CreditRedeemView,
    CreditTopUpView,
    CreditVoucherBatchViewSet,
    CreditVoucherViewSet,
    PrepaidServiceViewSet,
)
from billing.api.reconciliations import BankLineViewSet, ReconciliationViewSet
from billing.api.reports import AgedDebtView, CashView, JournalView, RecurringView, TaxReportView
from billing.api.runs import GenerateView, RunViewSet
from billing.api.settings import BillingSettingsView
from billing.api.sparing import ExemptionViewSet, PromiseViewSet
from billing.api.taxes import TaxExemptionViewSet, TaxRateViewSet
from ispcore.api.routers import HouseRouter

router = HouseRouter()
router.register("add-ons", AddOnViewSet, basename="add-on")
router.register("charges", ChargeViewSet, basename="charge")
router.register("discounts", DiscountViewSet, basename="discount")
router.register("overage-prices", OveragePriceViewSet, basename="overage-price")
router.register("tax-rates", TaxRateViewSet, basename="tax-rate")
router.register("tax-exemptions", TaxExemptionViewSet, basename="tax-exemption")
router.register("ledger-checks", LedgerCheckViewSet, basename="ledger-check")
router.register("runs", RunViewSet, basename="billing-run")
router.register("reconciliations", ReconciliationViewSet, basename="bank-statement")
router.register("bank-lines", BankLineViewSet, basename="bank-line")
router.register("invoices", InvoiceViewSet, basename="invoice")
router.register("payments", PaymentViewSet, basename="payment")
router.register("gateways", GatewayViewSet, basename="gateway")
router.register("gateway-events", GatewayEventViewSet, basename="gateway-event")
router.register("checkouts", CheckoutViewSet, basename="checkout")
router.register("dunning/policies", DunningPolicyViewSet, basename="dunning-policy")
router.register("dunning/promises", PromiseViewSet, basename="promise")
router.register("dunning/exemptions", ExemptionViewSet, basename="exemption")
router.register("dunning/nights", DunningNightViewSet, basename="dunning-night")
router.register("dunning/reminders", ReminderViewSet, basename="reminder")
router.register("prepaid/voucher-batches", CreditVoucherBatchViewSet, basename="credit-voucher-batch")
router.register("prepaid/vouchers", CreditVoucherViewSet, basename="credit-voucher")
router.register("prepaid/services", PrepaidServiceViewSet, basename="prepaid-service")

billing_patterns: list[URLPattern | URLResolver] = [
    re_path(r"^gateways/(?P<pk>[^/]+)/callback/?$", CallbackView.as_view(), name="gateway-callback"),
    re_path(r"^invoices/generate/?$", GenerateView.as_view(), name="invoice-generate"),
    re_path(r"^settings/?$", BillingSettingsView.as_view(), name="billing-settings"),
    re_path(r"^dunning/tonight/?$", TonightView.as_view(), name="dunning-tonight"),
    re_path(r"^prepaid/vouchers/redeem/?$", CreditRedeemView.as_view(), name="credit-voucher-redeem"),
    re_path(r"^prepaid/top-ups/?$", CreditTopUpView.as_view(), name="credit-top-up"),
    re_path(r"^accounts/(?P<pk>[^/]+)/balance/?$", BalanceView.as_view(), name="account-balance"),
    re_path(r"^accounts/(?P<pk>[^/]+)/statement/?$", StatementView.as_view(), name="account-statement"),
    re_path(r"^reports/aged-debt/?$", AgedDebtView.as_view(), name="aged-debt"),
    re_path(r"^reports/recurring-revenue/?$", RecurringView.as_view(), name="recurring-revenue"),
    re_path(r"^reports/taxes/?$", TaxReportView.as_view(), name="tax-report"),
    re_path(r"^reports/cash/?$", CashView.as_view(), name="daily-cash"),
    re_path(r"^reports/journal/?$", JournalView.as_view(), name="journal"),
    path("", include(router.urls)),
]

urlpatterns = [
    path("billing/", include(billing_patterns)),
]
