"""Prepaid as staff see it: vouchers with their sheets, what became of each, and until when services are paid."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from billing.admin.days import customer_link
from billing.models import CreditVoucher, CreditVoucherBatch, CreditVoucherState
from billing.models.prepaid import MOST_CREDIT_VOUCHERS
from billing.services.prepaid import selling, vouchers
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action, run_on_each
from ispcore.admin.base import ReadOnlyAdmin, TenantForm, TenantModelAdmin
from ispcore.admin.dashboard import Bar, Part, share
from ispcore.admin.fields import NumberInput, Select
from ispcore.admin.formats import DASH, choice_column, moment, money, said, time_column
from ispcore.admin.site import register
from ispcore.jobs.models import ACTIVE, Job
from subscribers.admin.saving import answers

STATE_TONES = {
    CreditVoucherState.UNUSED: "info",
    CreditVoucherState.USED: "good",
    CreditVoucherState.REVOKED: "danger",
}


class SaleForm(ActionForm):
    method = forms.ChoiceField(
        label="Paid",
        choices=[(method.value, method.label) for method in selling.METHODS],
        widget=Select,
        help_text="Where the money is: the journal books it there, and the day's takings count it.",
    )


class CreditBatchForm(TenantForm):
    quantity = forms.IntegerField(
        min_value=1,
        max_value=MOST_CREDIT_VOUCHERS,
        initial=24,
        widget=NumberInput,
        help_text="24 fit on a page of A4.",
    )

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

    def clean_prefix(self) -> str:
        prefix: str = self.cleaned_data["prefix"].strip().upper()
        if prefix and not (prefix.isascii() and prefix.isalnum()):
            raise forms.ValidationError("Letters and digits only.")
        return prefix

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"].strip().upper()
        if len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
            raise forms.ValidationError("Three letters of ISO 4217, for example EUR.")
        return currency

    def clean_use_before(self) -> Any:
        at = self.cleaned_data["use_before"]
        if at and at <= timezone.now():
            raise forms.ValidationError("This time has passed already.")
        return at


@register(CreditVoucherBatch)
class CreditVoucherBatchAdmin(TenantModelAdmin):
    """Batches are made once and never changed: what is printed is printed."""

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
    search_fields = ("name",)
    search_help_text = "Part of the batch's name"
    ordering = ("-id",)
    sortable_by = ("name",)
    object_actions = ("sell", "revoke")
    change_form_outer_before_template = "admin/billing/credit_batch.html"
    empty_title = "No credit voucher was made yet"
    empty_help = (
        "Credit vouchers are sold in shops and by agents: a customer types the code in, and their account is credited. "
        "A batch makes up to 10,000 codes with a sheet to print and cut; each code works once."
    )
    docs_path = "/docs"

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

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditVoucherBatch]:
        rows = super().get_queryset(request).select_related("sheet", "created_by")
        return rows.annotate(
            made_total=Count("vouchers"),
            unused=Count("vouchers", filter=Q(vouchers__state=CreditVoucherState.UNUSED)),
            used=Count("vouchers", filter=Q(vouchers__state=CreditVoucherState.USED)),
            revoked=Count("vouchers", filter=Q(vouchers__state=CreditVoucherState.REVOKED)),
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.change_creditvoucher")

    def has_sell_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.change_creditvoucherbatch")

    def save_model(self, request: HttpRequest, obj: CreditVoucherBatch, form: Any, change: bool) -> None:
        batch, job = vouchers.create_batch(**answers(form), user_id=request.user.pk)
        obj.__dict__.update(batch.__dict__)
        request.started_job = job  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: CreditVoucherBatch, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return redirect("admin:billing_creditvoucherbatch_change", obj.pk)

    def delete_model(self, request: HttpRequest, obj: CreditVoucherBatch) -> None:
        vouchers.remove_batch(batch_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        used = [
            f"{obj}: vouchers of it were used or sold. Revoke those that are left instead."
            for obj in objs
            if obj.used or obj.sold_at
        ]
        return [str(obj) for obj in objs], {"vouchers": sum(obj.made_total for obj in objs)}, set(), used

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if batch := kwargs.get("obj"):
            context["batch"] = page_of(batch)
        return super().render_change_form(request, context, *args, **kwargs)

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

    @action(
        description="Revoke unused",
        permissions=["revoke"],
        confirm="Every voucher of the batch that nobody used yet becomes worthless. Credit of used ones stays.",
        button="Revoke them",
        icon="block",
        danger=True,
        available=lambda batch: batch.unused > 0,
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[CreditVoucherBatch]) -> None:
        count = vouchers.revoke_batch(batch_id=queryset.get().pk, at=timezone.now())
        messages.success(request, f"Revoked: {count}.")

    @admin.display(description="Worth, each")
    def worth(self, obj: CreditVoucherBatch) -> str:
        return money(obj.amount, obj.currency)

    @admin.display(description="Made")
    def made(self, obj: CreditVoucherBatch) -> str:
        return moment(obj.created_at)

    @admin.display(description="Sold", ordering="sold_at")
    def sold(self, obj: CreditVoucherBatch) -> str:
        return moment(obj.sold_at, empty="not yet")

    @admin.display(description="Unused")
    def unused_count(self, obj: Any) -> str:
        return _listed(obj, obj.unused, CreditVoucherState.UNUSED)

    @admin.display(description="Used")
    def used_count(self, obj: Any) -> str:
        return _listed(obj, obj.used, CreditVoucherState.USED)

    @admin.display(description="Revoked")
    def revoked_count(self, obj: Any) -> str:
        return _listed(obj, obj.revoked, CreditVoucherState.REVOKED)

    @admin.display(description="Sheet")
    def sheet_link(self, obj: Any) -> str:
        url = sheet_url(obj)
        return links.link(url, "Download") if url else DASH


@register(CreditVoucher)
class CreditVoucherAdmin(ReadOnlyAdmin):
    """Codes, by their first characters: the rest is kept as a hash."""

    list_display = (
        "code_begins",
        choice_column("state", "State", STATE_TONES),
        "batch_link",
        "customer_shown",
        time_column("used_at", "Used", empty="not yet"),
    )
    list_filter = ("state", "batch")
    list_select_related = ("batch", "subscriber")
    ordering = ("-id",)
    sortable_by = ()
    actions = ("revoke",)
    object_actions = ("revoke",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "code_begins",
                    choice_column("state", "State", STATE_TONES),
                    "batch_link",
                    "customer_shown",
                    time_column("used_at", "Used", empty="not yet"),
                )
            },
        ),
    )
    empty_title = "No credit voucher was made yet"
    empty_help = (
        "Vouchers are made in batches: make one, print its sheet, and each code stands here with its state."
    )
    docs_path = "/docs"

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.change_creditvoucher")

    @action(
        description="Revoke",
        permissions=["revoke"],
        confirm="A voucher that nobody used yet becomes worthless.",
        icon="block",
        danger=True,
        available=lambda voucher: voucher.state == CreditVoucherState.UNUSED,
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[CreditVoucher]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda voucher: vouchers.revoke_voucher(voucher_id=voucher.pk),
            done="Revoked: {count}.",
        )

    @admin.display(description="Code begins with")
    def code_begins(self, obj: CreditVoucher) -> str:
        return f"{obj.shown}…"

    @admin.display(description="Batch")
    def batch_link(self, obj: CreditVoucher) -> str:
        return links.link(links.url_of("credit_batch", obj.batch_id), obj.batch.name)

    @admin.display(description="Customer")
    def customer_shown(self, obj: CreditVoucher) -> str:
        return customer_link(obj.subscriber) if obj.subscriber else DASH


def _sold_for(batch: CreditVoucherBatch) -> str:
    """Say how many were sold, and for how much."""
    count = batch.sold_quantity or 0
    return f"{count} vouchers, {said(batch.amount * count, batch.currency)}"


def _listed(batch: CreditVoucherBatch, count: int, state: CreditVoucherState) -> str:
    """Link a count to the vouchers it counts."""
    if not count:
        return DASH
    url = f"{reverse('admin:billing_creditvoucher_changelist')}?batch__id__exact={batch.pk}&state__exact={state.value}"
    return links.link(url, str(count))


def sheet_url(batch: CreditVoucherBatch) -> str:
    """Return where the sheet is fetched; '' while it is made and once it is deleted."""
    file = batch.sheet
    if file is None or (file.expires_at is not None and file.expires_at <= timezone.now()):
        return ""
    return reverse("admin:download_file", args=[file.pk])


def page_of(batch: Any) -> dict[str, Any]:
    """Return what a batch's page says."""
    job = Job.objects.filter(kind=vouchers.KIND, subject=f"batch:{batch.pk}").order_by("-created_at").first()
    rows = CreditVoucher.objects.filter(batch=batch).order_by()
    counts = dict(rows.values_list("state").annotate(n=Count("id")))
    total = sum(counts.values())
    bars = []
    for state in CreditVoucherState if total else ():
        label, count = str(state.label), counts.get(state.value, 0)
        parts = [Part(label, count, share(count, total), STATE_TONES[state])]
        listed = reverse("admin:billing_creditvoucher_changelist")
        url = f"{listed}?batch__id__exact={batch.pk}&state__exact={state.value}"
        bars.append(Bar(label, f"{count} of {total}", parts, url=url))
    return {
        "name": batch.name,
        "facts": [
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
        ],
        "sheet_url": sheet_url(batch),
        "sheet_until": moment(batch.sheet.expires_at, empty="it is deleted") if batch.sheet else "",
        "is_gone": batch.sheet is None and bool(total),
        "job_url": reverse("admin:jobs_job_change", args=[job.pk]) if job else "",
        "is_being_made": bool(job and job.status in ACTIVE),
        "has_failed": bool(job and job.status not in ACTIVE and not total),
        "chart": {"bars": bars, "empty": "The codes are being made."},
    }


links.add("credit_batch", "admin:billing_creditvoucherbatch_change")
navigation.add(
    "Billing",
    63,
    "Vouchers",
    url_name="admin:billing_creditvoucherbatch_changelist",
    icon="confirmation_number",
    allowed="billing.view_creditvoucherbatch",
    under="admin:billing_prepaidline_changelist",
)
