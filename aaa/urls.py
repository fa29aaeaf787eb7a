from django.urls import URLPattern, URLResolver, include, path, re_path

from aaa.api import (
    AccountViewSet,
    AuthAttemptsView,
    CoaView,
    DisconnectView,
    NasViewSet,
    PolicyViewSet,
    RadiusSettingsView,
    RadiusStatusView,
    RadiusUsageView,
    RedeemView,
    ServiceProfileViewSet,
    SessionActionViewSet,
    SessionViewSet,
    TopUpViewSet,
    UsageView,
    VirtualServerViewSet,
    VoucherBatchViewSet,
    VoucherViewSet,
)
from ispcore.api.routers import HouseRouter

router = HouseRouter()
router.register("accounts", AccountViewSet, basename="radius-account")
router.register("top-ups", TopUpViewSet, basename="top-up")
router.register("sessions", SessionViewSet, basename="session")
router.register("actions", SessionActionViewSet, basename="session-action")
router.register("policies", PolicyViewSet, basename="policy")
router.register("services", ServiceProfileViewSet, basename="service-profile")
router.register("virtual-servers", VirtualServerViewSet, basename="virtual-server")
router.register("nas", NasViewSet, basename="nas")
router.register("voucher-batches", VoucherBatchViewSet, basename="voucher-batch")
router.register("vouchers", VoucherViewSet, basename="voucher")

aaa_patterns: list[URLPattern | URLResolver] = [
    re_path(r"^coa/?$", CoaView.as_view(), name="coa"),
    re_path(r"^disconnect/?$", DisconnectView.as_view(), name="disconnect"),
    re_path(r"^auth-attempts/?$", AuthAttemptsView.as_view(), name="auth-attempts"),
    re_path(r"^usage/?$", UsageView.as_view(), name="usage"),
    re_path(r"^settings/?$", RadiusSettingsView.as_view(), name="radius-settings"),
    re_path(r"^vouchers/redeem/?$", RedeemView.as_view(), name="voucher-redeem"),
    path("", include(router.urls)),
]

urlpatterns = [
    path("aaa/", include(aaa_patterns)),
    # What RADIUS adds to a service, under the paths of services.
    re_path(
        r"^services/(?P<pk>[^/]+)/radius/status/?$", RadiusStatusView.as_view(), name="service-radius-status"
    ),
    re_path(
        r"^services/(?P<pk>[^/]+)/radius/usage/?$", RadiusUsageView.as_view(), name="service-radius-usage"
    ),
]
