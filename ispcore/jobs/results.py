"""How a kind of job shows its result, for kinds whose result is rows and not a handful of numbers."""

from collections.abc import Callable
from typing import Any

from ispcore.jobs.models import Job

Presenter = Callable[[Job], dict[str, Any]]

_presenters: dict[str, Presenter] = {}


def present(kind: str) -> Callable[[Presenter], Presenter]:
    """Register the function that turns an ended job of `kind` into its answer."""

    def register(presenter: Presenter) -> Presenter:
        _presenters[kind] = presenter
        return presenter

    return register


def result_of(job: Job) -> Any:
    """Return a job's result as the API shows it; runs inside the tenant's context."""
    if job.result is None or job.kind not in _presenters:
        return job.result
    return _presenters[job.kind](job)
