"""How fresh the readings of OLTs are, and which outages are open. There are as many rows as devices."""

from django.conf import settings

from hardware.models import OPEN_OUTAGE
from ispcore.measures import Measure, Series, add

# Two polls may be lost before anybody needs to know.
LATE_SECONDS = 3 * settings.OLT_STATUS_SECONDS
MOST_NAMED = 10
_OPEN = ", ".join(f"'{status}'" for status in OPEN_OUTAGE)
_POLLED = """
FROM hardware_olt AS o LEFT JOIN hardware_oltpolling AS p ON p.tenant_id = o.tenant_id AND p.olt_id = o.id
JOIN tenants_tenant AS t ON t.id = o.tenant_id AND t.is_active
WHERE o.is_polled
"""
_AGE = "extract(epoch FROM now() - coalesce(p.status_read_at, o.created_at))"

add(
    Measure(
        "olts",
        series=(
            Series("ispcore_olts_polled", "OLTs that are read in the background."),
            Series("ispcore_olts_late", "OLTs whose status was not read for three intervals."),
            Series("ispcore_olts_failing", "OLTs whose last poll was lost."),
            Series("ispcore_olt_oldest_seconds", "Age of the oldest status of an OLT; 0: there is no OLT."),
        ),
        sql=f"""
SELECT count(*), count(*) FILTER (WHERE {_AGE} > {LATE_SECONDS}), count(*) FILTER (WHERE p.failures > 0),
       coalesce(max({_AGE}), 0)
{_POLLED}
""",
    )
)
add(
    Measure(
        "olts_late",
        labels=("tenant", "olt"),
        series=(Series("ispcore_olt_late_seconds", f"The {MOST_NAMED} OLTs that are latest, by name."),),
        sql=f"""
SELECT t.slug, o.name, {_AGE} AS age {_POLLED} AND {_AGE} > {LATE_SECONDS} ORDER BY age DESC LIMIT {MOST_NAMED}
""",
    )
)
add(
    Measure(
        "outages",
        labels=("status",),
        series=(
            Series("ispcore_outages", "Outages that are open."),
            Series("ispcore_outage_customers", "Customers they took down, at their worst."),
        ),
        sql=f"""
SELECT known.status, count(o.id), coalesce(sum(o.customers_affected), 0)
FROM unnest(ARRAY[{_OPEN}]) AS known(status)
LEFT JOIN (SELECT id, status, customers_affected FROM hardware_outage WHERE status IN ({_OPEN})) AS o
       ON o.status = known.status
GROUP BY known.status
""",  # noqa: S608  (words of ours)
    )
)
