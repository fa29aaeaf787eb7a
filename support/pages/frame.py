"""What all pages of the portal share: whose provider, who is logged in, how often, and with which headers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.csrf import csrf_exempt
from redis.exceptions import RedisError

from billing.models import BillingIdentity
from billing.services.documents.identity import billing_identity
from ispcore import audit
from ispcore.api.request import client_ip, request_id_of
from ispcore.api.throttles import GcraLimit, address_group
from ispcore.errors import NotRegistered
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from support.models import PortalAccount
from support.pages.speaking import TooOften, words_for
from support.services.portal import access
from support.services.portal.words import Words, languages
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
R = TypeVar("R", bound=HttpResponseBase)


@dataclass(frozen=True)
class Site:
    """Whose pages these are, and in which language."""

    tenant: Tenant
    identity: BillingIdentity
    words: Words

    @property
    def slug(self) -> str:
        return str(self.tenant.slug)

    @property
    def provider(self) -> str:
        return self.identity.legal_name or str(self.tenant.name)


def page(view: View) -> View:
    """Serve one provider's page, inside its context, to whoever asks.

    A form is looked at only when it says that it is not larger than a ticket with its files.
    """
    guarded = _csrf_protect(_in_context(view))

    @csrf_exempt  # Checked by `guarded`, after the size: reading the token reads the whole form.
    @wraps(view)
    def answer(request: HttpRequest, slug: str, **named: Any) -> HttpResponseBase:
        if request.method == "POST" and _is_too_large(request):
            return problem(request, "too_large", 413)
        taken = take(f"portal:{address_group(client_ip(request))}", LIMIT)
        if taken:
            response = problem(request, "rate_limited", 429)
            response["Retry-After"] = str(taken)
            return response
        found: HttpResponseBase = guarded(request, slug=slug, **named)
        return found

    return answer


def customers_page(view: View) -> View:
    """Serve a page to a customer who is logged in; others are sent to the log-in."""

    @wraps(view)
    def answer(request: HttpRequest, site: Site, **named: Any) -> HttpResponseBase:
        account = account_of(request)
        if account is None:
            response = to(site, "portal-login")
            response.delete_cookie(COOKIE, path=_path_of(site))
            return response
        site = replace(site, words=words_for(request, chosen=account.language, usual=site.identity.language))
        try:
            return view(request, site=site, account=account, **named)
        except NotRegistered:
            return show(request, "problem", site, status=404, problem=site.words["not_found"])

    return page(answer)


def show(
    request: HttpRequest, template: str, site: Site, *, status: int = 200, **context: Any
) -> HttpResponse:
    shared = {
        "slug": site.slug,
        "words": site.words,
        "language": site.words.language,
        "languages": languages(),
        "provider": site.provider,
        "contact_email": site.identity.email,
        "contact_phone": site.identity.phone,
    }
    return render(request, f"portal/{template}.html", {**shared, **context}, status=status)


def problem(request: HttpRequest, word: str, status: int) -> HttpResponse:
    """Answer with one sentence, where it is not even known whose page is asked for."""
    words = words_for(request)
    context = {"words": words, "language": words.language, "problem": words[word]}
    return with_headers(render(request, "portal/problem.html", context, status=status))


def to(site: Site, name: str, **named: Any) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(name, kwargs={"slug": site.slug, **named}))


def log_in_browser(response: HttpResponse, site: Site, account: PortalAccount) -> HttpResponse:
    """Let this browser in for two weeks, until the customer logs out anywhere."""
    value = signing.dumps([account.pk.hex, account.session_stamp.hex], salt=SALT)
    response.set_cookie(
        COOKIE,
        value,
        max_age=STAYS_SECONDS,
        path=_path_of(site),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def log_out_browser(response: HttpResponse, site: Site) -> HttpResponse:
    response.delete_cookie(COOKIE, path=_path_of(site))
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
    if take(key, limit):
        raise TooOften


class _CsrfCheck(CsrfViewMiddleware):
    """Refuses in the customer's words; Django's own page is written for developers."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return problem(request, "form_over", 403)


_csrf_protect = decorator_from_middleware(_CsrfCheck)


def _in_context(view: View) -> View:
    def answer(request: HttpRequest, slug: str, **named: Any) -> HttpResponseBase:
        tenant = Tenant.objects.filter(slug=slug, is_active=True).first()
        if tenant is None:
            return problem(request, "not_found", 404)
        stamp = audit.acting(
            user_id=None, ip=client_ip(request), request_id=request_id_of(request), by="portal"
        )
        with tenant_context(tenant.pk), stamp, timezone.override(ZoneInfo(tenant.timezone)):
            identity = billing_identity()
            site = Site(tenant, identity, words_for(request, usual=identity.language))
            response = view(request, site=site, **named)
        return with_headers(response)

    return answer


def with_headers(response: R) -> R:
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    if response.headers.get("Content-Type", "").startswith("text/html"):
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def _is_too_large(request: HttpRequest) -> bool:
    length = request.headers.get("Content-Length", "")
    return not (length.isascii() and length.isdigit()) or int(length) > MOST_BODY_BYTES


def take(key: str, limit: GcraLimit) -> int:
    """Count one; return in how many seconds to come back when that is too often, else 0."""
    try:
        taken = limit.take(key)
    except RedisError:
        return 0  # Customers must see their line while Redis is away; secrets are too long to be guessed.
    return 0 if taken.allowed else max(1, taken.retry_after_seconds)


def _path_of(site: Site) -> str:
    return reverse("portal-home", args=[site.slug])
