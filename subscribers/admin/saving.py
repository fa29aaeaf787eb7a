"""From a form's answers to a service's arguments, and from what it returns back to the page."""

from collections.abc import Collection
from typing import Any

from django.db.models import Model
from django.forms import ModelForm


def answers(form: ModelForm, *, changed: bool = False, without: Collection[str] = ()) -> dict[str, Any]:
    """Return what was answered, or only what was `changed`; a record is named by its key, as `<field>_id`."""
    given: dict[str, Any] = {}
    for name, value in form.cleaned_data.items():
        if name in without or (changed and name not in form.changed_data):
            continue
        field = form._meta.model._meta.get_field(name)
        if field.is_relation:
            given[f"{name}_id"] = value.pk if value else None
        else:
            given[name] = value
    return given


def saved(obj: Model, made: Model) -> None:
    """Let the page go on with what the service returned."""
    obj.__dict__.update(made.__dict__)
