CREATE FUNCTION aaa_authorize(nas text, login text, station text, called text, nas_port_type text,
    OUT reason text, OUT message text, OUT password text, OUT nas_type text,
    OUT r1 text, OUT r2 text, OUT r3 text, OUT r4 text, OUT r5 text, OUT r6 text,
    OUT framed_ip text, OUT framed_pool text, OUT framed_ipv6_prefix text, OUT framed_ipv6_pool text,
    OUT delegated_prefix text, OUT delegated_pool text,
    OUT session_timeout text, OUT interim text, OUT idle_timeout text, OUT class text, OUT context text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    reason := 'unknown';
END $$;
