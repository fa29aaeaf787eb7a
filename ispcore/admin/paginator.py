from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

from ispcore.totals import total_of


class BoundedPaginator(Paginator):
    """Pages whose number is exact up to 10,000 rows and the planner's estimate after that."""

    @cached_property
    def count(self) -> int:
        if not isinstance(self.object_list, QuerySet):
            return super().count
        return total_of(self.object_list)[0]
