from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.password_validation import validate_password
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from ispcore.admin import navigation
from ispcore.admin.base import ReadOnlyAdmin, StaffModelAdmin, TenantForm
from ispcore.admin.formats import DASH, moment, pill, time_column
from ispcore.admin.site import register
from ispcore.tenants import services
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import AuditEntry, Membership, Tenant


def _is_platform_staff(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_platform_staff", False))


class TenantTenantForm(TenantForm):
    class Meta:
        model = Tenant
        fields = ("name", "slug", "timezone", "is_active")

    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"]
        if name not in services.known_timezones():
            raise forms.ValidationError("This is no IANA time zone. Examples: Europe/Berlin, Asia/Kolkata, UTC.")
        return name


@register(Tenant)
class TenantAdmin(StaffModelAdmin):
    """For platform staff alone: a tenant's administrator has the permission's name, but not this page."""

    form = TenantTenantForm
    list_display = ("name", "slug", "timezone", "state", time_column("created_at", "Created"))
    list_filter = ("is_active",)
    search_fields = ("name", "=slug")
    ordering = ("name",)
    empty_title = "No provider yet"
    empty_help = "Each provider (tenant) has its own customers, devices and staff, invisible to all others."

    @admin.display(description="State", ordering="is_active")
    def state(self, obj: Tenant) -> str:
        return pill("Active", "good") if obj.is_active else pill("Switched off", "warning")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()  # Integrators send it in X-Tenant-ID.

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_platform_staff(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_platform_staff(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_platform_staff(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_platform_staff(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembershipForm(TenantForm):
    """Give a person a role; a person unknown so far gets an account with a first password."""

    email = forms.EmailField(help_text="The log-in name.", required=True)
    full_name = forms.CharField(max_length=120, required=False)
    password = forms.CharField(
        required=False,
        help_text="For a new account, at least 10 characters; the person changes it after the first log-in. "
        "Someone who already has an account keeps theirs.",
    )

    class Meta:
        model = Membership
        fields = ("role",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            for name in ("email", "full_name", "password"):
                self.fields.pop(name, None)

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if password:
            validate_password(password)
        return password

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.instance._state.adding or "email" not in data:
            return data
        try:
            services.check_new_member(email=data["email"], has_password=bool(data.get("password")))
        except services.MembershipRefused as refusal:
            self.add_error(refusal.field, str(refusal))
        return data


@register(Membership)
class MembershipAdmin(StaffModelAdmin):
    """Who works here, and as what."""

    form = MembershipForm
    list_display = ("person", "email", "role", "account", "last_log_in")
    list_filter = ("role",)
    list_select_related = ("user",)
    search_fields = ("user__full_name", "^user__email")
    ordering = ("user__full_name", "user__email")
    readonly_fields = ("person", "email_of", "account", "last_log_in")
    add_fieldsets = (
        (
            None,
            {"fields": ("email", "full_name", "role", "password")},
        ),
    )
    fieldsets = ((None, {"fields": ("person", "email_of", "account", "last_log_in", "role")}),)
    empty_title = "Nobody works here yet"
    empty_help = "Add the people of this provider and choose their role; the role decides what each may see and do."

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        # Row-level security also shows a person their memberships elsewhere, so the tenant is named here.
        return super().get_queryset(request).filter(tenant_id=current_tenant_id())

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["fields"] = ("role",)
        form = super().get_form(request, obj, change, **kwargs)
        for name in ("email", "full_name", "password"):
            self._dress(form.base_fields.get(name), name)
        return form

    def _dress(self, field: Any, name: str) -> None:
        from unfold.widgets import UnfoldAdminEmailInputWidget  # pragma: no cover

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        pass

    @admin.display(description="Name", ordering="user__full_name")
    def person(self, obj: Membership) -> str:
        return obj.user.full_name or DASH
