-- Make the partition of a month of one of the tables below; one that exists stays as it is. The runtime role cannot
-- make tables, and must not reach a partition around its parent, whose row-level security would not cover that.
CREATE FUNCTION aaa_make_partition(parent text, month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first_day date := date_trunc('month', month);
    name text := parent || '_' || to_char(first_day, 'YYYY_MM');
BEGIN
    IF parent NOT IN ('aaa_pastsession', 'aaa_hourlyusage', 'aaa_authattempt') THEN
        RAISE EXCEPTION '% is not partitioned by month', parent;
    END IF;
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)%s',
                   name, parent, first_day || ' 00:00Z', (first_day + interval '1 month')::date || ' 00:00Z',
                   CASE WHEN parent = 'aaa_hourlyusage' THEN ' WITH (fillfactor = 80)' ELSE '' END);
    EXECUTE format('REVOKE ALL ON %I FROM isp_app, isp_platform', name);
END $$;

-- Drop the partitions of a table that hold nothing as new as `before`; return how many.
CREATE FUNCTION aaa_drop_partitions(parent text, before timestamptz) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text;
    dropped int := 0;
BEGIN
    IF parent NOT IN ('aaa_pastsession', 'aaa_hourlyusage', 'aaa_authattempt') THEN
        RAISE EXCEPTION '% is not partitioned by month', parent;
    END IF;
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass
          AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= (before AT TIME ZONE 'UTC')::date
    LOOP
        EXECUTE format('DROP TABLE %I', name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
