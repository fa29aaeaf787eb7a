"""Where each line stands: which plan it had on which days, how far it is billed, and which periods are due.

A day counts to the terms in force when it begins at the provider's: the day a line begins, changes its plan or comes
back from a hold is billed; the day it ends or goes on hold is not.
"""

# Either half walks its index in the order of the subscribers and stops at the limit: a batch costs what it gives. What
# comes up within a period of a quarter or a year (a change of plan, an add-on, a hold that ended, data above the cap)
# does not wait for its end: the line is looked at once a month, on the customer's cycle day. One billed for less than
# 28 days more waits for its next period, and one settled less than 27 days ago was looked at in this month: most lines
# are told apart by these two.
CANDIDATES_SQL = """
SELECT subscriber_id FROM (
    (SELECT DISTINCT line.subscriber_id
    FROM subscribers_subscription AS line
    LEFT JOIN billing_billingposition AS position
        ON position.tenant_id = %(tenant)s AND position.subscription_id = line.id
    WHERE line.tenant_id = %(tenant)s AND line.subscriber_id > %(after)s AND line.provisioned_at < %(as_of)s
      AND line.status IN ('active', 'suspended', 'terminated') AND position.is_closed IS NOT TRUE
      AND (line.status = 'terminated' OR position.billed_until IS NULL OR position.billed_until <= %(on)s
           OR position.billed_until >= %(on)s::date + 28 AND position.settled_at < %(as_of)s - interval '27 days'
              AND EXISTS (
                  SELECT FROM subscribers_subscriber AS customer
                  JOIN tenants_tenant AS provider ON provider.id = %(tenant)s
                  LEFT JOIN subscribers_billingprofile AS profile
                      ON profile.tenant_id = %(tenant)s AND profile.id = customer.billing_profile_id
                  CROSS JOIN LATERAL (
                      SELECT billing_period(
                          %(on)s, 1, DATE '2000-01-01',
                          CASE WHEN profile.cycle = 'anniversary'
                               THEN extract(day FROM line.provisioned_at AT TIME ZONE provider.timezone)::int
                               ELSE COALESCE(profile.cycle_day, 1) END) AS days
                  ) AS month
                  WHERE customer.tenant_id = %(tenant)s AND customer.id = line.subscriber_id
                    AND (position.settled_at AT TIME ZONE provider.timezone)::date < lower(month.days)
              ))
      -- Who pays first buys each period from credit when it begins (services/prepaid).
      AND line.subscriber_id NOT IN (
          SELECT customer.id FROM subscribers_subscriber AS customer
          JOIN subscribers_billingprofile AS profile
              ON profile.tenant_id = %(tenant)s AND profile.id = customer.billing_profile_id
          WHERE customer.tenant_id = %(tenant)s AND profile.payment_kind = 'prepaid'
      )
    ORDER BY line.subscriber_id LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT subscriber_id FROM billing_oneoffcharge
    WHERE tenant_id = %(tenant)s AND subscriber_id > %(after)s AND cancelled_at IS NULL AND charged < instalments
      AND due_on <= %(on)s AND due_on + make_interval(months => charged::int) <= %(on)s
    ORDER BY subscriber_id LIMIT %(limit)s)
) AS due
ORDER BY subscriber_id LIMIT %(limit)s
"""

# The lines of these subscribers as they stood at `as_of`: what happened since is for the next run, or it would be
# settled twice. `held` are the days on holds that are not billed, `held_before` those an earlier run settled.
LINES_SQL = """
CREATE TEMP TABLE billing_line ON COMMIT DROP AS
WITH line AS MATERIALIZED (
    SELECT found.id, found.subscriber_id, found.number, found.status, found.plan_id, found.premise_id,
           found.provisioned_at, found.terminated_at, position.billed_until, position.settled_at
    FROM subscribers_subscription AS found
    LEFT JOIN billing_billingposition AS position
        ON position.tenant_id = %(tenant)s AND position.subscription_id = found.id
    WHERE found.tenant_id = %(tenant)s AND found.subscriber_id = ANY (%(subscribers)s)
      AND found.provisioned_at < %(as_of)s AND found.status IN ('active', 'suspended', 'terminated')
      AND position.is_closed IS NOT TRUE
), later AS (
    SELECT DISTINCT ON (change.subscription_id) change.subscription_id, change.from_plan_id
    FROM line
    JOIN subscribers_planchange AS change ON change.tenant_id = %(tenant)s AND change.subscription_id = line.id
    WHERE change.applied_at > %(as_of)s
    ORDER BY change.subscription_id, change.applied_at, change.id
), held AS (
    SELECT hold.subscription_id, range_agg(span.days) FILTER (WHERE hold.released_at <= %(as_of)s) AS days,
           range_agg(span.days) FILTER (WHERE hold.released_at <= line.settled_at) AS before,
           bool_or(hold.released_at IS NULL OR hold.released_at > %(as_of)s) AS is_open
    FROM line
    JOIN subscribers_hold AS hold ON hold.tenant_id = %(tenant)s AND hold.subscription_id = line.id
    CROSS JOIN LATERAL (
        SELECT daterange((hold.opened_at AT TIME ZONE %(zone)s)::date,
                         (hold.released_at AT TIME ZONE %(zone)s)::date) AS days
    ) AS span
    WHERE hold.reason = ANY (%(unbilled)s) AND hold.opened_at < %(as_of)s
    GROUP BY hold.subscription_id
)
SELECT line.id AS subscription_id, line.subscriber_id, line.number, place.zone_id, ended.on_day IS NOT NULL AS is_ended,
       COALESCE(later.from_plan_id, line.plan_id) AS plan_id,
       CASE WHEN profile.cycle = 'anniversary' THEN began.on_day ELSE DATE '2000-01-01' END AS anchor,
       CASE WHEN profile.cycle = 'anniversary' THEN extract(day FROM began.on_day)::int
            ELSE COALESCE(profile.cycle_day, 1) END AS cycle_day,
       profile.currency AS wanted_currency, COALESCE(profile.tax_class, '') AS customer_class,
       GREATEST(began.on_day, %(from)s) AS began_on,
       CASE WHEN ended.on_day IS NOT NULL THEN GREATEST(ended.on_day, %(from)s) END AS ended_on,
       COALESCE(line.billed_until, GREATEST(began.on_day, %(from)s)) AS billed_until, line.settled_at,
       COALESCE(held.days, '{}') AS held, COALESCE(held.before, '{}') AS held_before,
       COALESCE(held.is_open, false) AND ended.on_day IS NULL AS is_held
FROM line
JOIN subscribers_subscriber AS customer ON customer.tenant_id = %(tenant)s AND customer.id = line.subscriber_id
JOIN subscribers_premise AS place ON place.tenant_id = %(tenant)s AND place.id = line.premise_id
LEFT JOIN subscribers_billingprofile AS profile
    ON profile.tenant_id = %(tenant)s AND profile.id = customer.billing_profile_id
LEFT JOIN later ON later.subscription_id = line.id
LEFT JOIN held ON held.subscription_id = line.id
CROSS JOIN LATERAL (SELECT (line.provisioned_at AT TIME ZONE %(zone)s)::date AS on_day) AS began
CROSS JOIN LATERAL (
    SELECT CASE WHEN line.status = 'terminated' AND line.terminated_at <= %(as_of)s
                THEN (line.terminated_at AT TIME ZONE %(zone)s)::date END AS on_day
) AS ended
WHERE profile.payment_kind IS DISTINCT FROM 'prepaid'
"""

# Which plan a line had on which days: each change that was applied ends one and begins another.
TERMS_SQL = """
CREATE TEMP TABLE billing_term ON COMMIT DROP AS
WITH change AS (
    SELECT line.subscription_id, change.from_plan_id, change.effective_on,
           lag(change.effective_on) OVER (PARTITION BY line.subscription_id
                                          ORDER BY change.effective_on, change.applied_at, change.id) AS since
    FROM billing_line AS line
    JOIN subscribers_planchange AS change
        ON change.tenant_id = %(tenant)s AND change.subscription_id = line.subscription_id
    WHERE change.applied_at <= %(as_of)s
), term AS (
    SELECT subscription_id, from_plan_id AS plan_id, daterange(since, effective_on) AS days FROM change
    UNION ALL
    SELECT line.subscription_id, line.plan_id, daterange(last.since, NULL)
    FROM billing_line AS line
    LEFT JOIN (SELECT subscription_id, max(effective_on) AS since FROM change GROUP BY subscription_id) AS last
        USING (subscription_id)
)
SELECT line.*, term.days, upper_inf(term.days) AS is_last, plan.name, plan.price, plan.currency,
       COALESCE(NULLIF(plan.tax_class, ''), line.customer_class) AS tax_class,
       CASE plan.period WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END AS months, plan.cap_bytes,
       term.plan_id AS term_plan_id
FROM term
JOIN billing_line AS line USING (subscription_id)
JOIN subscribers_plan AS plan ON plan.tenant_id = %(tenant)s AND plan.id = term.plan_id
WHERE NOT isempty(term.days)
"""

# The periods that are due, cut where a plan or the line ends; most lines ask for the same, which is computed once.
SPANS_SQL = """
CREATE TEMP TABLE billing_span ON COMMIT DROP AS
WITH asked AS MATERIALIZED (
    SELECT term.*, GREATEST(term.billed_until, lower(term.days)) AS since, ends.on_day AS ends_on,
           LEAST(%(on)s, ends.on_day - 1) AS through
    FROM billing_term AS term
    CROSS JOIN LATERAL (SELECT LEAST(upper(term.days), term.ended_on) AS on_day) AS ends
    WHERE NOT term.is_held
), period AS MATERIALIZED (
    SELECT each.*, span.*
    FROM (SELECT DISTINCT since, through, months, anchor, cycle_day FROM asked WHERE since <= through) AS each
    CROSS JOIN LATERAL billing_periods(each.since, each.through, each.months, each.anchor, each.cycle_day) AS span
)
SELECT asked.*, period.first, cut.until, period.days AS period_days,
       cut.until - period.first - CASE WHEN isempty(asked.held) THEN 0
                                       ELSE billing_days(asked.held, period.first, cut.until) END AS billed_days
FROM asked
JOIN period ON period.since = asked.since AND period.through = asked.through AND period.months = asked.months
    AND period.anchor = asked.anchor AND period.cycle_day = asked.cycle_day
CROSS JOIN LATERAL (SELECT LEAST(period.until, asked.ends_on) AS until) AS cut
"""

# A line that was looked at within its period and of which nothing is due is left alone until its next month. Not if its
# position was moved since the batch began: an invoice was made void.
SETTLE_SQL = """
UPDATE billing_billingposition AS position SET settled_at = %(as_of)s, updated_at = now()
FROM billing_line AS line
WHERE position.tenant_id = %(tenant)s AND position.subscription_id = line.subscription_id
  AND position.billed_until = line.billed_until AND position.settled_at = line.settled_at AND NOT line.is_ended
  AND line.billed_until >= %(on)s::date + 28 AND line.settled_at < %(as_of)s - interval '27 days'
  AND NOT EXISTS (SELECT FROM billing_item AS item WHERE item.subscription_id = line.subscription_id)
"""

# A line that ended and of which nothing is left to bill or give back is not looked at again.
CLOSE_SQL = """
INSERT INTO billing_billingposition (id, tenant_id, created_at, updated_at, subscription_id, billed_until, settled_at,
                                     is_closed)
SELECT uuidv7(), %(tenant)s, now(), now(), subscription_id, billed_until, %(as_of)s, true
FROM billing_line AS line
WHERE is_ended AND ended_on <= %(on)s
  AND NOT EXISTS (SELECT FROM billing_item AS item WHERE item.subscription_id = line.subscription_id)
ON CONFLICT (tenant_id, subscription_id) DO UPDATE SET is_closed = true, updated_at = now()
"""
