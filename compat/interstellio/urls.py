from django.urls import URLPattern, URLResolver, re_path

from compat.interstellio.views import SubscriberViewSet

app_name = "compat-interstellio"
urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^v1/subscribers/?$", SubscriberViewSet.as_view({"get": "list"}), name="subscribers"),
    re_path(r"^v1/subscriber/?$", SubscriberViewSet.as_view({"post": "create"}), name="create"),
    re_path(
        r"^v1/subscriber/(?P<pk>[^/]+)/?$",
        SubscriberViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="subscriber",
    ),
    re_path(
        r"^v2/subscriber/status/(?P<pk>[^/]+)/?$",
        SubscriberViewSet.as_view({"get": "account_status"}),
        name="status",
    ),
]
