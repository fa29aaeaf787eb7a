-- Log what became of a log-in, and hold a place for the session of an accepted one. '' is "leave it so"; after an
-- accept a reason is "refuse after all": sessions, when another log-in took the last place since aaa_authorize looked;
-- mac, when another device was learned since.
--
-- `handed` is what aaa_authorize found out a moment ago, '' if it found nobody: tenant, account, NAS, the NAS that
-- asked, most sessions, seconds between reports, and what else is to be done: L for a device to be learned, N for a NAS
-- that was not noted within the last minute, B for an account whose user name goes without the realm.
CREATE FUNCTION aaa_post_auth(nas text, login text, station text, class text, result text, reason text, source text,
    handed text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
<<asked>>
DECLARE
    -- A crash may lose the last attempts of the log; nothing else here must outlive one.
    durability text := set_config('synchronous_commit', 'off', true);
    held CONSTANT interval := '60 seconds';
    counted_together CONSTANT interval := '5 minutes';
    key text := lower(login COLLATE pg_unicode_fast);
    this_station text := aaa_station(station);
    token uuid;
    place text := this_station;
    accepted boolean := result IN ('accept', 'Access-Accept');
    verdict text := '';
    parts text[];
    tenant uuid;
    account uuid;
    nas_id uuid;
    own_id uuid;
    most_sessions int;
    report_seconds int;
    flags text;
    realm text;
    same_at timestamptz;
    same_id uuid;
    is_locked boolean;
BEGIN
    IF handed <> '' THEN
        parts := string_to_array(handed, '|');
        tenant := parts[1];
        account := parts[2];
        nas_id := parts[3];
        own_id := parts[4];
        most_sessions := parts[5];
        flags := parts[7];
        IF strpos(flags, 'B') > 0 THEN
            key := regexp_replace(key, '@[^@]*$', '');
        END IF;
    ELSE
        FOR attempt IN 1..2 LOOP
            SELECT q.tenant_id, q.nas_id, q.own_id, q.realm, c.id, coalesce(c.max_sessions, p.max_sessions),
                   p.interim_seconds,
                   CASE WHEN p.mac_lock = 'learn' AND c.calling_station_key = '' THEN 'L' ELSE '' END
                       || CASE WHEN q.last_auth_at > now() - interval '1 minute' THEN '' ELSE 'N' END
            INTO tenant, nas_id, own_id, realm, account, most_sessions, report_seconds, flags
            FROM aaa_asked(nas, login) AS q
            LEFT JOIN aaa_account AS c ON c.tenant_id = q.tenant_id AND c.username_key = key
            LEFT JOIN aaa_serviceprofile AS p ON p.id = c.service_profile_id;
            EXIT WHEN account IS NOT NULL OR realm IS NULL;
            key := regexp_replace(key, '@[^@]*$', '');
        END LOOP;
        IF tenant IS NULL THEN
            RETURN '';
        END IF;
    END IF;
    IF accepted THEN
        token := nullif(left(CASE handed WHEN '' THEN aaa_class(class) ELSE class END, 36), '')::uuid;
    END IF;
    IF accepted AND most_sessions > 0 THEN
        IF place = '' THEN
            place := coalesce('-' || token, '-');
        END IF;
        -- One log-in of an account at a time; what is below sees what the one before reserved.
        is_locked := pg_advisory_xact_lock(hashtextextended(account::text, 0)) IS NOT NULL;
        -- Since aaa_authorize counted, only another log-in can have taken a place, and that holds one.
        INSERT INTO aaa_reservation AS r (account_id, station_key, expires_at)
        SELECT account, place, now() + held
        WHERE handed <> '' AND NOT EXISTS (
            SELECT FROM aaa_reservation AS other
            WHERE other.account_id = account AND other.station_key <> place AND other.expires_at > now())
        ON CONFLICT (account_id, station_key) DO UPDATE SET expires_at = excluded.expires_at;
        IF NOT FOUND THEN
            IF (SELECT other.number >= most_sessions
                FROM aaa_others(tenant, account, this_station, 
                    now() - make_interval(secs => 3 * coalesce(report_seconds, parts[6]::int))) AS other)
            THEN
                verdict := 'sessions';
            ELSE
                INSERT INTO aaa_reservation (account_id, station_key, expires_at)
                VALUES (account, place, now() + held)
                ON CONFLICT (account_id, station_key) DO UPDATE SET expires_at = excluded.expires_at;
            END IF;
        END IF;
    END IF;
    IF flags <> '' AND strpos(flags, 'L') > 0 AND accepted AND verdict = '' AND this_station <> '' THEN
        UPDATE aaa_account AS c
        SET calling_station_id = station, calling_station_key = this_station, updated_at = now()
        WHERE c.id = account AND c.calling_station_key = '';
        IF NOT FOUND AND NOT EXISTS (
            SELECT FROM aaa_account AS c WHERE c.id = account AND c.calling_station_key IN ('', this_station))
        THEN
            verdict := 'mac';
        END IF;
    END IF;
    IF verdict <> '' THEN
        accepted := false;
        token := NULL;
        reason := verdict;
    ELSIF accepted THEN
        reason := '';
    ELSIF reason = '' THEN
        reason := 'password';
    END IF;
    IF NOT accepted THEN
        -- A device that keeps trying with the wrong password is one line of the log, not thousands.
        SELECT t.at, t.id INTO same_at, same_id FROM aaa_authattempt AS t
        WHERE t.tenant_id = tenant AND t.username_key = key AND t.at > now() - counted_together
          AND t.nas_id = asked.nas_id AND t.reason = aaa_post_auth.reason AND NOT t.accepted
        ORDER BY t.at DESC LIMIT 1;
    END IF;
    IF same_id IS NOT NULL THEN
        UPDATE aaa_authattempt AS t SET times = t.times + 1, last_at = now()
        WHERE t.tenant_id = tenant AND t.at = same_at AND t.id = same_id;
    ELSE
        INSERT INTO aaa_authattempt (id, tenant_id, at, last_at, times, account_id, nas_id, username, username_key,
                                     station, accepted, reason, class_token, source)
        VALUES (coalesce(token, uuidv7()), tenant, now(), now(), 1, account, nas_id, login, key, station, accepted, left(reason, 10),
                token, nullif(source, '')::inet);
    END IF;
    IF strpos(flags, 'N') > 0 THEN
        -- Whoever comes first notes it; the others do not wait for that.
        UPDATE aaa_nas SET last_auth_at = now()
        WHERE id IN (SELECT n.id FROM aaa_nas AS n WHERE n.id IN (own_id, asked.nas_id) FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN verdict;
END $$;
