from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.fields import EmailInput, Select, TextInput
from ispcore.admin.formats import pill, time_column
from ispcore.admin.site import register
from ispcore.auth import people, services
from ispcore.auth.models import KEY_ROLES, ApiKey, ExternalIdentity
from ispcore.tenants.admin import PlatformAdmin, is_platform_staff
from ispcore.tenants.models import User


class NewKeyForm(TenantForm):
    # Nothing is chosen beforehand: what stands first may do everything.
    role = forms.ChoiceField(
        choices=[("", "Choose a role"), *KEY_ROLES],
        widget=Select(),
        help_text="What the program may do. Give it no more than it needs.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "role", "expires_at", "allowed_ips")
        labels = {"expires_at": "Expires", "allowed_ips": "Usable from"}
        widgets = {"allowed_ips": TextInput()}
        help_texts = {
            "expires_at": "In the provider's time zone. Empty: never.",
            "allowed_ips": "Addresses or networks, with commas between: 192.0.2.7, 198.51.100.0/24. Empty: anywhere.",
        }

    def clean_expires_at(self) -> Any:
        value = self.cleaned_data["expires_at"]
        if value and value <= timezone.now():
            raise forms.ValidationError("The key would have expired already.")
        return value


@register(ApiKey)
class ApiKeyAdmin(TenantModelAdmin):
    """Keys of integrators: made, shown once, revoked; never changed and never deleted."""

    form = NewKeyForm
    list_display = (
        "name",
        "role",
        "begins",
        "state",
        time_column("last_used_at", "Last used", empty="never"),
        time_column("expires_at", "Expires", empty="never"),
    )
    list_filter = ("role",)
    search_fields = ("name", "=prefix")
    ordering = ("-created_at",)
    actions = ("revoke",)
    object_actions = ("revoke",)
    add_fieldsets = ((None, {"fields": ("name", "role", "expires_at", "allowed_ips")}),)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "role",
                    "state",
                    "begins",
                    "usable_from",
                    "created_by",
                    time_column("created_at", "Created"),
                    time_column("last_used_at", "Last used", empty="never"),
                    time_column("expires_at", "Expires", empty="never"),
                    time_column("revoked_at", "Revoked", empty="no"),
                )
            },
        ),
    )
    empty_title = "No API key yet"
    empty_help = (
        "An API key lets a program act for this provider with a role of your choice. It is shown once."
    )
    docs_path = "/docs"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("ispauth.change_apikey")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        made, key = services.create_api_key(
            **form.cleaned_data,
            created_by=cast(User, request.user),
            at=timezone.now(),
        )
        obj.__dict__.update(made.__dict__)
        request.new_api_key = key  # type: ignore[attr-defined]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        # What follows is the page that shows the key.
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: Any = None) -> HttpResponse:
        """Show the key in this answer alone: in a message it would lie in a cookie until read."""
        context = {
            **self.admin_site.each_context(request),
            "title": "The new key",
            "opts": self.opts,
            "key": request.new_api_key,  # type: ignore[attr-defined]
            "name": obj.name,
        }
        response = TemplateResponse(request, "admin/ispauth/apikey/created.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @action(
        description="Revoke",
        permissions=["revoke"],
        confirm="Whatever uses this key is locked out from its next call on. This cannot be undone.",
        button="Revoke for good",
        icon="key_off",
        danger=True,
        available=lambda key: key.revoked_at is None,
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda key: services.revoke_api_key(key_id=key.pk, at=at),
            done="{count} revoked.",
        )

    @admin.display(description="Begins")
    def begins(self, obj: ApiKey) -> str:
        return f"ispk_{obj.prefix}_…"

    @admin.display(description="State")
    def state(self, obj: ApiKey) -> str:
        if obj.revoked_at:
            return pill("Revoked", "danger")
        if obj.expires_at and obj.expires_at <= timezone.now():
            return pill("Expired", "warning")
        return pill("Valid", "good")

    @admin.display(description="Usable from")
    def usable_from(self, obj: ApiKey) -> str:
        return ", ".join(obj.allowed_ips) or "anywhere"


class NewIdentityForm(TenantForm):
    """Name the account by its e-mail address; the issuer is the one this installation is connected to."""

    email = forms.EmailField(
        widget=EmailInput(), label="E-mail", help_text="The log-in name of the account here."
    )

    class Meta:
        model = ExternalIdentity
        fields = ("subject",)
        widgets = {"subject": TextInput()}

    def clean_subject(self) -> str:
        subject: str = self.cleaned_data["subject"]
        known = ExternalIdentity.objects.filter(issuer=settings.OIDC_ISSUER, subject=subject)
        if known.exists():
            raise forms.ValidationError("This subject logs in as somebody here already.")
        return subject

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        if not User.objects.filter(email=email).exists():
            raise forms.ValidationError("Nobody has this e-mail address here.")
        return email


@register(ExternalIdentity)
class ExternalIdentityAdmin(PlatformAdmin):
    """Who logs in as whom: made by log-ins and by owners of accounts, and by hand where neither can."""

    form = NewIdentityForm
    list_display = ("user", "subject", "issuer", time_column("created_at", "Since"))
    list_select_related = ("user",)
    search_fields = ("=subject", "=user__email")
    ordering = ("-created_at",)
    add_fieldsets = ((None, {"fields": ("email", "subject")}),)
    fieldsets = ((None, {"fields": ("user", "subject", "issuer", time_column("created_at", "Since"))}),)
    empty_title = "Nobody has logged in with the log-in service yet"
    empty_help = (
        "Here stands which account of the log-in service logs in as whom. Owners of an account link it themselves "
        "under Your account; link one here when they cannot log in with a password."
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(settings.OIDC_ISSUER) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request)

    def save_model(self, request: HttpRequest, obj: ExternalIdentity, form: Any, change: bool) -> None:
        user = User.objects.get(email=form.cleaned_data["email"])
        obj.__dict__.update(people.link(user=user, subject=form.cleaned_data["subject"]).__dict__)

    def delete_model(self, request: HttpRequest, obj: ExternalIdentity) -> None:
        people.remove_link(identity_id=obj.pk)


links.add("key", "admin:ispauth_apikey_change")
navigation.add_list("Platform", 30, "API keys", ApiKey, icon="key")
navigation.add(
    "Platform", 31, "API reference", url_name="developers:hub", icon="code", allowed="ispauth.view_apikey"
)
navigation.add(
    "Platform",
    25,
    "Linked log-ins",
    url_name="admin:ispauth_externalidentity_changelist",
    icon="link",
    allowed=is_platform_staff,
)
