from django.urls import include, path, re_path

from ispcore.api.routers import HouseRouter
from subscribers.api import customers
from subscribers.api.bulk import ServiceBulkActionView, SubscriberBulkActionView
from subscribers.api.bulk_writes import ServiceBulkView, SubscriberBulkView
from subscribers.api.catalogue import BillingProfileViewSet, PlanViewSet, PremiseViewSet, ZoneViewSet
from subscribers.api.feed import SnapshotView
from subscribers.api.identity import ResolveView
from subscribers.api.imports import ImportViewSet
from subscribers.api.lines import ServiceViewSet
from subscribers.api.personal_data import PersonalDataView
from subscribers.api.settings import CustomFieldViewSet, SettingsView

router = HouseRouter()
router.register("zones", ZoneViewSet, basename="zone")
router.register("internet-plans", PlanViewSet, basename="internet-plan")
router.register("products", PlanViewSet, basename="product")  # The same, by another name.
router.register("premises", PremiseViewSet, basename="premise")
router.register("billing-profiles", BillingProfileViewSet, basename="billing-profile")
router.register("imports", ImportViewSet, basename="import")
router.register("subscribers", customers.SubscriberViewSet, basename="subscriber")
router.register("services", ServiceViewSet, basename="service")
router.register("custom-fields", CustomFieldViewSet, basename="custom-field")

urlpatterns = [
    re_path(r"^services/snapshot/?$", SnapshotView.as_view(), name="service-snapshot"),
    re_path(r"^subscriber-settings/?$", SettingsView.as_view(), name="subscriber-settings"),
    re_path(r"^subscribers/resolve/?$", ResolveView.as_view(), name="subscriber-resolve"),
    re_path(r"^subscribers/bulk/?$", SubscriberBulkView.as_view(), name="subscriber-bulk"),
    re_path(r"^services/bulk/?$", ServiceBulkView.as_view(), name="service-bulk"),
    re_path(
        r"^subscribers/bulk-actions/?$", SubscriberBulkActionView.as_view(), name="subscriber-bulk-actions"
    ),
    re_path(r"^services/bulk-actions/?$", ServiceBulkActionView.as_view(), name="service-bulk-actions"),
    re_path(
        r"^subscribers/(?P<pk>[^/]+)/data-export/?$",
        PersonalDataView.as_view(),
        name="subscriber-data-export",
    ),
    re_path(r"^subscribers/search/?$", customers.SearchView.as_view(), name="subscriber-search"),
    re_path(
        r"^subscribers/by-document/(?P<pk>[^/]+)/?$",
        customers.ByDocumentView.as_view(),
        name="subscriber-by-document",
    ),
    re_path(
        r"^subscribers/by-phone/(?P<pk>[^/]+)/?$", customers.ByPhoneView.as_view(), name="subscriber-by-phone"
    ),
    re_path(
        r"^subscribers/by-service/(?P<pk>[^/]+)/?$",
        customers.ByServiceView.as_view(),
        name="subscriber-by-service",
    ),
    path("", include(router.urls)),
]
