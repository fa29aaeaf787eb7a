"""What staff say when they allocate a payment or give it back."""

from typing import Any
from uuid import UUID

from django import forms

from billing.models import Invoice, InvoiceKind, Payment
from billing.services.gateways import refunds
from billing.services.payments import Share
from billing.services.payments.allocating import OPEN, left_of
from ispcore.admin.actions import ActionForm
from ispcore.admin.fields import CheckBox, Select, TextInput
from ispcore.admin.formats import day, said

OLDEST = "oldest"
MOST_LISTED = 200


def amount_field(**kwargs: Any) -> forms.DecimalField:
    return forms.DecimalField(
        max_digits=18,
        decimal_places=4,
        localize=True,
        widget=TextInput(attrs={"inputmode": "decimal"}),
        **kwargs,
    )


class PaymentActionForm(ActionForm):
    """Asked of one payment."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.payment: Payment = self.rows.get()


class AllocateForm(PaymentActionForm):
    invoice = forms.ChoiceField(label="For", widget=Select)
    amount = amount_field(required=False, help_text="Of the invoice chosen. Empty: as much as there is.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Invoice.objects.filter(
            subscriber=self.payment.subscriber_id,
            kind=InvoiceKind.INVOICE,
            status__in=OPEN,
            currency=self.payment.currency,
        )
        self.invoices = {str(one.pk): one for one in rows.order_by("due_on", "pk")[:MOST_LISTED]}
        named = [
            (key, f"{one.number}, due {day(one.due_on)}: {said(one.open_amount, one.currency)} open")
            for key, one in self.invoices.items()
        ]
        self.fields["invoice"].choices = [(OLDEST, "The oldest due first"), *named]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        chosen = self.invoices.get(given.get("invoice", ""))
        if chosen is None:
            given["shares"] = None
            if given.get("amount"):
                self.add_error("amount", "Choose the invoice this amount is for.")
            return given
        amount = given.get("amount") or min(chosen.open_amount, left_of(self.payment))
        given["shares"] = [Share(chosen.pk, amount)]
        return given


class ReleaseForm(PaymentActionForm):
    allocation = forms.ChoiceField(label="Taken back from", widget=Select)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = self.payment.allocations.filter(released_at=None).select_related("invoice")
        self.fields["allocation"].choices = [  # type: ignore[attr-defined]
            (str(one.pk), f"{one.invoice.number}: {said(one.amount, self.payment.currency)}")
            for one in rows.order_by("-pk")[:MOST_LISTED]
        ]

    def clean_allocation(self) -> UUID:
        return UUID(self.cleaned_data["allocation"])


class RefundForm(PaymentActionForm):
    amount = amount_field()
    reason = forms.CharField(
        max_length=200, widget=TextInput, help_text="Colleagues and the customer read it."
    )
    reference = forms.CharField(
        required=False, max_length=120, widget=TextInput, help_text="Of the transfer or the receipt, if any."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        left = self.payment.amount - self.payment.refunded
        self.fields["amount"].help_text = f"At most {said(left, self.payment.currency)}."
        checkout = refunds.checkout_of(self.payment)
        if checkout is not None:
            self.fields["by_gateway"] = forms.BooleanField(
                required=False,
                initial=True,
                widget=CheckBox,
                label=f"Give it back by {checkout.gateway.label}",
                help_text="Off: you gave it back yourself, and this books it.",
            )


class BounceForm(PaymentActionForm):
    reason = forms.CharField(max_length=200, widget=TextInput, help_text="As the bank says it.")
