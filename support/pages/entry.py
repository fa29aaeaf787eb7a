"""Logging in and out, and the password."""

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from ispcore.api.request import client_ip
from ispcore.api.throttles import GcraLimit, address_group
from ispcore.errors import DomainError
from support.models import PortalAccount
from support.pages.frame import (
    Site,
    account_of,
    customers_page,
    log_in_browser,
    log_out_browser,
    page,
    refuse_too_often,
    show,
    to,
)
from support.pages.speaking import refusal_words
from support.services.portal import access

PASSWORD_LIMIT = GcraLimit(rate=2, period=60, burst=10)
# Of one address on the network, whoever is asked about; many customers may share one behind CGNAT.
SPRAY_LIMIT = GcraLimit(rate=10, period=60, burst=30)
LINK_LIMIT = GcraLimit(rate=1, period=300, burst=3)
LONGEST_EMAIL = 254
LONGEST_PASSWORD = 1024


@require_http_methods(["GET", "HEAD", "POST"])
@page
def log_in(request: HttpRequest, site: Site) -> HttpResponse:
    """Send a link, or take a password."""
    if request.method != "POST":
        return to(site, "portal-home") if account_of(request) else show(request, "log_in", site)
    tenant, words = site.tenant, site.words
    email = request.POST.get("email", "").strip().lower()[:LONGEST_EMAIL]
    password = request.POST.get("password", "")[:LONGEST_PASSWORD]
    try:
        refuse_too_often(f"portal:enter:{tenant.pk}:{address_group(client_ip(request))}", SPRAY_LIMIT)
        if "password" in request.POST:
            refuse_too_often(f"portal:password:{tenant.pk}:{_key(email)}", PASSWORD_LIMIT)
            account = access.log_in(email=email, password=password, at=timezone.now())
            return _welcome(request, site, account)
        refuse_too_often(f"portal:link:{tenant.pk}:{_key(email)}", LINK_LIMIT)
    except DomainError as refusal:
        context: dict[str, Any] = {
            "problem": refusal_words(words, refusal),
            "email": email,
            "by_password": "password" in request.POST,
        }
        return show(request, "log_in", site, status=refusal.status, **context)
    if "@" in email and email.isprintable():
        access.request_link(email=email, language=words.language)
    minutes = int(access.VALID_FOR.total_seconds() // 60)
    return show(request, "log_in", site, sent_text=words.say("sent_text", email=email, minutes=minutes))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def enter(request: HttpRequest, site: Site, secret: str) -> HttpResponse:
    """Log in by a link. Only the button uses it up: programs that look at links in e-mails do not press it."""
    at = timezone.now()
    try:
        if request.method != "POST":
            access.find_link(secret=secret, at=at)
            return show(request, "enter", site)
        account = access.enter(secret=secret, at=at, language=site.words.language)
    except DomainError as refusal:
        said = refusal_words(site.words, refusal)
        return show(request, "log_in", site, status=refusal.status, problem=said)
    return _welcome(request, site, account)


@require_POST
@customers_page
def log_out(request: HttpRequest, site: Site, account: PortalAccount) -> HttpResponse:
    """Log out, here and on all other devices."""
    access.log_out(account_id=account.pk)
    return log_out_browser(to(site, "portal-login"), site)


@require_POST
@customers_page
def language(request: HttpRequest, site: Site, account: PortalAccount) -> HttpResponse:
    """Choose the language, from now on and of e-mails too."""
    access.set_language(account_id=account.pk, language=request.POST.get("language", ""))
    return to(site, "portal-home")


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def password(request: HttpRequest, site: Site, account: PortalAccount) -> HttpResponse:
    """Choose a password."""
    email = account.user.email if account.user else ""
    context: dict[str, Any] = {
        "here": "more",
        "email": email,
        "help": site.words.say("password_help", email=email),
    }
    if request.method != "POST":
        return show(request, "password", site, **context)
    try:
        chosen = request.POST.get("password", "")[:LONGEST_PASSWORD]
        account = access.set_password(account_id=account.pk, password=chosen)
    except DomainError as refusal:
        said = refusal_words(site.words, refusal)
        return show(request, "password", site, status=refusal.status, problem=said, **context)
    done = show(request, "password", site, notice=site.words["password_is_set"], **context)
    return log_in_browser(done, site, account)


def _welcome(request: HttpRequest, site: Site, account: PortalAccount) -> HttpResponse:
    rotate_token(request)  # Whatever was planted in this browser before is worth nothing.
    return log_in_browser(to(site, "portal-home"), site, account)


def _key(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()
