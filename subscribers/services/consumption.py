"""How much data lines used: asked of the apps above, which know, by those beside them, which charge for it."""

from collections.abc import Callable, Sequence
from datetime import date
from uuid import UUID

# For these lines, what each used from a day up to and without another, in bytes; a line that used none may be left out.
ConsumptionSource = Callable[[Sequence[UUID], date, date], dict[UUID, int]]

_sources: dict[str, ConsumptionSource] = {}


def register_consumption_source(name: str, source: ConsumptionSource) -> None:
    """Add a source; what several know of a line is added up. The same name replaces.

    It is asked for thousands of lines at once and must answer with a constant number of queries.
    """
    _sources[name] = source


def remove_consumption_source(name: str) -> None:
    _sources.pop(name, None)


def bytes_used(subscription_ids: Sequence[UUID], *, since: date, until: date) -> dict[UUID, int]:
    """Return what each of these lines used and has to answer for, from `since` up to and without `until`."""
    used: dict[UUID, int] = {}
    for source in _sources.values():
        for line, count in source(subscription_ids, since, until).items():
            used[line] = used.get(line, 0) + count
    return used
