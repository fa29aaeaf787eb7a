"""Hotspot vouchers: made in batches, printed, and what became of them."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from aaa.admin.forms import GigabytesField
from aaa.admin.words import VOUCHER_TONES, data, speed
from aaa.models import Voucher, VoucherBatch, VoucherState
from aaa.models.vouchers import MOST_VOUCHERS
from aaa.services import vouchers
from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import ReadOnlyAdmin, TenantForm, TenantModelAdmin
from ispcore.admin.dashboard import Bar, Part, share
from ispcore.admin.fields import NumberInput, Select
from ispcore.admin.formats import DASH, choice_column, duration, moment, time_column
from ispcore.admin.site import register
from ispcore.jobs.models import ACTIVE, Job

UNITS = {"minutes": 1, "hours": 60, "days": 24 * 60}
MOST_MINUTES = 366 * 24 * 60


class BatchForm(TenantForm):
    quantity = forms.IntegerField(
        min_value=1,
        max_value=MOST_VOUCHERS,
        initial=24,
        widget=NumberInput,
        help_text="24 fit on a page of A4.",
    )
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

    def clean_prefix(self) -> str:
        prefix: str = self.cleaned_data["prefix"].strip().upper()
        if prefix and not (prefix.isascii() and prefix.isalnum()):
            raise forms.ValidationError("Letters and digits only.")
        return prefix

    def clean_use_before(self) -> Any:
        at = self.cleaned_data["use_before"]
        if at and at <= timezone.now():
            raise forms.ValidationError("This time has passed already.")
        return at


@register(VoucherBatch)
class VoucherBatchAdmin(TenantModelAdmin):
    """Batches are made once and never changed: what is printed is printed."""

    form = BatchForm
    list_display = ("name", "good_for", "made", "unused_count", "used_count", "revoked_count", "sheet_link")
    search_fields = ("name",)
    ordering = ("-id",)
    sortable_by = ("name",)
    autocomplete_fields = ("policy", "service_profile")
    object_actions = ("revoke",)
    change_form_outer_before_template = "admin/aaa/batch.html"
    empty_title = "No voucher was made yet"
    empty_help = (
        "Vouchers let guests on to a hotspot for some hours or gigabytes. A batch makes up to 10,000 codes with a "
        "sheet to print and cut; each code works once, from its first log-in on."
    )
    docs_path = "/docs"

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
        used = Q(vouchers__state__in=(VoucherState.ACTIVE, VoucherState.USED_UP))
        rows = (
            super().get_queryset(request).select_related("policy", "service_profile", "sheet", "created_by")
        )
        return rows.annotate(
            made_total=Count("vouchers"),
            unused=Count("vouchers", filter=Q(vouchers__state=VoucherState.UNUSED)),
            used=Count("vouchers", filter=used),
            revoked=Count("vouchers", filter=Q(vouchers__state=VoucherState.REVOKED)),
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("aaa.change_voucher")

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

    def response_add(
        self, request: HttpRequest, obj: VoucherBatch, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return redirect("admin:aaa_voucherbatch_change", obj.pk)

    def delete_model(self, request: HttpRequest, obj: VoucherBatch) -> None:
        vouchers.remove_batch(batch_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        used = [
            f"{obj}: vouchers of it were used. Revoke those that are left instead."
            for obj in objs
            if obj.used
        ]
        return [str(obj) for obj in objs], {"vouchers": sum(obj.made_total for obj in objs)}, set(), used

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if batch := kwargs.get("obj"):
            context["batch"] = page_of(batch)
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Revoke unused",
        permissions=["revoke"],
        confirm="Every voucher of the batch that nobody used yet becomes worthless. Those in use go on.",
        button="Revoke them",
        icon="block",
        danger=True,
        available=lambda batch: batch.unused > 0,
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[VoucherBatch]) -> None:
        batch = queryset.get()
        count = vouchers.revoke_batch(batch_id=batch.pk, at=timezone.now())
        messages.success(request, f"Revoked: {count}.")

    @admin.display(description="Good for")
    def good_for(self, obj: VoucherBatch) -> str:
        return limits_of(obj)

    @admin.display(description="Made")
    def made(self, obj: VoucherBatch) -> str:
        return moment(obj.created_at)

    @admin.display(description="Unused")
    def unused_count(self, obj: Any) -> str:
        return _listed(obj, obj.unused, VoucherState.UNUSED)

    @admin.display(description="Used")
    def used_count(self, obj: Any) -> str:
        return str(obj.used) if obj.used else DASH

    @admin.display(description="Revoked")
    def revoked_count(self, obj: Any) -> str:
        return _listed(obj, obj.revoked, VoucherState.REVOKED)

    @admin.display(description="Sheet")
    def sheet_link(self, obj: Any) -> str:
        url = sheet_url(obj)
        return links.link(url, "Download") if url else DASH


@register(Voucher)
class VoucherAdmin(ReadOnlyAdmin):
    """Codes, by their first characters: the rest is kept as a hash."""

    list_display = (
        "code_begins",
        choice_column("state", "State", VOUCHER_TONES),
        "batch_link",
        "account_link",
        time_column("used_at", "First used", empty="not yet"),
        time_column("ends_at", "Ends"),
    )
    list_filter = ("state", "batch")
    list_select_related = ("batch", "account")
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
                    choice_column("state", "State", VOUCHER_TONES),
                    "batch_link",
                    "account_link",
                    time_column("used_at", "First used", empty="not yet"),
                    time_column("ends_at", "Ends"),
                )
            },
        ),
    )
    empty_title = "No voucher was made yet"
    empty_help = (
        "Vouchers are made in batches: make one, print its sheet, and each code stands here with its state."
    )
    docs_path = "/docs"

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("aaa.change_voucher")

    @action(
        description="Revoke",
        permissions=["revoke"],
        confirm="A voucher that nobody used yet becomes worthless.",
        icon="block",
        danger=True,
        available=lambda voucher: voucher.state == VoucherState.UNUSED,
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[Voucher]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda voucher: vouchers.revoke_voucher(voucher_id=voucher.pk),
            done="Revoked: {count}.",
        )

    @admin.display(description="Code begins with")
    def code_begins(self, obj: Voucher) -> str:
        return f"{obj.shown}…"

    @admin.display(description="Batch")
    def batch_link(self, obj: Voucher) -> str:
        return links.link(links.url_of("batch", obj.batch_id), obj.batch.name)

    @admin.display(description="Account")
    def account_link(self, obj: Voucher) -> str:
        return links.link(links.url_of("account", obj.account_id), "Open") if obj.account_id else DASH


def _listed(batch: VoucherBatch, count: int, state: VoucherState) -> str:
    """Link a count to the vouchers it counts."""
    if not count:
        return DASH
    url = f"{reverse('admin:aaa_voucher_changelist')}?batch__id__exact={batch.pk}&state__exact={state.value}"
    return links.link(url, str(count))


def limits_of(batch: VoucherBatch) -> str:
    """Say what a voucher is good for."""
    parts = [
        duration(timedelta(minutes=batch.valid_minutes).total_seconds()) if batch.valid_minutes else "",
        data(batch.data_bytes) if batch.data_bytes else "",
    ]
    return " or ".join(part for part in parts if part) or "not limited"


def sheet_url(batch: VoucherBatch) -> str:
    """Return where the sheet is fetched; '' while it is made and once it is deleted."""
    file = batch.sheet
    if file is None or (file.expires_at is not None and file.expires_at <= timezone.now()):
        return ""
    return reverse("admin:download_file", args=[file.pk])


def page_of(batch: Any) -> dict[str, Any]:
    """Return what a batch's page says."""
    job = Job.objects.filter(kind=vouchers.KIND, subject=f"batch:{batch.pk}").order_by("-created_at").first()
    counts = dict(Voucher.objects.filter(batch=batch).order_by().values_list("state").annotate(n=Count("id")))
    listed = reverse("admin:aaa_voucher_changelist")
    total = sum(counts.values())
    bars = []
    for state in VoucherState if total else ():
        label, count = str(state.label), counts.get(state.value, 0)
        parts = [Part(label, count, share(count, total), VOUCHER_TONES[state])]
        url = f"{listed}?batch__id__exact={batch.pk}&state__exact={state.value}"
        bars.append(Bar(label, f"{count} of {total}", parts, url=url))
    return {
        "name": batch.name,
        "facts": [
            ("Vouchers", batch.quantity),
            ("Good for", limits_of(batch)),
            ("First log-in before", moment(batch.use_before, empty="whenever")),
            ("Speed", speed(batch.policy)),
            ("RADIUS service", batch.service_profile.name),
            ("Codes begin with", batch.prefix or "nothing in common"),
            ("Made", moment(batch.created_at)),
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


links.add("batch", "admin:aaa_voucherbatch_change")
navigation.add(
    "Access",
    80,
    "Vouchers",
    url_name="admin:aaa_voucherbatch_changelist",
    icon="confirmation_number",
    allowed="aaa.view_voucherbatch",
)
