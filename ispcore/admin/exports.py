"""Export on every list whose model is registered in `ispcore.files.exports`: what the list shows, or chosen rows.

What a list shows is decided by its page: filters, search and permissions of the admin. So the job makes that page's
list again from the query string it was seen with, as the person who asked, and exports its rows.
"""

from typing import Any

from django import forms
from django.contrib.admin import helpers
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IS_POPUP_VAR, IncorrectLookupParameters
from django.contrib.messages import MessageFailure
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from unfold.enums import ActionVariant

from ispcore.admin.actions import ActionForm, action, ask
from ispcore.admin.formats import figures
from ispcore.api.request import caller_of, client_ip, request_id_of
from ispcore.errors import DomainError
from ispcore.files import exports
from ispcore.jobs.services import Run
from ispcore.tenants.models import User

ACTION = "export"
# Of a list's query: which page, in which order. They change nothing of which rows it shows.
UNIMPORTANT = ("p", "o", "all", "e")
FORMATS = [
    ("xlsx", "Excel workbook (XLSX)"),
    ("csv", "CSV for spreadsheets"),
    ("csv-plain", "CSV for programs (no byte order mark)"),
]


class ListNotReadable(DomainError):
    code = "list_not_readable"
    message = "The filters of this list could not be read. Open the list again and export it from there."


class TooManyChosen(DomainError):
    code = "too_many_chosen"
    message = "At most {most} rows can be chosen one by one. Narrow the list and export all it shows."


class ExportForm(ActionForm):
    """Into which kind of file."""

    file_format = forms.ChoiceField(
        label="Format",
        choices=FORMATS,
        help_text="The file is made in the background and kept for seven days.",
    )


class ExportsMixin:
    """The Export button above a list, and the same for chosen rows."""

    def get_urls(self) -> list[URLPattern]:
        options = self.model._meta  # type: ignore[attr-defined]
        view = self.admin_site.admin_view(self.export_view)  # type: ignore[attr-defined]
        name = f"{options.app_label}_{options.model_name}_export"
        own = [path("export/", view, name=name)] if exports.of_model(self.model) else []  # type: ignore[attr-defined]
        return [*own, *super().get_urls()]  # type: ignore[misc]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)  # type: ignore[misc]
        if self._may_export(request) and IS_POPUP_VAR not in request.GET:
            actions[ACTION] = (type(self).export_rows, ACTION, "Export…")
        return actions

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)  # type: ignore[misc]
        context = getattr(response, "context_data", None)
        if context is not None and "cl" in context and self._may_export(request):
            context["actions_list"] = [*(context.get("actions_list") or ()), self._export_button(request)]
        return response

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the format; the answer goes to the list itself, as an action on all that it shows."""
        if not self._may_export(request):
            raise PermissionDenied
        try:
            shown = self.get_changelist_instance(request)  # type: ignore[attr-defined]
        except (IncorrectLookupParameters, DisallowedModelAdminLookup):
            return redirect(self._list_url())
        answer = ask(self, request, type(self).export_rows, shown.queryset)
        noun = self.opts.verbose_name if shown.result_count == 1 else self.opts.verbose_name_plural  # type: ignore[attr-defined]
        is_narrowed = bool(shown.query) or shown.has_active_filters
        answer.context_data |= {  # type: ignore[attr-defined]
            "question": f"{figures(shown.result_count)} {noun}"
            + (", as the list shows with its search and filters." if is_narrowed else ": the whole list."),
            "rows": [],
            "more": 0,
            "post_url": f"{self._list_url()}?{request.GET.urlencode()}",
            "again": [("action", ACTION), ("select_across", "1"), (helpers.ACTION_CHECKBOX_NAME, "all")],
        }
        return answer

    @action(
        description="Export…",
        permissions=["view"],
        confirm="These rows are written into a file, with all their columns.",
        button="Export",
        icon="download",
        form=ExportForm,
    )
    def export_rows(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> HttpResponse:
        export = exports.of_model(self.model)  # type: ignore[attr-defined]
        assert export is not None
        file_format, _, plain = data["file_format"].partition("-")
        job = exports.request_export(
            export=export,
            file_format=file_format,
            bom=not plain,
            **_asked(request, queryset),
            role=caller_of(request).role,
            user_id=request.user.pk,
            ip=client_ip(request),
            request_id=request_id_of(request),
        )
        return redirect("admin:jobs_job_change", job.pk)

    def _may_export(self, request: HttpRequest) -> bool:
        return exports.of_model(self.model) is not None and self.has_view_permission(request)  # type: ignore[attr-defined]

    def _list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")  # type: ignore[attr-defined]

    def _export_button(self, request: HttpRequest) -> dict[str, Any]:
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_export")  # type: ignore[attr-defined]
        return {
            "title": "Export…",
            "icon": "download",
            "variant": ActionVariant.DEFAULT,
            "attrs": {},
            "dialog": True,
            "path": f"{url}?{request.GET.urlencode()}",
        }


def _asked(request: HttpRequest, queryset: QuerySet) -> dict[str, Any]:
    """Say which rows: those chosen by their ids, all that the list shows by its query."""
    if request.POST.get("select_across") == "1":
        query = request.GET.copy()
        for name in UNIMPORTANT:
            query.pop(name, None)
        return {"rows_from": "staff list", "asked": {"query": query.urlencode()}}
    ids = [str(pk) for pk in queryset.order_by().values_list("pk", flat=True)[: exports.MOST_CHOSEN + 1]]
    if len(ids) > exports.MOST_CHOSEN:
        raise TooManyChosen(most=exports.MOST_CHOSEN)
    return {"rows_from": "chosen", "asked": {"ids": sorted(ids)}}


@exports.source("staff list")
def shown_rows(export: exports.Export, run: Run) -> QuerySet:
    """Return the rows of an admin list as the person who asks sees it. Raises ListNotReadable."""
    from ispcore.admin.site import site  # It loads after this module.

    request = HttpRequest()
    request.method = "GET"
    request.GET = QueryDict(run.params["asked"]["query"])
    request.user = User.objects.get(pk=str(run.user_id))
    request.user.acting_role = run.params["role"]
    try:
        return site._registry[export.model].get_changelist_instance(request).queryset
    except (IncorrectLookupParameters, DisallowedModelAdminLookup, MessageFailure) as error:
        raise ListNotReadable from error
