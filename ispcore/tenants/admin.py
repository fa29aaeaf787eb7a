from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.auth.password_validation import validate_password
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from ispcore.admin import navigation
from ispcore.admin.base import ReadOnlyAdmin, StaffModelAdmin, TenantForm
from ispcore.admin.fields import EmailInput, PasswordInput, TextInput
from ispcore.admin.formats import moment, pill, time_column
from ispcore.admin.site import register
from ispcore.errors import DomainError
from ispcore.tenants import services
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import AuditEntry, Membership, Tenant


def is_platform_staff(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_platform_staff", False))


def _person(request: HttpRequest) -> UUID:
    assert request.user.pk is not None
    return request.user.pk


class TenantTenantForm(TenantForm):
    class Meta:
        model = Tenant
        fields = ("name", "slug", "timezone", "is_active")

    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"]
        if name not in services.known_timezones():
            raise forms.ValidationError(
                "This is no IANA time zone. Examples: Europe/Berlin, Asia/Kolkata, UTC."
            )
        return name


class PlatformAdmin(StaffModelAdmin):
    """For platform staff alone: a tenant's administrator has the permission's name, but not this page."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_platform_staff(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_platform_staff(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_platform_staff(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_platform_staff(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@register(Tenant)
class TenantAdmin(PlatformAdmin):
    """The providers."""

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


class NewMemberForm(TenantForm):
    """Give a person a role; a person unknown so far gets an account with a first password."""

    email = forms.EmailField(widget=EmailInput(), label="E-mail", help_text="The log-in name.")
    full_name = forms.CharField(widget=TextInput(), max_length=120, required=False)
    password = forms.CharField(
        widget=PasswordInput({"autocomplete": "new-password"}),
        label="First password",
        required=False,
        help_text="For a new account: at least 10 characters, to be changed after the first log-in. "
        "Someone who has an account keeps their password.",
    )

    class Meta:
        model = Membership
        fields = ("role",)

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if password:
            validate_password(password)
        return password

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "email" in data and "password" in data:
            try:
                services.check_new_member(email=data["email"], has_password=bool(data["password"]))
            except DomainError as refusal:
                self.add_error(refusal.field, str(refusal))
        return data


@register(Membership)
class MembershipAdmin(StaffModelAdmin):
    """Who works here, and as what."""

    list_display = ("person", "role", "account", "last_log_in")
    list_filter = ("role",)
    list_select_related = ("user",)
    search_fields = ("user__full_name", "user__email")
    ordering = ("user__full_name", "user__email")
    readonly_fields = ("person", "account", "last_log_in")
    add_fieldsets = ((None, {"fields": ("email", "full_name", "role", "password")}),)
    fieldsets = ((None, {"fields": ("person", "account", "last_log_in", "role")}),)
    empty_title = "Nobody works here yet"
    empty_help = (
        "Add the people of this provider and choose their role; the role decides what each may see and do."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        # Row-level security also shows a person their memberships elsewhere, so the tenant is named here.
        return super().get_queryset(request).filter(tenant_id=current_tenant_id()).select_related("user")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewMemberForm
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        data = form.cleaned_data
        if change:
            services.change_role(membership_id=obj.pk, role=data["role"], by=_person(request))
            return
        made = services.add_member(
            email=data["email"], full_name=data["full_name"], role=data["role"], password=data["password"]
        )
        obj.__dict__.update(made.__dict__)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_member(membership_id=obj.pk, by=_person(request))

    @admin.display(description="Person", ordering="user__full_name")
    def person(self, obj: Membership) -> str:
        name = obj.user.full_name
        return (
            format_html('{} <span class="isp-muted">{}</span>', name, obj.user.email)
            if name
            else obj.user.email
        )

    @admin.display(description="Account", ordering="user__is_active")
    def account(self, obj: Membership) -> str:
        return pill("Active", "good") if obj.user.is_active else pill("Switched off", "warning")

    @admin.display(description="Last log-in", ordering="user__last_login")
    def last_log_in(self, obj: Membership) -> str:
        return moment(obj.user.last_login, empty="never")


@register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Deeds that change no row. What changed in a row stands in that row's own history."""

    list_display = ("what", "user", time_column("created_at", "When"), "ip", "request_id")
    list_filter = ("action", "created_at")
    list_select_related = ("user",)
    search_fields = ("detail", "=request_id")
    fieldsets = ((None, {"fields": ("what", "user", time_column("created_at", "When"), "ip", "request_id")}),)
    ordering = ("-created_at",)
    empty_title = "Nothing recorded yet"
    empty_help = (
        "Here stands what people did that changes no record: acting for this provider, revealing a secret. "
        "Who changed a record stands in that record's history."
    )

    @admin.display(description="What", ordering="action")
    def what(self, obj: AuditEntry) -> str:
        text = obj.action[:1].upper() + obj.action[1:]
        return format_html('{} <span class="isp-muted">{}</span>', text, obj.detail) if obj.detail else text


navigation.add(
    "Platform",
    10,
    "Tenants",
    url_name="admin:tenants_tenant_changelist",
    icon="apartment",
    allowed=is_platform_staff,
)
navigation.add_list("Platform", 20, "Users", Membership, icon="group")
navigation.add_list("Platform", 70, "Audit", AuditEntry, icon="policy")
