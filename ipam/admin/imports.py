"""Address imports: a file comes, every row is judged in a dry run, and the good ones are taken in."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from ipam.admin.words import figures
from ipam.models import BookImport, BookImportRow, BookStatus
from ipam.services import imports
from ispcore.admin import links, navigation, results
from ispcore.admin.actions import action
from ispcore.admin.base import BegunByForm, ServiceForm, TenantModelAdmin
from ispcore.admin.formats import DASH, facts, pill, readable, steps, time_column
from ispcore.admin.site import register
from ispcore.jobs.admin import stage_pill, state_of
from ispcore.jobs.models import Job
from subscribers.admin.saving import saved

SHOWN_ERRORS = 50
TONES = {
    BookStatus.UPLOADED: "plain",
    BookStatus.CHECKING: "info",
    BookStatus.CHECKED: "info",
    BookStatus.IMPORTING: "info",
    BookStatus.IMPORTED: "good",
    BookStatus.FAILED: "danger",
}
STEPS = ("Upload", "Check", "Import")
COUNTS = {
    "total": "Rows",
    "created": "New",
    "updated": "Changed",
    "skipped": "As they are here already",
    "bad": "Errors",
}


class UploadForm(ServiceForm):
    # Not the model's own name: Django would put the upload itself where a stored file belongs.
    refused_fields: ClassVar = {"file": "upload"}

    upload = forms.FileField(
        label="File",
        help_text="A CSV or XLSX file with a column for the address, or the JSON export of NetBox. At most 50 MiB.",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx,.json", "class": "isp-input"}),
        allow_empty_file=True,
    )

    class Meta:
        model = BookImport
        fields = ("vrf",)
        labels = {"vrf": "VRF of rows that name none"}
        help_texts = {"vrf": "Empty: the VRF default."}


def has_begun(obj: BookImport) -> bool:
    """Whether rows were taken in, or may have been."""
    return obj.status in (BookStatus.IMPORTING, BookStatus.IMPORTED)


@register(BookImport)
class BookImportAdmin(BegunByForm, TenantModelAdmin):
    """Files of addresses. What is on the page is steered by its buttons."""

    form = UploadForm
    list_display = ("name", "state", "rows", "taken_in", "wrong", "by", time_column("created_at", "Uploaded"))
    list_filter = ("status",)
    list_select_related = ("created_by", "job")
    search_fields = ("name",)
    search_help_text = "Part of the file's name"
    ordering = ("-created_at",)
    sortable_by = ("name", "created_at_with_age")
    object_actions = ("check_rows", "take_in", "remove")
    change_form_outer_before_template = "admin/ipam/bookimport/page.html"
    title_of_new = "New import"
    add_fieldsets = ((None, {"fields": ("upload", "vrf")}),)
    empty_title = "No address book was imported yet"
    empty_help = (
        "An import takes the addresses you have already from a CSV or XLSX file, or networks and addresses from the "
        "JSON export of NetBox. Every row is checked first: nothing is taken in before you have seen what would become "
        "of it."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("created_by", "job", "vrf")

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("ipam.add_bookimport")

    def save_model(self, request: HttpRequest, obj: BookImport, form: Any, change: bool) -> None:
        """Keep the file and begin the check: nobody uploads one for anything else."""
        file, vrf = form.cleaned_data["upload"], form.cleaned_data["vrf"]
        made = imports.upload_book(
            name=file.name or "",
            content=file.chunks(),
            vrf_id=vrf.pk if vrf else None,
            user_id=request.user.pk,
        )
        imports.request_check(import_id=made.pk, user_id=request.user.pk)
        saved(obj, made)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if obj := kwargs.get("obj"):
            context |= _page(obj)
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Check",
        permissions=["steer"],
        confirm="Every row is read and compared with the book. Nothing is taken in yet.",
        icon="fact_check",
        available=lambda obj: not has_begun(obj) and not obj.is_running,
    )
    def check_rows(self, request: HttpRequest, queryset: QuerySet) -> None:
        for obj in queryset:
            imports.request_check(import_id=obj.pk, user_id=request.user.pk)

    @action(
        description="Import",
        permissions=["steer"],
        confirm="The good rows are taken in. Rows with errors are left out and listed for you to correct.",
        icon="download_done",
        available=lambda obj: (
            obj.status == BookStatus.CHECKED or (obj.status == BookStatus.IMPORTING and not obj.is_running)
        ),
    )
    def take_in(self, request: HttpRequest, queryset: QuerySet) -> None:
        for obj in queryset:
            imports.request_run(import_id=obj.pk, user_id=request.user.pk)

    @action(
        description="Remove",
        permissions=["steer"],
        confirm="The file and its list of errors are deleted. What was taken in from it stays.",
        icon="delete",
        danger=True,
        available=lambda obj: not obj.is_running,
    )
    def remove(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        imports.remove_book_import(import_id=queryset.get().pk)
        messages.success(request, "Removed.")
        return redirect("admin:ipam_bookimport_changelist")

    @admin.display(description="Status", ordering="status")
    def state(self, obj: BookImport) -> str:
        return stage_pill(obj, TONES)

    @admin.display(description="Rows")
    def rows(self, obj: BookImport) -> str:
        return figures(obj.rows_total)

    @admin.display(description="Taken in")
    def taken_in(self, obj: BookImport) -> str:
        return figures(obj.rows_created + obj.rows_updated) if has_begun(obj) else DASH

    @admin.display(description="Errors")
    def wrong(self, obj: BookImport) -> str:
        return pill(figures(obj.rows_bad), "danger") if obj.rows_bad else DASH

    @admin.display(description="By")
    def by(self, obj: BookImport) -> str:
        return str(obj.created_by or "An integration")


def _page(obj: BookImport) -> dict[str, Any]:
    running, counted = obj.is_running, obj.status not in (BookStatus.UPLOADED, BookStatus.CHECKING)
    step = 3 if has_begun(obj) else 2
    errors = BookImportRow.objects.filter(of_import=obj).order_by("row_number")[:SHOWN_ERRORS]
    return {
        "title": obj.name,
        "steps": steps(STEPS, now=step),
        "state": stage_pill(obj, TONES),
        "facts": [
            ("File", obj.get_file_format_display()),
            ("Rows", figures(obj.rows_total)),
            ("VRF of rows that name none", str(obj.vrf) if obj.vrf else "default"),
            ("Uploaded by", str(obj.created_by or "an integration")),
        ],
        "job": state_of(obj.job) if obj.job and (running or obj.is_stopped) else None,
        "stopped": obj.is_stopped,
        "tiles": _tiles(obj) if counted else [],
        "bad_rows": [
            {"number": error.row_number, "field": readable(error.field) or DASH, "message": error.message}
            for error in errors
        ]
        if counted
        else [],
        "more_errors": max(0, obj.rows_bad - SHOWN_ERRORS),
    }


def _tiles(obj: BookImport) -> list[dict[str, Any]]:
    done = has_begun(obj)
    names = {
        "created": ("New" if done else "Would be new", "good"),
        "updated": ("Changed" if done else "Would be changed", "info"),
        "skipped": ("As they are here already", "plain"),
        "bad": ("Errors", "danger" if obj.rows_bad else "plain"),
    }
    return [
        {"label": label, "value": figures(getattr(obj, f"rows_{key}")), "tone": tone}
        for key, (label, tone) in names.items()
    ]


def result(job: Job) -> str:
    """Write what a run came to, and lead to its import: `import_id` alone would mean one of subscribers."""
    found = job.result or {}
    return facts(
        [
            ("Import", links.link(links.url_of("book", found["import_id"]), "Open")),
            *((label, found[f"rows_{name}"]) for name, label in COUNTS.items()),
        ]
    )


results.add(imports.CHECK, result)
results.add(imports.TAKE_IN, result)
links.add("book", "admin:ipam_bookimport_change")
navigation.add(
    "Addresses",
    70,
    "Address imports",
    url_name="admin:ipam_bookimport_changelist",
    icon="upload_file",
    allowed="ipam.add_bookimport",
)
