"""A provider's own fields on the customer's form, each by its kind, and the consents beside them."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.formats import date_format

from ispcore.admin.fields import CheckBox, DateInput, NumberInput, Select, TextInput
from ispcore.admin.formats import DASH, facts
from subscribers.models import CustomField, CustomFieldKind, Subscriber
from subscribers.services import custom_fields

PREFIX = "own_"
CONSENTS = {"accepts_terms": "terms_accepted_at", "accepts_marketing": "marketing_consent_at"}


def definitions(request: HttpRequest) -> list[CustomField]:
    """Read the definitions once per request."""
    if not hasattr(request, "own_fields"):
        request.own_fields = custom_fields.definitions_in_order()  # type: ignore[attr-defined]
    found: list[CustomField] = request.own_fields  # type: ignore[attr-defined]
    return found


def names(fields: Sequence[CustomField]) -> tuple[str, ...]:
    return tuple(PREFIX + field.key for field in fields)


def form_with(base: type[forms.ModelForm], fields: Sequence[CustomField]) -> type[forms.ModelForm]:
    """Return the form with an input for each of the fields, and refusals led to them."""
    inputs: dict[str, Any] = {PREFIX + field.key: _input(field) for field in fields}
    led = {f"custom_fields.{field.key}": PREFIX + field.key for field in fields}
    return type(base.__name__, (base,), {**inputs, "refused_fields": {**base.refused_fields, **led}})  # type: ignore[attr-defined]


def _input(field: CustomField) -> forms.Field:
    common: dict[str, Any] = {
        "label": field.label,
        "help_text": field.help_text,
        "required": field.is_required,
    }
    match field.kind:
        case CustomFieldKind.NUMBER:
            return forms.DecimalField(widget=NumberInput(attrs={"step": "any"}), **common)
        case CustomFieldKind.DATE:
            return forms.DateField(widget=DateInput, **common)
        case CustomFieldKind.BOOLEAN:
            return forms.BooleanField(widget=CheckBox, **{**common, "required": False})
        case CustomFieldKind.CHOICE:
            choices = [("", "None"), *((choice, choice) for choice in field.choices)]
            return forms.ChoiceField(widget=Select, choices=choices, **common)
    return forms.CharField(widget=TextInput, max_length=custom_fields.MAX_TEXT, **common)


def fill(form: forms.ModelForm) -> None:
    """Let a form begin with what the customer has."""
    who: Subscriber = form.instance
    for name, column in CONSENTS.items():
        at = getattr(who, column)
        form.initial.setdefault(name, at is not None)
        if at is not None and name in form.fields:
            form.fields[
                name
            ].help_text = f"Given on {date_format(at.astimezone(), 'j M Y H:i')}. Unticked: withdrawn."
    for name, field in form.fields.items():
        if not name.startswith(PREFIX):
            continue
        value = who.custom_fields.get(name.removeprefix(PREFIX))
        if isinstance(field, forms.DateField) and isinstance(value, str):
            value = date.fromisoformat(value)
        if isinstance(field, forms.ChoiceField) and value:
            offered: list[Any] = list(field.choices)  # type: ignore[arg-type]
            if value not in dict(offered):
                field.choices = [*offered, (value, f"{value} (no longer offered)")]
        form.initial.setdefault(name, value)


def answers_of(form: forms.ModelForm, *, at: datetime, changed: bool) -> dict[str, Any]:
    """Return the own fields and consents as the services take them; only what was `changed`, if asked."""
    own: dict[str, Any] = {}
    given: dict[str, Any] = {}
    for name, value in form.cleaned_data.items():
        is_changed = name in form.changed_data
        if name in CONSENTS and is_changed:
            given[CONSENTS[name]] = at if value else None
        if name.startswith(PREFIX) and (is_changed or not changed):
            own[name.removeprefix(PREFIX)] = _plain(value)
    return {**given, "custom_fields": own} if own else given


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None if value == "" else value


def shown(who: Subscriber, fields: Sequence[CustomField]) -> str:
    """Write a customer's own fields for somebody who may only look."""
    rows = [(field.label, _shown(who.custom_fields.get(field.key))) for field in fields]
    return facts(rows) if rows else DASH


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return DASH if value is None else str(value)


def without(form: forms.ModelForm) -> set[str]:
    """Name the inputs that are no columns."""
    return {name for name in form.fields if name in CONSENTS or name.startswith(PREFIX)}
