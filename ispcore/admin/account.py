"""The page of one's own account: how one logs in."""

from typing import Any, cast

import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe

from ispcore import audit
from ispcore.admin.entry import CodeForm
from ispcore.admin.theme import PRODUCT
from ispcore.api.request import client_ip, request_id_of
from ispcore.auth import authenticators, oidc, people
from ispcore.auth.models import ExternalIdentity
from ispcore.errors import DomainError
from ispcore.tenants.models import User

PAGE = "admin/account.html"


def links(request: HttpRequest) -> list[dict[str, str]]:
    """Return the entries of the menu under one's own name, in the shape the theme draws."""
    entries = [{"title": "Your account", "link": reverse("admin:account")}]
    if request.user.is_authenticated and request.user.has_usable_password():
        entries.append({"title": "Change password", "link": reverse("admin:password_change")})
    return entries


def account_view(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """GET shows how one logs in; POST changes one thing of it, named by `do`."""
    user = cast(User, request.user)
    form = CodeForm(request.POST if "code" in request.POST else None)
    if not authenticators.is_on(user):
        form.fields["code"].help_text = "The six digits the app shows now."
    codes: list[str] = []
    if request.method == "POST":
        try:
            codes = _do(request, user, form)
        except DomainError as refusal:
            if "code" in request.POST:
                form.add_error("code", str(refusal))
            else:
                messages.error(request, str(refusal))
        if not codes and not form.errors:
            return redirect("admin:account")
    response = TemplateResponse(request, PAGE, _context(site, request, user, form, codes))
    response["Cache-Control"] = "no-store"
    return response


def _do(request: HttpRequest, user: User, form: CodeForm) -> list[str]:
    """Change what was asked for; returns recovery codes, which this answer alone shows."""
    match request.POST.get("do"):
        case "begin":
            authenticators.begin(user=user, issuer=PRODUCT)
        case "confirm" if form.is_valid():
            codes = authenticators.confirm(user=user, code=form.cleaned_data["code"], at=timezone.now())
            _record(request, "turned on authenticator app")
            return codes
        case "cancel" if not authenticators.is_on(user):
            authenticators.turn_off(user=user)
        case "turn off" if form.is_valid():
            authenticators.check(user=user, code=form.cleaned_data["code"], at=timezone.now())
            authenticators.turn_off(user=user)
            _record(request, "turned off authenticator app")
            messages.success(request, "The authenticator app is turned off: your password alone logs you in.")
        case "unlink" if user.has_usable_password():
            people.unlink(user=user)
            _record(request, "unlinked log-in service")
            messages.success(request, "The link is gone: only your password logs you in.")
    return []


def _context(
    site: AdminSite, request: HttpRequest, user: User, form: CodeForm, codes: list[str]
) -> dict[str, Any]:
    is_on = authenticators.is_on(user)
    enrolment = None
    if not is_on and authenticators.is_begun(user):
        enrolment = authenticators.begin(user=user, issuer=PRODUCT)
    return {
        **site.each_context(request),
        "title": "Your account",
        "has_password": user.has_usable_password(),
        "is_on": is_on,
        "codes": codes,
        "codes_left": authenticators.recovery_codes_left(user) if is_on else 0,
        "enrolment": enrolment,
        "picture": mark_safe(_picture(enrolment.uri)) if enrolment else "",  # noqa: S308  (made here)
        "form": form,
        "provider": settings.OIDC_PROVIDER_NAME if oidc.is_open() else "",
        "is_linked": ExternalIdentity.objects.filter(user=user, issuer=settings.OIDC_ISSUER).exists(),
    }


def _record(request: HttpRequest, action: str) -> None:
    """Write it down with the provider whom this person acts for."""
    audit.record(
        action=action, user_id=request.user.pk, ip=client_ip(request), request_id=request_id_of(request)
    )


def _picture(uri: str) -> str:
    """Draw the address as a QR code: black on white in dark mode too, or no app would read it."""
    return segno.make(uri, error="m").svg_inline(
        scale=4,
        border=4,
        dark="#000",
        light="#fff",
        svgclass="isp-qr",
        title="QR code for your authenticator app",
    )
