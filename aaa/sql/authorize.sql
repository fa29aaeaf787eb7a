-- May this log-in have a session, and what does the NAS get to hear? One row, for FreeRADIUS' sql_map. `reason` '' is
-- "go on and check the password"; else it names the first of: unknown, disabled, expired, quota, blocked, mac,
-- sessions, and `message` says it in plain words. Writes nothing. What is absent is NULL, which rlm_sql makes ''.
--
-- `nas` is the id of the client whose secret signed the packet. Nothing the packet says of itself decides whose
-- customer is meant.
CREATE FUNCTION aaa_authorize(nas text, login text, station text, called text, nas_port_type text,
    OUT reason text, OUT message text, OUT password text, OUT nas_type text,
    OUT r1 text, OUT r2 text, OUT r3 text, OUT r4 text, OUT r5 text, OUT r6 text,
    OUT framed_ip text, OUT framed_pool text, OUT framed_ipv6_prefix text, OUT framed_ipv6_pool text,
    OUT delegated_prefix text, OUT delegated_pool text,
    OUT session_timeout text, OUT interim text, OUT idle_timeout text, OUT class text, OUT context text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    most_seconds CONSTANT int := 31622400;  -- 366 days; the attribute would hold more, not every NAS does
    key text := lower(login COLLATE pg_unicode_fast);
    this_station text := aaa_station(station);
    a record;
    rules record;
    bar text;
    policy uuid;
    most_sessions int;
    policy_timeout int;
    address inet;
    seconds bigint;
BEGIN
    reason := '';
    message := '';
    FOR attempt IN 1..2 LOOP
        SELECT q.tenant_id, q.nas_type, q.realm, c.id, c.password, c.enabled, c.expires_at, c.uncapped_data,
               c.calling_station_key, c.pool_id, c.blocked_reason, c.over_cap, c.throttle_policy_id, c.wanted,
               coalesce(c.static_ip4, c.assigned_ip4) AS ip4,
               coalesce(c.framed_ipv6_prefix, c.assigned_ipv6_prefix) AS prefix,
               coalesce(c.delegated_prefix, c.assigned_delegated_prefix) AS delegated,
               coalesce(c.max_sessions, p.max_sessions) AS max_sessions,
               p.interim_seconds, p.session_timeout, p.idle_timeout, p.framed_pool, p.ipv6_pool, p.delegated_pool, p.mac_lock,
               s.used_bytes, s.allowance_bytes, s.period_ends_at,
               given.session_timeout AS policy_timeout, reply.r1, reply.r2, reply.r3, reply.r4, reply.r5, reply.r6
        INTO a
        FROM aaa_asked(nas, login) AS q
        LEFT JOIN aaa_account AS c ON c.tenant_id = q.tenant_id AND c.username_key = key
        LEFT JOIN aaa_serviceprofile AS p ON p.id = c.service_profile_id
        LEFT JOIN aaa_accountstate AS s ON s.tenant_id = c.tenant_id AND s.account_id = c.id
        LEFT JOIN aaa_policy AS given ON given.id = c.policy_id
        LEFT JOIN aaa_policyreply AS reply
            ON reply.tenant_id = c.tenant_id AND reply.policy_id = c.policy_id AND reply.nas_type = q.nas_type;
        EXIT WHEN a.id IS NOT NULL OR a.realm IS NULL;
        -- The guest may keep its user names without the realm that leads to them.
        key := regexp_replace(key, '@[^@]*$', '');
    END LOOP;
    nas_type := a.nas_type;
    context := 'active';
    most_sessions := a.max_sessions;
    IF a.id IS NULL THEN
        reason := 'unknown';
    ELSIF NOT a.enabled THEN
        reason := 'disabled';
    ELSE
        IF a.expires_at <= now() THEN
            SELECT * INTO rules FROM aaa_radiussettings AS r WHERE r.tenant_id = a.tenant_id;
            IF rules.expired = 'garden' THEN
                context := 'expired';
            ELSE
                reason := 'expired';
            END IF;
        ELSIF a.used_bytes >= a.allowance_bytes AND NOT a.uncapped_data
              AND (a.period_ends_at IS NULL OR a.period_ends_at > now()) THEN
            IF a.over_cap = 'throttle' THEN
                context := 'throttled';
                policy := a.throttle_policy_id;
            ELSE
                reason := 'quota';
            END IF;
        END IF;
        IF reason = '' AND context <> 'expired' AND a.blocked_reason <> '' THEN
            SELECT * INTO rules FROM aaa_radiussettings AS r WHERE r.tenant_id = a.tenant_id;
            bar := CASE
                WHEN a.blocked_reason = 'non_payment' THEN rules.unpaid
                -- A line that has not begun, or is over, has no garden.
                WHEN a.blocked_reason IN ('draft', 'pending_installation', 'terminated', 'cancelled') THEN 'reject'
                ELSE rules.suspended
            END;
            IF bar = 'garden' THEN
                context := 'blocked';
            ELSE
                reason := 'blocked';
            END IF;
        END IF;
        IF reason = '' AND a.mac_lock <> 'none' AND a.calling_station_key NOT IN ('', this_station) THEN
            reason := 'mac';
        END IF;
        IF reason = '' AND most_sessions > 0
           AND aaa_others(a.tenant_id, a.id, this_station, now() - make_interval(secs => 3 * a.interim_seconds))
               >= most_sessions THEN
            reason := 'sessions';
        END IF;
    END IF;
    IF reason <> '' THEN
        SELECT coalesce(
            r.messages ->> reason,
            CASE reason
                WHEN 'unknown' THEN 'Unknown user name or wrong password'
                WHEN 'disabled' THEN 'This account is switched off'
                WHEN 'expired' THEN 'This account has expired'
                WHEN 'quota' THEN 'Account credits depleted'
                WHEN 'blocked' THEN
                    CASE a.blocked_reason
                        WHEN 'non_payment' THEN 'Service suspended for non-payment'
                        WHEN 'draft' THEN 'Service not active yet'
                        WHEN 'pending_installation' THEN 'Service not active yet'
                        WHEN 'terminated' THEN 'Service ended'
                        WHEN 'cancelled' THEN 'Service ended'
                        ELSE 'Service suspended'
                    END
                WHEN 'mac' THEN 'This account belongs to another device'
                WHEN 'sessions' THEN 'Already connected as often as the account allows'
            END)
        INTO message
        FROM (SELECT) AS one LEFT JOIN aaa_radiussettings AS r ON r.tenant_id = a.tenant_id;
        context := NULL;
        RETURN;
    END IF;

    password := aaa_open(a.password, 'aaa_account.password:' || a.tenant_id);
    IF context IN ('blocked', 'expired') THEN
        -- Rate, filter and address list are the garden's; no IPv6, which would lead around it.
        policy := rules.garden_policy_id;
        framed_pool := nullif(rules.garden_pool, '');
    ELSE
        framed_ipv6_prefix := a.prefix::text;
        delegated_prefix := a.delegated::text;
        IF a.prefix IS NULL THEN
            framed_ipv6_pool := nullif(a.ipv6_pool, '');
        END IF;
        IF a.delegated IS NULL THEN
            delegated_pool := nullif(a.delegated_pool, '');
        END IF;
    END IF;
    IF framed_pool IS NULL THEN
        IF a.ip4 IS NOT NULL THEN
            framed_ip := host(a.ip4);
        ELSIF a.pool_id IS NOT NULL THEN
            SELECT pool.name INTO framed_pool FROM ipam_pool AS pool WHERE pool.id = a.pool_id;
        ELSE
            framed_pool := nullif(a.framed_pool, '');
        END IF;
    END IF;
    IF context = 'active' THEN
        r1 := a.r1;
        r2 := a.r2;
        r3 := a.r3;
        r4 := a.r4;
        r5 := a.r5;
        r6 := a.r6;
        policy_timeout := a.policy_timeout;
    ELSE
        SELECT reply.r1, reply.r2, reply.r3, reply.r4, reply.r5, reply.r6, given.session_timeout
        INTO r1, r2, r3, r4, r5, r6, policy_timeout
        FROM aaa_policy AS given
        LEFT JOIN aaa_policyreply AS reply
            ON reply.tenant_id = given.tenant_id AND reply.policy_id = given.id AND reply.nas_type = a.nas_type
        WHERE given.id = policy;
    END IF;
    seconds := least(a.session_timeout, policy_timeout);
    IF a.expires_at > now() THEN
        -- Not all at the same second, should many expire together: they would all dial again at once.
        seconds := least(seconds, ceil(extract(epoch FROM a.expires_at - now()))::bigint + floor(random() * 300)::int);
    END IF;
    session_timeout := least(seconds, most_seconds)::text;
    IF seconds IS NULL THEN
        session_timeout := NULL;
    END IF;
    interim := a.interim_seconds::text;
    idle_timeout := a.idle_timeout::text;
    -- What settling compares with Account.wanted, which it may be about to change.
    class := gen_random_uuid() || ';' || CASE WHEN a.wanted ^@ (context || ':') THEN a.wanted ELSE context END;
END $$;
