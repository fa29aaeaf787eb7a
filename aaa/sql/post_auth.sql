-- Log what became of a log-in, and hold a place for the session of an accepted one. '' is "leave it so"; after an
-- accept a reason is "refuse after all": sessions, when another log-in took the last place since aaa_authorize looked;
-- mac, when another device was learned since.
CREATE FUNCTION aaa_post_auth(nas text, login text, station text, class text, result text, reason text, source text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    held CONSTANT interval := '60 seconds';
    counted_together CONSTANT interval := '5 minutes';
    key text := lower(login COLLATE pg_unicode_fast);
    this_station text := aaa_station(station);
    token uuid := nullif(left(aaa_class(class), 36), '')::uuid;
    accepted boolean := result IN ('accept', 'Access-Accept');
    verdict text := '';
    a record;
    same_at timestamptz;
    same_id uuid;
BEGIN
    -- A crash may lose the last attempts of the log; nothing else here must outlive one.
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR attempt IN 1..2 LOOP
        SELECT q.tenant_id, q.nas_id, q.own_id, q.last_auth_at, q.realm, c.id, c.calling_station_key, p.mac_lock,
               p.interim_seconds, coalesce(c.max_sessions, p.max_sessions) AS max_sessions
        INTO a
        FROM aaa_asked(nas, login) AS q
        LEFT JOIN aaa_account AS c ON c.tenant_id = q.tenant_id AND c.username_key = key
        LEFT JOIN aaa_serviceprofile AS p ON p.id = c.service_profile_id;
        EXIT WHEN a.id IS NOT NULL OR a.realm IS NULL;
        key := regexp_replace(key, '@[^@]*$', '');
    END LOOP;
    IF a.tenant_id IS NULL THEN
        RETURN '';
    END IF;
    IF accepted AND a.max_sessions > 0 THEN
        -- One log-in of an account at a time; the count below sees what the one before reserved.
        PERFORM pg_advisory_xact_lock(hashtextextended(a.id::text, 0));
        IF aaa_others(a.tenant_id, a.id, this_station, now() - make_interval(secs => 3 * a.interim_seconds))
           >= a.max_sessions THEN
            verdict := 'sessions';
        ELSE
            INSERT INTO aaa_reservation (account_id, station_key, expires_at)
            VALUES (a.id, coalesce(nullif(this_station, ''), '-' || token, '-'), now() + held)
            ON CONFLICT (account_id, station_key) DO UPDATE SET expires_at = excluded.expires_at;
        END IF;
    END IF;
    IF accepted AND verdict = '' AND a.mac_lock = 'learn' AND a.calling_station_key = '' AND this_station <> '' THEN
        UPDATE aaa_account AS c
        SET calling_station_id = station, calling_station_key = this_station, updated_at = now()
        WHERE c.id = a.id AND c.calling_station_key = '';
        IF NOT FOUND AND NOT EXISTS (
            SELECT FROM aaa_account AS c WHERE c.id = a.id AND c.calling_station_key IN ('', this_station))
        THEN
            verdict := 'mac';
        END IF;
    END IF;
    IF verdict <> '' THEN
        accepted := false;
        reason := verdict;
    ELSIF accepted THEN
        reason := '';
    ELSIF reason = '' THEN
        reason := 'password';
    END IF;
    IF NOT accepted THEN
        -- A device that keeps trying with the wrong password is one line of the log, not thousands.
        SELECT t.at, t.id INTO same_at, same_id FROM aaa_authattempt AS t
        WHERE t.tenant_id = a.tenant_id AND t.username_key = key AND t.at > now() - counted_together
          AND t.nas_id = a.nas_id AND t.reason = aaa_post_auth.reason AND NOT t.accepted
        ORDER BY t.at DESC LIMIT 1;
    END IF;
    IF same_id IS NOT NULL THEN
        UPDATE aaa_authattempt AS t SET times = t.times + 1, last_at = now()
        WHERE t.tenant_id = a.tenant_id AND t.at = same_at AND t.id = same_id;
    ELSE
        INSERT INTO aaa_authattempt (id, tenant_id, at, last_at, times, account_id, nas_id, username, username_key,
                                     station, accepted, reason, class_token, source)
        VALUES (uuidv7(), a.tenant_id, now(), now(), 1, a.id, a.nas_id, login, key, station, accepted, left(reason, 10),
                CASE WHEN accepted THEN token END, nullif(source, '')::inet);
    END IF;
    IF a.last_auth_at IS NULL OR a.last_auth_at < now() - interval '1 minute' THEN
        -- Whoever comes first notes it; the others do not wait for that.
        UPDATE aaa_nas SET last_auth_at = now()
        WHERE id IN (SELECT n.id FROM aaa_nas AS n WHERE n.id IN (a.own_id, a.nas_id) FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN verdict;
END $$;
