"""The staff site on a host name of its own, which a firewall or the proxy can close to the outside."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import Http404, HttpRequest, HttpResponse

# What belongs to staff, and what answers under any name: monitoring asks for it.
STAFF = ("/admin/", "/oidc/")
ANYWHERE = ("/static/", "/health", "/ready", "/metrics")


class AdminHostMiddleware:
    """With ADMIN_HOST set: the staff site and its log-in answer there alone, and nothing else does.

    The rest is 404 on either side, as if it did not exist. Cookies name no domain, so browsers keep them to the host.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.ADMIN_HOST:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith(ANYWHERE) and is_for_staff(path) != is_admin_host(request):
            raise Http404
        return self.get_response(request)


def is_for_staff(path: str) -> bool:
    return path == "/" or path.startswith(STAFF) or path == "/admin"


def is_admin_host(request: HttpRequest) -> bool:
    """Compare without the port: a proxy may listen on any."""
    return request.get_host().rpartition(":")[0].lower() == settings.ADMIN_HOST or (
        request.get_host().lower() == settings.ADMIN_HOST
    )
