"""What one provider wants of its access: one page with one form."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from aaa.models import Barred, Policy, RadiusSettings, Reason, ServiceProfile
from aaa.services import settings
from ispcore.admin import navigation
from ispcore.admin.fields import CheckBox, NumberInput, Select, TextInput
from ispcore.errors import DomainError

if TYPE_CHECKING:
    from aaa.admin.accounts import AccountAdmin

MAY_CHANGE = "aaa.change_radiussettings"
MOST_LETTERS = (
    200  # A Reply-Message has at most 253 bytes (RFC 2865 section 5.18), and letters may take several.
)
# As FreeRADIUS says them where the provider has no words of its own.
USUAL = {
    Reason.DISABLED: "This account is switched off",
    Reason.EXPIRED: "This account has expired",
    Reason.QUOTA: "Account credits depleted",
    Reason.BLOCKED: "Service suspended",
}
NAMES = {
    "garden_policy_id": "garden_policy",
    "service_profile_id": "service_profile",
}


def _barred(label: str, help_text: str) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=Barred.choices, widget=Select, help_text=help_text)


class SettingsForm(forms.Form):
    unpaid = _barred("Held for non-payment", "What happens when such a line logs in.")
    suspended = _barred("Held for any other reason", "Abuse, vacation, fraud or a decision of staff.")
    expired = _barred("Past its date of expiry", "Of an account that has one.")
    garden_policy = forms.ModelChoiceField(
        Policy.objects.order_by("name"), required=False, label="Walled garden", widget=Select, empty_label="None",
        help_text="Policy with the speed, address list and filter of the walled garden. Your NAS leads that address "
        "list to the page where one can pay.",
    )  # fmt: skip
    garden_pool = forms.CharField(
        required=False, max_length=80, label="Pool of the walled garden", widget=TextInput,
        help_text="Name of an IPv4 pool on the NASes. Empty: the address the account has anyway.",
    )  # fmt: skip
    creates_accounts = forms.BooleanField(
        required=False, label="Make an account with each new service", widget=CheckBox,
        help_text="With a random password, the moment the service is ordered.",
    )  # fmt: skip
    service_profile = forms.ModelChoiceField(
        ServiceProfile.objects.order_by("name"), required=False, label="RADIUS service of such accounts", widget=Select,
        empty_label="None",
    )  # fmt: skip
    username_template = forms.CharField(
        max_length=120, label="User name of such accounts", widget=TextInput,
        help_text="{number} stands for the service's number, {subscriber} for the customer's, as in "
        "{number}@example.net.",
    )  # fmt: skip
    attempt_days = forms.IntegerField(
        min_value=7, max_value=730, label="Keep log-in attempts, days", widget=NumberInput,
        help_text="7 to 730. Older ones are deleted.",
    )  # fmt: skip
    session_days = forms.IntegerField(
        min_value=31, max_value=3660, label="Keep past sessions, days", widget=NumberInput,
        help_text="31 to 3660. Many countries' laws say how long.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for reason in Reason:
            usual = f" Empty: “{USUAL[reason]}”." if reason in USUAL else ""
            self.fields[f"message_{reason.value}"] = forms.CharField(
                required=False, max_length=MOST_LETTERS, label=str(reason.label), widget=TextInput,
                help_text=f"In your words.{usual}",
            )  # fmt: skip

    def groups(self) -> list[dict[str, Any]]:
        """Return the fields as the page shows them."""
        grouped = (
            ("Who is barred", "", ("unpaid", "suspended", "expired", "garden_policy", "garden_pool")),
            ("New services", "", ("creates_accounts", "service_profile", "username_template")),
            (
                "What the subscriber is told",
                "Sent with a refusal (Reply-Message); many routers show it in their log.",
                tuple(name for name in self.fields if name.startswith("message_")),
            ),
            ("How long records are kept", "", ("attempt_days", "session_days")),
        )
        return [
            {"title": title, "help": text, "fields": [self[name] for name in names]}
            for title, text, names in grouped
        ]

    def values(self) -> dict[str, Any]:
        """Return what the service takes."""
        given = {name: value for name, value in self.cleaned_data.items() if not name.startswith("message_")}
        for name in ("garden_policy", "service_profile"):
            record = given.pop(name)
            given[f"{name}_id"] = record.pk if record else None
        said = {reason.value: self.cleaned_data[f"message_{reason.value}"].strip() for reason in Reason}
        return {**given, "messages": {reason: text for reason, text in said.items() if text}}


def settings_view(admin: "AccountAdmin", request: HttpRequest) -> HttpResponse:
    """Show the settings to whoever may change them, and change them."""
    if not request.user.has_perm(MAY_CHANGE):
        raise PermissionDenied
    form = SettingsForm(request.POST or None, initial=_initial(settings.radius_settings()), label_suffix="")
    if request.method == "POST" and form.is_valid():
        try:
            settings.change_settings(**form.values())
        except DomainError as refusal:
            named = NAMES.get(refusal.field or "", refusal.field or "")
            form.add_error(named if named in form.fields else None, _said(refusal))
        else:
            messages.success(
                request, "The settings are saved. Who is barred or let in by them follows at once."
            )
            return redirect(request.path)
    context = {**admin.admin_site.each_context(request), "title": "Access settings", "form": form}
    return TemplateResponse(request, "admin/aaa/settings.html", context)


def _initial(found: RadiusSettings) -> dict[str, Any]:
    names = (
        "unpaid", "suspended", "expired", "garden_pool", "creates_accounts", "username_template", "attempt_days",
        "session_days",
    )  # fmt: skip
    return {
        **{name: getattr(found, name) for name in names},
        "garden_policy": found.garden_policy_id,
        "service_profile": found.service_profile_id,
        **{f"message_{reason}": text for reason, text in found.messages.items()},
    }


def _said(refusal: DomainError) -> str:
    """Say a refusal in the words of this page, where its own name a field of the API."""
    if isinstance(refusal, settings.GardenNeedsPolicy):
        return "A walled garden needs a policy that says what it is: choose one here."
    if isinstance(refusal, settings.ProfileNeeded):
        return "Choose which RADIUS service new accounts get, or let none be made."
    return str(refusal)


navigation.add(
    "Access",
    90,
    "Access settings",
    url_name="admin:aaa_radius_settings",
    icon="tune",
    allowed=MAY_CHANGE,
)
