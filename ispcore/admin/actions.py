"""Actions: what changes something is asked back, sent by POST and bound to a permission.

The theme's own detail, list and row actions are plain links that run on GET, and for anybody when no
permission is named; none of ours uses them. One function serves the list (the selected rows) and the
object's page (that one row). An action that must know more than yes names an `ActionForm`; one whose
consequences are worth seeing first names a `preview`, shown with the question before anything is done.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.enums import ActionVariant

from ispcore.errors import DomainError

CONFIRMED = "confirmed"
PREVIEW = "preview"
SEEN = "seen"
SHOWN_ROWS = 10


@dataclass(frozen=True)
class Outcome:
    """What the same happens to: how many rows, in words, and the first of them."""

    count: int
    words: str
    tone: str = "plain"
    rows: Sequence[Any] = ()

    @property
    def more(self) -> int:
        return max(0, self.count - len(self.rows))


@dataclass(frozen=True)
class Preview:
    """What an action would do. Without `is_useful` it cannot be confirmed; `refused` says why not."""

    outcomes: Sequence[Outcome] = ()
    facts: Sequence[tuple[str, Any]] = ()
    note: str = ""
    refused: str = ""
    is_useful: bool = True


class ActionForm(forms.Form):
    """What an action asks besides its question; `rows` are those it was asked for."""

    def __init__(self, *args: Any, rows: QuerySet, **kwargs: Any) -> None:
        self.rows = rows
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


def action(
    *,
    description: str,
    permissions: Iterable[str],
    confirm: str,
    button: str = "",
    icon: str = "play_arrow",
    danger: bool = False,
    available: Callable[[Any], bool] = lambda obj: True,
    form: type[ActionForm] | None = None,
    preview: Callable[[Any, HttpRequest, QuerySet, dict[str, Any] | None], Preview | None] | None = None,
    preview_on: Sequence[str] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a method an action: `(self, request, queryset)`, run only by a confirmed POST.

    With a `form` the method takes a fourth argument, the form's cleaned data; wrong answers ask again.

    `preview` gets the admin, the request, the rows and the answers (None before there are any) and returns what
    would happen, or None while it needs answers. It is made anew when a field named in `preview_on` changes, and
    nothing runs with other answers in these fields than those it was shown for. It changes nothing.

    `permissions` name `has_<name>_permission` methods; `confirm` is the question of the dialog, `available`
    hides the button on the page of an object it cannot apply to. Raises ImproperlyConfigured without a
    permission.
    """
    needed = tuple(permissions)
    if not needed:
        raise ImproperlyConfigured("An action needs a permission: without one anybody could run it.")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(
            admin: Any, request: HttpRequest, queryset: QuerySet, obj: Model | None = None
        ) -> HttpResponse | None:
            if not all(getattr(admin, f"has_{name}_permission")(request) for name in needed):
                raise PermissionDenied
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            if CONFIRMED not in request.POST:
                typed = form(request.POST, rows=queryset) if form and PREVIEW in request.POST else None
                return ask(admin, request, run, queryset, obj, typed)
            answers = form(request.POST, rows=queryset) if form else None
            if answers is not None and not answers.is_valid():
                return ask(admin, request, run, queryset, obj, answers)
            if answers is not None and _has_seen_another(request, answers, preview_on):
                return ask(admin, request, run, queryset, obj, answers)
            try:
                with transaction.atomic():
                    given = () if answers is None else (answers.cleaned_data,)
                    return function(admin, request, queryset, *given)
            except DomainError as refusal:
                messages.error(request, str(refusal))
                return None

        run.short_description = description  # type: ignore[attr-defined]
        run.allowed_permissions = needed  # type: ignore[attr-defined]
        run.confirm = confirm  # type: ignore[attr-defined]
        run.button = button or description  # type: ignore[attr-defined]
        run.icon = icon  # type: ignore[attr-defined]
        run.danger = danger  # type: ignore[attr-defined]
        run.available = available  # type: ignore[attr-defined]
        run.form = form  # type: ignore[attr-defined]
        run.preview = preview  # type: ignore[attr-defined]
        run.preview_on = preview_on  # type: ignore[attr-defined]
        run.do_not_call_in_templates = True  # type: ignore[attr-defined]
        return run

    return decorate


def ask(
    admin: Any,
    request: HttpRequest,
    run: Any,
    queryset: QuerySet,
    obj: Model | None = None,
    answers: ActionForm | None = None,
) -> HttpResponse:
    """Show the question: as a dialog to htmx, as a page to everybody else."""
    count = 1 if obj else queryset.count()
    options = admin.model._meta
    form = answers or (run.form(rows=queryset) if run.form else None)
    post_url = request.get_full_path() if obj else ""
    forecast = _forecast(admin, request, run, queryset, answers)
    if form is not None:
        _renew_on_change(form, run.preview_on, post_url or request.get_full_path())
    # Rows that a preview names by what happens to them are not listed a second time.
    listed = 0 if forecast and forecast.outcomes else SHOWN_ROWS
    context = {
        **admin.admin_site.each_context(request),
        "title": run.short_description.removesuffix("…"),
        "question": run.confirm,
        "run": run,
        "form": form,
        "preview": forecast,
        "is_ready": run.preview is None or forecast is not None,
        "may_confirm": run.preview is None or bool(forecast and forecast.is_useful and not forecast.refused),
        "seen": _signature(_given(form, run.preview_on)) if form is not None and run.preview_on else "",
        "preview_name": PREVIEW,
        "seen_name": SEEN,
        "opts": options,
        "original": obj,
        "count": count,
        "rows": [obj] if obj else list(queryset[:listed]) if listed else [],
        "more": max(0, count - listed) if listed else 0,
        "noun": options.verbose_name if count == 1 else options.verbose_name_plural,
        "confirmed": CONFIRMED,
        "post_url": post_url,
        "back": _asked_from(request) or _back(admin, obj),
        # A list action is sent again with the same selection.
        "again": [] if obj else _selection(request),
    }
    if request.headers.get("HX-Request"):
        return TemplateResponse(request, "admin/action_dialog.html", context)
    return TemplateResponse(request, "admin/action_page.html", context)


def _forecast(
    admin: Any, request: HttpRequest, run: Any, queryset: QuerySet, answers: ActionForm | None
) -> Preview | None:
    if run.preview is None:
        return None
    if answers is not None and not answers.is_valid():
        return None
    try:
        found: Preview | None = run.preview(
            admin, request, queryset, answers.cleaned_data if answers is not None else None
        )
    except DomainError as refusal:
        return Preview(refused=str(refusal))
    return found


def _renew_on_change(form: ActionForm, names: Iterable[str], url: str) -> None:
    """Let a changed answer ask for the preview again; without scripts a button does."""
    for name in names:
        form.fields[name].widget.attrs |= {
            "hx-post": url,
            "hx-trigger": "change",
            "hx-vals": f'{{"{PREVIEW}": "yes"}}',
            "hx-target": "#ask-preview",
            "hx-select": "#ask-preview",
            "hx-swap": "outerHTML",
        }


def _signature(given: dict[str, Any]) -> str:
    """Name the answers a preview is for."""
    words = "&".join(f"{name}={value}" for name, value in sorted(given.items()))
    return hashlib.blake2b(words.encode(), digest_size=8).hexdigest()


def _has_seen_another(request: HttpRequest, form: ActionForm, names: Sequence[str]) -> bool:
    return SEEN in request.POST and request.POST[SEEN] != _signature(_given(form, names))


def _given(form: ActionForm, names: Iterable[str]) -> dict[str, Any]:
    """Return what stands in these fields as the browser will send it; a list without a choice sends its first."""
    given = {}
    for name in names:
        value, choices = form[name].value(), getattr(form.fields[name], "choices", None)
        if value is None and choices:
            value = next(iter(choices))[0]
        given[name] = "" if value is None else str(value)
    return given


def run_on_each(
    admin: Any, request: HttpRequest, queryset: Iterable[Any], do: Callable[[Any], object], *, done: str
) -> list[Any]:
    """Call `do` for each row, refusals apart: one message for what was done, one for each refusal.

    `done` may use {count}. Returns what the calls returned.
    """
    results = []
    for obj in queryset:
        try:
            with transaction.atomic():
                results.append(do(obj))
        except DomainError as refusal:
            messages.error(request, f"{obj}: {refusal}")
    if results:
        messages.success(request, done.format(count=len(results)))
    return results


class ActionsMixin:
    """Buttons on an object's page for the actions named in `object_actions`."""

    object_actions: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("actions_list", "actions_row", "actions_detail", "actions_submit_line"):
            if getattr(cls, name, None):
                raise ImproperlyConfigured(
                    f"{cls.__name__}.{name} runs on GET: use actions or object_actions."
                )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.object_action_view)  # type: ignore[attr-defined]
        name = f"{self.model._meta.app_label}_{self.model._meta.model_name}_action"  # type: ignore[attr-defined]
        return [path("<path:object_id>/do/<slug:action_name>/", view, name=name), *super().get_urls()]  # type: ignore[misc]

    def object_action_view(self, request: HttpRequest, object_id: str, action_name: str) -> HttpResponse:
        """GET asks, POST runs; 404 for another tenant's object as for one that does not exist.

        Either leads back to the page that `next` names, to the object's own otherwise.
        """
        obj = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if action_name not in self.object_actions or obj is None:
            raise Http404
        run = getattr(type(self), action_name)
        if not self._may_run(request, run):
            raise PermissionDenied
        rows = self.get_queryset(request).filter(pk=obj.pk)  # type: ignore[attr-defined]
        if request.method == "GET":
            return ask(self, request, run, rows, obj)
        return run(self, request, rows, obj) or redirect(_asked_from(request) or _back(self, obj))

    def _may_run(self, request: HttpRequest, run: Any) -> bool:
        return all(getattr(self, f"has_{name}_permission")(request) for name in run.allowed_permissions)

    def _buttons(self, request: HttpRequest, obj: Model) -> list[dict[str, Any]]:
        options = self.model._meta  # type: ignore[attr-defined]
        runs = [(name, getattr(type(self), name)) for name in self.object_actions]
        return [
            {
                "title": run.short_description.removesuffix("…"),
                "icon": run.icon,
                "variant": ActionVariant.DANGER if run.danger else ActionVariant.PRIMARY,
                "attrs": {},
                "dialog": True,
                "path": reverse(
                    f"admin:{options.app_label}_{options.model_name}_action", args=[obj.pk, name]
                ),
            }
            for name, run in runs
            if self._may_run(request, run) and run.available(obj)
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        obj = kwargs.get("obj")
        context["actions_detail"] = self._buttons(request, obj) if obj else []
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]


def _asked_from(request: HttpRequest) -> str:
    """Return the page the question came from, if the address names one and it is of this site."""
    url = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if is_ours else ""


def _back(admin: Any, obj: Model | None) -> str:
    base = f"admin:{admin.model._meta.app_label}_{admin.model._meta.model_name}"
    if obj is None:
        return reverse(f"{base}_changelist")
    return reverse(f"{base}_change", args=[obj.pk])


def _selection(request: HttpRequest) -> list[tuple[str, str]]:
    kept = [
        ("action", request.POST.get("action", "")),
        ("select_across", request.POST.get("select_across", "0")),
    ]
    kept += [(helpers.ACTION_CHECKBOX_NAME, pk) for pk in request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)]
    return kept
