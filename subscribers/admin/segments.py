"""The saved lists above a list: links to its filters, and the dialogs that keep, rename and remove them."""

from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from ispcore.admin.fields import CheckBox, TextInput
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.roles import Role
from subscribers.models import Segment
from subscribers.services import segments

LONGEST_VALUE = 200
# Of a list's query: the page and what went wrong say nothing of which rows it shows.
SEARCH, ORDER = "q", "o"


class SegmentForm(forms.Form):
    name = forms.CharField(max_length=60, widget=TextInput, help_text="Such as: Harbour, on hold.")
    is_shared = forms.BooleanField(
        required=False,
        label="Share with colleagues",
        widget=CheckBox,
        help_text="Everybody who may see this list finds it above it.",
    )


class SegmentsMixin:
    """Saved lists on a page whose `segments_of` names whose list it is."""

    segments_of: ClassVar[str]
    list_before_template = "admin/subscribers/segments.html"

    def get_urls(self) -> list[URLPattern]:
        def named(view: Any) -> Any:
            return self.admin_site.admin_view(view)  # type: ignore[attr-defined]

        base = f"{self.opts.app_label}_{self.opts.model_name}_segment"  # type: ignore[attr-defined]
        return [
            path("saved/", named(self.save_segment_view), name=f"{base}_save"),
            path("saved/<uuid:segment_id>/", named(self.change_segment_view), name=f"{base}_change"),
            path("saved/<uuid:segment_id>/remove/", named(self.remove_segment_view), name=f"{base}_remove"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(  # type: ignore[misc]
            request, {**(extra_context or {}), "segments": self._segments(request)}
        )

    def save_segment_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for a name, and keep what the list shows: its query stands in this address's own."""
        self._refuse_unseeing(request)
        query = self.kept_query(request, request.GET)

        def keep(data: dict[str, Any]) -> None:
            segments.save_segment(of=self.segments_of, query=query, user_id=_person(request), **data)
            messages.success(request, f"Saved as {data['name']}.")

        question = "The list's filters, search and order are kept; it shows whoever fits them on the day."
        return self._dialog(
            request, title="Save these filters", question=question, button="Save", do=keep, back=query
        )

    def change_segment_view(self, request: HttpRequest, segment_id: UUID) -> HttpResponse:
        self._refuse_unseeing(request)
        segment = self._segment(request, segment_id)

        def change(data: dict[str, Any]) -> None:
            segments.change_segment(segment_id=segment_id, user_id=_person(request), **data)
            messages.success(request, "Changed.")

        return self._dialog(
            request,
            title=f"Change {segment.name}",
            question="Its filters stay as they are.",
            button="Save",
            do=change,
            back=segment.query,
            initial={"name": segment.name, "is_shared": segment.is_shared},
        )

    def remove_segment_view(self, request: HttpRequest, segment_id: UUID) -> HttpResponse:
        self._refuse_unseeing(request)
        segment = self._segment(request, segment_id)

        def remove(data: dict[str, Any]) -> None:
            segments.remove_segment(
                segment_id=segment_id,
                user_id=_person(request),
                may_remove_shared=_may_remove_shared(request),
            )
            messages.success(request, f"{segment.name} is removed.")

        return self._dialog(
            request,
            title=f"Remove {segment.name}",
            question="Only the saved filters go, for everybody who uses them; no record is touched.",
            button="Remove",
            do=remove,
            back=segment.query,
            is_danger=True,
        )

    def kept_query(self, request: HttpRequest, given: QueryDict) -> str:
        """Return of a query what this list understands, each once and in one order."""
        allowed = self._parameters(request)
        kept = {name: given[name] for name in sorted(given) if name in allowed and given[name]}
        return urlencode({name: value for name, value in kept.items() if len(value) <= LONGEST_VALUE})

    def _parameters(self, request: HttpRequest) -> set[str]:
        changelist = self.get_changelist_instance(_bare(request))  # type: ignore[attr-defined]
        names = {name for spec in changelist.filter_specs for name in spec.expected_parameters()}
        # A filter with nothing to offer today is left out by Django, and may have its say tomorrow.
        names |= {each.parameter_name for each in self.list_filter if hasattr(each, "parameter_name")}  # type: ignore[attr-defined]
        return {*names, *getattr(self, "linked_filters", ()), SEARCH, ORDER}

    def _segments(self, request: HttpRequest) -> dict[str, Any]:
        base = f"admin:{self.opts.app_label}_{self.opts.model_name}"  # type: ignore[attr-defined]
        now = urlencode(
            sorted((name, value) for name, value in request.GET.items() if name not in ("p", "e"))
        )
        rows = [
            {
                "name": each.name,
                "url": f"{reverse(f'{base}_changelist')}?{each.query}",
                "is_active": each.query == now,
                "owner": "" if each.user_id == request.user.pk else str(each.user),
                "is_shared": each.is_shared,
                "change_url": reverse(f"{base}_segment_change", args=[each.pk])
                if each.user_id == request.user.pk
                else "",
                "remove_url": reverse(f"{base}_segment_remove", args=[each.pk])
                if each.user_id == request.user.pk or _may_remove_shared(request)
                else "",
            }
            for each in segments.segments_for(of=self.segments_of, user_id=_person(request))
        ]
        active = next((row for row in rows if row["is_active"]), None)
        return {
            "rows": rows,
            "active": active,
            "save_url": f"{reverse(f'{base}_segment_save')}?{now}" if now and not active else "",
        }

    def _segment(self, request: HttpRequest, segment_id: UUID) -> Segment:
        seen = segments.segments_for(of=self.segments_of, user_id=_person(request))
        segment = seen.filter(pk=segment_id).first()
        if segment is None:
            raise Http404
        return segment

    def _refuse_unseeing(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied

    def _dialog(
        self,
        request: HttpRequest,
        *,
        title: str,
        question: str,
        button: str,
        do: Any,
        back: str,
        initial: dict[str, Any] | None = None,
        is_danger: bool = False,
    ) -> HttpResponse:
        listing = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")  # type: ignore[attr-defined]
        form = None if is_danger else SegmentForm(request.POST or None, initial=initial, label_suffix="")
        if request.method == "POST" and (form is None or form.is_valid()):
            try:
                do(form.cleaned_data if form else {})
            except NotRegistered as gone:
                raise Http404 from gone
            except DomainError as refusal:
                if form is None:
                    messages.error(request, str(refusal))
                else:
                    form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
            if form is None or not form.errors:
                return redirect(f"{listing}?{back}" if not is_danger else listing)
        context = {
            **self.admin_site.each_context(request),  # type: ignore[attr-defined]
            "title": title,
            "question": question,
            "form": form,
            "opts": self.opts,  # type: ignore[attr-defined]
            "run": {"button": button, "danger": is_danger},
            "may_confirm": True,
            "post_url": request.get_full_path(),
            "back": f"{listing}?{back}",
        }
        is_dialog = request.headers.get("HX-Request")
        return TemplateResponse(
            request, "admin/action_dialog.html" if is_dialog else "admin/action_page.html", context
        )


def _person(request: HttpRequest) -> UUID:
    assert request.user.pk is not None  # The staff site is closed to whoever is nobody.
    return request.user.pk


def _may_remove_shared(request: HttpRequest) -> bool:
    return request.user.acting_role == Role.ADMINISTRATOR  # type: ignore[union-attr]


def _bare(request: HttpRequest) -> HttpRequest:
    """Return the request as it would be for the whole list: wrong filters must not stand in the way."""
    bare = HttpRequest()
    bare.method, bare.user = "GET", request.user
    bare.path = request.path
    return bare
