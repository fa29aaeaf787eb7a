from django.urls import include, path, re_path

from hardware.api import (
    DiscoverView,
    DiscoveryRunViewSet,
    OltViewSet,
    OnuAuthorizeView,
    OnuPresetViewSet,
    OnuSignalView,
    OnuStatusView,
    OnuUnauthorizeView,
    OnuViewSet,
    OutageViewSet,
    PonPortViewSet,
    PonStatsView,
    ProvisioningJobViewSet,
    SignalLimitsViewSet,
    SyncView,
    WaitingOnuViewSet,
)
from ispcore.api.routers import HouseRouter

router = HouseRouter()
router.register("olts", OltViewSet, basename="olt")
router.register("onus", OnuViewSet, basename="onu")
router.register("pon-ports", PonPortViewSet, basename="pon-port")
router.register("waiting-onus", WaitingOnuViewSet, basename="waiting-onu")
router.register("onu-presets", OnuPresetViewSet, basename="onu-preset")
router.register("provisioning-jobs", ProvisioningJobViewSet, basename="provisioning-job")
router.register("outages", OutageViewSet, basename="outage")
router.register("signal-limits", SignalLimitsViewSet, basename="signal-limits")
router.register("discovery-runs", DiscoveryRunViewSet, basename="discovery-run")

urlpatterns = [
    re_path(r"^olt/discover/?$", DiscoverView.as_view(), name="olt-discover"),
    re_path(r"^olt/sync/?$", SyncView.as_view(), name="olt-sync"),
    re_path(r"^olt/onu/status/?$", OnuStatusView.as_view(), name="onu-status"),
    re_path(r"^olt/onu/signal/?$", OnuSignalView.as_view(), name="onu-signal"),
    re_path(r"^olt/pon/stats/?$", PonStatsView.as_view(), name="pon-stats"),
    re_path(r"^olt/onu/authorize/?$", OnuAuthorizeView.as_view(), name="onu-authorize"),
    re_path(r"^olt/onu/unauthorize/?$", OnuUnauthorizeView.as_view(), name="onu-unauthorize"),
    path("", include(router.urls)),
]
