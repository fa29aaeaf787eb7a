"""Everything that runs by the clock. Seconds, or a crontab in UTC."""

from typing import Any

from celery.schedules import crontab

SCHEDULE: dict[str, dict[str, Any]] = {
    "relay-events": {"task": "ispcore.events.tasks.relay", "schedule": 5.0},
    "find-due-webhooks": {"task": "ispcore.events.tasks.find_due_webhooks", "schedule": 5.0},
    "forget-old-events": {
        "task": "ispcore.events.tasks.forget_old",
        "schedule": crontab(hour="3", minute="45"),
    },
    "find-due-sums": {"task": "ispcore.operations.tasks.find_due_sums", "schedule": 60.0},
    "sweep-jobs": {"task": "ispcore.jobs.tasks.sweep", "schedule": 15.0},
    "purge-idempotent-answers": {"task": "ispcore.api.tasks.purge_answers", "schedule": crontab(minute="17")},
    "purge-refresh-tokens": {
        "task": "ispcore.auth.tasks.purge_refresh_tokens",
        "schedule": crontab(hour="3", minute="40"),
    },
    "purge-sessions": {
        "task": "ispcore.auth.tasks.purge_sessions",
        "schedule": crontab(hour="3", minute="42"),
    },
    "purge-files": {"task": "ispcore.files.tasks.purge_files", "schedule": crontab(hour="3", minute="50")},
    "forget-old-imports": {
        "task": "subscribers.tasks.forget_old_imports",
        "schedule": crontab(hour="3", minute="55"),
    },
    "make-reading-partitions": {
        "task": "hardware.tasks.make_reading_partitions",
        "schedule": crontab(hour="2", minute="5"),
    },
    "fold-address-usage": {"task": "ipam.tasks.fold_usage", "schedule": 10.0},
    "sample-address-usage": {"task": "ipam.tasks.sample_usage", "schedule": crontab(minute="0")},
    "end-quarantines": {"task": "ipam.tasks.end_quarantines", "schedule": 60.0},
    "make-radius-partitions": {
        "task": "aaa.tasks.make_partitions",
        "schedule": crontab(hour="2", minute="10"),
    },
    "find-due-actions": {"task": "aaa.tasks.find_due_actions", "schedule": 5.0},
    "sweep-sessions": {"task": "aaa.tasks.sweep_sessions", "schedule": 60.0},
    "settle-due-accounts": {"task": "aaa.tasks.settle_due", "schedule": 30.0},
    "settle-all-accounts": {"task": "aaa.tasks.settle_all", "schedule": crontab(minute="*/15")},
    "purge-old-access": {"task": "aaa.tasks.purge_old", "schedule": crontab(minute="35")},
    "buy-prepaid-periods": {
        "task": "billing.tasks.buy_periods",
        "schedule": crontab(minute="2,17,32,47"),  # A day begins on a quarter of an hour, somewhere.
    },
    "dun": {
        "task": "billing.tasks.dun",
        "schedule": crontab(minute="3,18,33,48"),  # It is two in the morning somewhere.
    },
    "poll-olts": {"task": "hardware.tasks.poll_due", "schedule": 10.0},
    "settle-lost-lines": {"task": "ipam.tasks.settle_lost_lines", "schedule": crontab(minute="*/10")},
    "reconcile-addresses": {
        "task": "ipam.tasks.reconcile_all",
        "schedule": crontab(hour="2", minute="35"),
    },
    "check-ledgers": {"task": "billing.tasks.check_ledgers", "schedule": crontab(hour="4", minute="20")},
    "release-ended-holds": {"task": "subscribers.tasks.release_ended_holds", "schedule": 60.0},
    "apply-due-plan-changes": {
        "task": "subscribers.tasks.apply_due_plan_changes",
        "schedule": crontab(minute="1,16,31,46"),  # A day begins on a quarter of an hour, somewhere.
    },
    "start-nightly-billing-runs": {
        "task": "billing.tasks.start_nightly_runs",
        "schedule": crontab(minute="7,22,37,52"),  # After the changes of plan of the day.
    },
    "join-outages": {"task": "support.tasks.join_outages", "schedule": 120.0},
    "tell-of-outages": {"task": "support.tasks.tell_outages", "schedule": 120.0},
    "send-due-notices": {"task": "support.tasks.send_due_notices", "schedule": 30.0},
    "collect-mail": {"task": "support.tasks.collect_mail", "schedule": 60.0},
    "escalate-tickets": {"task": "support.tasks.escalate_tickets", "schedule": crontab(minute="*/5")},
    "close-resolved-tickets": {
        "task": "support.tasks.close_resolved_tickets",
        "schedule": crontab(minute="50"),
    },
}
