"""Filters as the contract describes them: one per useful field, text with a trailing `*`."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.db.models import Lookup, QuerySet
from django.db.models.fields import (
    BooleanField,
    CharField,
    DateTimeField,
    Field,
    GenericIPAddressField,
    IntegerField,
    PositiveIntegerField,
    PositiveSmallIntegerField,
    SmallIntegerField,
    TextField,
)
from django_filters.fields import IsoDateTimeField
from drf_spectacular.utils import extend_schema_field
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.request import Request

from ispcore.api.errors import ApiError


@CharField.register_lookup
@TextField.register_lookup
class Prefix(Lookup):
    """`column ^@ value`: leakproof, so an index still serves it under row-level security; LIKE is not."""

    lookup_name = "prefix"
    prepare_rhs = True

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} ^@ {right}", [*left_params, *right_params]


class TextFilter(django_filters.CharFilter):  # type: ignore[misc]
    """Exact text, or everything that begins with it when the value ends in `*`."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value and value.endswith("*"):
            found = queryset.filter(**{f"{self.field_name}__prefix": value[:-1]})
            # What begins with something is not empty: said aloud, an index of what is not empty serves it.
            return found.filter(**{f"{self.field_name}__gt": ""}) if value != "*" else found
        filtered: QuerySet[Any] = super().filter(queryset, value)
        return filtered


@extend_schema_field({"type": "boolean"})
class BooleanFilter(django_filters.TypedChoiceFilter):  # type: ignore[misc]
    """`true` or `false`; the framework's own takes anything else for no filter at all."""

    def __init__(self, **kwargs: Any) -> None:
        choices = [("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce=lambda text: text == "true", **kwargs)


class IpFilter(django_filters.Filter):  # type: ignore[misc]
    """An IP address in any spelling."""

    field_class = forms.GenericIPAddressField


class WholeNumberFilter(django_filters.NumberFilter):  # type: ignore[misc]
    """A whole number; the framework's own takes fractions, which no column of them equals."""

    field_class = forms.IntegerField


# The framework names each of these; others that are made of IntegerField follow it.
WHOLE_NUMBERS = (IntegerField, PositiveIntegerField, PositiveSmallIntegerField, SmallIntegerField)


class MomentField(IsoDateTimeField):  # type: ignore[misc]
    """An ISO 8601 moment in UTC: PostgreSQL refuses offsets that Python still takes."""

    def clean(self, value: Any) -> datetime | None:
        moment: datetime | None = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            raise forms.ValidationError("The moment lies outside the calendar.", code="invalid") from error


class MomentFilter(django_filters.IsoDateTimeFilter):  # type: ignore[misc]
    field_class = MomentField


class HouseFilterSet(django_filters.FilterSet):  # type: ignore[misc]
    """The base of every filter set: text filters take wildcards, and no value is quietly ignored."""

    FILTER_DEFAULTS = {
        **django_filters.FilterSet.FILTER_DEFAULTS,
        CharField: {"filter_class": TextFilter},
        TextField: {"filter_class": TextFilter},
        BooleanField: {"filter_class": BooleanFilter},
        **{field: {"filter_class": WholeNumberFilter} for field in WHOLE_NUMBERS},
        GenericIPAddressField: {"filter_class": IpFilter},
        DateTimeField: {"filter_class": MomentFilter},
    }

    @classmethod
    def filter_for_lookup(cls, field: "Field[Any, Any]", lookup_type: str) -> tuple[Any, dict[str, Any]]:
        if lookup_type == "isnull":
            return BooleanFilter, {}
        found: tuple[Any, dict[str, Any]] = super().filter_for_lookup(field, lookup_type)
        return found

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        # A form of every filter there is would cost more than the query; only what is given can narrow.
        if data is not None:
            every: dict[str, Any] = self.base_filters  # type: ignore[has-type]
            self.base_filters = {name: every[name] for name in every if name in data}
        super().__init__(data, *args, **kwargs)


class HouseOrdering(OrderingFilter):
    """`ordering=name,-created_at`; rows that are equal there follow by id, so that pages never overlap."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> list[str]:
        wanted = request.query_params.get(self.ordering_param)
        if wanted is None:
            return [*view.ordering]
        terms = [term.strip() for term in wanted.split(",")]
        known = [name for name, _ in self.get_valid_fields(queryset, view)]
        for term in terms:
            if term.removeprefix("-") not in known:
                message = f"`ordering` knows: {', '.join(known)}; a hyphen before one turns it round."
                raise ApiError(400, "unknown_parameter", message, field=self.ordering_param)
        return [*terms, "-id"]

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = "|".join(view.ordering_fields)
        return [
            {
                "name": self.ordering_param,
                "in": "query",
                "description": "Fields, separated by commas; a hyphen before one turns it round.",
                "schema": {"type": "string", "pattern": f"^-?({names})(,-?({names}))*$"},
            }
        ]


class HouseSearch(SearchFilter):
    """`search=words`: each word must occur in one of the view's `search_fields`, in any case."""

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        if not view.search_fields:
            return []
        fields = ", ".join(name.lstrip("^=@$") for name in view.search_fields)
        return [
            {
                "name": self.search_param,
                "in": "query",
                "description": f"Words that must all occur in: {fields}.",
                "schema": {"type": "string", "minLength": 1},
            }
        ]
