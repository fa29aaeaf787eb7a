from django.urls import include, path, re_path

from hardware.api import (
    DiscoverView,
    DiscoveryRunViewSet,
    OltViewSet,
    OnuAuthorizeView,
    OnuPresetViewSet,
    OnuUnauthorizeView,
    OnuViewSet,
    PonPortViewSet,
    ProvisioningJobViewSet,
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
router.register("discovery-runs", DiscoveryRunViewSet, basename="discovery-run")

urlpatterns = [
    re_path(r"^olt/discover/?$", DiscoverView.as_view(), name="olt-discover"),
    re_path(r"^olt/onu/authorize/?$", OnuAuthorizeView.as_view(), name="onu-authorize"),
    re_path(r"^olt/onu/unauthorize/?$", OnuUnauthorizeView.as_view(), name="onu-unauthorize"),
    path("", include(router.urls)),
]
