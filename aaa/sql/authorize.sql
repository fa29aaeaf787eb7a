-- May this log-in have a session, and what does the NAS get to hear? One row, for FreeRADIUS' sql_map. `reason` '' is
-- "go on and check the password"; else it names the first of: unknown, disabled, expired, quota, blocked, mac,
-- sessions, and `message` says it in plain words. Writes nothing. What is absent is NULL, which rlm_sql makes ''.
--
-- `nas` is the id of the client whose secret signed the packet. Nothing the packet says of itself decides whose
-- customer is meant. `handed` is for aaa_post_auth alone: what it would have to look up again.
--
-- PL/pgSQL prepares each expression anew in each transaction, which costs more than what most of them do. So the
-- look-up computes what an account that nothing bars gets, right into the answer.
CREATE FUNCTION aaa_authorize(nas text, login text, station text, called text, nas_port_type text,
    OUT reason text, OUT message text, OUT password text, OUT nas_type text,
    OUT r1 text, OUT r2 text, OUT r3 text, OUT r4 text, OUT r5 text, OUT r6 text,
    OUT framed_ip text, OUT framed_pool text, OUT framed_ipv6_prefix text, OUT framed_ipv6_pool text,
    OUT delegated_prefix text, OUT delegated_pool text,
    OUT session_timeout text, OUT interim text, OUT idle_timeout text, OUT class text, OUT context text,
    OUT handed text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    most_seconds CONSTANT int := 31622400;  -- 366 days; the attribute would hold more, not every NAS does
    key text := lower(login COLLATE pg_unicode_fast);
    this_station text := aaa_station(station);
    rules record;
    tenant uuid;
    account uuid;
    realm text;
    sealed text;
    enabled boolean;
    is_over boolean;
    is_used_up boolean;
    over_cap text;
    slower uuid;
    blocked_reason text;
    other_device boolean;
    named_pool uuid;
    most_sessions int;
    since timestamptz;
    expires_at timestamptz;
    wanted text;
    profile_timeout int;
    bar text;
    policy uuid;
    policy_timeout int;
    seconds bigint;
BEGIN
    FOR attempt IN 1..2 LOOP
        SELECT '', '', 'active', q.tenant_id, q.nas_type, q.realm, c.id, c.password, c.enabled, c.expires_at <= now(),
               s.used_bytes >= s.allowance_bytes AND NOT c.uncapped_data
                   AND (s.period_ends_at IS NULL OR s.period_ends_at > now()),
               c.over_cap, c.throttle_policy_id, c.blocked_reason,
               p.mac_lock <> 'none' AND c.calling_station_key NOT IN ('', this_station),
               coalesce(c.max_sessions, p.max_sessions), now() - make_interval(secs => 3 * p.interim_seconds),
               c.expires_at, p.session_timeout, given.session_timeout, c.wanted,
               reply.r1, reply.r2, reply.r3, reply.r4, reply.r5, reply.r6,
               host(coalesce(c.static_ip4, c.assigned_ip4)),
               CASE WHEN coalesce(c.static_ip4, c.assigned_ip4) IS NULL AND c.pool_id IS NULL
                    THEN nullif(p.framed_pool, '') END,
               CASE WHEN coalesce(c.static_ip4, c.assigned_ip4) IS NULL THEN c.pool_id END,
               coalesce(c.framed_ipv6_prefix, c.assigned_ipv6_prefix)::text,
               CASE WHEN coalesce(c.framed_ipv6_prefix, c.assigned_ipv6_prefix) IS NULL THEN nullif(p.ipv6_pool, '') END,
               coalesce(c.delegated_prefix, c.assigned_delegated_prefix)::text,
               CASE WHEN coalesce(c.delegated_prefix, c.assigned_delegated_prefix) IS NULL
                    THEN nullif(p.delegated_pool, '') END,
               CASE WHEN coalesce(p.session_timeout, given.session_timeout) IS NOT NULL OR c.expires_at IS NOT NULL
                    THEN least(p.session_timeout, given.session_timeout, most_seconds,
                    -- Not all at the same second, should many expire together: they would all dial again at once.
                    ceil(extract(epoch FROM c.expires_at - now()))::bigint + floor(random() * 300)::int) END::text,
               p.interim_seconds::text, p.idle_timeout::text,
               -- What settling compares with Account.wanted, which it may be about to change.
               gen_random_uuid() || ';' || CASE WHEN c.wanted ^@ 'active:' THEN c.wanted ELSE 'active' END,
               -- See aaa_post_auth.
               c.tenant_id || '|' || c.id || '|' || q.nas_id || '|' || q.own_id || '|'
                   || coalesce(c.max_sessions, p.max_sessions) || '|' || p.interim_seconds || '|'
                   || CASE WHEN p.mac_lock = 'learn' AND c.calling_station_key = '' THEN 'learn' ELSE '' END || '|'
                   || CASE WHEN q.last_auth_at > now() - interval '1 minute' THEN 'seen' ELSE '' END || '|'
                   || CASE WHEN attempt = 2 THEN 'bare' ELSE '' END
        INTO reason, message, context, tenant, nas_type, realm, account, sealed, enabled, is_over,
             is_used_up, over_cap, slower, blocked_reason, other_device, most_sessions, since,
             expires_at, profile_timeout, policy_timeout, wanted, r1, r2, r3, r4, r5, r6,
             framed_ip, framed_pool, named_pool, framed_ipv6_prefix, framed_ipv6_pool,
             delegated_prefix, delegated_pool, session_timeout, interim, idle_timeout, class, handed
        FROM aaa_asked(nas, login) AS q
        LEFT JOIN aaa_account AS c ON c.tenant_id = q.tenant_id AND c.username_key = key
        LEFT JOIN aaa_serviceprofile AS p ON p.id = c.service_profile_id
        LEFT JOIN aaa_accountstate AS s ON s.tenant_id = c.tenant_id AND s.account_id = c.id
        LEFT JOIN aaa_policy AS given ON given.id = c.policy_id
        LEFT JOIN aaa_policyreply AS reply
            ON reply.tenant_id = c.tenant_id AND reply.policy_id = c.policy_id AND reply.nas_type = q.nas_type;
        EXIT WHEN account IS NOT NULL OR realm IS NULL;
        -- The guest may keep its user names without the realm that leads to them.
        key := regexp_replace(key, '@[^@]*$', '');
    END LOOP;
    IF account IS NULL THEN
        reason := 'unknown';
        handed := NULL;
    ELSIF NOT enabled THEN
        reason := 'disabled';
    ELSE
        IF is_over THEN
            SELECT * INTO rules FROM aaa_radiussettings AS r WHERE r.tenant_id = tenant;
            IF rules.expired = 'garden' THEN
                context := 'expired';
            ELSE
                reason := 'expired';
            END IF;
        ELSIF is_used_up THEN
            IF over_cap = 'throttle' THEN
                context := 'throttled';
                policy := slower;
            ELSE
                reason := 'quota';
            END IF;
        END IF;
        IF blocked_reason <> '' AND reason = '' AND context <> 'expired' THEN
            SELECT * INTO rules FROM aaa_radiussettings AS r WHERE r.tenant_id = tenant;
            bar := CASE
                WHEN blocked_reason = 'non_payment' THEN rules.unpaid
                -- A line that has not begun, or is over, has no garden.
                WHEN blocked_reason IN ('draft', 'pending_installation', 'terminated', 'cancelled') THEN 'reject'
                ELSE rules.suspended
            END;
            IF bar = 'garden' THEN
                context := 'blocked';
            ELSE
                reason := 'blocked';
            END IF;
        END IF;
        IF other_device AND reason = '' THEN
            reason := 'mac';
        END IF;
        IF most_sessions > 0 AND reason = '' AND aaa_others(tenant, account, this_station, since) >= most_sessions THEN
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
                    CASE blocked_reason
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
        FROM (SELECT) AS one LEFT JOIN aaa_radiussettings AS r ON r.tenant_id = tenant;
        SELECT INTO r1, r2, r3, r4, r5, r6, framed_ip, framed_pool, framed_ipv6_prefix, framed_ipv6_pool,
            delegated_prefix, delegated_pool, session_timeout, interim, idle_timeout, class, context;
        RETURN;
    END IF;

    password := aaa_open(sealed, 'aaa_account.password:' || tenant);
    IF named_pool IS NOT NULL THEN
        SELECT pool.name INTO framed_pool FROM ipam_pool AS pool WHERE pool.id = named_pool;
    END IF;
    IF context = 'active' THEN
        RETURN;
    END IF;
    IF context <> 'throttled' THEN
        -- Rate, filter and address list are the garden's; no IPv6, which would lead around it.
        policy := rules.garden_policy_id;
        SELECT INTO framed_ipv6_prefix, framed_ipv6_pool, delegated_prefix, delegated_pool;
        IF rules.garden_pool <> '' THEN
            framed_pool := rules.garden_pool;
            framed_ip := NULL;
        END IF;
    END IF;
    SELECT reply.r1, reply.r2, reply.r3, reply.r4, reply.r5, reply.r6, given.session_timeout
    INTO r1, r2, r3, r4, r5, r6, policy_timeout
    FROM aaa_policy AS given
    LEFT JOIN aaa_policyreply AS reply
        ON reply.tenant_id = given.tenant_id AND reply.policy_id = given.id AND reply.nas_type = aaa_authorize.nas_type
    WHERE given.id = policy;
    seconds := least(profile_timeout, policy_timeout, most_seconds);
    session_timeout := CASE
        WHEN expires_at > now()
        THEN least(seconds, ceil(extract(epoch FROM expires_at - now()))::bigint + floor(random() * 300)::int)
        WHEN coalesce(profile_timeout, policy_timeout) IS NOT NULL THEN seconds
    END::text;
    class := left(class, 37) || CASE WHEN wanted ^@ (context || ':') THEN wanted ELSE context END;
END $$;
