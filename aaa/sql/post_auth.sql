CREATE FUNCTION aaa_post_auth(nas text, login text, station text, class text, result text, reason text, source text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN '';
END $$;
