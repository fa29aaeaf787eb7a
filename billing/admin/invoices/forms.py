"""What is asked before an invoice is written, sent, credited or made void."""

from typing import Any, ClassVar

from django import forms

from billing.models import (
    Invoice,
)
from ispcore.admin.actions import ActionForm
from ispcore.admin.base import ServiceForm
from ispcore.admin.fields import EmailInput, Select, TextInput

LINES_OFFERED = 250


class LineFields(forms.Form):
    description = forms.CharField(max_length=240, widget=TextInput, help_text="As the invoice says it.")
    quantity = forms.DecimalField(
        initial=1, max_digits=13, decimal_places=4, widget=TextInput(attrs={"inputmode": "decimal"})
    )
    unit_price = forms.DecimalField(
        max_digits=16,
        decimal_places=4,
        label="Price",
        widget=TextInput(attrs={"inputmode": "decimal"}),
        help_text="Of one, before tax, which is added as it is today. Below zero: taken off.",
    )
    tax_class = forms.CharField(
        required=False, max_length=40, widget=TextInput, help_text="Empty: taxes of every class."
    )


class LineForm(LineFields, ActionForm):
    """One more line."""


class DraftForm(LineFields, ServiceForm):
    refused_fields: ClassVar = {"lines": "unit_price", "subscriber_id": "subscriber"}

    currency = forms.CharField(
        required=False,
        max_length=3,
        widget=TextInput,
        help_text="Empty: that of the customer's billing profile.",
    )

    class Meta:
        model = Invoice
        fields = ("subscriber",)
        help_texts: ClassVar = {"subscriber": "Who is billed: type a name, number or phone."}


class ReasonForm(ActionForm):
    reason = forms.CharField(max_length=200, widget=TextInput, help_text="Kept with the invoice.")


class CreditForm(ActionForm):
    line = forms.ChoiceField(
        required=False, widget=Select, label="Of", help_text="All of the invoice, or one line of it."
    )
    amount = forms.DecimalField(
        required=False,
        max_digits=18,
        decimal_places=4,
        widget=TextInput(attrs={"inputmode": "decimal"}),
        help_text="With taxes. Empty: all that is left.",
    )
    reason = forms.CharField(max_length=200, widget=TextInput, help_text="As the credit note says it.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        invoice = self.rows.first()
        lines = invoice.lines.order_by("position")[:LINES_OFFERED] if invoice else []
        self.fields["line"].choices = [  # type: ignore[attr-defined]
            ("", "The whole invoice"),
            *((str(line.pk), f"{line.position}. {line.description}") for line in lines if line.net > 0),
        ]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("line") and given.get("amount") is None and "amount" not in self.errors:
            self.add_error("amount", "Say how much of this line.")
        return given


class SendForm(ActionForm):
    to = forms.EmailField(label="To", widget=EmailInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        invoice = self.rows.first()
        self.fields["to"].initial = invoice.subscriber.email if invoice else ""
