-- When the hour of this moment began, by the clocks of a time zone. From the local time's minutes, not by going to
-- local time and back: where clocks are set back, an hour comes twice and the way back is only one of them.
CREATE FUNCTION aaa_hour(moment timestamptz, zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT moment - ((moment AT TIME ZONE zone) - date_trunc('hour', moment AT TIME ZONE zone))
$$;

-- Add bytes that were counted between two moments to the account's hours and days, in its time zone: by elapsed time,
-- rounded down, what is left over to the last, so that the parts are the whole. True, so that a caller can have it in
-- an expression, which costs less than a statement.
CREATE FUNCTION aaa_add_usage(tenant uuid, account uuid, zone text, since timestamptz, till timestamptz,
    in4 bigint, out4 bigint, in6 bigint, out6 bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    hours_kept CONSTANT interval := '92 days';  -- aaa.services.sweeping.HOURLY_USAGE_DAYS
    -- A day ends with its last moment, and what is counted at midnight sharp was used before.
    final timestamptz := CASE WHEN since < till THEN till - interval '1 microsecond' ELSE till END;
    final_there timestamp := final AT TIME ZONE zone;
    final_hour timestamptz := final - (final_there - date_trunc('hour', final_there));  -- aaa_hour
    final_day date := final_there;
    whole numeric;
BEGIN
    IF since >= final_hour OR since >= till THEN
        WITH by_day AS (
            INSERT INTO aaa_dailyusage AS u (tenant_id, account_id, day, in4_bytes, out4_bytes, in6_bytes, out6_bytes)
            VALUES (tenant, account, final_day, in4, out4, in6, out6)
            ON CONFLICT (tenant_id, account_id, day) DO UPDATE
            SET in4_bytes = u.in4_bytes + excluded.in4_bytes, out4_bytes = u.out4_bytes + excluded.out4_bytes,
                in6_bytes = u.in6_bytes + excluded.in6_bytes, out6_bytes = u.out6_bytes + excluded.out6_bytes
        )
        INSERT INTO aaa_hourlyusage AS u (tenant_id, account_id, hour, in4_bytes, out4_bytes, in6_bytes, out6_bytes)
        SELECT tenant, account, final_hour, in4, out4, in6, out6 WHERE final_hour > now() - hours_kept
        ON CONFLICT (tenant_id, account_id, hour) DO UPDATE
        SET in4_bytes = u.in4_bytes + excluded.in4_bytes, out4_bytes = u.out4_bytes + excluded.out4_bytes,
            in6_bytes = u.in6_bytes + excluded.in6_bytes, out6_bytes = u.out6_bytes + excluded.out6_bytes;
        RETURN true;
    END IF;
    whole := extract(epoch FROM till - since) * 1000000;
    WITH RECURSIVE piece (first, next) AS (
        SELECT since, least(aaa_hour(since, zone) + interval '1 hour', till)
        UNION ALL
        SELECT next, least(aaa_hour(next, zone) + interval '1 hour', till) FROM piece WHERE next < till
    ),
    share AS (
        SELECT aaa_hour(first, zone) AS hour, (first AT TIME ZONE zone)::date AS day,
               extract(epoch FROM first - since) * 1000000 AS before, extract(epoch FROM next - since) * 1000000 AS after
        FROM piece
    ),
    part AS (
        SELECT hour, day,
               div(in4 * after, whole) - div(in4 * before, whole) AS in4,
               div(out4 * after, whole) - div(out4 * before, whole) AS out4,
               div(in6 * after, whole) - div(in6 * before, whole) AS in6,
               div(out6 * after, whole) - div(out6 * before, whole) AS out6
        FROM share
    ),
    by_day AS (
        INSERT INTO aaa_dailyusage AS u (tenant_id, account_id, day, in4_bytes, out4_bytes, in6_bytes, out6_bytes)
        SELECT tenant, account, day, sum(part.in4), sum(part.out4), sum(part.in6), sum(part.out6)
        FROM part GROUP BY day ORDER BY day
        ON CONFLICT (tenant_id, account_id, day) DO UPDATE
        SET in4_bytes = u.in4_bytes + excluded.in4_bytes, out4_bytes = u.out4_bytes + excluded.out4_bytes,
            in6_bytes = u.in6_bytes + excluded.in6_bytes, out6_bytes = u.out6_bytes + excluded.out6_bytes
    )
    INSERT INTO aaa_hourlyusage AS u (tenant_id, account_id, hour, in4_bytes, out4_bytes, in6_bytes, out6_bytes)
    SELECT tenant, account, hour, sum(part.in4), sum(part.out4), sum(part.in6), sum(part.out6)
    FROM part WHERE hour > now() - hours_kept GROUP BY hour ORDER BY hour
    ON CONFLICT (tenant_id, account_id, hour) DO UPDATE
    SET in4_bytes = u.in4_bytes + excluded.in4_bytes, out4_bytes = u.out4_bytes + excluded.out4_bytes,
        in6_bytes = u.in6_bytes + excluded.in6_bytes, out6_bytes = u.out6_bytes + excluded.out6_bytes;
    RETURN true;
END $$;
