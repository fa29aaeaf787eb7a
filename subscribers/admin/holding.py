"""What staff say when they bar a line, lift a bar or change a plan."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone

from ispcore.admin.actions import ActionForm
from ispcore.admin.fields import DateInput, MomentInput, Select, TextInput
from subscribers.models import Hold, HoldReason, Plan


class SuspendForm(ActionForm):
    reason = forms.ChoiceField(choices=HoldReason.choices, initial=HoldReason.STAFF, widget=Select)
    note = forms.CharField(
        required=False,
        max_length=200,
        widget=TextInput,
        help_text="For colleagues; the customer does not see it.",
    )
    until = forms.DateTimeField(
        required=False,
        widget=MomentInput,
        help_text="In the provider's time zone; it lifts itself then. Empty: until somebody lifts it.",
    )

    def clean_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["until"]
        if until and until <= timezone.now():
            raise forms.ValidationError("This time has passed already.")
        return until


class ResumeForm(ActionForm):
    reason = forms.ChoiceField(
        widget=Select, label="Hold to lift", help_text="The line runs again when no hold is left."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = Hold.objects.filter(subscription__in=self.rows.values("pk"), released_at=None)
        reasons = set(held.values_list("reason", flat=True))
        kept = [(value, label) for value, label in HoldReason.choices if value in reasons]
        self.fields["reason"].choices = kept  # type: ignore[attr-defined]


class ChangePlanForm(ActionForm):
    to_plan = forms.ModelChoiceField(
        Plan.objects.order_by("price", "name"), label="New plan", widget=Select, empty_label="Choose a plan"
    )
    effective_on = forms.DateField(
        label="From",
        widget=DateInput,
        help_text="Today: it changes at once. A later day: it changes when that day begins.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["effective_on"].initial = timezone.localdate().isoformat()

    def clean_effective_on(self) -> Any:
        day = self.cleaned_data["effective_on"]
        if day < timezone.localdate():
            raise forms.ValidationError("This day has passed already.")
        return day
