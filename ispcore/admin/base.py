"""The bases every page of the staff site is built on."""

from functools import cache
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.translation import get_language
from unfold.admin import ModelAdmin, checkbox

from ispcore.admin import history
from ispcore.admin.actions import ActionsMixin
from ispcore.admin.exports import ExportsMixin
from ispcore.admin.fields import SecretFormField, SecretInput
from ispcore.admin.paginator import BoundedPaginator
from ispcore.crypto import SecretField
from ispcore.errors import DomainError
from ispcore.tenants.base import TenantManager
from ispcore.tenants.fields import TenantKey


class TenantForm(ModelForm):
    """Checks what is unique per tenant, keeps secrets that were not typed again, and shows a refusal.

    `refused_fields` says which of its fields is meant by what a service calls otherwise.
    """

    refusal: DomainError | None = None
    refused_fields: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, SecretFormField) and not self.instance._state.adding:
                field.keep(getattr(self.instance, name))

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        self._check_unique_in_tenant()
        if self.refusal is not None:
            named = self._field_of(self.refusal)
            # An error of the field's own says more, and would be asked for first.
            if named not in self.errors:
                self.add_error(named, str(self.refusal))

    def _check_unique_in_tenant(self) -> None:
        # `tenant` is not on the form, so Django skips every constraint that names it. What keeps a single
        # field unique speaks at that field.
        model, options = self._meta.model, self._meta.model._meta
        keys = {field.name for field in options.local_fields if isinstance(field, TenantKey)}
        exclude = self._get_validation_exclusions() - keys  # type: ignore[attr-defined]
        for constraint in options.constraints:
            fields = set(getattr(constraint, "fields", ()))
            if not fields & keys:
                continue
            try:
                constraint.validate(model, self.instance, exclude=exclude)
            except ValidationError as error:
                named = [name for name in fields if name in self.fields]
                one = named[0] if len(named) == 1 else None
                self.add_error(one, f"Another {options.verbose_name} has this already." if one else error)

    def _field_of(self, refusal: DomainError) -> str | None:
        """Return the form's field a refusal names; None when it names none that is shown."""
        name = self.refused_fields.get(refusal.field or "", refusal.field or "")
        return next((each for each in (name, name.removesuffix("_id")) if each in self.fields), None)


class ServiceForm(TenantForm):
    """A form whose service makes the row and refuses what the database would: it says more."""

    def validate_constraints(self) -> None:
        return None

    def _check_unique_in_tenant(self) -> None:
        return None


class StaffModelAdmin(ActionsMixin, ModelAdmin):
    """What all pages share. History is written by database triggers, so Django's own log stays empty.

    `empty_title`, `empty_help` and `docs_path` teach whoever opens an empty list; `history_ignore` names
    columns that the history leaves out.
    """

    form = TenantForm
    formfield_overrides: Any = {SecretField: {"form_class": SecretFormField, "widget": SecretInput}}
    list_per_page = 25
    paginator = BoundedPaginator
    list_sections: Any = ()  # The theme's templates look for it in each row, and missing it costs more.
    show_full_result_count = False
    empty_title = ""
    empty_help = ""
    docs_path = ""
    history_ignore: tuple[str, ...] = ()

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        return None

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        return None

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        return None

    def action_checkbox(self, obj: Model) -> str:
        """Return the box that chooses a row; the widget's template is rendered once, not for each row."""
        return format_html(_row_checkbox(get_language()), obj.pk)

    action_checkbox.short_description = ModelAdmin.action_checkbox.short_description  # type: ignore[attr-defined]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Leave out Django's bulk deletion: what is deleted is deleted one by one, by its service."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show a refused form again as it was typed, with the reason at the field it is about.

        What the service wrote is rolled back by then: the form is checked a second time with the refusal
        among its errors, so nothing is saved. Secrets are never sent back to the browser.
        """
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.refusal = getattr(request, "refusal", None)
        return form

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Say why a service refused; its transaction is rolled back by then."""
        try:
            return super().delete_view(request, *args, **kwargs)
        except DomainError as refusal:
            messages.error(request, str(refusal))
            return redirect(request.path)

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may reach out to a device."""
        return request.user.has_perm(f"{self.opts.app_label}.operate")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        context["show_history"] = history.history_model(self.model) is not None
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what the database recorded of one object, newest first."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        page = max(1, int(raw)) if (raw := request.GET.get("page", "1")).isdecimal() else 1
        tracked = history.history_model(self.model) is not None
        found, older = history.entries(obj, page=page, ignore=self.history_ignore) if tracked else ([], False)
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {obj}",
            "subtitle": None,
            "opts": self.opts,
            "object": obj,
            "original": obj,
            "tracked": tracked,
            "entries": found,
            "page": page,
            "older": older,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/object_history.html", context)


@cache
def _row_checkbox(language: str | None) -> str:
    return str(checkbox.render(ACTION_CHECKBOX_NAME, "{}"))


class TenantModelAdmin(ExportsMixin, StaffModelAdmin):
    """Pages for a model of the bound tenant: another tenant's rows do not exist here."""

    def __init__(self, model: type[Model], admin_site: Any) -> None:
        if not isinstance(model._default_manager, TenantManager):
            raise ImproperlyConfigured(f"{model.__name__} is not scoped to a tenant by its manager.")
        super().__init__(model, admin_site)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return self.model.objects.order_by(*(self.get_ordering(request) or ("-pk",)))


class KeptMixin:
    """What is written once stays: its page may have buttons, and never a form to change it."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyMixin(KeptMixin):
    """A window, not a door: what is shown is written elsewhere."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class ReadOnlyAdmin(ReadOnlyMixin, TenantModelAdmin):
    """Pages that only show."""


class BegunByForm(KeptMixin):
    """A record that its form only begins: its page opens at once, and from there its buttons steer it.

    `title_of_new` stands above the form, whose fields are `add_fieldsets`.
    """

    title_of_new: ClassVar[str]
    add_fieldsets: ClassVar[Any] = ()
    opts: Any

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj else self.add_fieldsets

    def response_add(self, request: HttpRequest, obj: Model, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", obj.pk)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if not kwargs.get("obj"):
            context |= {
                "title": self.title_of_new,
                "show_save_and_add_another": False,
                "show_save_and_continue": False,
            }
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]


class DrawnPage:
    """A record's page that its template draws whole: no list of fields stands below."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return []
