"""Prepaid as staff see it: vouchers with their sheets, what became of each, and until when services are paid."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from billing.admin.words import customer_link
from billing.models import MONEY_METHODS, CreditVoucher, CreditVoucherBatch, CreditVoucherState
from billing.services.prepaid import selling, vouchers
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action
from ispcore.admin.fields import Select
from ispcore.admin.formats import DASH, choice_column, moment, money, said, time_column
from ispcore.admin.site import register
from ispcore.vouchers.admin import BatchAdmin, BatchForm, VoucherAdmin
from subscribers.admin.saving import answers

STATE_TONES = {
    CreditVoucherState.UNUSED: "info",
    CreditVoucherState.USED: "good",
    CreditVoucherState.REVOKED: "danger",
}


class SaleForm(ActionForm):
    method = forms.ChoiceField(
        label="Paid",
        choices=MONEY_METHODS,
        widget=Select,
        help_text="Where the money is: the journal books it there, and the day's takings count it.",
    )


class CreditBatchForm(BatchForm):
    class Meta:
        model = CreditVoucherBatch
        fields: tuple[str, ...] = ()
        labels: ClassVar = {"prefix": "Codes begin with", "amount": "Worth, each"}
        help_texts: ClassVar = {
            "name": "What staff call it, for example 'Corner shop, June'.",
            "prefix": "Up to 8 letters and digits, to tell batches apart. Twelve random ones follow.",
            "amount": "What a customer's account is credited with.",
            "currency": "ISO 4217, for example EUR: that of the customers who will use them.",
        }

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"].strip().upper()
        if len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
            raise forms.ValidationError("Three letters of ISO 4217, for example EUR.")
        return currency


@register(CreditVoucherBatch)
class CreditVoucherBatchAdmin(BatchAdmin):
    """Batches of one worth, and what was booked when they were sold."""

    voucher = CreditVoucher
    tones = STATE_TONES
    used_states = (CreditVoucherState.USED,)
    services = vouchers
    kept = "vouchers of it were used or sold. Revoke those that are left instead."
    form = CreditBatchForm
    list_display = (
        "name",
        "worth",
        "made",
        "sold",
        "unused_count",
        "used_count",
        "revoked_count",
        "sheet_link",
    )
    search_help_text = "Part of the batch's name"
    object_actions = ("sell", "revoke")
    empty_title = "No credit voucher was made yet"
    empty_help = (
        "Credit vouchers are sold in shops and by agents: a customer types the code in, and their account is credited. "
        "A batch makes up to 10,000 codes with a sheet to print and cut; each code works once."
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return ((None, {"fields": ()}),)
        return (
            ("1. The batch", {"fields": ("name", "quantity", "prefix")}),
            (
                "2. What a voucher is worth",
                {
                    "fields": ("amount", "currency", "use_before"),
                    "description": "Save makes the codes and the sheet in the background. The codes are on the sheet "
                    "and nowhere else.",
                },
            ),
        )

    def has_sell_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.change_creditvoucherbatch")

    def save_model(self, request: HttpRequest, obj: CreditVoucherBatch, form: Any, change: bool) -> None:
        batch, job = vouchers.create_batch(**answers(form), user_id=request.user.pk)
        obj.__dict__.update(batch.__dict__)
        request.started_job = job  # type: ignore[attr-defined]

    def is_in_use(self, batch: Any) -> bool:
        return bool(batch.used or batch.sold_at)

    def facts(self, batch: Any) -> list[tuple[str, Any]]:
        return [
            ("Vouchers", batch.quantity),
            ("Worth, each", said(batch.amount, batch.currency)),
            ("Use before", moment(batch.use_before, empty="whenever")),
            ("Codes begin with", batch.prefix or "nothing in common"),
            ("Made", moment(batch.created_at)),
            (
                "Sold",
                format_html("{} {}", _sold_for(batch), moment(batch.sold_at)) if batch.sold_at else "not yet",
            ),
            ("By", str(batch.created_by or "a program")),
        ]

    @action(
        description="Sold…",
        permissions=["sell"],
        confirm=(
            "The worth of every voucher that was not revoked is booked as sold, once: money that came in, and that is "
            "owed to whoever holds a voucher until they use it."
        ),
        button="Book it",
        icon="point_of_sale",
        form=SaleForm,
        available=lambda batch: batch.sold_at is None and batch.unused + batch.used > 0,
    )
    def sell(
        self, request: HttpRequest, queryset: QuerySet[CreditVoucherBatch], data: dict[str, Any]
    ) -> None:
        batch = selling.sell_batch(
            batch_id=queryset.get().pk, method=data["method"], at=timezone.now(), user_id=request.user.pk
        )
        messages.success(request, f"Booked: {_sold_for(batch)}.")

    @admin.display(description="Worth, each")
    def worth(self, obj: CreditVoucherBatch) -> str:
        return money(obj.amount, obj.currency)

    @admin.display(description="Sold", ordering="sold_at")
    def sold(self, obj: CreditVoucherBatch) -> str:
        return moment(obj.sold_at, empty="not yet")


@register(CreditVoucher)
class CreditVoucherAdmin(VoucherAdmin):
    """Codes that become a payment once."""

    services = vouchers
    batch_page = "credit_batch"
    list_display = (
        "code_begins",
        choice_column("state", "State", STATE_TONES),
        "batch_link",
        "customer_shown",
        time_column("used_at", "Used", empty="not yet"),
    )
    list_select_related = ("batch", "subscriber")
    empty_title = "No credit voucher was made yet"

    @admin.display(description="Customer")
    def customer_shown(self, obj: CreditVoucher) -> str:
        return customer_link(obj.subscriber) if obj.subscriber else DASH


def _sold_for(batch: CreditVoucherBatch) -> str:
    """Say how many were sold, and for how much."""
    count = batch.sold_quantity or 0
    return f"{count} vouchers, {said(batch.amount * count, batch.currency)}"


links.add("credit_batch", "admin:billing_creditvoucherbatch_change")
navigation.add_list(
    "Billing",
    63,
    "Vouchers",
    CreditVoucherBatch,
    icon="confirmation_number",
    under="admin:billing_prepaidline_changelist",
)
