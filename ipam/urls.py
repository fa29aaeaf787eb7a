from django.urls import URLPattern, URLResolver, include, path, re_path

from ipam.api.addresses import AddressViewSet, AllocateView, ReleaseView, ReserveView
from ipam.api.bulk import AddressBulkView
from ipam.api.cgnat import CgnatLookupView, CgnatRuleViewSet, ServiceCgnatView
from ipam.api.imports import BookImportViewSet
from ipam.api.lines import WaitingServiceViewSet
from ipam.api.pools import PoolViewSet
from ipam.api.reconciliation import DriftViewSet, ReconciliationViewSet
from ipam.api.space import SubnetViewSet, VrfViewSet
from ispcore.api.routers import HouseRouter

router = HouseRouter()
router.register("vrfs", VrfViewSet, basename="vrf")
router.register("subnets", SubnetViewSet, basename="subnet")
router.register("pools", PoolViewSet, basename="pool")
router.register("addresses", AddressViewSet, basename="address")
router.register("cgnat-rules", CgnatRuleViewSet, basename="cgnat-rule")
router.register("imports", BookImportViewSet, basename="book-import")
router.register("reconciliations", ReconciliationViewSet, basename="reconciliation")
router.register("drifts", DriftViewSet, basename="drift")
router.register("waiting-services", WaitingServiceViewSet, basename="waiting-service")

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^ipam/allocate/?$", AllocateView.as_view(), name="ipam-allocate"),
    re_path(r"^ipam/release/?$", ReleaseView.as_view(), name="ipam-release"),
    re_path(r"^ipam/reserve/?$", ReserveView.as_view(), name="ipam-reserve"),
    re_path(r"^ipam/addresses/bulk/?$", AddressBulkView.as_view(), name="address-bulk"),
    re_path(r"^ipam/cgnat/lookup/?$", CgnatLookupView.as_view(), name="cgnat-lookup"),
    path("ipam/", include(router.urls)),
    # What addresses add to a service, under the path of services.
    re_path(r"^services/(?P<pk>[^/]+)/cgnat/?$", ServiceCgnatView.as_view(), name="service-cgnat"),
]
