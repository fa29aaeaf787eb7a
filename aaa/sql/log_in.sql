-- Decide about a log-in whose password can be checked here (PAP, CHAP), check it, log what became of it and hold the
-- place, in one call: aaa_authorize, the password, aaa_post_auth. The answer is that of aaa_authorize without the
-- password; `reason` '' is "accept".
--
-- `proof` is what RFC 1994 calls the response: an identifier of one byte and MD5 over it, the password and `challenge`,
-- both in hexadecimal after 0x. FreeRADIUS makes one of a password that came by PAP, so that no statement, and thereby
-- no log and no list of what runs, ever holds a password.
CREATE FUNCTION aaa_log_in(nas text, login text, station text, called text, nas_port_type text, source text,
    proof text, challenge text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    answer text := aaa_authorize(nas, login, station, called, nas_port_type);
    fields text[];
    secret text;
    reason text := '';
    verdict text;
BEGIN
    IF answer ^@ E'\x1f' THEN
        -- The password is the last field, and may hold any character.
        fields := string_to_array(answer, E'\x1f');
        secret := array_to_string(fields[13:], E'\x1f');
        IF secret = '' OR substr(proof, 5) IS DISTINCT FROM md5(
            decode(substr(proof, 3, 2), 'hex') || convert_to(secret, 'UTF8') || decode(substr(challenge, 3), 'hex'))
        THEN
            reason := 'password';
        END IF;
        verdict := aaa_post_auth(nas, login, station, fields[10], CASE reason WHEN '' THEN 'accept' ELSE 'reject' END,
                                 reason, source, fields[11]);
        IF verdict = '' AND reason = '' THEN
            RETURN left(answer, length(answer) - length(secret));
        END IF;
        RETURN coalesce(nullif(verdict, ''), reason) || E'\x1f'
            || CASE verdict
                   WHEN 'sessions' THEN 'Already connected as often as the account allows'
                   WHEN 'mac' THEN 'This account belongs to another device'
                   ELSE ''
               END || repeat(E'\x1f', 11);
    END IF;
    verdict := aaa_post_auth(nas, login, station, '', 'reject', split_part(answer, E'\x1f', 1), source,
                             split_part(answer, E'\x1f', 11));
    RETURN answer;
END $$;
