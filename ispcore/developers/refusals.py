"""Which refusals an operation may answer with: read from what its view and the services it calls raise."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

from ispcore.errors import DomainError

# Made anywhere: some are returned first and raised by the caller. What is only caught has no bracket.
RAISED = re.compile(r"raise (?:\w+\.)*(\w+)|\b([A-Z]\w+)\(")
DEEPEST = 6  # View, service, its helpers; what lies deeper is told by the status alone.
# What views of the house share asks nobody's business: its own refusals stand on the first page.
SHARED = ("ispcore.api.", "ispcore.tenants.", "ispcore.audit", "ispcore.redis", "ispcore.logs")


@dataclass(frozen=True)
class Refusal:
    status: int
    code: str
    message: str


def refusals_of(view: Any, method: str) -> list[Refusal]:
    """Return what may be refused, by status and code.

    Read from names in the code, so a refusal that a caller in between catches is listed as well.
    """
    action = getattr(view, "action", None) or method.lower()
    start = getattr(type(view), action, None)
    methods = [start, getattr(type(view), "perform_create", None)] if action == "create" else [start]
    found: set[Refusal] = set()
    seen: set[FunctionType] = set()
    layer = [function for function in map(_function, methods) if function and not _is_shared(function)]
    for _ in range(DEEPEST):
        seen.update(layer)
        found.update(refusal for function in layer for refusal in _raised_by(function))
        layer = [called for function in layer for called in _called_by(function, view) if called not in seen]
    return sorted(found, key=lambda refusal: (refusal.status, refusal.code))


@cache
def _raised_by(function: FunctionType) -> tuple[Refusal, ...]:
    try:
        names = {raised or made for raised, made in RAISED.findall(inspect.getsource(function))}
    except (OSError, TypeError):
        return ()
    known = _named(function)
    tables = [value for value in known.values() if isinstance(value, dict)]
    classes = [known.get(name) for name in names]
    classes += [entry for table in tables for entry in table.values()]  # REFUSALS[column]
    return tuple(
        Refusal(error.status, error.code, readable(error.message))
        for error in classes
        if isinstance(error, type) and issubclass(error, DomainError)
    )


def _called_by(function: FunctionType, view: Any) -> Iterator[FunctionType]:
    candidates = [*_named(function).values()]
    if function.__qualname__.startswith(type(view).__name__):
        candidates += [getattr(type(view), name, None) for name in function.__code__.co_names]
    for candidate in candidates:
        called = _function(candidate)
        if called and not _is_shared(called):
            yield called


@cache
def _named(function: FunctionType) -> dict[str, Any]:
    """Return what the function's names stand for: globals, and what it takes out of modules."""
    names = function.__code__.co_names
    found = {name: function.__globals__[name] for name in names if name in function.__globals__}
    modules = [value for value in found.values() if isinstance(value, ModuleType) and is_ours(value.__name__)]
    for module in modules:  # Grows: a package's module is named by way of the package.
        for name in names:
            value = getattr(module, name, None)
            if isinstance(value, ModuleType) and is_ours(value.__name__) and value not in modules:
                modules.append(value)
            elif value is not None:
                found.setdefault(name, value)
    return found


def _function(candidate: Any) -> FunctionType | None:
    plain = inspect.unwrap(candidate) if callable(candidate) and not isinstance(candidate, type) else None
    return plain if isinstance(plain, FunctionType) else None


def is_ours(module: str) -> bool:
    """Tell whether a module is one of the product's, dialects apart: those translate what others refuse."""
    return module.split(".")[0] in ("ispcore", "subscribers", "ipam", "hardware", "aaa", "billing", "support")


def _is_shared(function: FunctionType) -> bool:
    module = function.__module__ or ""
    return not is_ours(module) or module.startswith(SHARED)


def readable(message: str) -> str:
    """Write a message's template for reading: `{number}` stands for a value."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda match: f"‹{match[1].replace('_', ' ')}›", message)
