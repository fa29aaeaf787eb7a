"""What a provider shows of itself on invoices: one record with a form."""

import base64
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from billing.models import BillingIdentity
from billing.services.documents import identity
from ispcore.admin import navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.fields import CheckBox
from ispcore.admin.formats import DASH
from ispcore.admin.site import register
from subscribers.admin.saving import saved

OF_THE_ROW = (
    "legal_name", "tax_id", "address", "email", "phone", "iban", "bic", "bank_name", "language", "note",
    "sends_invoices",
)  # fmt: skip


class IdentityForm(TenantForm):
    refused_fields = {"logo": "logo_file"}

    logo_file = forms.FileField(
        required=False,
        label="Logo",
        help_text="PNG or JPEG, at most 200 kB and 2,000 × 2,000 pixels. Wide ones suit the head of a letter best.",
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg"}),
    )
    removes_logo = forms.BooleanField(required=False, label="Without a logo", widget=CheckBox)

    class Meta:
        model = BillingIdentity
        fields = OF_THE_ROW

    def clean_logo_file(self) -> bytes | None:
        file = self.cleaned_data.get("logo_file")
        if not file:
            return None
        content: bytes = file.read(identity.LOGO_BYTES + 1)
        try:
            identity.size_of(content)
        except identity.BadLogo as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        return content


@register(BillingIdentity)
class BillingIdentityAdmin(TenantModelAdmin):
    """One record, shown in the head and the foot of each invoice."""

    form = IdentityForm
    list_display = ("legal_name", "tax_id_shown", "iban_shown", "language", "sends_invoices")
    list_display_links = ("legal_name",)
    sortable_by = ()
    history_ignore = ("logo",)
    readonly_fields = ("logo_shown",)
    fieldsets = (
        ("Who bills", {"fields": ("legal_name", "tax_id", "address", "email", "phone")}),
        ("Logo", {"fields": ("logo_shown", "logo_file", "removes_logo")}),
        ("Bank account", {"fields": ("iban", "bic", "bank_name")}),
        ("Invoices", {"fields": ("language", "note", "sends_invoices")}),
    )
    empty_title = "Invoices show only your name yet"
    empty_help = (
        "Give your registered name, tax number, address and logo, and the account customers pay to. Invoices in euro "
        "then carry a code that banking apps read."
    )
    docs_path = "/docs"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not BillingIdentity.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: BillingIdentity, form: Any, change: bool) -> None:
        given = form.cleaned_data
        changes = {name: given[name] for name in OF_THE_ROW}
        if given["logo_file"] or given["removes_logo"]:
            changes["logo"] = given["logo_file"] or b""
        saved(obj, identity.change_identity(**changes))

    @admin.display(description="Now")
    def logo_shown(self, obj: BillingIdentity) -> str:
        if not obj.pk or not obj.logo:
            return "None"
        content = bytes(obj.logo)
        kind = "png" if content.startswith(identity.PNG) else "jpeg"
        return format_html(
            '<img src="data:image/{};base64,{}" alt="Logo" style="max-height:72px;max-width:100%">',
            kind,
            base64.b64encode(content).decode(),
        )

    @admin.display(description="Tax number")
    def tax_id_shown(self, obj: BillingIdentity) -> str:
        return obj.tax_id or DASH

    @admin.display(description="IBAN")
    def iban_shown(self, obj: BillingIdentity) -> str:
        return obj.iban or DASH


navigation.add(
    "Billing",
    93,
    "Billing identity",
    url_name="admin:billing_billingidentity_changelist",
    icon="badge",
    allowed="billing.change_billingidentity",
    under="admin:billing_billingsettings_changelist",
)
