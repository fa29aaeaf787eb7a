"""The staff site. Import the admin from `ispcore.admin` only: no other module knows the theme."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.sites import UnfoldAdminSite

from ispcore.admin import account, all_data, dashboard, downloads, entry, search, switcher
from ispcore.admin.login import StaffLoginForm
from ispcore.admin.theme import PRODUCT


class StaffSite(UnfoldAdminSite):
    """Where staff work: open to people with a staff role, for one tenant at a time."""

    site_title = site_header = PRODUCT
    index_title = "Dashboard"
    login_form = StaffLoginForm
    index_template = "admin/index.html"

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return bool(user.is_active and (user.is_staff or getattr(user, "is_platform_staff", False)))

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Serve a view in its tenant's time zone, rendering included."""

        def in_tenant_zone(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            tenant = switcher.find_current_tenant(request)
            request.tenant = tenant  # type: ignore[attr-defined]
            with timezone.override(ZoneInfo(tenant.timezone) if tenant else None):
                response = view(request, *args, **kwargs)
                if isinstance(response, TemplateResponse) and not response.is_rendered:
                    response.render()
            return response

        return super().admin_view(update_wrapper(in_tenant_zone, view), cacheable)

    def extra_urls(self) -> list[URLPattern]:
        return [
            path("tenant/", self.admin_view(self.switch_tenant), name="switch_tenant"),
            path("login/code/", self.log_in_code, name="log_in_code"),
            path("account/", self.admin_view(self.account), name="account"),
            path("all-data/", self.admin_view(self.all_data), name="all_data"),
            path("files/<uuid:file_id>/", self.admin_view(self.download_file), name="download_file"),
        ]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        return entry.log_in_view(self, request)

    def log_in_code(self, request: HttpRequest) -> HttpResponse:
        return entry.code_view(self, request)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return entry.log_out_view(request)

    def account(self, request: HttpRequest) -> HttpResponse:
        return account.account_view(self, request)

    def all_data(self, request: HttpRequest) -> HttpResponse:
        return all_data.all_data_view(self, request)

    def switch_tenant(self, request: HttpRequest) -> HttpResponse:
        return switcher.switch_tenant_view(self, request)

    def download_file(self, request: HttpRequest, file_id: UUID) -> HttpResponseBase:
        return downloads.download_view(self, request, file_id)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **super().each_context(request),
            "tenant": getattr(request, "tenant", None),
            "may_switch_tenant": switcher.may_switch(request),
        }

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().index(request, {**dashboard.context(request), **(extra_context or {})})

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return search.search_view(self, request)


site = StaffSite()


def register(model: type[Model]) -> Callable[[type], type]:
    """Register the decorated admin for `model` with the staff site.

    Raises ImproperlyConfigured for an admin that is not built on ours: it would be neither scoped to the
    tenant nor closed to actions by GET.
    """
    from ispcore.admin.base import StaffModelAdmin  # Models load after this module.

    def decorate(admin_class: type) -> type:
        if not issubclass(admin_class, StaffModelAdmin):
            raise ImproperlyConfigured(f"{admin_class.__name__} must extend a class of ispcore.admin.base.")
        site.register(model, admin_class)
        return admin_class

    return decorate
