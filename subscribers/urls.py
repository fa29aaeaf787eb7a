from django.urls import include, path

from ispcore.api.routers import HouseRouter
from subscribers.api.catalogue import BillingProfileViewSet, PlanViewSet, PremiseViewSet, ZoneViewSet

router = HouseRouter()
router.register("zones", ZoneViewSet, basename="zone")
router.register("internet-plans", PlanViewSet, basename="internet-plan")
router.register("products", PlanViewSet, basename="product")  # The same, by another name.
router.register("premises", PremiseViewSet, basename="premise")
router.register("billing-profiles", BillingProfileViewSet, basename="billing-profile")

urlpatterns = [
    path("", include(router.urls)),
]
