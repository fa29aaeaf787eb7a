"""The Celery application: Redis as broker, no result backend, since results are Job rows."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")

app = Celery("ispcore")
app.config_from_object("ispcore.celeryconfig")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def refuse_unsafe_role(**_: Any) -> None:
    """A worker under an unsafe role would write across tenants: it does not start."""
    from ispcore.tenants.checks import refuse_unsafe_role

    refuse_unsafe_role()
