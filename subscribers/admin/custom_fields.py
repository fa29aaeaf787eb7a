from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from ispcore.admin import navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.fields import TextArea
from ispcore.admin.formats import DASH, choice_column
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved
from subscribers.models import CustomField
from subscribers.services import custom_fields


class CustomFieldForm(TenantForm):
    choices = forms.CharField(
        required=False,
        label="Choices",
        widget=TextArea(attrs={"rows": 6}),
        help_text="For one of a list: one choice per line.",
    )

    class Meta:
        model = CustomField
        fields: tuple[str, ...] = ()
        labels = {"kind": "Kind of value", "is_required": "Must be filled in", "help_text": "Help text"}
        help_texts = {
            "key": "How programs and files name it: referred_by. It cannot be changed later.",
            "is_required": "Asked whenever a customer is added or changed here.",
            "help_text": "Stands below the field, like this one.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["choices"] = "\n".join(self.instance.choices)

    def clean_choices(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["choices"].splitlines() if line.strip()]

    def _get_validation_exclusions(self) -> set[str]:
        # Which choices fit which kind is the service's to say, in words.
        return {*super()._get_validation_exclusions(), "choices"}  # type: ignore[misc]


@register(CustomField)
class CustomFieldAdmin(TenantModelAdmin):
    """What a provider keeps of every customer besides what all providers keep."""

    form = CustomFieldForm
    list_display = ("label", "key", choice_column("kind", "Kind", {}), "offered", "is_required", "position")
    ordering = ("position", "key")
    search_fields = ("label", "key")
    fieldsets = (
        (None, {"fields": ("label", "key", "kind", "choices")}),
        ("On the form", {"fields": ("help_text", "is_required", "position")}),
    )
    empty_title = "No custom field yet"
    empty_help = (
        "A custom field is a fact you keep of every customer besides name, contacts and address: who referred "
        "them, which language they speak. It stands on each customer's form, in exports and in imports."
    )
    docs_path = "/docs"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("key",) if obj else ()

    def save_model(self, request: HttpRequest, obj: CustomField, form: Any, change: bool) -> None:
        if change:
            fields = answers(form, changed=True)
            saved(obj, custom_fields.change_custom_field(custom_field_id=obj.pk, **fields))
        else:
            saved(obj, custom_fields.create_custom_field(**answers(form)))

    def delete_model(self, request: HttpRequest, obj: CustomField) -> None:
        had_one = custom_fields.remove_custom_field(custom_field_id=obj.pk)
        if had_one:
            noun = "customer" if had_one == 1 else "customers"
            messages.info(request, f"Its value was taken from {had_one} {noun}; the history keeps it.")

    @admin.display(description="Choices")
    def offered(self, obj: CustomField) -> str:
        return ", ".join(obj.choices[:5]) + (" …" if len(obj.choices) > 5 else "") if obj.choices else DASH


navigation.add_list("Customers", 80, "Custom fields", CustomField, icon="list_alt")
