"""The engines below: the database, the queues, the workers and the clock; and what tenants are called."""

import json
import time
from typing import Any

from ispcore import redis
from ispcore.celery import app
from ispcore.measures import Measure, Rows, Series, add
from ispcore.metrics import MOST_TENANTS
from ispcore.operations import pulse

# What has no worker is told as well, as having none.
QUEUES = ("default", "billing", "network", "radius", "webhooks")


def read_queues() -> Rows:
    """Give length and the age of the oldest message of each queue; constant, however long a queue is."""
    names = _queue_names()
    prefix = app.conf.broker_transport_options["global_keyprefix"]
    pipe = redis.client().pipeline(transaction=False)
    for name in names:
        pipe.llen(prefix + name)
        pipe.lindex(prefix + name, -1)  # Messages are pushed in front and taken from the end.
    answers = pipe.execute()
    now = time.time()
    for name, length, oldest in zip(names, answers[::2], answers[1::2], strict=True):
        yield name, length, _age(oldest, now)


def read_workers() -> Rows:
    alive = pulse.workers_by_queue(at=time.time())
    return [(name, alive.get(name, 0)) for name in sorted({*QUEUES, *alive})]


def read_clock() -> Rows:
    return [(pulse.clock_sent_at(),)]


def read_backup() -> Rows:
    return [(pulse.backup_taken_at(),)]


def read_valkey() -> Rows:
    memory: Any = redis.client().info("memory")
    clients: Any = redis.client().info("clients")
    prefix = app.conf.broker_transport_options["global_keyprefix"]
    taken = redis.client().hlen(f"{prefix}unacked")
    return [(memory["used_memory"], memory["maxmemory"], clients["connected_clients"], taken)]


def _queue_names() -> list[str]:
    return sorted({*QUEUES, *pulse.workers_by_queue(at=time.time())})


def _age(message: str | None, now: float) -> float | None:
    """Return how old a message is by the time its sender wrote on it; 0 for an empty queue."""
    if message is None:
        return 0.0
    sent_at = json.loads(message)["headers"].get("sent_at")
    return max(0.0, now - sent_at) if sent_at else None


add(
    Measure(
        "queues",
        labels=("queue",),
        series=(
            Series("ispcore_queue_messages", "Messages that wait in a Celery queue."),
            Series("ispcore_queue_oldest_seconds", "Age of the message that comes next; 0: none waits."),
        ),
        read=read_queues,
    )
)
add(
    Measure(
        "workers",
        labels=("queue",),
        series=(
            Series("ispcore_workers", "Celery workers of a queue that gave a sign of life in a minute."),
        ),
        read=read_workers,
    )
)
add(
    Measure(
        "clock",
        series=(
            Series(
                "ispcore_beat_sent_timestamp_seconds", "When the clock (Celery beat) last sent something."
            ),
        ),
        read=read_clock,
    )
)
add(
    Measure(
        "backup",
        series=(Series("ispcore_backup_taken_timestamp_seconds", "When a backup was last taken."),),
        read=read_backup,
    )
)
add(
    Measure(
        "valkey",
        series=(
            Series("ispcore_valkey_memory_bytes", "Memory that Valkey uses."),
            Series("ispcore_valkey_memory_limit_bytes", "Its maxmemory; 0: no limit."),
            Series("ispcore_valkey_clients", "Connections to Valkey."),
            Series("ispcore_queue_messages_taken", "Messages that workers have taken and not yet finished."),
        ),
        read=read_valkey,
    )
)
add(
    Measure(
        "database_connections",
        labels=("role",),
        series=(Series("ispcore_database_connections", "Connections to our database by role."),),
        sql="""
SELECT usename, count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename IS NOT NULL GROUP BY usename
""",
    )
)
add(
    Measure(
        "database",
        series=(
            Series(
                "ispcore_database_connections_limit",
                "As many connections the server lets ordinary roles make.",
            ),
            Series("ispcore_database_commits", "Transactions committed.", is_counter=True),
            Series("ispcore_database_rollbacks", "Transactions rolled back.", is_counter=True),
            Series("ispcore_database_deadlocks", "Deadlocks.", is_counter=True),
            Series("ispcore_database_temporary_bytes", "Bytes sorted on disk.", is_counter=True),
            Series(
                "ispcore_database_xid_age", "Transactions since the oldest row was frozen; 2^31 is the end."
            ),
            Series("ispcore_database_is_standby", "1 where the server asked is a standby."),
            Series("ispcore_database_replay_age_seconds", "On a standby: how far behind it is."),
        ),
        sql="""
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - current_setting('reserved_connections')::int,
       s.xact_commit, s.xact_rollback, s.deadlocks, s.temp_bytes, age(d.datfrozenxid),
       pg_is_in_recovery()::int,
       CASE WHEN NOT pg_is_in_recovery() THEN NULL
            WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END
FROM pg_stat_database AS s JOIN pg_database AS d ON d.oid = s.datid WHERE d.datname = current_database()
""",
    )
)
add(
    Measure(
        # Without pg_read_all_stats PostgreSQL shows this role neither: docs/monitoring.md.
        "database_replicas",
        labels=("replica",),
        series=(
            Series("ispcore_database_replica_lag_seconds", "How long a standby takes to show a commit."),
            Series("ispcore_database_replica_lag_bytes", "How much log a standby has not yet replayed."),
        ),
        sql="""
SELECT coalesce(nullif(application_name, ''), 'standby') AS replica,
       max(coalesce(extract(epoch FROM replay_lag), 0)), max(pg_wal_lsn_diff(sent_lsn, replay_lsn))
FROM pg_stat_replication WHERE replay_lsn IS NOT NULL GROUP BY replica
""",
    )
)
add(
    Measure(
        "database_transactions",
        series=(
            Series("ispcore_database_oldest_transaction_seconds", "Age of the oldest transaction of others."),
        ),
        sql="""
SELECT max(extract(epoch FROM now() - xact_start)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
""",
    )
)
add(
    Measure(
        "tenants",
        labels=("tenant_id", "tenant"),
        series=(Series("ispcore_tenant_info", "1; gives a tenant's id its short name."),),
        sql=f"""
SELECT id, slug, 1 FROM tenants_tenant WHERE is_active ORDER BY id LIMIT {MOST_TENANTS}
""",  # noqa: S608  (a number of ours)
    )
)
