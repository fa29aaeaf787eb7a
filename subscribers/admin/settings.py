"""What one provider wants of its customers' records: one page with one form."""

from typing import Any

import phonenumbers
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from ispcore.admin import navigation
from ispcore.admin.fields import CheckBoxes, Select
from ispcore.errors import DomainError
from subscribers.admin.countries import NAMES
from subscribers.models import DuplicateRule
from subscribers.services import settings

MAY_CHANGE = "subscribers.change_subscribersettings"
RULES = {
    DuplicateRule.DOCUMENT: "The same document: its letters and digits are compared, not its dots and dashes.",
    DuplicateRule.EMAIL: "The same e-mail address, in any case.",
    DuplicateRule.PHONE: "The same phone number, however it is written.",
}


def countries() -> list[tuple[str, str]]:
    """List the countries with telephone numbers by name."""
    named = [(code, NAMES.get(code, code)) for code in phonenumbers.SUPPORTED_REGIONS]
    return [(code, f"{name} ({code})") for code, name in sorted(named, key=lambda each: each[1])]


class SettingsForm(forms.Form):
    duplicate_rules = forms.MultipleChoiceField(
        required=False,
        label="Two customers may not have",
        choices=[(rule.value, words) for rule, words in RULES.items()],
        widget=CheckBoxes,
        help_text="Holds for what is written from now on, and leaves out customers who are inactive. "
        "External IDs are never shared.",
    )
    phone_region = forms.ChoiceField(
        label="Country of phone numbers",
        choices=countries,
        widget=Select,
        help_text="Meant when a number is written without + and country code. Numbers that are there keep theirs.",
    )


def settings_view(admin: Any, request: HttpRequest) -> HttpResponse:
    """Show the settings to whoever may change them, and change them."""
    if not request.user.has_perm(MAY_CHANGE):
        raise PermissionDenied
    found = settings.subscriber_settings()
    initial = {"duplicate_rules": found.duplicate_rules, "phone_region": found.phone_region}
    form = SettingsForm(request.POST or None, initial=initial, label_suffix="")
    if request.method == "POST" and form.is_valid():
        try:
            settings.change_subscriber_settings(**form.cleaned_data)
        except DomainError as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        else:
            messages.success(request, "The settings are saved.")
            return redirect(request.path)
    context = {
        **admin.admin_site.each_context(request),
        "title": "Subscriber settings",
        "form": form,
    }
    return TemplateResponse(request, "admin/subscribers/settings.html", context)


navigation.add(
    "Customers",
    90,
    "Subscriber settings",
    url_name="admin:subscribers_subscriber_settings",
    icon="tune",
    allowed=MAY_CHANGE,
)
