"""What all pages of the portal share: whose provider, who is logged in, how often, and with which headers."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from redis.exceptions import RedisError

from billing.services.documents.identity import billing_identity
from ispcore import audit
from ispcore.api.request import client_ip, request_id_of
from ispcore.api.throttles import GcraLimit, address_group
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from support.models import PortalAccount
from support.services.portal import access
from support.services.tickets.talking import MOST_BYTES, MOST_FILES

COOKIE = "portal"
SALT = "support.portal"
STAYS_SECONDS = 14 * 24 * 3600
# A household behind one address, and too few to try secrets.
LIMIT = GcraLimit(rate=120, period=60, burst=60)
MOST_BODY_BYTES = MOST_BYTES * MOST_FILES + 1024 * 1024
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

View = Callable[..., HttpResponseBase]


def page(view: View) -> View:
    """Serve one provider's page, inside its context, to whoever asks.

    A form is looked at only when it says that it is not larger than a ticket with its files.
    """
    guarded = csrf_protect(_in_context(view))

    @csrf_exempt  # Checked by `guarded`, after the size: reading the token reads the whole form.
    @wraps(view)
    def answer(request: HttpRequest, slug: str, **named: Any) -> HttpResponseBase:
        if request.method == "POST" and _is_too_large(request):
            return _plain("This is too large. Send smaller files.", 413)
        if not _take(f"portal:{address_group(client_ip(request))}", LIMIT):
            return _plain("Too many requests. Wait a minute, then try again.", 429)
        response: HttpResponseBase = guarded(request, slug=slug, **named)
        return response

    return answer


def customers_page(view: View) -> View:
    """Serve a page to a customer who is logged in; others are sent to the log-in."""

    @wraps(view)
    def answer(request: HttpRequest, tenant: Tenant, **named: Any) -> HttpResponseBase:
        account = account_of(request)
        if account is None:
            response = HttpResponseRedirect(reverse("portal-login", args=[tenant.slug]))
            response.delete_cookie(COOKIE, path=_path_of(tenant))
            return response
        try:
            return view(request, tenant=tenant, account=account, **named)
        except NotRegistered as error:
            raise Http404(str(error)) from error

    return page(answer)


def show(
    request: HttpRequest, template: str, tenant: Tenant, *, status: int = 200, **context: Any
) -> HttpResponse:
    identity = billing_identity()
    shared = {
        "slug": tenant.slug,
        "provider": identity.legal_name or tenant.name,
        "contact_email": identity.email,
        "contact_phone": identity.phone,
    }
    return render(request, f"portal/{template}.html", {**shared, **context}, status=status)


def to(tenant: Tenant, name: str, **named: Any) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(name, kwargs={"slug": tenant.slug, **named}))


def log_in_browser(response: HttpResponse, tenant: Tenant, account: PortalAccount) -> HttpResponse:
    """Let this browser in for two weeks, until the customer logs out anywhere."""
    value = signing.dumps([account.pk.hex, account.session_stamp.hex], salt=SALT)
    response.set_cookie(
        COOKIE,
        value,
        max_age=STAYS_SECONDS,
        path=_path_of(tenant),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def log_out_browser(response: HttpResponse, tenant: Tenant) -> HttpResponse:
    response.delete_cookie(COOKIE, path=_path_of(tenant))
    return response


def account_of(request: HttpRequest) -> PortalAccount | None:
    """Return whose browser this is, while its log-in holds; row-level security hides another provider's."""
    try:
        account, stamp = signing.loads(request.COOKIES[COOKIE], salt=SALT, max_age=STAYS_SECONDS)
        return access.find_account(account_id=UUID(account), stamp=UUID(stamp))
    except (KeyError, signing.BadSignature, ValueError, TypeError):
        return None


def refuse_too_often(key: str, limit: GcraLimit) -> None:
    """Count an attempt. Raises TooOften."""
    if not _take(key, limit):
        raise TooOften


class TooOften(DomainError):
    code = "rate_limited"
    message = "Too many attempts. Wait a few minutes, then try again."
    status = 429


def _in_context(view: View) -> View:
    def answer(request: HttpRequest, slug: str, **named: Any) -> HttpResponseBase:
        tenant = Tenant.objects.filter(slug=slug, is_active=True).first()
        if tenant is None:
            raise Http404
        stamp = audit.acting(
            user_id=None, ip=client_ip(request), request_id=request_id_of(request), by="portal"
        )
        with tenant_context(tenant.pk), stamp, timezone.override(ZoneInfo(tenant.timezone)):
            response = view(request, tenant=tenant, **named)
        return _with_headers(response)

    return answer


def _with_headers(response: HttpResponseBase) -> HttpResponseBase:
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    if response.headers.get("Content-Type", "").startswith("text/html"):
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def _is_too_large(request: HttpRequest) -> bool:
    length = request.headers.get("Content-Length", "")
    return not (length.isascii() and length.isdigit()) or int(length) > MOST_BODY_BYTES


def _take(key: str, limit: GcraLimit) -> bool:
    try:
        return limit.take(key).allowed
    except RedisError:
        return True  # Customers must see their line while Redis is away; secrets are too long to be guessed.


def _plain(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain")


def _path_of(tenant: Tenant) -> str:
    return reverse("portal-home", args=[tenant.slug])
