from django.urls import URLPattern, URLResolver, include, path, re_path

from aaa.api import CoaView, DisconnectView, SessionActionViewSet
from ispcore.api.routers import HouseRouter

router = HouseRouter()
router.register("actions", SessionActionViewSet, basename="session-action")

aaa_patterns: list[URLPattern | URLResolver] = [
    re_path(r"^coa/?$", CoaView.as_view(), name="coa"),
    re_path(r"^disconnect/?$", DisconnectView.as_view(), name="disconnect"),
    path("", include(router.urls)),
]

urlpatterns = [path("aaa/", include(aaa_patterns))]
