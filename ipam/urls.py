from django.urls import URLPattern, URLResolver, include, path, re_path

from ipam.api.addresses import AddressViewSet, AllocateView, ReleaseView, ReserveView
from ipam.api.pools import PoolViewSet
from ipam.api.space import SubnetViewSet, VrfViewSet
from ispcore.api.routers import HouseRouter

router = HouseRouter()
router.register("vrfs", VrfViewSet, basename="vrf")
router.register("subnets", SubnetViewSet, basename="subnet")
router.register("pools", PoolViewSet, basename="pool")
router.register("addresses", AddressViewSet, basename="address")

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^ipam/allocate/?$", AllocateView.as_view(), name="ipam-allocate"),
    re_path(r"^ipam/release/?$", ReleaseView.as_view(), name="ipam-release"),
    re_path(r"^ipam/reserve/?$", ReserveView.as_view(), name="ipam-reserve"),
    path("ipam/", include(router.urls)),
]
