"""Celery's settings. A message may arrive twice and a worker may die at any line: tasks are built for both."""

from django.conf import settings

from ispcore import redis
from ispcore.schedule import SCHEDULE

broker_url, _sentinels = redis.broker(settings.REDIS_URL)
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # A worker waits for its broker for as long as it takes.
broker_transport_options = {
    "visibility_timeout": 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "socket_keepalive_options": redis.KEEPALIVE,
    # A worker that waits for messages on a connection that says nothing drops it after eleven seconds.
    "health_check_interval": 5,
    "global_keyprefix": "celery:",
    # A request must learn at once that the broker is gone; kombu's own default tries for six seconds.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    **_sentinels,
}
task_ignore_result = True
task_acks_late = True
task_reject_on_worker_lost = True
worker_prefetch_multiplier = 1
task_publish_retry = False
task_serializer = "json"
accept_content = ["json"]
task_default_queue = "default"
# What is sent by its name alone, by the clock or by the outbox; a job names its queue itself.
task_routes = {
    # Somebody waits for these, and a billing run may take an hour.
    "billing.tasks.begin_checkout": {"queue": "default"},
    "billing.tasks.refund_by_gateway": {"queue": "default"},
    "billing.tasks.follow_prepaid": {"queue": "default"},
    "billing.tasks.*": {"queue": "billing"},
}
worker_hijack_root_logger = False
worker_send_task_events = False
beat_schedule = SCHEDULE
beat_scheduler = "ispcore.jobs.beat:SharedScheduler"
timezone = "UTC"
