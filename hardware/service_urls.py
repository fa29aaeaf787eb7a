"""What hardware adds to a service, under the paths of services."""

from django.urls import re_path

from hardware.api import DeviceStatusView, LiveDeviceStatusView, PingLineView, PingView

urlpatterns = [
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
