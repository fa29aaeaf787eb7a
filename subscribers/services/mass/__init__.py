"""One change to many customers or lines: told beforehand, done in batches, counted by what became of each row."""

from subscribers.services.mass.changes import CHANGES, Change, Effect, Ending, change_named
from subscribers.services.mass.runs import (
    MOST,
    MOST_AT_ONCE,
    Forecast,
    Group,
    Money,
    Refusal,
    Tally,
    TooMany,
    apply_now,
    apply_to_many,
    forecast,
    request_change,
)

__all__ = [
    "CHANGES", "MOST", "MOST_AT_ONCE", "Change", "Effect", "Ending", "Forecast", "Group", "Money", "Refusal",
    "Tally", "TooMany", "apply_now", "apply_to_many", "change_named", "forecast", "request_change",
]  # fmt: skip
