"""What a run asks for, item by item, computed by the database for a batch of subscribers in a few statements.

The rules, each once:
- A line is billed in advance for each period that begins until the run's day, from where its position stands, each
  day at the price of the plan it had then.
- Part of a period costs price × days / days of the period, rounded as `ispcore.money` says; the item keeps what
  rounding left over. An item lies within one period.
- Days on hold for a reason that is not billed cost nothing, neither plan nor add-on. Those billed already are given
  back once the hold has ended, once however many holds they are in; so are the days after the end of a line or of an
  add-on. What is given back is what was billed: the invoice's price, where a plan's price was changed since.
- A change of plan is settled for the days that were billed at the old price.
- An add-on is billed from the day it begins, also for days of a period whose plan is billed already.
- What comes up within a period is asked for or given back on the customer's next cycle day, each month, also where
  the plan is paid by the quarter or the year.
- A discount takes its part off the plan's price for the days it is valid; what it took off is not given back. All
  discounts together take off no more than the price.
- Taxes come last, on each item, a discount included.
"""

# What was billed of the plan for a day, where that was the plan in force when it was billed. On a credit note what is
# charged stands below zero.
PRICE_BILLED = """
LEFT JOIN LATERAL (
    SELECT abs(billed.unit_price) AS unit_price, billed.period_start FROM billing_invoiceline AS billed
    WHERE billed.tenant_id = %(tenant)s AND billed.subscription_id = {line}.subscription_id AND billed.kind = 'plan'
      AND NOT billed.is_void AND billed.period_start <= {day} AND billed.period_end > {day}
    ORDER BY billed.period_start DESC LIMIT 1
) AS billed ON true
"""

# How far each add-on is billed, how far it may be, and from where on it was given back.
ADD_ONS_SQL = """
CREATE TEMP TABLE billing_extra ON COMMIT DROP AS
SELECT term.*, added.id AS add_on_id, added.name AS add_on_name, added.price AS add_on_price,
       added.currency AS add_on_currency, COALESCE(NULLIF(added.tax_class, ''), term.customer_class) AS add_on_class,
       GREATEST(added.starts_on, term.began_on) AS starts_on, LEAST(added.ends_on, term.ended_on) AS ends_on,
       charged.until AS charged_until, charged.price AS charged_price, returned.since AS returned_since,
       COALESCE(spanned.until, term.billed_until) AS target
FROM billing_term AS term
LEFT JOIN (
    SELECT subscription_id, max(until) AS until FROM billing_span GROUP BY subscription_id
) AS spanned USING (subscription_id)
JOIN billing_addon AS added ON added.tenant_id = %(tenant)s AND added.subscription_id = term.subscription_id
LEFT JOIN LATERAL (
    SELECT billed.period_end AS until, abs(billed.unit_price) AS price
    FROM billing_invoiceline AS billed
    WHERE billed.tenant_id = %(tenant)s AND billed.subscription_id = term.subscription_id AND billed.kind = 'add_on'
      AND billed.source = added.id AND NOT billed.is_void AND billed.period_start IS NOT NULL
    ORDER BY billed.period_end DESC LIMIT 1
) AS charged ON true
LEFT JOIN LATERAL (
    SELECT min(billed.period_start) AS since
    FROM billing_invoiceline AS billed
    WHERE billed.tenant_id = %(tenant)s AND billed.subscription_id = term.subscription_id AND billed.kind = 'end_credit'
      AND billed.source = added.id AND NOT billed.is_void AND billed.period_start IS NOT NULL
) AS returned ON true
WHERE term.is_last
"""

ITEMS_SQL = f"""
CREATE TEMP TABLE billing_item ON COMMIT DROP AS
WITH changed AS (
    SELECT line.subscription_id, line.billed_until, line.anchor, line.cycle_day, change.id, change.effective_on,
           was.name AS old_name, COALESCE(billed.unit_price, was.price) AS old_price, was.months AS old_months,
           new.name AS new_name, new.price AS new_price, new.months AS new_months
    FROM billing_line AS line
    JOIN subscribers_planchange AS change
        ON change.tenant_id = %(tenant)s AND change.subscription_id = line.subscription_id
    CROSS JOIN LATERAL (
        SELECT plan.name, plan.price, plan.currency,
               CASE plan.period WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END AS months
        FROM subscribers_plan AS plan WHERE plan.tenant_id = %(tenant)s AND plan.id = change.from_plan_id
    ) AS was
    CROSS JOIN LATERAL (
        SELECT plan.name, plan.price, plan.currency,
               CASE plan.period WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END AS months
        FROM subscribers_plan AS plan WHERE plan.tenant_id = %(tenant)s AND plan.id = change.to_plan_id
    ) AS new
    LEFT JOIN LATERAL (
        SELECT abs(billed.unit_price) AS unit_price FROM billing_invoiceline AS billed
        WHERE billed.tenant_id = %(tenant)s AND billed.subscription_id = line.subscription_id AND billed.kind = 'plan'
          AND NOT billed.is_void AND billed.period_start <= change.effective_on
          AND billed.period_end > change.effective_on
          -- Of the plan that is left, not of one before it.
          AND NOT EXISTS (
              SELECT FROM subscribers_planchange AS between_them
              WHERE between_them.tenant_id = %(tenant)s AND between_them.subscription_id = line.subscription_id
                AND between_them.applied_at < change.applied_at AND between_them.effective_on > billed.period_start
          )
        ORDER BY billed.period_start DESC LIMIT 1
    ) AS billed ON true
    WHERE change.applied_at > line.settled_at AND change.applied_at <= %(as_of)s
      AND change.effective_on < line.billed_until AND was.currency = new.currency
), given_back AS (
    -- Days on hold that had been billed before the hold; days that were billed and the line did not last.
    SELECT term.*, 5 AS place, 'hold_credit' AS kind, 'Days on hold' AS description, part.days AS given
    FROM billing_term AS term
    CROSS JOIN LATERAL unnest(
        (term.held - term.held_before) * datemultirange(term.days)
        * datemultirange(daterange(term.began_on, LEAST(term.billed_until, term.ended_on)))
    ) AS part(days)
    WHERE term.settled_at IS NOT NULL AND term.began_on < LEAST(term.billed_until, term.ended_on)
    UNION ALL
    SELECT term.*, 6, 'end_credit', 'Days after the end', daterange(term.ended_on, term.billed_until) * term.days
    FROM billing_term AS term
    WHERE term.settled_at IS NOT NULL AND term.ended_on < term.billed_until
      AND daterange(term.ended_on, term.billed_until) && term.days
), extra_back AS (
    SELECT extra.*, 5 AS place, 'hold_credit' AS kind, 'days on hold' AS why, part.days AS given
    FROM billing_extra AS extra
    CROSS JOIN LATERAL unnest(
        (extra.held - extra.held_before)
        * datemultirange(daterange(extra.starts_on, LEAST(extra.charged_until, extra.ends_on)))
    ) AS part(days)
    WHERE extra.settled_at IS NOT NULL AND extra.starts_on < LEAST(extra.charged_until, extra.ends_on)
      AND extra.charged_until IS NOT NULL
    UNION ALL
    SELECT extra.*, 6, 'end_credit', 'days after the end', part.days
    FROM billing_extra AS extra
    CROSS JOIN LATERAL unnest(
        datemultirange(daterange(GREATEST(extra.starts_on, extra.ends_on),
                                 LEAST(extra.charged_until, extra.returned_since))) - extra.held_before
    ) AS part(days)
    WHERE extra.charged_until IS NOT NULL AND extra.ends_on IS NOT NULL
      AND GREATEST(extra.starts_on, extra.ends_on) < LEAST(extra.charged_until, extra.returned_since)
), extra AS MATERIALIZED (
    SELECT found.*, GREATEST(found.charged_until, found.starts_on) AS since,
           LEAST(found.target, found.ends_on) - 1 AS through
    FROM billing_extra AS found WHERE NOT found.is_held
), extra_period AS MATERIALIZED (
    SELECT each.*, span.*
    FROM (SELECT DISTINCT since, through, months, anchor, cycle_day FROM extra WHERE since <= through) AS each
    CROSS JOIN LATERAL billing_periods(each.since, each.through, each.months, each.anchor, each.cycle_day) AS span
), priced AS (
    SELECT 1 AS place, 'plan' AS kind, subscription_id, subscriber_id, number, zone_id, wanted_currency, currency,
           tax_class, '00000000-0000-0000-0000-000000000000'::uuid AS source, name::text AS description,
           first AS period_start, until AS period_end, price::numeric AS unit_price, billed_days AS days, period_days,
           CASE WHEN billed_days = period_days THEN price ELSE price * billed_days / period_days END AS exact,
           true AS is_plan
    FROM billing_span
    UNION ALL
    SELECT 2, 'add_on', extra.subscription_id, extra.subscriber_id, extra.number, extra.zone_id, extra.wanted_currency,
           extra.add_on_currency, extra.add_on_class, extra.add_on_id, extra.add_on_name, span.first, cut.until,
           extra.add_on_price, counted.days, span.days, extra.add_on_price * counted.days / span.days, false
    FROM extra
    JOIN extra_period AS span ON span.since = extra.since AND span.through = extra.through
        AND span.months = extra.months AND span.anchor = extra.anchor AND span.cycle_day = extra.cycle_day
    CROSS JOIN LATERAL (SELECT LEAST(span.until, extra.target, extra.ends_on) AS until) AS cut
    CROSS JOIN LATERAL (
        SELECT cut.until - span.first - CASE WHEN isempty(extra.held) THEN 0
                                             ELSE billing_days(extra.held, span.first, cut.until) END AS days
    ) AS counted
    UNION ALL
    -- Of two plans billed alike, the difference.
    SELECT 4, 'plan_change', term.subscription_id, term.subscriber_id, term.number, term.zone_id,
           term.wanted_currency, term.currency, term.tax_class, changed.id,
           format('%%s → %%s', changed.old_name, changed.new_name), span.first, cut.until,
           changed.new_price - changed.old_price, cut.until - span.first, span.days,
           (changed.new_price - changed.old_price) * (cut.until - span.first) / span.days, true
    FROM changed
    JOIN billing_term AS term USING (subscription_id)
    CROSS JOIN LATERAL billing_periods(changed.effective_on, changed.billed_until - 1, changed.old_months,
                                       changed.anchor, changed.cycle_day) AS span
    CROSS JOIN LATERAL (SELECT LEAST(span.until, changed.billed_until) AS until) AS cut
    WHERE term.is_last AND changed.old_months = changed.new_months
    UNION ALL
    -- Of others, the old plan's days back and the new plan's days, each by its own period, as the preview says.
    SELECT side.place, side.kind, term.subscription_id, term.subscriber_id, term.number, term.zone_id,
           term.wanted_currency, term.currency, term.tax_class, changed.id, side.name, changed.effective_on,
           changed.billed_until, side.price, changed.billed_until - changed.effective_on,
           upper(around.period) - lower(around.period),
           side.price * (changed.billed_until - changed.effective_on)
           / (upper(around.period) - lower(around.period)), true
    FROM changed
    JOIN billing_term AS term USING (subscription_id)
    CROSS JOIN LATERAL (
        VALUES (3, 'end_credit', changed.old_name::text, -changed.old_price, changed.old_months),
               (4, 'plan_change', changed.new_name::text, changed.new_price, changed.new_months)
    ) AS side(place, kind, name, price, months)
    CROSS JOIN LATERAL (
        SELECT billing_period(changed.effective_on, side.months, changed.anchor, changed.cycle_day) AS period
    ) AS around
    WHERE term.is_last AND changed.old_months <> changed.new_months
    UNION ALL
    SELECT back.place, back.kind, back.subscription_id, back.subscriber_id, back.number, back.zone_id,
           back.wanted_currency, back.currency, back.tax_class, '00000000-0000-0000-0000-000000000000'::uuid,
           back.description, span.first, cut.until, -cost.price, cut.until - span.first, cost.days,
           -cost.price * (cut.until - span.first) / cost.days, true
    FROM given_back AS back
    CROSS JOIN LATERAL billing_periods(lower(back.given), upper(back.given) - 1, back.months, back.anchor,
                                       back.cycle_day) AS span
    CROSS JOIN LATERAL (SELECT LEAST(span.until, upper(back.given)) AS until) AS cut
    {PRICE_BILLED.format(line="back", day="span.first")}
    -- Days after a change to a plan of another period were billed alike, whatever month they lie in.
    LEFT JOIN LATERAL (
        SELECT alike.period_days AS days FROM billing_invoiceline AS alike
        WHERE alike.tenant_id = %(tenant)s AND alike.subscription_id = back.subscription_id
          AND alike.kind = 'plan_change' AND NOT alike.is_void AND alike.period_days IS NOT NULL
          AND alike.period_start <= span.first AND alike.period_end > span.first
          AND EXISTS (
              SELECT FROM billing_invoiceline AS returned
              WHERE returned.tenant_id = %(tenant)s AND returned.subscription_id = back.subscription_id
                AND returned.kind = 'end_credit' AND returned.source = alike.source AND NOT returned.is_void)
        ORDER BY alike.period_start DESC LIMIT 1
    ) AS alike ON true
    CROSS JOIN LATERAL (
        SELECT CASE WHEN back.days @> billed.period_start THEN billed.unit_price ELSE back.price END AS price,
               COALESCE(alike.days, span.days) AS days
    ) AS cost
    UNION ALL
    SELECT back.place, back.kind, back.subscription_id, back.subscriber_id, back.number, back.zone_id,
           back.wanted_currency, back.add_on_currency, back.add_on_class, back.add_on_id,
           format('%%s, %%s', back.add_on_name, back.why), span.first, cut.until, -back.charged_price,
           cut.until - span.first, span.days, -back.charged_price * (cut.until - span.first) / span.days, false
    FROM extra_back AS back
    CROSS JOIN LATERAL billing_periods(lower(back.given), upper(back.given) - 1, back.months, back.anchor,
                                       back.cycle_day) AS span
    CROSS JOIN LATERAL (SELECT LEAST(span.until, upper(back.given)) AS until) AS cut
    UNION ALL
    SELECT 3, charge.kind, charge.subscription_id, charge.subscriber_id, COALESCE(line.number, 0), place.zone_id,
           profile.currency, charge.currency, COALESCE(NULLIF(charge.tax_class, ''), profile.tax_class, ''), charge.id,
           CASE WHEN charge.instalments = 1 THEN charge.name
                ELSE format('%%s, %%s of %%s', charge.name, part.nth + 1, charge.instalments) END,
           (charge.due_on + make_interval(months => part.nth))::date,
           (charge.due_on + make_interval(months => part.nth))::date + 1, shared.amount, NULL, NULL, shared.amount,
           false
    FROM billing_oneoffcharge AS charge
    JOIN subscribers_subscriber AS customer ON customer.tenant_id = %(tenant)s AND customer.id = charge.subscriber_id
    LEFT JOIN subscribers_billingprofile AS profile
        ON profile.tenant_id = %(tenant)s AND profile.id = customer.billing_profile_id
    -- A charge of no service is taxed where the customer's first one is.
    LEFT JOIN LATERAL (
        SELECT line.number, line.premise_id FROM subscribers_subscription AS line
        WHERE line.tenant_id = %(tenant)s AND line.subscriber_id = charge.subscriber_id
          AND (charge.subscription_id IS NULL OR line.id = charge.subscription_id)
        ORDER BY line.number LIMIT 1
    ) AS line ON true
    LEFT JOIN subscribers_premise AS place ON place.tenant_id = %(tenant)s AND place.id = line.premise_id
    CROSS JOIN LATERAL generate_series(charge.charged::int, charge.instalments::int - 1) AS part(nth)
    -- The sums are rounded, so that all instalments together are the amount.
    CROSS JOIN LATERAL (
        SELECT round(charge.amount * (part.nth + 1) / charge.instalments, minor_units(charge.currency))
               - round(charge.amount * part.nth / charge.instalments, minor_units(charge.currency)) AS amount
    ) AS shared
    WHERE charge.tenant_id = %(tenant)s AND charge.subscriber_id = ANY (%(subscribers)s)
      AND charge.cancelled_at IS NULL AND charge.due_on + make_interval(months => part.nth) <= %(on)s
)
SELECT *, round(exact, minor_units(currency)) AS amount, 1::numeric AS quantity, ''::text AS formula FROM priced
"""  # noqa: S608  (only the constant above is put in)

# What a discount took off a plan is not given back with the plan, so it follows each item of the plan; beside what is
# given back it stands under that item's kind, since the days were discounted once before. An amount off stays what it
# was when the plan changes.
DISCOUNTS_SQL = """
INSERT INTO billing_item (place, kind, subscription_id, subscriber_id, number, zone_id, wanted_currency, currency,
                          tax_class, source, description, period_start, period_end, unit_price, exact, is_plan, amount,
                          quantity, formula)
SELECT 7, kind, subscription_id, subscriber_id, number, zone_id, wanted_currency, currency, tax_class, discount_id,
       description, period_start, max(period_end), -sum(taken), -sum(taken), false, -sum(rounded), 1, ''
FROM (
    -- Sums are rounded, so that all together take off no more than there is.
    SELECT each.*, sign(each.amount) * (upto.here - upto.before) AS taken,
           sign(each.amount) * (round(upto.here, minor_units(each.currency))
                                - round(upto.before, minor_units(each.currency))) AS rounded
    FROM (
        SELECT CASE base.kind WHEN 'plan' THEN 'discount' ELSE base.kind END AS kind, base.subscription_id,
               base.subscriber_id, base.number, base.zone_id, base.wanted_currency, base.currency, base.tax_class,
               discount.id AS discount_id, discount.name AS description, base.period_start, base.period_end,
               base.amount, part.wanted,
               sum(part.wanted) OVER (PARTITION BY base.subscription_id, base.kind, base.source, base.period_start
                                      ORDER BY discount.id) AS up_to_here
        FROM billing_item AS base
        JOIN billing_line AS line USING (subscription_id)
        JOIN billing_discount AS discount
            ON discount.tenant_id = %(tenant)s AND discount.subscriber_id = base.subscriber_id
           AND (discount.subscription_id IS NULL OR discount.subscription_id = base.subscription_id)
           AND discount.starts_on < base.period_end
           AND (discount.ends_on IS NULL OR discount.ends_on > base.period_start)
        CROSS JOIN LATERAL (
            SELECT GREATEST(base.period_start, discount.starts_on) AS first,
                   LEAST(base.period_end, discount.ends_on) AS until
        ) AS valid
        CROSS JOIN LATERAL (
            SELECT valid.until - valid.first
                   - CASE WHEN base.kind = 'plan' THEN billing_days(line.held, valid.first, valid.until)
                          ELSE 0 END AS days
        ) AS counted
        CROSS JOIN LATERAL (
            SELECT CASE WHEN discount.percent IS NOT NULL
                        THEN abs(base.amount) * discount.percent * counted.days / (100 * base.days)
                        ELSE LEAST(discount.amount * counted.days / base.period_days,
                                   abs(base.amount) * counted.days / base.days) END AS wanted
        ) AS part
        WHERE base.is_plan AND base.amount <> 0 AND base.days > 0 AND counted.days > 0
          AND (discount.percent IS NOT NULL
               OR base.kind <> 'plan_change' AND base.source = '00000000-0000-0000-0000-000000000000')
    ) AS each
    CROSS JOIN LATERAL (
        SELECT LEAST(each.up_to_here, abs(each.amount)) AS here,
               LEAST(each.up_to_here - each.wanted, abs(each.amount)) AS before
    ) AS upto
) AS found
GROUP BY kind, subscription_id, subscriber_id, number, zone_id, wanted_currency, currency, tax_class, discount_id,
         description, period_start
HAVING sum(taken) <> 0
"""
