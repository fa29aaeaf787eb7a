"""Whether somebody does what is queued, and the clock ticks."""

import re
from datetime import UTC, datetime, timedelta

from django.conf import settings

from ispcore.celery import app
from ispcore.operations.checks.database import fetch
from ispcore.operations.checks.finding import Finding, error, ok

QUEUES = re.compile(r"--queues (\S+)")
ANSWER_SECONDS = 3.0
BEAT_MINUTES = 2  # What is due most often is due every five seconds.


def check_workers() -> list[Finding]:
    """Find queues that no worker takes from. The queues are those of the Procfile, what runs in production."""
    text = (settings.BASE_DIR / "Procfile").read_text()
    queues = {queue for names in QUEUES.findall(text) for queue in names.split(",")}
    answers = app.control.inspect(timeout=ANSWER_SECONDS).active_queues() or {}
    served = {queue["name"] for worker in answers.values() for queue in worker}
    return [
        error(
            f"No worker takes from the queue `{queue}`.",
            "Start the process with this queue in Procfile (deploy/ has a unit and a container for each).",
        )
        for queue in sorted(queues - served)
    ] or [ok(f"{len(answers)} workers take from {', '.join(sorted(queues))}")]


def check_beat() -> list[Finding]:
    """Find a clock that has stopped: nothing that runs by the clock would run."""
    do = "Start the process `beat` in Procfile; one on each of two machines is better."
    ((last,),) = fetch("SELECT max(last_run_at) FROM jobs_scheduledrun")
    if last is None:
        return [error("It has never run.", do)]
    age = datetime.now(UTC) - last
    if age > timedelta(minutes=BEAT_MINUTES):
        return [error(f"It ran last at {last:%Y-%m-%d %H:%M} UTC.", do)]
    return [ok(f"ran {max(0, int(age.total_seconds()))} s ago")]
