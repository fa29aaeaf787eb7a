"""The Celery application: Redis as broker, no result backend, since results are Job rows."""

import os
import time
from typing import Any

import structlog
from celery import Celery
from celery.signals import (
    after_task_publish,
    beat_init,
    before_task_publish,
    heartbeat_sent,
    task_postrun,
    task_prerun,
    worker_init,
)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")

app = Celery("ispcore")
app.config_from_object("ispcore.celeryconfig")
app.autodiscover_tasks()


@worker_init.connect
def watch_worker(**_: Any) -> None:
    """Trace and report before a worker's children are made; each goes on by itself."""
    from ispcore import error_reports, tracing

    tracing.begin("ispcore-worker")
    error_reports.begin("ispcore-worker")


@worker_init.connect
@beat_init.connect
def refuse_unsafe_role(**_: Any) -> None:
    """A worker under an unsafe role would write across tenants: it does not start."""
    from ispcore.tenants.checks import refuse_unsafe_role

    refuse_unsafe_role()


@before_task_publish.connect
def write_on_message(headers: dict[str, Any], **_: Any) -> None:
    """Let a message say when it was sent and for which request, so that its worker's log can be found by that."""
    headers["sent_at"] = time.time()
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id:
        headers["request_id"] = request_id


@task_prerun.connect
def name_task_in_logs(task: Any, task_id: str, **_: Any) -> None:
    structlog.contextvars.clear_contextvars()  # Of the last task in this thread.
    request_id = task.request.get("request_id")
    known = {"request_id": request_id} if request_id else {}
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id, **known)


@task_postrun.connect
def name_no_task_in_logs(**_: Any) -> None:
    structlog.contextvars.clear_contextvars()


@heartbeat_sent.connect
def give_sign_of_life(sender: Any, **_: Any) -> None:
    from redis.exceptions import RedisError

    from ispcore.operations import pulse

    try:
        pulse.note_worker(name=sender.eventer.hostname, queues=list(app.amqp.queues.consume_from))
    except RedisError:  # It takes up its messages by itself when Redis is back, and says so here again.
        structlog.get_logger(__name__).warning("no_sign_of_life_written")


@beat_init.connect
def watch_clock(**_: Any) -> None:
    """In the clock's process: whatever it sends is a sign of life."""
    after_task_publish.connect(give_sign_of_clock, weak=False)


def give_sign_of_clock(**_: Any) -> None:
    from redis.exceptions import RedisError

    from ispcore.operations import pulse

    try:
        pulse.note_clock()
    except RedisError:  # The next that is due says so again.
        structlog.get_logger(__name__).warning("no_sign_of_clock_written")
