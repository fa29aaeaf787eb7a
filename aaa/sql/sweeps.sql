CREATE FUNCTION aaa_close_stale(most int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$ BEGIN RETURN 0; END $$;
CREATE FUNCTION aaa_move_closed(most int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$ BEGIN RETURN 0; END $$;
