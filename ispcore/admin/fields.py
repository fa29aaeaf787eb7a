"""Secrets in forms: written, never read back."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from ispcore.crypto import Secret

KEEP = "stored; leave empty to keep"


class SecretInput(UnfoldAdminPasswordWidget):
    """A password input that never carries a value to the browser."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({**(attrs or {}), "autocomplete": "new-password", "spellcheck": "false"})


class SecretFormField(forms.CharField):
    """Takes a new secret; left empty on a stored one, the stored one stays."""

    widget = SecretInput

    def __init__(self, **kwargs: Any) -> None:
        kwargs["widget"] = kwargs.get("widget") or SecretInput
        super().__init__(**kwargs)

    def keep(self, stored: Secret | None) -> None:
        """Know what is stored, so that an empty input is no change."""
        self.stored = stored
        if stored:
            self.required = False
            self.widget.is_required = False
            self.widget.attrs["placeholder"] = KEEP

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text and getattr(self, "stored", None):
            return self.stored
        return Secret(text)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data)


# The theme's widgets under the house's names, for fields that stand in no model.
TextInput = UnfoldAdminTextInputWidget
EmailInput = UnfoldAdminEmailInputWidget
PasswordInput = UnfoldAdminPasswordWidget
TextArea = UnfoldAdminTextareaWidget
Select = UnfoldAdminSelectWidget
NumberInput = UnfoldAdminDecimalFieldWidget


class DateInput(UnfoldAdminTextInputWidget):
    """A day, picked by the browser's own calendar."""

    input_type = "date"


class MomentInput(UnfoldAdminTextInputWidget):
    """A day and a time, picked by the browser's own calendar."""

    input_type = "datetime-local"


class CheckBox(UnfoldBooleanWidget):
    """A tick; forms write its label beside it."""


class CheckBoxes(UnfoldAdminCheckboxSelectMultipleWidget):
    """Several ticks under one legend."""
