from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from ispcore import health
from ispcore.admin.site import site
from ispcore.api.docs import RedocView, SchemaView, SwaggerView
from ispcore.api.me import MeView
from ispcore.api.routers import HouseRouter
from ispcore.auth.api import RevokeView, TokenView
from ispcore.auth.keys_api import ApiKeyViewSet
from ispcore.auth.log_outs import BackChannelView
from ispcore.auth.oidc import BeginView, CallbackView
from ispcore.events.api import DeliveryViewSet, EventTypeView, EventView, WebhookViewSet
from ispcore.files.api import ExportView, FileViewSet, TenantExportView
from ispcore.jobs.api import TaskViewSet

router = HouseRouter()
router.register("tasks", TaskViewSet, basename="task")
router.register("files", FileViewSet, basename="file")
router.register("webhooks", WebhookViewSet, basename="webhook")
router.register("webhook-deliveries", DeliveryViewSet, basename="webhook-delivery")
router.register("api-keys", ApiKeyViewSet, basename="api-key")

api: list[URLPattern | URLResolver] = [
    re_path(r"^auth/token/?$", TokenView.as_view(), name="token"),
    re_path(r"^auth/revoke/?$", RevokeView.as_view(), name="token-revoke"),
    re_path(r"^me/?$", MeView.as_view(), name="me"),
    re_path(r"^events/?$", EventView.as_view(), name="event-feed"),
    re_path(r"^event-types/?$", EventTypeView.as_view(), name="event-types"),
    re_path(r"^exports/?$", ExportView.as_view(), name="export"),
    re_path(r"^tenant-export/?$", TenantExportView.as_view(), name="tenant-export"),
    path("", include(router.urls)),
    path("", include("subscribers.urls")),
    path("", include("ipam.urls")),
    path("", include("hardware.urls")),
    path("", include("aaa.urls")),
    path("", include("billing.urls")),
    path("", include("support.urls")),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", site.urls),
    # The library asks for these two by name.
    path("oidc/begin/", BeginView.as_view(), name="oidc_authentication_init"),
    path("oidc/callback/", CallbackView.as_view(), name="oidc_authentication_callback"),
    path("oidc/backchannel-logout/", BackChannelView.as_view(), name="oidc_backchannel_logout"),
    path("api/v1/", include(api)),
    path("compat/", include("compat.urls")),
    path("", include("billing.pages.urls")),
    path("", include("support.pages.urls")),
    re_path(r"^api/schema/?$", SchemaView.as_view(), name="schema"),
    re_path(r"^docs/?$", SwaggerView.as_view(url_name="schema"), name="docs"),
    re_path(r"^redoc/?$", RedocView.as_view(url_name="schema"), name="redoc"),
    # Without a slash: its own patterns begin with one.
    re_path(r"^developers", include("ispcore.developers.urls")),
    re_path(r"^health/?$", health.health, name="health"),
    re_path(r"^ready/?$", health.ready, name="ready"),
    re_path(r"^metrics/?$", health.metrics, name="metrics"),
]

handler400 = "ispcore.api.handlers.bad_request"
handler403 = "ispcore.api.handlers.permission_denied"
handler404 = "ispcore.api.handlers.not_found"
handler500 = "ispcore.api.handlers.server_error"
