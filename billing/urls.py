from django.urls import URLPattern, URLResolver, include, path, re_path

from billing.api.charges import AddOnViewSet, ChargeViewSet, DiscountViewSet, OveragePriceViewSet
from billing.api.gateways import CallbackView, CheckoutViewSet, GatewayEventViewSet, GatewayViewSet
from billing.api.ledger import LedgerCheckViewSet
from billing.api.payments import PaymentViewSet
from billing.api.reconciliations import BankLineViewSet, ReconciliationViewSet
from billing.api.settings import BillingSettingsView
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
router.register("reconciliations", ReconciliationViewSet, basename="bank-statement")
router.register("bank-lines", BankLineViewSet, basename="bank-line")
router.register("payments", PaymentViewSet, basename="payment")
router.register("gateways", GatewayViewSet, basename="gateway")
router.register("gateway-events", GatewayEventViewSet, basename="gateway-event")
router.register("checkouts", CheckoutViewSet, basename="checkout")

billing_patterns: list[URLPattern | URLResolver] = [
    re_path(r"^gateways/(?P<name>[^/]+)/callback/?$", CallbackView.as_view(), name="gateway-callback"),
    re_path(r"^settings/?$", BillingSettingsView.as_view(), name="billing-settings"),
    path("", include(router.urls)),
]

urlpatterns = [
    path("billing/", include(billing_patterns)),
]
