"""Reads across billing's models that the API and the admin share."""

from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from billing.models import BankLine, LineState


def with_line_counts(statements: QuerySet[Any]) -> QuerySet[Any]:
    """Put beside each bank statement how many of its lines are in which state."""

    def count(state: str) -> Coalesce:
        lines = BankLine.objects.filter(statement=OuterRef("pk"), state=state).order_by()
        return Coalesce(Subquery(lines.values("statement").annotate(n=Count("pk")).values("n")), 0)

    counted: QuerySet[Any] = statements.annotate(**{state.value: count(state) for state in LineState})
    return counted
