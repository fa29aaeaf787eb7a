"""What staff say when they bar a line, lift a bar or change a plan."""

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from ispcore.admin.actions import ActionForm
from ispcore.admin.fields import CheckBoxes, DateInput, MomentInput, Select, TextInput
from subscribers.models import Hold, HoldReason, Plan, Subscription
from subscribers.services.holds import DECIDED_BY_NAME

MOST_TAGS, MOST_LETTERS = 20, 40  # As the API's records have.


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


class ActivateForm(ActionForm):
    """Asks which holds to lift; a customer without any is not asked."""

    reasons = forms.MultipleChoiceField(
        required=False,
        label="Lift these holds",
        widget=CheckBoxes,
        help_text="Each must be lifted for the customer to be active; abuse and fraud only by your own tick.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lines = Subscription.objects.filter(subscriber__in=self.rows.order_by().values("pk"))
        choices = open_reasons(lines)
        if not choices:
            del self.fields["reasons"]
            return
        self.fields["reasons"].choices = choices  # type: ignore[attr-defined]
        self.fields["reasons"].initial = [value for value, _ in choices if value not in DECIDED_BY_NAME]

    def clean_reasons(self) -> list[str]:
        reasons: list[str] = self.cleaned_data["reasons"]
        choices = dict(self.fields["reasons"].choices)  # type: ignore[attr-defined]
        if left := [str(label) for value, label in choices.items() if value not in reasons]:
            raise forms.ValidationError(f"Tick this too, or leave the customer suspended: {', '.join(left)}.")
        return reasons


class TagsForm(ActionForm):
    tags = forms.CharField(
        max_length=400, widget=TextInput, help_text="Words with commas between: vip, business."
    )

    def clean_tags(self) -> list[str]:
        tags = [tag.strip().lower() for tag in self.cleaned_data["tags"].split(",")]
        tags = list(dict.fromkeys(tag for tag in tags if tag))
        if not tags or len(tags) > MOST_TAGS or any(len(tag) > MOST_LETTERS for tag in tags):
            raise forms.ValidationError(f"1 to {MOST_TAGS} tags of at most {MOST_LETTERS} letters.")
        return tags


class ResumeForm(ActionForm):
    reason = forms.ChoiceField(
        widget=Select, label="Hold to lift", help_text="The line runs again when no hold is left."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].choices = open_reasons(self.rows)  # type: ignore[attr-defined]


def open_reasons(rows: QuerySet) -> list[tuple[str, str]]:
    """List why any of these lines is barred, as a field's choices."""
    held = Hold.objects.filter(subscription__in=rows.order_by().values("pk"), released_at=None)
    reasons = set(held.values_list("reason", flat=True).distinct())
    return [(value, str(label)) for value, label in HoldReason.choices if value in reasons]


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
