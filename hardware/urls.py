from django.urls import include, path, re_path

from hardware.api import DiscoverView, DiscoveryRunViewSet, OltViewSet, OnuViewSet, PonPortViewSet
from ispcore.api.routers import HouseRouter

router = HouseRouter()
router.register("olts", OltViewSet, basename="olt")
router.register("onus", OnuViewSet, basename="onu")
router.register("pon-ports", PonPortViewSet, basename="pon-port")
router.register("discovery-runs", DiscoveryRunViewSet, basename="discovery-run")

urlpatterns = [
    re_path(r"^olt/discover/?$", DiscoverView.as_view(), name="olt-discover"),
    path("", include(router.urls)),
]
