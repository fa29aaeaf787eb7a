"""What staff say when they pair a line of a bank statement with who paid it."""

from typing import Any

from django import forms

from billing.models import BankLine, BankSuggestion, Invoice, InvoiceKind
from ispcore.admin.actions import ActionForm
from ispcore.admin.fields import Select, TextInput
from subscribers.models import Subscriber

ANOTHER = "another"


class PairForm(ActionForm):
    """One of the suggestions, or another customer by number."""

    suggestion = forms.ChoiceField(label="Who paid", widget=Select)
    number = forms.CharField(
        required=False,
        max_length=20,
        widget=TextInput,
        label="Customer's number",
        help_text="Of another customer than those above, such as SUB-000184.",
    )
    invoice = forms.CharField(
        required=False,
        max_length=24,
        widget=TextInput,
        label="Invoice to pay first",
        help_text="Its number. Empty: the oldest due first.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        line: BankLine | None = self.rows.first()
        rows = BankSuggestion.objects.filter(line=line).select_related("subscriber")
        self.suggestions = {str(each.pk): each for each in rows.order_by("-is_certain", "pk")}
        choices = [
            (key, f"{each.subscriber.full_name} ({each.subscriber.number})")
            for key, each in self.suggestions.items()
        ]
        self.fields["suggestion"].choices = [*choices, (ANOTHER, "Another customer")]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        chosen = self.suggestions.get(given.get("suggestion", ""))
        number = given.get("number", "").strip().upper()
        pairing: dict[str, Any] = {}
        if number:
            subscriber = Subscriber.objects.filter(number=number).first()
            if subscriber is None:
                self.add_error("number", "There is no customer with this number.")
                return given
            pairing["subscriber_id"] = subscriber.pk
        elif chosen is not None:
            pairing["subscriber_id"] = chosen.subscriber_id
            pairing["invoice_id"], pairing["payment_id"] = chosen.invoice_id, chosen.payment_id
        else:
            self.add_error("number", "Give the number of the customer who paid.")
            return given
        if wanted := given.get("invoice", "").strip().upper():
            invoice = Invoice.objects.filter(number=wanted, kind=InvoiceKind.INVOICE).first()
            if invoice is None:
                self.add_error("invoice", "There is no invoice with this number.")
                return given
            pairing["invoice_id"] = invoice.pk
        given["pairing"] = pairing
        return given


class ReasonForm(ActionForm):
    reason = forms.CharField(
        required=False, max_length=200, widget=TextInput, help_text="For colleagues and auditors."
    )
