-- Close sessions whose NAS reports on others and not on them, for three intervals; those of a NAS that is silent
-- altogether after an hour, since its packets may wait in a spool. They ended at their last report. At most `most`,
-- in all tenants; returns how many.
CREATE FUNCTION aaa_close_stale(most int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    closed int;
BEGIN
    UPDATE aaa_session AS o
    SET stopped_at = o.last_event_at, ended_by = 'stale', terminate_cause = 'Lost-Carrier'
    WHERE o.id IN (
        SELECT s.id
        FROM aaa_session AS s
        JOIN aaa_nas AS n ON n.id = s.nas_id
        LEFT JOIN aaa_account AS c ON c.id = s.account_id
        LEFT JOIN aaa_serviceprofile AS p ON p.id = c.service_profile_id
        WHERE s.stopped_at IS NULL
          AND s.last_seen_at < now() - make_interval(secs => 3 * coalesce(p.interim_seconds, 300))
          AND (n.last_acct_at > now() - make_interval(secs => 2 * coalesce(p.interim_seconds, 300))
               OR s.last_seen_at < now() - interval '1 hour')
        ORDER BY s.id LIMIT most
        FOR UPDATE OF s SKIP LOCKED);
    GET DIAGNOSTICS closed = ROW_COUNT;
    RETURN closed;
END $$;

-- Move sessions that ended and were quiet for a quarter of an hour to the past ones, at most `most`, in all tenants;
-- returns how many. Makes the partitions it needs.
CREATE FUNCTION aaa_move_closed(most int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    quiet timestamptz := now() - interval '15 minutes';  -- aaa_accounting
    moved int;
BEGIN
    PERFORM aaa_make_partition('aaa_pastsession', month)
    FROM (SELECT DISTINCT date_trunc('month', s.stopped_at AT TIME ZONE 'UTC')::date AS month
          FROM aaa_session AS s WHERE s.stopped_at < quiet) AS months;
    WITH done AS (
        DELETE FROM aaa_session AS o
        WHERE o.id IN (SELECT s.id FROM aaa_session AS s
                       WHERE s.stopped_at < quiet AND s.last_seen_at < quiet
                       ORDER BY s.id LIMIT most FOR UPDATE SKIP LOCKED)
        RETURNING *
    )
    INSERT INTO aaa_pastsession (
        id, tenant_id, account_id, nas_id, unique_key, acct_session_id, class_token, username, station, station_key,
        called, nas_port_id, nas_ip_reported, framed_ip, framed_ipv6_prefix, delegated_prefix,
        started_at, last_event_at, last_seen_at, stopped_at, ended_by, terminate_cause, context, applied,
        session_seconds, in4_bytes, out4_bytes, in6_bytes, out6_bytes,
        counted_at, counted_seconds, last_in, last_out, last_in6, last_out6, total_in, total_out)
    SELECT
        id, tenant_id, account_id, nas_id, unique_key, acct_session_id, class_token, username, station, station_key,
        called, nas_port_id, nas_ip_reported, framed_ip, framed_ipv6_prefix, delegated_prefix,
        started_at, last_event_at, last_seen_at, stopped_at, ended_by, terminate_cause, context, applied,
        session_seconds, in4_bytes, out4_bytes, in6_bytes, out6_bytes,
        counted_at, counted_seconds, last_in, last_out, last_in6, last_out6, total_in, total_out
    FROM done;
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END $$;
