"""What customers are told: messages that wait, and those that did not go out."""

from ispcore.measures import Measure, Series, add

# Ids are in order of time (UUIDv7), so that the newest of a status are the end of notice_by_status.
_LATELY = "(SELECT uuidv7(interval '-1 hour'))"

add(
    Measure(
        "notices_waiting",
        series=(
            Series("ispcore_notices_due", "Messages to customers that may go out now."),
            Series(
                "ispcore_notices_later", "Messages that wait for the end of quiet hours or their next try."
            ),
            Series("ispcore_notices_oldest_due_seconds", "How long the oldest has been due; 0: none is."),
        ),
        sql="""
SELECT count(*) FILTER (WHERE send_after <= now()), count(*) FILTER (WHERE send_after > now()),
       greatest(0, coalesce(extract(epoch FROM now() - min(send_after)), 0))
FROM support_notice WHERE status = 'waiting'
""",
    )
)
add(
    Measure(
        "notices_ended",
        labels=("channel", "status"),
        series=(
            Series(
                "ispcore_notices_lately", "Messages written within the last hour that failed or may have."
            ),
        ),
        sql=f"""
SELECT way.channel, known.status, count(n.id)
FROM unnest(ARRAY['email', 'sms', 'whatsapp']) AS way(channel)
CROSS JOIN unnest(ARRAY['failed', 'uncertain']) AS known(status)
LEFT JOIN (SELECT id, channel, status FROM support_notice
           WHERE status IN ('failed', 'uncertain') AND id > {_LATELY}) AS n
       ON n.status = known.status AND n.channel = way.channel
GROUP BY way.channel, known.status
""",  # noqa: S608  (words of ours)
    )
)
