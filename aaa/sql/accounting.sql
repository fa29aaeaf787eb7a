-- Take in one accounting packet (RFC 2866). All texts, '' for what is absent; 1 is "taken", 0 "no such NAS". Commits
-- with the caller's statement: FreeRADIUS answers the NAS after that.
--
-- Any order and any repetition of one session's packets leaves the same totals: what counts is the session's age in a
-- packet, not when it came; counters never fall; a Stop is final only against packets of a younger session.
CREATE FUNCTION aaa_accounting(nas text, kind text, session_id text, class text, login text, station text, called text,
    nas_port_id text, framed_ip text, framed_ipv6_prefix text, delegated_prefix text, session_time text,
    in_octets text, out_octets text, in_giga text, out_giga text,
    in6_octets text, out6_octets text, in6_giga text, out6_giga text,
    event_epoch text, delay text, cause text, nas_ip text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    spooled_at_most CONSTANT interval := '7 days';
    ahead_at_most CONSTANT interval := '60 seconds';
    oldest_session CONSTANT int := 366 * 86400;
    moved_after CONSTANT interval := '15 minutes';  -- aaa_move_closed
    q record;
    s aaa_session;
    a record;
    -- In a variable of its own: compared with an expression of another collation, the column's index would not serve.
    login_key text := lower(login COLLATE pg_unicode_fast);
    told text := aaa_class(class);
    token uuid := nullif(left(told, 36), '')::uuid;
    key uuid;
    at timestamptz;
    seconds bigint := nullif(session_time, '')::bigint;
    began timestamptz;
    since timestamptz;
    age bigint;
    is_new boolean := false;
    gigawords boolean;
    r_in bigint;
    r_out bigint;
    r_in6 bigint;
    r_out6 bigint;
    d_in4 bigint := 0;
    d_out4 bigint := 0;
    d_in6 bigint := 0;
    d_out6 bigint := 0;
    used bigint;
    ran_out boolean;
    is_usual boolean := false;
    is_written boolean;
    durability text;
    was_there boolean;
BEGIN
    -- The NAS' clock is believed within bounds only (radius packets can wait in a spool for days).
    at := least(greatest(
        CASE
            WHEN event_epoch <> '' THEN to_timestamp(event_epoch::bigint)
            ELSE now() - make_interval(secs => coalesce(nullif(delay, '')::bigint, 0))
        END, now() - spooled_at_most), now() + ahead_at_most);
    IF kind <> 'Stop' THEN
        -- What a crash loses of it, within half a second, the next report or the Stop brings again: a session that is
        -- not known is begun by any of its packets, at its age. After the Stop there is none.
        durability := set_config('synchronous_commit', 'off', true);
    END IF;

    IF session_time <> '' AND in_octets <> '' AND out_octets <> '' AND kind IN ('Interim-Update', 'Stop') THEN
        -- What nearly every report is: of a session that is known, later than the one before, and a little higher. In
        -- one statement, because each costs more to prepare than what it does. Any other is gone through below.
        r_in := aaa_octets(in_octets, in_giga);
        r_out := aaa_octets(out_octets, out_giga);
        UPDATE aaa_session AS o SET
            last_event_at = greatest(o.last_event_at, at), last_seen_at = now(), session_seconds = seconds,
            stopped_at = CASE WHEN kind = 'Stop' THEN at END,
            ended_by = CASE WHEN kind = 'Stop' THEN 'stop' ELSE '' END,
            terminate_cause = CASE WHEN kind = 'Stop' THEN left(cause, 40) ELSE o.terminate_cause END,
            in4_bytes = o.in4_bytes + r_in - o.last_in, out4_bytes = o.out4_bytes + r_out - o.last_out,
            counted_at = greatest(o.counted_at, at), counted_seconds = seconds, last_in = r_in, last_out = r_out,
            total_in = o.total_in + r_in - o.last_in, total_out = o.total_out + r_out - o.last_out
        FROM aaa_asked(nas, login) AS asked, aaa_account AS c, aaa_accountstate AS t
        WHERE o.tenant_id = asked.tenant_id
          AND o.unique_key = md5(asked.nas_id || '|' || session_id || '|' || coalesce(token::text, ''))::uuid
          AND c.id = o.account_id AND t.tenant_id = o.tenant_id AND t.account_id = o.account_id
          AND asked.octets_mode = 'combined' AND NOT asked.swaps_octets AND asked.last_acct_at IS NOT NULL
          AND (asked.sends_gigawords OR in_giga = '' AND out_giga = '')
          AND o.stopped_at IS NULL AND seconds > greatest(o.session_seconds, o.counted_seconds)
          AND seconds <= oldest_session
          AND r_in >= o.last_in AND r_out >= o.last_out AND o.in4_bytes = o.total_in AND o.out4_bytes = o.total_out
          AND (token IS NOT NULL OR abs(extract(epoch FROM at - o.started_at) - seconds) <= 600)
          AND (aaa_accounting.framed_ip = '' OR aaa_accounting.framed_ip = host(o.framed_ip))
          AND (aaa_accounting.framed_ipv6_prefix = '' OR o.framed_ipv6_prefix IS NOT NULL)
          AND (aaa_accounting.delegated_prefix = '' OR o.delegated_prefix IS NOT NULL)
        RETURNING o.tenant_id, o.account_id, o.nas_id,
            CASE WHEN asked.last_acct_at < now() - interval '1 minute' THEN asked.own_id END AS stale_nas_id,
            o.framed_ip, o.station_key, o.class_token, old.counted_at AS since,
            r_in - old.last_in AS in4, r_out - old.last_out AS out4, c.timezone,
            NOT c.uncapped_data AND t.allowance_bytes IS NOT NULL AS counts, t.last_seen_at
        INTO a;
        is_usual := FOUND;
    END IF;

    IF is_usual THEN
        used := a.in4 + a.out4;
        IF a.stale_nas_id IS NOT NULL THEN
            UPDATE aaa_nas SET last_acct_at = now()
            WHERE id IN (SELECT n.id FROM aaa_nas AS n WHERE n.id IN (a.stale_nas_id, a.nas_id) FOR UPDATE SKIP LOCKED);
        END IF;
    ELSE
        SELECT * INTO q FROM aaa_asked(nas, login);
        IF NOT FOUND THEN
            RETURN 0;
        END IF;
        gigawords := q.sends_gigawords OR in_giga <> '' OR out_giga <> '';
        IF q.last_acct_at IS NULL OR q.last_acct_at < now() - interval '1 minute' OR gigawords <> q.sends_gigawords THEN
            -- Whoever comes first notes it; the others do not wait for that.
            UPDATE aaa_nas SET last_acct_at = now(), sends_gigawords = gigawords
            WHERE id IN (SELECT n.id FROM aaa_nas AS n WHERE n.id IN (q.own_id, q.nas_id) FOR UPDATE SKIP LOCKED);
        END IF;

        IF kind IN ('Accounting-On', 'Accounting-Off') THEN
            -- It has forgotten its sessions, a guest's as well. They ended when they were last heard of.
            UPDATE aaa_session AS o
            SET stopped_at = o.last_event_at, ended_by = 'nas', terminate_cause = 'NAS-Reboot'
            FROM (SELECT n.tenant_id, n.id FROM aaa_nas AS n WHERE n.id = q.own_id
                  UNION ALL
                  SELECT g.guest_id, g.guest_nas_id FROM aaa_nasrealm AS g WHERE g.nas_id = q.own_id) AS told_by
            WHERE o.tenant_id = told_by.tenant_id AND o.nas_id = told_by.id AND o.stopped_at IS NULL
              AND o.started_at < at AND o.last_event_at < at;
            RETURN 1;
        END IF;

        IF kind = 'Start' THEN
            seconds := coalesce(seconds, 0);
        END IF;
        seconds := least(greatest(seconds, 0), oldest_session);
        began := at - make_interval(secs => coalesce(seconds, 0));
        key := md5(q.nas_id || '|' || session_id || '|' || coalesce(token::text, ''))::uuid;
        FOR attempt IN 1..5 LOOP
            SELECT * INTO s FROM aaa_session AS o WHERE o.tenant_id = q.tenant_id AND o.unique_key = key FOR UPDATE;
            IF NOT FOUND AND began < now() - moved_after THEN
                -- It may have ended long enough ago to have been moved: back with it, the sweep will move it again.
                s := aaa_bring_back(q.tenant_id, key, now() - spooled_at_most - interval '1 day');
            END IF;
            IF s.id IS NOT NULL AND token IS NULL AND seconds IS NOT NULL AND attempt < 3 THEN
                -- Without our Class a session id may be one that was used before a restart. The newest session of that
                -- name has the plain key, each older one a key with its beginning in it.
                IF began > s.last_event_at + interval '1 minute' AND began > s.started_at + interval '10 minutes' THEN
                    UPDATE aaa_session AS o
                    SET unique_key = aaa_older_key(key, s.started_at),
                        stopped_at = coalesce(s.stopped_at, s.last_event_at),
                        ended_by = coalesce(nullif(s.ended_by, ''), 'replaced')
                    WHERE o.id = s.id;
                    s := NULL;
                ELSIF began < s.started_at - interval '10 minutes' THEN
                    key := aaa_older_key(key, began);
                    s := NULL;
                    CONTINUE;
                END IF;
            END IF;
            EXIT WHEN s.id IS NOT NULL;

            s.id := uuidv7();
            SELECT c.id INTO s.account_id FROM aaa_account AS c
            WHERE c.tenant_id = q.tenant_id AND c.username_key = login_key;
            IF s.account_id IS NULL AND q.realm IS NOT NULL THEN
                SELECT c.id INTO s.account_id FROM aaa_account AS c
                WHERE c.tenant_id = q.tenant_id
                  AND c.username_key = regexp_replace(login_key, '@[^@]*$', '');
            END IF;
            INSERT INTO aaa_session (
                id, tenant_id, account_id, nas_id, unique_key, acct_session_id, class_token, username, station,
                station_key, called, nas_port_id, nas_ip_reported, framed_ip, framed_ipv6_prefix, delegated_prefix,
                started_at, last_event_at, last_seen_at, stopped_at, ended_by, terminate_cause, context, applied,
                session_seconds, in4_bytes, out4_bytes, in6_bytes, out6_bytes,
                counted_at, counted_seconds, last_in, last_out, last_in6, last_out6, total_in, total_out)
            VALUES (
                s.id, q.tenant_id, s.account_id, q.nas_id, key, session_id, token, login, station, aaa_station(station),
                called, nas_port_id, nullif(nas_ip, '')::inet, nullif(framed_ip, '')::inet,
                nullif(framed_ipv6_prefix, '')::inet, nullif(delegated_prefix, '')::inet,
                began, at, now(), CASE WHEN kind = 'Stop' THEN at END, CASE WHEN kind = 'Stop' THEN 'stop' ELSE '' END,
                CASE WHEN kind = 'Stop' THEN left(cause, 40) ELSE '' END,
                CASE WHEN told = '' THEN 'active' ELSE left(split_part(substr(told, 38), ':', 1), 9) END,
                substr(told, 38),
                coalesce(seconds, 0), 0, 0, 0, 0, began, -1, 0, 0, 0, 0, 0, 0)
            ON CONFLICT (tenant_id, unique_key) DO NOTHING
            RETURNING * INTO s;
            is_new := s.id IS NOT NULL;
            EXIT WHEN is_new;  -- Else another packet of it came in between.
        END LOOP;

        r_in := aaa_octets(in_octets, in_giga);
        r_out := aaa_octets(out_octets, out_giga);
        IF q.octets_mode <> 'combined' THEN
            r_in6 := aaa_octets(in6_octets, in6_giga);
            r_out6 := aaa_octets(out6_octets, out6_giga);
        END IF;
        IF q.swaps_octets THEN
            SELECT r_out, r_in, r_out6, r_in6 INTO r_in, r_out, r_in6, r_out6;
        END IF;

        IF seconds IS NULL THEN
            seconds := greatest(extract(epoch FROM at - s.started_at)::bigint, 0);
        END IF;
        age := seconds - s.counted_seconds;
        IF coalesce(r_in, r_out, r_in6, r_out6) IS NOT NULL THEN
            since := CASE WHEN age < 0 THEN at ELSE s.counted_at END;
            d_in4 := s.in4_bytes;
            d_out4 := s.out4_bytes;
            d_in6 := s.in6_bytes;
            d_out6 := s.out6_bytes;
            s.total_in := aaa_advance(s.total_in, s.last_in, r_in, age, gigawords);
            s.total_out := aaa_advance(s.total_out, s.last_out, r_out, age, gigawords);
            IF coalesce(r_in6, r_out6) IS NOT NULL THEN
                s.in6_bytes := aaa_advance(s.in6_bytes, s.last_in6, r_in6, age, gigawords);
                s.out6_bytes := aaa_advance(s.out6_bytes, s.last_out6, r_out6, age, gigawords);
                s.last_in6 := aaa_taken(s.last_in6, r_in6, age);
                s.last_out6 := aaa_taken(s.last_out6, r_out6, age);
            END IF;
            IF q.octets_mode = 'v6_included' THEN
                s.in4_bytes := greatest(s.in4_bytes, s.total_in - s.in6_bytes);
                s.out4_bytes := greatest(s.out4_bytes, s.total_out - s.out6_bytes);
            ELSE
                s.in4_bytes := greatest(s.in4_bytes, s.total_in);
                s.out4_bytes := greatest(s.out4_bytes, s.total_out);
            END IF;
            d_in4 := s.in4_bytes - d_in4;
            d_out4 := s.out4_bytes - d_out4;
            d_in6 := s.in6_bytes - d_in6;
            d_out6 := s.out6_bytes - d_out6;
            s.last_in := aaa_taken(s.last_in, r_in, age);
            s.last_out := aaa_taken(s.last_out, r_out, age);
            IF age >= 0 THEN
                s.counted_seconds := seconds;
                s.counted_at := greatest(s.counted_at, at);
            END IF;
        END IF;
        used := d_in4 + d_out4 + d_in6 + d_out6;

        IF NOT is_new THEN
            IF kind = 'Stop' AND seconds >= s.session_seconds THEN
                IF s.ended_by <> 'stop' THEN
                    s.stopped_at := at;
                    s.ended_by := CASE WHEN s.ended_by = 'disconnect' THEN s.ended_by ELSE 'stop' END;
                    s.terminate_cause := left(cause, 40);
                END IF;
            ELSIF kind <> 'Stop' AND s.stopped_at IS NOT NULL AND seconds > s.session_seconds THEN
                -- It lives after all.
                s.stopped_at := NULL;
                s.ended_by := '';
                s.terminate_cause := '';
            END IF;
            UPDATE aaa_session AS o SET
                framed_ip = CASE
                    WHEN aaa_accounting.framed_ip <> '' AND (o.framed_ip IS NULL OR seconds >= o.session_seconds)
                    THEN aaa_accounting.framed_ip::inet ELSE o.framed_ip END,
                framed_ipv6_prefix = coalesce(
                    o.framed_ipv6_prefix, nullif(aaa_accounting.framed_ipv6_prefix, '')::inet),
                delegated_prefix = coalesce(o.delegated_prefix, nullif(aaa_accounting.delegated_prefix, '')::inet),
                last_event_at = greatest(o.last_event_at, at), last_seen_at = now(),
                session_seconds = greatest(o.session_seconds, seconds),
                stopped_at = s.stopped_at, ended_by = s.ended_by, terminate_cause = s.terminate_cause,
                in4_bytes = s.in4_bytes, out4_bytes = s.out4_bytes, in6_bytes = s.in6_bytes, out6_bytes = s.out6_bytes,
                counted_at = s.counted_at, counted_seconds = s.counted_seconds,
                last_in = s.last_in, last_out = s.last_out, last_in6 = s.last_in6,
                last_out6 = s.last_out6, total_in = s.total_in, total_out = s.total_out
            WHERE o.id = s.id;
        ELSIF used > 0 OR s.counted_seconds >= 0 THEN
            UPDATE aaa_session AS o SET
                in4_bytes = s.in4_bytes, out4_bytes = s.out4_bytes, in6_bytes = s.in6_bytes, out6_bytes = s.out6_bytes,
                counted_at = s.counted_at, counted_seconds = s.counted_seconds,
                last_in = s.last_in, last_out = s.last_out, last_in6 = s.last_in6,
                last_out6 = s.last_out6, total_in = s.total_in, total_out = s.total_out
            WHERE o.id = s.id;
        END IF;
        IF is_new AND s.stopped_at IS NULL THEN
            -- A device, or an address, that begins anew on this NAS has left what it had there before. Looked for
            -- first: an UPDATE costs twice as much to prepare.
            SELECT true INTO was_there WHERE EXISTS (
                SELECT FROM aaa_session AS o
                WHERE o.tenant_id = s.tenant_id AND o.account_id = s.account_id AND o.stopped_at IS NULL
                  AND o.id <> s.id
            ) OR EXISTS (
                SELECT FROM aaa_session AS o
                WHERE o.tenant_id = s.tenant_id AND o.nas_id = s.nas_id AND o.framed_ip = s.framed_ip
                  AND o.stopped_at IS NULL AND o.id <> s.id);
            IF was_there THEN
                UPDATE aaa_session AS o SET stopped_at = o.last_event_at, ended_by = 'replaced'
                WHERE o.id IN (
                    SELECT b.id FROM aaa_session AS b
                    WHERE b.tenant_id = s.tenant_id AND b.account_id = s.account_id AND b.stopped_at IS NULL
                      AND b.nas_id = s.nas_id AND b.station_key = s.station_key AND b.nas_port_id = s.nas_port_id
                      AND s.station_key <> ''
                    UNION ALL
                    SELECT b.id FROM aaa_session AS b
                    WHERE b.tenant_id = s.tenant_id AND b.nas_id = s.nas_id AND b.framed_ip = s.framed_ip
                      AND b.stopped_at IS NULL)
                  AND o.stopped_at IS NULL
                  AND o.id <> s.id AND o.started_at < s.started_at AND o.last_event_at <= s.started_at;
            END IF;
        END IF;

        IF s.account_id IS NULL THEN
            RETURN 1;
        END IF;
        SELECT s.tenant_id, s.account_id, s.nas_id, NULL::uuid AS stale_nas_id, s.framed_ip, s.station_key,
               s.class_token, since, d_in4 AS in4, d_out4 AS out4, c.timezone,
               NOT c.uncapped_data AND t.allowance_bytes IS NOT NULL AS counts, t.last_seen_at
        INTO a
        FROM (SELECT) AS one LEFT JOIN aaa_account AS c ON c.id = s.account_id
        LEFT JOIN aaa_accountstate AS t ON t.tenant_id = c.tenant_id AND t.account_id = c.id;
    END IF;

    IF kind = 'Stop' AND seconds < 60 THEN
        -- The place held at log-in is free at once.
        DELETE FROM aaa_reservation AS o
        WHERE o.account_id = a.account_id
          AND o.station_key = coalesce(nullif(a.station_key, ''), '-' || a.class_token, '-');
    END IF;
    IF used > 0 AND a.timezone IS NOT NULL THEN
        is_written := aaa_add_usage(
            a.tenant_id, a.account_id, a.timezone, a.since, at, a.in4, a.out4, d_in6, d_out6);
    END IF;
    IF is_new OR kind = 'Stop' OR (a.counts AND used > 0) OR a.last_seen_at < now() - interval '1 hour' THEN
        UPDATE aaa_accountstate AS t SET
            last_seen_at = now(), last_nas_id = a.nas_id, last_ip = coalesce(a.framed_ip, t.last_ip),
            used_bytes = CASE WHEN a.counts THEN t.used_bytes + used ELSE t.used_bytes END,
            depleted_at = CASE WHEN a.counts AND t.depleted_at IS NULL AND t.used_bytes + used >= t.allowance_bytes
                          THEN now() ELSE t.depleted_at END
        WHERE t.tenant_id = a.tenant_id AND t.account_id = a.account_id
        RETURNING old.depleted_at IS NULL AND new.depleted_at IS NOT NULL INTO ran_out;
        IF ran_out THEN
            INSERT INTO events_event (id, tenant_id, created_at, updated_at, name, payload)
            VALUES (uuidv7(), a.tenant_id, now(), now(), 'aaa.quota_depleted',
                    jsonb_build_object('account_id', a.account_id));
        END IF;
    END IF;
    RETURN 1;
END $$;
