"""The outbox and the webhooks: what waits there, since when, and who does not take it."""

from ispcore.events.models import DisabledReason
from ispcore.measures import Measure, Series, add

_OFF = [f"off_{reason}" for reason in DisabledReason.values]
_STATES = ", ".join(f"'{state}'" for state in ("delivering", "failing", *_OFF))

add(
    Measure(
        "outbox",
        series=(
            Series("ispcore_outbox_events", "Events that the relay has not handed on yet."),
            Series("ispcore_outbox_oldest_seconds", "Age of the oldest of them; 0: none waits."),
        ),
        sql="""
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)
FROM events_event WHERE delivered_at IS NULL
""",
    )
)
add(
    Measure(
        "webhooks",
        labels=("state",),
        series=(Series("ispcore_webhooks", "Webhooks that deliver, fail, or are off, with why."),),
        sql=f"""
SELECT known.state, count(w.id)
FROM unnest(ARRAY[{_STATES}]) AS known(state)
LEFT JOIN (SELECT id, CASE WHEN NOT is_enabled THEN 'off_' || disabled_reason
                           WHEN failing_since IS NULL THEN 'delivering' ELSE 'failing' END AS state
           FROM events_webhookendpoint) AS w ON w.state = known.state
GROUP BY known.state
""",  # noqa: S608  (words of ours)
    )
)
add(
    Measure(
        "webhook_deliveries",
        series=(
            Series("ispcore_webhook_deliveries_due", "Deliveries that may be sent now."),
            Series(
                "ispcore_webhook_deliveries_retrying", "Deliveries that failed and wait for their next try."
            ),
            Series("ispcore_webhook_oldest_due_seconds", "How long the oldest has been due; 0: none is."),
        ),
        sql="""
SELECT count(*) FILTER (WHERE next_attempt_at <= now()), count(*) FILTER (WHERE next_attempt_at > now()),
       greatest(0, coalesce(extract(epoch FROM now() - min(next_attempt_at)), 0))
FROM events_webhookdelivery WHERE status = 'waiting'
""",
    )
)
