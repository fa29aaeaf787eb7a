"""What a run asks for, item by item, computed by the database for a batch of subscribers in a few statements.

The rules, each once:
- A line is billed in advance for each period that begins until the run's day, from where its position stands.
- Part of a period costs price × days / days of the period, rounded as `billing.money` says; the item keeps what
  rounding left over.
- Days on hold for a reason that is not billed cost nothing. Those billed already are given back once the hold has
  ended; so are the days after a line's end.
- A change of plan is settled for the days that were billed at the old price.
- A discount takes off the price of the plan; taxes come last, on each item, a discount included.
"""

CANDIDATES_SQL = """
SELECT subscriber_id FROM (
    SELECT line.subscriber_id
    FROM subscribers_subscription AS line
    LEFT JOIN billing_billingposition AS position
        ON position.tenant_id = %(tenant)s AND position.subscription_id = line.id
    WHERE line.tenant_id = %(tenant)s AND line.provisioned_at < %(as_of)s
      AND line.status IN ('active', 'suspended', 'terminated') AND position.is_closed IS NOT TRUE
      AND (line.status = 'terminated' OR position.billed_until IS NULL OR position.billed_until <= %(on)s)
    UNION
    SELECT subscriber_id FROM billing_oneoffcharge
    WHERE tenant_id = %(tenant)s AND cancelled_at IS NULL AND charged < instalments AND due_on <= %(on)s
      AND due_on + make_interval(months => charged::int) <= %(on)s
) AS due
WHERE subscriber_id > %(after)s
ORDER BY subscriber_id LIMIT %(limit)s
"""

# The lines of these subscribers, with where each stands and the days it was on a hold that is not billed.
LINES_SQL = """
CREATE TEMP TABLE billing_line ON COMMIT DROP AS
SELECT line.id AS subscription_id, line.subscriber_id, line.number, line.status, place.zone_id,
       plan.name, plan.price, plan.currency, plan.tax_class,
       CASE plan.period WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END AS months,
       CASE WHEN profile.cycle = 'anniversary' THEN began.on_day ELSE DATE '2000-01-01' END AS anchor,
       CASE WHEN profile.cycle = 'anniversary' THEN extract(day FROM began.on_day)::int
            ELSE COALESCE(profile.cycle_day, 1) END AS cycle_day,
       profile.currency AS wanted_currency,
       CASE WHEN line.status = 'terminated'
            THEN GREATEST((line.terminated_at AT TIME ZONE %(zone)s)::date, %(from)s) END AS ended_on,
       COALESCE(position.billed_until, GREATEST(began.on_day, %(from)s)) AS billed_until,
       position.settled_at, held.days AS held, COALESCE(held.is_open, false) AS is_held
FROM subscribers_subscription AS line
JOIN subscribers_subscriber AS customer ON customer.tenant_id = %(tenant)s AND customer.id = line.subscriber_id
JOIN subscribers_plan AS plan ON plan.tenant_id = %(tenant)s AND plan.id = line.plan_id
JOIN subscribers_premise AS place ON place.tenant_id = %(tenant)s AND place.id = line.premise_id
LEFT JOIN subscribers_billingprofile AS profile
    ON profile.tenant_id = %(tenant)s AND profile.id = customer.billing_profile_id
LEFT JOIN billing_billingposition AS position
    ON position.tenant_id = %(tenant)s AND position.subscription_id = line.id
CROSS JOIN LATERAL (SELECT (line.provisioned_at AT TIME ZONE %(zone)s)::date AS on_day) AS began
LEFT JOIN LATERAL (
    SELECT range_agg(daterange((hold.opened_at AT TIME ZONE %(zone)s)::date,
                               (hold.released_at AT TIME ZONE %(zone)s)::date)) AS days,
           bool_or(hold.released_at IS NULL) AS is_open
    FROM subscribers_hold AS hold
    WHERE hold.tenant_id = %(tenant)s AND hold.subscription_id = line.id AND hold.reason = ANY (%(unbilled)s)
      AND hold.opened_at < %(as_of)s
) AS held ON true
WHERE line.tenant_id = %(tenant)s AND line.subscriber_id = ANY (%(subscribers)s)
  AND line.provisioned_at < %(as_of)s AND line.status IN ('active', 'suspended', 'terminated')
  AND position.is_closed IS NOT TRUE
"""

SPANS_SQL = """
CREATE TEMP TABLE billing_span ON COMMIT DROP AS
SELECT line.*, span.first, until.day AS until, span.days AS period_days,
       until.day - span.first - COALESCE((
           SELECT sum(upper(part) - lower(part))
           FROM unnest(line.held * datemultirange(daterange(span.first, until.day))) AS part
       ), 0)::int AS days
FROM billing_line AS line
CROSS JOIN LATERAL billing_periods(line.billed_until, LEAST(%(on)s, line.ended_on - 1), line.months, line.anchor,
                                   line.cycle_day) AS span
CROSS JOIN LATERAL (SELECT LEAST(span.until, line.ended_on) AS day) AS until
WHERE NOT line.is_held
"""

ITEMS_SQL = """
CREATE TEMP TABLE billing_item ON COMMIT DROP AS
WITH priced AS (
    SELECT 1 AS place, 'plan' AS kind, subscription_id, subscriber_id, number, zone_id, currency, tax_class,
           '00000000-0000-0000-0000-000000000000'::uuid AS source, name AS description, first AS period_start,
           until AS period_end, price AS unit_price, days, period_days,
           CASE WHEN days = period_days THEN price ELSE price * days / period_days END AS exact
    FROM billing_span
    UNION ALL
    SELECT 2, 'add_on', span.subscription_id, span.subscriber_id, span.number, span.zone_id, added.currency,
           added.tax_class, added.id, added.name, part.first, part.until, added.price,
           LEAST(part.until - part.first, span.days), span.period_days,
           added.price * LEAST(part.until - part.first, span.days) / span.period_days
    FROM billing_span AS span
    JOIN billing_addon AS added ON added.tenant_id = %(tenant)s AND added.subscription_id = span.subscription_id
    CROSS JOIN LATERAL (
        SELECT GREATEST(span.first, added.starts_on) AS first, LEAST(span.until, added.ends_on) AS until
    ) AS part
    WHERE part.first < part.until
    UNION ALL
    -- Days that were billed at the old plan's price, from the change to where the line is billed.
    SELECT 4, 'plan_change', line.subscription_id, line.subscriber_id, line.number, line.zone_id, line.currency,
           line.tax_class, change.id, format('%%s → %%s', was.name, line.name), change.effective_on, line.billed_until,
           line.price - was.price, line.billed_until - change.effective_on, upper(now_in.period) - lower(now_in.period),
           line.price * (line.billed_until - change.effective_on) / (upper(now_in.period) - lower(now_in.period))
           - was.price * (line.billed_until - change.effective_on) / (upper(was_in.period) - lower(was_in.period))
    FROM billing_line AS line
    JOIN subscribers_planchange AS change
        ON change.tenant_id = %(tenant)s AND change.subscription_id = line.subscription_id
    JOIN subscribers_plan AS was ON was.tenant_id = %(tenant)s AND was.id = change.from_plan_id
    CROSS JOIN LATERAL (SELECT billing_period(change.effective_on, line.months, line.anchor, line.cycle_day) AS period)
        AS now_in
    CROSS JOIN LATERAL (
        SELECT billing_period(change.effective_on,
                              CASE was.period WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END,
                              line.anchor, line.cycle_day) AS period
    ) AS was_in
    WHERE change.applied_at > line.settled_at AND change.applied_at <= %(as_of)s
      AND change.effective_on < line.billed_until AND was.currency = line.currency
    UNION ALL
    -- Days on hold that had been billed before the hold.
    SELECT 5, 'hold_credit', line.subscription_id, line.subscriber_id, line.number, line.zone_id, line.currency,
           line.tax_class, hold.id, 'Days on hold', held.first, held.until, -line.price, held.until - held.first,
           upper(around.period) - lower(around.period),
           -line.price * (held.until - held.first) / (upper(around.period) - lower(around.period))
    FROM billing_line AS line
    JOIN subscribers_hold AS hold ON hold.tenant_id = %(tenant)s AND hold.subscription_id = line.subscription_id
    CROSS JOIN LATERAL (
        SELECT (hold.opened_at AT TIME ZONE %(zone)s)::date AS first,
               LEAST((hold.released_at AT TIME ZONE %(zone)s)::date, line.billed_until, line.ended_on) AS until
    ) AS held
    CROSS JOIN LATERAL (SELECT billing_period(held.first, line.months, line.anchor, line.cycle_day) AS period) AS around
    WHERE hold.reason = ANY (%(unbilled)s) AND hold.released_at > line.settled_at AND hold.released_at <= %(as_of)s
      AND held.first < held.until
    UNION ALL
    SELECT 6, 'end_credit', line.subscription_id, line.subscriber_id, line.number, line.zone_id, line.currency,
           line.tax_class, '00000000-0000-0000-0000-000000000000'::uuid, 'Days after the end', line.ended_on,
           line.billed_until, -line.price, line.billed_until - line.ended_on,
           upper(around.period) - lower(around.period),
           -line.price * (line.billed_until - line.ended_on) / (upper(around.period) - lower(around.period))
    FROM billing_line AS line
    CROSS JOIN LATERAL (
        SELECT billing_period(line.billed_until - 1, line.months, line.anchor, line.cycle_day) AS period
    ) AS around
    WHERE line.ended_on < line.billed_until AND line.settled_at IS NOT NULL
    UNION ALL
    SELECT 3, 'one_off', charge.subscription_id, charge.subscriber_id, 0, NULL, charge.currency, charge.tax_class,
           charge.id,
           CASE WHEN charge.instalments = 1 THEN charge.name
                ELSE format('%%s, %%s of %%s', charge.name, part.nth + 1, charge.instalments) END,
           (charge.due_on + make_interval(months => part.nth))::date,
           (charge.due_on + make_interval(months => part.nth))::date + 1, charge.amount, NULL, NULL,
           -- The sums are rounded, so that all instalments together are the amount.
           round(charge.amount * (part.nth + 1) / charge.instalments, minor_units(charge.currency))
           - round(charge.amount * part.nth / charge.instalments, minor_units(charge.currency))
    FROM billing_oneoffcharge AS charge
    CROSS JOIN LATERAL generate_series(charge.charged::int, charge.instalments::int - 1) AS part(nth)
    WHERE charge.tenant_id = %(tenant)s AND charge.subscriber_id = ANY (%(subscribers)s)
      AND charge.cancelled_at IS NULL AND charge.due_on + make_interval(months => part.nth) <= %(on)s
)
SELECT *, round(exact, minor_units(currency)) AS amount FROM priced
"""

DISCOUNTS_SQL = """
INSERT INTO billing_item
SELECT 7, 'discount', base.subscription_id, base.subscriber_id, base.number, base.zone_id, base.currency,
       base.tax_class, discount.id, discount.name, base.period_start, base.period_end, -taken.exact,
       NULL, NULL, -taken.exact, -round(taken.exact, minor_units(base.currency))
FROM (
    SELECT *, days::numeric / period_days AS share FROM billing_item WHERE kind = 'plan' AND amount > 0
) AS base
JOIN billing_discount AS discount
    ON discount.tenant_id = %(tenant)s AND discount.subscriber_id = base.subscriber_id
   AND (discount.subscription_id IS NULL OR discount.subscription_id = base.subscription_id)
   AND discount.starts_on <= base.period_start
   AND (discount.ends_on IS NULL OR discount.ends_on > base.period_start)
CROSS JOIN LATERAL (
    SELECT COALESCE(base.amount * discount.percent / 100, LEAST(discount.amount * base.share, base.amount)) AS exact
) AS taken
"""
