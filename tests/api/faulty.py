"""The URL configuration with views that crash, for tests of what leaves the house then."""

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from hardware.models import Olt
from ispcore import urls
from ispcore.api.views import ApiView

DETAIL = "the password is hunter2"
SECRET = "".join(["tr0ub", "4dor"])  # In no line of code, so a log can have it from a variable only.


class CrashView(ApiView):
    app_label = "hardware"

    def post(self, request: Request) -> Response:
        community = SECRET
        Olt.objects.create(name="Half done", vendor="huawei", ip="192.0.2.1", community=community)
        raise RuntimeError(DETAIL)


class LostDatabaseView(ApiView):
    app_label = "hardware"

    def get(self, request: Request) -> Response:
        raise OperationalError(DETAIL)


class UnwritableView(ApiView):
    """Crashes after the view, while its answer is written."""

    app_label = "hardware"

    def get(self, request: Request) -> Response:
        return Response({"detail": object()})


def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(DETAIL)


urlpatterns = [
    path("api/v1/crash", CrashView.as_view()),
    path("api/v1/lost-database", LostDatabaseView.as_view()),
    path("api/v1/unwritable", UnwritableView.as_view()),
    path("api/v1/crash-outside", crash),
    path("crash", crash),
    *urls.urlpatterns,
]
handler400, handler403, handler404, handler500 = (
    urls.handler400, urls.handler403, urls.handler404, urls.handler500,
)  # fmt: skip
