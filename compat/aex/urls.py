from django.urls import URLPattern, URLResolver, re_path

from compat.aex import views

app_name = "compat-aex"
urlpatterns: list[URLPattern | URLResolver] = [
    re_path(
        r"^services/?$",
        views.ProviderServiceViewSet.as_view({"get": "list", "post": "create"}),
        name="services",
    ),
    re_path(r"^services/snapshot/?$", views.SnapshotView.as_view(), name="snapshot"),
    re_path(
        r"^services/(?P<pk>[^/]+)/?$",
        views.ProviderServiceViewSet.as_view({"get": "retrieve", "put": "update"}),
        name="service",
    ),
    re_path(
        r"^services/(?P<pk>[^/]+)/device/status/?$", views.DeviceStatusView.as_view(), name="device-status"
    ),
    re_path(
        r"^services/(?P<pk>[^/]+)/device/status/live/?$",
        views.LiveDeviceStatusView.as_view(),
        name="device-status-live",
    ),
    re_path(
        r"^services/(?P<pk>[^/]+)/radius/status/?$",
        views.ServiceRadiusStatusView.as_view(),
        name="radius-status",
    ),
    re_path(
        r"^services/(?P<pk>[^/]+)/radius/usage/?$",
        views.ServiceRadiusUsageView.as_view(),
        name="radius-usage",
    ),
]
