from django.urls import URLPattern, URLResolver, include, path

from billing.api.reconciliations import BankLineViewSet, ReconciliationViewSet
from ispcore.api.routers import HouseRouter

router = HouseRouter()
router.register("reconciliations", ReconciliationViewSet, basename="bank-statement")
router.register("bank-lines", BankLineViewSet, basename="bank-line")

billing_patterns: list[URLPattern | URLResolver] = [
    path("", include(router.urls)),
]

urlpatterns = [
    path("billing/", include(billing_patterns)),
]
