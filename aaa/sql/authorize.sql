-- May this log-in have a session, and what does the NAS get to hear? One text for FreeRADIUS' sql_map, its fields
-- separated by the unit separator (31 in ASCII), '' for what is absent; the policy `read_answer` takes it apart:
--
--   reason, message, NAS type, r1, IPv4 address, IPv4 pool, seconds of the session, between reports and without
--   traffic, Class, `handed`, what is rare, password
--
-- What is rare, '' when all of it is absent, is separated by the record separator (30): r2 to r6, IPv6 prefix, IPv6
-- pool, delegated prefix, delegated pool. The password comes last because it may hold any character.
--
-- `reason` '' is "go on and check the password"; else it names the first of: unknown, disabled, expired, quota,
-- blocked, mac, sessions, and `message` says it in plain words. Writes nothing.
--
-- `nas` is the id of the client whose secret signed the packet. Nothing the packet says of itself decides whose
-- customer is meant. `handed` is for aaa_post_auth alone: what it would have to look up again.
--
-- What costs is not looking up, but how many columns, expressions and statements there are: PostgreSQL prepares each
-- anew for every packet. So there is one answer, and what bars an account is told apart only when something does.
CREATE FUNCTION aaa_authorize(nas text, login text, station text, called text, nas_port_type text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    most_seconds CONSTANT int := 31622400;  -- 366 days; the attribute would hold more, not every NAS does
    key text := lower(login COLLATE pg_unicode_fast);
    this_station text := aaa_station(station);
    f record;
    rules record;
    reason text := '';
    context text;
    bar text;
    policy uuid;
    handed text;
    seconds int;
    rare text;
BEGIN
    FOR attempt IN 1..2 LOOP
        SELECT q.tenant_id, q.nas_type, q.realm, q.nas_id, q.own_id, q.last_auth_at,
               c.id AS account, c.password, c.enabled, c.expires_at, c.over_cap, c.throttle_policy_id, c.blocked_reason,
               c.calling_station_key, c.pool_id, c.uncapped_data, c.wanted,
               coalesce(c.static_ip4, c.assigned_ip4) AS framed_ip,
               coalesce(c.framed_ipv6_prefix, c.assigned_ipv6_prefix) AS framed_ipv6_prefix,
               coalesce(c.delegated_prefix, c.assigned_delegated_prefix) AS delegated_prefix,
               p.mac_lock, p.interim_seconds, p.idle_timeout, p.framed_pool, p.ipv6_pool, p.delegated_pool,
               p.session_timeout AS profile_timeout, given.session_timeout AS policy_timeout,
               coalesce(c.max_sessions, p.max_sessions) AS most_sessions,
               s.used_bytes, s.allowance_bytes, s.period_ends_at,
               reply.r1, reply.r2, reply.r3, reply.r4, reply.r5, reply.r6, here.number AS others,
               attempt = 2 AS is_bare
        INTO f
        FROM aaa_asked(nas, login) AS q
        LEFT JOIN aaa_account AS c ON c.tenant_id = q.tenant_id AND c.username_key = key
        LEFT JOIN aaa_serviceprofile AS p ON p.id = c.service_profile_id
        LEFT JOIN aaa_accountstate AS s ON s.tenant_id = c.tenant_id AND s.account_id = c.id
        LEFT JOIN aaa_policy AS given ON given.id = c.policy_id
        LEFT JOIN aaa_policyreply AS reply
            ON reply.tenant_id = c.tenant_id AND reply.policy_id = c.policy_id AND reply.nas_type = q.nas_type
        LEFT JOIN LATERAL aaa_others(
            c.tenant_id, c.id, this_station, now() - make_interval(secs => 3 * p.interim_seconds)) AS here ON true;
        EXIT WHEN f.account IS NOT NULL OR f.realm IS NULL;
        -- The guest may keep its user names without the realm that leads to them.
        key := regexp_replace(key, '@[^@]*$', '');
    END LOOP;

    -- NULL where there is no account.
    IF f.enabled AND f.blocked_reason = '' AND (f.expires_at IS NULL OR f.expires_at > now())
        AND (f.mac_lock = 'none' OR f.calling_station_key = '' OR f.calling_station_key = this_station)
        AND (f.allowance_bytes IS NULL OR f.uncapped_data OR f.used_bytes < f.allowance_bytes
             OR f.period_ends_at <= now())
        AND (f.others < f.most_sessions OR f.most_sessions = 0)
    THEN
        context := 'active';
    ELSIF f.account IS NULL THEN
        reason := 'unknown';
    ELSIF NOT f.enabled THEN
        reason := 'disabled';
    ELSE
        context := 'active';
        SELECT * INTO rules FROM aaa_radiussettings AS r WHERE r.tenant_id = f.tenant_id;
        IF f.expires_at <= now() THEN
            IF rules.expired = 'garden' THEN
                context := 'expired';
            ELSE
                reason := 'expired';
            END IF;
        ELSIF f.used_bytes >= f.allowance_bytes AND NOT f.uncapped_data
            AND (f.period_ends_at IS NULL OR f.period_ends_at > now())
        THEN
            IF f.over_cap = 'throttle' THEN
                context := 'throttled';
                policy := f.throttle_policy_id;
            ELSE
                reason := 'quota';
            END IF;
        END IF;
        IF f.blocked_reason <> '' AND reason = '' AND context <> 'expired' THEN
            bar := CASE
                WHEN f.blocked_reason = 'non_payment' THEN rules.unpaid
                -- A line that has not begun, or is over, has no garden.
                WHEN f.blocked_reason IN ('draft', 'pending_installation', 'terminated', 'cancelled') THEN 'reject'
                ELSE rules.suspended
            END;
            IF bar = 'garden' THEN
                context := 'blocked';
            ELSE
                reason := 'blocked';
            END IF;
        END IF;
        IF f.mac_lock <> 'none' AND f.calling_station_key NOT IN ('', this_station) AND reason = '' THEN
            reason := 'mac';
        END IF;
        IF f.most_sessions > 0 AND f.others >= f.most_sessions AND reason = '' THEN
            reason := 'sessions';
        END IF;
        IF reason = '' AND context <> 'active' THEN
            IF context <> 'throttled' THEN
                -- Rate, filter and address list are the garden's; no IPv6, which would lead around it.
                policy := rules.garden_policy_id;
                f.framed_ipv6_prefix := NULL;
                f.ipv6_pool := '';
                f.delegated_prefix := NULL;
                f.delegated_pool := '';
                IF rules.garden_pool <> '' THEN
                    f.framed_pool := rules.garden_pool;
                    f.framed_ip := NULL;
                    f.pool_id := NULL;
                END IF;
            END IF;
            SELECT reply.r1, reply.r2, reply.r3, reply.r4, reply.r5, reply.r6, given.session_timeout
            INTO f.r1, f.r2, f.r3, f.r4, f.r5, f.r6, f.policy_timeout
            FROM (SELECT) AS one LEFT JOIN aaa_policy AS given ON given.id = policy
            LEFT JOIN aaa_policyreply AS reply
                ON reply.tenant_id = given.tenant_id AND reply.policy_id = given.id AND reply.nas_type = f.nas_type;
        END IF;
    END IF;
    IF f.account IS NOT NULL THEN
        -- See aaa_post_auth.
        handed := format('%s|%s|%s|%s|%s|%s|%s%s%s', f.tenant_id, f.account, f.nas_id, f.own_id, f.most_sessions,
                         f.interim_seconds,
                         CASE WHEN f.mac_lock = 'learn' AND f.calling_station_key = '' THEN 'L' END,
                         CASE WHEN f.last_auth_at > now() - interval '1 minute' THEN '' ELSE 'N' END,
                         CASE WHEN f.is_bare THEN 'B' END);
    END IF;
    IF reason <> '' THEN
        RETURN (
            SELECT format(E'%s\x1f%s%s%s\x1f\x1f', reason, coalesce(
                translate(r.messages ->> reason, E'\x1e\x1f', ''),
                CASE reason
                    WHEN 'unknown' THEN 'Unknown user name or wrong password'
                    WHEN 'disabled' THEN 'This account is switched off'
                    WHEN 'expired' THEN 'This account has expired'
                    WHEN 'quota' THEN 'Account credits depleted'
                    WHEN 'blocked' THEN
                        CASE f.blocked_reason
                            WHEN 'non_payment' THEN 'Service suspended for non-payment'
                            WHEN 'draft' THEN 'Service not active yet'
                            WHEN 'pending_installation' THEN 'Service not active yet'
                            WHEN 'terminated' THEN 'Service ended'
                            WHEN 'cancelled' THEN 'Service ended'
                            ELSE 'Service suspended'
                        END
                    WHEN 'mac' THEN 'This account belongs to another device'
                    WHEN 'sessions' THEN 'Already connected as often as the account allows'
                END), repeat(E'\x1f', 9), handed)
            FROM (SELECT) AS one LEFT JOIN aaa_radiussettings AS r ON r.tenant_id = f.tenant_id);
    END IF;

    IF f.framed_ip IS NOT NULL THEN
        f.framed_pool := '';
    ELSIF f.pool_id IS NOT NULL THEN
        SELECT translate(pool.name, E'\x1e\x1f', '') INTO f.framed_pool FROM ipam_pool AS pool WHERE pool.id = f.pool_id;
    END IF;
    IF f.expires_at > now() THEN
        -- Not all at the same second, should many expire together: they would all dial in again at once.
        seconds := ceil(least(date_part('epoch', f.expires_at - now()) + random() * 300, most_seconds));
    END IF;
    IF greatest(f.r2, f.r3, f.r4, f.r5, f.r6, f.ipv6_pool, f.delegated_pool) <> ''
        OR coalesce(f.framed_ipv6_prefix, f.delegated_prefix) IS NOT NULL
    THEN
        rare := format(
            E'%s\x1e%s\x1e%s\x1e%s\x1e%s\x1e%s\x1e%s\x1e%s\x1e%s', f.r2, f.r3, f.r4, f.r5, f.r6,
            f.framed_ipv6_prefix::text, CASE WHEN f.framed_ipv6_prefix IS NULL THEN f.ipv6_pool END,
            f.delegated_prefix::text, CASE WHEN f.delegated_prefix IS NULL THEN f.delegated_pool END);
    END IF;
    RETURN format(
        E'\x1f\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s;%s\x1f%s\x1f%s\x1f%s',
        f.nas_type, f.r1, host(f.framed_ip), f.framed_pool,
        least(seconds, f.profile_timeout, f.policy_timeout), f.interim_seconds, f.idle_timeout,
        -- What settling compares with Account.wanted, which it may be about to change.
        gen_random_uuid(), CASE WHEN f.wanted ^@ (context || ':') THEN f.wanted ELSE context END,
        handed, rare, aaa_open(f.password, 'aaa_account.password:' || f.tenant_id));
END $$;
