"""Batches of vouchers and their codes as staff see them, whatever they are good for."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from ispcore.admin import links
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import ReadOnlyAdmin, TenantForm, TenantModelAdmin
from ispcore.admin.dashboard import Bar, Part, share
from ispcore.admin.fields import NumberInput
from ispcore.admin.formats import DASH, moment
from ispcore.jobs.models import ACTIVE, Job
from ispcore.vouchers.codes import MOST_VOUCHERS
from ispcore.vouchers.services import with_counts


class BatchForm(TenantForm):
    quantity = forms.IntegerField(
        min_value=1,
        max_value=MOST_VOUCHERS,
        initial=24,
        widget=NumberInput,
        help_text="24 fit on a page of A4.",
    )

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


class BatchAdmin(TenantModelAdmin):
    """Batches are made once and never changed: what is printed is printed.

    Subclasses name the model of a voucher, the tones of its states and which of them are use, and the module of
    services; `kept` says why a batch in use is kept.
    """

    voucher: ClassVar[type[Model]]
    tones: ClassVar[Mapping[Any, str]]
    used_states: ClassVar[Sequence[str]]
    services: Any
    kept: ClassVar[str]

    search_fields = ("name",)
    ordering = ("-id",)
    sortable_by = ("name",)
    object_actions: tuple[str, ...] = ("revoke",)
    change_form_outer_before_template = "admin/vouchers/batch.html"
    docs_path = "/docs"

    def facts(self, batch: Any) -> list[tuple[str, Any]]:
        """Return what the page of a batch says of it."""
        raise NotImplementedError

    def is_in_use(self, batch: Any) -> bool:
        return bool(batch.used)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("sheet", "created_by")
        return with_counts(rows, used=self.used_states)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may_change(request, self.voucher)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", obj.pk)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.services.remove_batch(batch_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        kept = [f"{obj}: {self.kept}" for obj in objs if self.is_in_use(obj)]
        total = sum(obj.unused + obj.used + obj.revoked for obj in objs)
        return [str(obj) for obj in objs], {"vouchers": total}, set(), kept

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if batch := kwargs.get("obj"):
            context["batch"] = self._page_of(batch)
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Revoke unused",
        permissions=["revoke"],
        confirm="Every voucher of the batch that nobody used yet becomes worthless. Used ones stay as they are.",
        button="Revoke them",
        icon="block",
        danger=True,
        available=lambda batch: batch.unused > 0,
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = self.services.revoke_batch(batch_id=queryset.get().pk, at=timezone.now())
        messages.success(request, f"Revoked: {count}.")

    @admin.display(description="Made")
    def made(self, obj: Any) -> str:
        return moment(obj.created_at)

    @admin.display(description="Unused")
    def unused_count(self, obj: Any) -> str:
        return self._listed(obj, obj.unused, "unused")

    @admin.display(description="Used")
    def used_count(self, obj: Any) -> str:
        # A list of vouchers is of one state: where use has several, the number leads nowhere.
        if len(self.used_states) > 1:
            return str(obj.used) if obj.used else DASH
        return self._listed(obj, obj.used, self.used_states[0])

    @admin.display(description="Revoked")
    def revoked_count(self, obj: Any) -> str:
        return self._listed(obj, obj.revoked, "revoked")

    @admin.display(description="Sheet")
    def sheet_link(self, obj: Any) -> str:
        url = _sheet_url(obj)
        return links.link(url, "Download") if url else DASH

    def _listed(self, batch: Any, count: int, state: str) -> str:
        return links.link(self._vouchers_url(batch, state), str(count)) if count else DASH

    def _vouchers_url(self, batch: Any, state: str) -> str:
        options = self.voucher._meta
        listed = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
        return f"{listed}?batch__id__exact={batch.pk}&state__exact={state}"

    def _page_of(self, batch: Any) -> dict[str, Any]:
        jobs = Job.objects.filter(kind=self.services.KIND, subject=f"batch:{batch.pk}")
        job = jobs.order_by("-created_at").first()
        counts = dict(batch.vouchers.order_by().values_list("state").annotate(n=Count("id")))
        total = sum(counts.values())
        bars = []
        for state in self.tones if total else ():
            label, count = str(state.label), counts.get(state.value, 0)
            parts = [Part(label, count, share(count, total), self.tones[state])]
            bars.append(Bar(label, f"{count} of {total}", parts, url=self._vouchers_url(batch, state.value)))
        is_being_made = bool(job and job.status in ACTIVE)
        return {
            "name": batch.name,
            "facts": self.facts(batch),
            "sheet_url": _sheet_url(batch),
            "sheet_until": moment(batch.sheet.expires_at, empty="it is deleted") if batch.sheet else "",
            "is_gone": batch.sheet is None and bool(total),
            "job_url": reverse("admin:jobs_job_change", args=[job.pk]) if job else "",
            "is_being_made": is_being_made,
            "has_failed": bool(job and not is_being_made and not total),
            "chart": {
                "bars": bars,
                "empty": "The codes are being made." if is_being_made else "There are no codes.",
            },
        }


class VoucherAdmin(ReadOnlyAdmin):
    """Codes, by their first characters: the rest is kept as a hash.

    Subclasses name the module of services and the link to a batch.
    """

    services: Any
    batch_page: ClassVar[str]

    list_filter = ("state", "batch")
    ordering = ("-id",)
    sortable_by = ()
    actions = ("revoke",)
    object_actions = ("revoke",)
    empty_help = (
        "Vouchers are made in batches: make one, print its sheet, and each code stands here with its state."
    )
    docs_path = "/docs"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return ((None, {"fields": self.list_display}),)

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may_change(request, self.model)

    @action(
        description="Revoke",
        permissions=["revoke"],
        confirm="A voucher that nobody used yet becomes worthless.",
        icon="block",
        danger=True,
        available=lambda voucher: voucher.state == "unused",
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda voucher: self.services.revoke_voucher(voucher_id=voucher.pk),
            done="Revoked: {count}.",
        )

    @admin.display(description="Code begins with")
    def code_begins(self, obj: Any) -> str:
        return f"{obj.shown}…"

    @admin.display(description="Batch")
    def batch_link(self, obj: Any) -> str:
        return links.link(links.url_of(self.batch_page, obj.batch_id), obj.batch.name)


def _may_change(request: HttpRequest, model: type[Model]) -> bool:
    """Tell whether this person may change a record of a model; the model's own page changes none."""
    return request.user.has_perm(f"{model._meta.app_label}.{get_permission_codename('change', model._meta)}")


def _sheet_url(batch: Any) -> str:
    """Return where the sheet is fetched; '' while it is made and once it is deleted."""
    file = batch.sheet
    if file is None or (file.expires_at is not None and file.expires_at <= timezone.now()):
        return ""
    return reverse("admin:download_file", args=[file.pk])
