"""Work that is sent to a queue nobody takes is never done: every name in the code has a worker in the Procfile."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ispcore.celery import app
from ispcore.embedded.supervisor import parse_procfile

PROJECT = Path(__file__).resolve().parents[2]
APPS = ("aaa", "billing", "compat", "hardware", "ipam", "ispcore", "subscribers", "support")
WORKERS = {
    "worker": "default",
    "billing": "billing",
    "network": "network",
    "radius": "radius",
    "webhooks": "webhooks",
}


def taken_queues() -> set[str]:
    """Return the queues that the Procfile's workers take."""
    commands = [
        shlex.split(command) for command in parse_procfile((PROJECT / "Procfile").read_text()).values()
    ]
    return {
        queue
        for words in commands
        if "--queues" in words
        for queue in words[words.index("--queues") + 1].split(",")
    }


def named_queues() -> Iterator[tuple[str, str]]:
    """Yield each queue that a call or a decorator names in so many letters, and where."""
    for path in (path for name in APPS for path in (PROJECT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "queue" and isinstance(node.value, ast.Constant):
                yield str(node.value.value), f"{path.relative_to(PROJECT)}:{node.value.lineno}"


def queue_of(task: str) -> str:
    """Return the queue into which a task goes when it is sent by the clock or by the outbox."""
    found: str = app.amqp.router.route({}, task, task_type=app.tasks[task])["queue"].name
    return found


@pytest.mark.parametrize(("process", "queue"), WORKERS.items())
def test_each_queue_has_a_worker_of_its_name(process, queue):
    command = shlex.split(parse_procfile((PROJECT / "Procfile").read_text())[process])

    assert command[command.index("--queues") + 1].split(",")[0] == queue
    assert command[command.index("--hostname") + 1] == f"{queue}@%h"


def test_every_queue_that_the_code_names_is_taken():
    named = list(named_queues())

    assert {queue for queue, _ in named} >= {"billing", "network", "webhooks"}
    assert [place for queue, place in named if queue not in taken_queues()] == []


def test_every_task_goes_into_a_queue_that_is_taken():
    app.loader.import_default_modules()
    ours = [name for name in app.tasks if re.match(rf"({'|'.join(APPS)})\.", name)]

    assert len(ours) > 50
    assert {queue_of(name) for name in ours} <= taken_queues()


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("billing.tasks.send_when_issued", "billing"),
        ("billing.tasks.dun", "billing"),
        ("billing.tasks.begin_checkout", "default"),
        ("billing.tasks.follow_prepaid", "default"),
        ("support.tasks.tell_invoice", "default"),
    ],
)
def test_what_somebody_waits_for_does_not_stand_behind_a_billing_run(task, queue):
    app.loader.import_default_modules()

    assert queue_of(task) == queue


def test_jobs_of_the_old_name_are_still_done():
    assert "devices" in taken_queues()
