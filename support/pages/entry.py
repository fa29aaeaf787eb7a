"""Logging in and out, and the password."""

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from ispcore.api.throttles import GcraLimit
from ispcore.errors import DomainError
from ispcore.tenants.models import Tenant
from support.models import PortalAccount
from support.pages.frame import (
    account_of,
    customers_page,
    log_in_browser,
    log_out_browser,
    page,
    refuse_too_often,
    show,
    to,
)
from support.services.portal import access

PASSWORD_LIMIT = GcraLimit(rate=2, period=60, burst=10)
LINK_LIMIT = GcraLimit(rate=1, period=300, burst=3)
LONGEST_EMAIL = 254
LONGEST_PASSWORD = 1024


@require_http_methods(["GET", "HEAD", "POST"])
@page
def log_in(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Send a link, or take a password."""
    if request.method != "POST":
        return to(tenant, "portal-home") if account_of(request) else show(request, "log_in", tenant)
    email = request.POST.get("email", "").strip().lower()[:LONGEST_EMAIL]
    password = request.POST.get("password", "")[:LONGEST_PASSWORD]
    try:
        if "password" in request.POST:
            refuse_too_often(f"portal:password:{tenant.pk}:{_key(email)}", PASSWORD_LIMIT)
            account = access.log_in(email=email, password=password, at=timezone.now())
            return log_in_browser(to(tenant, "portal-home"), tenant, account)
        refuse_too_often(f"portal:link:{tenant.pk}:{_key(email)}", LINK_LIMIT)
    except DomainError as refusal:
        context: dict[str, Any] = {
            "problem": str(refusal),
            "email": email,
            "by_password": "password" in request.POST,
        }
        return show(request, "log_in", tenant, status=refusal.status, **context)
    if "@" in email and email.isprintable():
        access.request_link(email=email)
    return show(request, "log_in", tenant, sent_to=email)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def enter(request: HttpRequest, tenant: Tenant, secret: str) -> HttpResponse:
    """Log in by a link. Only the button uses it up: programs that look at links in e-mails do not press it."""
    try:
        if request.method != "POST":
            access.find_link(secret=secret, at=timezone.now())
            return show(request, "enter", tenant)
        account = access.enter(secret=secret, at=timezone.now())
    except DomainError as refusal:
        return show(request, "log_in", tenant, status=refusal.status, problem=str(refusal))
    return log_in_browser(to(tenant, "portal-home"), tenant, account)


@require_POST
@customers_page
def log_out(request: HttpRequest, tenant: Tenant, account: PortalAccount) -> HttpResponse:
    """Log out, here and on all other devices."""
    access.log_out(account_id=account.pk)
    return log_out_browser(to(tenant, "portal-login"), tenant)


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def password(request: HttpRequest, tenant: Tenant, account: PortalAccount) -> HttpResponse:
    """Choose a password."""
    if request.method != "POST":
        return show(request, "password", tenant, account=account, here="more")
    try:
        chosen = request.POST.get("password", "")[:LONGEST_PASSWORD]
        account = access.set_password(account_id=account.pk, password=chosen)
    except DomainError as refusal:
        context = {"problem": str(refusal), "account": account, "here": "more"}
        return show(request, "password", tenant, status=refusal.status, **context)
    done = show(request, "password", tenant, account=account, here="more", notice="Your password is set.")
    return log_in_browser(done, tenant, account)


def _key(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()
