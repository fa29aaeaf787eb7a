from django.urls import URLPattern, URLResolver, include, path, re_path

from hardware.api import (
    DeviceStatusView,
    DiscoverView,
    DiscoveryRunViewSet,
    LiveDeviceStatusView,
    OltViewSet,
    OnuAuthorizeView,
    OnuPresetViewSet,
    OnuSignalView,
    OnuStatusView,
    OnuUnauthorizeView,
    OnuViewSet,
    OutageViewSet,
    PingLineView,
    PingView,
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

hardware_patterns: list[URLPattern | URLResolver] = [
    re_path(r"^olt/discover/?$", DiscoverView.as_view(), name="olt-discover"),
    re_path(r"^olt/sync/?$", SyncView.as_view(), name="olt-sync"),
    re_path(r"^olt/onu/status/?$", OnuStatusView.as_view(), name="onu-status"),
    re_path(r"^olt/onu/signal/?$", OnuSignalView.as_view(), name="onu-signal"),
    re_path(r"^olt/pon/stats/?$", PonStatsView.as_view(), name="pon-stats"),
    re_path(r"^olt/onu/authorize/?$", OnuAuthorizeView.as_view(), name="onu-authorize"),
    re_path(r"^olt/onu/unauthorize/?$", OnuUnauthorizeView.as_view(), name="onu-unauthorize"),
    path("", include(router.urls)),
]

urlpatterns = [
    path("hardware/", include(hardware_patterns)),
    # What hardware adds to a service, under the paths of services.
    re_path(
        r"^services/(?P<pk>[^/]+)/device/status/live/?$",
        LiveDeviceStatusView.as_view(),
        name="service-device-status-live",
    ),
    re_path(
        r"^services/(?P<pk>[^/]+)/device/status/?$", DeviceStatusView.as_view(), name="service-device-status"
    ),
    re_path(r"^services/(?P<pk>[^/]+)/ping/?$", PingLineView.as_view(), name="service-ping"),
    re_path(r"^ping/(?P<pk>[^/]+)/?$", PingView.as_view(), name="ping"),
]
