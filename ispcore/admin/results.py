"""How a job's page shows what the job came to; apps say so for kinds whose result is more than a few facts."""

from collections.abc import Callable

from ispcore.admin.formats import mapping
from ispcore.jobs.models import Job

Render = Callable[[Job], str]

_renders: dict[str, Render] = {}


def add(kind: str, render: Render) -> None:
    """Show the result of jobs of this kind as `render` writes it; saying it twice changes nothing."""
    _renders[kind] = render


def shown(job: Job) -> str:
    """Return a job's result as its page shows it, empty while there is none."""
    if not job.result:
        return ""
    return _renders.get(job.kind, lambda job: mapping(job.result))(job)
