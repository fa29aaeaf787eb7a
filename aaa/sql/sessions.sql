-- The key of a session whose name was used again since; twenty minutes of tolerance for clocks.
CREATE FUNCTION aaa_older_key(key uuid, began timestamptz) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT md5(key || '|' || round(extract(epoch FROM began) / 1200))::uuid
$$;

-- Take a session that ended since then back from the past ones: a packet of it has come after all.
CREATE FUNCTION aaa_bring_back(tenant uuid, key uuid, since timestamptz) RETURNS aaa_session
LANGUAGE plpgsql AS $$
DECLARE
    s aaa_session;
BEGIN
    WITH back AS (
        DELETE FROM aaa_pastsession AS p
        WHERE p.tenant_id = tenant AND p.unique_key = key AND p.stopped_at >= since
        RETURNING *
    )
    INSERT INTO aaa_session (
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
    FROM back
    ON CONFLICT (tenant_id, unique_key) DO NOTHING
    RETURNING * INTO s;
    RETURN s;
END $$;
