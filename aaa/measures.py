"""Log-ins, sessions, and what NASes are asked to change."""

from aaa.models.words import ActionKind, ActionOutcome, Reason
from ispcore.measures import Measure, Series, add

_REASONS = ", ".join(f"'{reason}'" for reason in ("accepted", *Reason.values))
_KINDS = ", ".join(f"'{kind}'" for kind in ActionKind.values)
_OUTCOMES = ", ".join(f"'{outcome}'" for outcome in ActionOutcome.values if outcome)

add(
    Measure(
        # A refusal that repeats within five minutes stays on its row, which begins no earlier: aaa/sql/post_auth.sql.
        # The table is in order of time for each tenant, so that only the end of it is read.
        "radius_log_ins",
        labels=("reason",),
        series=(
            Series(
                "ispcore_radius_log_ins",
                "Log-ins within the last minute: accepted, or why refused; one user name at one NAS counts once.",
            ),
        ),
        sql=f"""
SELECT known.reason, count(t.reason)
FROM unnest(ARRAY[{_REASONS}]) AS known(reason)
LEFT JOIN (SELECT CASE WHEN accepted THEN 'accepted' ELSE reason END AS reason FROM aaa_authattempt
           WHERE at > now() - interval '6 minutes' AND last_at > now() - interval '1 minute') AS t
       ON t.reason = known.reason
GROUP BY known.reason
""",  # noqa: S608  (words of ours)
    )
)
add(
    Measure(
        # PostgreSQL counts what it writes by itself; to count packets would write a row for each that all wait for.
        "radius_sessions",
        series=(
            Series("ispcore_radius_sessions_begun", "Rows of sessions begun.", is_counter=True),
            Series(
                "ispcore_radius_sessions_reported",
                "Writes to running sessions: about one for each accounting packet.",
                is_counter=True,
            ),
            Series(
                "ispcore_radius_sessions_open",
                "Sessions that run, as of PostgreSQL's last ANALYZE; no count.",
            ),
        ),
        sql="""
SELECT s.n_tup_ins, s.n_tup_upd, CASE WHEN i.reltuples >= 0 THEN i.reltuples END
FROM pg_stat_user_tables AS s, pg_class AS i
WHERE s.relid = 'aaa_session'::regclass AND i.oid = 'session_open_newest'::regclass
""",
    )
)
add(
    Measure(
        "radius_nas",
        series=(
            Series("ispcore_nas", "NASes that sent accounting within a day."),
            Series("ispcore_nas_silent", "Those of them that have sent none for 15 minutes."),
            Series("ispcore_radius_accounting_age_seconds", "How long ago the newest accounting came."),
        ),
        sql="""
SELECT count(*), count(*) FILTER (WHERE last_acct_at < now() - interval '15 minutes'),
       extract(epoch FROM now() - max(last_acct_at))
FROM aaa_nas WHERE last_acct_at > now() - interval '1 day'
""",
    )
)
add(
    Measure(
        "session_actions_ended",
        labels=("kind", "outcome"),
        series=(
            Series(
                "ispcore_session_actions_ended_lately",
                "CoA and Disconnect asked within 20 minutes that ended within five, by outcome.",
            ),
        ),
        sql=f"""
SELECT kind, outcome, count(a.id)
FROM unnest(ARRAY[{_KINDS}]) AS kind CROSS JOIN unnest(ARRAY[{_OUTCOMES}]) AS outcome
LEFT JOIN (SELECT id, kind, outcome FROM aaa_sessionaction
           WHERE created_at > now() - interval '20 minutes' AND finished_at > now() - interval '5 minutes') AS a
       USING (kind, outcome)
GROUP BY kind, outcome
""",  # noqa: S608  (words of ours)
    )
)
add(
    Measure(
        "session_actions_open",
        series=(
            Series("ispcore_session_actions_open", "CoA and Disconnect that have no outcome yet."),
            Series("ispcore_session_actions_oldest_seconds", "Age of the oldest of them; 0: there is none."),
        ),
        sql="""
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)
FROM aaa_sessionaction WHERE finished_at IS NULL
""",
    )
)
