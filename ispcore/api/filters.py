"""Filters as the contract describes them: one per useful field, text with a trailing `*`."""

from typing import Any

import django_filters
from django.db.models import Lookup, QuerySet
from django.db.models.fields import CharField, TextField


@CharField.register_lookup
@TextField.register_lookup
class Prefix(Lookup):  # type: ignore[type-arg]
    """`column ^@ value`: leakproof, so an index still serves it under row-level security; LIKE is not."""

    lookup_name = "prefix"
    prepare_rhs = True

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} ^@ {right}", [*left_params, *right_params]


class TextFilter(django_filters.CharFilter):  # type: ignore[misc]
    """Exact text, or everything that begins with it when the value ends in `*`."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value and value.endswith("*"):
            return queryset.filter(**{f"{self.field_name}__prefix": value[:-1]})
        filtered: QuerySet[Any] = super().filter(queryset, value)
        return filtered


class HouseFilterSet(django_filters.FilterSet):  # type: ignore[misc]
    """The base of every filter set: text filters take wildcards."""

    FILTER_DEFAULTS = {
        **django_filters.FilterSet.FILTER_DEFAULTS,
        CharField: {"filter_class": TextFilter},
        TextField: {"filter_class": TextFilter},
    }
