"""What a browser may do with a page that has not said so itself."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

# Style attributes say how long a bar is, so inline styles stay; an inline script runs nowhere.
COMMON = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# Other pages name no form-action: a form that begins a payment ends at whoever takes it.
SCRIPTS = "script-src 'self'"
# Alpine, with which the staff site's theme is written, makes functions of its attributes' text.
STAFF_SCRIPTS = "script-src 'self' 'unsafe-eval'"


class ContentSecurityMiddleware:
    """Give each page that brings no policy of its own the one of its part of the site."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            is_staff = request.resolver_match is not None and "admin" in request.resolver_match.app_names
            policy = _staff_policy() if is_staff else f"{COMMON}; {SCRIPTS}"
            response.headers.setdefault("Content-Security-Policy", policy)
        return response


def _staff_policy() -> str:
    forms = " ".join(["'self'", *_log_in_services()])
    return f"{COMMON}; {STAFF_SCRIPTS}; form-action {forms}"


def _log_in_services() -> list[str]:
    """Return the origins to which a form of the staff site may lead on: log-in and log-out at the provider's."""
    urls = (settings.OIDC_OP_AUTHORIZATION_ENDPOINT, settings.OIDC_END_SESSION_URL)
    return sorted({f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, urls) if parts.netloc})
