"""Several beats, real processes: each due run is sent once, and none is forgotten when one of them dies."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.beat import SchedulingError
from celery.schedules import crontab
from django.db import connection

from ispcore import redis
from ispcore.jobs.beat import SharedScheduler
from ispcore.jobs.models import ScheduledRun
from tests.jobs.ticks import NAMES, QUEUE
from tests.workers import wait_until

INTERVAL = timedelta(seconds=1)


@contextmanager
def beat(log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tests.jobs.beating",
        "beat",
        "--pidfile=",
        "--loglevel",
        "INFO",
    ]
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ)
        stack.callback(process.wait)
        stack.callback(process.kill)
        yield process


def runs() -> dict[str, int]:
    return dict(ScheduledRun.objects.filter(name__in=NAMES).values_list("name", "runs"))


def all_ran(times: int) -> bool:
    counted = runs()
    return len(counted) == len(NAMES) and min(counted.values()) >= times


def sent() -> Counter[str]:
    messages: Any = redis.client().lrange(f"celery:{QUEUE}", 0, -1)
    return Counter(json.loads(message)["headers"]["task"] for message in messages)


@pytest.mark.django_db(transaction=True)
def test_two_beats_send_each_due_run_once_and_one_goes_on_when_the_other_is_killed(tmp_path: Path) -> None:
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    with beat(logs[0]) as one, beat(logs[1]) as two:
        wait_until(lambda: all_ran(3) and all(b"beat_sends" in log.read_bytes() for log in logs))
        began = dict(ScheduledRun.objects.filter(name__in=NAMES).values_list("name", "last_run_at"))
        counted = runs()

        one.kill()
        wait_until(lambda: all_ran(max(counted.values()) + 3))
        two.send_signal(signal.SIGTERM)
        two.wait()

    assert sent() == runs()
    for run in ScheduledRun.objects.filter(name__in=NAMES):
        # By the database's clock no two runs are closer to each other than the interval.
        assert (run.runs - counted[run.name]) * INTERVAL <= run.last_run_at - began[run.name] + INTERVAL


@pytest.fixture
def scheduler(db: None) -> SharedScheduler:
    app = Celery("clock", set_as_current=False)
    app.config_from_object("ispcore.celeryconfig")
    app.conf.beat_schedule = {"hourly": {"task": "tests.hourly", "schedule": crontab(minute="17")}}
    return SharedScheduler(app)


def test_a_new_entry_waits_for_its_time(scheduler: SharedScheduler) -> None:
    scheduler.tick()

    assert ScheduledRun.objects.get(name="hourly").runs == 0


def test_what_was_due_while_no_beat_ran_is_sent_once(scheduler: SharedScheduler) -> None:
    scheduler.tick()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_scheduledrun SET last_run_at = now() - interval '1 day' WHERE name = 'hourly'"
        )

    scheduler.tick()
    scheduler.tick()

    assert ScheduledRun.objects.get(name="hourly").runs == 1
    assert queued() == ["tests.hourly"]


def test_a_run_that_another_beat_has_sent_meanwhile_is_not_sent_again(scheduler: SharedScheduler) -> None:
    scheduler.tick()
    entry, seen = scheduler.schedule["hourly"], ScheduledRun.objects.get(name="hourly").last_run_at

    scheduler._send_once(entry, seen)
    scheduler._send_once(entry, seen)

    assert ScheduledRun.objects.get(name="hourly").runs == 1
    assert queued() == ["tests.hourly"]


def test_a_run_that_the_broker_does_not_take_stays_due(scheduler: SharedScheduler) -> None:
    scheduler.tick()
    entry, seen = scheduler.schedule["hourly"], ScheduledRun.objects.get(name="hourly").last_run_at
    scheduler.app.conf.broker_url = "redis://127.0.0.1:1/0"

    with pytest.raises(SchedulingError):
        scheduler._send_once(entry, seen)

    assert ScheduledRun.objects.get(name="hourly").last_run_at == seen


def queued() -> list[str]:
    messages: Any = redis.client().lrange("celery:default", 0, -1)
    return [json.loads(message)["headers"]["task"] for message in messages]
