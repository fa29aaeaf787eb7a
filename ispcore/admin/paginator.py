from typing import Any

from django.core.paginator import EmptyPage, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

from ispcore.totals import total_of

# An estimate is seldom further off; what is asked for beyond that is not looked for.
ESTIMATE_MAY_BE_SHORT_BY = 2


class BoundedPaginator(Paginator):
    """Pages whose number is exact up to 10,000 rows and the planner's estimate after that.

    A page that lies behind the estimate is shown all the same when there are rows on it.
    """

    @cached_property
    def count(self) -> int:
        return self._total[0]

    @cached_property
    def _total(self) -> tuple[int, bool]:
        if not isinstance(self.object_list, QuerySet):
            return len(self.object_list), False
        return total_of(self.object_list)

    def validate_number(self, number: Any) -> int:
        try:
            return super().validate_number(number)
        except EmptyPage:
            page = int(number)
            if not self._total[1] or not 1 <= page <= self.num_pages * ESTIMATE_MAY_BE_SHORT_BY:
                raise
            before = (page - 1) * self.per_page
            if not len(self.object_list[before : before + 1]):
                raise
            self.count = page * self.per_page
            del self.num_pages
            return page
