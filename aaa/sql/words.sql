-- What two spellings of one calling station share; aaa.models.fields.station_key does the same. Inlined by the planner.
CREATE FUNCTION aaa_station(station text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN length(station) - length(replace(station, '.', '')) IN (0, 2)
             AND translate(lower(btrim(station)), ':-.', '') ~ '^[0-9a-f]{12}$'
        THEN translate(lower(btrim(station)), ':-.', '')
        ELSE lower(btrim(station) COLLATE pg_unicode_fast)
    END
$$;

-- The Class a NAS echoes, as text: FreeRADIUS writes octets as 0x and hexadecimal digits. '' for what is none of ours.
CREATE FUNCTION aaa_class(class text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF class ^@ '0x' THEN
        class := encode(decode(substr(class, 3), 'hex'), 'escape');
    END IF;
    RETURN CASE WHEN class ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(;[ -~]{0,90})?$' THEN class ELSE '' END;
EXCEPTION WHEN data_exception THEN
    RETURN '';
END $$;
