"""Coming in and going out: the password, the second step, and the log-in service."""

import time
from typing import Any
from uuid import UUID

import structlog
from django import forms
from django.conf import settings
from django.contrib import auth
from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from ispcore.admin.fields import TextInput
from ispcore.admin.login import ADDRESS_LIMIT, StaffLoginForm, count_attempt, is_allowed
from ispcore.api.request import client_ip
from ispcore.api.throttles import address_group
from ispcore.auth import authenticators, oidc
from ispcore.errors import DomainError
from ispcore.tenants.models import User

log = structlog.get_logger(__name__)

PENDING_KEY = "second_step"
PENDING_SECONDS = 300


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=40,
        label="Code",
        help_text="The six digits your authenticator app shows now, or one of your recovery codes.",
        widget=TextInput({"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )


class StaffLoginView(LoginView):
    """Check the password; whoever has an authenticator app goes on to its code."""

    authentication_form = StaffLoginForm
    template_name = "admin/log_in.html"

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if not authenticators.is_on(user):
            _note(self.request, user)
            return super().form_valid(form)
        session = self.request.session
        session.flush()  # Nothing of an earlier visitor goes on into this log-in.
        session[PENDING_KEY] = {"user": str(user.pk), "at": time.time(), "next": self.get_success_url()}
        return redirect("admin:log_in_code")


def log_in_view(site: AdminSite, request: HttpRequest) -> HttpResponseBase:
    """Offer the log-in service where there is one; `?local=1` is the way in while it is away."""
    if request.method == "GET" and site.has_permission(request):
        return redirect("admin:index")
    wanted = request.GET.get(REDIRECT_FIELD_NAME, "")
    begin = urlencode({"next": wanted or reverse("admin:index")})
    by_password = not oidc.is_open() or "local" in request.GET or request.method == "POST"
    context = {
        **site.each_context(request),
        "title": "Log in",
        "subtitle": None,
        "app_path": request.get_full_path(),
        "username": request.user.get_username(),
        "by_password": by_password,
        "provider": settings.OIDC_PROVIDER_NAME if oidc.is_open() else "",
        "begin_url": f"{reverse('oidc_authentication_init')}?{begin}",
        "password_url": f"?local=1&{urlencode({'next': wanted})}" if wanted else "?local=1",
    }
    if REDIRECT_FIELD_NAME not in request.GET and REDIRECT_FIELD_NAME not in request.POST:
        context[REDIRECT_FIELD_NAME] = reverse("admin:index")
    request.current_app = site.name
    return StaffLoginView.as_view(extra_context=context)(request)


def code_view(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Ask for the authenticator's code after the right password."""
    pending = request.session.get(PENDING_KEY) or {}
    user = _pending_user(pending)
    if user is None:
        return redirect("admin:login")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _is_right(request, form, user):
        del request.session[PENDING_KEY]
        _note(request, user)
        auth.login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return HttpResponseRedirect(_safe(request, pending["next"]))
    context = {
        **site.each_context(request),
        "title": "Log in",
        "form": form,
        "app_path": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/log_in_code.html", context)


def log_out_view(request: HttpRequest) -> HttpResponse:
    """Log out here, and at the log-in service where the log-in came from there."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    end = oidc.end_session_url(request)
    auth.logout(request)
    return HttpResponseRedirect(end or reverse("admin:login"))


def _pending_user(pending: dict[str, Any]) -> User | None:
    if not pending or pending["at"] < time.time() - PENDING_SECONDS:
        return None
    user = User.objects.filter(pk=UUID(pending["user"]), is_active=True).first()
    return user if user and is_allowed(user) and authenticators.is_on(user) else None


def _note(request: HttpRequest, user: User) -> None:
    """Leave word of a password used though there is a log-in service: rare, and worth a look."""
    if oidc.is_open():
        log.warning("password_log_in", user_id=str(user.pk), ip=client_ip(request))


def _is_right(request: HttpRequest, form: CodeForm, user: User) -> bool:
    try:
        count_attempt(ADDRESS_LIMIT, f"login:ip:{address_group(client_ip(request))}")
        authenticators.check(user=user, code=form.cleaned_data["code"], at=timezone.now())
    except DomainError as refusal:
        form.add_error("code", str(refusal))
    except ValidationError as refusal:
        form.add_error("code", refusal)
    return form.is_valid()


def _safe(request: HttpRequest, url: str) -> str:
    is_ours = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if is_ours else reverse("admin:index")
