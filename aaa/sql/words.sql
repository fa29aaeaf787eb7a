-- What two spellings of one calling station share; aaa.models.fields.station_key does the same.
CREATE FUNCTION aaa_station(station text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    digits text := translate(lower(btrim(station)), ':-.', '');
BEGIN
    -- An address of IPv4 can have as many digits, but it has three dots.
    IF length(digits) = 12 AND translate(digits, '0123456789abcdef', '') = ''
        AND (strpos(station, '.') = 0 OR length(station) - length(replace(station, '.', '')) = 2)
    THEN
        RETURN digits;
    END IF;
    RETURN lower(btrim(station) COLLATE pg_unicode_fast);
END $$;

-- Our Class as a NAS echoes it: a uuid, a semicolon, and what the session was told. It comes as text, or as 0x and
-- hexadecimal digits. '' for what is none of ours.
CREATE FUNCTION aaa_class(class text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN class = '' THEN ''
        WHEN class ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(;[ -~]{0,80})?$' THEN class
        WHEN class ~ '^0x(3[0-9]|6[1-6]){8}(2d|3[0-9]|6[1-6]){28}(3b([2-7][0-9a-f]){0,80})?$'
        THEN encode(decode(substr(class, 3), 'hex'), 'escape')
        ELSE ''
    END
$$;

-- Whose customer does this log-in mean, and as which NAS of theirs? The NAS' owner's, unless the log-in ends in a realm
-- that is granted to another tenant on this NAS. No row for a NAS, or a tenant, that is switched off. Inlined.
CREATE FUNCTION aaa_asked(nas text, login text)
RETURNS TABLE (tenant_id uuid, nas_id uuid, own_id uuid, nas_type text, octets_mode text, swaps_octets boolean,
               sends_gigawords boolean, last_auth_at timestamptz, last_acct_at timestamptz, realm text)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT tenant.id, coalesce(granted.guest_nas_id, own.id), own.id, own.nas_type, own.octets_mode, own.swaps_octets,
           own.sends_gigawords, own.last_auth_at, own.last_acct_at, granted.realm
    FROM aaa_nas AS own
    LEFT JOIN aaa_nasrealm AS granted
        ON granted.tenant_id = own.tenant_id AND granted.nas_id = own.id
        AND strpos(login, '@') > 0 AND granted.realm = lower(split_part(login, '@', -1))
    JOIN tenants_tenant AS tenant
        ON tenant.id = coalesce(granted.guest_id, own.tenant_id) AND tenant.is_active
    WHERE own.id = CASE WHEN nas LIKE '________-____-____-____-____________'
                             AND translate(nas, '0123456789abcdef', '') = '----' THEN nas::uuid END
        AND own.is_active
$$;

-- How many of an account's sessions and reservations are of other stations than this one. A session no report came of
-- after `since` has ended without a word. An account's two nameless stations are never the same one. Inlined.
CREATE FUNCTION aaa_others(tenant uuid, account uuid, here text, since timestamptz) RETURNS TABLE (number bigint)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT count(*) FROM (
        SELECT FROM aaa_session AS s
        WHERE s.tenant_id = tenant AND s.account_id = account AND s.stopped_at IS NULL AND s.last_seen_at > since
          AND (s.station_key <> here OR here = '')
        UNION ALL
        SELECT FROM aaa_reservation AS r
        WHERE r.account_id = account AND r.expires_at > now() AND r.station_key <> here
          AND NOT EXISTS (SELECT FROM aaa_session AS s
                          WHERE s.tenant_id = tenant AND s.account_id = account AND s.stopped_at IS NULL
                            AND (s.station_key = r.station_key OR '-' || s.class_token = r.station_key))
    ) AS others
$$;
