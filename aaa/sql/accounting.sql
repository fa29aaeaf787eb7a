CREATE FUNCTION aaa_accounting(nas text, kind text, session_id text, class text, login text, station text, called text,
    nas_port_id text, framed_ip text, framed_ipv6_prefix text, delegated_prefix text, session_time text,
    in_octets text, out_octets text, in_giga text, out_giga text,
    in6_octets text, out6_octets text, in6_giga text, out6_giga text,
    event_epoch text, delay text, cause text, nas_ip text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN 1;
END $$;
