"""What a check finds: how bad it is, what is so, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `do` is empty where nothing is to be done."""

    level: Level
    what: str
    do: str = ""


def ok(what: str) -> Finding:
    return Finding(Level.OK, what)


def warning(what: str, do: str) -> Finding:
    return Finding(Level.WARNING, what, do)


def error(what: str, do: str) -> Finding:
    return Finding(Level.ERROR, what, do)
