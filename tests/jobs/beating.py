"""A Celery application whose clock ticks fast, for beats in processes of their own."""

from celery import Celery

from ispcore.celery import app as product
from tests.jobs.ticks import NAMES, QUEUE

product.loader.import_default_modules()
app = Celery("beating")
app.config_from_object("ispcore.celeryconfig")
app.conf.beat_schedule = {
    name: {"task": name, "schedule": 1.0, "options": {"queue": QUEUE}} for name in NAMES
}
