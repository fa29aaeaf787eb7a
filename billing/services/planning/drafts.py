"""From items to drafts: accounts that cannot be billed are parked, items are taxed, drafts are written.

What comes to less than nothing becomes a credit note, as `services.invoices.crediting` writes them by hand: amounts
above zero, and the invoice that billed what is given back. It gives back no more than was billed and not credited
yet; what is more waits for a person.
"""

# What a person has to look at; the run goes on without the account.
PARK_SQL = """
INSERT INTO billing_parkedaccount (id, tenant_id, created_at, updated_at, run_id, subscriber_id, reason, detail)
SELECT DISTINCT ON (subscriber_id) uuidv7(), %(tenant)s, now(), now(), %(run)s, subscriber_id, reason, detail
FROM (
    SELECT subscriber_id, 'currency' AS reason,
           format('Service %%s: the plan is in %%s, the profile in %%s.', number, currency, wanted_currency) AS detail
    FROM billing_term WHERE wanted_currency <> currency AND is_last
    UNION ALL
    SELECT subscriber_id, 'currency',
           left(format('%%s is in %%s, the profile in %%s.', description, currency, wanted_currency), 200)
    FROM billing_item WHERE wanted_currency <> currency
    UNION ALL
    SELECT subscriber_id, 'price', left(format('%%s %%s of %%s', unit_price, currency, description), 200)
    FROM billing_item
    WHERE unit_price <> round(unit_price, minor_units(currency)) AND kind IN ('plan', 'add_on', 'overage')
) AS found
ORDER BY subscriber_id, reason
"""

LEAVE_PARKED_SQL = """
DELETE FROM billing_item
WHERE subscriber_id IN (
    SELECT subscriber_id FROM billing_parkedaccount WHERE tenant_id = %(tenant)s AND run_id = %(run)s
)
"""

DRAFTS_SQL = """
CREATE TEMP TABLE billing_draft ON COMMIT DROP AS
SELECT uuidv7() AS invoice_id, subscriber_id, currency, min(period_start) FILTER (WHERE kind = 'plan') AS first,
       max(period_end) FILTER (WHERE kind = 'plan') AS until
FROM billing_item GROUP BY subscriber_id, currency ORDER BY subscriber_id, currency
"""

# An item may bear several taxes: those valid on the run's day. What is contained in its price is taken out of it: the
# item's net is what is left, and the contained taxes, by rounded sums, make up exactly the difference. Who is exempt
# from a contained tax pays the price without it. A tax of a zone is one of the zones within it as well.
TAXES_SQL = """
CREATE TEMP TABLE billing_taxed ON COMMIT DROP AS
WITH RECURSIVE inside AS (
    SELECT zone_id AS taxed, zone_id AS id FROM billing_taxrate WHERE tenant_id = %(tenant)s AND zone_id IS NOT NULL
    UNION
    SELECT inside.taxed, zone.id
    FROM inside JOIN subscribers_zone AS zone ON zone.tenant_id = %(tenant)s AND zone.parent_id = inside.id
), freed AS MATERIALIZED (
    SELECT DISTINCT subscriber_id, rate_id FROM billing_taxexemption
    WHERE tenant_id = %(tenant)s AND subscriber_id = ANY (%(subscribers)s)
      AND starts_on <= %(on)s AND (ends_on IS NULL OR ends_on > %(on)s)
), numbered AS (
    SELECT uuidv7() AS line_id, draft.invoice_id, item.*,
           row_number() OVER (PARTITION BY draft.invoice_id
                              ORDER BY item.number, item.period_start, item.place, item.source) AS position
    FROM billing_item AS item
    JOIN billing_draft AS draft USING (subscriber_id, currency)
), rated AS (
    SELECT numbered.line_id, rate.id AS rate_id, rate.name, rate.percent, rate.is_inclusive,
           EXISTS (SELECT FROM freed WHERE freed.subscriber_id = numbered.subscriber_id
                     AND (freed.rate_id IS NULL OR freed.rate_id = rate.id)) AS is_exempt
    FROM numbered
    JOIN billing_taxrate AS rate
        ON rate.tenant_id = %(tenant)s AND (rate.tax_class = '' OR rate.tax_class = numbered.tax_class)
       AND (rate.zone_id IS NULL
            OR EXISTS (SELECT FROM inside WHERE inside.taxed = rate.zone_id AND inside.id = numbered.zone_id))
       AND rate.starts_on <= %(on)s AND (rate.ends_on IS NULL OR rate.ends_on > %(on)s)
), contained AS (
    SELECT line_id, sum(percent) AS percent FROM rated WHERE is_inclusive GROUP BY line_id HAVING sum(percent) > 0
), netted AS (
    SELECT numbered.*, minor_units(numbered.currency) AS digits, contained.percent AS contained,
           CASE WHEN contained.percent IS NULL THEN numbered.amount
                ELSE round(numbered.amount * 100 / (100 + contained.percent), minor_units(numbered.currency)) END AS net
    FROM numbered LEFT JOIN contained USING (line_id)
), shared AS (
    SELECT netted.line_id, rated.rate_id, rated.name, rated.percent, rated.is_exempt, netted.net AS base,
           CASE WHEN rated.is_inclusive AND netted.contained IS NULL THEN 0
           WHEN rated.is_inclusive THEN
               round((netted.amount - netted.net) * sum(rated.percent) OVER parts / netted.contained, netted.digits)
               - round((netted.amount - netted.net) * (sum(rated.percent) OVER parts - rated.percent)
                       / netted.contained, netted.digits)
           ELSE round(netted.net * rated.percent / 100, netted.digits) END AS tax
    FROM netted JOIN rated USING (line_id)
    WINDOW parts AS (PARTITION BY netted.line_id, rated.is_inclusive ORDER BY rated.name, rated.rate_id)
)
SELECT netted.*, shared.rate_id, shared.name AS tax_name, shared.percent AS tax_percent, shared.base, shared.tax
FROM netted LEFT JOIN shared ON shared.line_id = netted.line_id AND NOT shared.is_exempt
"""

LINES_SQL = """
INSERT INTO billing_invoiceline (id, tenant_id, created_at, updated_at, invoice_id, position, kind, subscription_id,
                                 source, description, period_start, period_end, quantity, unit_price, net, tax,
                                 tax_class, days, period_days, formula, remainder, is_void)
SELECT line_id, %(tenant)s, now(), now(), invoice_id, position, kind, subscription_id, source, description,
       period_start, period_end, quantity, round(unit_price, digits), net, COALESCE(sum(tax), 0), tax_class, days,
       period_days,
       CASE WHEN formula <> '' THEN formula
            WHEN days <> period_days
            THEN format('%%s × %%s / %%s days', round(unit_price, digits), days, period_days) ELSE '' END,
       round(exact - amount, 10), false
FROM billing_taxed
GROUP BY line_id, invoice_id, position, kind, subscription_id, source, description, period_start, period_end,
         unit_price, digits, net, tax_class, days, period_days, exact, amount, quantity, formula
"""

LINE_TAXES_SQL = """
INSERT INTO billing_linetax (id, tenant_id, line_id, rate_id, name, percent, base, amount)
SELECT uuidv7(), %(tenant)s, line_id, rate_id, tax_name, tax_percent, base, tax
FROM billing_taxed WHERE rate_id IS NOT NULL
"""

SUMS_SQL = """
CREATE TEMP TABLE billing_sum ON COMMIT DROP AS
SELECT draft.*, summed.net, summed.tax, 'invoice' AS kind, NULL::uuid AS corrects_id, 0::numeric AS creditable
FROM billing_draft AS draft
JOIN (
    SELECT invoice_id, sum(net) AS net, COALESCE(sum(tax), 0) AS tax
    FROM (SELECT invoice_id, net, sum(tax) AS tax FROM billing_taxed GROUP BY invoice_id, line_id, net) AS line
    GROUP BY invoice_id
) AS summed USING (invoice_id)
"""

BELOW_ZERO_SQL = "SELECT EXISTS (SELECT FROM billing_sum WHERE net + tax < 0)"

# A note corrects the last invoice that billed what is given back, or that another note corrects already.
CREDIT_SQL = (
    """
    WITH given AS (
        SELECT item.invoice_id, item.currency, item.subscription_id, item.period_start, item.period_end
        FROM billing_sum AS draft JOIN billing_taxed AS item USING (invoice_id)
        WHERE draft.net + draft.tax < 0 AND item.net < 0
    ), billed AS (
        SELECT given.invoice_id, COALESCE(document.corrects_id, document.id) AS corrected_id,
               max(line.period_start) AS since
        FROM given
        JOIN billing_invoiceline AS line
            ON line.tenant_id = %(tenant)s AND line.subscription_id = given.subscription_id
           AND line.kind IN ('plan', 'add_on') AND NOT line.is_void
           AND line.period_start < given.period_end AND line.period_end > given.period_start
        JOIN billing_invoice AS document
            ON document.tenant_id = %(tenant)s AND document.id = line.invoice_id
           AND document.currency = given.currency AND document.status IN ('issued', 'partly_paid', 'paid')
        GROUP BY given.invoice_id, COALESCE(document.corrects_id, document.id)
    ), found AS (
        SELECT billed.invoice_id,
               (array_agg(billed.corrected_id ORDER BY billed.since DESC, billed.corrected_id DESC))[1] AS corrects_id,
               sum(invoice.total - COALESCE(credited.total, 0)) AS creditable
        FROM billed
        JOIN billing_invoice AS invoice ON invoice.tenant_id = %(tenant)s AND invoice.id = billed.corrected_id
        LEFT JOIN LATERAL (
            SELECT sum(note.total) AS total FROM billing_invoice AS note
            WHERE note.tenant_id = %(tenant)s AND note.corrects_id = invoice.id
        ) AS credited ON true
        GROUP BY billed.invoice_id
    )
    UPDATE billing_sum AS draft SET corrects_id = found.corrects_id, creditable = found.creditable
    FROM found WHERE found.invoice_id = draft.invoice_id
    """,
    """
    INSERT INTO billing_parkedaccount (id, tenant_id, created_at, updated_at, run_id, subscriber_id, reason, detail)
    SELECT DISTINCT ON (subscriber_id) uuidv7(), %(tenant)s, now(), now(), %(run)s, subscriber_id, 'negative',
           format(CASE WHEN corrects_id IS NULL THEN '%%1$s %%3$s to give back, and no invoice that billed it.'
                       ELSE '%%1$s %%3$s to give back, and %%2$s %%3$s of what was billed are not credited yet.' END,
                  round(-net - tax, minor_units(currency)), round(creditable, minor_units(currency)), currency)
    FROM billing_sum WHERE net + tax < -creditable
    ORDER BY subscriber_id, currency
    """,
    """
    DELETE FROM billing_sum AS draft
    WHERE EXISTS (
        SELECT FROM billing_sum AS parked
        WHERE parked.subscriber_id = draft.subscriber_id AND parked.net + parked.tax < -parked.creditable
    )
    """,
    "DELETE FROM billing_taxed WHERE invoice_id NOT IN (SELECT invoice_id FROM billing_sum)",
    """
    UPDATE billing_taxed AS item
    SET net = -item.net, amount = -item.amount, exact = -item.exact, unit_price = -item.unit_price, base = -item.base,
        tax = -item.tax
    FROM billing_sum AS draft WHERE draft.invoice_id = item.invoice_id AND draft.net + draft.tax < 0
    """,
    "UPDATE billing_sum SET kind = 'credit_note', net = -net, tax = -tax WHERE net + tax < 0",
)

INVOICES_SQL = """
INSERT INTO billing_invoice (id, tenant_id, created_at, updated_at, kind, number, status, subscriber_id, currency,
                             run_id, corrects_id, period_start, period_end, net, tax, total, open_amount, reason)
SELECT invoice_id, %(tenant)s, now(), now(), kind, '', 'draft', subscriber_id, currency, %(run)s, corrects_id, first,
       until, net, tax, net + tax, net + tax, ''
FROM billing_sum
ORDER BY invoice_id
"""

PARK_BILLED_SQL = """
INSERT INTO billing_parkedaccount (id, tenant_id, created_at, updated_at, run_id, subscriber_id, reason, detail)
SELECT DISTINCT ON (item.subscriber_id) uuidv7(), %(tenant)s, now(), now(), %(run)s, item.subscriber_id, 'billed',
       left(format('%%s from %%s is on %%s already.', item.description, to_char(item.period_start, 'FMDD Mon YYYY'),
                   COALESCE(NULLIF(invoice.number, ''), 'a draft')), 200)
FROM billing_item AS item
JOIN billing_invoiceline AS line
    ON line.tenant_id = %(tenant)s AND line.subscription_id IS NOT DISTINCT FROM item.subscription_id
   AND line.kind = item.kind AND line.source = item.source AND line.period_start = item.period_start
   AND NOT line.is_void
JOIN billing_invoice AS invoice ON invoice.tenant_id = %(tenant)s AND invoice.id = line.invoice_id
ORDER BY item.subscriber_id
ON CONFLICT (tenant_id, run_id, subscriber_id) DO NOTHING
"""
