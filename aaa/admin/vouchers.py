"""Hotspot vouchers: made in batches, printed, and what became of them."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from aaa.admin.forms import GigabytesField
from aaa.admin.words import VOUCHER_TONES, data, speed
from aaa.models import Voucher, VoucherBatch, VoucherState
from aaa.services import vouchers
from ispcore.admin import links, navigation
from ispcore.admin.fields import NumberInput, Select
from ispcore.admin.formats import DASH, choice_column, duration, moment, time_column
from ispcore.admin.site import register
from ispcore.vouchers.admin import BatchAdmin, BatchForm, VoucherAdmin

UNITS = {"minutes": 1, "hours": 60, "days": 24 * 60}
MOST_MINUTES = 366 * 24 * 60


class VoucherBatchForm(BatchForm):
    valid_for = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_MINUTES,
        label="Good for",
        widget=NumberInput,
        help_text="From the first log-in on. Empty: as long as there is data.",
    )
    valid_unit = forms.ChoiceField(
        label="Counted in",
        choices=[(unit, unit.capitalize()) for unit in UNITS],
        initial="hours",
        widget=Select,
    )
    data_bytes = GigabytesField(
        required=False, label="Data, GB", help_text="Up and down together. Empty: not limited."
    )

    class Meta:
        model = VoucherBatch
        fields: tuple[str, ...] = ()
        labels = {
            "policy": "Speed (policy)",
            "service_profile": "RADIUS service",
            "prefix": "Codes begin with",
        }
        help_texts = {
            "name": "What staff call it, for example 'Café, June'. It is printed on each voucher.",
            "prefix": "Up to 8 letters and digits, to tell batches apart. Ten random ones follow.",
            "policy": "Empty: as fast as the hotspot lets them.",
            "service_profile": "Its timers, and how many devices may use a voucher at once.",
            "use_before": "The first log-in must come before. Empty: whenever.",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        count, unit = cleaned.get("valid_for"), cleaned.get("valid_unit")
        if count and unit and count * UNITS[unit] > MOST_MINUTES:
            self.add_error("valid_for", "At most 366 days.")
        if not count and not cleaned.get("data_bytes") and "valid_for" not in self.errors:
            self.add_error("valid_for", "Limit the time or the data: a voucher without either never ends.")
        return cleaned


@register(VoucherBatch)
class VoucherBatchAdmin(BatchAdmin):
    """Batches of the same limits."""

    voucher = Voucher
    tones = VOUCHER_TONES
    used_states = (VoucherState.ACTIVE, VoucherState.USED_UP)
    services = vouchers
    kept = "vouchers of it were used. Revoke those that are left instead."
    form = VoucherBatchForm
    list_display = ("name", "good_for", "made", "unused_count", "used_count", "revoked_count", "sheet_link")
    autocomplete_fields = ("policy", "service_profile")
    empty_title = "No voucher was made yet"
    empty_help = (
        "Vouchers let guests on to a hotspot for some hours or gigabytes. A batch makes up to 10,000 codes with a "
        "sheet to print and cut; each code works once, from its first log-in on."
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return ((None, {"fields": ()}),)
        return (
            ("1. The batch", {"fields": ("name", "quantity", "prefix")}),
            (
                "2. What a voucher is good for",
                {"fields": ("valid_for", "valid_unit", "data_bytes", "use_before")},
            ),
            (
                "3. How it logs in",
                {
                    "fields": ("service_profile", "policy"),
                    "description": "Save makes the codes and the sheet in the background. The codes are on the sheet "
                    "and nowhere else.",
                },
            ),
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change=change, **kwargs)
        # What the form asks in other units than the row has them is no field of the row.
        kwargs["fields"] = (
            "name",
            "quantity",
            "prefix",
            "data_bytes",
            "use_before",
            "service_profile",
            "policy",
        )
        return super().get_form(request, obj, change=change, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[VoucherBatch]:
        return super().get_queryset(request).select_related("policy", "service_profile")

    def save_model(self, request: HttpRequest, obj: VoucherBatch, form: Any, change: bool) -> None:
        given = form.cleaned_data
        minutes = given["valid_for"] * UNITS[given["valid_unit"]] if given["valid_for"] else None
        batch, job = vouchers.create_batch(
            user_id=request.user.pk,
            name=given["name"],
            quantity=given["quantity"],
            prefix=given["prefix"],
            policy_id=given["policy"].pk if given["policy"] else None,
            service_profile_id=given["service_profile"].pk,
            valid_minutes=minutes,
            data_bytes=given["data_bytes"],
            use_before=given["use_before"],
        )
        obj.__dict__.update(batch.__dict__)
        request.started_job = job  # type: ignore[attr-defined]

    def facts(self, batch: Any) -> list[tuple[str, Any]]:
        return [
            ("Vouchers", batch.quantity),
            ("Good for", limits_of(batch)),
            ("First log-in before", moment(batch.use_before, empty="whenever")),
            ("Speed", speed(batch.policy)),
            ("RADIUS service", batch.service_profile.name),
            ("Codes begin with", batch.prefix or "nothing in common"),
            ("Made", moment(batch.created_at)),
            ("By", str(batch.created_by or "a program")),
        ]

    @admin.display(description="Good for")
    def good_for(self, obj: VoucherBatch) -> str:
        return limits_of(obj)


@register(Voucher)
class HotspotVoucherAdmin(VoucherAdmin):
    """Codes that are a log-in once."""

    services = vouchers
    batch_page = "batch"
    list_display = (
        "code_begins",
        choice_column("state", "State", VOUCHER_TONES),
        "batch_link",
        "account_link",
        time_column("used_at", "First used", empty="not yet"),
        time_column("ends_at", "Ends"),
    )
    list_select_related = ("batch", "account")
    empty_title = "No voucher was made yet"

    @admin.display(description="Account")
    def account_link(self, obj: Voucher) -> str:
        return links.link(links.url_of("account", obj.account_id), "Open") if obj.account_id else DASH


def limits_of(batch: VoucherBatch) -> str:
    """Say what a voucher is good for."""
    parts = [
        duration(timedelta(minutes=batch.valid_minutes).total_seconds()) if batch.valid_minutes else "",
        data(batch.data_bytes) if batch.data_bytes else "",
    ]
    return " or ".join(part for part in parts if part) or "not limited"


links.add("batch", "admin:aaa_voucherbatch_change")
navigation.add_list("Access", 80, "Vouchers", VoucherBatch, icon="confirmation_number")
