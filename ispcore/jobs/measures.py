"""Background runs: what waits, what runs, what lost its worker, and how the newest ended."""

from ispcore.jobs.services import LEASE
from ispcore.measures import Measure, Series, add

# All of these read the rows of jobs that have not ended, which have an index of their own (job_active).
add(
    Measure(
        "jobs",
        labels=("kind", "status"),
        series=(Series("ispcore_jobs", "Jobs that wait or run, by kind."),),
        sql="""
SELECT kind, status, count(*) FROM jobs_job WHERE status IN ('queued', 'running') GROUP BY kind, status
""",
    )
)
add(
    Measure(
        "jobs_waiting",
        labels=("queue",),
        series=(
            Series("ispcore_jobs_queued", "Jobs that wait, by queue."),
            Series(
                "ispcore_jobs_oldest_seconds",
                "How long the oldest of them has been due, without those that wait for others of their tenant.",
            ),
        ),
        sql="""
SELECT queue, count(*),
       greatest(0, coalesce(max(extract(epoch FROM now() - greatest(dispatched_at, created_at)))
                            FILTER (WHERE dispatched_at IS NOT NULL), 0))
FROM jobs_job WHERE status = 'queued' AND status IN ('queued', 'running') GROUP BY queue
""",
    )
)
add(
    Measure(
        "jobs_lost",
        series=(
            Series("ispcore_jobs_without_worker", "Running jobs whose worker gave no sign within its lease."),
        ),
        sql=f"""
SELECT count(*) FROM jobs_job
WHERE status IN ('queued', 'running') AND status = 'running'
  AND heartbeat_at < now() - interval '{LEASE.total_seconds():.0f} seconds'
""",  # noqa: S608  (a number of ours)
    )
)
add(
    Measure(
        "jobs_ended",
        labels=("kind", "status"),
        series=(
            Series("ispcore_jobs_ended_lately", "Jobs of the last six hours that ended within five minutes."),
        ),
        sql="""
SELECT kind, status, count(*) FROM jobs_job
WHERE created_at > now() - interval '6 hours' AND finished_at > now() - interval '5 minutes'
GROUP BY kind, status
""",
    )
)
