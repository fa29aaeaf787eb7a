"""Imports: a file comes, its columns are named, it is tried out, and it is taken in. One page leads through."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from ispcore.admin import links, navigation
from ispcore.admin.actions import action
from ispcore.admin.base import BegunByForm, TenantModelAdmin
from ispcore.admin.formats import DASH, figures, pill, steps, time_column
from ispcore.admin.site import register
from ispcore.errors import DomainError
from ispcore.files import tabular
from ispcore.files.services import attachment
from ispcore.jobs.admin import stage_pill, state_of
from subscribers.admin.importing import ColumnsForm, UploadForm
from subscribers.admin.saving import saved
from subscribers.models import Import, ImportRowError, ImportStatus
from subscribers.services import imports

SHOWN_ERRORS = 20
MAPPED = 6  # Columns of the preview, besides the outcome; more would not fit a page.
TONES = {
    ImportStatus.UPLOADED: "plain",
    ImportStatus.CHECKING: "info",
    ImportStatus.CHECKED: "info",
    ImportStatus.IMPORTING: "info",
    ImportStatus.IMPORTED: "good",
    ImportStatus.FAILED: "danger",
    ImportStatus.DISCARDED: "plain",
}
OUTCOMES = {
    "created": ("New", "good"),
    "updated": ("Updated", "info"),
    "skipped": ("Left as it is", "plain"),
    "bad": ("Error", "danger"),
}
OVER = (ImportStatus.IMPORTED, ImportStatus.DISCARDED)


@register(Import)
class ImportAdmin(BegunByForm, TenantModelAdmin):
    """Files of subscribers. What is on the page is steered by its buttons, never by a field of the record."""

    form = UploadForm
    list_display = (
        "name",
        "state",
        "rows",
        "imported",
        "wrong",
        "by",
        time_column("created_at", "Uploaded"),
    )
    list_filter = ("status", "created_at")
    list_select_related = ("created_by", "job")
    search_fields = ("name",)
    ordering = ("-created_at",)
    object_actions = ("check_rows", "take_in", "discard")
    change_form_outer_before_template = "admin/subscribers/import/page.html"
    title_of_new = "New import"
    add_fieldsets = ((None, {"fields": ("upload", "on_duplicate", "written_in", "again")}),)
    fieldsets = (("The file", {"fields": ("file_facts", "by", time_column("created_at", "Uploaded"))}),)
    empty_title = "Nothing was imported yet"
    empty_help = (
        "An import takes subscribers and their services from a CSV or XLSX file. It is checked first: you see what "
        "would become of each row before anything is taken in."
    )
    docs_path = "/docs"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("template.csv", wrap(self.template_view), name="subscribers_import_template"),
            path("<uuid:import_id>/errors/", wrap(self.errors_view), name="subscribers_import_errors"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("created_by", "job")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets[0][1]["fields"] if obj else ()

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may register subscribers may do so by the file."""
        return request.user.has_perm("subscribers.add_import")

    def save_model(self, request: HttpRequest, obj: Import, form: Any, change: bool) -> None:
        given = form.cleaned_data
        file = given["upload"]
        made = imports.upload_import(
            name=file.name or "",
            content=file.chunks(),
            on_duplicate=given["on_duplicate"],
            encoding=given["written_in"],
            again=given["again"],
            user_id=request.user.pk,
        )
        saved(obj, made)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Take the columns' form, the only thing there is to change; without it, show the page as every other."""
        if object_id is not None and request.method == "POST":
            return self._save_columns(request, object_id)
        return super().changeform_view(request, object_id, *args, **kwargs)

    def _save_columns(self, request: HttpRequest, object_id: str) -> HttpResponse:
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        if not self.has_steer_permission(request):
            raise PermissionDenied
        form = ColumnsForm(obj, request.POST)
        if form.is_valid():
            try:
                imports.change_import(
                    import_id=obj.pk,
                    mapping=form.mapping(),
                    on_duplicate=form.cleaned_data["on_duplicate"],
                    encoding=form.cleaned_data.get("encoding"),
                )
                if "check" in request.POST:
                    imports.request_check(import_id=obj.pk, user_id=request.user.pk)
                else:
                    messages.success(request, "The columns are saved.")
                return redirect("admin:subscribers_import_change", obj.pk)
            except DomainError as refusal:
                form.add_error(None, str(refusal))
        request.columns_form = form  # type: ignore[attr-defined]
        request.method = "GET"  # Shown again as it was filled in.
        return super().changeform_view(request, object_id)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if obj := kwargs.get("obj"):
            context |= self._page(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def _page(self, request: HttpRequest, obj: Import) -> dict[str, Any]:
        running = obj.is_running
        editable = obj.began_at is None and not running and obj.status not in OVER
        form = getattr(request, "columns_form", None) or ColumnsForm(obj)
        errors = ImportRowError.objects.filter(of_import=obj).order_by("row_number")[:SHOWN_ERRORS]
        counted = obj.status not in (ImportStatus.UPLOADED, ImportStatus.CHECKING) and bool(obj.rows_done)
        step = 1 if obj.status == ImportStatus.UPLOADED else 3 if obj.began_at else 2
        return {
            "title": obj.name,
            "steps": steps(("Columns", "Check", "Import"), now=step),
            "state": stage_pill(obj, TONES),
            "running": running,
            "job": state_of(obj.job) if obj.job and (running or obj.is_stopped) else None,
            "stopped": obj.is_stopped,
            "columns_form": form if editable and self.has_steer_permission(request) else None,
            "tiles": _tiles(obj) if counted else [],
            "preview": _preview(obj) if obj.status == ImportStatus.CHECKED else None,
            "bad_rows": errors if counted else [],
            "more_errors": max(0, obj.rows_bad - SHOWN_ERRORS),
            "errors_url": reverse("admin:subscribers_import_errors", args=[obj.pk]),
            "imported_url": _imported_url(obj) if obj.began_at and obj.rows_created else "",
        }

    def template_view(self, request: HttpRequest) -> HttpResponseBase:
        """Send a file with every column and one example row."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return attachment(imports.template_file(), "subscribers-template.csv", tabular.CSV_TYPE)

    def errors_view(self, request: HttpRequest, import_id: Any) -> HttpResponseBase:
        """Send the bad rows as a file, to be corrected and uploaded."""
        obj = self.get_queryset(request).filter(pk=import_id).first()
        if obj is None or not self.has_view_permission(request, obj):
            raise Http404
        return attachment(
            imports.error_file(obj), imports.error_file_name(obj), tabular.MEDIA_TYPES[obj.file_format]
        )

    @action(
        description="Check",
        permissions=["steer"],
        confirm="Every row is read and compared with what is stored. Nothing is taken in yet.",
        icon="fact_check",
        available=lambda obj: obj.began_at is None and not obj.is_running and obj.status not in OVER,
    )
    def check_rows(self, request: HttpRequest, queryset: QuerySet) -> None:
        for obj in queryset:
            imports.request_check(import_id=obj.pk, user_id=request.user.pk)

    @action(
        description="Import",
        permissions=["steer"],
        confirm="The good rows are taken in. Rows with errors are left out and kept for you to correct.",
        icon="download_done",
        available=lambda obj: (
            obj.status == ImportStatus.CHECKED
            or bool(obj.began_at and not obj.is_running and obj.status not in OVER)
        ),
    )
    def take_in(self, request: HttpRequest, queryset: QuerySet) -> None:
        for obj in queryset:
            imports.request_run(import_id=obj.pk, user_id=request.user.pk)

    @action(
        description="Discard",
        permissions=["steer"],
        confirm="The file is deleted. What was taken in from it stays.",
        icon="delete",
        danger=True,
        available=lambda obj: not obj.is_running and obj.status not in OVER,
    )
    def discard(self, request: HttpRequest, queryset: QuerySet) -> None:
        for obj in queryset:
            imports.discard_import(import_id=obj.pk)
        messages.success(request, "Discarded.")

    @admin.display(description="Status", ordering="status")
    def state(self, obj: Import) -> str:
        return stage_pill(obj, TONES)

    @admin.display(description="Rows", ordering="rows_total")
    def rows(self, obj: Import) -> str:
        return figures(obj.rows_total)

    @admin.display(description="Imported")
    def imported(self, obj: Import) -> str:
        return figures(obj.rows_created + obj.rows_updated) if obj.began_at else DASH

    @admin.display(description="Errors", ordering="rows_bad")
    def wrong(self, obj: Import) -> str:
        return (
            pill(figures(obj.rows_bad), "danger") if obj.rows_bad else figures(0) if obj.rows_done else DASH
        )

    @admin.display(description="By")
    def by(self, obj: Import) -> str:
        return str(obj.created_by or "An integration")

    @admin.display(description="File")
    def file_facts(self, obj: Import) -> str:
        kind = "XLSX workbook" if obj.file_format == "xlsx" else f"CSV in {obj.encoding}"
        return f"{kind}, {figures(len(obj.columns))} columns, {figures(obj.rows_total)} rows"


def _tiles(obj: Import) -> list[dict[str, Any]]:
    done = obj.began_at is not None
    names = {
        "created": ("New subscribers" if done else "Would be new", "good"),
        "updated": ("Updated" if done else "Would be updated", "info"),
        "skipped": ("Left as they are", "plain"),
        "bad": ("Errors", "danger" if obj.rows_bad else "plain"),
    }
    return [
        {"label": label, "value": figures(getattr(obj, f"rows_{key}")), "tone": tone}
        for key, (label, tone) in names.items()
    ]


def _preview(obj: Import) -> dict[str, Any]:
    """Lay the first rows out as a table of the first few fields."""
    shown = [field for field in imports.FIELDS if field in obj.mapping.values()][:MAPPED]
    return {
        "headers": [imports.label_of(field) for field in shown],
        "rows": [
            {
                "number": row["row"],
                "outcome": pill(*OUTCOMES[row["outcome"]]),
                "cells": [
                    {"label": imports.label_of(field), "text": row["values"].get(field) or DASH}
                    for field in shown
                ],
                "error": row["error"],
            }
            for row in obj.preview
        ],
    }


def _imported_url(obj: Import) -> str:
    assert obj.began_at is not None
    until = {"created_at__lte": obj.finished_at.isoformat()} if obj.finished_at else {}
    query = urlencode({"created_at__gte": obj.began_at.isoformat(), **until})
    return f"{reverse('admin:subscribers_subscriber_changelist')}?{query}"


links.add("import", "admin:subscribers_import_change")
navigation.add(
    "Customers",
    70,
    "Imports",
    url_name="admin:subscribers_import_changelist",
    icon="upload_file",
    allowed="subscribers.add_import",
)
