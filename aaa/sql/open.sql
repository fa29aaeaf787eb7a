-- HMAC-SHA-256 (RFC 2104) with a key that is already padded and XORed: see aaa.models.sealing.connection_setting.
CREATE FUNCTION aaa_prf(inner_pad bytea, outer_pad bytea, message bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(outer_pad || sha256(inner_pad || message))
$$;

-- Open a sealed secret with the key the connection brought in isp.radius_key; aaa/models/sealing.py says how it is
-- made. Raises an error that names what is wrong and shows nothing of the secret.
CREATE FUNCTION aaa_open(sealed text, bound_to text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    key_id text := split_part(sealed, '.', 2);
    keys text := ',' || coalesce(current_setting('isp.radius_key', true), '');
    pads text := split_part(split_part(keys, ',' || key_id || ':', 2), ',', 1);
    inner_pad bytea;
    outer_pad bytea;
    body bytea;
    nonce bytea;
    ciphertext bytea;
    size int;
    bits bytea;
    stream bytea := '';
    plain bytea := '';
BEGIN
    IF sealed = '' THEN
        RETURN '';
    END IF;
    IF split_part(sealed, '.', 1) <> 'h1' OR pads = '' THEN
        RAISE EXCEPTION 'isp.radius_key of this connection has no key named %', key_id;
    END IF;
    inner_pad := decode(split_part(pads, ':', 1), 'hex');
    outer_pad := decode(split_part(pads, ':', 2), 'hex');
    body := decode(split_part(sealed, '.', 3), 'base64');
    size := length(body) - 48;
    nonce := substr(body, 1, 16);
    ciphertext := substr(body, 17, size);
    IF substr(body, 17 + size) IS DISTINCT FROM aaa_prf(
        inner_pad, outer_pad, '\x74616700' || nonce || convert_to(bound_to, 'UTF8') || '\x00' || ciphertext)
    THEN
        RAISE EXCEPTION 'a secret of % was made with another key, or for another column or tenant', bound_to;
    END IF;
    bits := int4send(size * 8);
    FOR i IN 1..(size + 31) / 32 LOOP
        stream := stream || aaa_prf(inner_pad, outer_pad, int4send(i) || '\x73747265616d00'::bytea || nonce || bits);
    END LOOP;
    -- Eight bytes at a time, as numbers: PostgreSQL has no XOR of bytea.
    ciphertext := ciphertext || substr('\x00000000000000'::bytea, 1, (8 - size % 8) % 8);
    FOR i IN 0..length(ciphertext) / 8 - 1 LOOP
        plain := plain || (substr(ciphertext, 8 * i + 1, 8)::bigint # substr(stream, 8 * i + 1, 8)::bigint)::bytea;
    END LOOP;
    RETURN convert_from(substr(plain, 1, size), 'UTF8');
END $$;
